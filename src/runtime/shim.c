/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "runtime/shim_log.h"

#define SERVICE_V2 "containerd.task.v2.Task"
#define SERVICE_V3 "containerd.task.v3.Task"

static struct shim_link *link_new(void)
{
	struct shim_link *l = xzalloc(sizeof(*l));

	mutex_init(&l->lock, RANK_shim);
	cond_init(&l->changed);
	atomic_init(&l->refs, 2); /* the shim's and the channel's */
	return l;
}

static void link_unref(struct shim_link *l)
{
	if (l == NULL || atomic_fetch_sub(&l->refs, 1) > 1)
		return;
	cond_done(&l->changed);
	mutex_done(&l->lock);
	free(l);
}

struct shim *shim_new(const char *ns, const char *id, const char *bundle)
{
	struct shim *s = xzalloc(sizeof(*s));

	s->ns = xstrdup(ns);
	s->id = xstrdup(id);
	s->bundle = xstrdup(bundle);
	s->sandbox = xstrdup("");
	atomic_init(&s->refs, 1);
	return s;
}

struct shim *shim_ref(struct shim *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void shim_unref(struct shim *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	shim_close(s);
	channel_unref(s->channel);
	link_unref(s->link);
	shim_log_close(s->log);
	shim_endpoint_done(&s->endpoint);
	free(s->ns);
	free(s->id);
	free(s->bundle);
	free(s->binary);
	free(s->runtime);
	free(s->sandbox);
	free(s);
}

void shim_close(struct shim *s)
{
	if (s->channel != NULL)
		channel_close(s->channel);
}

/* What the connection holds as long as it lasts. */
struct watcher {
	struct channel *channel;
	struct shim_link *link;
	shim_lost lost;
	void *arg;
	char *ns, *id;
};

static void connection_ended(void *arg)
{
	struct watcher *w = arg;

	mutex_lock(&w->link->lock);
	w->link->is_closed = true;
	cond_broadcast(&w->link->changed);
	mutex_unlock(&w->link->lock);
	w->lost(w->arg, w->ns, w->id, w->link);
	link_unref(w->link);
	channel_unref(w->channel);
	free(w->ns);
	free(w->id);
	free(w);
}

static int open_channel(struct shim *s, struct loop *loop, struct ctx *ctx, struct err *err)
{
	AUTO_FREE char *socket = NULL;

	if (shim_endpoint_socket(&s->endpoint, &socket, err) < 0)
		return -1;
	if (!s->endpoint.is_grpc)
		return channel_open_ttrpc(loop, socket, ctx, &s->channel, err);
	if (s->endpoint.version != 3)
		return err_plain(err, ERR_UNKNOWN,
				"containerd client supports only v3 GRPC task service (got %d)",
				s->endpoint.version);
	return channel_open_grpc(loop, socket, ctx, &s->channel, err);
}

int shim_connect(struct shim *s, struct loop *loop, struct ctx *ctx,
		struct shim_endpoint *own_endpoint, shim_lost lost, void *arg, struct err *err)
{
	struct watcher *w = NULL;

	ASSERT_MAY_BLOCK();
	if (own_endpoint->version != 2 && own_endpoint->version != 3)
		return err_plain(err, ERR_UNKNOWN,
				"containerd client supports only v2 and v3 TTRPC task client "
				"(got %d)",
				own_endpoint->version);
	s->endpoint = *own_endpoint;
	*own_endpoint = (struct shim_endpoint){ 0 };
	atomic_store(&s->version, s->endpoint.version);
	if (open_channel(s, loop, ctx, err) < 0)
		return -1;
	s->link = link_new();
	w = xzalloc(sizeof(*w));
	*w = (struct watcher){ channel_ref(s->channel), s->link, lost, arg, xstrdup(s->ns),
		xstrdup(s->id) };
	channel_on_close(s->channel, connection_ended, w);
	return 0;
}

bool shim_wait_closed(struct shim *s, int64_t mono_deadline_ns)
{
	LOCKED(&s->link->lock);
	while (!s->link->is_closed)
		if (!cond_wait_until(&s->link->changed, &s->link->lock, mono_deadline_ns))
			break;
	return s->link->is_closed;
}

bool shim_claim(struct shim *s)
{
	return !atomic_exchange(&s->is_claimed, true);
}

static const char *service_of(const struct shim *s)
{
	return atomic_load(&s->version) == 3 ? SERVICE_V3 : SERVICE_V2;
}

/* A pod's shim may be older than the binary that told us where it is. True if it is worth
 * asking again. */
static bool downgrade(struct shim *s, enum err_kind kind, const char *service)
{
	int three = 3;

	if (kind != ERR_UNIMPLEMENTED || s->endpoint.is_grpc)
		return false;
	if (!atomic_compare_exchange_strong(&s->version, &three, 2))
		return !str_eq(service, service_of(s)); /* somebody else has noticed */
	log_warn(&(struct ctx){ .ns = s->ns }, "shim %s: task API 3 claimed, 2 served", s->id);
	return true;
}

int shim_call(struct shim *s, struct ctx *ctx, const char *method,
		const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
		struct arena *arena, ProtobufCMessage **ret_response, struct err *err)
{
	const char *service = service_of(s);
	int rc = channel_call(s->channel, ctx, service, method, request, response, arena,
			ret_response, err);

	if (rc < 0 && downgrade(s, err->kind, service)) {
		err_clear(err);
		rc = channel_call(s->channel, ctx, service_of(s), method, request, response,
				arena, ret_response, err);
	}
	return rc;
}

struct asking {
	struct shim_ask *ask;
	const char *service;
};

static void answered(void *arg, const struct rpc_answer *answer)
{
	struct asking *a = arg;
	struct shim_ask *ask = a->ask;

	if (answer->err != NULL && downgrade(ask->shim, answer->err->kind, a->service)) {
		a->service = service_of(ask->shim);
		channel_start(ask->shim->channel, &ask->ctx, a->service, ask->method,
				ask->request, answered, a);
		return;
	}
	free(a);
	ask->done(ask, answer);
}

void shim_ask(struct shim_ask *ask)
{
	struct asking *a = xzalloc(sizeof(*a));

	*a = (struct asking){ ask, service_of(ask->shim) };
	channel_start(ask->shim->channel, &ask->ctx, a->service, ask->method, ask->request,
			answered, a);
}

void shim_translate(const struct shim *s, const struct err *from, struct err *err)
{
	if (from->kind == ERR_UNAVAILABLE && channel_is_closed(s->channel))
		(void)err_plain(err, ERR_UNKNOWN, "ttrpc: closed");
	else
		(void)err_plain(err, from->kind, "%s", err_text(from));
}
