/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime over a fake shim: what happens when shims or daemons hang, or go away in between.
 */
#include "tasks_world.h"
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/fs.h"
#include "runtime/runtime.h"

static void the_death_of_a_shim_is_told_once(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "c1", NULL), &w->err);
	fake_shim_stop(&w->shim);
	topics_bus_wait(&w->bus, "/tasks/delete");
	assert_int_equal(strv_len(w->bus.topics), 2);
	assert_string_equal(w->bus.topics[0], "/tasks/exit");
	assert_false(is_there(w, "state/ns/c1"));
	assert_int_equal(runs_of(w, "delete"), 1);
	expect(w, ask(w, TASK_STATE, "c1", "", NULL), ERR_NOT_FOUND, "task c1 not found");
}

struct late {
	struct mutex lock;
	struct cond changed;
	bool is_done;
	enum err_kind kind;
	char text[100];
};

static void come(void *arg, const struct task_reply *reply, const struct err *err)
{
	struct late *l = arg;

	LOCKED(&l->lock);
	l->is_done = true;
	if (err != NULL) {
		l->kind = err->kind;
		(void)snprintf(l->text, sizeof(l->text), "%s", err_text(err));
	}
	cond_broadcast(&l->changed);
}

static void late_init(struct late *l)
{
	*l = (struct late){ 0 };
	mutex_init(&l->lock, RANK_daemon);
	cond_init(&l->changed);
}

static void late_wait(struct late *l)
{
	mutex_lock(&l->lock);
	while (!l->is_done)
		cond_wait(&l->changed, &l->lock);
	mutex_unlock(&l->lock);
	cond_done(&l->changed);
	mutex_done(&l->lock);
}

static void waits_on_a_shim_that_dies_fail(void **state)
{
	struct world *w = *state;
	struct task_request r = { .verb = TASK_WAIT, .id = "c1" };
	struct late l;

	late_init(&l);
	assert_ok(create(w, "c1", NULL), &w->err);
	task_call(w->tasks, &w->ctx, &r, come, &l);
	fake_shim_mute(&w->shim, true); /* else the fake would answer before it goes */
	fake_shim_stop(&w->shim);
	late_wait(&l);
	assert_int_not_equal(l.kind, ERR_NONE);
}

static void a_frozen_shim_costs_others_nothing(void **state)
{
	struct world *w = *state;
	struct task_request get = { .verb = TASK_STATE, .id = "c1" };
	struct late frozen[20];
	struct fake_shim other;
	AUTO_FREE char *socket = xasprintf("%s/o", w->top);
	AUTO_FREE char *start = xasprintf("printf unix://%s", socket);
	struct seen s;

	assert_ok(create(w, "c1", NULL), &w->err);
	fake_shim_init(&other);
	fake_shim_start(&other, socket);
	write_shim(w, start, ":");
	assert_ok(create(w, "c2", NULL), &w->err);
	fake_shim_mute(&w->shim, true);
	for (size_t i = 0; i < ARRAY_LEN(frozen); i++) {
		late_init(&frozen[i]);
		task_call(w->tasks, &w->ctx, &get, come, &frozen[i]);
	}
	assert_ok(ask(w, TASK_STATE, "c2", "", &s), &w->err);
	assert_int_equal(s.status, TASK_CREATED);
	/* List leaves out who does not answer in time. */
	assert_ok(ask(w, TASK_LIST, "", "", &s), &w->err);
	assert_int_equal(s.count, 1);
	assert_string_equal(s.id, "c2");
	for (size_t i = 0; i < ARRAY_LEN(frozen); i++) {
		late_wait(&frozen[i]);
		assert_int_equal(frozen[i].kind, ERR_DEADLINE);
	}
	fake_shim_mute(&w->shim, false);
	stop_daemon(w);
	fake_shim_done(&other);
	start_daemon(w);
}

static void a_restarted_daemon_finds_its_tasks(void **state)
{
	struct world *w = *state;
	struct seen s;

	assert_ok(create(w, "c1", NULL), &w->err);
	assert_ok(create(w, "c2", NULL), &w->err);
	assert_ok(ask(w, TASK_START, "c1", "", NULL), &w->err);
	stop_daemon(w);
	fake_shim_exit(&w->shim, "c1", 42); /* while nobody looked */
	start_daemon(w);
	assert_ok(ask(w, TASK_LIST, "", "", &s), &w->err);
	assert_int_equal(s.count, 2);
	assert_ok(ask(w, TASK_STATE, "c1", "", &s), &w->err);
	assert_int_equal(s.status, TASK_STOPPED);
	assert_ok(ask(w, TASK_DELETE, "c1", "", &s), &w->err);
	assert_int_equal(s.exit_status, 42);
	assert_false(is_there(w, "state/ns/c1"));
	assert_true(fake_shim_has(&w->shim, "c2"));
	assert_int_equal(runs_of(w, "start"), 2);
}

static void shims_that_died_meanwhile_are_cleaned_up_in_silence(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "c1", NULL), &w->err);
	stop_daemon(w);
	fake_shim_stop(&w->shim);
	start_daemon(w);
	expect(w, ask(w, TASK_STATE, "c1", "", NULL), ERR_NOT_FOUND, "task c1 not found");
	stop_daemon(w); /* waits for the clean-up */
	assert_false(is_there(w, "state/ns/c1"));
	assert_false(is_there(w, "root/ns/c1"));
	assert_int_equal(runs_of(w, "delete"), 1);
	assert_null(w->bus.topics);
	start_daemon(w);
}

