/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox controller in another process: the daemon's service of them plays it. */
#include "unit/unit.h"

#include <stdlib.h>

#include "base/cancel.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/pool.h"
#include "core/event.h"
#include "core/sandbox.h"
#include "proxy/proxy_sandbox.h"
#include "services/services.h"
#include "support/fake_controller.h"
#include "support/proxied.h"
#include "support/sandbox_answer.h"

static int publish(struct event_bus *self, const struct event *e, struct err *err)
{
	return 0;
}

static const struct event_bus_ops bus_ops = { .publish = publish };

struct world {
	struct event_bus bus;
	struct fake_controller fake;
	struct named_controller list[1];
	struct controllers_service service;
	struct proxied_service served[2];
	struct proxied *proxied;
	struct pool *pool;
	struct sandbox_controller *proxy;
	struct ctx ctx;
	struct err err;
};

static int begin(void **state)
{
	struct world *w = xzalloc(sizeof(*w));

	fake_controller_init(&w->fake);
	w->bus.ops = &bus_ops;
	w->list[0] = (struct named_controller){ "far", &w->fake.base };
	w->service = (struct controllers_service){ w->list, 1, &w->bus, NULL };
	w->served[0] = (struct proxied_service){ &controllers_service, &w->service };
	w->proxied = proxied_start(w->served);
	w->pool = pool_new("proxy", 4, 100);
	w->proxy = proxy_sandbox_new(w->proxied->link, "far", w->pool);
	w->ctx.ns = "ns";
	w->ctx.cancel = cancel_new();
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	sandbox_controller_free(w->proxy);
	pool_free(w->pool);
	proxied_free(w->proxied);
	fake_controller_done(&w->fake);
	cancel_unref(w->ctx.cancel);
	err_clear(&w->err);
	free(w);
	return 0;
}

static int ask(struct world *w, enum sandbox_verb verb, const char *id,
		struct sandbox_answer *s)
{
	struct sandbox sandbox = { .id = (char *)id, .runtime_name = (char *)"rt" };
	char *fields[] = { (char *)"labels", NULL };
	struct sandbox_request r = { .verb = verb,
		.id = id,
		.timeout_secs = 9,
		.verbose = true,
		.sandbox = &sandbox,
		.fields = verb == SANDBOX_UPDATE ? fields : NULL };

	sandbox_ask(s, w->proxy, &w->ctx, &r, "k");
	return sandbox_await(s, &w->err);
}

static void questions_and_answers_travel_in_full(void **state)
{
	struct world *w = *state;
	struct sandbox_answer s;

	assert_ok(ask(w, SANDBOX_START, "s", &s), &w->err);
	assert_int_equal(s.reply.pid, 5);
	assert_int_equal(s.reply.created_ns, 7);
	assert_string_equal(s.value, "v");
	assert_ok(ask(w, SANDBOX_STOP, "s", &s), &w->err);
	assert_string_equal(w->fake.last, "stop s 9 0 -");
	assert_ok(ask(w, SANDBOX_WAIT, "s", &s), &w->err);
	assert_int_equal(s.reply.exit_status, 3);
	assert_int_equal(s.reply.exited_ns, 9);
	assert_ok(ask(w, SANDBOX_STATUS, "s", &s), &w->err);
	assert_string_equal(w->fake.last, "status s 0 1 -");
	assert_string_equal(s.state, "ready");
	assert_string_equal(s.value, "v");
	assert_ok(ask(w, SANDBOX_METRICS, "s", &s), &w->err);
	assert_string_equal(s.metrics_id, "m");
	assert_int_equal(s.reply.measured_ns, 11);
	assert_ok(ask(w, SANDBOX_UPDATE, "s", &s), &w->err);
	assert_string_equal(w->fake.last, "update s 0 0 labels");
	assert_ok(ask(w, SANDBOX_SHUTDOWN, "s", &s), &w->err);
	assert_int_equal(ask(w, SANDBOX_SHUTDOWN, "none", &s), -1);
	assert_int_equal(w->err.kind, ERR_NOT_FOUND);
}

