/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <errno.h>

#include "base/mem.h"
#include "base/str.h"
#include "support/tempdir.h"

static struct tempdir dir;

static int setup(void **state)
{
	tempdir_make(&dir);
	return 0;
}

static int teardown(void **state)
{
	tempdir_remove(&dir);
	return 0;
}

static void links_cannot_leave_the_root(void **state)
{
	AUTO_CLOSE int root = -1, fd = -1;

	assert_int_equal(fs_make_dirs(dir.fd, "root/etc", 0755), 0);
	root = fs_open_dir(dir.fd, "root");
	put_file(root, "etc/inside", "x");
	assert_int_equal(symlinkat("/etc", root, "absolute"), 0);
	assert_int_equal(symlinkat("../../../../etc", root, "dots"), 0);
	fd = fs_open_in(root, "absolute/inside", O_RDONLY, 0);
	assert_true(fd >= 0);
	close_fd(&fd);
	fd = fs_open_in(root, "dots/inside", O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_int_equal(fs_open_in(root, "dots/passwd", O_RDONLY, 0), -ENOENT);
	assert_int_equal(fs_open_beneath(root, "absolute/inside", O_RDONLY, 0), -ELOOP);
	assert_int_equal(fs_open_beneath(root, "../x", O_RDONLY, 0), -EXDEV);
	assert_int_equal(fs_open_dir(root, "absolute"), -ENOTDIR);
}

static void magic_links_are_refused(void **state)
{
	AUTO_CLOSE int proc = fs_open_dir(AT_FDCWD, "/proc");

	assert_true(proc >= 0);
	assert_int_equal(fs_open_in(proc, "self/root", O_PATH, 0), -ELOOP);
}

static void temporary_files_have_no_name(void **state)
{
	struct tempdir own;
	AUTO_CLOSE int fd = -1;
	AUTO_STRV char **names = NULL;
	char got[4] = "";

	tempdir_make(&own);
	fd = fs_temp_file(own.path);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "abc", 3, 0), 3);
	assert_int_equal(pread(fd, got, 3, 0), 3);
	assert_string_equal(got, "abc");
	assert_int_equal(fs_list(own.fd, ".", &names), 0);
	assert_int_equal(strv_len(names), 0);
	tempdir_remove(&own);
	assert_int_equal(fs_temp_file(own.path), -ENOENT);
}

