/* SPDX-License-Identifier: Apache-2.0 */
/* Streams by name, from the client's side and from that of whoever takes them (01 §10.2). */
#include "unit/unit.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "api/pb/any.pb-c.h"
#include "api/pb/streaming.pb-c.h"
#include "api/typeurl.h"
#include "base/mem.h"
#include "core/any.h"
#include "core/gc.h"
#include "core/stream.h"
#include "services/services.h"
#include "services/streaming_table.h"
#include "support/served.h"

#define STREAMING "containerd.services.streaming.v1.Streaming"

struct world {
	struct streaming_service service;
	struct streams *streams;
	struct served *served;
	struct channel *client; /* whose bytes the server's loop moves, while we do else */
	struct err err;
};

static int begin(void **state)
{
	struct world *w = xzalloc(sizeof(*w));

	w->service.table = streaming_table_new();
	w->streams = streaming_table_streams(w->service.table);
	w->served = serve((struct served_service[]){
			{ &streaming_service, &w->service }, { NULL, NULL } });
	assert_ok(channel_open_ttrpc(w->served->loop, w->served->socket, &w->served->ctx,
				  &w->client, &w->err),
			&w->err);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	channel_unref(w->client);
	served_free(w->served);
	streaming_table_free(w->service.table);
	err_clear(&w->err);
	free(w);
	return 0;
}

static int send_any(struct world *w, struct rpc_stream *s, const char *type, const char *text)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.type_url = (char *)type;
	any.value = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
	return rpc_stream_send(s, &any.base, &w->err);
}

static int recv_any(struct world *w, struct rpc_stream *s, Google__Protobuf__Any **ret)
{
	ProtobufCMessage *m = NULL;
	int rc = rpc_stream_recv(
			s, &google__protobuf__any__descriptor, &w->served->arena, &m, &w->err);

	*ret = (Google__Protobuf__Any *)m;
	return rc;
}

static struct rpc_stream *begin_stream(struct world *w, const char *id)
{
	Streaming__StreamInit init = STREAMING__STREAM_INIT__INIT;
	struct rpc_stream *s = NULL;

	init.id = id;
	assert_ok(channel_stream(w->client, &w->served->ctx, STREAMING, "Stream", &s, &w->err),
			&w->err);
	assert_ok(rpc_stream_send(s, &any_pack(&w->served->arena, &init.base)->base, &w->err),
			&w->err);
	return s;
}

static struct rpc_stream *open_stream(struct world *w, const char *id)
{
	struct rpc_stream *s = begin_stream(w, id);
	Google__Protobuf__Any *ack = NULL;

	assert_int_equal(recv_any(w, s, &ack), 1);
	assert_string_equal(ack->type_url, "google.protobuf.Empty");
	assert_int_equal(ack->value.len, 0);
	return s;
}

static struct stream *take(struct world *w, const char *id)
{
	struct stream *taken = NULL;

	assert_ok(stream_take(w->streams, &w->served->ctx, id, &taken, &w->err), &w->err);
	return taken;
}

static void messages_pass_both_ways(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *s = open_stream(w, "a-1");
	AUTO(stream_release) struct stream *taken = take(w, "a-1");
	struct any sent = { true, (char *)"t", (void *)"hello", 5 }, got = { 0 };
	Google__Protobuf__Any *m = NULL;

	assert_ok(send_any(w, s, "u", "x"), &w->err);
	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	assert_int_equal(stream_recv(taken, &got, &w->err), 1);
	assert_string_equal(got.type_url, "u");
	assert_memory_equal(got.value, "x", 1);
	assert_int_equal(stream_recv(taken, &got, &w->err), 0);
	assert_ok(stream_send(taken, &sent, &w->err), &w->err);
	stream_close(taken);
	assert_int_equal(recv_any(w, s, &m), 1);
	assert_string_equal(m->type_url, "t");
	assert_memory_equal(m->value.data, "hello", 5);
	assert_int_equal(recv_any(w, s, &m), 0);
}

static void a_name_is_found_in_its_namespace_only(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *s = open_stream(w, "a");
	struct ctx other = { .ns = "other" }, none = { 0 };
	struct stream *taken = NULL;

	assert_fails(stream_take(w->streams, &other, "a", &taken, &w->err), &w->err,
			ERR_NOT_FOUND);
	assert_fails(stream_take(w->streams, &none, "a", &taken, &w->err), &w->err,
			ERR_NOT_FOUND);
	assert_fails(stream_take(w->streams, &w->served->ctx, "b", &taken, &w->err), &w->err,
			ERR_NOT_FOUND);
}