static void create_travels_in_full(void **state)
{
	struct world *w = *state;
	struct sandbox s = { .id = (char *)"s", .runtime_name = (char *)"rt" };
	struct label l = { (char *)"a", (char *)"b" };
	struct labels annotations = { .items = &l, .count = 1 };
	struct any options = { 0 };
	AUTO_MOUNTS struct mounts rootfs = { 0 };
	struct sandbox_create r = { &s, &rootfs, &options, "/netns", &annotations };

	(void)mounts_add(&rootfs, "bind", "src", "");
	assert_ok(sandbox_controller_create(w->proxy, &w->ctx, &r, &w->err), &w->err);
	assert_string_equal(w->fake.last, "create s rt /netns src b");
	s.id = (char *)"taken";
	assert_int_equal(sandbox_controller_create(w->proxy, &w->ctx, &r, &w->err), -1);
	assert_int_equal(w->err.kind, ERR_EXISTS);
}

static void waits_outlive_the_process_that_was_asked(void **state)
{
	struct world *w = *state;
	struct sandbox_request r = { .verb = SANDBOX_WAIT, .id = "long" };
	struct sandbox_answer s;

	proxied_stop_server(w->proxied);
	assert_int_equal(ask(w, SANDBOX_STATUS, "s", &s), -1);
	assert_int_equal(w->err.kind, ERR_UNAVAILABLE);
	sandbox_ask(&s, w->proxy, &w->ctx, &r, "k");
	proxied_start_server(w->proxied, w->served);
	fake_controller_await_waiters(&w->fake, 1);
	fake_controller_exit(&w->fake, NULL);
	assert_int_equal(sandbox_await(&s, &w->err), 0);
	assert_int_equal(s.reply.exit_status, 42);
}

static void waits_for_nobody_can_be_given_up(void **state)
{
	struct world *w = *state;
	struct sandbox_request r = { .verb = SANDBOX_WAIT, .id = "long" };
	struct sandbox_answer s, t;

	proxied_stop_server(w->proxied);
	sandbox_ask(&s, w->proxy, &w->ctx, &r, "k");
	cancel_fire(w->ctx.cancel);
	assert_int_equal(sandbox_await(&s, &w->err), -1);
	assert_int_equal(w->err.kind, ERR_CANCELED);
	err_clear(&w->err);
	cancel_unref(w->ctx.cancel);
	w->ctx.cancel = cancel_new();
	sandbox_ask(&t, w->proxy, &w->ctx, &r, "k");
	sandbox_controller_free(take_ptr(w->proxy)); /* the daemon ends */
	assert_int_equal(sandbox_await(&t, &w->err), -1);
	assert_int_equal(w->err.kind, ERR_UNAVAILABLE);
}

static void an_answer_may_come_when_the_controller_is_let_go(void **state)
{
	struct world *w = *state;
	struct sandbox_request r = { .verb = SANDBOX_WAIT, .id = "long" };
	AUTO_ERR struct err gone = { 0 };
	struct sandbox_answer s;

	(void)err_set(&gone, ERR_UNAVAILABLE, "the one behind it has gone");
	sandbox_ask(&s, w->proxy, &w->ctx, &r, "k");
	fake_controller_await_waiters(&w->fake, 1);
	sandbox_controller_free(take_ptr(w->proxy));
	fake_controller_exit(&w->fake, &gone); /* asked again by nobody */
	assert_int_equal(sandbox_await(&s, &w->err), -1);
	assert_int_equal(w->err.kind, ERR_UNAVAILABLE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(questions_and_answers_travel_in_full),
		T(create_travels_in_full),
		T(waits_outlive_the_process_that_was_asked),
		T(waits_for_nobody_can_be_given_up),
		T(an_answer_may_come_when_the_controller_is_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
