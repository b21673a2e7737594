/* SPDX-License-Identifier: Apache-2.0 */
/* Real mounts, in a mount namespace of this program. */
#include "unit/unit.h"

#include <errno.h>
#include <sys/statfs.h>

#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "mount/mount.h"
#include "support/tempdir.h"

static struct tempdir dir;
static char *target, *temp_root;
static struct ctx ctx;

static int setup(void **state)
{
	tempdir_make(&dir);
	if (!own_mounts(&dir))
		return -1;
	target = xasprintf("%s/mnt", dir.path);
	temp_root = xasprintf("%s/tmp", dir.path);
	return mkdirat(dir.fd, "mnt", 0755) | mkdirat(dir.fd, "tmp", 0700);
}

static int teardown(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_STRV char **left = NULL;

	assert_ok(mount_undo_tree(dir.path, 0, &ctx, &err), &err);
	assert_int_equal(fs_list(dir.fd, "tmp", &left), 0);
	assert_int_equal(strv_len(left), 0);
	free(target);
	free(temp_root);
	tempdir_remove(&dir);
	return 0;
}

static void add(struct mounts *m, const char *type, const char *source, const char *below,
		const char *options)
{
	AUTO_STRV char **words = strv_split(options, ' ');
	struct mount_spec *spec = mounts_add(m, type, source, below);

	for (size_t i = 0; i < strv_len(words); i++)
		strv_add(&spec->options, words[i]);
}

static char *in_dir(const char *name)
{
	return xasprintf("%s/%s", dir.path, name);
}

static void make_sources(void)
{
	assert_int_equal(fs_make_dirs(dir.fd, "a/sub", 0755), 0);
	assert_int_equal(fs_make_dirs(dir.fd, "b", 0755), 0);
	assert_int_equal(fs_make_dirs(dir.fd, "up", 0755), 0);
	assert_int_equal(fs_make_dirs(dir.fd, "work", 0755), 0);
	put_file(dir.fd, "a/file", "a");
	put_file(dir.fd, "b/other", "b");
}

static void a_bind_can_be_written_through(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_FREE char *a = in_dir("a"), *got = NULL;
	AUTO_ERR struct err err = { 0 };

	make_sources();
	add(&m, "bind", a, "", "rw rbind");
	assert_ok(mount_all(&m, target, temp_root, &ctx, &err), &err);
	put_file(dir.fd, "mnt/new", "x");
	assert_true(is_there(dir.fd, "a/new"));
	assert_ok(mount_undo_all(&m, target, 0, &ctx, &err), &err);
	assert_false(is_there(dir.fd, "mnt/new"));
}

static void a_read_only_bind_is_read_only(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_FREE char *a = in_dir("a");
	AUTO_ERR struct err err = { 0 };

	make_sources();
	add(&m, "bind", a, "", "ro rbind");
	assert_ok(mount_all(&m, target, temp_root, &ctx, &err), &err);
	assert_int_equal(openat(dir.fd, "mnt/new", O_CREAT | O_WRONLY, 0600), -1);
	assert_int_equal(errno, EROFS);
	assert_ok(mount_undo(target, 0, &ctx, &err), &err);
}

static void overlays_show_layers(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_FREE char *options = xasprintf("workdir=%s/work upperdir=%s/up lowerdir=%s/b:%s/a",
			dir.path, dir.path, dir.path, dir.path);
	AUTO_ERR struct err err = { 0 };

	make_sources();
	add(&m, "overlay", "overlay", "", options);
	assert_ok(mount_all(&m, target, temp_root, &ctx, &err), &err);
	assert_true(is_there(dir.fd, "mnt/file"));
	assert_true(is_there(dir.fd, "mnt/other"));
	put_file(dir.fd, "mnt/new", "");
	assert_true(is_there(dir.fd, "up/new"));
	assert_ok(mount_undo_stack(target, 0, &ctx, &err), &err);
}

