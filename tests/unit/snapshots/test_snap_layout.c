/* SPDX-License-Identifier: Apache-2.0 */
/* What of the drivers is not in the interface: directories, when they go, and labels of
 * overlay. */
#include "unit/unit.h"

#include <errno.h>

#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/snapshot.h"
#include "snapshots/native/snap_native.h"
#include "snapshots/overlay/snap_overlay.h"
#include "snapshots/snap_dirs.h"
#include "snapshots/snap_store.h"
#include "support/tempdir.h"

static struct tempdir dir;
static struct ctx ctx;

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

static struct snapshotter *overlay_with(struct snap_overlay_options options)
{
	AUTO_FREE char *root = xasprintf("%s/root", dir.path);
	AUTO_ERR struct err err = { 0 };
	struct snapshotter *s = NULL;

	options.root = root;
	assert_ok(snap_overlay_new(&options, snap_store_mem_new(), &s, &err), &err);
	return s;
}

static void prepare(struct snapshotter *s, const char *key, const char *parent,
		const struct labels *labels)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(snapshot_prepare(s, &ctx, key, parent, labels, &m, &err), &err);
}

static void view(struct snapshotter *s, const char *key)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(snapshot_view(s, &ctx, key, NULL, NULL, &m, &err), &err);
}

static int mode_of(const char *path)
{
	struct stat st;

	return fstatat(dir.fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -1
								   : (int)(st.st_mode & 07777);
}

static void overlay_directories_have_the_originals_modes(void **state)
{
	AUTO(snapshotter_free) struct snapshotter *s = NULL;
	mode_t old = umask(0077);

	s = overlay_with((struct snap_overlay_options){ 0 });
	prepare(s, "a", NULL, NULL);
	view(s, "v");
	assert_int_equal(mode_of("root"), 0700);
	assert_int_equal(mode_of("root/snapshots"), 0700);
	assert_int_equal(mode_of("root/snapshots/1"), 0700);
	assert_int_equal(mode_of("root/snapshots/1/fs"), 0755);
	assert_int_equal(mode_of("root/snapshots/1/work"), 0711);
	assert_int_equal(mode_of("root/snapshots/2/fs"), 0755);
	assert_int_equal(mode_of("root/snapshots/2/work"), -1);
	umask(old);
}

/* The copier's directory for hard links: in use while a copy of a parent is made. */
static void cleanup_keeps_what_a_copy_in_progress_needs(void **state)
{
	AUTO(snap_store_free) struct snap_store *store = snap_store_mem_new();
	AUTO_FREE char *root = xasprintf("%s/root", dir.path);
	AUTO_ERR struct err err = { 0 };
	bool is_changed = false;
	struct snap_dirs dirs;
	uint64_t id;

	assert_ok(snap_dirs_open(&dirs, root, &err), &err);
	assert_ok(snap_dirs_make(&dirs, store, 0755, &id, &is_changed, &err), &err);
	assert_false(is_changed);
	assert_int_equal(id, 1);
	assert_int_equal(mkdirat(dirs.fd, "1.links", 0700), 0);
	assert_int_equal(mkdirat(dirs.fd, "2.links", 0700), 0);
	assert_int_equal(mkdirat(dirs.fd, ".links", 0700), 0);
	assert_ok(snap_dirs_clean(&dirs, store, &ctx, &err), &err);
	assert_int_equal(mode_of("root/snapshots/1"), 0755);
	assert_int_equal(mode_of("root/snapshots/1.links"), 0700);
	assert_int_equal(mode_of("root/snapshots/2.links"), -1);
	assert_int_equal(mode_of("root/snapshots/.links"), -1);
	snap_dirs_settled(&dirs, id);
	assert_ok(snap_dirs_clean(&dirs, store, &ctx, &err), &err);
	assert_int_equal(mode_of("root/snapshots/1.links"), -1);
	snap_dirs_close(&dirs);
}

/* Once it is recorded they are what a crash left. */
static void cleanup_takes_the_links_of_a_copy_that_was_cut_off(void **state)
{
	AUTO_FREE char *root = xasprintf("%s/root", dir.path);
	struct snap_native_options options = { .root = root };
	AUTO(snapshotter_free) struct snapshotter *s = NULL;
	AUTO_ERR struct err err = { 0 };

	assert_ok(snap_native_new(&options, snap_store_mem_new(), &s, &err), &err);
	prepare(s, "a", NULL, NULL);
	assert_int_equal(mkdirat(dir.fd, "root/snapshots/1.links", 0700), 0);
	assert_ok(snapshot_cleanup(s, &ctx, &err), &err);
	assert_int_equal(mode_of("root/snapshots/1"), 0755);
	assert_int_equal(mode_of("root/snapshots/1.links"), -1);
}

/* CVE-2024-25621 */
static void a_lax_root_is_tightened(void **state)
{
	AUTO(snapshotter_free) struct snapshotter *s = NULL;

	assert_int_equal(fs_make_dirs(dir.fd, "root/snapshots", 0755), 0);
	s = overlay_with((struct snap_overlay_options){ 0 });
	assert_int_equal(mode_of("root"), 0700);
	assert_int_equal(mode_of("root/snapshots"), 0700);
}

static void removed_directories_go_in_cleanup(void **state)
{
	AUTO(snapshotter_free)
	struct snapshotter *s = overlay_with((struct snap_overlay_options){ 0 });
	AUTO_ERR struct err err = { 0 };

	prepare(s, "a", NULL, NULL);
	prepare(s, "b", NULL, NULL);
	put_file(dir.fd, "root/snapshots/1/fs/file", "");
	assert_ok(snapshot_remove(s, &ctx, "a", &err), &err);
	assert_true(is_there(dir.fd, "root/snapshots/1/fs/file"));
	assert_int_equal(mkdirat(dir.fd, "root/snapshots/new-123", 0700), 0);
	assert_int_equal(mkdirat(dir.fd, "root/snapshots/77", 0700), 0);
	assert_int_equal(mkdirat(dir.fd, "root/snapshots/2.links", 0700), 0);
	assert_ok(snapshot_cleanup(s, &ctx, &err), &err);
	assert_false(is_there(dir.fd, "root/snapshots/1"));
	assert_true(is_there(dir.fd, "root/snapshots/2/fs"));
	assert_false(is_there(dir.fd, "root/snapshots/new-123"));
	assert_false(is_there(dir.fd, "root/snapshots/77"));
	assert_false(is_there(dir.fd, "root/snapshots/2.links"));
}

/* --- what a power cut takes --- */

typedef int (*open_driver)(const char *root, struct snap_store *own_store,
		struct snapshotter **ret, struct err *err);

static int open_overlay(const char *root, struct snap_store *own_store,
		struct snapshotter **ret, struct err *err)
{
	struct snap_overlay_options options = { .root = root };

	return snap_overlay_new(&options, own_store, ret, err);
}

static int open_native(const char *root, struct snap_store *own_store, struct snapshotter **ret,
		struct err *err)
{
	struct snap_native_options options = { .root = root };

	return snap_native_new(&options, own_store, ret, err);
}

static struct snapshotter *opened(open_driver open)
{
	AUTO_FREE char *root = xasprintf("%s/root", dir.path);
	struct snap_store *store = NULL;
	struct snapshotter *s = NULL;
	AUTO_ERR struct err err = { 0 };

	assert_ok(snap_store_kv_open(root, true, &store, &err), &err);
	assert_ok(open(root, store, &s, &err), &err);
	return s;
}

/* Ids: base 1, a shifted one without a parent 2, one on base 3, a view of base 4. */
static void make_some(struct snapshotter *s)
{
	struct labels labels AUTO_LABELS = { 0 };
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };

	labels_set(&labels, "containerd.io/snapshot/uidmapping", "0:100000:65536");
	prepare(s, "base-key", NULL, NULL);
	assert_ok(snapshot_commit(s, &ctx, "base", "base-key", NULL, NULL, &err), &err);
	prepare(s, "free", NULL, geteuid() == 0 ? &labels : NULL);
	prepare(s, "top", "base", NULL);
	assert_ok(snapshot_view(s, &ctx, "view", "base", NULL, &m, &err), &err);
}

