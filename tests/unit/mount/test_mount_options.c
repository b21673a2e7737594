/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 02 §7.1-7.3, as pure functions. */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "mount/mount_options.h"

static void check(const char *words, unsigned long flags, const char *data)
{
	AUTO_STRV char **options = strv_split(words, ' ');
	AUTO_MOUNT_OPTIONS struct mount_options o = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(mount_options_parse(options, &o, &err), &err);
	if (o.flags != flags)
		fail_msg("%s: flags %lu, not %lu", words, o.flags, flags);
	assert_string_equal(o.data, data);
}

static void words_set_and_clear_flags_left_to_right(void **state)
{
	static const struct {
		const char *words;
		unsigned long flags;
	} rows[] = {
		{ "", 0 },
		{ "bind", MS_BIND },
		{ "rbind", MS_BIND | MS_REC },
		{ "ro", MS_RDONLY },
		{ "ro rw", 0 },
		{ "rw ro", MS_RDONLY },
		{ "remount", MS_REMOUNT },
		{ "nosuid nodev noexec", MS_NOSUID | MS_NODEV | MS_NOEXEC },
		{ "nosuid suid nodev dev noexec exec", 0 },
		{ "sync dirsync", MS_SYNCHRONOUS | MS_DIRSYNC },
		{ "sync async", 0 },
		{ "mand", MS_MANDLOCK },
		{ "mand nomand", 0 },
		{ "noatime nodiratime", MS_NOATIME | MS_NODIRATIME },
		{ "noatime nodiratime atime diratime", 0 },
		{ "relatime strictatime", MS_RELATIME | MS_STRICTATIME },
		{ "relatime strictatime norelatime nostrictatime", 0 },
		{ "defaults", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i].words, rows[i].flags, "");
}

static void other_words_are_data(void **state)
{
	check("size=1m ro mode=755", MS_RDONLY, "size=1m,mode=755");
	check("private rslave shared", 0, "private,rslave,shared");
	check("direct-io", 0, "direct-io"); /* without a loop device it is the file system's */
	check("Ro BIND", 0, "Ro,BIND");
}

static void loop_devices_are_asked_for(void **state)
{
	AUTO_STRV char **options = strv_split("loop direct-io ro x", ' ');
	AUTO_MOUNT_OPTIONS struct mount_options o = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(mount_options_parse(options, &o, &err), &err);
	assert_true(o.loop);
	assert_true(o.direct_io);
	assert_string_equal(o.data, "x");
}

static void maps_count_only_together(void **state)
{
	AUTO_STRV char **both = strv_split("uidmap=0:1:2 gidmap=0:3:4", ' ');
	AUTO_STRV char **one = strv_split("uidmap=0:1:2", ' ');
	AUTO_MOUNT_OPTIONS struct mount_options o = { 0 }, p = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(mount_options_parse(both, &o, &err), &err);
	assert_string_equal(o.uid_map, "0:1:2");
	assert_string_equal(o.gid_map, "0:3:4");
	assert_ok(mount_options_parse(one, &p, &err), &err);
	assert_null(p.uid_map);
	assert_string_equal(p.data, "");
}

static void what_the_mount_manager_left_is_refused(void **state)
{
	AUTO_STRV char **options = strv_split("ro X-containerd.mkdir.path=/a", ' ');
	AUTO_MOUNT_OPTIONS struct mount_options o = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(mount_options_parse(options, &o, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err_text(&err),
			"internal mount option \"X-containerd.mkdir.path=/a\" "
			"was not consumed by the mount manager"));
}

static void data_is_less_than_a_page(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	AUTO_FREE char *fits = xzalloc(page), *over = xzalloc(page + 1);
	AUTO_MOUNT_OPTIONS struct mount_options o = { 0 }, p = { 0 };
	AUTO_ERR struct err err = { 0 };

	memset(fits, 'x', page - 1);
	memset(over, 'x', page);
	assert_ok(mount_options_parse((char *[]){ fits, NULL }, &o, &err), &err);
	assert_int_equal(mount_options_parse((char *[]){ over, NULL }, &p, &err), -1);
	assert_string_equal(err_text(&err), "mount options is too long: invalid argument");
}

