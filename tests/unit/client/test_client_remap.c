/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/client_snapshots_priv.h"
#include "support/tempdir.h"
#include "unit/unit.h"

static void expect_owner(
		const struct tempdir *d, const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;

	assert_int_equal(fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_gid, gid);
	if (mode != 0)
		assert_int_equal(st.st_mode & 07777, mode);
}

static const struct ctrd_id_range uids[] = { { 10, 70000, 5 }, { 0, 5, 10 } };
static const struct ctrd_id_range gids[] = { { 0, 80000, 20 } };
static const struct ctrd_id_maps maps = { uids, gids, 2, 1 };

static void each_file_gets_its_owner_once(void **state)
{
	struct tempdir d;
	AUTO_ERR struct err err = { 0 };

	if (geteuid() != 0)
		skip();
	tempdir_make(&d);
	assert_int_equal(mkdirat(d.fd, "dir", 0755), 0);
	put_file(d.fd, "dir/program", "x");
	assert_int_equal(fchownat(d.fd, "dir/program", 12, 3, 0), 0);
	assert_int_equal(fchmodat(d.fd, "dir/program", 06755, 0), 0);
	put_file(d.fd, "dir/two", "x");
	/* 0 becomes 5, which would become 10: a second name must not be taken for another file.
	 */
	assert_int_equal(linkat(d.fd, "dir/two", d.fd, "dir/names", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", d.fd, "link"), 0);
	assert_ok(client_remap_tree(d.path, &maps, &err), &err);
	expect_owner(&d, "dir", 5, 80000, 0);
	expect_owner(&d, "dir/program", 70002, 80003, 06755);
	expect_owner(&d, "dir/two", 5, 80000, 0);
	expect_owner(&d, "dir/names", 5, 80000, 0);
	expect_owner(&d, "link", 5, 80000, 0);
	tempdir_remove(&d);
}

static void an_owner_in_no_mapping_is_refused(void **state)
{
	struct tempdir d;
	AUTO_ERR struct err err = { 0 };

	if (geteuid() != 0)
		skip();
	tempdir_make(&d);
	put_file(d.fd, "file", "x");
	assert_int_equal(fchownat(d.fd, "file", 0, 20, 0), 0);
	assert_fails(client_remap_tree(d.path, &maps, &err), &err, ERR_INVALID);
	expect_owner(&d, "file", 0, 20, 0);
	tempdir_remove(&d);
}

static void mappings_are_bounded(void **state)
{
	const struct ctrd_id_maps none = { uids, gids, 0, 1 };
	const struct ctrd_id_maps many = { uids, gids, 2, 100000 };
	char root[] = "/nowhere";
	AUTO_ERR struct err err = { 0 };

	assert_fails(client_remap_tree(root, &none, &err), &err, ERR_INVALID);
	err_clear(&err);
	assert_fails(client_remap_tree(root, &many, &err), &err, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_file_gets_its_owner_once),
		TEST(an_owner_in_no_mapping_is_refused),
		TEST(mappings_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
