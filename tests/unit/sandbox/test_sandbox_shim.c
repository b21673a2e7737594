/* SPDX-License-Identifier: Apache-2.0 */
/* The controller of sandbox shims over a fake one, and containers in its pods. */
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/container.h"
#include "core/mount.h"
#include "core/sandbox.h"
#include "core/sandbox_controller.h"
#include "core/task.h"
#include "runtime/pods.h"
#include "runtime/runtime.h"
#include "runtime/shim_name.h"
#include "sandbox/sandbox_shim.h"
#include "support/runtime_world.h"
#include "support/sandbox_answer.h"

/* Every container is one of the sandbox "pod". */
static int get_container(struct container_store *self, struct ctx *ctx, const char *id,
		struct container **ret, struct err *err)
{
	*ret = container_new(id);
	(*ret)->runtime_name = xstrdup(container_of(self, struct world, containers)->shim_path);
	(*ret)->sandbox = xstrdup("pod");
	any_set(&(*ret)->spec, "spec", "{}", 2);
	return 0;
}

static const struct container_store_ops containers_ops = { .get = get_container };

/* There is a record of every sandbox but "unrecorded". */
static int get_sandbox(struct sandbox_store *self, struct ctx *ctx, const char *id,
		struct sandbox **ret, struct err *err)
{
	if (str_eq(id, "unrecorded"))
		return err_set(err, ERR_NOT_FOUND, "sandbox");
	*ret = sandbox_new(id);
	return 0;
}

static const struct sandbox_store_ops sandboxes_ops = { .get = get_sandbox };

static void open_pods(struct world *w)
{
	AUTO_FREE char *state = xasprintf("%s/pods", w->top);
	AUTO_FREE char *root = xasprintf("%s/pods-root", w->top);

	assert_ok(pods_open(w->rt, state, root, &w->err), &w->err);
	w->controller = sandbox_shim_new(w->rt);
}

static void close_pods(struct world *w)
{
	sandbox_controller_free(w->controller);
}

static int begin(void **state)
{
	struct world *w = world_new("containerd-shim-pod-v1");

	w->shim.is_pod = true;
	w->containers.ops = &containers_ops;
	w->sandboxes.ops = &sandboxes_ops;
	w->opened = open_pods;
	w->closing = close_pods;
	world_begin(w);
	*state = w;
	return 0;
}

static int end(void **state)
{
	world_end(*state);
	return 0;
}

static int create_with(struct world *w, const char *id, const char *runtime)
{
	struct sandbox s = { .id = (char *)id, .runtime_name = (char *)runtime };
	struct mounts none = { 0 };
	struct any options = { 0 };
	struct labels annotations = { 0 };
	struct sandbox_create r = { &s, &none, &options, "", &annotations };
	int rc;

	any_set(&s.spec, "spec", "{\"a\":1}", 7);
	rc = sandbox_controller_create(w->controller, &w->ctx, &r, &w->err);
	any_done(&s.spec);
	return rc;
}

static int create(struct world *w, const char *id)
{
	return create_with(w, id, w->shim_path);
}

static int ask(struct world *w, enum sandbox_verb verb, const char *id,
		struct sandbox_answer *s)
{
	struct sandbox_request r = {
		.verb = verb, .id = id, .timeout_secs = 9, .verbose = true
	};
	struct sandbox_answer ignored;

	s = s == NULL ? &ignored : s;
	sandbox_ask(s, w->controller, &w->ctx, &r, "verbose");
	return sandbox_await(s, &w->err);
}

static int create_task(struct world *w, const char *id)
{
	struct mounts none = { 0 };
	struct task_create r = { .id = id, .rootfs = &none };
	uint32_t pid;

	return task_create(runtime_tasks(w->rt), &w->ctx, &r, &pid, &w->err);
}

static void ignore_reply(void *arg, const struct task_reply *r)
{
}

static int ask_task(struct world *w, enum task_verb verb, const char *id)
{
	struct task_request r = { .verb = verb, .id = id, .kill = { 9, false } };

	return task_call_wait(runtime_tasks(w->rt), &w->ctx, &r, ignore_reply, NULL, &w->err);
}

