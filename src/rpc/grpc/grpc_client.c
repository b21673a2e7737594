/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc/grpc_client_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "rpc/channel_priv.h"
#include "rpc/grpc/grpc_alive_priv.h"
#include "rpc/grpc/grpc_h2_priv.h"
#include "rpc/grpc/grpc_text_priv.h"
#include "rpc/rpc_sock_priv.h"

#define MAX_RECV_MESSAGE ((size_t)16 << 20)
#define MAX_HEADERS	 ((size_t)256 * 1024)
/* While calls wait. Go's servers end connections that ask more often than every five minutes
 * (reference 01 §2.3). */
#define KEEPALIVE_MS	     (6 * 60 * 1000)
#define KEEPALIVE_TIMEOUT_MS (20 * 1000)

struct grpc_out {
	struct h2_stream h2; /* first */
	struct grpc_client *client;
	struct rpc_stream *stream; /* NULL: nobody waits for it any more */
	size_t header_bytes;
	char *http_status, *grpc_status, *grpc_message, *encoding;
	char *details; /* grpc-status-details-bin, if it came once */
	bool details_seen;
};

struct grpc_client {
	struct channel channel; /* first */
	struct h2_conn h2;
	struct grpc_alive alive;
	bool going;  /* the peer sent GOAWAY */
	bool silent; /* and is given up */
};

static struct grpc_client *client_of(const struct channel *c)
{
	return container_of(c, struct grpc_client, channel);
}

static void out_free(struct grpc_out *o)
{
	h2_stream_done(&o->h2);
	if (o->stream != NULL)
		o->stream->link = NULL;
	free(o->http_status);
	free(o->grpc_status);
	free(o->grpc_message);
	free(o->encoding);
	free(o->details);
	free(o);
}

/* Takes the call away from its stream, which goes on until HTTP/2 has closed it. */
static struct rpc_stream *detach(struct grpc_out *o)
{
	struct rpc_stream *s = take_ptr(o->stream);

	s->link = NULL;
	o->h2.pipe = NULL;
	o->h2.sending = false;
	return s;
}

static void reset(struct grpc_out *o, uint32_t code)
{
	(void)nghttp2_submit_rst_stream(o->h2.h2->session, NGHTTP2_FLAG_NONE, o->h2.id, code);
}

static void fail(struct grpc_out *o, enum err_kind kind, const char *fmt, ...)
		PRINTF_LIKE(3, 4);

static void fail(struct grpc_out *o, enum err_kind kind, const char *fmt, ...)
{
	AUTO_ERR struct err why = { 0 };
	AUTO_FREE char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	err_plain(&why, kind, "%s", text);
	rpc_stream_broken(detach(o), &why);
}

/* Requests. */

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *room, size_t size,
		uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct grpc_out *o = source->ptr;
	bool end;
	size_t n;

	(void)session;
	(void)id;
	(void)user;
	if (o->h2.pipe == NULL)
		return NGHTTP2_ERR_DEFERRED; /* a reset is on its way */
	n = h2_fill(&o->h2, room, size, &end);
	if (end)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (n == 0)
		return NGHTTP2_ERR_DEFERRED;
	return (ssize_t)n;
}

static size_t add_optional(nghttp2_nv *nv, size_t n, nghttp2_nv header, const char *value)
{
	if (value == NULL)
		return n;
	nv[n] = header;
	nv[n].value = (uint8_t *)value;
	nv[n].valuelen = strlen(value);
	return n + 1;
}

static char *path_of(const struct rpc_stream *s, size_t *ret_size)
{
	AUTO_BUF struct buf path = { .limit = SIZE_MAX };

	buf_add_byte(&path, '/');
	buf_add_str(&path, s->service);
	buf_add_byte(&path, '/');
	buf_add_str(&path, s->method);
	*ret_size = path.size;
	return take_ptr(path.data);
}

