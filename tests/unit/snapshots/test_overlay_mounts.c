/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 01 §6.4: clients and upstream's tests depend on the order of these options. */
#include "unit/unit.h"

#include <stdlib.h>

#include "base/labels.h"
#include "base/str.h"
#include "core/mount.h"
#include "snapshots/overlay/overlay_mounts.h"
#include "snapshots/snap_store.h"

static void check(const struct overlay_config *c, enum snapshot_kind kind, size_t parents,
		const char *uids, const char *gids, const char *type, const char *source,
		const char *want)
{
	uint64_t ids[] = { 9, 5, 1 };
	struct snap_node node = {
		.id = 12, .kind = kind, .parents = ids, .parent_count = parents
	};
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_FREE char *got = NULL;

	if (uids != NULL)
		labels_set(&node.labels, OVERLAY_UID_LABEL, uids);
	if (gids != NULL)
		labels_set(&node.labels, OVERLAY_GID_LABEL, gids);
	overlay_mounts(c, &node, &m);
	labels_done(&node.labels);
	assert_int_equal(m.count, 1);
	assert_string_equal(m.items[0].type, type);
	assert_string_equal(m.items[0].source, source);
	assert_string_equal(m.items[0].target, "");
	got = strv_join(m.items[0].options, " ");
	assert_string_equal(got, want);
}

static const struct overlay_config plain = { .root = "/r" };

static void one_directory_is_a_bind(void **state)
{
	check(&plain, SNAPSHOT_ACTIVE, 0, NULL, NULL, "bind", "/r/snapshots/12/fs", "rw rbind");
	check(&plain, SNAPSHOT_VIEW, 0, NULL, NULL, "bind", "/r/snapshots/12/fs", "ro rbind");
	check(&plain, SNAPSHOT_VIEW, 1, NULL, NULL, "bind", "/r/snapshots/9/fs", "ro rbind");
}

static void several_are_an_overlay_with_the_nearest_parent_first(void **state)
{
	check(&plain, SNAPSHOT_ACTIVE, 1, NULL, NULL, "overlay", "overlay",
			"workdir=/r/snapshots/12/work upperdir=/r/snapshots/12/fs "
			"lowerdir=/r/snapshots/9/fs");
	check(&plain, SNAPSHOT_ACTIVE, 3, NULL, NULL, "overlay", "overlay",
			"workdir=/r/snapshots/12/work upperdir=/r/snapshots/12/fs "
			"lowerdir=/r/snapshots/9/fs:/r/snapshots/5/fs:/r/snapshots/1/fs");
	check(&plain, SNAPSHOT_VIEW, 2, NULL, NULL, "overlay", "overlay",
			"lowerdir=/r/snapshots/9/fs:/r/snapshots/5/fs");
}

static void configured_options_come_before_ours(void **state)
{
	char *configured[] = { (char[]){ "volatile" }, (char[]){ "index=on" }, NULL };
	struct overlay_config c = { "/r", configured, false, true, true };

	check(&c, SNAPSHOT_VIEW, 2, NULL, NULL, "overlay", "overlay",
			"lowerdir=/r/snapshots/9/fs:/r/snapshots/5/fs volatile index=on "
			"userxattr "
			"index=off");
	check(&c, SNAPSHOT_ACTIVE, 1, NULL, NULL, "overlay", "overlay",
			"workdir=/r/snapshots/12/work upperdir=/r/snapshots/12/fs "
			"lowerdir=/r/snapshots/9/fs volatile index=on userxattr index=off");
	check(&c, SNAPSHOT_ACTIVE, 0, NULL, NULL, "bind", "/r/snapshots/12/fs", "rw rbind");
}

static void shifted_ids_come_first_where_the_kernel_can(void **state)
{
	struct overlay_config c = { .root = "/r", .remap = true };

	check(&c, SNAPSHOT_ACTIVE, 0, "0:1:2", "0:3:4", "bind", "/r/snapshots/12/fs",
			"uidmap=0:1:2 gidmap=0:3:4 rw rbind");
	check(&c, SNAPSHOT_VIEW, 2, "0:1:2,2:5:6", "0:3:4", "overlay", "overlay",
			"uidmap=0:1:2,2:5:6 gidmap=0:3:4 "
			"lowerdir=/r/snapshots/9/fs:/r/snapshots/5/fs");
	check(&c, SNAPSHOT_VIEW, 1, "0:1:2", NULL, "bind", "/r/snapshots/9/fs",
			"uidmap=0:1:2 ro rbind");
	check(&plain, SNAPSHOT_VIEW, 1, "0:1:2", "0:3:4", "bind", "/r/snapshots/9/fs",
			"ro rbind");
}

static void check_root(
		const char *uids, const char *gids, bool mapped, uint32_t uid, uint32_t gid)
{
	struct labels labels AUTO_LABELS = { 0 };
	AUTO_ERR struct err err = { 0 };
	uint32_t got_uid, got_gid;
	bool got_mapped;

	if (uids != NULL)
		labels_set(&labels, OVERLAY_UID_LABEL, uids);
	if (gids != NULL)
		labels_set(&labels, OVERLAY_GID_LABEL, gids);
	assert_ok(overlay_mapped_root(&labels, &got_mapped, &got_uid, &got_gid, &err), &err);
	assert_int_equal(got_mapped, mapped);
	assert_int_equal(got_uid, uid);
	assert_int_equal(got_gid, gid);
}

static void the_containers_root_is_found_in_the_labels(void **state)
{
	static const char *const bad[] = { "x", "0:1", "1:2:3", "0:-1:5", "0:4294967296:1" };

	check_root(NULL, NULL, false, 0, 0);
	check_root("0:1000:10", "0:2000:10", true, 1000, 2000);
	check_root("5:9:5,0:1000:5", NULL, true, 1000, 0);
	check_root(NULL, "0:2000:10", true, 0, 2000);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct labels labels AUTO_LABELS = { 0 };
		AUTO_ERR struct err err = { 0 };
		uint32_t uid, gid;
		bool mapped;

		labels_set(&labels, OVERLAY_UID_LABEL, bad[i]);
		assert_fails(overlay_mapped_root(&labels, &mapped, &uid, &gid, &err), &err,
				ERR_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_directory_is_a_bind),
		TEST(several_are_an_overlay_with_the_nearest_parent_first),
		TEST(configured_options_come_before_ours),
		TEST(shifted_ids_come_first_where_the_kernel_can),
		TEST(the_containers_root_is_found_in_the_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
