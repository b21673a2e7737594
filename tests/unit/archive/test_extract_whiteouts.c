/* SPDX-License-Identifier: Apache-2.0 */
/* What layers take away from those below. */
#include "extract_place.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static void whiteouts_remove_trees(void **state)
{
	struct place *p = *state;

	tarball_file(&p->t, "keep/f", "");
	tarball_file(&p->t, "gone/a/b", "");
	tarball_file(&p->t, "file", "");
	tarball_link(&p->t, '2', "link", "keep");
	applies(p);
	tarball_file(&p->t, ".wh.gone", "");
	tarball_file(&p->t, ".wh.file", "");
	tarball_file(&p->t, ".wh.link", ""); /* the link, not what it names */
	tarball_file(&p->t, ".wh.never-was", "");
	applies(p);
	missing(p, "gone");
	missing(p, "file");
	missing(p, "link");
	holds(p, "keep/f", "");
}

static void whiteouts_stay_inside_behind_links(void **state)
{
	struct place *p = *state;
	AUTO_FREE char *outside = xasprintf("%s/outside", p->dir.path);

	tarball_link(&p->t, '2', "l", outside);
	tarball_link(&p->t, '2', "up", "..");
	tarball_file(&p->t, "l/.wh.secret", "");
	tarball_file(&p->t, "up/.wh.secret", "");
	tarball_file(&p->t, "l/.wh..wh..opq", "");
	tarball_file(&p->t, "up/../.wh.outside", "");
	applies(p);
}

static void whiteouts_of_nothing_or_of_the_parent_are_refused(void **state)
{
	struct place *p = *state;

	tarball_file(&p->t, "d/.wh.", "");
	refused(p, ERR_UNKNOWN, "invalid whiteout name: .wh.: invalid archive");
	tarball_file(&p->t, "d/.wh..", "");
	refused(p, ERR_UNKNOWN, "invalid whiteout name: .wh..: invalid archive");
	tarball_file(&p->t, "d/.wh...", "");
	refused(p, ERR_UNKNOWN, "invalid whiteout name: .wh...: invalid archive");
}

static void other_reserved_names_are_plain_whiteouts(void **state)
{
	struct place *p = *state;

	put_file(p->root, ".wh.x", "");
	tarball_file(&p->t, ".wh..wh.x", "");
	applies(p);
	missing(p, ".wh.x");
	missing(p, ".wh..wh.x");
}

static void opaque_markers_leave_what_the_layer_brought(void **state)
{
	struct place *p = *state;

	tarball_dir(&p->t, "d");
	tarball_file(&p->t, "d/old", "");
	tarball_file(&p->t, "d/sub/old", "");
	tarball_file(&p->t, "d/gone/old", "");
	tarball_file(&p->t, "beside", "");
	applies(p);
	tarball_dir(&p->t, "d");
	tarball_file(&p->t, "d/new", "");
	tarball_dir(&p->t, "d/sub");
	tarball_file(&p->t, "d/sub/new", "");
	tarball_file(&p->t, "d/made/new", "");
	tarball_file(&p->t, "d/.wh..wh..opq", "");
	tarball_file(&p->t, "d/late", "");
	tarball_file(&p->t, "d/.wh..wh..opq", "");
	applies(p);
	missing(p, "d/old");
	missing(p, "d/sub/old");
	missing(p, "d/gone");
	holds(p, "d/new", "");
	holds(p, "d/late", "");
	holds(p, "d/sub/new", "");
	holds(p, "d/made/new", "");
	holds(p, "beside", "");
}

static void opaque_markers_work_behind_links(void **state)
{
	struct place *p = *state;

	tarball_file(&p->t, "real/old", "");
	tarball_link(&p->t, '2', "link", "real");
	applies(p);
	tarball_file(&p->t, "link/new", "");
	tarball_file(&p->t, "real/.wh..wh..opq", "");
	applies(p);
	missing(p, "real/old");
	holds(p, "real/new", "");
}

/* CVE-2026-95838: as many markers as files would be 10,000,000,000 steps. */
static void opaque_markers_take_linear_time(void **state)
{
	struct place *p = *state;
	int64_t start;

	put_file(p->root, "lower", "");
	for (int i = 0; i < 100000; i++) {
		AUTO_FREE char *name = xasprintf("d/%d", i);

		if (i % 10 == 0)
			tarball_file(&p->t, name, "");
		tarball_file(&p->t, "d/.wh..wh..opq", "");
		tarball_file(&p->t, ".wh..wh..opq", "");
	}
	start = clock_mono_ns();
	applies(p);
	assert_true(clock_mono_ns() - start < 20 * NS_PER_S);
	holds(p, "d/99990", "");
	missing(p, "lower");
}