/* A daemon that died between making the shim and making the task. */
static void a_shim_without_its_task_is_shut_down(void **state)
{
	struct world *w = *state;

	assert_ok(create(w, "c1", NULL), &w->err);
	stop_daemon(w);
	free(map_remove(&w->shim.tasks, "c1"));
	start_daemon(w);
	mutex_lock(&w->shim.lock);
	while (w->shim.shutdowns == 0)
		cond_wait(&w->shim.changed, &w->shim.lock);
	mutex_unlock(&w->shim.lock);
	stop_daemon(w);
	assert_false(is_there(w, "state/ns/c1"));
	start_daemon(w);
}

static void frozen_shims_do_not_hold_up_the_start(void **state)
{
	struct world *w = *state;
	struct seen s;

	assert_ok(create(w, "c1", NULL), &w->err);
	stop_daemon(w);
	fake_shim_mute(&w->shim, true);
	start_daemon(w);
	expect(w, ask(w, TASK_STATE, "c1", "", NULL), ERR_DEADLINE, NULL);
	/* It thaws, and nothing was lost. */
	fake_shim_mute(&w->shim, false);
	assert_ok(ask(w, TASK_STATE, "c1", "", &s), &w->err);
	assert_int_equal(s.status, TASK_CREATED);
	assert_int_equal(runs_of(w, "delete"), 0);
}

static void an_old_address_file_is_enough(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *address = xasprintf("unix://%s", w->socket);
	AUTO_CLOSE int bundle = -1;
	struct seen s;

	assert_ok(create(w, "c1", NULL), &w->err);
	stop_daemon(w);
	bundle = openat(w->top_fd, "state/ns/c1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(unlinkat(bundle, "bootstrap.json", 0), 0);
	assert_int_equal(io_replace_file(bundle, "address", address, strlen(address), 0644), 0);
	start_daemon(w);
	assert_ok(ask(w, TASK_STATE, "c1", "", &s), &w->err);
	assert_true(is_there(w, "state/ns/c1/bootstrap.json"));
}

static void leftovers_of_all_kinds_are_removed_at_start(void **state)
{
	struct world *w = *state;

	stop_daemon(w);
	assert_int_equal(mkdirat(w->top_fd, "state/ns", 0711) < 0 && errno != EEXIST, 0);
	assert_int_equal(mkdirat(w->top_fd, "state/ns/empty", 0700), 0);
	assert_int_equal(mkdirat(w->top_fd, "state/ns/..half", 0700), 0);
	assert_int_equal(mkdirat(w->top_fd, "state/ns/.gone", 0700), 0);
	assert_int_equal(mkdirat(w->top_fd, "root/ns", 0711) < 0 && errno != EEXIST, 0);
	assert_int_equal(mkdirat(w->top_fd, "root/ns/stray", 0700), 0);
	start_daemon(w);
	stop_daemon(w);
	assert_false(is_there(w, "state/ns/empty"));
	assert_false(is_there(w, "state/ns/..half"));
	assert_false(is_there(w, "state/ns/.gone"));
	assert_false(is_there(w, "root/ns/stray"));
	start_daemon(w);
}

/* What shims log goes to our standard error; here that is a pipe for a while. */
static void the_log_of_a_shim_is_copied_also_after_a_restart(void **state)
{
	struct world *w = *state;
	int ends[2], saved = dup(STDERR_FILENO), log;
	char got[100] = "";

	assert_ok(create(w, "c1", NULL), &w->err);
	stop_daemon(w);
	start_daemon(w);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	log = openat(w->top_fd, "state/ns/c1/log", O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(log, "hello\n", 6), 6);
	assert_int_equal(read(ends[0], got, sizeof(got)), 6);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	assert_string_equal(got, "hello\n");
	close(log);
	close(ends[0]);
	close(ends[1]);
	close(saved);
}

static void no_descriptor_stays_open(void **state)
{
	struct world *w = *state;
	AUTO_STRV char **before = NULL, **after = NULL;

	assert_ok(create(w, "c0", NULL), &w->err); /* the pools have started */
	assert_int_equal(fs_list(AT_FDCWD, "/proc/self/fd", &before), 0);
	for (int i = 0; i < 20; i++) {
		assert_ok(create(w, "c1", NULL), &w->err);
		assert_ok(ask(w, TASK_DELETE, "c1", "", NULL), &w->err);
	}
	/* What a Delete leaves for later is over. */
	assert_true(runtime_settle(w->rt, clock_mono_ns() + 10 * NS_PER_S));
	/* Fifos and connections are closed on the loop: ask it something, then look. */
	assert_ok(ask(w, TASK_STATE, "c0", "", NULL), &w->err);
	assert_int_equal(fs_list(AT_FDCWD, "/proc/self/fd", &after), 0);
	assert_true(strv_len(after) <= strv_len(before) + 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_death_of_a_shim_is_told_once),
		T(waits_on_a_shim_that_dies_fail),
		T(a_frozen_shim_costs_others_nothing),
		T(a_restarted_daemon_finds_its_tasks),
		T(shims_that_died_meanwhile_are_cleaned_up_in_silence),
		T(a_shim_without_its_task_is_shut_down),
		T(frozen_shims_do_not_hold_up_the_start),
		T(an_old_address_file_is_enough),
		T(leftovers_of_all_kinds_are_removed_at_start),
		T(the_log_of_a_shim_is_copied_also_after_a_restart),
		T(no_descriptor_stays_open),
	};

	log_setup(STDERR_FILENO, LOG_PANIC, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
