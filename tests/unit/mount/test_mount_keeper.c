/* SPDX-License-Identifier: Apache-2.0 */
/* The mount manager: reference 01 §10.4. The mounts themselves need root. */
#include "unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ctx.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/gc.h"
#include "core/mount_manager.h"
#include "mount/mount_keeper.h"
#include "mount/mount_record.h"
#include "mount/mount_transform.h"
#include "support/tempdir.h"

static struct tempdir dir;
static char *state_dir, *root, *temp;
static struct mount_keeper *keeper;
static struct mount_manager *manager;
static struct ctx ctx;
static struct err err;
static bool can_mount;

static void open_keeper(void)
{
	assert_ok(mount_keeper_new(state_dir, root, temp, &keeper, &err), &err);
	manager = mount_keeper_manager(keeper);
}

static void reopen(void)
{
	mount_keeper_free(keeper);
	open_keeper();
}

static int begin(void **state)
{
	tempdir_make(&dir);
	can_mount = own_mounts(&dir);
	state_dir = xasprintf("%s/m", dir.path);
	root = xasprintf("%s/root", dir.path);
	temp = xasprintf("%s/tmp", dir.path);
	assert_int_equal(mkdir(root, 0700), 0);
	ctx = (struct ctx){ .ns = "ns" };
	open_keeper();
	return 0;
}

