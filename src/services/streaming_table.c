/* SPDX-License-Identifier: Apache-2.0 */
#include "services/streaming_table.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "api/pb/any.pb-c.h"
#include "base/cancel.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"
#include "core/gc.h"
#include "core/stream.h"
#include "services/services_priv.h"
#include "wire/wire_map.h"

struct streaming_table {
	struct streams streams;
	struct gc_resources resources;
	struct mutex lock;
	struct map named; /* "ns\nid" to struct open_stream, one reference each */
	uint64_t serial;  /* the last one given */
};

struct open_stream {
	struct stream base;
	struct cancel_hook hook; /* has a reference until it has run or was removed */
	struct streaming_table *table;
	struct call *call;
	char *key, *ns, *id, *lease; /* lease: NULL if none */
	uint64_t serial;
	_Atomic int refs;
	atomic_bool is_ended; /* by us */

	/* under the table's lock */
	bool is_named, is_taken;
};

static struct streaming_table *table_of(struct streams *s)
{
	return container_of(s, struct streaming_table, streams);
}

static struct open_stream *stream_of(struct stream *s)
{
	return container_of(s, struct open_stream, base);
}

static struct open_stream *ref(struct open_stream *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

static void unref(struct open_stream *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	call_unref(s->call);
	free(s->key);
	free(s->ns);
	free(s->id);
	free(s->lease);
	free(s);
}

/* The name is free for another one. Safe from any side, any number of times. */
static void forget(struct open_stream *s)
{
	bool was_named;

	mutex_lock(&s->table->lock);
	was_named = s->is_named;
	s->is_named = false;
	if (was_named)
		(void)map_remove(&s->table->named, s->key);
	mutex_unlock(&s->table->lock);
	if (was_named)
		unref(s);
}

/* The client has gone: nobody can speak with it any more. */
static void cancelled(struct cancel_hook *hook)
{
	struct open_stream *s = container_of(hook, struct open_stream, hook);

	forget(s);
	unref(s);
}

static void unhook(struct open_stream *s)
{
	if (cancel_hook_remove(call_ctx(s->call)->cancel, &s->hook))
		unref(s);
}

static void end(struct open_stream *s)
{
	if (atomic_exchange(&s->is_ended, true))
		return;
	forget(s);
	call_finish(s->call, NULL);
	unhook(s);
}

static int send_message(struct stream *self, const struct any *message, struct err *err)
{
	Google__Protobuf__Any pb = GOOGLE__PROTOBUF__ANY__INIT;

	pb.type_url = message->type_url;
	pb.value = (ProtobufCBinaryData){ message->size, message->value };
	return call_send(stream_of(self)->call, &pb.base, err);
}

static int receive(struct stream *self, struct any *ret_message, struct err *err)
{
	struct ProtobufCMessage *m = NULL;
	int rc = call_recv(stream_of(self)->call, &m, err);

	if (rc > 0)
		*ret_message = wire_any_in((const Google__Protobuf__Any *)m);
	return rc;
}

static void close_stream(struct stream *self)
{
	end(stream_of(self));
}

static void release(struct stream *self)
{
	struct open_stream *s = stream_of(self);

	mutex_lock(&s->table->lock);
	s->is_taken = false;
	mutex_unlock(&s->table->lock);
	unref(s);
}

static const struct stream_ops stream_ops = { send_message, receive, close_stream, release };

/* A namespace comes from a header, where no line ends. */
static char *make_key(const char *ns, const char *id)
{
	return xasprintf("%s\n%s", ns, id);
}

static int take(struct streams *self, struct ctx *ctx, const char *id,
		struct stream **ret_stream, struct err *err)
{
	struct streaming_table *t = table_of(self);
	AUTO_FREE char *key = make_key(str_or(ctx->ns, ""), str_or(id, ""));
	struct open_stream *s = NULL;

	LOCKED(&t->lock);
	s = map_find(&t->named, key);
	if (s == NULL)
		return err_set(err, ERR_NOT_FOUND, "%s", "");
	if (s->is_taken)
		return err_set(err, ERR_PRECONDITION, "stream is in use");
	s->is_taken = true;
	*ret_stream = &ref(s)->base;
	return 0;
}

static const struct streams_ops streams_ops = { take };

static void walk(struct gc_resources *self,
		void (*each)(void *arg, const struct gc_resource *r), void *arg)
{
	struct streaming_table *t = container_of(self, struct streaming_table, resources);

	LOCKED(&t->lock);
	map_for_each (slot, &t->named) {
		const struct open_stream *s = slot->value;
		struct gc_resource r = { .ns = s->ns,
			.name = s->id,
			.lease = s->lease,
			.serial = s->serial,
			.is_active = s->lease == NULL };

		each(arg, &r);
	}
}

static struct open_stream *find_serial(struct streaming_table *t, uint64_t serial)
{
	LOCKED(&t->lock);
	map_for_each (slot, &t->named) {
		struct open_stream *s = slot->value;

		if (s->serial == serial)
			return ref(s);
	}
	return NULL;
}

static void remove_serial(struct gc_resources *self, uint64_t serial)
{
	struct open_stream *s = find_serial(
			container_of(self, struct streaming_table, resources), serial);

	if (s == NULL)
		return;
	end(s);
	unref(s);
}

struct streaming_table *streaming_table_new(void)
{
	struct streaming_table *t = xzalloc(sizeof(*t));

	t->streams.ops = &streams_ops;
	t->resources = (struct gc_resources){ walk, remove_serial };
	mutex_init(&t->lock, RANK_streams);
	map_init(&t->named);
	return t;
}

void streaming_table_free(struct streaming_table *t)
{
	if (t == NULL)
		return;
	assert(t->named.count == 0);
	map_done(&t->named, NULL);
	mutex_done(&t->lock);
	free(t);
}

struct streams *streaming_table_streams(struct streaming_table *t)
{
	return &t->streams;
}

struct gc_resources *streaming_table_resources(struct streaming_table *t)
{
	return &t->resources;
}

static struct open_stream *open_stream_new(
		struct streaming_table *t, struct call *call, const char *id)
{
	const struct ctx *ctx = call_ctx(call);
	struct open_stream *s = xzalloc(sizeof(*s));

	s->base.ops = &stream_ops;
	s->hook.fired = cancelled;
	s->table = t;
	s->call = call_ref(call);
	s->ns = xstrdup(str_or(ctx->ns, ""));
	s->id = xstrdup(id);
	s->key = make_key(s->ns, id);
	s->lease = str_is_empty(ctx->lease) ? NULL : xstrdup(ctx->lease);
	atomic_init(&s->refs, 1);
	return s;
}

static bool put(struct streaming_table *t, struct open_stream *s)
{
	LOCKED(&t->lock);
	if (map_find(&t->named, s->key) != NULL)
		return false;
	s->serial = ++t->serial;
	s->is_named = true;
	(void)map_put(&t->named, s->key, ref(s));
	return true;
}

int streaming_table_add(
		struct streaming_table *t, struct call *call, const char *id, struct err *err)
{
	struct open_stream *s = open_stream_new(t, call, id);
	int rc = 0;

	/* Hooked before it can be found, since whoever ends it takes the hook out. */
	if (!cancel_hook_add(call_ctx(call)->cancel, &ref(s)->hook)) {
		unref(s);
		rc = err_set(err, ERR_CANCELED, "%s", "");
	} else if (!put(t, s)) {
		AUTO_FREE char *quoted = str_quote(id);

		unhook(s);
		rc = err_set(err, ERR_EXISTS, "stream %s", quoted);
	} else if (cancel_is_fired(call_ctx(call)->cancel)) {
		forget(s);
	}
	unref(s);
	return rc;
}
