/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody moves directories and links about below the root while layers are applied to it
 * (CVE-2021-32760, CVE-2025-47290): entries may end up anywhere inside or fail, but what is
 * outside is neither written nor made nor removed, and its metadata stays.
 */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/str.h"
#include "support/tar_extract.h"
#include "support/tarball.h"
#include "support/tempdir.h"

#define ROUNDS	  8000
#define LONGEST_S 20

struct place {
	struct tempdir dir;
	int root;
	struct buf t;
	struct stat outside, secret, sub;
};

static struct stat look(struct place *p, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(p->dir.fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

/* Beside the root, with times in the past: any touch shows. */
static void make_outside(struct place *p)
{
	const struct timespec times[2] = { { 12345, 6 }, { 12345, 6 } };

	assert_int_equal(mkdirat(p->dir.fd, "outside", 0700), 0);
	assert_int_equal(mkdirat(p->dir.fd, "outside/sub", 0700), 0);
	put_file(p->dir.fd, "outside/secret", "untouched");
	assert_int_equal(fchmodat(p->dir.fd, "outside/secret", 0600, 0), 0);
	for (const char *const *name = (const char *const[]){ "outside/secret", "outside/sub",
			     "outside", NULL };
			*name != NULL; name++)
		assert_int_equal(utimensat(p->dir.fd, *name, times, 0), 0);
	p->outside = look(p, "outside");
	p->secret = look(p, "outside/secret");
	p->sub = look(p, "outside/sub");
}

static bool is_untouched(const struct stat *a, const struct stat *b)
{
	/* ctime tells of everything: mode, owner, attributes, links, names. */
	return a->st_ino == b->st_ino && a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
	       a->st_nlink == b->st_nlink && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void outside_is_untouched(struct place *p)
{
	struct stat outside = look(p, "outside"), secret = look(p, "outside/secret");
	struct stat sub = look(p, "outside/sub");
	AUTO_FREE char *text = get_file(p->dir.fd, "outside/secret");

	assert_string_equal(text, "untouched");
	assert_true(is_untouched(&outside, &p->outside));
	assert_true(is_untouched(&secret, &p->secret));
	assert_true(is_untouched(&sub, &p->sub));
}

static int set_up(void **state)
{
	struct place *p = xzalloc(sizeof(*p));

	tempdir_make(&p->dir);
	assert_int_equal(mkdirat(p->dir.fd, "root", 0755), 0);
	p->root = fs_open_dir(p->dir.fd, "root");
	p->t.limit = SIZE_MAX;
	make_outside(p);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	close_fd(&p->root);
	tempdir_remove(&p->dir);
	buf_done(&p->t);
	free(p);
	return 0;
}

/* Layers that make, change or remove something, by ways that are being swapped. Small ones, as
 * the first entry that fails ends a layer. */
static void make_layer(struct buf *t, unsigned i)
{
	struct tarball_header dir = { '5', i & 1 ? "d/s" : "new/b", NULL, 0777, 5, 5, 0, 9, 0,
		0, 0, 0 };
	struct tarball_header fifo = { '6', "d/s/fifo", NULL, 0666, 5, 5, 0, 9, 0, 0, 0, 0 };
	AUTO_FREE char *deep = xasprintf("new/a%d/b/f", i % 4);

	buf_clear(t);
	if (i % 2 == 0) { /* a missing parent is made, whatever became of the one before */
		tarball_file(t, ".wh.fresh", "");
		tarball_file(t, "fresh/f", "");
		return;
	}
	switch (i / 2 % 11) {
	case 0:
		tarball_file(t, "d/secret", "overwritten");
		break;
	case 1:
		tarball_file(t, "d/s/secret", "overwritten");
		break;
	case 2:
		tarball_pax(t, "SCHILY.xattr.user.mark", "x");
		tarball_file(t, "d/s/marked", "");
		break;
	case 3:
	case 4:
		tarball_file(t, deep, "made");
		break;
	case 5:
		tarball_header(t, &dir);
		tarball_header(t, &fifo);
		break;
	case 6:
		tarball_file(t, "d/secret", "");
		tarball_link(t, '1', "d/s/hard", "d/secret");
		break;
	case 7:
		tarball_link(t, '2', "d/s/soft", "../../outside");
		tarball_file(t, "d/s/.wh.secret", "");
		break;
	case 8:
		tarball_file(t, "d/.wh..wh..opq", "");
		tarball_file(t, "d/.wh.s", "");
		break;
	case 9:
		tarball_dir(t, "new");
		tarball_file(t, "new/.wh..wh..opq", "");
		break;
	default:
		tarball_file(t, "new/.wh.a0", "");
		tarball_file(t, "new/.wh.a1", "");
		break;
	}
}

static void swap(int root, const char *a, const char *b)
{
	if (renameat2(root, a, root, b, RENAME_EXCHANGE) == 0)
		return;
	/* One is gone: things were removed as the layer says. */
	IGNORE(mkdirat(root, a, 0755));
	IGNORE(symlinkat("../outside", root, b));
}

/* A directory that was made this moment becomes a link. */
static void grab(int root, const char *outside)
{
	if (renameat2(root, "fresh", root, "abs", RENAME_EXCHANGE) < 0)
		return;
	IGNORE(unlinkat(root, "abs/f", 0));
	IGNORE(unlinkat(root, "abs", 0));
	IGNORE(unlinkat(root, "abs", AT_REMOVEDIR));
	IGNORE(symlinkat(outside, root, "abs"));
}

/* In a process of its own, until it is killed. It lives inside the root, as a container does,
 * so that it cannot follow its own links out. */
static void attack(int root, const char *outside)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || fchdir(root) < 0 || chroot(".") < 0)
		_exit(1);
	IGNORE(symlinkat("../outside", root, "link"));
	IGNORE(symlinkat(outside, root, "abs"));
	for (;;) {
		swap(root, "d", "link");
		swap(root, "d/s", "abs");
		swap(root, "new", "link");
		swap(root, "new/b", "abs");
		swap(root, "d/secret", "link");
		for (int i = 0; i < 200; i++)
			grab(root, outside);
	}
}

static pid_t start_attack(struct place *p)
{
	AUTO_FREE char *outside = xasprintf("%s/outside", p->dir.path);
	pid_t pid = fork();

	if (pid == 0) {
		attack(p->root, outside);
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void nothing_outside_changes(struct place *p, const struct extract_options *options)
{
	pid_t pid = start_attack(p);
	int64_t end = clock_mono_ns() + LONGEST_S * NS_PER_S;
	unsigned failed = 0;

	for (unsigned i = 0; i < ROUNDS && clock_mono_ns() < end; i++) {
		AUTO_ERR struct err err = { 0 };

		make_layer(&p->t, i);
		if (tar_extract(p->root, p->t.data, p->t.size, options, &err) < 0) {
			assert_int_not_equal(err.kind, ERR_NONE);
			failed++;
		}
		outside_is_untouched(p);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	outside_is_untouched(p);

	assert_true(failed < ROUNDS); /* it was not all in vain */
}

static void attackers_cannot_lead_out_of_the_root(void **state)
{
	const struct extract_options options = { 0 };

	if (geteuid() != 0)
		skip();
	nothing_outside_changes(*state, &options);
}

static void attackers_cannot_lead_out_of_an_upper_directory(void **state)
{
	const struct extract_options options = { .is_overlay = true };

	if (geteuid() != 0)
		skip();
	nothing_outside_changes(*state, &options);
}

#define AT_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT_PLACE(attackers_cannot_lead_out_of_the_root),
		AT_PLACE(attackers_cannot_lead_out_of_an_upper_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