static void lose(const char *name)
{
	AUTO_FREE char *path = xasprintf("root/snapshots/%s", name);

	assert_int_equal(fs_remove_all(dir.fd, path), 0);
}

static void overlay_makes_lost_directories_again_as_they_were(void **state)
{
	struct snapshotter *s = opened(open_overlay);
	mode_t old = umask(0077);
	struct stat st;

	make_some(s);
	snapshotter_free(s);
	lose("2");
	lose("3/fs");
	lose("4");
	s = opened(open_overlay);
	assert_int_equal(mode_of("root/snapshots/2"), 0700);
	assert_int_equal(mode_of("root/snapshots/2/fs"), 0755);
	assert_int_equal(mode_of("root/snapshots/2/work"), 0711);
	assert_int_equal(mode_of("root/snapshots/3/fs"), 0755);
	assert_int_equal(mode_of("root/snapshots/4/fs"), 0755);
	assert_int_equal(mode_of("root/snapshots/4/work"), -1);
	assert_int_equal(fstatat(dir.fd, "root/snapshots/2/fs", &st, 0), 0);
	assert_int_equal(st.st_uid, geteuid() == 0 ? 100000 : geteuid());
	snapshotter_free(s);
	umask(old);
}

static void what_a_container_changed_stays(void **state)
{
	struct snapshotter *s = opened(open_overlay);

	make_some(s);
	snapshotter_free(s);
	assert_int_equal(fchmodat(dir.fd, "root/snapshots/3/fs", 0700, 0), 0);
	put_file(dir.fd, "root/snapshots/3/fs/file", "");
	lose("3/work");
	s = opened(open_overlay);
	assert_int_equal(mode_of("root/snapshots/3/fs"), 0700);
	assert_true(is_there(dir.fd, "root/snapshots/3/fs/file"));
	assert_int_equal(mode_of("root/snapshots/3/work"), 0711);
	snapshotter_free(s);
}