/* Reference 02 §7.2: 128 layers, whose full paths do not fit into the page the kernel takes. */
static void overlays_of_many_layers_are_mounted(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	struct mount_spec *spec;
	AUTO_STRV char **lower = NULL;
	AUTO_FREE char *joined = NULL;
	AUTO_ERR struct err err = { 0 };
	char before[PATH_MAX], after[PATH_MAX];

	for (int i = 0; i < 128; i++) {
		AUTO_FREE char *layer = xasprintf("a-long-name-for-snapshots/%d/fs", i);
		AUTO_FREE char *file = xasprintf("%s/f%d", layer, i);

		assert_int_equal(fs_make_dirs(dir.fd, layer, 0755), 0);
		put_file(dir.fd, file, "");
		strv_addf(&lower, "%s/%s", dir.path, layer);
	}
	joined = strv_join(lower, ":");
	assert_true(strlen(joined) > 4096);
	spec = mounts_add(&m, "overlay", "overlay", "");
	strv_addf(&spec->options, "lowerdir=%s", joined);
	assert_non_null(getcwd(before, sizeof(before)));
	assert_ok(mount_all(&m, target, temp_root, &ctx, &err), &err);
	assert_non_null(getcwd(after, sizeof(after)));
	assert_string_equal(before, after);
	assert_true(is_there(dir.fd, "mnt/f0"));
	assert_true(is_there(dir.fd, "mnt/f127"));
	assert_ok(mount_undo_all(&m, target, 0, &ctx, &err), &err);
}

static void a_target_below_cannot_lead_out(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_FREE char *a = in_dir("a"), *b = in_dir("b");
	AUTO_FREE char *out = xasprintf("%s/outside", dir.path);
	AUTO_ERR struct err err = { 0 };

	make_sources();
	assert_int_equal(mkdirat(dir.fd, "outside", 0755), 0);
	assert_int_equal(fs_make_dirs(dir.fd, "a/outside", 0755), 0);
	assert_int_equal(symlinkat(out, dir.fd, "a/absolute"), 0);
	assert_int_equal(symlinkat("../outside", dir.fd, "a/dots"), 0);
	add(&m, "bind", a, "", "rw rbind");
	add(&m, "bind", b, "dots", "rw rbind");
	assert_ok(mount_all(&m, target, temp_root, &ctx, &err), &err);
	assert_true(is_there(dir.fd, "mnt/outside/other"));
	assert_false(is_there(dir.fd, "outside/other"));
	assert_ok(mount_undo_tree(target, 0, &ctx, &err), &err);

	free(m.items[1].target);
	m.items[1].target = xstrdup("absolute");
	assert_int_equal(mount_all(&m, target, temp_root, &ctx, &err), -1);
	assert_non_null(strstr(err_text(&err), "join path \"absolute\" with root"));
	assert_false(is_there(dir.fd, "outside/other"));
	assert_false(is_there(dir.fd, "mnt/file")); /* the first was undone */
}

static void targets_below_are_undone(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_FREE char *a = in_dir("a"), *b = in_dir("b");
	AUTO_ERR struct err err = { 0 };

	make_sources();
	add(&m, "bind", a, "", "rw rbind");
	add(&m, "bind", b, "sub", "ro rbind");
	assert_ok(mount_all(&m, target, temp_root, &ctx, &err), &err);
	assert_true(is_there(dir.fd, "mnt/sub/other"));
	assert_ok(mount_undo_all(&m, target, 0, &ctx, &err), &err);
	assert_false(is_there(dir.fd, "mnt/file"));
}

static void failures_read_as_the_originals_and_leave_nothing(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_FREE char *a = in_dir("a"), *want = NULL;
	AUTO_ERR struct err err = { 0 };
	struct err other = { 0 };

	make_sources();
	add(&m, "bind", a, "", "rw rbind");
	add(&m, "nosuchfs", "none", "", "ro key=value");
	assert_int_equal(mount_all(&m, target, temp_root, &ctx, &err), -1);
	want = xasprintf("mount source: \"none\", target: \"%s\", fstype: nosuchfs, flags: 1, "
			 "data: \"key=value\", err: no such device",
			target);
	assert_string_equal(err_text(&err), want);
	assert_int_equal(err.sys, ENODEV);
	assert_false(is_there(dir.fd, "mnt/file"));
	assert_int_equal(mount_all(&m, "/nonexistent", temp_root, &ctx, &other), -1);
	assert_string_equal(err_text(&other),
			"mount point /nonexistent: no such file or directory");
	err_clear(&other);
}

static void nothing_mounted_or_nothing_there_is_fine(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(mount_undo(target, 0, &ctx, &err), &err);
	assert_ok(mount_undo_stack(target, 0, &ctx, &err), &err);
	assert_ok(mount_undo_stack("/nonexistent", 0, &ctx, &err), &err);
	assert_ok(mount_undo_stack("", 0, &ctx, &err), &err);
	assert_ok(mount_undo_tree("/nonexistent", 0, &ctx, &err), &err);
	assert_int_equal(mount_undo("/nonexistent", 0, &ctx, &err), -1);
}

