/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the security table: CVE-2022-23648 (links on the host), CVE-2026-47262 (what may
 * stand in the place of passwd). */
#include "client/client_rootfs_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/buf.h"
#include "base/io.h"
#include "support/tempdir.h"
#include "unit/unit.h"

/* Three layers, the first is the topmost. */
struct layers {
	struct tempdir dirs[3];
	int fds[3];
	struct ctrd_rootfs root;
};

static int set_up(void **state)
{
	static struct layers l;

	for (size_t i = 0; i < 3; i++) {
		tempdir_make(&l.dirs[i]);
		l.fds[i] = l.dirs[i].fd;
	}
	l.root = (struct ctrd_rootfs){ l.fds, 3 };
	*state = &l;
	return 0;
}

static int tear_down(void **state)
{
	struct layers *l = *state;

	for (size_t i = 0; i < 3; i++)
		tempdir_remove(&l->dirs[i]);
	return 0;
}

static void expect_text(struct layers *l, const char *path, const char *want)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_CLOSE int fd = -1;
	AUTO_BUF struct buf b = { .limit = 1000 };

	assert_ok(rootfs_open_file(&l->root, path, 1000, &fd, &err), &err);
	assert_true(fd >= 0);
	assert_int_equal(io_read_all(fd, &b), 0);
	assert_string_equal(b.data, want);
}

static void expect_nothing(struct layers *l, const char *path)
{
	AUTO_ERR struct err err = { 0 };
	int fd = -1;

	assert_int_equal(rootfs_open_file(&l->root, path, 1000, &fd, &err), 0);
	assert_int_equal(fd, -1);
}

static void expect_refusal(struct layers *l, const char *path)
{
	AUTO_ERR struct err err = { 0 };
	int fd = -1;

	assert_int_equal(rootfs_open_file(&l->root, path, 1000, &fd, &err), -1);
}

static void make_dir(struct layers *l, size_t layer, const char *path)
{
	assert_int_equal(mkdirat(l->fds[layer], path, 0755), 0);
}

static void the_topmost_layer_that_has_a_file_shows_it(void **state)
{
	struct layers *l = *state;

	for (size_t i = 0; i < 3; i++)
		make_dir(l, i, "etc");
	put_file(l->fds[2], "etc/passwd", "low");
	put_file(l->fds[2], "etc/group", "low");
	put_file(l->fds[1], "etc/passwd", "high");
	expect_text(l, "/etc/passwd", "high");
	expect_text(l, "/etc/group", "low");
	expect_nothing(l, "/etc/shadow");
	expect_nothing(l, "/no/such/dir");
}

static void whiteouts_and_opaque_directories_hide_what_is_below(void **state)
{
	struct layers *l = *state;

	make_dir(l, 2, "etc");
	make_dir(l, 1, "etc");
	make_dir(l, 2, "opaque");
	make_dir(l, 1, "opaque");
	put_file(l->fds[2], "etc/passwd", "low");
	put_file(l->fds[2], "opaque/x", "low");
	if (mknodat(l->fds[1], "etc/passwd", S_IFCHR, makedev(0, 0)) < 0 && errno == EPERM)
		skip();
	expect_nothing(l, "/etc/passwd");
	{
		AUTO_CLOSE int fd = openat(l->fds[1], "opaque", O_RDONLY | O_CLOEXEC);

		if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
			skip();
	}
	expect_nothing(l, "/opaque/x");
}

static void links_are_followed_through_the_layers_and_never_out(void **state)
{
	struct layers *l = *state;

	make_dir(l, 2, "etc");
	make_dir(l, 1, "real");
	put_file(l->fds[1], "real/passwd", "found");
	assert_int_equal(symlinkat("/real/passwd", l->fds[2], "etc/passwd"), 0);
	assert_int_equal(symlinkat("../../../../real/passwd", l->fds[2], "etc/group"), 0);
	assert_int_equal(symlinkat("real", l->fds[0], "alias"), 0);
	expect_text(l, "/etc/passwd", "found");
	expect_text(l, "/etc/group", "found");
	expect_text(l, "/alias/passwd", "found");
	/* The host has this file; the root has not. */
	assert_int_equal(symlinkat("/etc/hostname", l->fds[0], "out"), 0);
	expect_nothing(l, "/out");
	expect_nothing(l, "/../../../../etc/hostname");
}

static void endless_links_are_refused(void **state)
{
	struct layers *l = *state;

	assert_int_equal(symlinkat("b", l->fds[0], "a"), 0);
	assert_int_equal(symlinkat("a", l->fds[0], "b"), 0);
	assert_int_equal(symlinkat("self/self", l->fds[0], "self"), 0);
	expect_refusal(l, "/a");
	expect_refusal(l, "/self");
}

static void only_small_regular_files_are_opened(void **state)
{
	struct layers *l = *state;
	AUTO_CLOSE int fd = -1;

	make_dir(l, 0, "dir");
	assert_int_equal(mkfifoat(l->fds[0], "fifo", 0600), 0);
	put_file(l->fds[0], "plain", "x");
	fd = openat(l->fds[0], "big", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, INT64_C(10) << 30), 0);
	expect_refusal(l, "/dir");
	expect_refusal(l, "/fifo");
	expect_refusal(l, "/big");
	expect_refusal(l, "/plain/below");
	expect_refusal(l, "/");
	if (mknodat(l->fds[0], "null", S_IFCHR | 0600, makedev(1, 3)) == 0)
		expect_refusal(l, "/null");
}

#define ROOTFS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOTFS_TEST(the_topmost_layer_that_has_a_file_shows_it),
		ROOTFS_TEST(whiteouts_and_opaque_directories_hide_what_is_below),
		ROOTFS_TEST(links_are_followed_through_the_layers_and_never_out),
		ROOTFS_TEST(endless_links_are_refused),
		ROOTFS_TEST(only_small_regular_files_are_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