static void committed_ones_are_not_made_again(void **state)
{
	static const open_driver drivers[] = { open_overlay, open_native };

	for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
		struct snapshotter *s = opened(drivers[i]);

		make_some(s);
		snapshotter_free(s);
		lose("1");
		s = opened(drivers[i]);
		assert_false(is_there(dir.fd, "root/snapshots/1"));
		snapshotter_free(s);
		assert_int_equal(fs_remove_all(dir.fd, "root"), 0);
	}
}

/* A copy of a parent was synced: an empty directory would not be what it was. */
static void native_makes_only_empty_ones_again(void **state)
{
	struct snapshotter *s = opened(open_native);

	make_some(s);
	snapshotter_free(s);
	lose("2");
	lose("3");
	lose("4");
	s = opened(open_native);
	assert_int_equal(mode_of("root/snapshots/2"), 0755);
	assert_false(is_there(dir.fd, "root/snapshots/3"));
	assert_int_equal(mode_of("root/snapshots/4"), 0755);
	snapshotter_free(s);
}

/* A store that cleans up at the worst moment: the directory is made, the record is not. */
struct rude_store {
	struct snap_store base;
	struct snap_store *inner;
	struct snapshotter *cleaned;
};

static struct snap_store *inner_of(struct snap_store *self)
{
	return container_of(self, struct rude_store, base)->inner;
}

static int rude_new_id(struct snap_store *self, uint64_t *ret_id, struct err *err)
{
	return snap_store_new_id(inner_of(self), ret_id, err);
}

static int rude_create(struct snap_store *self, uint64_t id, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct snap_node *ret_node, struct err *err)
{
	struct rude_store *r = container_of(self, struct rude_store, base);

	if (snapshot_cleanup(r->cleaned, &ctx, err) < 0)
		return -1;
	return snap_store_create(r->inner, id, kind, key, parent, labels, ret_node, err);
}

static int rude_find(struct snap_store *self, const char *key, struct snap_node *ret_node,
		struct snapshot_info *ret_info, struct snapshot_usage *ret_usage,
		struct err *err)
{
	return snap_store_find(inner_of(self), key, ret_node, ret_info, ret_usage, err);
}