/* "lowerdir=/r/snapshots/<first>/fs:…" with n layers. */
static char *lowerdirs(const char *dir, int n)
{
	AUTO_STRV char **parts = NULL;
	AUTO_FREE char *joined = NULL;

	for (int i = 0; i < n; i++)
		strv_addf(&parts, "%s/%d/fs", dir, i);
	joined = strv_join(parts, ":");
	return xasprintf("lowerdir=%s", joined);
}

static void long_overlays_are_told_relative_to_the_common_directory(void **state)
{
	const char *dir =
			"/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots";
	AUTO_FREE char *lower = lowerdirs(dir, 128), *dir_of = NULL;
	char *options[] = { (char[]){ "workdir=/w" }, lower, (char[]){ "index=off" }, NULL };
	AUTO_STRV char **out = NULL;

	mount_overlay_compact(options, &dir_of, &out);
	assert_string_equal(dir_of, dir);
	assert_int_equal(strv_len(out), 3);
	assert_string_equal(out[0], "workdir=/w");
	assert_string_equal(out[1], "index=off");
	assert_true(str_starts(out[2], "lowerdir=0/fs:1/fs:2/fs:"));
	assert_true(str_ends(out[2], ":127/fs"));
}

static void short_overlays_stay_as_they_are(void **state)
{
	AUTO_FREE char *lower = lowerdirs("/a/b", 100), *dir = NULL;
	char *options[] = { lower, NULL };
	AUTO_STRV char **out = NULL;

	mount_overlay_compact(options, &dir, &out);
	assert_null(dir);
	assert_string_equal(out[0], lower);
}

static void overlays_without_a_common_directory_stay_as_they_are(void **state)
{
	AUTO_FREE char *a = xzalloc(4001), *b = xzalloc(4001), *dir = NULL;
	AUTO_FREE char *one = NULL, *two = NULL;
	AUTO_STRV char **out = NULL, **out2 = NULL;

	memset(a, 'a', 4000);
	memset(b, 'b', 4000);
	one = xasprintf("lowerdir=/%s", a);
	two = xasprintf("lowerdir=/%s:/%s", a, b);
	mount_overlay_compact((char *[]){ one, NULL }, &dir, &out);
	assert_null(dir);
	mount_overlay_compact((char *[]){ two, NULL }, &dir, &out2);
	assert_null(dir);
	assert_string_equal(out2[0], two);
}

static void common_directories_end_at_a_slash(void **state)
{
	AUTO_STRV char **v = strv_split("/r/s/1/fs:/r/s/12/fs", ':');
	AUTO_STRV char **same = strv_split("/r/s:/r/s/1", ':');
	AUTO_STRV char **none = strv_split("/a:/b", ':');
	AUTO_FREE char *dir = mount_common_dir(v), *up = mount_common_dir(same);

	assert_string_equal(dir, "/r/s");
	assert_string_equal(up, "/r");
	assert_null(mount_common_dir(none));
}

static void id_maps_are_three_numbers_each(void **state)
{
	static const char *const bad[] = { "", "0", "0:1", "0:1:2:3", "-1:0:1", "a:b:c",
		"0:1:2,", "0:1:4294967296", " 0:1:2" };
	AUTO_FREE char *text = NULL;
	AUTO_ERR struct err err = { 0 };

	assert_ok(mount_idmap_text("0:1000:10,10:2000:4294967295", &text, &err), &err);
	assert_string_equal(text, "0 1000 10\n10 2000 4294967295\n");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *ignored = NULL;

		assert_fails(mount_idmap_text(bad[i], &ignored, &err), &err, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(words_set_and_clear_flags_left_to_right),
		TEST(other_words_are_data),
		TEST(loop_devices_are_asked_for),
		TEST(maps_count_only_together),
		TEST(what_the_mount_manager_left_is_refused),
		TEST(data_is_less_than_a_page),
		TEST(long_overlays_are_told_relative_to_the_common_directory),
		TEST(short_overlays_stay_as_they_are),
		TEST(overlays_without_a_common_directory_stay_as_they_are),
		TEST(common_directories_end_at_a_slash),
		TEST(id_maps_are_three_numbers_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
