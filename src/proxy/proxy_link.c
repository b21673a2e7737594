/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy_link.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "rpc/channel.h"

/* Of connecting; only a full queue of the listener makes that wait. */
#define CONNECT_NS (5 * NS_PER_S)
/* Of calls that nothing else would end. */
#define FORSAKEN_NS (30 * NS_PER_S)

struct proxy_link {
	atomic_int refs;
	struct loop *loop;
	char *address;
	struct mutex lock;
	struct channel *channel; /* NULL: not connected */
};

struct proxy_link *proxy_link_new(struct loop *loop, const char *address)
{
	struct proxy_link *l = xzalloc(sizeof(*l));

	atomic_init(&l->refs, 1);
	l->loop = loop;
	l->address = xstrdup(address);
	mutex_init(&l->lock, RANK_proxy);
	return l;
}

struct proxy_link *proxy_link_ref(struct proxy_link *l)
{
	atomic_fetch_add(&l->refs, 1);
	return l;
}

void proxy_link_unref(struct proxy_link *l)
{
	if (l == NULL || atomic_fetch_sub(&l->refs, 1) != 1)
		return;
	channel_unref(l->channel);
	mutex_done(&l->lock);
	free(l->address);
	free(l);
}

const char *proxy_link_address(const struct proxy_link *l)
{
	return l->address;
}

/* The living connection, or NULL; one that has ended is forgotten. */
static struct channel *current(struct proxy_link *l)
{
	struct channel *ended = NULL, *found = NULL;

	mutex_lock(&l->lock);
	if (l->channel != NULL && channel_is_closed(l->channel))
		ended = take_ptr(l->channel);
	if (l->channel != NULL)
		found = channel_ref(l->channel);
	mutex_unlock(&l->lock);
	channel_unref(ended);
	return found;
}

/* Two threads may have connected at once: the first one's connection stays. */
static struct channel *offer(struct proxy_link *l, struct channel *own_new)
{
	struct channel *found;

	mutex_lock(&l->lock);
	if (l->channel == NULL)
		l->channel = take_ptr(own_new);
	found = channel_ref(l->channel);
	mutex_unlock(&l->lock);
	channel_unref(own_new);
	return found;
}

static int connect_now(struct proxy_link *l, const struct ctx *ctx,
		struct channel **ret_channel, struct err *err)
{
	int64_t until = clock_mono_ns() + CONNECT_NS;
	struct ctx bounded = *ctx;
	struct channel *made = NULL;

	if (bounded.deadline_ns == 0 || bounded.deadline_ns > until)
		bounded.deadline_ns = until;
	if (channel_open_grpc(l->loop, l->address, &bounded, &made, err) < 0)
		return -1;
	*ret_channel = offer(l, made);
	return 0;
}

static int open_channel(struct proxy_link *l, const struct ctx *ctx,
		struct channel **ret_channel, struct err *err)
{
	ASSERT_MAY_BLOCK();
	*ret_channel = current(l);
	return *ret_channel != NULL ? 0 : connect_now(l, ctx, ret_channel, err);
}

/* A lease is this daemon's: the other process does not have it. */
static struct ctx without_lease(const struct ctx *ctx)
{
	struct ctx other = *ctx;

	other.lease = NULL;
	return other;
}

static struct ctx bound(const struct ctx *ctx)
{
	struct ctx bounded = without_lease(ctx);

	if (ctx->deadline_ns == 0 && ctx->cancel == NULL)
		bounded.deadline_ns = clock_mono_ns() + FORSAKEN_NS;
	return bounded;
}

int proxy_call(struct proxy_link *l, const struct ctx *ctx, const char *service,
		const char *method, const struct ProtobufCMessage *request,
		const struct ProtobufCMessageDescriptor *response, struct arena *arena,
		void *ret_response, struct err *err)
{
	AUTO(channel_unref) struct channel *c = NULL;
	struct ProtobufCMessage *answer = NULL;
	struct ctx bounded = bound(ctx);

	if (open_channel(l, &bounded, &c, err) < 0 ||
			channel_call(c, &bounded, service, method, request, response, arena,
					&answer, err) < 0)
		return -1;
	memcpy(ret_response, &answer, sizeof(answer));
	return 0;
}

void proxy_start(struct proxy_link *l, const struct ctx *ctx, const char *service,
		const char *method, const struct ProtobufCMessage *request, rpc_done done,
		void *arg)
{
	AUTO(channel_unref) struct channel *c = NULL;
	AUTO_ERR struct err err = { 0 };

	if (open_channel(l, ctx, &c, &err) < 0)
		done(arg, &(struct rpc_answer){ .err = &err });
	else
		channel_start(c, ctx, service, method, request, done, arg);
}

int proxy_stream(struct proxy_link *l, const struct ctx *ctx, const char *service,
		const char *method, struct rpc_stream **ret_stream, struct err *err)
{
	AUTO(channel_unref) struct channel *c = NULL;
	struct ctx unleased = without_lease(ctx);

	if (open_channel(l, &unleased, &c, err) < 0)
		return -1;
	return channel_stream(c, &unleased, service, method, ret_stream, err);
}

int proxy_ask(struct proxy_link *l, const struct ctx *ctx, const char *service,
		const char *method, const struct ProtobufCMessage *request,
		struct rpc_stream **ret_stream, struct err *err)
{
	AUTO(rpc_stream_free) struct rpc_stream *s = NULL;
	struct ctx bounded = bound(ctx);

	if (proxy_stream(l, &bounded, service, method, &s, err) < 0 ||
			rpc_stream_send(s, request, err) < 0 ||
			rpc_stream_close_send(s, err) < 0)
		return -1;
	*ret_stream = take_ptr(s);
	return 0;
}

int proxy_bad_answer(const char *method, const char *object, const char *what, struct err *err)
{
	if (object == NULL)
		return err_set(err, ERR_UNKNOWN, "proxy plugin: answer to %s: %s", method,
				what);
	return err_set(err, ERR_UNKNOWN, "proxy plugin: answer to %s of %s: %s", method, object,
			what);
}