static int32_t submit(struct grpc_client *c, struct grpc_out *o, const struct rpc_stream *s)
{
	size_t path_size;
	AUTO_FREE char *path = path_of(s, &path_size);
	nghttp2_data_provider provider = { { .ptr = o }, on_read };
	char timeout[GRPC_TIMEOUT_SIZE];
	nghttp2_nv nv[10] = {
		H2_NV_FIXED(":method", "POST"),
		H2_NV_FIXED(":scheme", "http"),
		H2_NV(":path", path, path_size),
		H2_NV_FIXED(":authority", "localhost"),
		H2_NV_FIXED("content-type", "application/grpc"),
		H2_NV_FIXED("user-agent", "ctrd/" CTRD_VERSION),
		H2_NV_FIXED("te", "trailers"),
	};
	size_t n = 7;

	if (s->deadline_ns != 0)
		grpc_timeout_format(s->deadline_ns - clock_mono_ns(), timeout);
	n = add_optional(nv, n, H2_NV("grpc-timeout", "", 0),
			s->deadline_ns != 0 ? timeout : NULL);
	n = add_optional(nv, n, H2_NV("containerd-namespace", "", 0), s->ns);
	n = add_optional(nv, n, H2_NV("containerd-lease", "", 0), s->lease);
	return nghttp2_submit_request(c->h2.session, NULL, nv, n, &provider, o);
}

static bool has_calls(void *conn)
{
	struct grpc_client *c = conn;

	return !list_is_empty(&c->channel.streams);
}

static void kick(void *conn)
{
	struct grpc_client *c = conn;

	rpc_sock_kick(c->channel.sock);
}

static void lost(void *conn)
{
	struct grpc_client *c = conn;

	c->silent = true;
	channel_fail(&c->channel);
}

static const struct grpc_alive_ops alive_ops = {
	.is_wanted = has_calls,
	.kick = kick,
	.lost = lost,
};

static void watch_peer(struct grpc_client *c)
{
	if (c->alive.timer == NULL)
		grpc_alive_init(&c->alive, c->channel.loop, &c->h2, &alive_ops, c);
	grpc_alive_wake(&c->alive);
}

static void op_start(struct channel *channel, struct rpc_stream *s)
{
	struct grpc_client *c = client_of(channel);
	struct grpc_out *o = xzalloc(sizeof(*o));
	int32_t id = -1;

	watch_peer(c);
	o->client = c;
	o->stream = s;
	o->h2.pipe = &s->pipe;
	if (!c->going && !c->h2.broken && nghttp2_session_check_request_allowed(c->h2.session))
		id = submit(c, o, s);
	h2_stream_init(&o->h2, &c->h2, id, MAX_RECV_MESSAGE);
	s->link = o;
	o->h2.sending = true;
	if (id >= 0)
		return;
	fail(o, ERR_UNAVAILABLE, "the connection takes no more calls");
	out_free(o);
}

static void op_update(struct channel *channel, struct rpc_stream *s)
{
	struct grpc_out *o = s->link;

	if (o == NULL)
		return;
	h2_unhold(&o->h2);
	h2_resume(&o->h2);
	rpc_sock_kick(channel->sock);
}

static void op_forget(struct channel *channel, struct rpc_stream *s)
{
	struct grpc_out *o = s->link;

	reset(o, NGHTTP2_CANCEL);
	(void)detach(o);
	rpc_sock_kick(channel->sock);
}

static void op_gone(const struct channel *channel, struct err *err)
{
	const struct grpc_client *c = client_of(channel);

	err_plain(err, ERR_UNAVAILABLE, "%s",
			c->silent  ? "keepalive ping failed to receive ACK within timeout"
			: c->going ? "the server is going away"
				   : "error reading from server: EOF");
}

static void op_free(struct channel *channel)
{
	h2_done(&client_of(channel)->h2);
}

/* Responses. */

