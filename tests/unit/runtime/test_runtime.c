/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime over a fake shim: everything from Create to Delete. */
#include "tasks_world.h"
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"

static void a_task_lives_from_create_to_delete(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *bootstrap = NULL, *want = NULL;
	struct seen s;
	uint32_t pid;

	assert_ok(create(w, "c1", &pid), &w->err);
	assert_int_equal(pid, 4711);
	assert_true(is_there(w, "state/ns/c1/rootfs"));
	assert_true(is_there(w, "root/ns/c1"));
	bootstrap = read_file(w, "state/ns/c1/bootstrap.json");
	want = xasprintf("{\"version\":2,\"address\":\"unix://%s\",\"protocol\":\"ttrpc\"}",
			w->socket);
	assert_string_equal(bootstrap, want);
	assert_ok(ask(w, TASK_STATE, "c1", "", &s), &w->err);
	assert_int_equal(s.status, TASK_CREATED);
	assert_string_equal(s.id, "c1");
	assert_ok(ask(w, TASK_START, "c1", "", &s), &w->err);
	assert_int_equal(s.pid, 4711);
	assert_ok(ask(w, TASK_PIDS, "c1", "", &s), &w->err);
	assert_int_equal(s.count, 1);
	expect(w, ask(w, TASK_DELETE, "c1", "", NULL), ERR_UNKNOWN,
			"failed to delete task: cannot delete a running process");
	assert_ok(ask(w, TASK_KILL, "c1", "", NULL), &w->err);
	assert_ok(ask(w, TASK_WAIT, "c1", "", &s), &w->err);
	assert_int_equal(s.exit_status, 137);
	assert_int_equal(s.exited_ns, 77);
	assert_ok(ask(w, TASK_DELETE, "c1", "", &s), &w->err);
	assert_int_equal(s.exit_status, 137);
	assert_int_equal(s.exited_ns, 88);
	assert_int_equal(w->shim.shutdowns, 1);
	/* Everything is gone when Delete answers: the id may come back at once. */
	assert_false(is_there(w, "state/ns/c1"));
	assert_false(is_there(w, "root/ns/c1"));
	expect(w, ask(w, TASK_STATE, "c1", "", NULL), ERR_NOT_FOUND, "task c1 not found");
	assert_null(w->bus.topics);
}

static void processes_in_a_task(void **state)
{
	struct world *w = *state;
	struct seen s;

	assert_ok(create(w, "c1", NULL), &w->err);
	assert_ok(ask(w, TASK_EXEC, "c1", "e1", NULL), &w->err);
	expect(w, ask(w, TASK_EXEC, "c1", "../e", NULL), ERR_INVALID, NULL);
	expect(w, ask(w, TASK_EXEC, "c1", "", NULL), ERR_INVALID, "exec id cannot be empty");
	assert_ok(ask(w, TASK_START, "c1", "e1", &s), &w->err);
	assert_ok(ask(w, TASK_STATE, "c1", "e1", &s), &w->err);
	assert_string_equal(s.id, "e1");
	expect(w, ask(w, TASK_STATE, "c1", "e2", NULL), ERR_NOT_FOUND,
			"process does not exist e2: not found");
	/* It says that no stream is to be closed; the process must be there all the same. */
	assert_ok(ask(w, TASK_CLOSE_IO, "c1", "", NULL), &w->err);
	assert_ok(ask(w, TASK_CLOSE_IO, "c1", "e1", NULL), &w->err);
	expect(w, ask(w, TASK_CLOSE_IO, "c1", "e2", NULL), ERR_NOT_FOUND,
			"process does not exist e2: not found");
	fake_shim_exit(&w->shim, "c1/e1", 3);
	assert_ok(ask(w, TASK_WAIT, "c1", "e1", &s), &w->err);
	assert_int_equal(s.exit_status, 3);
	assert_ok(ask(w, TASK_DELETE_PROCESS, "c1", "e1", &s), &w->err);
	assert_string_equal(s.id, "e1");
	assert_int_equal(s.exit_status, 3);
	assert_true(fake_shim_has(&w->shim, "c1"));
}

