/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox controller service: which controller, what it is asked, what is told of it. */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "api/pb/sandbox.pb-c.h"
#include "api/timestamp.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "core/event.h"
#include "services/services.h"
#include "support/fake_controller.h"
#include "support/served.h"

#define WAITS	   50
#define CONTROLLER "containerd.services.sandbox.v1.Controller"

struct bus {
	struct event_bus base;
	struct mutex lock;
	char *topics; /* under lock */
};

static int publish(struct event_bus *self, const struct event *e, struct err *err)
{
	struct bus *b = (struct bus *)self;
	AUTO_FREE char *before = NULL;

	LOCKED(&b->lock);
	assert_string_equal(e->ns, "ns");
	before = b->topics;
	b->topics = xasprintf("%s%s ", before, e->topic);
	return 0;
}

static const struct event_bus_ops bus_ops = { .publish = publish };

struct world {
	struct bus bus;
	struct fake_controller fake, slow; /* "slow" is to be called on a pool */
	struct named_controller list[2];
	struct controllers_service service;
	struct served *served;
	struct err err;
};

static int begin(void **state)
{
	struct world *w = xzalloc(sizeof(*w));

	fake_controller_init(&w->fake);
	fake_controller_init(&w->slow);
	w->slow.base.pool = pool_new("slow", 2, 100);
	w->list[0] = (struct named_controller){ "shim", &w->fake.base };
	w->list[1] = (struct named_controller){ "slow", &w->slow.base };
	w->bus.base.ops = &bus_ops;
	w->bus.topics = xstrdup("");
	mutex_init(&w->bus.lock, RANK_event_queue);
	w->service = (struct controllers_service){ w->list, 2, &w->bus.base, NULL };
	w->served = serve((struct served_service[]){
			{ &controllers_service, &w->service }, { NULL, NULL } });
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	served_free(w->served);
	pool_free(w->slow.base.pool);
	fake_controller_done(&w->fake);
	fake_controller_done(&w->slow);
	mutex_done(&w->bus.lock);
	free(w->bus.topics);
	err_clear(&w->err);
	free(w);
	return 0;
}

/* A request to a controller about an id, and its answer. */
#define ASK(w, Type, TYPE, type, who, id, ret)                                                 \
	({                                                                                     \
		Sandbox__Controller##Type##Request r_ =                                        \
				SANDBOX__CONTROLLER_##TYPE##_REQUEST__INIT;                    \
		r_.sandbox_id = id;                                                            \
		r_.sandboxer = who;                                                            \
		served_call((w)->served, CONTROLLER, #Type, &r_.base,                          \
				&sandbox__controller_##type##_response__descriptor, ret,       \
				&(w)->err);                                                    \
	})

static void expect(struct world *w, int rc, enum err_kind kind, const char *text)
{
	assert_int_equal(rc, -1);
	assert_string_equal(err_text(&w->err), text);
	assert_int_equal(w->err.kind, kind);
	err_clear(&w->err);
}

static int create(struct world *w, const char *who, const char *id)
{
	Sandbox__ControllerCreateRequest r = SANDBOX__CONTROLLER_CREATE_REQUEST__INIT;
	Sandbox__ControllerCreateRequest__AnnotationsEntry a =
			SANDBOX__CONTROLLER_CREATE_REQUEST__ANNOTATIONS_ENTRY__INIT;
	Sandbox__ControllerCreateRequest__AnnotationsEntry *annotations[] = { &a };
	Types__Sandbox s = TYPES__SANDBOX__INIT;
	Types__Sandbox__Runtime rt = TYPES__SANDBOX__RUNTIME__INIT;
	Types__Mount m = TYPES__MOUNT__INIT, *mounts[] = { &m };
	Sandbox__ControllerCreateResponse *answer = NULL;

	a.key = "a";
	a.value = "b";
	rt.name = "rt";
	m.source = "src";
	s.sandbox_id = id;
	s.runtime = &rt;
	r.sandboxer = who;
	r.sandbox_id = "of-request";
	r.netns_path = "/netns";
	r.sandbox = &s;
	r.rootfs = mounts;
	r.n_rootfs = 1;
	r.annotations = annotations;
	r.n_annotations = 1;
	if (served_call(w->served, CONTROLLER, "Create", &r.base,
			    &sandbox__controller_create_response__descriptor, &answer,
			    &w->err) < 0)
		return -1;
	assert_string_equal(answer->sandbox_id, "of-request");
	return 0;
}

static void create_passes_everything_on_and_is_told(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "shim", "s1"), &w->err);
	assert_string_equal(w->fake.last, "create s1 rt /netns src b");
	assert_string_equal(w->bus.topics, "/sandboxes/create ");
	expect(w, create(w, "shim", "taken"), ERR_EXISTS,
			"sandbox taken already running: already exists");
	assert_string_equal(w->bus.topics, "/sandboxes/create ");
	assert_ok(create(w, "slow", "s2"), &w->err);
	assert_string_equal(w->slow.last, "create s2 rt /netns src b");
}

static void the_request_names_the_controller(void **state)
{
	static const char none[] = "invalid argument: sandbox controller name can not be empty";
	struct world *w = *state;

	expect(w, create(w, "", "s"), ERR_INVALID, none);
	expect(w, ASK(w, Stop, STOP, stop, "", "s", NULL), ERR_INVALID, none);
	expect(w, ASK(w, Wait, WAIT, wait, "x", "s", NULL), ERR_NOT_FOUND,
			"not found: failed to get sandbox controller by x");
	expect(w, ASK(w, Start, START, start, "x", "s", NULL), ERR_NOT_FOUND,
			"failed to get sandbox controller for \"x\": not found: failed to get "
			"sandbox controller by x");
	expect(w, ASK(w, Platform, PLATFORM, platform, "shim", "s", NULL), ERR_UNIMPLEMENTED,
			"method Platform not implemented");
}

