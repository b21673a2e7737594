/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <errno.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "os/fscopy.h"
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

static struct stat stat_of(const char *path)
{
	struct stat st = { 0 };

	assert_int_equal(fstatat(dir.fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static void assert_alike(const char *a, const char *b)
{
	struct stat x = stat_of(a), y = stat_of(b);

	assert_int_equal(x.st_mode, y.st_mode);
	assert_int_equal(x.st_uid, y.st_uid);
	assert_int_equal(x.st_gid, y.st_gid);
	assert_int_equal(x.st_nlink, y.st_nlink);
	assert_int_equal(x.st_rdev, y.st_rdev);
	assert_int_equal(x.st_mtim.tv_sec, y.st_mtim.tv_sec);
	assert_int_equal(x.st_mtim.tv_nsec, y.st_mtim.tv_nsec);
	if (!S_ISDIR(x.st_mode))
		assert_int_equal(x.st_size, y.st_size);
}

static void set_time(const char *path)
{
	const struct timespec times[2] = { { 1000000, 5 }, { 2000000, 7 } };

	assert_int_equal(utimensat(dir.fd, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void every_kind_of_file_is_copied(void **state)
{
	AUTO_FREE char *text = NULL, *target = NULL;

	assert_int_equal(fs_make_dirs(dir.fd, "a/d/e", 0755), 0);
	put_file(dir.fd, "a/d/file", "text");
	assert_int_equal(fchmodat(dir.fd, "a/d/file", 04751, 0), 0);
	assert_int_equal(linkat(dir.fd, "a/d/file", dir.fd, "a/d/e/again", 0), 0);
	assert_int_equal(symlinkat("../../../x", dir.fd, "a/link"), 0);
	assert_int_equal(mkfifoat(dir.fd, "a/fifo", 0640), 0);
	assert_int_equal(fchmodat(dir.fd, "a/d", 01730, 0), 0);
	set_time("a/d/file");
	set_time("a/link");
	set_time("a/fifo");
	set_time("a/d/e");
	set_time("a/d");
	assert_int_equal(fscopy_tree(dir.fd, "a", dir.fd, "b"), 0);
	assert_alike("a/d", "b/d");
	assert_alike("a/d/e", "b/d/e");
	assert_alike("a/d/file", "b/d/file");
	assert_alike("a/link", "b/link");
	assert_alike("a/fifo", "b/fifo");
	assert_int_equal(stat_of("b/d/file").st_ino, stat_of("b/d/e/again").st_ino);
	assert_true(stat_of("a/d/file").st_ino != stat_of("b/d/file").st_ino);
	text = get_file(dir.fd, "b/d/file");
	assert_string_equal(text, "text");
	assert_int_equal(fs_read_link(dir.fd, "b/link", &target), 0);
	assert_string_equal(target, "../../../x");
	assert_false(is_there(dir.fd, "b.links"));
}

static void owners_devices_and_attributes_are_copied(void **state)
{
	AUTO_CLOSE int fd = -1, copy = -1;
	char value[8];

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdirat(dir.fd, "a", 0755), 0);
	put_file(dir.fd, "a/file", "x");
	assert_int_equal(fchownat(dir.fd, "a/file", 1234, 2345, 0), 0);
	assert_int_equal(fchmodat(dir.fd, "a/file", 06755, 0), 0);
	if (mknodat(dir.fd, "a/dev", S_IFCHR | 0600, makedev(0, 0)) < 0)
		skip();
	fd = openat(dir.fd, "a/file", O_RDONLY);
	if (fsetxattr(fd, "trusted.test", "value", 5, 0) < 0)
		skip();
	assert_int_equal(fscopy_tree(dir.fd, "a", dir.fd, "b"), 0);
	assert_alike("a/file", "b/file");
	assert_alike("a/dev", "b/dev");
	copy = openat(dir.fd, "b/file", O_RDONLY);
	assert_int_equal(fgetxattr(copy, "trusted.test", value, sizeof(value)), 5);
	assert_memory_equal(value, "value", 5);
}

static void holes_stay_holes(void **state)
{
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *got = NULL;

	assert_int_equal(mkdirat(dir.fd, "a", 0755), 0);
	fd = openat(dir.fd, "a/sparse", O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	assert_int_equal(pwrite(fd, "middle", 6, 32 << 20), 6);
	assert_int_equal(fscopy_tree(dir.fd, "a", dir.fd, "b"), 0);
	assert_int_equal(stat_of("b/sparse").st_size, 64 << 20);
	assert_true(stat_of("b/sparse").st_blocks < 1024);
	close_fd(&fd);
	fd = openat(dir.fd, "b/sparse", O_RDONLY);
	got = calloc(1, 7);
	assert_int_equal(pread(fd, got, 6, 32 << 20), 6);
	assert_string_equal(got, "middle");
}

static void deep_trees_are_copied(void **state)
{
	AUTO_CLOSE int fd = -1;
	struct fs_usage a, b;

	assert_int_equal(mkdirat(dir.fd, "a", 0755), 0);
	fd = fs_open_dir(dir.fd, "a");
	for (int i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = fs_open_dir(fd, "d");
		close_fd(&fd);
		fd = next;
	}
	put_file(fd, "one", "x");
	assert_int_equal(linkat(fd, "one", fd, "two", 0), 0);
	assert_int_equal(fscopy_tree(dir.fd, "a", dir.fd, "b"), 0);
	assert_int_equal(fs_usage(dir.fd, "a", &a), 0);
	assert_int_equal(fs_usage(dir.fd, "b", &b), 0);
	assert_int_equal(a.inodes, b.inodes);
}

static void what_is_not_there_is_an_error(void **state)
{
	assert_int_equal(fscopy_tree(dir.fd, "none", dir.fd, "b"), -ENOENT);
	assert_false(is_there(dir.fd, "b.links"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(every_kind_of_file_is_copied),
		T(owners_devices_and_attributes_are_copied),
		T(holes_stay_holes),
		T(deep_trees_are_copied),
		T(what_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