static void options_must_be_of_their_type_whatever_stands_before_it(void **state)
{
	static char mine[] = "example.com/containerd.runc.v1.Options", yes[] = "\x10\x01";
	struct world *w = *state;
	struct mounts none = { 0 };
	struct any options = { true, mine, yes, sizeof(yes) - 1 };
	struct task_create r = { .id = "c1", .rootfs = &none, .options = &options };
	struct task_request checkpoint = {
		.verb = TASK_CHECKPOINT, .id = "c1", .exec_id = "", .checkpoint = { options }
	};
	AUTO_FREE char *want = xasprintf("invalid task checkpoint option for %s", w->shim_path);
	uint32_t pid;

	assert_ok(task_create(w->tasks, &w->ctx, &r, &pid, &w->err), &w->err);
	expect(w, task_call_wait(w->tasks, &w->ctx, &checkpoint, NULL, NULL, &w->err),
			ERR_UNKNOWN, want);
	r.id = "c2";
	options.type_url = (char *)"containerd.runc.v1.CheckpointOptions";
	expect(w, task_create(w->tasks, &w->ctx, &r, &pid, &w->err), ERR_INVALID, NULL);
}

static void who_does_not_exist_is_not_found(void **state)
{
	struct world *w = *state;

	expect(w, ask(w, TASK_START, "stranger", "", NULL), ERR_NOT_FOUND,
			"container \"stranger\" in namespace \"ns\": not found");
	expect(w, create(w, "stranger", NULL), ERR_NOT_FOUND, NULL);
	expect(w, ask(w, TASK_KILL, "c9", "", NULL), ERR_NOT_FOUND, "task c9 not found");
	expect(w, create(w, "bad/../id", NULL), ERR_INVALID, NULL);
	w->ctx.ns = NULL;
	expect(w, ask(w, TASK_LIST, "", "", NULL), ERR_PRECONDITION, NULL);
	expect(w, create(w, "c1", NULL), ERR_PRECONDITION,
			"namespace is required: failed precondition");
}

static void an_id_has_one_task(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "c1", NULL), &w->err);
	expect(w, create(w, "c1", NULL), ERR_EXISTS, "task c1: already exists");
	assert_true(is_there(w, "state/ns/c1"));
	w->ctx.ns = "other";
	assert_ok(create(w, "c1", NULL), &w->err);
}

static void a_failed_start_leaves_nothing(void **state)
{
	struct world *w = *state;

	write_shim(w, "echo no; exit 1", ":");
	expect(w, create(w, "c1", NULL), ERR_UNKNOWN,
			"failed to start shim: start failed: no\n: exit status 1");
	assert_false(is_there(w, "state/ns/c1"));
	assert_false(is_there(w, "root/ns/c1"));
	assert_int_equal(runs_of(w, "delete"), 1);
	write_shim(w, "printf unix:///nowhere/s", ":");
	expect(w, create(w, "c1", NULL), ERR_UNAVAILABLE, NULL);
	assert_false(is_there(w, "state/ns/c1"));
	write_good_shim(w);
	assert_ok(create(w, "c1", NULL), &w->err);
}

static void a_missing_runtime_is_named(void **state)
{
	struct world *w = *state;
	struct mounts none = { 0 };
	struct task_create r = { .id = "c1", .rootfs = &none, .runtime_path = "io.no.such" };
	uint32_t pid;

	expect(w, task_create(w->tasks, &w->ctx, &r, &pid, &w->err), ERR_UNKNOWN,
			"failed to start shim: failed to resolve runtime path: runtime "
			"\"io.no.such\" binary not installed \"containerd-shim-no-such\": file "
			"does not exist");
	assert_false(is_there(w, "state/ns/c1"));
}

static void a_failed_create_leaves_nothing_and_says_nothing(void **state)
{
	struct world *w = *state;

	w->shim.fail_create = "OCI runtime create failed: no such binary";
	expect(w, create(w, "c1", NULL), ERR_UNKNOWN,
			"failed to create shim task: OCI runtime create failed: no such "
			"binary");
	assert_false(is_there(w, "state/ns/c1"));
	assert_int_equal(runs_of(w, "delete"), 1); /* half a container may be there */
	assert_int_equal(w->shim.shutdowns, 1);
	assert_null(w->bus.topics);
}

static void a_shim_that_claims_three_may_serve_two(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *start = xasprintf("printf '{\"version\":3,\"address\":\"unix://%s\","
					  "\"protocol\":\"ttrpc\"}'",
			w->socket);
	struct seen s;

	fake_shim_stop(&w->shim);
	w->shim.only_v2 = true;
	fake_shim_start(&w->shim, w->socket);
	write_shim(w, start, ":");
	assert_ok(create(w, "c1", NULL), &w->err);
	assert_ok(ask(w, TASK_STATE, "c1", "", &s), &w->err);
	/* The next daemon starts with what the file says: 3. */
	stop_daemon(w);
	start_daemon(w);
	assert_ok(ask(w, TASK_STATE, "c1", "", &s), &w->err);
	assert_int_equal(s.status, TASK_CREATED);
}