static int rude_walk(struct snap_store *self, char *const *filters, snap_store_each each,
		void *arg, struct err *err)
{
	return snap_store_walk(inner_of(self), filters, each, arg, err);
}

static void rude_free(struct snap_store *self)
{
	snap_store_free(inner_of(self));
}

static const struct snap_store_ops rude_ops = {
	.new_id = rude_new_id,
	.create = rude_create,
	.find = rude_find,
	.walk = rude_walk,
	.free = rude_free,
};

static void cleanup_spares_a_directory_that_is_not_recorded_yet(void **state)
{
	AUTO_FREE char *root = xasprintf("%s/root", dir.path);
	struct snap_overlay_options options = { .root = root };
	struct rude_store rude = { .base.ops = &rude_ops };
	AUTO(snapshotter_free) struct snapshotter *s = NULL;
	AUTO_ERR struct err err = { 0 };

	rude.inner = snap_store_mem_new();
	assert_ok(snap_overlay_new(&options, &rude.base, &s, &err), &err);
	rude.cleaned = s;
	prepare(s, "a", NULL, NULL);
	assert_true(is_there(dir.fd, "root/snapshots/1/fs"));
	assert_ok(snapshot_cleanup(s, &ctx, &err), &err);
	assert_true(is_there(dir.fd, "root/snapshots/1/fs"));
}

static void removal_is_at_once_if_so_configured(void **state)
{
	AUTO(snapshotter_free)
	struct snapshotter *s =
			overlay_with((struct snap_overlay_options){ .sync_remove = true });
	AUTO_ERR struct err err = { 0 };

	prepare(s, "a", NULL, NULL);
	assert_ok(snapshot_remove(s, &ctx, "a", &err), &err);
	assert_false(is_there(dir.fd, "root/snapshots/1"));
}

static void a_failed_prepare_leaves_no_directory(void **state)
{
	AUTO(snapshotter_free)
	struct snapshotter *s = overlay_with((struct snap_overlay_options){ 0 });
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };
	AUTO_STRV char **names = NULL;

	prepare(s, "a", NULL, NULL);
	assert_fails(snapshot_prepare(s, &ctx, "b", "a", NULL, &m, &err), &err, ERR_INVALID);
	assert_fails(snapshot_prepare(s, &ctx, "a", NULL, NULL, &m, &err), &err, ERR_EXISTS);
	assert_int_equal(fs_list(dir.fd, "root/snapshots", &names), 0);
	assert_int_equal(strv_len(names), 1);
}

static void a_directory_in_the_way_is_passed_by(void **state)
{
	AUTO(snapshotter_free)
	struct snapshotter *s = overlay_with((struct snap_overlay_options){ 0 });

	assert_int_equal(mkdirat(dir.fd, "root/snapshots/1", 0700), 0);
	prepare(s, "a", NULL, NULL);
	assert_false(is_there(dir.fd, "root/snapshots/1/fs"));
	assert_true(is_there(dir.fd, "root/snapshots/2/fs"));
}

static void shifted_snapshots_belong_to_the_containers_root(void **state)
{
	AUTO(snapshotter_free)
	struct snapshotter *s = overlay_with((struct snap_overlay_options){ 0 });
	struct labels labels AUTO_LABELS = { 0 };
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };
	struct stat st;

	if (geteuid() != 0)
		skip();
	labels_set(&labels, "containerd.io/snapshot/uidmapping", "0:100000:65536");
	prepare(s, "a", NULL, &labels);
	assert_int_equal(fstatat(dir.fd, "root/snapshots/1/fs", &st, 0), 0);
	assert_int_equal(st.st_uid, 100000);
	assert_int_equal(st.st_gid, 0);
	labels_set(&labels, "containerd.io/snapshot/uidmapping", "rubbish");
	assert_fails(snapshot_prepare(s, &ctx, "b", NULL, &labels, &m, &err), &err,
			ERR_UNKNOWN);
	assert_false(is_there(dir.fd, "root/snapshots/2"));
}

