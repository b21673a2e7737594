/* SPDX-License-Identifier: Apache-2.0 */
/* What every snapshotter that keeps files does with them, seen through its mounts. The driver's
 * program sets "dir" up in open_snapshotter(). */
#pragma once

#include <errno.h>

#include "conformance/snapshot_suite.h"
#include "mount/mount.h"
#include "support/tempdir.h"

static struct tempdir dir;

/* Mounts a snapshot on <dir>/mnt and opens it. */
static int mounted(const char *key)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_FREE char *target = xasprintf("%s/mnt", dir.path);
	AUTO_ERR struct err err = { 0 };
	int fd;

	assert_int_equal(fs_make_dirs(dir.fd, "mnt", 0755), 0);
	assert_ok(snapshot_mounts(sn, &ctx, key, &m, &err), &err);
	assert_ok(mount_all(&m, target, dir.path, &ctx, &err), &err);
	fd = open(target, O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void unmounted(int fd)
{
	AUTO_FREE char *target = xasprintf("%s/mnt", dir.path);
	AUTO_ERR struct err err = { 0 };

	close_fd(&fd);
	assert_ok(mount_undo_tree(target, 0, &ctx, &err), &err);
}

static void assert_content(int fd, const char *name, const char *want)
{
	AUTO_FREE char *got = get_file(fd, name);

	assert_non_null(got);
	assert_string_equal(got, want);
}

static void layers_add_change_and_hide_files(void **state)
{
	int fd;

	prepare("a", NULL);
	fd = mounted("a");
	put_file(fd, "kept", "1");
	put_file(fd, "changed", "1");
	put_file(fd, "deleted", "1");
	assert_int_equal(fs_make_dirs(fd, "dir/sub", 0750), 0);
	put_file(fd, "dir/sub/file", "1");
	unmounted(fd);
	commit("one", "a");

	prepare("b", "one");
	fd = mounted("b");
	assert_content(fd, "kept", "1");
	put_file(fd, "changed", "2");
	put_file(fd, "new", "2");
	assert_int_equal(unlinkat(fd, "deleted", 0), 0);
	assert_int_equal(fs_remove_all(fd, "dir"), 0);
	unmounted(fd);
	commit("two", "b");

	view("one-view", "one");
	fd = mounted("one-view");
	assert_content(fd, "changed", "1");
	assert_content(fd, "dir/sub/file", "1");
	assert_false(is_there(fd, "new"));
	unmounted(fd);

	view("two-view", "two");
	fd = mounted("two-view");
	assert_content(fd, "kept", "1");
	assert_content(fd, "changed", "2");
	assert_content(fd, "new", "2");
	assert_false(is_there(fd, "deleted"));
	assert_false(is_there(fd, "dir"));
	unmounted(fd);
}

static void views_are_read_only(void **state)
{
	int fd;

	prepare("a", NULL);
	fd = mounted("a");
	put_file(fd, "file", "1");
	unmounted(fd);
	commit("one", "a");
	prepare("b", "one");
	commit("two", "b");
	view("empty", NULL);
	view("v1", "one");
	view("v2", "two");
	for (int i = 0; i < 3; i++) {
		fd = mounted(i == 0 ? "empty" : i == 1 ? "v1" : "v2");
		assert_int_equal(openat(fd, "x", O_CREAT | O_WRONLY, 0600), -1);
		assert_int_equal(errno, EROFS);
		unmounted(fd);
	}
}

/* Upstream's own suite checks this. */
static void the_root_directory_is_0755(void **state)
{
	mode_t old = umask(0077);
	struct stat st;
	int fd;

	prepare("a", NULL);
	fd = mounted("a");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	unmounted(fd);
	commit("one", "a");
	prepare("b", "one");
	fd = mounted("b");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	unmounted(fd);
	umask(old);
}

static void the_owner_of_the_root_directory_is_inherited(void **state)
{
	struct stat st;
	int fd;

	prepare("a", NULL);
	fd = mounted("a");
	assert_int_equal(fchown(fd, 1234, 2345), 0);
	unmounted(fd);
	commit("one", "a");
	prepare("b", "one");
	fd = mounted("b");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 2345);
	unmounted(fd);
}

static void usage_is_measured_and_frozen(void **state)
{
	struct snapshot_usage before, after, frozen;
	AUTO_ERR struct err err = { 0 };
	int fd;

	prepare("a", NULL);
	assert_ok(snapshot_usage(sn, &ctx, "a", &before, &err), &err);
	assert_int_equal(before.inodes, 1);
	fd = mounted("a");
	put_file(fd, "file", "some text that takes a block");
	assert_int_equal(linkat(fd, "file", fd, "again", 0), 0);
	assert_int_equal(mkdirat(fd, "dir", 0755), 0);
	assert_int_equal(syncfs(fd), 0); /* blocks are allocated when written */
	unmounted(fd);
	assert_ok(snapshot_usage(sn, &ctx, "a", &after, &err), &err);
	assert_int_equal(after.inodes, 3);
	assert_true(after.size > before.size);
	commit("one", "a");
	assert_ok(snapshot_usage(sn, &ctx, "one", &frozen, &err), &err);
	assert_int_equal(frozen.inodes, after.inodes);
	assert_int_equal(frozen.size, after.size);
	view("v", "one");
	assert_ok(snapshot_usage(sn, &ctx, "v", &after, &err), &err);
	assert_int_equal(after.inodes, 0);
	assert_int_equal(after.size, 0);
	assert_fails(snapshot_usage(sn, &ctx, "none", &after, &err), &err, ERR_NOT_FOUND);
}

#define SNAPSHOT_FILES_SUITE                                                                   \
	SNAPSHOT_TEST(layers_add_change_and_hide_files), SNAPSHOT_TEST(views_are_read_only),   \
			SNAPSHOT_TEST(the_root_directory_is_0755),                             \
			SNAPSHOT_TEST(the_owner_of_the_root_directory_is_inherited),           \
			SNAPSHOT_TEST(usage_is_measured_and_frozen)
