/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/any.h"
#include "os/fs.h"
#include "runtime/bundle.h"

struct place {
	char top[32];
	struct bundle_dirs dirs;
};

static int open_place(void **state)
{
	struct place *p = xzalloc(sizeof(*p));
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *state_dir = NULL, *root_dir = NULL;

	strcpy(p->top, "/tmp/ctrd-bundle-XXXXXX");
	assert_non_null(mkdtemp(p->top));
	state_dir = xasprintf("%s/state", p->top);
	root_dir = xasprintf("%s/a/root", p->top);
	assert_ok(bundle_dirs_open(state_dir, root_dir, &p->dirs, &err), &err);
	*state = p;
	return 0;
}

static int close_place(void **state)
{
	struct place *p = *state;

	bundle_dirs_close(&p->dirs);
	assert_int_equal(fs_remove_all(AT_FDCWD, p->top), 0);
	free(p);
	return 0;
}

static unsigned mode_of(const struct place *p, const char *name)
{
	struct stat st;

	if (fstatat(p->dirs.state_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return st.st_mode & 07777;
}

static const struct any no_spec;

static void a_bundle_has_the_files_and_modes_of_the_original(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	AUTO_BUF struct buf text = { .limit = 1000 };
	AUTO_FREE char *work = NULL, *want = NULL;
	AUTO_ANY struct any spec = { 0 };
	struct stat st;
	mode_t before = umask(077); /* must not matter */

	any_set(&spec, "t", "{ \"x\": 18446744073709551615 }", 29);
	assert_ok(bundle_create(&p->dirs, "ns", "c1", &spec, "/bin/shim", &err), &err);
	(void)umask(before);
	assert_int_equal(mode_of(p, "."), 0711);
	assert_int_equal(mode_of(p, "ns"), 0711);
	assert_int_equal(mode_of(p, "ns/c1"), 0700);
	assert_int_equal(mode_of(p, "ns/c1/rootfs"), 0711);
	assert_int_equal(mode_of(p, "ns/c1/log"), 0700);
	assert_int_equal(mode_of(p, "ns/c1/shim-binary-path"), 0600);
	assert_int_equal(fstatat(p->dirs.state_fd, "ns/c1/log", &st, 0), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(bundle_read(&p->dirs, "ns", "c1", "config.json", &text), 0);
	assert_string_equal(text.data, "{ \"x\": 18446744073709551615 }");
	buf_clear(&text);
	assert_int_equal(bundle_read(&p->dirs, "ns", "c1", "shim-binary-path", &text), 0);
	assert_string_equal(text.data, "/bin/shim");
	assert_int_equal(fs_read_link(p->dirs.state_fd, "ns/c1/work", &work), 0);
	want = xasprintf("%s/ns/c1", p->dirs.root);
	assert_string_equal(work, want);
	assert_int_equal(stat(want, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
}

static void a_bundle_that_is_there_is_not_touched(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = { .ns = "ns" };

	assert_ok(bundle_create(&p->dirs, "ns", "c2", &no_spec, "/a", &err), &err);
	assert_int_equal(bundle_create(&p->dirs, "ns", "c2", &no_spec, "/b", &err), -1);
	assert_non_null(strstr(err_text(&err), "/ns/c2: file exists"));
	err_clear(&err);
	assert_int_equal(mode_of(p, "ns/c2/shim-binary-path"), 0600);
	assert_ok(bundle_remove(&p->dirs, &ctx, "ns", "c2", &err), &err);
	assert_int_equal(mode_of(p, "ns/c2"), 0);
	assert_int_equal(faccessat(p->dirs.root_fd, "ns/c2", F_OK, 0), -1);
	/* Once more is fine. */
	assert_ok(bundle_remove(&p->dirs, &ctx, "ns", "c2", &err), &err);
}

static void ids_that_could_leave_the_place_are_refused(void **state)
{
	struct place *p = *state;
	static const char *const ids[] = { "", ".", "..", "a/b", "../x", "a..b", "-a", ".a" };

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		AUTO_ERR struct err err = { 0 };

		assert_fails(bundle_create(&p->dirs, "ns", ids[i], &no_spec, "/a", &err), &err,
				ERR_INVALID);
	}
}

static void what_an_attempt_left_is_no_obstacle(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(mkdirat(p->dirs.state_fd, "n2", 0711), 0);
	assert_int_equal(mkdirat(p->dirs.state_fd, "n2/..c3", 0700), 0);
	assert_int_equal(mkdirat(p->dirs.state_fd, "n2/..c3/rootfs", 0700), 0);
	assert_int_equal(mkdirat(p->dirs.root_fd, "n2", 0711), 0);
	assert_int_equal(mkdirat(p->dirs.root_fd, "n2/c3", 0700), 0);
	assert_int_equal(mkdirat(p->dirs.root_fd, "n2/c3/old", 0700), 0);
	assert_ok(bundle_create(&p->dirs, "n2", "c3", &no_spec, "/a", &err), &err);
	assert_int_equal(mode_of(p, "n2/..c3"), 0);
	assert_int_equal(faccessat(p->dirs.root_fd, "n2/c3/old", F_OK, 0), -1);
}

static void a_spec_that_is_no_json_leaves_nothing_behind(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	AUTO_ANY struct any spec = { 0 };

	any_set(&spec, "t", "{nonsense", 9);
	assert_int_equal(bundle_create(&p->dirs, "n3", "c4", &spec, "/a", &err), -1);
	assert_int_equal(mode_of(p, "n3"), 0);
	assert_int_equal(faccessat(p->dirs.root_fd, "n3", F_OK, 0), -1);
}

static void data_in_the_rootfs_is_not_removed(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = { .ns = "ns" };

	assert_ok(bundle_create(&p->dirs, "ns", "c5", &no_spec, "/a", &err), &err);
	assert_int_equal(mkdirat(p->dirs.state_fd, "ns/c5/rootfs/precious", 0700), 0);
	assert_int_equal(bundle_remove(&p->dirs, &ctx, "ns", "c5", &err), -1);
	assert_int_equal(mode_of(p, "ns/c5/rootfs/precious"), 0700);
}

static void an_id_is_free_once_its_bundle_is_hidden(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = { .ns = "n7" };
	AUTO_FREE char *first = NULL, *second = NULL;
	AUTO_STRV char **left = NULL;

	assert_ok(bundle_create(&p->dirs, "n7", "c", &no_spec, "/a", &err), &err);
	assert_ok(bundle_hide(&p->dirs, &ctx, "n7", "c", &first, &err), &err);
	assert_ok(bundle_create(&p->dirs, "n7", "c", &no_spec, "/a", &err), &err);
	assert_ok(bundle_hide(&p->dirs, &ctx, "n7", "c", &second, &err), &err);
	assert_ok(bundle_create(&p->dirs, "n7", "c", &no_spec, "/a", &err), &err);
	assert_string_not_equal(first, second);
	assert_int_equal(first[0], '.');
	assert_ok(bundle_sweep(&p->dirs, "n7", first, &err), &err);
	assert_ok(bundle_sweep(&p->dirs, "n7", second, &err), &err);
	assert_int_equal(mode_of(p, "n7/c"), 0700);
	assert_int_equal(fs_list(p->dirs.root_fd, "n7", &left), 0);
	assert_int_equal(strv_len(left), 1);
	assert_string_equal(left[0], "c");
	strv_free(left);
	left = NULL;
	assert_int_equal(fs_list(p->dirs.state_fd, "n7", &left), 0);
	assert_int_equal(strv_len(left), 1);
}

static void mounts_on_the_rootfs_are_taken_away(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = { .ns = "ns" };
	AUTO_FREE char *rootfs = xasprintf("%s/ns/c6/rootfs", p->dirs.state);
	AUTO_FREE char *inner = xasprintf("%s/in", rootfs);

	if (geteuid() != 0)
		skip();
	assert_ok(bundle_create(&p->dirs, "ns", "c6", &no_spec, "/a", &err), &err);
	if (mount("t", rootfs, "tmpfs", 0, NULL) < 0)
		skip();
	assert_int_equal(mkdir(inner, 0700), 0);
	assert_int_equal(mount("t", inner, "tmpfs", 0, NULL), 0);
	assert_ok(bundle_remove(&p->dirs, &ctx, "ns", "c6", &err), &err);
	assert_int_equal(mode_of(p, "ns/c6"), 0);
}

static void the_mapped_root_group_gets_in(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	AUTO_ANY struct any spec = { 0 };
	static const char text[] =
			"{\"linux\":{\"gidMappings\":[{\"containerID\":5,\"hostID\":1,"
			"\"size\":1},{\"containerID\":0,\"hostID\":4711,\"size\":9}]}}";
	struct stat st;

	if (geteuid() != 0)
		skip();
	any_set(&spec, "t", text, strlen(text));
	assert_ok(bundle_create(&p->dirs, "ns", "c7", &spec, "/a", &err), &err);
	assert_int_equal(mode_of(p, "ns/c7"), 0710);
	assert_int_equal(fstatat(p->dirs.state_fd, "ns/c7", &st, 0), 0);
	assert_int_equal(st.st_gid, 4711);
}

static void root_groups_of_all_kinds_of_specs(void **state)
{
	static const struct {
		const char *spec;
		unsigned gid;
	} rows[] = { { "", 0 }, { "{}", 0 }, { "{\"linux\":null}", 0 },
		{ "{\"linux\":{\"gidMappings\":null}}", 0 },
		{ "{\"linux\":{\"gidMappings\":[]}}", 0 },
		{ "{\"linux\":{\"gidMappings\":[{\"hostID\":7,\"size\":1}]}}", 7 },
		{ "{\"linux\":{\"gidMappings\":[{\"containerID\":1,\"hostID\":7}]}}", 0 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO_ERR struct err err = { 0 };
		unsigned gid = 99;

		assert_ok(bundle_root_group(rows[i].spec, strlen(rows[i].spec), &gid, &err),
				&err);
		assert_int_equal(gid, rows[i].gid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_bundle_has_the_files_and_modes_of_the_original),
		TEST(a_bundle_that_is_there_is_not_touched),
		TEST(ids_that_could_leave_the_place_are_refused),
		TEST(what_an_attempt_left_is_no_obstacle),
		TEST(a_spec_that_is_no_json_leaves_nothing_behind),
		TEST(data_in_the_rootfs_is_not_removed),
		TEST(an_id_is_free_once_its_bundle_is_hidden),
		TEST(mounts_on_the_rootfs_are_taken_away),
		TEST(the_mapped_root_group_gets_in),
		TEST(root_groups_of_all_kinds_of_specs),
	};

	return cmocka_run_group_tests(tests, open_place, close_place);
}
