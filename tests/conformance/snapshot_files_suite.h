/* SPDX-License-Identifier: Apache-2.0 */
/* What every snapshotter that keeps files does with them, seen through its mounts. The driver's
 * program sets "dir" up in open_snapshotter(). */
#pragma once

#include <errno.h>
#include <sys/xattr.h>

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

static void removed_directories_come_back_empty(void **state)
{
	int fd;

	prepare("a", NULL);
	fd = mounted("a");
	assert_int_equal(fs_make_dirs(fd, "dir/sub", 0755), 0);
	put_file(fd, "dir/sub/old", "1");
	put_file(fd, "dir/old", "1");
	unmounted(fd);
	commit("one", "a");
	prepare("b", "one");
	fd = mounted("b");
	assert_int_equal(fs_remove_all(fd, "dir"), 0);
	assert_int_equal(mkdirat(fd, "dir", 0755), 0);
	put_file(fd, "dir/new", "2");
	unmounted(fd);
	commit("two", "b");
	view("v", "two");
	fd = mounted("v");
	assert_true(is_there(fd, "dir/new"));
	assert_false(is_there(fd, "dir/old"));
	assert_false(is_there(fd, "dir/sub"));
	unmounted(fd);
}

static void names_change_what_they_stand_for(void **state)
{
	int fd;

	prepare("a", NULL);
	fd = mounted("a");
	put_file(fd, "file", "1");
	put_file(fd, "from", "moved");
	assert_int_equal(fs_make_dirs(fd, "dir/sub", 0755), 0);
	unmounted(fd);
	commit("one", "a");
	prepare("b", "one");
	fd = mounted("b");
	assert_int_equal(unlinkat(fd, "file", 0), 0);
	assert_int_equal(mkdirat(fd, "file", 0755), 0);
	put_file(fd, "file/inside", "2");
	assert_int_equal(fs_remove_all(fd, "dir"), 0);
	put_file(fd, "dir", "2");
	assert_int_equal(renameat(fd, "from", fd, "to"), 0);
	unmounted(fd);
	commit("two", "b");
	view("v", "two");
	fd = mounted("v");
	assert_content(fd, "file/inside", "2");
	assert_content(fd, "dir", "2");
	assert_content(fd, "to", "moved");
	assert_false(is_there(fd, "from"));
	unmounted(fd);
}

static void check_kinds(int fd)
{
	AUTO_FREE char *target = NULL;
	AUTO_CLOSE int sub = -1;
	char value[8] = { 0 };
	struct stat st, other;

	assert_int_equal(fstatat(fd, "file", &st, 0), 0);
	assert_int_equal(fstatat(fd, "again", &other, 0), 0);
	assert_int_equal(st.st_ino, other.st_ino);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_mode & 07777, 04750);
	assert_int_equal(fs_read_link(fd, "link", &target), 0);
	assert_string_equal(target, "/nowhere");
	assert_int_equal(fstatat(fd, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_gid, 77);
	assert_int_equal(fstatat(fd, "fifo", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(fstatat(fd, "sticky", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 01777);
	sub = fs_open_dir(fd, "sticky");
	assert_int_equal(fgetxattr(sub, "security.ctrd", value, sizeof(value)), 1);
	assert_string_equal(value, "x");
}

static void files_of_every_kind_survive_layers(void **state)
{
	int fd, sub;

	prepare("a", NULL);
	fd = mounted("a");
	put_file(fd, "file", "1");
	assert_int_equal(linkat(fd, "file", fd, "again", 0), 0);
	assert_int_equal(fchownat(fd, "file", 1000, 1000, 0), 0);
	assert_int_equal(fchmodat(fd, "file", 04750, 0), 0);
	assert_int_equal(symlinkat("/nowhere", fd, "link"), 0);
	assert_int_equal(fchownat(fd, "link", 77, 77, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(mkfifoat(fd, "fifo", 0600), 0);
	assert_int_equal(mkdirat(fd, "sticky", 0755), 0);
	assert_int_equal(fchmodat(fd, "sticky", 01777, 0), 0);
	sub = fs_open_dir(fd, "sticky");
	assert_int_equal(fsetxattr(sub, "security.ctrd", "x", 1, 0), 0);
	close_fd(&sub);
	check_kinds(fd);
	unmounted(fd);
	commit("one", "a");
	prepare("b", "one");
	fd = mounted("b");
	check_kinds(fd);
	put_file(fd, "new", "2");
	unmounted(fd);
	commit("two", "b");
	view("v", "two");
	fd = mounted("v");
	check_kinds(fd);
	unmounted(fd);
}

static void metadata_of_a_lower_file_changes_above_only(void **state)
{
	struct stat st;
	int fd;

	prepare("a", NULL);
	fd = mounted("a");
	put_file(fd, "file", "1");
	unmounted(fd);
	commit("one", "a");
	prepare("b", "one");
	fd = mounted("b");
	assert_int_equal(fchownat(fd, "file", 1000, 2000, 0), 0);
	assert_int_equal(fchmodat(fd, "file", 0600, 0), 0);
	unmounted(fd);
	commit("two", "b");
	view("below", "one");
	fd = mounted("below");
	assert_int_equal(fstatat(fd, "file", &st, 0), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	unmounted(fd);
	view("above", "two");
	fd = mounted("above");
	assert_int_equal(fstatat(fd, "file", &st, 0), 0);
	assert_int_equal(st.st_gid, 2000);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_content(fd, "file", "1");
	unmounted(fd);
}

/* More than the options of one mount have room for, unless they are written short. */
#define MANY_LAYERS 128

static void images_may_have_many_layers(void **state)
{
	char parent[32] = "", key[32], name[32];
	int fd;

	for (int i = 0; i < MANY_LAYERS; i++) {
		(void)snprintf(key, sizeof(key), "layer-%d", i);
		(void)snprintf(name, sizeof(name), "%d", i);
		prepare("extract", parent);
		if (i % 32 == 0) { /* the others stay empty: mounting each takes its time */
			fd = mounted("extract");
			put_file(fd, name, name);
			unmounted(fd);
		}
		commit(key, "extract");
		memcpy(parent, key, sizeof(parent));
	}
	prepare("top", parent);
	fd = mounted("top");
	for (int i = 0; i < MANY_LAYERS; i += 32) {
		(void)snprintf(name, sizeof(name), "%d", i);
		assert_content(fd, name, name);
	}
	put_file(fd, "above", "all");
	unmounted(fd);
}

#define SNAPSHOT_FILES_SUITE                                                                   \
	SNAPSHOT_TEST(layers_add_change_and_hide_files), SNAPSHOT_TEST(views_are_read_only),   \
			SNAPSHOT_TEST(the_root_directory_is_0755),                             \
			SNAPSHOT_TEST(the_owner_of_the_root_directory_is_inherited),           \
			SNAPSHOT_TEST(usage_is_measured_and_frozen),                           \
			SNAPSHOT_TEST(removed_directories_come_back_empty),                    \
			SNAPSHOT_TEST(names_change_what_they_stand_for),                       \
			SNAPSHOT_TEST(files_of_every_kind_survive_layers),                     \
			SNAPSHOT_TEST(metadata_of_a_lower_file_changes_above_only),            \
			SNAPSHOT_TEST(images_may_have_many_layers)