static int end(void **state)
{
	mount_keeper_free(keeper);
	err_clear(&err);
	free(state_dir);
	free(root);
	free(temp);
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

static int activate(const char *name, const struct mounts *m, bool temporary,
		struct activation *ret)
{
	struct mount_activate r = { .name = name, .mounts = m, .temporary = temporary };

	err_clear(&err);
	return mount_manager_activate(manager, &ctx, &r, ret, &err);
}

static void expect(int rc, enum err_kind kind, const char *text)
{
	assert_int_equal(rc, -1);
	if (err.kind != kind || (text != NULL && !str_eq(err_text(&err), text)))
		fail_msg("kind %d: %s", err.kind, err_text(&err));
	err_clear(&err);
}

static bool has_mount(const char *path)
{
	AUTO_BUF struct buf b = { .limit = 1 << 20 };
	AUTO_CLOSE int fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *word = xasprintf(" %s ", path);

	assert_int_equal(io_read_all(fd, &b), 0);
	return strstr(b.data, word) != NULL;
}

static size_t count_entries(const char *sub)
{
	AUTO_FREE char *path = xasprintf("%s/%s", state_dir, sub);
	AUTO_STRV char **names = NULL;

	assert_int_equal(fs_list(AT_FDCWD, path, &names), 0);
	return strv_len(names);
}

static void plain_mounts_are_nobodys_business(void **state)
{
	AUTO_MOUNTS struct mounts m = { 0 };
	AUTO_ACTIVATION struct activation a = { 0 };

	add(&m, "overlay", "overlay", "lowerdir=a:b");
	add(&m, "bind", "/", "rbind");
	add(&m, "what/ever", "x", "");
	assert_false(mount_manager_is_needed(manager, &m));
	expect(activate("m", &m, false, &a), ERR_UNIMPLEMENTED, "not implemented");
	expect(mount_manager_info(manager, &ctx, "m", &a, &err), ERR_NOT_FOUND,
			"mount \"m\" not found");
	expect(mount_manager_deactivate(manager, &ctx, "m", &err), ERR_NOT_FOUND, NULL);
	ctx.ns = NULL;
	expect(activate("m", &m, true, &a), ERR_PRECONDITION, NULL);
}

/* As the test of the original with three mounts, two of them active. */
static void mounts_before_a_template_are_made_here(void **state)
{
	AUTO_MOUNTS struct mounts m = { 0 };
	AUTO_ACTIVATION struct activation a = { 0 }, found = { 0 };

	if (!can_mount)
		skip();
	add(&m, "tmpfs", "one", "size=1m");
	add(&m, "tmpfs", "two", "size=1m");
	add(&m, "format/overlay", "overlay", "");
	strv_add(&m.items[2].options, "lowerdir={{ overlay 1 0 }}");
	assert_true(mount_manager_is_needed(manager, &m));
	assert_ok(activate("m", &m, false, &a), &err);
	assert_int_equal(a.active_count, 2);
	assert_string_equal(a.active[0].spec.source, "one");
	assert_true(str_ends(a.active[0].mount_point, "/t/1/2"));
	assert_true(str_ends(a.active[1].mount_point, "/t/1/1"));
	assert_true(has_mount(a.active[0].mount_point));
	assert_int_equal(a.system.count, 1);
	assert_string_equal(a.system.items[0].type, "overlay");
	{
		AUTO_FREE char *want = xasprintf("lowerdir=%s:%s", a.active[1].mount_point,
				a.active[0].mount_point);

		assert_string_equal(a.system.items[0].options[0], want);
	}
	expect(activate("m", &m, false, &found), ERR_EXISTS, "mount \"m\": already exists");
	assert_ok(mount_manager_info(manager, &ctx, "m", &found, &err), &err);
	assert_int_equal(found.active_count, 2);
	assert_ok(mount_manager_deactivate(manager, &ctx, "m", &err), &err);
	assert_false(has_mount(a.active[0].mount_point));
	assert_int_equal(count_entries("t"), 0);
	assert_int_equal(count_entries("r"), 0);
}

static void a_temporary_activation_is_one_bind(void **state)
{
	AUTO_MOUNTS struct mounts m = { 0 };
	AUTO_ACTIVATION struct activation a = { 0 };

	if (!can_mount)
		skip();
	add(&m, "tmpfs", "one", "");
	assert_ok(activate("m", &m, true, &a), &err);
	assert_int_equal(a.active_count, 1);
	assert_int_equal(a.system.count, 1);
	assert_string_equal(a.system.items[0].type, "bind");
	assert_string_equal(a.system.items[0].source, a.active[0].mount_point);
	assert_string_equal(a.system.items[0].options[0], "rbind");
	assert_ok(mount_manager_deactivate(manager, &ctx, "m", &err), &err);
}

static void what_fails_leaves_nothing(void **state)
{
	AUTO_MOUNTS struct mounts m = { 0 };
	AUTO_ACTIVATION struct activation a = { 0 };

	if (!can_mount)
		skip();
	add(&m, "tmpfs", "one", "");
	add(&m, "format/bind", "{{ mount 7 }}", "rbind");
	expect(activate("m", &m, true, &a), ERR_INVALID,
			"index out of bounds: 7, has 1 active mounts");
	assert_int_equal(count_entries("t"), 0);
	free(m.items[1].source);
	m.items[1].source = xstrdup("/does/not/exist");
	assert_int_equal(activate("m", &m, true, &a), -1);
	assert_int_equal(count_entries("t"), 0);
	free(m.items[1].source);
	m.items[1].source = xstrdup("{{mount 0}}");
	assert_ok(activate("m", &m, true, &a), &err);
	assert_ok(mount_manager_deactivate(manager, &ctx, "m", &err), &err);
}

static void what_the_caller_can_mount_is_left_to_it(void **state)
{
	AUTO_MOUNTS struct mounts m = { 0 };
	AUTO_ACTIVATION struct activation a = { 0 };
	char *allowed[] = { (char *)"format/*", (char *)"loop", NULL };
	struct mount_activate r = { .name = "m", .mounts = &m, .allowed = allowed };

	add(&m, "loop", "/f", "");
	add(&m, "format/bind", "{{ mount 0 }}", "");
	expect(mount_manager_activate(manager, &ctx, &r, &a, &err), ERR_UNIMPLEMENTED, NULL);
}

static void a_restarted_daemon_knows_its_mounts(void **state)
{
	AUTO_MOUNTS struct mounts m = { 0 };
	AUTO_ACTIVATION struct activation a = { 0 }, found = { 0 };
	AUTO_FREE char *half = xasprintf("%s/t/77", state_dir), *one = xasprintf("%s/1", half);

	if (!can_mount)
		skip();
	add(&m, "tmpfs", "one", "size=1m mode=700");
	assert_ok(activate("m", &m, true, &a), &err);
	/* And what another one was making when it was killed. */
	assert_int_equal(mkdir(half, 0700), 0);
	assert_int_equal(mkdir(one, 0700), 0);
	assert_int_equal(mount("tmpfs", one, "tmpfs", 0, NULL), 0);
	reopen();
	assert_false(has_mount(one));
	assert_int_equal(count_entries("t"), 1);
	assert_ok(mount_manager_info(manager, &ctx, "m", &found, &err), &err);
	assert_string_equal(found.active[0].mount_point, a.active[0].mount_point);
	assert_string_equal(found.active[0].spec.options[1], "mode=700");
	assert_int_equal(found.active[0].mounted_ns, a.active[0].mounted_ns);
	assert_string_equal(found.system.items[0].type, "bind");
	assert_ok(mount_manager_deactivate(manager, &ctx, "m", &err), &err);
	assert_false(has_mount(a.active[0].mount_point));
}

static void what_is_busy_is_taken_away_later(void **state)
{
	AUTO_MOUNTS struct mounts m = { 0 };
	AUTO_ACTIVATION struct activation a = { 0 }, b = { 0 };
	AUTO_FREE char *file = NULL;
	int fd;

	if (!can_mount)
		skip();
	add(&m, "tmpfs", "one", "");
	assert_ok(activate("m", &m, true, &a), &err);
	file = xasprintf("%s/f", a.active[0].mount_point);
	fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	ctx.deadline_ns = 1; /* nobody waits for it */
	assert_int_equal(mount_manager_deactivate(manager, &ctx, "m", &err), -1);
	err_clear(&err);
	ctx.deadline_ns = 0;
	expect(mount_manager_info(manager, &ctx, "m", &b, &err), ERR_NOT_FOUND, NULL);
	assert_true(has_mount(a.active[0].mount_point));
	close(fd);
	assert_ok(activate("m", &m, true, &b), &err);
	assert_false(has_mount(a.active[0].mount_point));
	assert_ok(mount_manager_deactivate(manager, &ctx, "m", &err), &err);
}

static void name_resource(void *arg, const struct gc_resource *r)
{
	*(struct gc_resource *)arg = *r;
}

static int count_one(void *arg, const struct activation *a, struct err *e)
{
	(*(int *)arg)++;
	return 0;
}

static void garbage_is_told_of_and_removed(void **state)
{
	struct gc_resources *g = mount_keeper_resources(keeper);
	AUTO_MOUNTS struct mounts m = { 0 };
	AUTO_ACTIVATION struct activation a = { 0 };
	AUTO_LABELS struct labels labels = { 0 };
	struct mount_activate r = {
		.name = "m", .mounts = &m, .temporary = true, .labels = &labels
	};
	struct gc_resource seen = { 0 };
	int count = 0;

	if (!can_mount)
		skip();
	labels_set(&labels, "containerd.io/gc.bref.container", "c");
	add(&m, "tmpfs", "one", "");
	ctx.lease = "l";
	assert_ok(mount_manager_activate(manager, &ctx, &r, &a, &err), &err);
	g->walk(g, name_resource, &seen);
	assert_string_equal(seen.ns, "ns");
	assert_string_equal(seen.name, "m");
	assert_string_equal(seen.lease, "l");
	assert_string_equal(labels_find(seen.labels, "containerd.io/gc.bref.container"), "c");
	assert_false(seen.is_active);
	assert_ok(mount_manager_list(manager, &ctx, count_one, &count, &err), &err);
	ctx.ns = "other";
	assert_ok(mount_manager_list(manager, &ctx, count_one, &count, &err), &err);
	assert_int_equal(count, 1);
	g->remove(g, seen.serial);
	g->remove(g, seen.serial); /* again is fine */
	assert_false(has_mount(a.active[0].mount_point));
	assert_int_equal(count_entries("r"), 0);
}

static void files_become_file_systems(void **state)
{
	AUTO_MOUNTS struct mounts m = { 0 };
	AUTO_ACTIVATION struct activation a = { 0 };
	AUTO_FREE char *image = xasprintf("%s/disk", root);
	AUTO_FREE char *mkdir_option = xasprintf("X-containerd.mkdir.path=%s/made:0711", root);
	struct stat st;

	if (!can_mount || access("/dev/loop-control", F_OK) < 0)
		skip();
	add(&m, "mkfs/loop", image, "X-containerd.mkfs.size=4MiB X-containerd.mkfs.fs=ext2");
	add(&m, "format/mkdir/ext2", "{{ mount 0 }}", mkdir_option);
	if (activate("m", &m, true, &a) < 0 && strstr(err_text(&err), "loop device") != NULL)
		skip(); /* none to be had here */
	assert_ok(err.kind == ERR_NONE ? 0 : -1, &err);
	assert_int_equal(lstat(a.active[0].mount_point, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_true(has_mount(a.active[1].mount_point));
	{
		AUTO_FREE char *made = xasprintf("%s/made", root);

		assert_int_equal(stat(made, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0711);
	}
	assert_ok(mount_manager_deactivate(manager, &ctx, "m", &err), &err);
	assert_int_equal(count_entries("t"), 0);
}

static void files_are_made_only_where_they_may_be(void **state)
{
	AUTO_MOUNTS struct mounts m = { 0 };
	AUTO_ACTIVATION struct activation a = { 0 };
	AUTO_FREE char *up = xasprintf("X-containerd.mkdir.path=%s/../x", root);

	add(&m, "mkdir/bind", "/", "X-containerd.mkdir.path=/etc/x");
	expect(activate("m", &m, true, &a), ERR_UNIMPLEMENTED,
			"no root \"/etc/x\" configured for mkdir: not implemented");
	free(m.items[0].options[0]);
	m.items[0].options[0] = xstrdup(up);
	assert_int_equal(activate("m", &m, true, &a), -1);
	free(m.items[0].options[0]);
	m.items[0].options[0] = xstrdup("X-containerd.mkdir.mode=1");
	expect(activate("m", &m, true, &a), ERR_INVALID, NULL);
	free(m.items[0].type);
	m.items[0].type = xstrdup("mkfs/loop");
	expect(activate("m", &m, true, &a), ERR_UNIMPLEMENTED, NULL);
	free(m.items[0].source);
	m.items[0].source = xasprintf("%s/disk", root);
	expect(activate("m", &m, true, &a), ERR_INVALID, NULL);
}

static void templates(void **state)
{
	static const char *const bad[] = { "{{", "{{}}", "{{ mount }}", "{{ mount x }}",
		"{{ mount 0 1 }}", "{{ mount 0 1 2 }}", "{{ what 0 }}", "{{ mount 2 }}",
		"{{ overlay 0 2 }}", "{{ overlay -1 0 }}", "{{ mount 99999999999999999999 }}",
		"{{ mount0 }}" };
	AUTO_ACTIVATION struct activation a = { 0 };
	struct mount_spec one = { (char *)"t", (char *)"s1", (char *)"t1", NULL };
	struct mount_spec two = { (char *)"t", (char *)"s2", (char *)"t2", NULL };
	AUTO_FREE char *text = NULL;

	activation_add(&a, &one, "/m1", 0);
	activation_add(&a, &two, "/m2", 0);
	assert_ok(mount_format(&a,
				  "a{{ source 0 }}b{{target 1}}c{{ mount 0 }}{{ overlay 1 0 "
				  "}}!",
				  &text, &err),
			&err);
	assert_string_equal(text, "as1bt2c/m1/m2:/m1!");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *none = NULL;

		expect(mount_format(&a, bad[i], &none, &err), ERR_INVALID, NULL);
	}
}

static void sizes(void **state)
{
	static const char *const bad[] = { "", "x", "-1", "1x", "1mm", "k", "1e400", "1MiBB",
		"1e15p" };
	long long n = 0;

	assert_true(mount_size("512", &n) && n == 512);
	assert_true(mount_size("10MiB", &n) && n == 10 << 20);
	assert_true(mount_size("1g", &n) && n == 1 << 30);
	assert_true(mount_size("1.5k", &n) && n == 1536);
	assert_true(mount_size("2 KB", &n) && n == 2048);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(mount_size(bad[i], &n));
}

static void a_damaged_record_is_refused(void **state)
{
	struct mount_record r = { (char *)"boot", (char *)"ns", (char *)"", { 0 } };
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	struct mount_spec one = { (char *)"t", (char *)"s", (char *)"", NULL };

	r.activation.name = xstrdup("m");
	labels_set(&r.activation.labels, "k", "v");
	activation_add(&r.activation, &one, "/m", 5);
	mount_record_write(&r, &b);
	for (size_t n = 0; n <= b.size; n++) {
		AUTO_MOUNT_RECORD struct mount_record back = { 0 };
		AUTO_ERR struct err e = { 0 };

		if (n < b.size) {
			assert_int_equal(mount_record_read(b.data, n, &back, &e), -1);
			continue;
		}
		assert_ok(mount_record_read(b.data, n, &back, &e), &e);
		assert_string_equal(back.activation.active[0].mount_point, "/m");
		assert_string_equal(labels_find(&back.activation.labels, "k"), "v");
	}
	activation_done(&r.activation);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(plain_mounts_are_nobodys_business),
		T(mounts_before_a_template_are_made_here),
		T(a_temporary_activation_is_one_bind),
		T(what_fails_leaves_nothing),
		T(what_the_caller_can_mount_is_left_to_it),
		T(a_restarted_daemon_knows_its_mounts),
		T(what_is_busy_is_taken_away_later),
		T(garbage_is_told_of_and_removed),
		T(files_become_file_systems),
		T(files_are_made_only_where_they_may_be),
		cmocka_unit_test(templates),
		cmocka_unit_test(sizes),
		cmocka_unit_test(a_damaged_record_is_refused),
	};

	log_setup(STDERR_FILENO, LOG_PANIC, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
