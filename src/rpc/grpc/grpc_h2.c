/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc/grpc_h2_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/err.h"

/* Honest clients cancel a lot (watches, attach); nghttp2's own 33 per second is for browsers.
 */
#define RESET_BURST 10000
#define RESET_RATE  1000

nghttp2_option *h2_options(void)
{
	nghttp2_option *option;

	if (nghttp2_option_new(&option) != 0)
		abort(); /* out of memory */
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	/* We check headers ourselves: a path without a slash deserves an answer, not a reset.
	 */
	nghttp2_option_set_no_http_messaging(option, 1);
	nghttp2_option_set_stream_reset_rate_limit(option, RESET_BURST, RESET_RATE);
	return option;
}

void h2_init(struct h2_conn *h2)
{
	list_init(&h2->streams);
}

void h2_done(struct h2_conn *h2)
{
	nghttp2_session_del(h2->session);
}

bool h2_input(struct h2_conn *h2, const void *data, size_t size)
{
	if (nghttp2_session_mem_recv(h2->session, data, size) < 0)
		h2->broken = true;
	return !h2->broken;
}

size_t h2_output(struct h2_conn *h2, void *room, size_t size)
{
	unsigned char *p = room;
	size_t done = 0;

	while (done < size) {
		size_t n;

		if (h2->unsent_size == 0) {
			ssize_t got = nghttp2_session_mem_send(h2->session, &h2->unsent);

			if (got <= 0)
				break;
			h2->unsent_size = (size_t)got;
		}
		n = h2->unsent_size < size - done ? h2->unsent_size : size - done;
		memcpy(p + done, h2->unsent, n);
		h2->unsent += n;
		h2->unsent_size -= n;
		done += n;
	}
	return done;
}

bool h2_finished(const struct h2_conn *h2)
{
	return h2->broken || (!nghttp2_session_want_read(h2->session) &&
					     !nghttp2_session_want_write(h2->session));
}

void h2_stream_init(struct h2_stream *s, struct h2_conn *h2, int32_t id, size_t max_message)
{
	s->h2 = h2;
	s->id = id;
	s->reader.limit = max_message;
	list_append(&h2->streams, &s->node);
	h2->stream_count++;
}

void h2_stream_done(struct h2_stream *s)
{
	list_remove(&s->node);
	s->h2->stream_count--;
	grpc_reader_done(&s->reader);
	rpc_msg_free(take_ptr(s->current));
}

static int deliver(struct h2_stream *s, const unsigned char *data, size_t size, struct err *err)
{
	while (size > 0) {
		struct rpc_msg *m;
		int rc;

		if (s->reader.is_large && !grpc_reader_is_inside(&s->reader)) {
			s->reader.is_large = false;
			rpc_msg_free(s->reader.spare);
			s->reader.spare = rpc_pipe_spare(s->pipe);
		}
		rc = grpc_read(&s->reader, &data, &size, &m, err);
		if (rc < 0)
			return -1;
		if (rc == 1)
			rpc_pipe_deliver(s->pipe, m);
	}
	return 0;
}

/*
 * The connection's window is given back at once: one stream that nobody reads must not stop the
 * others. The stream's own is held back while the user has enough to read.
 */
int h2_receive(struct h2_stream *s, const unsigned char *data, size_t size, struct err *err)
{
	int rc = s->pipe == NULL || s->deaf ? 0 : deliver(s, data, size, err);

	s->deaf = s->deaf || rc < 0;
	(void)nghttp2_session_consume_connection(s->h2->session, size);
	s->held += size;
	h2_unhold(s);
	return rc;
}

void h2_unhold(struct h2_stream *s)
{
	if (s->held == 0 || (s->pipe != NULL && rpc_pipe_hold(s->pipe)))
		return;
	(void)nghttp2_session_consume_stream(s->h2->session, s->id, s->held);
	s->held = 0;
}

size_t h2_fill(struct h2_stream *s, unsigned char *room, size_t size, bool *ret_end)
{
	size_t done = 0;

	*ret_end = false;
	while (done < size) {
		size_t n;

		if (s->current == NULL) {
			s->current = rpc_pipe_take(s->pipe, ret_end);
			if (s->current == NULL)
				break;
			grpc_prefix(s->current);
			s->at = 0;
		}
		n = rpc_msg_wire_size(s->current) - s->at;
		n = n < size - done ? n : size - done;
		memcpy(room + done, rpc_msg_wire(s->current) + s->at, n);
		s->at += n;
		done += n;
		if (s->at == rpc_msg_wire_size(s->current))
			rpc_pipe_sent(s->pipe, take_ptr(s->current));
	}
	return done;
}

void h2_resume(struct h2_stream *s)
{
	if (s->sending)
		(void)nghttp2_session_resume_data(s->h2->session, s->id);
}