static int check_label(void *arg, const struct snapshot_info *i, struct err *err)
{
	AUTO_FREE char *want = xasprintf("%s/root/snapshots/1/fs", dir.path);
	const char *got = labels_find(&i->labels, "containerd.io/snapshot/overlay.upperdir");

	assert_non_null(got);
	assert_string_equal(got, want);
	return 0;
}

static void the_upper_directory_is_shown_if_so_configured(void **state)
{
	AUTO(snapshotter_free)
	struct snapshotter *s =
			overlay_with((struct snap_overlay_options){ .upperdir_label = true });
	struct snapshot_info i = { 0 }, change = { .name = (char[]){ "a" } };
	AUTO_ERR struct err err = { 0 };

	prepare(s, "a", NULL, NULL);
	assert_ok(snapshot_stat(s, &ctx, "a", &i, &err), &err);
	assert_ok(check_label(NULL, &i, &err), &err);
	snapshot_info_done(&i);
	assert_ok(snapshot_update(s, &ctx, &change, NULL, &i, &err), &err);
	assert_ok(check_label(NULL, &i, &err), &err);
	snapshot_info_done(&i);
	assert_ok(snapshot_walk(s, &ctx, NULL, check_label, NULL, &err), &err);
}

static void overlay_promises_what_it_can(void **state)
{
	AUTO(snapshotter_free)
	struct snapshotter *s = overlay_with((struct snap_overlay_options){ 0 });
	AUTO(snapshotter_free)
	struct snapshotter *slow =
			overlay_with((struct snap_overlay_options){ .slow_chown = true });
	AUTO_STRV char **caps = snap_overlay_capabilities(s);
	AUTO_STRV char **slow_caps = snap_overlay_capabilities(slow);

	assert_int_equal(strv_has(caps, "remap-ids"), strv_has(caps, "only-remap-ids"));
	assert_false(strv_has(slow_caps, "only-remap-ids"));
	assert_int_equal(strv_has(caps, "rebase"), strv_has(slow_caps, "rebase"));
}

static void native_copies_everything_of_its_parent(void **state)
{
	AUTO_FREE char *root = xasprintf("%s/root", dir.path);
	struct snap_native_options options = { .root = root };
	AUTO(snapshotter_free) struct snapshotter *s = NULL;
	AUTO_ERR struct err err = { 0 };
	struct stat a, b;

	assert_ok(snap_native_new(&options, snap_store_mem_new(), &s, &err), &err);
	prepare(s, "a", NULL, NULL);
	put_file(dir.fd, "root/snapshots/1/file", "text");
	assert_int_equal(linkat(dir.fd, "root/snapshots/1/file", dir.fd,
					 "root/snapshots/1/again", 0),
			0);
	assert_ok(snapshot_commit(s, &ctx, "one", "a", NULL, NULL, &err), &err);
	prepare(s, "b", "one", NULL);
	assert_int_equal(fstatat(dir.fd, "root/snapshots/2/file", &a, 0), 0);
	assert_int_equal(fstatat(dir.fd, "root/snapshots/2/again", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_ok(snapshot_remove(s, &ctx, "b", &err), &err);
	assert_false(is_there(dir.fd, "root/snapshots/2"));
	assert_false(is_there(dir.fd, "root/snapshots/2.links"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(overlay_directories_have_the_originals_modes),
		T(a_lax_root_is_tightened),
		T(removed_directories_go_in_cleanup),
		T(cleanup_spares_a_directory_that_is_not_recorded_yet),
		T(cleanup_keeps_what_a_copy_in_progress_needs),
		T(cleanup_takes_the_links_of_a_copy_that_was_cut_off),
		T(removal_is_at_once_if_so_configured),
		T(overlay_makes_lost_directories_again_as_they_were),
		T(what_a_container_changed_stays),
		T(committed_ones_are_not_made_again),
		T(native_makes_only_empty_ones_again),
		T(a_failed_prepare_leaves_no_directory),
		T(a_directory_in_the_way_is_passed_by),
		T(shifted_snapshots_belong_to_the_containers_root),
		T(the_upper_directory_is_shown_if_so_configured),
		T(overlay_promises_what_it_can),
		T(native_copies_everything_of_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