static void missing_directories_are_made_and_others_kept(void **state)
{
	struct stat st;

	assert_int_equal(fs_make_dirs(dir.fd, "a", 0700), 0);
	assert_int_equal(fs_make_dirs(dir.fd, "a/b/c", 0755), 0);
	assert_int_equal(fstatat(dir.fd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	put_file(dir.fd, "a/file", "");
	assert_int_equal(fs_make_dirs(dir.fd, "a/file/c", 0755), -ENOTDIR);
	assert_int_equal(fs_make_dirs(dir.fd, "", 0755), -ENOENT);
}

static void durable_directories_are_directories(void **state)
{
	AUTO_FREE char *path = xasprintf("%s/d/e", dir.path);
	AUTO_FREE char *file = xasprintf("%s/d/e/file", dir.path);

	assert_int_equal(fs_make_dirs_durable(path, 0755), 0);
	assert_int_equal(fs_make_dirs_durable(path, 0755), 0);
	put_file(dir.fd, "d/e/file", "");
	assert_int_equal(fs_make_dirs_durable(file, 0755), -ENOTDIR);
	assert_int_equal(fs_make_dirs_durable("", 0755), -ENOENT);
}

static void lists_are_sorted(void **state)
{
	AUTO_STRV char **names = NULL;

	put_file(dir.fd, "b", "");
	put_file(dir.fd, "a", "");
	put_file(dir.fd, ".c", "");
	assert_int_equal(fs_list(dir.fd, ".", &names), 0);
	assert_int_equal(strv_len(names), 3);
	assert_string_equal(names[0], ".c");
	assert_string_equal(names[1], "a");
	assert_string_equal(names[2], "b");
}

static void links_are_read_whole(void **state)
{
	AUTO_FREE char *target = NULL;

	assert_int_equal(symlinkat("some/where", dir.fd, "link"), 0);
	assert_int_equal(fs_read_link(dir.fd, "link", &target), 0);
	assert_string_equal(target, "some/where");
}

static void make_deep(const char *name, int depth)
{
	AUTO_CLOSE int fd = -1;

	assert_int_equal(mkdirat(dir.fd, name, 0755), 0);
	fd = fs_open_dir(dir.fd, name);
	for (int i = 0; i < depth; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		put_file(fd, "f", "");
		next = fs_open_dir(fd, "d");
		assert_true(next >= 0);
		close_fd(&fd);
		fd = next;
	}
}

static void deep_trees_are_measured_and_removed(void **state)
{
	struct fs_usage usage;

	make_deep("deep", 6000);
	assert_int_equal(fs_usage(dir.fd, "deep", &usage), 0);
	assert_int_equal(usage.inodes, 1 + 2 * 6000);
	assert_int_equal(fs_remove_all(dir.fd, "deep"), 0);
	assert_false(is_there(dir.fd, "deep"));
}

static void wide_trees_are_removed(void **state)
{
	AUTO_CLOSE int top = -1;

	assert_int_equal(mkdirat(dir.fd, "wide", 0755), 0);
	top = fs_open_dir(dir.fd, "wide");
	for (int i = 0; i < 3000; i++) {
		AUTO_FREE char *name = xasprintf("directory-with-some-name-%d", i);
		AUTO_FREE char *file = xasprintf("%s/f", name);

		assert_int_equal(mkdirat(top, name, 0755), 0);
		if (i % 2 == 0)
			put_file(top, file, "");
	}
	assert_int_equal(fs_remove_all(dir.fd, "wide"), 0);
	assert_false(is_there(dir.fd, "wide"));
}

static void removal_does_not_follow_links(void **state)
{
	assert_int_equal(fs_make_dirs(dir.fd, "outside", 0755), 0);
	put_file(dir.fd, "outside/file", "kept");
	assert_int_equal(fs_make_dirs(dir.fd, "tree/sub", 0755), 0);
	assert_int_equal(symlinkat("../../outside", dir.fd, "tree/sub/link"), 0);
	assert_int_equal(symlinkat("outside", dir.fd, "toplink"), 0);
	assert_int_equal(fs_remove_all(dir.fd, "tree"), 0);
	assert_int_equal(fs_remove_all(dir.fd, "toplink"), 0);
	assert_false(is_there(dir.fd, "tree"));
	assert_false(is_there(dir.fd, "toplink"));
	assert_true(is_there(dir.fd, "outside/file"));
}

static void removing_what_is_missing_is_fine(void **state)
{
	assert_int_equal(fs_remove_all(dir.fd, "nothing"), 0);
	put_file(dir.fd, "file", "");
	assert_int_equal(fs_remove_all(dir.fd, "file"), 0);
	assert_false(is_there(dir.fd, "file"));
}

static void what_is_mounted_inside_is_not_touched(void **state)
{
	AUTO_FREE char *target = xasprintf("%s/tree/sub/mnt", dir.path);
	AUTO_FREE char *source = xasprintf("%s/outside", dir.path);
	struct fs_usage usage;

	if (!own_mounts(&dir))
		skip();
	assert_int_equal(fs_make_dirs(dir.fd, "outside", 0755), 0);
	put_file(dir.fd, "outside/file", "kept");
	assert_int_equal(fs_make_dirs(dir.fd, "tree/sub/mnt", 0755), 0);
	assert_int_equal(mount(source, target, "", MS_BIND, NULL), 0);
	assert_int_equal(fs_usage(dir.fd, "tree", &usage), 0);
	assert_int_equal(usage.inodes, 2);
	assert_int_equal(fs_remove_all(dir.fd, "tree"), -EBUSY);
	assert_true(is_there(dir.fd, "outside/file"));
	assert_int_equal(umount2(target, MNT_DETACH), 0);
	assert_int_equal(fs_remove_all(dir.fd, "tree"), 0);
}

static void usage_counts_every_inode_once(void **state)
{
	struct fs_usage usage;
	struct stat st, top;

	assert_int_equal(fs_make_dirs(dir.fd, "u/sub", 0755), 0);
	put_file(dir.fd, "u/file", "some text");
	assert_int_equal(linkat(dir.fd, "u/file", dir.fd, "u/sub/again", 0), 0);
	assert_int_equal(symlinkat("/etc", dir.fd, "u/link"), 0);
	assert_int_equal(fs_usage(dir.fd, "u", &usage), 0);
	assert_int_equal(usage.inodes, 4); /* u, sub, file, link */
	assert_int_equal(fstatat(dir.fd, "u/file", &st, 0), 0);
	assert_int_equal(fstatat(dir.fd, "u", &top, 0), 0);
	assert_int_equal(usage.size, 512 * (2 * top.st_blocks + st.st_blocks));
	assert_int_equal(fs_usage(dir.fd, "none", &usage), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(links_cannot_leave_the_root),
		T(magic_links_are_refused),
		T(temporary_files_have_no_name),
		T(missing_directories_are_made_and_others_kept),
		T(durable_directories_are_directories),
		T(lists_are_sorted),
		T(links_are_read_whole),
		T(deep_trees_are_measured_and_removed),
		T(wide_trees_are_removed),
		T(removal_does_not_follow_links),
		T(removing_what_is_missing_is_fine),
		T(what_is_mounted_inside_is_not_touched),
		T(usage_counts_every_inode_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