static bool is_opaque(struct place *p, const char *name, const char *attribute)
{
	AUTO_FREE char *path = xasprintf("%s/root/%s", p->dir.path, name);
	char value[4] = "";

	return getxattr(path, attribute, value, sizeof(value)) == 1 && value[0] == 'y';
}

static void overlays_get_whiteouts_of_their_own_kind(void **state)
{
	struct place *p = *state;
	struct tarball_header h = { '0', "d/.wh.x", NULL, 0644, 7, 8, 0, 0, 0, 0, 0, 0 };
	struct stat st;

	if (geteuid() != 0)
		skip();
	p->options.is_overlay = true;
	tarball_header(&p->t, &h);
	tarball_header(&p->t, &h); /* twice does no harm */
	tarball_file(&p->t, "o/.wh..wh..opq", "");
	applies(p);
	st = look(p, "d/x");
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_gid, 8);
	assert_true(is_opaque(p, "o", "trusted.overlay.opaque"));
	missing(p, "o/.wh..wh..opq");

	p->options.user_xattr = true;
	tarball_pax(&p->t, "SCHILY.xattr.user.overlay.redirect", "/etc");
	tarball_dir(&p->t, "u");
	tarball_file(&p->t, "u/.wh..wh..opq", "");
	applies(p);
	assert_true(is_opaque(p, "u", "user.overlay.opaque"));
	assert_false(is_opaque(p, "u", "user.overlay.redirect"));
}

/* Without this, what a layer hid would shine through what it puts in its place. */
static void directories_in_place_of_a_whiteout_are_opaque(void **state)
{
	struct place *p = *state;

	if (geteuid() != 0)
		skip();
	p->options.is_overlay = true;
	tarball_file(&p->t, ".wh.a", "");
	tarball_dir(&p->t, "a");
	tarball_file(&p->t, ".wh.b", "");
	tarball_file(&p->t, "b/c/f", "");
	tarball_dir(&p->t, "fresh");
	tarball_file(&p->t, "file", "");
	tarball_file(&p->t, ".wh.file", "");
	applies(p);
	assert_true(is_opaque(p, "a", "trusted.overlay.opaque"));
	assert_true(is_opaque(p, "b", "trusted.overlay.opaque"));
	assert_false(is_opaque(p, "b/c", "trusted.overlay.opaque"));
	assert_false(is_opaque(p, "fresh", "trusted.overlay.opaque"));
	assert_true(S_ISCHR(look(p, "file").st_mode));
}

static void missing_parents_look_like_the_lower_ones(void **state)
{
	struct place *p = *state;
	struct stat st;
	AUTO_CLOSE int lower = -1, empty = -1;
	int lowers[2];

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdirat(p->root, "empty", 0755), 0);
	assert_int_equal(mkdirat(p->root, "lower", 0755), 0);
	assert_int_equal(mkdirat(p->root, "lower/d", 0755), 0);
	assert_int_equal(mkdirat(p->root, "lower/d/e", 0755), 0);
	assert_int_equal(fchownat(p->root, "lower/d/e", 11, 12, 0), 0);
	assert_int_equal(fchmodat(p->root, "lower/d/e", 01777, 0), 0);
	lower = fs_open_dir(p->root, "lower");
	empty = fs_open_dir(p->root, "empty");
	lowers[0] = empty;
	lowers[1] = lower;
	p->options.is_overlay = true;
	p->options.lowers = lowers;
	p->options.lower_count = 2;
	tarball_file(&p->t, "d/e/f", "");
	applies(p);
	st = look(p, "d/e");
	assert_int_equal(st.st_mode & 07777, 01777);
	assert_int_equal(st.st_uid, 11);
	assert_int_equal(st.st_gid, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT_PLACE(whiteouts_remove_trees),
		AT_PLACE(whiteouts_stay_inside_behind_links),
		AT_PLACE(whiteouts_of_nothing_or_of_the_parent_are_refused),
		AT_PLACE(other_reserved_names_are_plain_whiteouts),
		AT_PLACE(opaque_markers_leave_what_the_layer_brought),
		AT_PLACE(opaque_markers_work_behind_links),
		AT_PLACE(opaque_markers_take_linear_time),
		AT_PLACE(overlays_get_whiteouts_of_their_own_kind),
		AT_PLACE(directories_in_place_of_a_whiteout_are_opaque),
		AT_PLACE(missing_parents_look_like_the_lower_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
