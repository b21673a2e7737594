/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One story of a store, told again and again: killed at the first point, at the second, and so
 * on to the end; the same with calls refused, and with the disk full from there on. After each
 * the store must open, hold what it said it holds, and take the whole story from the start.
 */
#pragma once

#include "unit/unit.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "support/fault_points.h"
#include "support/tempdir.h"

struct story {
	/* A store below "root"; -1 and err if it cannot be opened. */
	int (*open)(const char *root, void **ret_store, struct err *err);
	void (*close)(void *store);
	/* Does everything, from whatever state; stops at the first refusal. What it was
	 * answered it notes in "told", which outlives it. */
	int (*tell)(void *store, void *told, struct err *err);
	/* Whether the store has all that was answered, and nothing that is broken. Fails the
	 * test by itself. */
	void (*check)(void *store, const void *told);
	size_t told_size;
};

/* How the child's end is to be taken: as a process that was killed, or as the whole machine's.
 */
enum cut {
	CUT_NONE,
	CUT_SYNCED,    /* only what was synced is left */
	CUT_ALL_NAMES, /* and every name, though not the data */
};

#define MAX_POINTS 5000

static const struct story *story;
static enum fault_mode run_mode;
static unsigned long run_point;
static enum cut run_cut; /* told stories differ in what is promised beyond a power cut */
static char root_dir[96], shadow_dir[96];

static void give_up(const char *what, const struct err *err)
{
	(void)fprintf(stderr, "mode %d, cut %d, point %lu (%s): %s: %s\n", run_mode, run_cut,
			run_point, fault_hit() == NULL ? "-" : fault_hit(), what,
			err == NULL ? "" : err_text(err));
	_exit(3);
}