static void a_sandbox_lives_from_create_to_shutdown(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *spec = NULL;
	struct sandbox_answer s;
	struct stat st;

	assert_ok(create(w, "pod"), &w->err);
	spec = read_file(w, "pods/ns/pod/config.json");
	assert_string_equal(spec, "{\"a\":1}");
	assert_int_equal(fstatat(w->top_fd, "pods", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_ok(ask(w, SANDBOX_START, "pod", &s), &w->err);
	assert_int_equal(s.reply.pid, 815);
	assert_int_equal(s.reply.created_ns, 55);
	assert_ok(ask(w, SANDBOX_STATUS, "pod", &s), &w->err);
	assert_string_equal(s.state, "SANDBOX_READY");
	assert_string_equal(s.value, "yes");
	assert_int_equal(s.reply.exited_ns, 0); /* absent is 1970, as in Go */
	assert_ok(ask(w, SANDBOX_METRICS, "pod", &s), &w->err);
	assert_string_equal(s.metrics_id, "pod");
	assert_ok(ask(w, SANDBOX_UPDATE, "pod", NULL), &w->err);
	assert_ok(ask(w, SANDBOX_STOP, "pod", NULL), &w->err);
	assert_int_equal(w->shim.pod.stop_timeout, 9);
	assert_ok(ask(w, SANDBOX_WAIT, "pod", &s), &w->err);
	assert_int_equal(s.reply.exit_status, 137);
	assert_int_equal(s.reply.exited_ns, 66);
	assert_ok(ask(w, SANDBOX_SHUTDOWN, "pod", NULL), &w->err);
	assert_false(is_there(w, "pods/ns/pod"));
	assert_false(is_there(w, "pods-root/ns/pod"));
	assert_int_equal(w->shim.shutdowns, 1);
	/* The id is free again. */
	restart_shim(w);
	assert_ok(create(w, "pod"), &w->err);
	assert_null(w->bus.topics);
}

static void of_a_sandbox_that_is_not_there_only_some_things_can_be_asked(void **state)
{
	struct world *w = *state;
	struct sandbox_answer s;

	expect(w, ask(w, SANDBOX_START, "x", NULL), ERR_NOT_FOUND,
			"unable to find sandbox \"x\"");
	expect(w, ask(w, SANDBOX_WAIT, "x", NULL), ERR_NOT_FOUND, "not found");
	expect(w, ask(w, SANDBOX_METRICS, "x", NULL), ERR_NOT_FOUND, "not found");
	expect(w, ask(w, SANDBOX_SHUTDOWN, "x", NULL), ERR_NOT_FOUND, "not found");
	assert_ok(ask(w, SANDBOX_STOP, "x", NULL), &w->err);
	assert_ok(ask(w, SANDBOX_STATUS, "x", &s), &w->err);
	assert_string_equal(s.state, "");
	assert_int_equal(s.reply.created_ns, CLOCK_UNSET);
	assert_true(s.reply.exited_ns > 0);
	w->ctx.ns = NULL;
	expect(w, ask(w, SANDBOX_STATUS, "x", NULL), ERR_PRECONDITION, NULL);
	expect(w, create(w, "x"), ERR_PRECONDITION, NULL);
}

static void a_failed_create_leaves_nothing(void **state)
{
	struct world *w = *state;

	expect(w, create_with(w, "pod", ""), ERR_UNKNOWN,
			"failed to start new shim for sandbox pod: failed to resolve runtime "
			"path: no runtime name");
	expect(w, create(w, "../pod"), ERR_INVALID, NULL);
	w->shim.pod.asked_to_fail = (char *)"CreateSandbox";
	expect(w, create(w, "pod"), ERR_UNKNOWN,
			"failed to create sandbox pod: CreateSandbox of the pod fails");
	assert_int_equal(w->shim.shutdowns, 1);
	assert_false(is_there(w, "pods/ns/pod"));
	w->shim.pod.asked_to_fail = NULL;
	restart_shim(w);
	assert_ok(create(w, "pod"), &w->err);
	expect(w, create(w, "pod"), ERR_EXISTS, "sandbox pod already running: already exists");
}

/* As the shim of runc. */
static void a_shim_that_knows_no_sandboxes_is_shut_down_again(void **state)
{
	struct world *w = *state;

	w->shim.is_pod = false;
	restart_shim(w);
	expect(w, create(w, "pod"), ERR_UNIMPLEMENTED, NULL);
	assert_int_equal(w->shim.shutdowns, 1);
	assert_int_equal(runs_of(w, "delete"), 1);
	assert_false(is_there(w, "pods/ns/pod"));
}

static void a_sandbox_that_does_not_start_is_removed(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "pod"), &w->err);
	w->shim.pod.asked_to_fail = (char *)"StartSandbox";
	expect(w, ask(w, SANDBOX_START, "pod", NULL), ERR_UNKNOWN,
			"failed to start sandbox pod: StartSandbox of the pod fails");
	assert_int_equal(w->shim.shutdowns, 1);
	assert_false(is_there(w, "pods/ns/pod"));
	expect(w, ask(w, SANDBOX_WAIT, "pod", NULL), ERR_NOT_FOUND, NULL);
}