static void a_tree_is_undone_deepest_first(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_FREE char *below = xasprintf("%s/x", target), *beside = in_dir("mnt2");
	AUTO_ERR struct err err = { 0 };

	add(&m, "tmpfs", "tmpfs", "", "");
	assert_int_equal(mkdirat(dir.fd, "mnt2", 0755), 0);
	assert_ok(mount_all(&m, target, temp_root, &ctx, &err), &err);
	assert_ok(mount_all(&m, beside, temp_root, &ctx, &err), &err);
	assert_int_equal(mkdirat(dir.fd, "mnt/x", 0755), 0);
	assert_ok(mount_all(&m, below, temp_root, &ctx, &err), &err);
	assert_ok(mount_all(&m, below, temp_root, &ctx, &err), &err);
	put_file(dir.fd, "mnt2/file", "");
	assert_ok(mount_undo_tree(target, 0, &ctx, &err), &err);
	assert_false(is_there(dir.fd, "mnt/x"));
	assert_true(is_there(dir.fd, "mnt2/file")); /* begins alike, but is not below */
}

static void a_busy_mount_is_an_error_after_the_callers_patience(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	struct ctx hurried = { .deadline_ns = 1 };
	AUTO_ERR struct err err = { 0 };
	AUTO_CLOSE int busy = -1;

	add(&m, "tmpfs", "tmpfs", "", "");
	assert_ok(mount_all(&m, target, temp_root, &ctx, &err), &err);
	busy = open(target, O_DIRECTORY);
	assert_int_equal(mount_undo(target, 0, &hurried, &err), -1);
	assert_int_equal(err.sys, EBUSY);
	err_clear(&err);
	assert_ok(mount_undo(target, MNT_DETACH, &hurried, &err), &err);
}

static bool can_shift(struct err *err)
{
	return err->sys != EINVAL && err->sys != EPERM && err->sys != ENOSPC;
}

static void binds_are_shifted(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_FREE char *a = in_dir("a");
	AUTO_ERR struct err err = { 0 };
	struct stat st;

	make_sources();
	add(&m, "bind", a, "", "uidmap=0:1000:10 gidmap=0:2000:10 ro rbind");
	if (mount_all(&m, target, temp_root, &ctx, &err) < 0 && !can_shift(&err))
		skip();
	assert_int_equal(err.kind, ERR_NONE);
	assert_int_equal(fstatat(dir.fd, "mnt/file", &st, 0), 0);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_gid, 2000);
	assert_int_equal(openat(dir.fd, "mnt/new", O_CREAT | O_WRONLY, 0600), -1);
	assert_int_equal(errno, EROFS);
	assert_ok(mount_undo_all(&m, target, 0, &ctx, &err), &err);
	assert_false(is_there(dir.fd, "mnt/file"));
}

static void overlays_are_shifted(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_FREE char *options = xasprintf("uidmap=0:1000:10 gidmap=0:2000:10 workdir=%s/work "
					    "upperdir=%s/up lowerdir=%s/b:%s/a",
			dir.path, dir.path, dir.path, dir.path);
	AUTO_ERR struct err err = { 0 };
	struct stat st;

	make_sources();
	add(&m, "overlay", "overlay", "", options);
	if (mount_all(&m, target, temp_root, &ctx, &err) < 0 && !can_shift(&err))
		skip();
	assert_int_equal(err.kind, ERR_NONE);
	assert_int_equal(fstatat(dir.fd, "mnt/file", &st, 0), 0);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_gid, 2000);
	assert_ok(mount_undo_all(&m, target, 0, &ctx, &err), &err);
}

static void a_helper_that_is_missing_is_named(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };

	add(&m, "fuse3.ctrd-no-such", "src", "", "ro x");
	assert_int_equal(mount_all(&m, target, temp_root, &ctx, &err), -1);
	assert_true(str_starts(err_text(&err), "mount helper [mount.fuse3 src "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(a_bind_can_be_written_through),
		T(a_read_only_bind_is_read_only),
		T(overlays_show_layers),
		T(overlays_of_many_layers_are_mounted),
		T(a_target_below_cannot_lead_out),
		T(targets_below_are_undone),
		T(failures_read_as_the_originals_and_leave_nothing),
		T(nothing_mounted_or_nothing_there_is_fine),
		T(a_tree_is_undone_deepest_first),
		T(a_busy_mount_is_an_error_after_the_callers_patience),
		T(binds_are_shifted),
		T(overlays_are_shifted),
		T(a_helper_that_is_missing_is_named),
	};

	if (unshare(CLONE_NEWNS) < 0) {
		(void)fprintf(stderr, "skipped: mounts need root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