static void tasks_that_share_a_shim_leave_it_one_by_one(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "c1", NULL), &w->err);
	assert_ok(create(w, "c2", NULL), &w->err);
	assert_ok(ask(w, TASK_DELETE, "c1", "", NULL), &w->err);
	assert_int_equal(w->shim.shutdowns, 1);
	assert_ok(ask(w, TASK_STATE, "c2", "", NULL), &w->err);
	assert_null(w->bus.topics);
}

static void a_container_of_a_sandbox_lives_in_its_shim(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *start = xasprintf("printf '{\"version\":3,\"address\":\"unix://%s\","
					  "\"protocol\":\"ttrpc\"}'",
			w->socket);
	AUTO_FREE char *url = xasprintf("ttrpc+unix://%s", w->socket), *text = NULL;
	struct mounts none = { 0 };
	struct task_create r = {
		.id = "in-pod-2", .rootfs = &none, .api_address = url, .api_version = 3
	};
	struct seen s;
	uint32_t pid;

	write_shim(w, start, ":");
	assert_ok(create(w, "pod", NULL), &w->err);
	/* Found by the sandbox's task, or where the client says. */
	assert_ok(create(w, "in-pod-1", NULL), &w->err);
	assert_ok(task_create(w->tasks, &w->ctx, &r, &pid, &w->err), &w->err);
	assert_int_equal(runs_of(w, "start"), 1);
	text = read_file(w, "state/ns/in-pod-1/sandbox");
	assert_string_equal(text, "pod");
	/* The next daemon knows as well that this shim is not theirs to end. */
	stop_daemon(w);
	start_daemon(w);
	assert_ok(ask(w, TASK_DELETE, "in-pod-1", "", NULL), &w->err);
	assert_ok(ask(w, TASK_STATE, "in-pod-2", "", &s), &w->err);
	assert_int_equal(w->shim.shutdowns, 0);
	r.api_address = "unix:///no/protocol";
	r.id = "in-pod-3";
	expect(w, task_create(w->tasks, &w->ctx, &r, &pid, &w->err), ERR_INVALID, NULL);
	assert_false(is_there(w, "state/ns/in-pod-3"));
	/* A shim of version 2 cannot host others: it is started anew. */
	r.api_address = url;
	r.api_version = 2;
	assert_ok(task_create(w->tasks, &w->ctx, &r, &pid, &w->err), &w->err);
	assert_int_equal(runs_of(w, "start"), 2);
}

/* Of a pod that a daemon of 1.x made there is no record. */
static void a_container_of_an_unknown_sandbox_gets_a_shim_of_its_own(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "in-old-pod", NULL), &w->err);
	assert_int_equal(runs_of(w, "start"), 1);
	expect(w, create(w, "in-pod-1", NULL), ERR_NOT_FOUND,
			"failed to start shim: can't find shim for sandbox pod: not found");
	assert_false(is_there(w, "state/ns/in-pod-1"));
	assert_int_equal(runs_of(w, "start"), 1);
}

static void a_root_file_system_may_need_more_than_a_mount(void **state)
{
	struct world *w = *state;
	AUTO_MOUNTS struct mounts m = { 0 };
	struct task_create r = { .id = "c1", .rootfs = &m };
	uint32_t pid;

	(void)mounts_add(&m, "odd", "src", "");
	assert_ok(task_create(w->tasks, &w->ctx, &r, &pid, &w->err), &w->err);
	assert_string_equal(w->shim.rootfs, "even src");
	assert_string_equal(mounts_of(w)->did, "activate c1 ");
	assert_ok(ask(w, TASK_DELETE, "c1", "", NULL), &w->err);
	assert_string_equal(mounts_of(w)->did, "activate c1 deactivate c1 ");
	/* What is not made is not undone; what is made is. */
	free(m.items[0].source);
	m.items[0].source = xstrdup("broken");
	expect(w, task_create(w->tasks, &w->ctx, &r, &pid, &w->err), ERR_UNKNOWN,
			"broken mount");
	assert_false(is_there(w, "state/ns/c1"));
	assert_string_equal(mounts_of(w)->did, "activate c1 deactivate c1 ");
	free(m.items[0].source);
	m.items[0].source = xstrdup("src");
	w->shim.fail_create = "no";
	fake_shim_stop(&w->shim);
	fake_shim_start(&w->shim, w->socket);
	assert_int_equal(task_create(w->tasks, &w->ctx, &r, &pid, &w->err), -1);
	err_clear(&w->err);
	assert_string_equal(mounts_of(w)->did,
			"activate c1 deactivate c1 activate c1 deactivate c1 ");
}

