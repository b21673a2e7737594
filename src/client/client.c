/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, and calls over them. */
#include "client/client_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/version.h"
#include "rpc/channel.h"

#include "api/pb/containers.pb-c.h"
#include "api/pb/content.pb-c.h"
#include "api/pb/diff.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/events.pb-c.h"
#include "api/pb/images.pb-c.h"
#include "api/pb/introspection.pb-c.h"
#include "api/pb/leases.pb-c.h"
#include "api/pb/namespaces.pb-c.h"
#include "api/pb/sandbox.pb-c.h"
#include "api/pb/snapshots.pb-c.h"
#include "api/pb/tasks.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "api/pb/version.pb-c.h"

#define DEFAULT_CONNECT_NS (10 * NS_PER_S)

struct method_row {
	enum api_row {
#define ROW(id, name, transport, methods) ROW_##id,
		API_SERVICES(ROW)
#undef ROW
	} service;
	const char *method;
	const ProtobufCMessageDescriptor *response;
};

static const char *const service_names[] = {
#define NAME(id, name, transport, methods) name,
	API_SERVICES(NAME)
#undef NAME
};

#define DESCRIPTOR_(prefix) &prefix##__descriptor
#define DESCRIPTOR(prefix)  DESCRIPTOR_(prefix)

static const struct method_row methods[] = {
#define CLIENT_METHOD(id, method, kind, request, response)                                     \
	{ ROW_##id, #method, DESCRIPTOR(response) },
	CLIENT_METHODS
#undef CLIENT_METHOD
};

/* --- opening and closing ------------------------------------------------------------------ */

struct ctx client_ctx(const struct ctrd_client *c)
{
	return (struct ctx){ .ns = c->ns,
		.lease = c->lease,
		.deadline_ns = c->deadline_ns,
		.cancel = c->cancel,
		.what = "libctrd" };
}

static int connect_channel(struct ctrd_client *c, struct channel **ret, struct err *err)
{
	struct ctx ctx = client_ctx(c);
	int64_t limit = clock_mono_ns() + c->connect_timeout_ns;

	if (ctx.deadline_ns == 0 || ctx.deadline_ns > limit)
		ctx.deadline_ns = limit;
	if (channel_open_grpc(NULL, c->address, &ctx, ret, err) < 0)
		return err_wrap(err, "failed to dial \"%s\"", c->address);
	return 0;
}

static struct channel *take_idle(struct ctrd_client *c)
{
	LOCKED(&c->lock);
	return c->idle_count == 0 ? NULL : c->idle[--c->idle_count];
}

/* The last one that was in use comes first: it is the least likely to be closed. */
static int take_channel(struct ctrd_client *c, struct channel **ret, struct err *err)
{
	struct channel *channel;

	while ((channel = take_idle(c)) != NULL) {
		if (!channel_is_closed(channel)) {
			*ret = channel;
			return 0;
		}
		channel_unref(channel);
	}
	return connect_channel(c, ret, err);
}

static bool put_idle(struct ctrd_client *c, struct channel *channel)
{
	LOCKED(&c->lock);
	if (c->idle_count == CLIENT_MAX_IDLE)
		return false;
	c->idle[c->idle_count++] = channel;
	return true;
}

static void give_channel(struct ctrd_client *c, struct channel *own_channel)
{
	if (channel_is_closed(own_channel) || !put_idle(c, own_channel))
		channel_unref(own_channel);
}

void ctrd_client_close(struct ctrd_client *c)
{
	if (c == NULL)
		return;
	while (c->idle_count > 0)
		channel_unref(c->idle[--c->idle_count]);
	cancel_unref(c->cancel);
	mutex_done(&c->lock);
	free(c->address);
	free(c->ns);
	free(c->lease);
	free(c);
}
DEFINE_AUTO(struct ctrd_client *, ctrd_client_close)

int ctrd_client_open(const struct ctrd_client_options *options, struct ctrd_client **ret_client,
		struct ctrd_error **ret_error)
{
	static const struct ctrd_client_options defaults = CTRD_CLIENT_OPTIONS_INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_client_close) struct ctrd_client *c = xzalloc(sizeof(*c));
	struct channel *channel = NULL;

	if (options == NULL)
		options = &defaults;
	mutex_init(&c->lock, RANK_client);
	c->cancel = cancel_new();
	c->address = xstrdup(str_or(options->address, CTRD_DEFAULT_ADDRESS));
	c->ns = xstrdup(options->ns == NULL ? "default" : options->ns);
	c->connect_timeout_ns = options->connect_timeout_ms > 0
						? options->connect_timeout_ms * NS_PER_MS
						: DEFAULT_CONNECT_NS;
	if (options->timeout_ms > 0)
		c->deadline_ns = clock_mono_ns() + options->timeout_ms * NS_PER_MS;
	if (connect_channel(c, &channel, &err) < 0)
		return api_result(-1, &err, ret_error);
	give_channel(c, channel);
	*ret_client = take_ptr(c);
	return 0;
}

