/* SPDX-License-Identifier: Apache-2.0 */
/* What of the local store is not in the interface: the layout on disk, and how it is survived.
 */
#include "unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "content/content_local.h"
#include "core/content.h"
#include "support/tempdir.h"

static struct tempdir dir;
static struct content_store *store;
static struct ctx ctx;

static struct content_store *open_with(int64_t wait_ns)
{
	AUTO_ERR struct err err = { 0 };
	struct content_local_options options = { dir.path, wait_ns };
	struct content_store *s = NULL;

	assert_ok(content_local_new(&options, &s, &err), &err);
	return s;
}

static int setup(void **state)
{
	tempdir_make(&dir);
	store = open_with(0);
	return 0;
}

static int teardown(void **state)
{
	content_local_free(store);
	tempdir_remove(&dir);
	return 0;
}

static struct content_writer *open_writer(const char *ref, int64_t total)
{
	AUTO_ERR struct err err = { 0 };
	struct content_writer *w = NULL;

	assert_ok(content_writer_open(store, &ctx, ref, total, NULL, &w, &err), &err);
	return w;
}

/* "<start><hex of the sha256 of text><end>", owned. */
static char *path_of(const char *start, const char *text, const char *end)
{
	char digest[DIGEST_TEXT_SIZE];

	digest_bytes(DIGEST_SHA256, text, strlen(text), digest);
	return xasprintf("%s%s%s", start, digest_hex(digest), end);
}

static void assert_file(const char *start, const char *text, const char *end, const char *want)
{
	AUTO_FREE char *path = path_of(start, text, end);
	AUTO_FREE char *got = get_file(dir.fd, path);

	if (want == NULL) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_string_equal(got, want);
}

static void an_ingest_lies_where_the_original_puts_it(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("default/1/ref", 7);
	AUTO_FREE char *started_path = path_of("ingest/", "default/1/ref", "/startedat");
	AUTO_FREE char *started = get_file(dir.fd, started_path);
	AUTO_ERR struct err err = { 0 };
	int64_t ns;

	assert_ok(content_write(w, "bytes", 5, &err), &err);
	assert_file("ingest/", "default/1/ref", "/ref", "default/1/ref");
	assert_file("ingest/", "default/1/ref", "/total", "7");
	assert_file("ingest/", "default/1/ref", "/data", "bytes");
	assert_true(clock_parse(started, &ns));
	assert_true(ns > 0 && ns <= clock_wall_ns());
}

static void a_blob_lies_read_only_under_its_digest(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 0);
	AUTO_FREE char *path = path_of("blobs/sha256/", "bytes", "");
	AUTO_FREE char *left = path_of("ingest/", "ref", "");
	AUTO_ERR struct err err = { 0 };
	struct stat st;

	assert_file("ingest/", "ref", "/total", NULL);
	assert_ok(content_write(w, "bytes", 5, &err), &err);
	assert_ok(content_commit(w, &ctx, 5, NULL, NULL, &err), &err);
	assert_file("blobs/sha256/", "bytes", "", "bytes");
	assert_int_equal(fstatat(dir.fd, path, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0444);
	assert_false(is_there(dir.fd, left));
}

static void a_new_store_sees_what_an_old_one_left(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 0);
	AUTO_ERR struct err err = { 0 };
	struct content_status s = { 0 };

	assert_ok(content_write(w, "byt", 3, &err), &err);
	content_writer_close(take_ptr(w));
	content_local_free(store);
	store = open_with(0);
	assert_ok(content_status_get(store, &ctx, "ref", &s, &err), &err);
	assert_int_equal(s.offset, 3);
	content_status_done(&s);
	w = open_writer("ref", 0);
	assert_ok(content_write(w, "es", 2, &err), &err);
	assert_ok(content_commit(w, &ctx, 5, NULL, NULL, &err), &err);
	assert_file("blobs/sha256/", "bytes", "", "bytes");
}

/* The original writes local times with offsets. */
static void ingests_of_the_original_are_resumed(void **state)
{
	AUTO_FREE char *in = path_of("ingest/", "ref", "");
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO_ERR struct err err = { 0 };
	struct content_status s = { 0 };
	char digest[DIGEST_TEXT_SIZE];
	AUTO_CLOSE int fd = -1;

	assert_int_equal(fs_make_dirs(dir.fd, in, 0755), 0);
	fd = fs_open_dir(dir.fd, in);
	put_file(fd, "ref", "ref");
	put_file(fd, "startedat", "2024-05-06T07:08:09.123456789+02:00");
	put_file(fd, "updatedat", "2024-05-06T07:08:10Z");
	put_file(fd, "total", "5");
	put_file(fd, "data", "byt");
	w = open_writer("ref", 5);
	assert_ok(content_writer_status(w, &s, digest, &err), &err);
	assert_int_equal(s.offset, 3);
	assert_true(s.started_ns == INT64_C(1714972089123456789));
	content_status_done(&s);
}

static void spoil(const char *file, const char *text)
{
	AUTO_FREE char *path = path_of("ingest/", "ref", "");
	AUTO_CLOSE int fd = fs_open_dir(dir.fd, path);

	if (text == NULL)
		assert_int_equal(unlinkat(fd, file, 0), 0);
	else
		put_file(fd, file, text);
}

static void a_spoiled_ingest_starts_anew(void **state)
{
	static const char *const spoils[][2] = {
		{ "ref", "another" },
		{ "ref", NULL },
		{ "startedat", "yesterday" },
		{ "startedat", "" },
		{ "updatedat", NULL },
		{ "total", "-1" },
		{ "total", "x" },
		{ "data", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(spoils); i++) {
		AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 9);
		AUTO_ERR struct err err = { 0 };
		struct content_status s = { 0 };

		assert_ok(content_write(w, "spoiled", 7, &err), &err);
		content_writer_close(take_ptr(w));
		spoil(spoils[i][0], spoils[i][1]);
		w = open_writer("ref", 9);
		assert_ok(content_status_get(store, &ctx, "ref", &s, &err), &err);
		assert_int_equal(s.offset, 0);
		content_status_done(&s);
		assert_file("ingest/", "ref", "/data", "");
	}
}

