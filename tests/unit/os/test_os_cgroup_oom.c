/* SPDX-License-Identifier: Apache-2.0 */
/* Version 2, on ordinary files: the kernel tells of changes to them in the same way. */
#include "os/cgroup_oom.h"

#include <errno.h>
#include <poll.h>

#include "os/cgroup.h"
#include "support/tempdir.h"
#include "unit/unit.h"

struct fixture {
	struct tempdir dir;
	struct cgroup_dir group;
	struct cgroup cg;
	struct oom_watch watch;
};

static void make(struct fixture *f)
{
	*f = (struct fixture){ .watch = { .fd = -1, .control = -1 } };
	tempdir_make(&f->dir);
	put_file(f->dir.fd, "memory.events", "low 0\noom 0\noom_kill 0\n");
	put_file(f->dir.fd, "cgroup.events", "populated 1\n");
	f->group.controller = (char *)(uintptr_t) "";
	f->group.path = f->dir.path;
	f->cg = (struct cgroup){ .unified = true, .count = 1, .dirs = &f->group };
}

static bool is_ready(const struct fixture *f)
{
	struct pollfd p = { .fd = f->watch.fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void kills_are_counted_once(void **state)
{
	struct fixture f;

	make(&f);
	assert_int_equal(oom_watch_open(&f.watch, &f.cg), 0);
	assert_false(is_ready(&f));
	put_file(f.dir.fd, "memory.events", "low 0\noom 3\noom_kill 2\n");
	assert_true(is_ready(&f));
	assert_int_equal(oom_watch_fetch(&f.watch), 2);
	assert_int_equal(oom_watch_fetch(&f.watch), 0);
	assert_false(is_ready(&f));
	put_file(f.dir.fd, "memory.events", "low 0\noom 9\noom_kill 3\n");
	assert_int_equal(oom_watch_fetch(&f.watch), 1);
	oom_watch_close(&f.watch);
	tempdir_remove(&f.dir);
}

static void other_changes_are_no_kills(void **state)
{
	struct fixture f;

	make(&f);
	assert_int_equal(oom_watch_open(&f.watch, &f.cg), 0);
	put_file(f.dir.fd, "cgroup.events", "populated 0\n");
	assert_true(is_ready(&f));
	assert_int_equal(oom_watch_fetch(&f.watch), 0);
	oom_watch_close(&f.watch);
	assert_int_equal(oom_watch_fetch(&f.watch), 0); /* closed: nothing any more */
	oom_watch_close(&f.watch);
	tempdir_remove(&f.dir);
}

static void a_group_that_is_gone_is_no_fault(void **state)
{
	struct fixture f;

	make(&f);
	assert_int_equal(oom_watch_open(&f.watch, &f.cg), 0);
	tempdir_remove(&f.dir);
	assert_int_equal(oom_watch_fetch(&f.watch), 0);
	oom_watch_close(&f.watch);
	assert_int_equal(oom_watch_open(&f.watch, &f.cg), -ENOENT);
	assert_int_equal(f.watch.fd, -1);
}

static void without_a_memory_controller_there_is_nothing_to_watch(void **state)
{
	struct cgroup none = { .unified = false };
	struct oom_watch w;

	assert_int_equal(oom_watch_open(&w, &none), -ENOENT);
	assert_int_equal(w.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kills_are_counted_once),
		TEST(other_changes_are_no_kills),
		TEST(a_group_that_is_gone_is_no_fault),
		TEST(without_a_memory_controller_there_is_nothing_to_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