static enum err_kind kind_of_http(const char *status)
{
	static const struct {
		const char *http;
		enum err_kind kind;
	} rows[] = {
		{ "400", ERR_INTERNAL },
		{ "401", ERR_UNAUTHENTICATED },
		{ "403", ERR_PERMISSION },
		{ "404", ERR_UNIMPLEMENTED },
		{ "429", ERR_UNAVAILABLE },
		{ "502", ERR_UNAVAILABLE },
		{ "503", ERR_UNAVAILABLE },
		{ "504", ERR_UNAVAILABLE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(status, rows[i].http))
			return rows[i].kind;
	return ERR_UNKNOWN;
}

/* The status that the headers and trailers tell. */
static void read_status(const struct grpc_out *o, struct err *ret)
{
	AUTO_FREE char *message = NULL;
	uint32_t code;

	if (o->grpc_status == NULL) {
		if (!str_eq(o->http_status, "200"))
			err_plain(ret, kind_of_http(o->http_status),
					"unexpected HTTP status code received from server: %s",
					str_or(o->http_status, "none"));
		else
			err_plain(ret, ERR_INTERNAL,
					"server closed the stream without sending trailers");
		return;
	}
	if (!str_u32(o->grpc_status, &code)) {
		err_plain(ret, ERR_UNKNOWN, "malformed grpc-status: %s", o->grpc_status);
		return;
	}
	if (code == 0 && grpc_reader_is_inside(&o->h2.reader))
		err_plain(ret, ERR_INTERNAL, "unexpected EOF");
	if (ret->kind != ERR_NONE)
		return;
	message = grpc_message_decode(
			str_or(o->grpc_message, ""), strlen(str_or(o->grpc_message, "")));
	grpc_status_read((int)(code > INT_MAX ? INT_MAX : code), message, o->details, ret);
}

static void on_response_end(struct grpc_out *o)
{
	AUTO_ERR struct err status = { 0 };

	read_status(o, &status);
	if (!nghttp2_session_get_stream_local_close(o->h2.h2->session, o->h2.id))
		reset(o, NGHTTP2_NO_ERROR);
	rpc_stream_ended(detach(o), &status);
}

static void fail_by_reset(struct grpc_out *o, uint32_t code)
{
	switch (code) {
	case NGHTTP2_REFUSED_STREAM:
		fail(o, ERR_UNAVAILABLE, "the server refused the stream");
		return;
	case NGHTTP2_CANCEL:
		fail(o, ERR_CANCELED,
				"stream terminated by RST_STREAM with error code: CANCEL");
		return;
	case NGHTTP2_ENHANCE_YOUR_CALM:
		fail(o, ERR_EXHAUSTED,
				"stream terminated by RST_STREAM with error code: "
				"ENHANCE_YOUR_CALM");
		return;
	default:
		fail(o, ERR_INTERNAL, "stream terminated by RST_STREAM with error code: %s",
				nghttp2_http2_strerror(code));
	}
}

/* Callbacks of nghttp2. */

static void keep(char **slot, const uint8_t *value)
{
	free(*slot);
	*slot = xstrdup((const char *)value);
}

/* More than one is as none, as with Go's client. */
static void keep_details(struct grpc_out *o, const uint8_t *value)
{
	if (o->details_seen)
		free(take_ptr(o->details));
	else
		o->details = xstrdup((const char *)value);
	o->details_seen = true;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
		void *user)
{
	struct grpc_out *o = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	const char *key = (const char *)name;

	(void)flags;
	(void)user;
	if (o == NULL || o->stream == NULL)
		return 0;
	o->header_bytes += name_size + value_size + 32;
	if (o->header_bytes > MAX_HEADERS)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (strcmp(key, ":status") == 0)
		keep(&o->http_status, value);
	else if (strcmp(key, "grpc-status") == 0)
		keep(&o->grpc_status, value);
	else if (strcmp(key, "grpc-message") == 0)
		keep(&o->grpc_message, value);
	else if (strcmp(key, "grpc-status-details-bin") == 0)
		keep_details(o, value);
	else if (strcmp(key, "grpc-encoding") == 0)
		keep(&o->encoding, value);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		size_t size, void *user)
{
	struct grpc_out *o = nghttp2_session_get_stream_user_data(session, id);
	AUTO_ERR struct err err = { 0 };

	(void)flags;
	(void)user;
	if (o == NULL) {
		(void)nghttp2_session_consume(session, id, size);
		return 0;
	}
	if (h2_receive(&o->h2, data, size, &err) == 0)
		return 0;
	reset(o, NGHTTP2_CANCEL);
	rpc_stream_broken(detach(o), &err);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct grpc_client *c = user;
	struct grpc_out *o;

	if (frame->hd.type == NGHTTP2_GOAWAY)
		c->going = true;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	o = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (o == NULL || o->stream == NULL)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && o->encoding != NULL &&
			!str_eq(o->encoding, "identity")) {
		reset(o, NGHTTP2_CANCEL);
		fail(o, ERR_UNIMPLEMENTED,
				"grpc: Decompressor is not installed for grpc-encoding \"%s\"",
				o->encoding);
		return 0;
	}
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		on_response_end(o);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct grpc_out *o = nghttp2_session_get_stream_user_data(session, id);