static void answers_say_what_the_controller_says(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		const char *who = w->list[i].name;
		Sandbox__ControllerStartResponse *started = NULL;
		Sandbox__ControllerStatusResponse *status = NULL;
		Sandbox__ControllerWaitResponse *exit = NULL;
		Sandbox__ControllerMetricsResponse *metrics = NULL;

		assert_ok(ASK(w, Start, START, start, who, "s", &started), &w->err);
		assert_string_equal(started->sandbox_id, "s");
		assert_int_equal(started->pid, 5);
		assert_int_equal(timestamp_ns(started->created_at), 7);
		assert_string_equal(started->labels[0]->value, "v");
		assert_ok(ASK(w, Status, STATUS, status, who, "s", &status), &w->err);
		assert_string_equal(status->state, "ready");
		assert_string_equal(status->info[0]->key, "k");
		assert_non_null(status->extra); /* clients read it unasked */
		assert_ok(ASK(w, Wait, WAIT, wait, who, "s", &exit), &w->err);
		assert_int_equal(exit->exit_status, 3);
		assert_int_equal(timestamp_ns(exit->exited_at), 9);
		assert_ok(ASK(w, Metrics, METRICS, metrics, who, "s", &metrics), &w->err);
		assert_string_equal(metrics->metrics->id, "m");
		assert_ok(ASK(w, Stop, STOP, stop, who, "s", NULL), &w->err);
		assert_ok(ASK(w, Shutdown, SHUTDOWN, shutdown, who, "s", NULL), &w->err);
	}
	assert_string_equal(w->bus.topics,
			"/sandboxes/start /sandboxes/exit /sandboxes/start /sandboxes/exit ");
}

static void failures_keep_their_class(void **state)
{
	struct world *w = *state;

	expect(w, ASK(w, Start, START, start, "shim", "none", NULL), ERR_NOT_FOUND,
			"failed to start sandbox \"none\": not found");
	expect(w, ASK(w, Shutdown, SHUTDOWN, shutdown, "shim", "none", NULL), ERR_NOT_FOUND,
			"not found");
	assert_string_equal(w->bus.topics, "");
}

static void update_needs_a_sandbox(void **state)
{
	struct world *w = *state;
	Sandbox__ControllerUpdateRequest r = SANDBOX__CONTROLLER_UPDATE_REQUEST__INIT;
	Types__Sandbox s = TYPES__SANDBOX__INIT;
	const char *fields[] = { "labels" };

	r.sandboxer = "shim";
	r.sandbox_id = "s";
	expect(w,
			served_call(w->served, CONTROLLER, "Update", &r.base,
					&sandbox__controller_update_response__descriptor, NULL,
					&w->err),
			ERR_INVALID, "sandbox can not be nil");
	r.sandbox = &s;
	r.fields = fields;
	r.n_fields = 1;
	assert_ok(served_call(w->served, CONTROLLER, "Update", &r.base,
				  &sandbox__controller_update_response__descriptor, NULL,
				  &w->err),
			&w->err);
	assert_string_equal(w->fake.last, "update s 0 0 labels");
}

struct waiter {
	struct mutex lock;
	struct cond changed;
	size_t ended;
};

static void on_end(void *arg, const struct rpc_answer *answer)
{
	struct waiter *t = arg;

	LOCKED(&t->lock);
	assert_null(answer->err);
	t->ended++;
	cond_signal(&t->changed);
}

/* More than there are threads, of the server's and of the slow controller's. */
static void waiting_holds_no_thread(void **state)
{
	struct world *w = *state;
	struct fake_controller *fakes[] = { &w->fake, &w->slow };
	Sandbox__ControllerWaitRequest r = SANDBOX__CONTROLLER_WAIT_REQUEST__INIT;
	struct waiter t = { 0 };
	struct channel *c = NULL;

	mutex_init(&t.lock, RANK_daemon);
	cond_init(&t.changed);
	assert_ok(channel_open_ttrpc(w->served->loop, w->served->socket, &w->served->ctx, &c,
				  &w->err),
			&w->err);
	r.sandbox_id = "long";
	for (int i = 0; i < 2; i++) {
		r.sandboxer = w->list[i].name;
		for (int n = 0; n < WAITS; n++)
			channel_start(c, &w->served->ctx, CONTROLLER, "Wait", &r.base, on_end,
					&t);
		fake_controller_await_waiters(fakes[i], WAITS);
		assert_ok(ASK(w, Status, STATUS, status, w->list[i].name, "s", NULL), &w->err);
		fake_controller_exit(fakes[i], NULL);
	}
	mutex_lock(&t.lock);
	while (t.ended < 2 * WAITS)
		cond_wait(&t.changed, &t.lock);
	mutex_unlock(&t.lock);
	channel_unref(c);
	cond_done(&t.changed);
	mutex_done(&t.lock);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(create_passes_everything_on_and_is_told),
		T(the_request_names_the_controller),
		T(answers_say_what_the_controller_says),
		T(failures_keep_their_class),
		T(update_needs_a_sandbox),
		T(waiting_holds_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