static void a_second_stream_of_that_name_is_refused(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *s = open_stream(w, "a");
	AUTO(rpc_stream_free) struct rpc_stream *again = begin_stream(w, "a");
	Google__Protobuf__Any *m = NULL;

	assert_int_equal(recv_any(w, again, &m), -1);
	assert_int_equal(w->err.kind, ERR_EXISTS);
	err_clear(&w->err);
	stream_release(take(w, "a"));
}

static void what_names_nothing_is_invalid(void **state)
{
	struct world *w = *state;
	const char *types[] = { "google.protobuf.Empty",
		"containerd.services.streaming.v1.StreamInit" };

	for (size_t i = 0; i < 2; i++) {
		AUTO(rpc_stream_free) struct rpc_stream *s = NULL;
		Google__Protobuf__Any *m = NULL;

		assert_ok(channel_stream(w->client, &w->served->ctx, STREAMING, "Stream", &s,
					  &w->err),
				&w->err);
		assert_ok(send_any(w, s, types[i], "\xff\xff"), &w->err);
		assert_int_equal(recv_any(w, s, &m), -1);
		assert_int_equal(w->err.kind, ERR_INVALID);
		err_clear(&w->err);
	}
}

static void one_at_a_time_has_a_stream(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *s = open_stream(w, "a");
	struct stream *taken = take(w, "a"), *second = NULL;

	assert_fails(stream_take(w->streams, &w->served->ctx, "a", &second, &w->err), &w->err,
			ERR_PRECONDITION);
	stream_release(taken);
	stream_release(take(w, "a"));
}

static bool is_open(struct world *w, const char *id)
{
	AUTO_ERR struct err err = { 0 };
	struct stream *taken = NULL;

	if (stream_take(w->streams, &w->served->ctx, id, &taken, &err) < 0)
		return false;
	stream_release(taken);
	return true;
}

static void a_client_that_goes_takes_its_stream_along(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *s = open_stream(w, "a");
	AUTO(stream_release) struct stream *taken = take(w, "a");
	struct any got = { 0 };

	channel_close(w->client);
	assert_int_equal(stream_recv(taken, &got, &w->err), -1);
	err_clear(&w->err);
	while (is_open(w, "a"))
		(void)sched_yield(); /* the receiver is told first */
}

/* Garbage collection's view. */

struct seen {
	size_t count, active;
	uint64_t serial;
};

static void note(void *arg, const struct gc_resource *r)
{
	struct seen *seen = arg;

	seen->count++;
	seen->active += r->is_active;
	seen->serial = r->serial;
	assert_string_equal(r->ns, "ns");
	assert_string_equal(r->name, "a");
}

static void the_collector_sees_and_closes_streams(void **state)
{
	struct world *w = *state;
	struct gc_resources *gc = streaming_table_resources(w->service.table);
	AUTO(rpc_stream_free) struct rpc_stream *s = open_stream(w, "a");
	AUTO(stream_release) struct stream *taken = take(w, "a");
	Google__Protobuf__Any *m = NULL;
	struct any got = { 0 };
	struct seen seen = { 0 };

	gc->walk(gc, note, &seen);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.active, 1);
	gc->remove(gc, seen.serial + 1);
	assert_true(stream_take(w->streams, &w->served->ctx, "a", &(struct stream *){ NULL },
				    &w->err) < 0 &&
			w->err.kind == ERR_PRECONDITION);
	err_clear(&w->err);
	gc->remove(gc, seen.serial);
	assert_int_equal(stream_recv(taken, &got, &w->err), -1); /* and does not wait */
	err_clear(&w->err);
	assert_int_equal(recv_any(w, s, &m), 0);
	assert_false(is_open(w, "a"));
	gc->remove(gc, seen.serial);
}

int main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		ONE(messages_pass_both_ways),
		ONE(a_name_is_found_in_its_namespace_only),
		ONE(a_second_stream_of_that_name_is_refused),
		ONE(what_names_nothing_is_invalid),
		ONE(one_at_a_time_has_a_stream),
		ONE(a_client_that_goes_takes_its_stream_along),
		ONE(the_collector_sees_and_closes_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
