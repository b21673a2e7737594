/* SPDX-License-Identifier: Apache-2.0 */
/* What the mount manager's callers wait for: names that others have, and programs. A program of
 * our own in place of mkfs says that it has begun, and ends when it is told with what status.
 */
#include "unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/mount_manager.h"
#include "mount/mount_keeper.h"
#include "support/tempdir.h"

#define A_MOMENT (50 * NS_PER_MS)

struct world {
	struct tempdir dir;
	char *root, *path; /* PATH as it was */
	int began, go;	   /* fifos */
	struct mount_keeper *keeper;
	struct mount_manager *manager;
};

static void add_mkfs(struct world *w)
{
	AUTO_FREE char *text = xasprintf("#!/bin/sh\n"
					 "echo >%s/began\n"
					 "read status <%s/go\n"
					 "exit $status\n",
			w->dir.path, w->dir.path);

	assert_int_equal(io_replace_file(w->dir.fd, "mkfs.ext4", text, strlen(text), 0755), 0);
	w->path = xstrdup(getenv("PATH"));
	assert_int_equal(setenv("PATH", w->dir.path, 1), 0);
}

static int make_fifo(const struct world *w, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", w->dir.path, name);
	int fd;

	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int begin(void **state)
{
	struct world *w = xzalloc(sizeof(*w));
	AUTO_FREE char *own = NULL;
	AUTO_FREE char *temp = NULL;
	AUTO_ERR struct err err = { 0 };

	tempdir_make(&w->dir);
	own = xasprintf("%s/m", w->dir.path);
	temp = xasprintf("%s/tmp", w->dir.path);
	w->root = xasprintf("%s/root", w->dir.path);
	assert_int_equal(mkdir(w->root, 0700), 0);
	w->began = make_fifo(w, "began");
	w->go = make_fifo(w, "go");
	add_mkfs(w);
	assert_ok(mount_keeper_new(own, w->root, temp, &w->keeper, &err), &err);
	w->manager = mount_keeper_manager(w->keeper);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	mount_keeper_free(w->keeper);
	close_fd(&w->began);
	close_fd(&w->go);
	assert_int_equal(setenv("PATH", w->path, 1), 0);
	free(w->path);
	free(w->root);
	tempdir_remove(&w->dir);
	free(w);
	return 0;
}

/* An activation that has to make the file "disk" first. */
struct making {
	struct world *w;
	const char *name;
	struct ctx ctx;
	struct err err;
	int rc;
	unsigned long thread;
};

static void *make(void *arg)
{
	struct making *m = arg;
	AUTO_FREE char *disk = xasprintf("%s/disk", m->w->root);
	AUTO_ACTIVATION struct activation made = { 0 };
	AUTO_MOUNTS struct mounts mounts = { 0 };
	struct mount_activate r = { .name = m->name, .mounts = &mounts, .temporary = true };

	strv_add(&mounts_add(&mounts, "mkfs/loop", disk, "")->options,
			"X-containerd.mkfs.size=1MiB");
	m->rc = mount_manager_activate(m->w->manager, &m->ctx, &r, &made, &m->err);
	return NULL;
}

static int make_now(struct world *w, const char *name, struct ctx ctx, struct err *err)
{
	struct making m = { .w = w, .name = name, .ctx = ctx };

	(void)make(&m);
	*err = m.err;
	return m.rc;
}

static void await_program(struct world *w)
{
	char byte;

	assert_int_equal(read(w->began, &byte, 1), 1);
}

/* One that was killed may not even have begun. */
static void forget_program(struct world *w)
{
	struct pollfd p = { w->began, POLLIN, 0 };

	if (poll(&p, 1, 0) > 0)
		await_program(w);
}

static void let_program_end(struct world *w, const char *status)
{
	assert_int_equal(write(w->go, status, strlen(status)), strlen(status));
}

static void start(struct making *m)
{
	assert_int_equal(thread_start(&m->thread, make, m, "making"), 0);
	await_program(m->w);
}

static struct ctx for_a_moment(void)
{
	return (struct ctx){ .ns = "ns", .deadline_ns = clock_mono_ns() + A_MOMENT };
}

static bool in_root(struct world *w, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", w->root, name);

	return access(path, F_OK) == 0;
}

static void a_name_under_way_is_waited_for_as_long_as_the_caller_has(void **state)
{
	struct world *w = *state;
	struct making m = { .w = w, .name = "m", .ctx = { .ns = "ns" } };
	AUTO(cancel_unref) struct cancel *fired = cancel_new();
	struct ctx moment, cancelled = { .ns = "ns", .cancel = fired };
	AUTO_ERR struct err err = { 0 };

	start(&m);
	assert_fails(make_now(w, "m", for_a_moment(), &err), &err, ERR_DEADLINE);
	moment = for_a_moment();
	assert_fails(mount_manager_deactivate(w->manager, &moment, "m", &err), &err,
			ERR_DEADLINE);
	cancel_fire(fired);
	assert_fails(mount_manager_deactivate(w->manager, &cancelled, "m", &err), &err,
			ERR_CANCELED);
	let_program_end(w, "1\n");
	thread_join(m.thread);
	assert_int_equal(m.rc, -1);
	err_clear(&m.err);
}

struct ending {
	struct world *w;
	struct ctx ctx;
	struct err err;
	int rc;
};

static void *deactivate(void *arg)
{
	struct ending *e = arg;

	e->rc = mount_manager_deactivate(e->w->manager, &e->ctx, "m", &e->err);
	return NULL;
}

static void who_is_cancelled_while_waiting_is_woken(void **state)
{
	struct world *w = *state;
	struct making m = { .w = w, .name = "m", .ctx = { .ns = "ns" } };
	AUTO(cancel_unref) struct cancel *cancel = cancel_new();
	struct ending e = { .w = w, .ctx = { .ns = "ns", .cancel = cancel } };
	unsigned long thread;

	start(&m);
	assert_int_equal(thread_start(&thread, deactivate, &e, "ending"), 0);
	cancel_fire(cancel);
	thread_join(thread);
	assert_int_equal(e.rc, -1);
	assert_int_equal(e.err.kind, ERR_CANCELED);
	err_clear(&e.err);
	let_program_end(w, "1\n");
	thread_join(m.thread);
	err_clear(&m.err);
}

static void a_program_runs_no_longer_than_the_caller_has(void **state)
{
	struct world *w = *state;
	AUTO(cancel_unref) struct cancel *cancel = cancel_new();
	struct making m = { .w = w, .name = "m", .ctx = { .ns = "ns", .cancel = cancel } };
	AUTO_ERR struct err err = { 0 };

	assert_fails(make_now(w, "m", for_a_moment(), &err), &err, ERR_DEADLINE);
	assert_false(in_root(w, ".disk.mkfs"));
	forget_program(w);
	start(&m);
	cancel_fire(cancel);
	thread_join(m.thread);
	assert_int_equal(m.rc, -1);
	assert_int_equal(m.err.kind, ERR_CANCELED);
	err_clear(&m.err);
	assert_false(in_root(w, ".disk.mkfs"));
	assert_false(in_root(w, "disk"));
}

/* The second must neither write into what the first is making nor take its place. */
static void a_file_is_made_by_one_at_a_time(void **state)
{
	struct world *w = *state;
	struct making first = { .w = w, .name = "a", .ctx = { .ns = "ns" } };
	struct making second = { .w = w, .name = "b", .ctx = { .ns = "ns" } };
	AUTO_ERR struct err err = { 0 };

	start(&first);
	assert_fails(make_now(w, "b", for_a_moment(), &err), &err, ERR_DEADLINE);
	assert_true(in_root(w, ".disk.mkfs"));
	let_program_end(w, "1\n");
	thread_join(first.thread);
	assert_int_equal(first.rc, -1);
	err_clear(&first.err);
	start(&second); /* it failed: the next one makes it */
	let_program_end(w, "0\n");
	thread_join(second.thread);
	if (second.rc == 0) /* else there was no loop device for it */
		assert_ok(mount_manager_deactivate(w->manager, &second.ctx, "b", &err), &err);
	err_clear(&second.err);
	assert_true(in_root(w, "disk"));
	assert_false(in_root(w, ".disk.mkfs"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_name_under_way_is_waited_for_as_long_as_the_caller_has),
		T(who_is_cancelled_while_waiting_is_woken),
		T(a_program_runs_no_longer_than_the_caller_has),
		T(a_file_is_made_by_one_at_a_time),
	};

	log_setup(STDERR_FILENO, LOG_PANIC, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
