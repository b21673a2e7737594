/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an overlay's upper directory must give the very bytes that walking both trees gives,
 * whatever was done in the overlay. What is done is random, but the same in every run. */
#include "unit/diff/diff_place.h"

#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "diff/diff_upper.h"

#define TREES 16
#define STEPS 60

struct chance {
	uint64_t state;
};

static unsigned roll(struct chance *c, unsigned sides)
{
	c->state = c->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(c->state >> 33) % sides;
}

/* Few names, so that they meet again. */
static char *any_path(struct chance *c)
{
	static const char *const names[] = { "a", "b", "c", "dir", "e", ".wh.f", "gone" };
	unsigned depth = 1 + roll(c, 3);
	char *path = xstrdup(names[roll(c, ARRAY_LEN(names))]);

	for (unsigned i = 1; i < depth; i++) {
		AUTO_FREE char *dir = path;

		path = xasprintf("%s/%s", dir, names[roll(c, ARRAY_LEN(names))]);
	}
	return path;
}

static void put_text(int root, const char *path, struct chance *c)
{
	AUTO_CLOSE int fd = openat(root, path,
			O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
			roll(c, 2) ? 0644 : 0600);

	/* What cannot be done (no parent, a directory in the way) is left. */
	if (fd >= 0 && roll(c, 4) > 0)
		IGNORE(pwrite(fd, "some text", 1 + roll(c, 9), roll(c, 3)));
}

/* A capability as the kernel takes it: version 2, one permitted bit. */
static void put_capability(int root, const char *path, struct chance *c)
{
	static const unsigned char value[20] = { 1, 0, 0, 2, 0, 4 };
	AUTO_CLOSE int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && roll(c, 3) > 0)
		IGNORE(fsetxattr(fd, "security.capability", value, sizeof(value), 0));
	else if (fd >= 0)
		IGNORE(fremovexattr(fd, "security.capability"));
}

static void set_any_time(int root, const char *path, struct chance *c)
{
	struct timespec times[2] = { { 1000, 0 }, { 1000 + roll(c, 2), roll(c, 2) } };

	IGNORE(utimensat(root, path, times, AT_SYMLINK_NOFOLLOW));
}

static void make_dir_anew(int root, const char *path, struct chance *c)
{
	AUTO_FREE char *file = xasprintf("%s/e", path);

	IGNORE(fs_remove_all(root, path));
	IGNORE(mkdirat(root, path, 0755));
	put_text(root, file, c);
}

static void step(int root, struct chance *c, bool in_overlay)
{
	AUTO_FREE char *path = any_path(c), *other = any_path(c);

	switch (roll(c, in_overlay ? 13 : 8)) {
	case 0:
	case 1:
	case 2:
		put_text(root, path, c);
		break;
	case 3:
	case 4:
		IGNORE(mkdirat(root, path, roll(c, 2) ? 0755 : 0700));
		break;
	case 5:
		IGNORE(symlinkat(other, root, path));
		break;
	case 6:
		IGNORE(linkat(root, other, root, path, 0));
		break;
	case 7:
		IGNORE(mknodat(root, path, roll(c, 2) ? S_IFIFO | 0600 : S_IFCHR | 0600,
				makedev(1, 3 + roll(c, 2))));
		break;
	case 8:
		IGNORE(fs_remove_all(root, path));
		break;
	case 9:
		make_dir_anew(root, path, c);
		break;
	case 10:
		IGNORE(renameat(root, other, root, path));
		break;
	case 11:
		put_capability(root, path, c);
		break;
	default:
		IGNORE(fchmodat(root, path, roll(c, 2) ? 0755 : 0700, 0));
		break;
	}
	if (roll(c, 2) == 0)
		set_any_time(root, path, c);
}

static void do_steps(struct diff_place *p, const char *dir, struct chance *c, bool in_overlay)
{
	AUTO_CLOSE int root = fs_open_dir(p->dir.fd, dir);

	assert_true(root >= 0);
	for (int i = 0; i < STEPS; i++)
		step(root, c, in_overlay);
}

static void make_anew(struct diff_place *p)
{
	static const char *const dirs[] = { "l1", "l2", "up", "work", "merged" };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		assert_int_equal(fs_remove_all(p->dir.fd, dirs[i]), 0);
		assert_int_equal(mkdirat(p->dir.fd, dirs[i], 0755), 0);
	}
}

static void overlay(struct diff_place *p, struct mounts *m, const char *upper,
		const char *lowers, const char *more)
{
	struct mount_spec *s = mounts_add(m, "overlay", "overlay", "");
	AUTO_STRV char **names = strv_split(lowers, ':');
	AUTO_FREE char *list = NULL;

	for (size_t i = 0; i < strv_len(names); i++) {
		AUTO_FREE char *before = list;

		list = xasprintf("%s%s%s/%s", str_or(before, ""), before != NULL ? ":" : "",
				p->dir.path, names[i]);
	}
	strv_addf(&s->options, "lowerdir=%s", list);
	if (upper != NULL) {
		strv_addf(&s->options, "upperdir=%s/%s", p->dir.path, upper);
		strv_addf(&s->options, "workdir=%s/work", p->dir.path);
		strv_add(&s->options, "index=off");
	}
	if (*more != '\0')
		strv_add(&s->options, more);
}

static bool mount_it(struct diff_place *p, const struct mounts *m)
{
	AUTO_FREE char *at = xasprintf("%s/merged", p->dir.path), *data = xstrdup("");

	for (size_t i = 0; i < strv_len(m->items[0].options); i++) {
		AUTO_FREE char *before = data;

		data = xasprintf("%s%s%s", before, *before != '\0' ? "," : "",
				m->items[0].options[i]);
	}
	return mount("overlay", at, "overlay", 0, data) == 0;
}

