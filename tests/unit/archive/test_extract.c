/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "archive/extract.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/thread.h"
#include "support/tar_extract.h"
#include "support/tarball.h"
#include "support/tempdir.h"

/* The layer goes into "root"; what lies beside it must never change. */
struct place {
	struct tempdir dir;
	int root;
	struct buf t;
	struct extract_options options;
	struct err err;
};

static int set_up(void **state)
{
	struct place *p = xzalloc(sizeof(*p));

	tempdir_make(&p->dir);
	if (mkdirat(p->dir.fd, "root", 0755) < 0 || mkdirat(p->dir.fd, "outside", 0755) < 0)
		return -1;
	put_file(p->dir.fd, "secret", "untouched");
	put_file(p->dir.fd, "outside/secret", "untouched");
	p->root = fs_open_dir(p->dir.fd, "root");
	p->t.limit = SIZE_MAX;
	*state = p;
	return p->root < 0 ? -1 : 0;
}

static void check_outside(struct place *p)
{
	AUTO_STRV char **top = NULL, **outside = NULL;
	AUTO_FREE char *a = get_file(p->dir.fd, "secret");
	AUTO_FREE char *b = get_file(p->dir.fd, "outside/secret");

	assert_string_equal(a, "untouched");
	assert_string_equal(b, "untouched");
	assert_int_equal(fs_list(p->dir.fd, ".", &top), 0);
	assert_int_equal(strv_len(top), 3);
	assert_int_equal(fs_list(p->dir.fd, "outside", &outside), 0);
	assert_int_equal(strv_len(outside), 1);
}

static int tear_down(void **state)
{
	struct place *p = *state;

	close_fd(&p->root);
	tempdir_remove(&p->dir);
	buf_done(&p->t);
	err_clear(&p->err);
	free(p);
	return 0;
}

static int apply(struct place *p)
{
	int rc = tar_extract(p->root, p->t.data, p->t.size, &p->options, &p->err);

	check_outside(p);
	return rc;
}

static void applies(struct place *p)
{
	assert_ok(apply(p), &p->err);
	buf_clear(&p->t);
}

static void refused(struct place *p, enum err_kind kind, const char *text)
{
	assert_int_equal(apply(p), -1);
	assert_string_equal(err_text(&p->err), text);
	assert_int_equal(p->err.kind, kind);
	err_clear(&p->err);
	buf_clear(&p->t);
}

static void holds(struct place *p, const char *name, const char *want)
{
	AUTO_FREE char *text = get_file(p->root, name);

	if (text == NULL)
		fail_msg("%s is missing", name);
	assert_string_equal(text, want);
}

static struct stat look(struct place *p, const char *name)
{
	struct stat st = { 0 };