static void a_sandbox_that_does_not_shut_down_stays(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "pod"), &w->err);
	w->shim.pod.asked_to_fail = (char *)"ShutdownSandbox";
	expect(w, ask(w, SANDBOX_SHUTDOWN, "pod", NULL), ERR_UNKNOWN,
			"failed to shutdown sandbox: ShutdownSandbox of the pod fails");
	assert_ok(ask(w, SANDBOX_START, "pod", NULL), &w->err);
	w->shim.pod.asked_to_fail = NULL;
	assert_ok(ask(w, SANDBOX_SHUTDOWN, "pod", NULL), &w->err);
	assert_false(is_there(w, "pods/ns/pod"));
}

/* The fake one's socket stays when it ends, as that of one that is killed. */
static void a_shim_killed_while_it_shuts_down_leaves_no_socket(void **state)
{
	struct world *w = *state;

	fake_shim_stop(&w->shim);
	free(w->socket);
	w->socket = shim_socket_path(w->top, "/g", "ns", "pod");
	write_good_shim(w);
	fake_shim_start(&w->shim, w->socket);
	assert_ok(create(w, "pod"), &w->err);
	assert_int_equal(access(w->socket, F_OK), 0);
	assert_ok(ask(w, SANDBOX_SHUTDOWN, "pod", NULL), &w->err);
	assert_int_equal(w->shim.shutdowns, 1);
	assert_int_equal(access(w->socket, F_OK), -1);
}

static void await_waiter(struct world *w)
{
	LOCKED(&w->shim.lock);
	while (w->shim.pod.waiter_count == 0)
		cond_wait(&w->shim.changed, &w->shim.lock);
}

static void the_death_of_a_pod_ends_waits_and_removes_it(void **state)
{
	struct world *w = *state;
	struct sandbox_request r = { .verb = SANDBOX_WAIT, .id = "pod" };
	struct sandbox_answer s;

	assert_ok(create(w, "pod"), &w->err);
	sandbox_ask(&s, w->controller, &w->ctx, &r, "verbose");
	await_waiter(w);
	fake_shim_stop(&w->shim);
	assert_int_equal(sandbox_await(&s, &w->err), -1);
	err_clear(&w->err);
	topics_bus_wait(&w->bus,
			"/tasks/delete"); /* of the sandbox, as the original tells it */
	assert_false(is_there(w, "pods/ns/pod"));
	assert_int_equal(runs_of(w, "delete"), 1);
	assert_ok(ask(w, SANDBOX_STOP, "pod", NULL), &w->err);
}

static void a_frozen_pod_holds_up_only_who_asks_it(void **state)
{
	struct world *w = *state;
	struct sandbox_request wait = { .verb = SANDBOX_STATUS, .id = "pod" };
	struct sandbox_answer s;

	assert_ok(create(w, "pod"), &w->err);
	fake_shim_mute(&w->shim, true);
	sandbox_ask(&s, w->controller, &w->ctx, &wait, "verbose");
	assert_ok(ask(w, SANDBOX_STATUS, "another", NULL), &w->err);
	w->ctx.deadline_ns = clock_mono_ns() + 100 * NS_PER_MS;
	expect(w, ask(w, SANDBOX_SHUTDOWN, "pod", NULL), ERR_DEADLINE, NULL);
	w->ctx.deadline_ns = 0;
	fake_shim_stop(&w->shim); /* somebody kills it */
	assert_int_equal(sandbox_await(&s, &w->err), -1);
	err_clear(&w->err);
	topics_bus_wait(&w->bus, "/tasks/delete");
	assert_false(is_there(w, "pods/ns/pod"));
}