void ctrd_client_cancel(struct ctrd_client *c)
{
	cancel_fire(c->cancel);
}

const char *ctrd_client_namespace(const struct ctrd_client *c)
{
	return c->ns;
}

void ctrd_client_use_lease(struct ctrd_client *c, const char *lease)
{
	char *copy = xstrdup(lease);

	free(c->lease);
	c->lease = copy;
}

/* --- calls -------------------------------------------------------------------------------- */

const void *client_call(struct ctrd_client *c, enum client_method method,
		const ProtobufCMessage *request, struct arena *a, struct err *err)
{
	const struct method_row *row = &methods[method];
	struct ctx ctx = client_ctx(c);
	ProtobufCMessage *response = NULL;
	struct channel *channel = NULL;
	int rc;

	if (take_channel(c, &channel, err) < 0)
		return NULL;
	rc = channel_call(channel, &ctx, service_names[row->service], row->method, request,
			row->response, a, &response, err);
	give_channel(c, channel);
	return rc < 0 ? NULL : response;
}

int client_do(struct ctrd_client *c, enum client_method method, const ProtobufCMessage *request,
		struct err *err)
{
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, CLIENT_REPLY_BUDGET);
	return client_call(c, method, request, &a, err) == NULL ? -1 : 0;
}

static int start_stream(struct client_stream *s, const struct method_row *row,
		const ProtobufCMessage *request, struct err *err)
{
	struct ctx ctx = client_ctx(s->client);

	if (channel_stream(s->channel, &ctx, service_names[row->service], row->method,
			    &s->stream, err) < 0)
		return -1;
	if (request == NULL)
		return 0;
	if (rpc_stream_send(s->stream, request, err) < 0)
		return -1;
	return rpc_stream_close_send(s->stream, err);
}

int client_stream_open(struct ctrd_client *c, enum client_method method,
		const ProtobufCMessage *request, struct client_stream *ret_stream,
		struct err *err)
{
	const struct method_row *row = &methods[method];
	struct client_stream s = { .client = c, .response = row->response };

	if (take_channel(c, &s.channel, err) < 0)
		return -1;
	if (start_stream(&s, row, request, err) < 0) {
		client_stream_close(&s);
		return -1;
	}
	*ret_stream = s;
	return 0;
}

int client_stream_send(
		struct client_stream *s, const ProtobufCMessage *message, struct err *err)
{
	return rpc_stream_send(s->stream, message, err);
}

int client_stream_recv(struct client_stream *s, struct arena *a, const void **ret_message,
		struct err *err)
{
	ProtobufCMessage *message = NULL;
	int rc = rpc_stream_recv(s->stream, s->response, a, &message, err);

	if (rc > 0)
		*ret_message = message;
	return rc;
}

void client_stream_close(struct client_stream *s)
{
	if (s->channel == NULL)
		return;
	rpc_stream_free(s->stream);
	give_channel(s->client, s->channel);
	*s = (struct client_stream){ 0 };
}

/* --- small things ------------------------------------------------------------------------- */

char *client_random_id(void)
{
	static const char digits[] =
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char bytes[4];
	char text[5] = { 0 };

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		memset(bytes, 0, sizeof(bytes)); /* the time alone has to do */
	for (size_t i = 0; i < sizeof(bytes); i++)
		text[i] = digits[bytes[i] % 64];
	return xasprintf("%lld-%s", (long long)(clock_wall_ns() % NS_PER_S), text);
}

void ctrd_free(void *memory)
{
	free(memory);
}

void ctrd_strings_free(char **strings)
{
	strv_free(strings);
}

const char *ctrd_version(void)
{
	return CTRD_FULL_VERSION;
}

const char *ctrd_revision(void)
{
	return CTRD_REVISION;
}