/* cmocka's failures leave by a long jump, which must not happen in a child. */
#define must(condition)                                                                        \
	do {                                                                                   \
		if (!(condition))                                                              \
			give_up(#condition, NULL);                                             \
	} while (0)
#define must_ok(call, err)                                                                     \
	do {                                                                                   \
		if ((call) < 0)                                                                \
			give_up(#call, err);                                                   \
	} while (0)

static void *open_now(const char *root)
{
	AUTO_ERR struct err err = { 0 };
	void *store = NULL;

	must_ok(story->open(root, &store, &err), &err);
	return store;
}

static void tell_now(void *store, void *told)
{
	AUTO_ERR struct err err = { 0 };

	must_ok(story->tell(store, told, &err), &err);
}

/* Under faults. A refusal is fine, and then everything works again with the same store. */
static void live_through(const char *root, void *told)
{
	AUTO_ERR struct err err = { 0 };
	void *store = NULL;
	int rc;

	if (run_cut != CUT_NONE)
		fault_watch(root, shadow_dir);
	fault_arm(run_mode, run_point);
	rc = story->open(root, &store, &err);
	if (rc == 0)
		rc = story->tell(store, told, &err);
	(void)fault_disarm();
	if (rc < 0 && err.kind == ERR_NONE)
		give_up("refused without a reason", NULL);
	if (rc < 0 && fault_hit() == NULL)
		give_up("refused without a fault", &err);
	if (store == NULL)
		store = open_now(root);
	story->check(store, told);
	tell_now(store, told);
	story->check(store, told);
	story->close(store);
}

/* What a new process finds. */
static void look_again(const char *root, void *told)
{
	void *store = open_now(root);

	story->check(store, told);
	tell_now(store, told);
	story->check(store, told);
	story->close(store);
	store = open_now(root);
	story->check(store, told);
	story->close(store);
}

/* Runs fn in a child; true if it came to its end, false if a fault killed it. */
static bool in_child(void (*fn)(const char *root, void *told), const char *root, void *told)
{
	pid_t child;
	int status;

	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		fn(root, told);
		_exit(fault_hit() == NULL ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return false;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		fail_msg("mode %d, point %lu: status %d", run_mode, run_point, status);
	/* Without a hit the story is over. */
	if (WEXITSTATUS(status) == 0)
		run_point = MAX_POINTS;
	return true;
}

static void make_dir(const struct tempdir *dir, const char *name, char out[96])
{
	(void)snprintf(out, 96, "%s/%s", dir->path, name);
	assert_int_equal(mkdir(out, 0755), 0);
}

/* The story up to the point, in a child; then what another process finds. */
static void look_after_fault(struct tempdir *dir, void *told)
{
	enum fault_mode mode = run_mode;
	unsigned long point = run_point;
	char cut_dir[96];

	if (run_cut != CUT_NONE) {
		make_dir(dir, "cut", cut_dir);
		fault_cut(root_dir, shadow_dir, run_cut == CUT_ALL_NAMES, cut_dir);
		memcpy(root_dir, cut_dir, sizeof(root_dir));
	}
	run_mode = FAULT_OFF; /* the second child has none */
	(void)in_child(look_again, root_dir, told);
	run_mode = mode;
	run_point = point;
}

/* One point; false when there are no more. */
static bool run_one(void *told)
{
	struct tempdir dir;
	bool is_over;

	tempdir_make(&dir);
	make_dir(&dir, "root", root_dir);
	make_dir(&dir, "shadow", shadow_dir);
	memset(told, 0, story->told_size);
	is_over = in_child(live_through, root_dir, told) && run_point == MAX_POINTS;
	if (!is_over)
		look_after_fault(&dir, told);
	tempdir_remove(&dir);
	return !is_over;
}

static void run_story(const struct story *s, enum fault_mode mode, enum cut cut)
{
	void *told = mmap(NULL, s->told_size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned long n;

	assert_true(told != MAP_FAILED);
	story = s;
	run_mode = mode;
	run_cut = cut;
	for (n = 1;; n++) {
		run_point = n;
		assert_true(n < MAX_POINTS);
		if (!run_one(told))
			break;
	}
	(void)printf("mode %d, cut %d: %lu points\n", mode, cut, n - 1);
	assert_true(n > 5); /* else the points are not there */
	assert_int_equal(munmap(told, s->told_size), 0);
}

#define STORY_TESTS(the_story)                                                                 \
	static void killed_before_each_call(void **state)                                      \
	{                                                                                      \
		run_story(&the_story, FAULT_KILL_BEFORE, CUT_NONE);                            \
	}                                                                                      \
	static void killed_after_each_call(void **state)                                       \
	{                                                                                      \
		run_story(&the_story, FAULT_KILL_AFTER, CUT_NONE);                             \
	}                                                                                      \
	static void killed_in_the_middle_of_each_write(void **state)                           \
	{                                                                                      \
		run_story(&the_story, FAULT_KILL_TORN, CUT_NONE);                              \
	}                                                                                      \
	static void each_call_refused_once(void **state)                                       \
	{                                                                                      \
		run_story(&the_story, FAULT_FAIL_ONE, CUT_NONE);                               \
	}                                                                                      \
	static void the_disk_full_from_each_call_on(void **state)                              \
	{                                                                                      \
		run_story(&the_story, FAULT_DISK_FULL, CUT_NONE);                              \
	}                                                                                      \
	static void the_power_goes_and_only_what_is_synced_stays(void **state)                 \
	{                                                                                      \
		run_story(&the_story, FAULT_KILL_BEFORE, CUT_SYNCED);                          \
	}                                                                                      \
	static void the_power_goes_and_names_outlive_their_data(void **state)                  \
	{                                                                                      \
		run_story(&the_story, FAULT_KILL_BEFORE, CUT_ALL_NAMES);                       \
	}                                                                                      \
	static void a_call_refused_once_and_then_the_power_goes(void **state)                  \
	{                                                                                      \
		run_story(&the_story, FAULT_FAIL_ONE, CUT_SYNCED);                             \
	}                                                                                      \
	int main(void)                                                                         \
	{                                                                                      \
		const struct CMUnitTest tests[] = {                                            \
			TEST(killed_before_each_call),                                         \
			TEST(killed_after_each_call),                                          \
			TEST(killed_in_the_middle_of_each_write),                              \
			TEST(each_call_refused_once),                                          \
			TEST(the_disk_full_from_each_call_on),                                 \
			TEST(the_power_goes_and_only_what_is_synced_stays),                    \
			TEST(the_power_goes_and_names_outlive_their_data),                     \
			TEST(a_call_refused_once_and_then_the_power_goes),                     \
		};                                                                             \
                                                                                               \
		return cmocka_run_group_tests(tests, NULL, NULL);                              \
	}
