/* SPDX-License-Identifier: Apache-2.0 */
#include "calls_world.h"

#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

static void *client_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

struct channel *dial(struct world *w)
{
	struct channel *c = NULL;

	if (w->mode->grpc) {
		assert_ok(channel_open_grpc(w->loop, w->s->grpc, &w->ctx, &c, &w->err),
				&w->err);
		return c;
	}
	assert_ok(channel_open_ttrpc(w->loop, w->s->ttrpc, &w->ctx, &c, &w->err), &w->err);
	return c;
}

struct world *begin_with(void **state, size_t workers, const struct rpc_limits *limits)
{
	struct world *w = xzalloc(sizeof(*w));

	w->mode = *state;
	w->s = toy_serve(workers, limits, grpc_listen);
	w->toy = &w->s->toy;
	if (!w->mode->own_loop) {
		w->loop = loop_new();
		assert_int_equal(thread_start(&w->thread, client_thread, w->loop, "client"), 0);
	}
	arena_init(&w->arena, SIZE_MAX);
	w->c = dial(w);
	return w;
}

struct world *begin(void **state)
{
	return begin_with(state, 4, NULL);
}

void end(struct world *w)
{
	channel_unref(w->c);
	if (w->s != NULL)
		toy_stop(w->s);
	if (w->loop != NULL) {
		loop_stop(w->loop);
		thread_join(w->thread);
		loop_free(w->loop);
	}
	arena_done(&w->arena);
	err_clear(&w->err);
	free(w);
}

int call(struct world *w, const char *method, const char *text, size_t size,
		Google__Protobuf__Any **ret)
{
	Google__Protobuf__Any *ignored;

	return toy_call(w->c, &w->ctx, method, text, size, &w->arena,
			ret == NULL ? &ignored : ret, &w->err);
}

void expect(struct world *w, enum err_kind kind, const char *text)
{
	if (w->err.kind != kind || strcmp(err_text(&w->err), text) != 0)
		fail_msg("want %d \"%s\", got %d \"%s\"", kind, text, w->err.kind,
				err_text(&w->err));
	err_clear(&w->err);
}

struct rpc_stream *open_stream(struct world *w, const char *method)
{
	struct rpc_stream *s = NULL;

	assert_ok(channel_stream(w->c, &w->ctx, TOY, method, &s, &w->err), &w->err);
	return s;
}

void send_any(struct world *w, struct rpc_stream *s, const char *text, size_t size)
{
	struct arena a;

	arena_init(&a, SIZE_MAX);
	assert_ok(rpc_stream_send(s, &toy_any(&a, text, size)->base, &w->err), &w->err);
	arena_done(&a);
}

int recv_any(struct world *w, struct rpc_stream *s, Google__Protobuf__Any **ret)
{
	arena_reset(&w->arena);
	return rpc_stream_recv(s, ANY, &w->arena, (ProtobufCMessage **)ret, &w->err);
}

void counted(void *arg, const struct rpc_answer *answer)
{
	struct counter *n = arg;
	LOCKED(&n->lock);

	if (answer->err == NULL)
		n->ok++;
	else if (answer->err->kind == ERR_UNAVAILABLE)
		n->unavailable++;
	else
		n->failed++;
	cond_broadcast(&n->changed);
}

void counter_init(struct counter *n)
{
	*n = (struct counter){ 0 };
	mutex_init(&n->lock, RANK_task);
	cond_init(&n->changed);
}

/* With a loop of its own the channel moves only while somebody calls. */
void counter_wait(struct world *w, struct counter *n, size_t want)
{
	int64_t until = clock_mono_ns() + 60 * NS_PER_S;

	mutex_lock(&n->lock);
	while (n->ok + n->failed + n->unavailable < want) {
		if (w->mode->own_loop) {
			mutex_unlock(&n->lock);
			assert_ok(call(w, "EchoNow", "x", 0, NULL), &w->err);
			mutex_lock(&n->lock);
			assert_true(clock_mono_ns() < until);
		} else {
			assert_true(cond_wait_until(&n->changed, &n->lock, until));
		}
	}
	mutex_unlock(&n->lock);
}

void told(void *arg)
{
	struct counter *n = arg;
	LOCKED(&n->lock);

	n->ok++;
	cond_broadcast(&n->changed);
}

static const struct mode modes[] = {
	{ "ttrpc, own loop", false, true },
	{ "ttrpc, loop thread", false, false },
	{ "grpc, own loop", true, true },
	{ "grpc, loop thread", true, false },
};

int run_rules(const struct CMUnitTest *rules, size_t count)
{
	AUTO_FREE struct CMUnitTest *tests = xcalloc(count, sizeof(*tests));
	int failed = 0;

	for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
		memcpy(tests, rules, count * sizeof(*tests));
		for (size_t i = 0; i < count; i++)
			tests[i].initial_state = (void *)&modes[m];
		failed += _cmocka_run_group_tests(modes[m].name, tests, count, NULL, NULL);
	}
	return failed;
}