	if (fstatat(p->root, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s is missing", name);
	return st;
}

static void missing(struct place *p, const char *name)
{
	if (is_there(p->root, name))
		fail_msg("%s is there", name);
}

static void every_type_is_made_with_owner_mode_and_times(void **state)
{
	struct place *p = *state;
	struct tarball_header h = { '5', "d", NULL, 01775, 10, 20, 0, 1000, 0, 0, false,
		false };
	struct stat st;
	char link[8] = "";

	if (geteuid() != 0)
		skip();
	tarball_header(&p->t, &h);
	h = (struct tarball_header){ '0', "d/su", NULL, 06755, 1, 2, 5, 3000, 0, 0, 0, 0 };
	tarball_header(&p->t, &h);
	tarball_data(&p->t, "hello", 5);
	h = (struct tarball_header){ '3', "d/null", NULL, 0666, 0, 0, 0, 3000, 1, 3, 0, 0 };
	tarball_header(&p->t, &h);
	h = (struct tarball_header){ '6', "d/fifo", NULL, 0622, 3, 4, 0, 3000, 0, 0, 0, 0 };
	tarball_header(&p->t, &h);
	h = (struct tarball_header){ '2', "d/link", "su", 0777, 5, 6, 0, 3000, 0, 0, 0, 0 };
	tarball_header(&p->t, &h);
	h = (struct tarball_header){ '1', "d/hard", "/d/su", 06755, 1, 2, 0, 3000, 0, 0, 0, 0 };
	tarball_header(&p->t, &h);
	applies(p);

	st = look(p, "d");
	assert_int_equal(st.st_mode, S_IFDIR | 01775);
	assert_int_equal(st.st_uid, 10);
	assert_int_equal(st.st_gid, 20);
	assert_int_equal(st.st_mtime, 1000); /* although files were made in it */
	st = look(p, "d/su");
	assert_int_equal(st.st_mode, S_IFREG | 06755);
	assert_int_equal(st.st_uid, 1);
	assert_int_equal(st.st_mtime, 3000);
	assert_int_equal(st.st_atime, 3000);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(look(p, "d/hard").st_ino, st.st_ino);
	st = look(p, "d/null");
	assert_int_equal(st.st_mode, S_IFCHR | 0666);
	assert_int_equal(st.st_rdev, makedev(1, 3));
	st = look(p, "d/fifo");
	assert_int_equal(st.st_mode, S_IFIFO | 0622);
	st = look(p, "d/link");
	assert_int_equal(st.st_uid, 5);
	assert_int_equal(st.st_mtime, 3000);
	assert_int_equal(readlinkat(p->root, "d/link", link, sizeof(link)), 2);
	holds(p, "d/su", "hello");
}

static void attributes_are_set_except_trusted_ones(void **state)
{
	struct place *p = *state;
	struct buf body = TARBALL_INIT;
	char value[8] = "";
	AUTO_FREE char *path = xasprintf("%s/root/f", p->dir.path);

	tarball_record(&body, "SCHILY.xattr.user.note", "a\0b", 3);
	tarball_record(&body, "SCHILY.xattr.trusted.overlay.opaque", "y", 1);
	tarball_special(&p->t, 'x', body.data, body.size);
	tarball_file(&p->t, "f", "");
	tarball_special(&p->t, 'x', body.data, body.size);
	tarball_link(&p->t, '2', "link", "f"); /* links have no user attributes */
	applies(p);
	if (getxattr(path, "user.note", value, sizeof(value)) < 0 && errno == ENOTSUP)
		skip();
	assert_int_equal(getxattr(path, "user.note", value, sizeof(value)), 3);
	assert_memory_equal(value, "a\0b", 3);
	assert_int_equal(getxattr(path, "trusted.overlay.opaque", value, sizeof(value)), -1);
	buf_done(&body);
}

static void capabilities_survive_the_change_of_owner(void **state)
{
	struct place *p = *state;
	static const char cap[20] = "\1\0\0\2\0\4\0\0";
	struct buf body = TARBALL_INIT;
	struct tarball_header h = { '0', "ping", NULL, 0755, 7, 7, 2, 0, 0, 0, 0, 0 };
	char value[32];
	AUTO_FREE char *path = xasprintf("%s/root/ping", p->dir.path);

	if (geteuid() != 0)
		skip();
	tarball_record(&body, "SCHILY.xattr.security.capability", cap, sizeof(cap));
	tarball_special(&p->t, 'x', body.data, body.size);
	tarball_header(&p->t, &h);
	tarball_data(&p->t, "hi", 2);
	applies(p);
	assert_int_equal(getxattr(path, "security.capability", value, sizeof(value)), 20);
	buf_done(&body);
}

static void times_out_of_range_become_1970(void **state)
{
	struct place *p = *state;

	tarball_pax(&p->t, "mtime", "-5");
	tarball_file(&p->t, "old", "");
	tarball_pax(&p->t, "mtime", "9223372037");
	tarball_file(&p->t, "new", "");
	tarball_pax(&p->t, "mtime", "12.25");
	tarball_file(&p->t, "exact", "");
	tarball_pax(&p->t, "atime", "77");
	tarball_file(&p->t, "read", "");
	applies(p);
	assert_int_equal(look(p, "old").st_mtime, 0);
	assert_int_equal(look(p, "new").st_mtime, 0);
	assert_int_equal(look(p, "exact").st_mtim.tv_nsec, 250000000);
	assert_int_equal(look(p, "read").st_atime, 77);
	assert_int_equal(look(p, "read").st_mtime, 0);
}

static void what_is_there_is_replaced_but_directories_merge(void **state)
{
	struct place *p = *state;

	tarball_dir(&p->t, "d");
	tarball_file(&p->t, "d/lower", "1");
	tarball_file(&p->t, "f", "old and long");
	tarball_dir(&p->t, "tree");
	tarball_file(&p->t, "tree/x", "");
	tarball_link(&p->t, '2', "link", "d");
	applies(p);
	tarball_dir(&p->t, "d");
	tarball_file(&p->t, "d/upper", "2");
	tarball_file(&p->t, "f", "new");
	tarball_file(&p->t, "tree", "file now");
	tarball_dir(&p->t, "link"); /* a link to a directory is no directory */
	applies(p);
	holds(p, "d/lower", "1");
	holds(p, "d/upper", "2");
	holds(p, "f", "new");
	holds(p, "tree", "file now");
	assert_true(S_ISDIR(look(p, "link").st_mode));
}

static void a_file_is_not_written_through_its_other_name(void **state)
{
	struct place *p = *state;

	tarball_file(&p->t, "a", "first");
	tarball_link(&p->t, '1', "b", "a");
	tarball_file(&p->t, "a", "second");
	applies(p);
	holds(p, "a", "second");
	holds(p, "b", "first");
}

static void missing_parents_are_made(void **state)
{
	struct place *p = *state;

	tarball_file(&p->t, "a/b/c/f", "x");
	tarball_link(&p->t, '2', "dangling", "/new/place");
	tarball_file(&p->t, "dangling/f", "y");
	applies(p);
	assert_int_equal(look(p, "a/b").st_mode & 07777, 0755);
	holds(p, "a/b/c/f", "x");
	holds(p, "new/place/f", "y");
}

static void a_parent_that_is_a_file_is_refused(void **state)
{
	struct place *p = *state;

	tarball_file(&p->t, "f", "");
	tarball_file(&p->t, "f/x", "");
	refused(p, ERR_UNKNOWN, "parent directory of f/x: not a directory");
}

/* CVE-2021-32760 and its kin: by name, by link, by link to a link. */
static void names_cannot_leave_the_root(void **state)
{
	struct place *p = *state;
	AUTO_FREE char *outside = xasprintf("%s/outside", p->dir.path);
	AUTO_FREE char *inside = xasprintf("%s/secret", outside + 1);

	tarball_file(&p->t, "../secret", "a");
	tarball_file(&p->t, "/abs", "b");
	tarball_file(&p->t, "x/../../../up", "c");
	applies(p);
	holds(p, "secret", "a");
	holds(p, "abs", "b");
	holds(p, "up", "c");
	missing(p, "x");

	tarball_link(&p->t, '2', "rel", "../outside");
	tarball_file(&p->t, "rel/secret", "d");
	tarball_link(&p->t, '2', "abs-link", outside);
	tarball_file(&p->t, "abs-link/secret", "e");
	tarball_link(&p->t, '2', "one", "rel/..");
	tarball_link(&p->t, '2', "two", "one/../../../outside/sub");
	tarball_file(&p->t, "two/deep/f", "f");
	tarball_dir(&p->t, "rel/dir");
	applies(p);
	holds(p, "outside/secret", "d");
	holds(p, inside, "e");
	holds(p, "outside/sub/deep/f", "f");
	assert_true(S_ISLNK(look(p, "rel").st_mode));
}

static void metadata_does_not_follow_links_out(void **state)
{
	struct place *p = *state;
	AUTO_FREE char *secret = xasprintf("%s/secret", p->dir.path);
	struct tarball_header h = { '1', "hard", "sym", 06777, 5, 5, 0, 5, 0, 0, 0, 0 };
	struct stat st;

	tarball_link(&p->t, '2', "sym", secret);
	tarball_header(&p->t, &h); /* a hard link to the link, with a mode and owner */
	applies(p);
	assert_true(S_ISLNK(look(p, "hard").st_mode));
	assert_int_equal(stat(secret, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_not_equal(st.st_mtime, 5);
	if (geteuid() == 0)
		assert_int_equal(st.st_uid, 0);
}

static void hard_links_cannot_reach_out_of_the_layer(void **state)
{
	struct place *p = *state;
	AUTO_FREE char *outside = xasprintf("%s/outside", p->dir.path);

	tarball_link(&p->t, '1', "h", "../secret");
	refused(p, ERR_UNKNOWN, "link ../secret h: no such file or directory");
	tarball_link(&p->t, '2', "l", outside);
	tarball_link(&p->t, '1', "h", "l/secret");
	refused(p, ERR_UNKNOWN, "link l/secret h: no such file or directory");
	tarball_link(&p->t, '1', "h", "..");
	refused(p, ERR_UNKNOWN, "link .. h: operation not permitted");
	tarball_link(&p->t, '1', "h", "");
	refused(p, ERR_UNKNOWN, "link  h: operation not permitted");
	missing(p, "h");
}

static void loops_of_links_are_refused(void **state)
{
	struct place *p = *state;

	tarball_link(&p->t, '2', "a", "b");
	tarball_link(&p->t, '2', "b", "a");
	tarball_file(&p->t, "a/f", "");
	refused(p, ERR_UNKNOWN, "parent directory of a/f: too many levels of symbolic links");
}

static void the_root_itself_is_left_alone(void **state)
{
	struct place *p = *state;
	struct tarball_header h = { '5', "./", NULL, 01700, 9, 9, 0, 9, 0, 0, 0, 0 };

	tarball_header(&p->t, &h);
	h.name = "a/..";
	tarball_header(&p->t, &h);
	h.type = '2';
	h.name = "/";
	h.link = "/etc";
	tarball_header(&p->t, &h);
	applies(p);
	assert_int_equal(look(p, ".").st_mode & 07777, 0755);
}

static void global_headers_are_ignored_and_odd_types_refused(void **state)
{
	struct place *p = *state;
	struct tarball_header h = { .type = '7', .name = "contiguous" };

	tarball_special(&p->t, 'g', "10 path=x\n", 10);
	tarball_file(&p->t, "f", "");
	applies(p);
	holds(p, "f", "");
	tarball_header(&p->t, &h);
	refused(p, ERR_UNKNOWN, "unhandled tar header type 55");
}

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

static void sparse_files_keep_their_holes(void **state)
{
	struct place *p = *state;
	struct buf body = TARBALL_INIT;
	char data[16] = "";
	AUTO_CLOSE int fd = -1;

	tarball_record(&body, "GNU.sparse.major", "0", 1);
	tarball_record(&body, "GNU.sparse.minor", "1", 1);
	tarball_record(&body, "GNU.sparse.realsize", "1000000", 7);
	tarball_record(&body, "GNU.sparse.numblocks", "2", 1);
	tarball_record(&body, "GNU.sparse.map", "100000,3,500000,3", 17);
	tarball_special(&p->t, 'x', body.data, body.size);
	tarball_file(&p->t, "sparse", "abcdef");
	applies(p);
	assert_int_equal(look(p, "sparse").st_size, 1000000);
	fd = openat(p->root, "sparse", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, data, 4, 500000), 4);
	assert_string_equal(data, "def");
	assert_int_equal(pread(fd, data, 1, 99999), 1);
	assert_int_equal(data[0], 0);
	buf_done(&body);
}

static size_t thread_count(void)
{
	AUTO_STRV char **tasks = NULL;

	assert_int_equal(fs_list(AT_FDCWD, "/proc/self/task", &tasks), 0);
	return strv_len(tasks);
}

static void *nothing(void *arg)
{
	return arg;
}

/* The thread sanitizer has a thread of its own as soon as there is a second one. */
static size_t own_threads(void)
{
	unsigned long thread;

	assert_int_equal(thread_start(&thread, nothing, NULL, "nothing"), 0);
	thread_join(thread);
	return thread_count();
}

/* One that was joined may still be on its way out. */
static void no_thread_is_left(size_t before)
{
	int64_t end = clock_mono_ns() + 10 * NS_PER_S;

	while (thread_count() > before && clock_mono_ns() < end)
		continue;
	assert_true(thread_count() <= before);
}

/* Enough for several passes to disk; a layer that fails in the middle ends them, too. */
static void writing_soon_changes_nothing_and_leaves_no_thread(void **state)
{
	struct place *p = *state;
	size_t threads = own_threads();

	p->options.write_soon = true;
	for (int i = 0; i < 1200; i++) {
		AUTO_FREE char *name = xasprintf("d/%d", i);

		tarball_file(&p->t, name, name);
	}
	applies(p);
	holds(p, "d/0", "d/0");
	holds(p, "d/1199", "d/1199");
	no_thread_is_left(threads);
	p->options.max_entries = 600;
	for (int i = 0; i < 601; i++)
		tarball_file(&p->t, "f", "");
	refused(p, ERR_EXHAUSTED, "layer has over 600 entries: resource exhausted");
	no_thread_is_left(threads);
}

static void limits_end_a_layer(void **state)
{
	struct place *p = *state;

	p->options.max_entries = 2;
	for (int i = 0; i < 3; i++)
		tarball_file(&p->t, "f", "");
	refused(p, ERR_EXHAUSTED, "layer has over 2 entries: resource exhausted");
	p->options.max_entries = 0;

	p->options.max_bytes = 9;
	tarball_file(&p->t, "a", "12345");
	tarball_file(&p->t, "b", "12345");
	refused(p, ERR_EXHAUSTED, "files of the layer are over 9 bytes: resource exhausted");
	p->options.max_bytes = 0;

	p->options.max_depth = 3;
	tarball_file(&p->t, "a/b/c/d", "");
	refused(p, ERR_EXHAUSTED, "a/b/c/d: entry nested too deep: resource exhausted");
}

static void ids_can_be_shifted(void **state)
{
	struct place *p = *state;
	static const struct extract_id_map map = { 0, 100000, 1000 };
	struct tarball_header h = { '0', "f", NULL, 0644, 5, 6, 0, 0, 0, 0, 0, 0 };

	if (geteuid() != 0)
		skip();
	p->options.uids = p->options.gids = &map;
	p->options.uid_count = p->options.gid_count = 1;
	tarball_header(&p->t, &h);
	applies(p);
	assert_int_equal(look(p, "f").st_uid, 100005);
	assert_int_equal(look(p, "f").st_gid, 100006);
	h.uid = 1000;
	tarball_header(&p->t, &h);
	refused(p, ERR_UNKNOWN, "lchown f to 1000:6: invalid argument");
	p->options.keep_own_ids = true;
	tarball_header(&p->t, &h);
	applies(p);
	assert_int_equal(look(p, "f").st_uid, 0);
}

static bool wants_a(void *arg, const struct tar_entry *e, const char *path)
{
	return str_starts(path, "a");
}

static void a_filter_sees_clean_names(void **state)
{
	struct place *p = *state;

	p->options.wants = wants_a;
	tarball_file(&p->t, "./a/x", "data");
	tarball_file(&p->t, "b/x", "data");
	applies(p);
	holds(p, "a/x", "data");
	missing(p, "b");
}

static void devices_are_left_out_where_they_cannot_be(void **state)
{
	struct place *p = *state;
	struct tarball_header h = { .type = '3', .name = "null" };

	p->options.in_userns = true;
	tarball_header(&p->t, &h);
	tarball_file(&p->t, "f", "");
	applies(p);
	missing(p, "null");
	holds(p, "f", "");
}

static void many_directories_keep_their_times(void **state)
{
	struct place *p = *state;
	struct tarball_header h = { .type = '5', .mode = 0755 };

	p->options.temp_dir = p->dir.path;
	for (int i = 0; i < 6000; i++) {
		AUTO_FREE char *name = xasprintf("some-directory-with-a-long-name-%d", i);
		AUTO_FREE char *file = xasprintf("%s/f", name);

		h.name = name;
		h.mtime = i + 1;
		tarball_header(&p->t, &h);
		tarball_file(&p->t, file, "");
	}
	tarball_file(&p->t, ".wh.some-directory-with-a-long-name-1", "");
	tarball_file(&p->t, "some-directory-with-a-long-name-2", "");
	applies(p);
	for (int i = 3; i < 6000; i += 7) {
		AUTO_FREE char *name = xasprintf("some-directory-with-a-long-name-%d", i);

		assert_int_equal(look(p, name).st_mtime, i + 1);
	}
	assert_int_equal(look(p, "some-directory-with-a-long-name-2").st_mtime, 0);
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

#define AT_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT_PLACE(every_type_is_made_with_owner_mode_and_times),
		AT_PLACE(attributes_are_set_except_trusted_ones),
		AT_PLACE(capabilities_survive_the_change_of_owner),
		AT_PLACE(times_out_of_range_become_1970),
		AT_PLACE(what_is_there_is_replaced_but_directories_merge),
		AT_PLACE(a_file_is_not_written_through_its_other_name),
		AT_PLACE(missing_parents_are_made),
		AT_PLACE(a_parent_that_is_a_file_is_refused),
		AT_PLACE(names_cannot_leave_the_root),
		AT_PLACE(metadata_does_not_follow_links_out),
		AT_PLACE(hard_links_cannot_reach_out_of_the_layer),
		AT_PLACE(loops_of_links_are_refused),
		AT_PLACE(the_root_itself_is_left_alone),
		AT_PLACE(global_headers_are_ignored_and_odd_types_refused),
		AT_PLACE(whiteouts_remove_trees),
		AT_PLACE(whiteouts_stay_inside_behind_links),
		AT_PLACE(whiteouts_of_nothing_or_of_the_parent_are_refused),
		AT_PLACE(other_reserved_names_are_plain_whiteouts),
		AT_PLACE(opaque_markers_leave_what_the_layer_brought),
		AT_PLACE(opaque_markers_work_behind_links),
		AT_PLACE(opaque_markers_take_linear_time),
		AT_PLACE(sparse_files_keep_their_holes),
		AT_PLACE(writing_soon_changes_nothing_and_leaves_no_thread),
		AT_PLACE(limits_end_a_layer),
		AT_PLACE(ids_can_be_shifted),
		AT_PLACE(a_filter_sees_clean_names),
		AT_PLACE(devices_are_left_out_where_they_cannot_be),
		AT_PLACE(many_directories_keep_their_times),
		AT_PLACE(overlays_get_whiteouts_of_their_own_kind),
		AT_PLACE(directories_in_place_of_a_whiteout_are_opaque),
		AT_PLACE(missing_parents_look_like_the_lower_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
