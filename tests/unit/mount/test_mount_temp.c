/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 02 §7.6 */
#include "unit/unit.h"

#include <errno.h>

#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/mount.h"
#include "mount/mount_temp.h"
#include "support/tempdir.h"

static struct tempdir dir;
static char *root;
static struct ctx ctx;

static int setup(void **state)
{
	tempdir_make(&dir);
	root = xasprintf("%s/tmpmounts", dir.path);
	return 0;
}

static int teardown(void **state)
{
	free(root);
	tempdir_remove(&dir);
	return 0;
}

static void add(struct mounts *m, const char *type, const char *source, const char *options)
{
	AUTO_STRV char **words = strv_split(options, ' ');
	struct mount_spec *spec = mounts_add(m, type, source, "");

	for (size_t i = 0; i < strv_len(words); i++)
		strv_add(&spec->options, words[i]);
}

static void check(const char *type, const char *options, bool read_only, const char *want)
{
	struct mounts from AUTO_MOUNTS = { 0 }, to AUTO_MOUNTS = { 0 };
	AUTO_FREE char *got = NULL;

	add(&from, type, "src", options);
	temp_mount_specs(&from, read_only, &to);
	assert_int_equal(to.count, 1);
	got = strv_join(to.items[0].options, " ");
	assert_string_equal(got, want);
}

static void specs_are_changed_for_the_moment(void **state)
{
	check("overlay", "workdir=w upperdir=u lowerdir=a:b volatile index=off", false,
			"workdir=w upperdir=u lowerdir=a:b index=off");
	check("overlay", "lowerdir=a:b fsync=volatile", false, "lowerdir=a:b");
	check("overlay",
			"uidmap=0:1:2 gidmap=0:1:2 workdir=w upperdir=u lowerdir=a:b index=off",
			true, "lowerdir=u:a:b index=off");
	check("overlay", "lowerdir=a:b", true, "lowerdir=a:b");
	check("bind", "rw rbind", true, "rbind ro");
	check("bind", "ro rbind", true, "rbind ro");
	check("bind", "rw rbind volatile", false, "rw rbind volatile");
}

static void a_temporary_mount_leaves_nothing(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };
	AUTO_STRV char **left = NULL;
	struct temp_mount *t = NULL;
	AUTO_FREE char *path = NULL, *inside = NULL;
	struct stat st;

	if (!own_mounts(&dir))
		skip();
	add(&m, "tmpfs", "tmpfs", "mode=700");
	assert_ok(temp_mount_open(root, &m, false, &ctx, &t, &err), &err);
	assert_int_equal(stat(root, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	path = xstrdup(temp_mount_path(t));
	assert_true(str_starts(path, root));
	inside = xasprintf("%s/x", path);
	put_file(AT_FDCWD, inside, "");
	assert_ok(temp_mount_close(t, &ctx, &err), &err);
	assert_false(is_there(AT_FDCWD, path));
	assert_int_equal(fs_list(AT_FDCWD, root, &left), 0);
	assert_int_equal(strv_len(left), 0);
}

static void a_failed_mount_leaves_no_directory(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };
	AUTO_STRV char **left = NULL;
	struct temp_mount *t = NULL;

	add(&m, "nosuchfs", "none", "");
	assert_int_equal(temp_mount_open(root, &m, false, &ctx, &t, &err), -1);
	assert_int_equal(fs_list(AT_FDCWD, root, &left), 0);
	assert_int_equal(strv_len(left), 0);
}

static void what_is_still_used_is_taken_out_of_sight(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };
	struct temp_mount *t = NULL;
	AUTO_FREE char *path = NULL;
	AUTO_CLOSE int busy = -1;

	if (!own_mounts(&dir))
		skip();
	add(&m, "tmpfs", "tmpfs", "");
	assert_ok(temp_mount_open(root, &m, false, &ctx, &t, &err), &err);
	path = xstrdup(temp_mount_path(t));
	busy = open(path, O_DIRECTORY);
	assert_int_equal(temp_mount_close(t, &ctx, &err), -1);
	assert_int_equal(err.sys, EBUSY);
	assert_false(is_there(AT_FDCWD, path));
}

static void leftovers_are_cleaned_at_start(void **state)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };
	AUTO_STRV char **left = NULL;
	struct temp_mount *a = NULL, *b = NULL;
	AUTO_FREE char *inner = NULL;

	if (!own_mounts(&dir))
		skip();
	temp_mounts_clean(root, &ctx); /* not even there */
	add(&m, "tmpfs", "tmpfs", "");
	assert_ok(temp_mount_open(root, &m, false, &ctx, &a, &err), &err);
	inner = xasprintf("%s/inner", temp_mount_path(a));
	assert_ok(temp_mount_open(inner, &m, false, &ctx, &b, &err), &err);
	temp_mounts_clean(root, &ctx);
	assert_int_equal(fs_list(AT_FDCWD, root, &left), 0);
	assert_int_equal(strv_len(left), 0);
	temp_mount_drop(b);
	temp_mount_drop(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(specs_are_changed_for_the_moment),
		T(a_temporary_mount_leaves_nothing),
		T(a_failed_mount_leaves_no_directory),
		T(what_is_still_used_is_taken_out_of_sight),
		T(leftovers_are_cleaned_at_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
