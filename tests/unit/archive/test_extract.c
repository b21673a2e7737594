/* SPDX-License-Identifier: Apache-2.0 */
#include "extract_place.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

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
		AT_PLACE(sparse_files_keep_their_holes),
		AT_PLACE(writing_soon_changes_nothing_and_leaves_no_thread),
		AT_PLACE(limits_end_a_layer),
		AT_PLACE(ids_can_be_shifted),
		AT_PLACE(a_filter_sees_clean_names),
		AT_PLACE(devices_are_left_out_where_they_cannot_be),
		AT_PLACE(many_directories_keep_their_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