static int count_status(void *arg, const struct content_status *s, struct err *err)
{
	(*(int *)arg)++;
	return 0;
}

static int count_info(void *arg, const struct content_info *i, struct err *err)
{
	(*(int *)arg)++;
	return 0;
}

static void foreign_files_are_passed_over(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *blob = path_of("blobs/sha256/", "a link", "");
	struct content_reader *r = NULL;
	char digest[DIGEST_TEXT_SIZE];
	int n = 0;

	assert_int_equal(fs_make_dirs(dir.fd, "ingest/strange", 0755), 0);
	assert_int_equal(fs_make_dirs(dir.fd, "blobs/sha256/dir", 0755), 0);
	assert_int_equal(fs_make_dirs(dir.fd, "blobs/md5", 0755), 0);
	put_file(dir.fd, "ingest/file", "");
	put_file(dir.fd, "blobs/sha256/short", "");
	assert_int_equal(symlinkat("/etc/passwd", dir.fd, blob), 0);
	assert_ok(content_status_list(store, &ctx, NULL, count_status, &n, &err), &err);
	assert_ok(content_list(store, &ctx, NULL, count_info, &n, &err), &err);
	assert_int_equal(n, 0);
	digest_bytes(DIGEST_SHA256, "a link", 6, digest);
	assert_true(content_open(store, &ctx, digest, &r, &err) < 0);
}

static void a_damaged_blob_is_replaced(void **state)
{
	AUTO_FREE char *path = path_of("blobs/sha256/", "bytes", "");
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO_ERR struct err err = { 0 };

	for (int i = 0; i < 2; i++) {
		assert_int_equal(fs_make_dirs(dir.fd, "blobs/sha256", 0755), 0);
		put_file(dir.fd, path, i == 0 ? "byt" : "bytez");
		w = open_writer("ref", 0);
		assert_ok(content_write(w, "bytes", 5, &err), &err);
		assert_ok(content_commit(w, &ctx, 5, NULL, NULL, &err), &err);
		assert_file("blobs/sha256/", "bytes", "", "bytes");
		content_writer_close(take_ptr(w));
	}
}

static void *close_later(void *arg)
{
	content_writer_close(arg);
	return NULL;
}

static void a_ref_that_is_being_released_is_waited_for(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL, *again = NULL;
	AUTO_ERR struct err err = { 0 };
	pthread_t thread;

	content_local_free(store);
	store = open_with(60 * NS_PER_S);
	w = open_writer("ref", 0);
	assert_int_equal(pthread_create(&thread, NULL, close_later, w), 0);
	w = NULL;
	assert_ok(content_writer_open(store, &ctx, "ref", 0, NULL, &again, &err), &err);
	pthread_join(thread, NULL);
}

static void waiting_ends_with_the_callers_deadline(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL, *again = NULL;
	struct ctx hurried = { .deadline_ns = clock_mono_ns() + NS_PER_MS };
	AUTO_ERR struct err err = { 0 };

	content_local_free(store);
	store = open_with(60 * NS_PER_S);
	w = open_writer("ref", 0);
	assert_fails(content_writer_open(store, &hurried, "ref", 0, NULL, &again, &err), &err,
			ERR_UNAVAILABLE);
}

/* A full disk looks the same as a file size limit: write() fails half way. */
static void fail_in_the_middle(size_t size)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 0);
	struct rlimit old, small = { 4096, RLIM_INFINITY };
	AUTO_FREE char *data = xzalloc(size);
	AUTO_ERR struct err err = { 0 };
	struct content_status s = { 0 };
	char digest[DIGEST_TEXT_SIZE], want[DIGEST_TEXT_SIZE];

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(content_write(w, data, size, &err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_string_equal(err_text(&err), "write ingest ref: file too large");
	err_clear(&err);
	assert_ok(content_writer_status(w, &s, digest, &err), &err);
	assert_int_equal(s.offset, 4096);
	content_status_done(&s);
	digest_bytes(DIGEST_SHA256, data, 4096, want);
	assert_string_equal(digest, want);
	assert_ok(content_write(w, data, size - 4096, &err), &err);
	digest_bytes(DIGEST_SHA256, data, size, want);
	assert_ok(content_commit(w, &ctx, size, want, NULL, &err), &err);
}

static void a_failed_write_keeps_what_was_written(void **state)
{
	fail_in_the_middle(10000);
}

/* Large blocks are hashed while they are written. */
static void what_was_not_written_is_not_hashed(void **state)
{
	fail_in_the_middle(1 << 20);
}

static void no_probe_is_left(void **state)
{
	AUTO_STRV char **names = NULL;

	assert_int_equal(fs_list(dir.fd, ".", &names), 0);
	assert_int_equal(strv_len(names), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(an_ingest_lies_where_the_original_puts_it),
		T(a_blob_lies_read_only_under_its_digest),
		T(a_new_store_sees_what_an_old_one_left),
		T(ingests_of_the_original_are_resumed),
		T(a_spoiled_ingest_starts_anew),
		T(foreign_files_are_passed_over),
		T(a_damaged_blob_is_replaced),
		T(a_ref_that_is_being_released_is_waited_for),
		T(waiting_ends_with_the_callers_deadline),
		T(a_failed_write_keeps_what_was_written),
		T(what_was_not_written_is_not_hashed),
		T(no_probe_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