static void two_containers_share_the_shim_of_their_sandbox(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *text = NULL;

	assert_ok(create(w, "pod"), &w->err);
	assert_ok(create_task(w, "c1"), &w->err);
	assert_ok(create_task(w, "c2"), &w->err);
	assert_int_equal(runs_of(w, "start"), 1);
	text = read_file(w, "state/ns/c2/sandbox");
	assert_string_equal(text, "pod");
	/* The pod is no task, and no task takes its name. */
	expect(w, ask_task(w, TASK_STATE, "pod"), ERR_NOT_FOUND, "task pod not found");
	expect(w, create_task(w, "pod"), ERR_EXISTS, NULL);
	assert_ok(ask_task(w, TASK_START, "c1"), &w->err);
	assert_ok(ask_task(w, TASK_KILL, "c1"), &w->err);
	assert_ok(ask_task(w, TASK_DELETE, "c1"), &w->err);
	assert_int_equal(w->shim.shutdowns, 0);
	assert_int_equal(runs_of(w, "delete"), 0); /* the shim is not the container's */
	assert_ok(ask_task(w, TASK_STATE, "c2"), &w->err);
	assert_ok(ask_task(w, TASK_DELETE, "c2"), &w->err);
	assert_ok(ask(w, SANDBOX_SHUTDOWN, "pod", NULL), &w->err);
	assert_int_equal(w->shim.shutdowns, 1);
	expect(w, create_task(w, "c3"), ERR_NOT_FOUND,
			"failed to start shim: can't find shim for sandbox pod: not found");
}

static void a_container_in_a_pod_ends_with_the_pod(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "pod"), &w->err);
	assert_ok(create_task(w, "c1"), &w->err);
	assert_ok(ask(w, SANDBOX_SHUTDOWN, "pod", NULL), &w->err);
	topics_bus_wait(&w->bus, "/tasks/exit");
	topics_bus_wait(&w->bus, "/tasks/delete");
	assert_false(is_there(w, "state/ns/c1"));
}

static void a_restarted_daemon_finds_its_pods(void **state)
{
	struct world *w = *state;
	struct sandbox_answer s;

	assert_ok(create(w, "pod"), &w->err);
	assert_ok(create_task(w, "c1"), &w->err);
	stop_daemon(w);
	start_daemon(w);
	assert_ok(ask(w, SANDBOX_STATUS, "pod", &s), &w->err);
	assert_int_equal(s.reply.pid, 815);
	assert_ok(create_task(w, "c2"), &w->err);
	assert_ok(ask_task(w, TASK_STATE, "c1"), &w->err);
	assert_int_equal(runs_of(w, "start"), 1);
	assert_ok(ask_task(w, TASK_DELETE, "c1"), &w->err);
	assert_int_equal(runs_of(w, "delete"), 0);
}

static void pods_that_died_meanwhile_are_cleaned_up_in_silence(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "pod"), &w->err);
	stop_daemon(w);
	fake_shim_stop(&w->shim);
	start_daemon(w);
	stop_daemon(w); /* waits for the clean-up */
	assert_int_equal(runs_of(w, "delete"), 1);
	assert_false(is_there(w, "pods/ns/pod"));
	assert_false(is_there(w, "pods-root/ns/pod"));
	assert_null(w->bus.topics);
	fake_shim_start(&w->shim, w->socket);
	start_daemon(w);
	assert_ok(create(w, "pod"), &w->err);
}

static void frozen_pods_do_not_hold_up_the_start(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "pod"), &w->err);
	stop_daemon(w);
	fake_shim_mute(&w->shim, true);
	start_daemon(w);
	fake_shim_mute(&w->shim, false);
	assert_ok(ask(w, SANDBOX_STATUS, "pod", NULL), &w->err);
}

/* Nobody could ever remove it. */
static void a_pod_without_record_and_containers_is_shut_down_at_start(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "unrecorded"), &w->err);
	stop_daemon(w);
	start_daemon(w);
	{
		LOCKED(&w->shim.lock);
		while (w->shim.shutdowns == 0)
			cond_wait(&w->shim.changed, &w->shim.lock);
	}
	stop_daemon(w);
	assert_false(is_there(w, "pods/ns/unrecorded"));
	restart_shim(w);
	start_daemon(w);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_sandbox_lives_from_create_to_shutdown),
		T(of_a_sandbox_that_is_not_there_only_some_things_can_be_asked),
		T(a_failed_create_leaves_nothing),
		T(a_shim_that_knows_no_sandboxes_is_shut_down_again),
		T(a_sandbox_that_does_not_start_is_removed),
		T(a_sandbox_that_does_not_shut_down_stays),
		T(a_shim_killed_while_it_shuts_down_leaves_no_socket),
		T(the_death_of_a_pod_ends_waits_and_removes_it),
		T(a_frozen_pod_holds_up_only_who_asks_it),
		T(two_containers_share_the_shim_of_their_sandbox),
		T(a_container_in_a_pod_ends_with_the_pod),
		T(a_restarted_daemon_finds_its_pods),
		T(pods_that_died_meanwhile_are_cleaned_up_in_silence),
		T(frozen_pods_do_not_hold_up_the_start),
		T(a_pod_without_record_and_containers_is_shut_down_at_start),
	};

	log_setup(STDERR_FILENO, LOG_PANIC, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