/* RuntimeInfo with the annotation, as a shim writes it for "-info". */
static void a_shim_says_what_it_mounts_itself(void **state)
{
	struct world *w = *state;
	AUTO_MOUNTS struct mounts m = { 0 };
	struct task_create r = { .id = "c1", .rootfs = &m };
	AUTO_FREE char *text = xasprintf("#!/bin/sh\n"
					 "for last; do :; done\n"
					 "case $last in\n"
					 "-info) printf '\\052\\057\\012\\042"
					 "containerd.io/runtime-allow-mounts"
					 "\\022\\011a/*,erofs';;\n"
					 "start) cat >/dev/null; printf unix://%s;;\n"
					 "esac\n",
			w->socket);
	uint32_t pid;

	assert_int_equal(io_replace_file(w->top_fd, "containerd-shim-fake-v1", text,
					 strlen(text), 0755),
			0);
	(void)mounts_add(&m, "odd", "src", "");
	assert_ok(task_create(w->tasks, &w->ctx, &r, &pid, &w->err), &w->err);
	assert_string_equal(mounts_of(w)->did, "allowed erofs activate c1 ");
}

static void mounts_that_the_runtime_cannot_map_are_refused(void **state)
{
	struct world *w = *state;

	expect(w, create(w, "mapped", NULL), ERR_NOT_FOUND,
			"failed to validate OCI runtime features: unmarshal runtime features: "
			"type with url : not found");
	assert_false(is_there(w, "state/ns/mapped"));
	assert_int_equal(runs_of(w, "start"), 0);
}

static void runtime_info_comes_from_the_binary(void **state)
{
	struct world *w = *state;
	struct any options = { 0 };
	AUTO_ANY struct any info = { 0 };

	assert_ok(task_runtime_info(w->tasks, &w->ctx, w->shim_path, &options, &info, &w->err),
			&w->err);
	assert_string_equal(info.type_url, "containerd.types.RuntimeInfo");
	expect(w, task_runtime_info(w->tasks, &w->ctx, "io.no.such", &options, &info, &w->err),
			ERR_UNKNOWN, NULL);
}

static void metrics_are_filtered(void **state)
{
	struct world *w = *state;
	char *filters[] = { (char *)"id==c2", NULL }, *bad[] = { (char *)"id=", NULL };
	struct task_request r = { .verb = TASK_METRICS, .metrics.filters = filters };
	struct seen s;

	assert_ok(create(w, "c1", NULL), &w->err);
	assert_ok(create(w, "c2", NULL), &w->err);
	assert_ok(task_call_wait(w->tasks, &w->ctx, &r, see, &s, &w->err), &w->err);
	assert_int_equal(s.count, 1);
	assert_string_equal(s.id, "c2");
	r.metrics.filters = bad;
	expect(w, task_call_wait(w->tasks, &w->ctx, &r, see, &s, &w->err), ERR_INVALID, NULL);
	filters[0] = NULL;
	r.metrics.filters = filters;
	assert_ok(task_call_wait(w->tasks, &w->ctx, &r, see, &s, &w->err), &w->err);
	assert_int_equal(s.count, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_task_lives_from_create_to_delete),
		T(processes_in_a_task),
		T(options_must_be_of_their_type_whatever_stands_before_it),
		T(who_does_not_exist_is_not_found),
		T(an_id_has_one_task),
		T(a_failed_start_leaves_nothing),
		T(a_missing_runtime_is_named),
		T(a_failed_create_leaves_nothing_and_says_nothing),
		T(a_shim_that_claims_three_may_serve_two),
		T(tasks_that_share_a_shim_leave_it_one_by_one),
		T(a_container_of_a_sandbox_lives_in_its_shim),
		T(a_container_of_an_unknown_sandbox_gets_a_shim_of_its_own),
		T(a_root_file_system_may_need_more_than_a_mount),
		T(a_shim_says_what_it_mounts_itself),
		T(mounts_that_the_runtime_cannot_map_are_refused),
		T(runtime_info_comes_from_the_binary),
		T(metrics_are_filtered),
	};

	log_setup(STDERR_FILENO, LOG_PANIC, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