static void unmount_it(struct diff_place *p)
{
	AUTO_FREE char *at = xasprintf("%s/merged", p->dir.path);

	assert_int_equal(umount(at), 0);
}

static char *diff_digest(struct diff_place *p, const struct mounts *lower,
		const struct mounts *upper, bool walk_all)
{
	struct diff_create_options options = { .media_type = MEDIA_OCI_LAYER, .ref = "" };

	p->options.walk_all = walk_all;
	diff_place_renew(p);
	descriptor_done(&p->result);
	assert_ok(diff_compare(p->differ, &p->ctx, lower, upper, &options, &p->result, &p->err),
			&p->err);
	return xstrdup(p->result.digest);
}

static void gives_the_same(struct diff_place *p, const struct mounts *lower,
		const struct mounts *upper, int n)
{
	AUTO_FREE char *walked = diff_digest(p, lower, upper, true);
	AUTO_FREE char *read = diff_digest(p, lower, upper, false);
	AUTO_CLOSE int changed = diff_upper_open(lower, upper);

	if (!str_eq(walked, read))
		fail_msg("tree %d: %s, not %s", n, read, walked);
	assert_true(changed >= 0);
}

static void lower_view(struct diff_place *p, struct mounts *m, bool is_single)
{
	AUTO_FREE char *path = xasprintf("%s/l1", p->dir.path);

	if (is_single)
		strv_add(&mounts_add(m, "bind", path, "")->options, "rbind");
	else
		overlay(p, m, NULL, "l2:l1", "");
}

static void reading_gives_what_walking_gives(struct diff_place *p, const char *more)
{
	struct chance c = { .state = 42 };

	if (geteuid() != 0 || !own_mounts(&p->dir))
		skip();
	for (int n = 0; n < TREES; n++) {
		struct mounts lower AUTO_MOUNTS = { 0 };
		struct mounts upper AUTO_MOUNTS = { 0 };
		struct mounts committed AUTO_MOUNTS = { 0 };
		bool is_single = n % 2 == 0;

		make_anew(p);
		do_steps(p, "l1", &c, false);
		do_steps(p, "l2", &c, false);
		lower_view(p, &lower, is_single);
		overlay(p, &upper, "up", is_single ? "l1" : "l2:l1", more);
		overlay(p, &committed, NULL, is_single ? "up:l1" : "up:l2:l1", more);
		if (!mount_it(p, &upper))
			skip();
		do_steps(p, "merged", &c, true);
		unmount_it(p);
		gives_the_same(p, &lower, &upper, n);
		gives_the_same(p, &lower, &committed, n);
	}
}

static void changes_are_what_the_upper_directory_names(void **state)
{
	reading_gives_what_walking_gives(*state, "");
}

static void renamed_directories_are_walked(void **state)
{
	reading_gives_what_walking_gives(*state, "redirect_dir=on");
}

static void files_without_data_of_their_own_have_the_lower_ones(void **state)
{
	reading_gives_what_walking_gives(*state, "metacopy=on");
}

/* An index lets one name in the upper directory stand for several. */
static void where_names_can_be_missing_both_trees_are_walked(void **state)
{
	struct diff_place *p = *state;
	struct mounts lower AUTO_MOUNTS = { 0 };
	struct mounts upper AUTO_MOUNTS = { 0 };
	AUTO_FREE char *read = NULL, *walked = NULL;
	AUTO_CLOSE int root = -1;

	if (geteuid() != 0 || !own_mounts(&p->dir))
		skip();
	make_anew(p);
	put_file(p->dir.fd, "l1/a", "before");
	assert_int_equal(linkat(p->dir.fd, "l1/a", p->dir.fd, "l1/b", 0), 0);
	lower_view(p, &lower, true);
	overlay(p, &upper, "up", "l1", "");
	free(upper.items[0].options[3]);
	upper.items[0].options[3] = xstrdup("index=on");
	if (!mount_it(p, &upper))
		skip();
	put_file(p->dir.fd, "merged/a", "after it");
	unmount_it(p);
	assert_int_equal(diff_upper_open(&lower, &upper), -1);
	read = diff_digest(p, &lower, &upper, false);
	walked = diff_digest(p, &lower, &upper, true);
	assert_string_equal(read, walked);
}

static void only_one_directory_more_is_taken_for_the_change(void **state)
{
	struct diff_place *p = *state;
	struct mounts one AUTO_MOUNTS = { 0 };
	struct mounts two AUTO_MOUNTS = { 0 };
	struct mounts none AUTO_MOUNTS = { 0 };
	struct mounts other AUTO_MOUNTS = { 0 };

	make_anew(p);
	lower_view(p, &one, true);
	lower_view(p, &two, false);
	overlay(p, &other, "up", "l2", "");
	assert_int_equal(diff_upper_open(&none, &one), -1);
	assert_int_equal(diff_upper_open(&one, &one), -1);
	assert_int_equal(diff_upper_open(&two, &one), -1);
	assert_int_equal(diff_upper_open(&one, &other), -1);
	assert_int_equal(diff_upper_open(&two, &other), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT_DIFF_PLACE(changes_are_what_the_upper_directory_names),
		AT_DIFF_PLACE(renamed_directories_are_walked),
		AT_DIFF_PLACE(files_without_data_of_their_own_have_the_lower_ones),
		AT_DIFF_PLACE(where_names_can_be_missing_both_trees_are_walked),
		AT_DIFF_PLACE(only_one_directory_more_is_taken_for_the_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