	(void)user;
	if (o == NULL)
		return 0;
	if (o->stream != NULL)
		fail_by_reset(o, code);
	out_free(o);
	return 0;
}

/* A request that never left: the peer said goodbye first. */
static int on_not_sent(
		nghttp2_session *session, const nghttp2_frame *frame, int code, void *user)
{
	struct grpc_client *c = user;

	(void)code;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	list_for_each (it, &c->h2.streams) {
		struct grpc_out *o = list_entry(it, struct grpc_out, h2.node);

		if (o->h2.id != frame->hd.stream_id)
			continue;
		if (o->stream != NULL)
			fail(o, ERR_UNAVAILABLE, "the connection takes no more calls");
		(void)nghttp2_session_set_stream_user_data(session, o->h2.id, NULL);
		out_free(o);
		break;
	}
	return 0;
}

/* The connection. */

static bool sock_input(void *proto, const void *data, size_t size)
{
	struct grpc_client *c = proto;

	grpc_alive_heard(&c->alive);
	return h2_input(&c->h2, data, size);
}

static size_t sock_output(void *proto, void *room, size_t size)
{
	struct grpc_client *c = proto;

	return h2_output(&c->h2, room, size);
}

static bool sock_wants_input(void *proto)
{
	(void)proto;
	return true;
}

static bool sock_finished(void *proto)
{
	struct grpc_client *c = proto;

	return h2_finished(&c->h2);
}

static void sock_closed(void *proto)
{
	struct grpc_client *c = proto;

	grpc_alive_done(&c->alive);
	while (!list_is_empty(&c->h2.streams))
		out_free(list_first(&c->h2.streams, struct grpc_out, h2.node));
	channel_on_closed(proto);
}

static const struct rpc_sock_ops sock_ops = {
	.input = sock_input,
	.output = sock_output,
	.wants_input = sock_wants_input,
	.finished = sock_finished,
	.closed = sock_closed,
};

static const struct channel_ops ops = {
	.start = op_start,
	.update = op_update,
	.forget = op_forget,
	.gone = op_gone,
	.sock_ops = &sock_ops,
	.free = op_free,
};

static nghttp2_session *new_session(struct grpc_client *c)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option = h2_options();
	nghttp2_session *session;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		abort(); /* out of memory */
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	if (nghttp2_session_client_new2(&session, callbacks, c, option) != 0)
		abort();
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	return session;
}

static void greet(const struct grpc_client *c)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
	};

	(void)nghttp2_submit_settings(
			c->h2.session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
	(void)nghttp2_session_set_local_window_size(
			c->h2.session, NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW);
}

void grpc_client_keepalive(struct channel *channel, int64_t silence_ms, int64_t timeout_ms)
{
	struct grpc_client *c = client_of(channel);

	c->alive.silence_ms = silence_ms;
	c->alive.timeout_ms = timeout_ms;
}

struct channel *channel_adopt_grpc(struct loop *loop, int own_fd)
{
	struct grpc_client *c = xzalloc(sizeof(*c));

	h2_init(&c->h2);
	c->h2.session = new_session(c);
	greet(c);
	grpc_client_keepalive(&c->channel, KEEPALIVE_MS, KEEPALIVE_TIMEOUT_MS);
	channel_init(&c->channel, &ops, loop, own_fd);
	return &c->channel;
}

int channel_open_grpc(struct loop *loop, const char *address, const struct ctx *ctx,
		struct channel **ret_channel, struct err *err)
{
	int fd = channel_connect(address, ctx, err);

	if (fd < 0)
		return -1;
	*ret_channel = channel_adopt_grpc(loop, fd);
	return 0;
}
