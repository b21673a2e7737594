/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <errno.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "os/mountsys.h"
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

static void errors_are_the_kernels(void **state)
{
	assert_int_equal(mountsys_umount(dir.path, 0), geteuid() == 0 ? -EINVAL : -EPERM);
	assert_int_equal(mountsys_clone_tree(dir.fd, "none", false),
			geteuid() == 0 ? -ENOENT : -EPERM);
}

static void a_mount_can_name_its_layers_relative_to_a_directory(void **state)
{
	AUTO_FREE char *target = xasprintf("%s/mnt", dir.path);
	char before[PATH_MAX], after[PATH_MAX];

	if (!own_mounts(&dir))
		skip();
	assert_int_equal(mkdirat(dir.fd, "a", 0755), 0);
	assert_int_equal(mkdirat(dir.fd, "b", 0755), 0);
	assert_int_equal(mkdirat(dir.fd, "mnt", 0755), 0);
	put_file(dir.fd, "a/x", "upper");
	put_file(dir.fd, "b/y", "lower");
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(mountsys_mount_from(dir.path, "overlay", target, "overlay", MS_RDONLY,
					 "lowerdir=a:b"),
			0);
	assert_non_null(getcwd(after, sizeof(after)));
	assert_string_equal(before, after);
	assert_true(is_there(dir.fd, "mnt/x"));
	assert_true(is_there(dir.fd, "mnt/y"));
	assert_int_equal(mountsys_umount(target, 0), 0);
}

static void owners_are_shifted_by_a_user_namespace(void **state)
{
	AUTO_FREE char *target = xasprintf("%s/to", dir.path);
	AUTO_CLOSE int ns = -1, tree = -1;
	struct stat st;
	int rc;

	if (!own_mounts(&dir))
		skip();
	ns = mountsys_make_userns("0 100000 65536\n", "0 200000 65536\n");
	if (ns == -EPERM || ns == -ENOSPC)
		skip();
	assert_true(ns >= 0);
	assert_int_equal(mkdirat(dir.fd, "from", 0755), 0);
	assert_int_equal(mkdirat(dir.fd, "to", 0755), 0);
	put_file(dir.fd, "from/file", "");
	tree = mountsys_clone_tree(dir.fd, "from", false);
	assert_true(tree >= 0);
	rc = mountsys_set_idmap(tree, ns, true, false);
	if (rc == -EINVAL) /* a filesystem that cannot */
		skip();
	assert_int_equal(rc, 0);
	assert_int_equal(mountsys_attach(tree, dir.fd, "to"), 0);
	assert_int_equal(fstatat(dir.fd, "to/file", &st, 0), 0);
	assert_int_equal(st.st_uid, 100000);
	assert_int_equal(st.st_gid, 200000);
	assert_int_equal(openat(dir.fd, "to/new", O_CREAT | O_WRONLY, 0600), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(umount2(target, MNT_DETACH), 0);
}

static int is_mounted(const char *path)
{
	struct statx st;

	assert_int_equal(statx(AT_FDCWD, path, 0, STATX_TYPE, &st), 0);
	return (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* What the process apart has still to do ends with it, so whoever waits for that one finds
 * nothing of the file system left. */
static void an_umount_apart_leaves_its_end_to_a_child(void **state)
{
	AUTO_FREE char *base = xasprintf("%s/base", dir.path);
	AUTO_FREE char *target = xasprintf("%s/merged", dir.path);
	AUTO_FREE char *layers = xasprintf(
			"lowerdir=%s/l,upperdir=%s/u,workdir=%s/w,index=off", base, base, base);
	AUTO_FREE char *file = xasprintf("%s/file", target);
	int busy;

	if (!own_mounts(&dir))
		skip();
	assert_int_equal(mkdirat(dir.fd, "base", 0755), 0);
	assert_int_equal(mkdirat(dir.fd, "merged", 0755), 0);
	assert_int_equal(mount("base", base, "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdirat(dir.fd, "base/l", 0755), 0);
	assert_int_equal(mkdirat(dir.fd, "base/u", 0755), 0);
	assert_int_equal(mkdirat(dir.fd, "base/w", 0755), 0);
	if (mount("overlay", target, "overlay", 0, layers) < 0)
		skip();
	busy = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(busy >= 0);
	assert_int_equal(mountsys_umount_apart(target, 0), -EBUSY);
	assert_int_equal(waitpid(-1, NULL, 0) > 0, 1);
	assert_int_equal(is_mounted(target), 1);
	assert_int_equal(close(busy), 0);
	assert_int_equal(mountsys_umount_apart(target, 0), 0);
	assert_int_equal(is_mounted(target), 0);
	/* The directories can be used at once. */
	assert_int_equal(mount("overlay", target, "overlay", 0, layers), 0);
	assert_int_equal(waitpid(-1, NULL, 0) > 0, 1);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(mountsys_umount_apart(target, 0), 0);
	assert_int_equal(waitpid(-1, NULL, 0) > 0, 1);
	assert_int_equal(mountsys_umount_apart(target, 0), -EINVAL);
	assert_int_equal(waitpid(-1, NULL, 0) > 0, 1);
	assert_int_equal(mountsys_umount(base, 0), 0);
}

static void a_directory_in_memory_has_a_path_but_no_place(void **state)
{
	int memory = mountsys_memory_dir();
	AUTO_FREE char *file = xasprintf("/proc/%d/fd/%d/x", getpid(), memory);
	AUTO_FREE char *other = xasprintf("/proc/%d/fd/%d/y", getpid(), memory);
	AUTO_BUF struct buf table = { .limit = 64 << 20 };
	AUTO_CLOSE int fd = -1;

	if (memory == -EPERM)
		skip();
	assert_true(memory >= 0);
	fd = open(file, O_CREAT | O_EXCL | O_WRONLY | O_SYNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(rename(file, other), 0);
	assert_int_equal(faccessat(memory, "y", F_OK, 0), 0);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(io_read_file(AT_FDCWD, "/proc/self/mountinfo", &table), 0);
	assert_null(strstr(table.data, "/proc/self/fd"));
	assert_int_equal(close(memory), 0);
}

static void bad_maps_are_refused(void **state)
{
	assert_true(mountsys_make_userns("nonsense", "0 0 1") < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(errors_are_the_kernels),
		T(a_mount_can_name_its_layers_relative_to_a_directory),
		T(owners_are_shifted_by_a_user_namespace),
		T(an_umount_apart_leaves_its_end_to_a_child),
		T(a_directory_in_memory_has_a_path_but_no_place),
		T(bad_maps_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
