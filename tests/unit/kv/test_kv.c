/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of kv/kv.h. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "kv_dir.h"

static struct kv_dir dir;
static struct kv *kv;

static int setup(void **state)
{
	kv_dir_make(&dir);
	kv = kv_dir_open(&dir, 0);
	return 0;
}

static int teardown(void **state)
{
	kv_close(kv);
	kv_dir_remove(&dir);
	return 0;
}

static void reopen(void)
{
	kv_close(kv);
	kv = kv_dir_open(&dir, 0);
}

static void assert_value(const char *key, const char *want)
{
	AUTO_FREE char *value = get(kv, key);

	if (!str_eq(value, want))
		fail_msg("%s is %s, not %s", key, value == NULL ? "(none)" : value,
				want == NULL ? "(none)" : want);
}

static void what_was_put_is_there_after_reopening(void **state)
{
	put(kv, "a", "1");
	put(kv, "b", "2");
	reopen();
	assert_value("a", "1");
	assert_value("b", "2");
	assert_value("c", NULL);
}

static void a_failed_operation_leaves_no_trace(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct pair p = { "a", "2", true };

	put(kv, "a", "1");
	assert_fails(kv_update(kv, put_pair, &p, &err), &err, ERR_CONFLICT);
	assert_value("a", "1");
}

static off_t file_size(void)
{
	struct stat st;

	assert_int_equal(stat(dir.path, &st), 0);
	return st.st_size;
}

/* A commit that makes it longer waits for the file system's journal. */
static void a_file_that_is_written_to_has_room_ahead(void **state)
{
	struct kv_stats stats;
	off_t size;

	for (int i = 0; i < 10; i++)
		put(kv, "a", "1");
	size = file_size();
	kv_stats(kv, &stats);
	assert_in_range(size, stats.file_bytes + ((size_t)64 << 10),
			stats.file_bytes + ((size_t)1 << 20));
	for (int i = 0; i < 20; i++)
		put(kv, "a", "2");
	assert_int_equal(file_size(), size);
	reopen();
	assert_value("a", "2");
	assert_int_equal(file_size(), size);
}

static void room_is_made_again_when_it_is_used_up(void **state)
{
	AUTO_FREE char *large = xzalloc((40 << 10) + 1);
	struct kv_stats stats;

	memset(large, 'x', 40 << 10);
	for (int i = 0; i < 30; i++) {
		char key[8];

		(void)snprintf(key, sizeof(key), "%d", i);
		put(kv, key, large);
		kv_stats(kv, &stats);
		assert_in_range(file_size(), stats.file_bytes, SIZE_MAX);
	}
	assert_in_range(stats.file_bytes, 30 * (40 << 10), SIZE_MAX);
	for (int i = 0; i < 30; i++) {
		char key[8];

		(void)snprintf(key, sizeof(key), "%d", i);
		assert_value(key, large);
	}
}

/* Many threads; every third operation writes and then fails. */
#define THREADS 8
#define ROUNDS	60

struct worker {
	pthread_t thread;
	int id;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		AUTO_ERR struct err err = { 0 };
		AUTO_FREE char *key = xasprintf("k-%d-%d", w->id, i);
		struct pair p = { key, "v", i % 3 == 2 };
		int rc = kv_update(kv, put_pair, &p, &err);

		if (rc != (p.fail ? -1 : 0))
			abort();
		if (p.fail && err.kind != ERR_CONFLICT)
			abort();
	}
	return NULL;
}

static void of_many_writers_only_the_failing_ones_lose(void **state)
{
	struct worker workers[THREADS];
	struct kv_stats stats;

	for (int i = 0; i < THREADS; i++) {
		workers[i].id = i;
		assert_int_equal(
				pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(workers[i].thread, NULL);
	for (int i = 0; i < THREADS; i++) {
		for (int j = 0; j < ROUNDS; j++) {
			AUTO_FREE char *key = xasprintf("k-%d-%d", i, j);

			assert_value(key, j % 3 == 2 ? NULL : "v");
		}
	}
	kv_stats(kv, &stats);
	assert_int_equal(stats.operations, THREADS * ROUNDS + 1);
	assert_int_equal(stats.readers, 0);
}

static int count_up(struct kv_txn *txn, void *arg, struct err *err)
{
	struct kv_bytes value;
	int n = 0, rc = kv_get(txn, kv_text("n"), &value, err);

	if (rc < 0)
		return -1;
	if (rc > 0)
		memcpy(&n, value.data, sizeof(n));
	n++;
	return kv_put(txn, kv_text("n"), (struct kv_bytes){ &n, sizeof(n) }, err);
}

static void *count_many(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		AUTO_ERR struct err err = { 0 };

		if (kv_update(kv, count_up, NULL, &err) < 0)
			abort();
	}
	return NULL;
}

static void operations_see_each_others_writes(void **state)
{
	pthread_t threads[THREADS];
	AUTO_FREE char *value = NULL;
	int n;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_many, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	value = get(kv, "n");
	memcpy(&n, value, sizeof(n));
	assert_int_equal(n, THREADS * ROUNDS);
}

static void a_reader_keeps_its_snapshot(void **state)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO_ERR struct err err = { 0 };
	struct kv_bytes value;

	put(kv, "a", "1");
	assert_ok(kv_read(kv, &txn, &err), &err);
	put(kv, "a", "2");
	assert_int_equal(kv_get(txn, kv_text("a"), &value, &err), 1);
	assert_memory_equal(value.data, "1", 1);
	assert_value("a", "2");
}

/* The keys with a prefix, joined with blanks. */
static char *walk(const char *prefix, const char *from)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };
	struct kv_bytes key, value, start = { 0 };
	int rc;

	if (from != NULL)
		start = kv_text(from);
	assert_ok(kv_read(kv, &txn, &err), &err);
	assert_ok(kv_iter_new(txn, kv_text(prefix), start, &it, &err), &err);
	while ((rc = kv_iter_next(it, &key, &value, &err)) > 0)
		buf_addf(&out, "%s%.*s", out.size == 0 ? "" : " ", (int)key.size,
				(const char *)key.data);
	assert_int_equal(rc, 0);
	return buf_take_str(&out);
}

static void assert_walk(const char *prefix, const char *from, const char *want)
{
	AUTO_FREE char *found = walk(prefix, from);

	assert_string_equal(found, want);
}

static void keys_come_in_byte_order(void **state)
{
	put(kv, "b", "");
	put(kv, "a1", "");
	put(kv, "a", "");
	put(kv, "a2", "");
	put(kv, "A", "");
	assert_walk("", NULL, "A a a1 a2 b");
	assert_walk("a", NULL, "a a1 a2");
	assert_walk("a", "a1", "a1 a2");
	assert_walk("a", "a11", "a2");
	assert_walk("c", NULL, "");
}

static char *long_key(char first, size_t size, char last)
{
	char *key = xmalloc(size + 1);

	memset(key, 'x', size);
	key[0] = first;
	key[size - 1] = last;
	key[size] = '\0';
	return key;
}

/* Reference 01 §2.3: an image name of 40,000 bytes is accepted. */
static void keys_of_any_length_are_told_apart(void **state)
{
	static const size_t sizes[] = { 478, 479, 480, 509, 510, 511, 512, 600, 40000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		AUTO_FREE char *a = long_key('k', sizes[i], 'a');
		AUTO_FREE char *b = long_key('k', sizes[i], 'b');

		put(kv, a, "a");
		put(kv, b, "b");
		put(kv, a, "A");
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		AUTO_FREE char *a = long_key('k', sizes[i], 'a');
		AUTO_FREE char *b = long_key('k', sizes[i], 'b');
		AUTO_FREE char *c = long_key('k', sizes[i], 'c');

		assert_value(a, "A");
		assert_value(b, "b");
		assert_value(c, NULL);
	}
}

static void long_keys_are_found_by_prefix_and_in_their_place(void **state)
{
	AUTO_FREE char *long_b = long_key('b', 600, 'z');
	AUTO_FREE char *deep = xasprintf("%sdeep", long_b);
	AUTO_FREE char *want = xasprintf("a %s c", long_b);

	put(kv, "c", "");
	put(kv, long_b, "");
	put(kv, "a", "");
	assert_walk("", NULL, want);
	put(kv, deep, "");
	assert_walk(deep, NULL, deep);
	assert_walk(long_b, deep, deep);
}

static void impossible_keys_are_refused(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *key = long_key('k', KV_KEY_MAX + 1, 'k');
	struct pair too_long = { key, "", false }, none = { "", "", false };

	assert_fails(kv_update(kv, put_pair, &too_long, &err), &err, ERR_INVALID);
	assert_fails(kv_update(kv, put_pair, &none, &err), &err, ERR_INVALID);
}

static int delete_walk(struct kv_txn *txn, void *arg, struct err *err)
{
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value;
	int rc, n = 0;

	if (kv_iter_new(txn, kv_text("k"), (struct kv_bytes){ 0 }, &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0)
		if (n++ % 2 == 0 && kv_iter_del(it, err) < 0)
			return -1;
	return rc;
}

static int delete_all(struct kv_txn *txn, void *arg, struct err *err)
{
	return kv_del_prefix(txn, kv_text("k"), err);
}

static int expect_none(struct kv_txn *txn, void *arg, struct err *err)
{
	return kv_has_prefix(txn, kv_text("k"), err) == 0 ? 0
							  : err_set(err, ERR_CONFLICT, "left");
}

static void deleting_while_walking_skips_nothing(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *left = NULL;

	put(kv, "j", "");
	for (int i = 0; i < 400; i++) {
		AUTO_FREE char *key = xasprintf("k%03d", i);

		put(kv, key, "some value that makes pages fill up before the test ends");
	}
	assert_ok(kv_update(kv, delete_walk, NULL, &err), &err);
	left = walk("k", NULL);
	assert_true(str_starts(left, "k001 k003 k005"));
	assert_true(str_ends(left, "k397 k399"));
	assert_int_equal(strlen(left), 200 * 5 - 1);
	assert_ok(kv_update(kv, delete_all, NULL, &err), &err);
	assert_ok(kv_update(kv, expect_none, NULL, &err), &err);
	assert_walk("", NULL, "j");
}

static int delete_one(struct kv_txn *txn, void *arg, struct err *err)
{
	int *found = arg;

	*found = kv_del(txn, kv_text("a"), err);
	return *found < 0 ? -1 : 0;
}

static void deleting_tells_whether_it_was_there(void **state)
{
	AUTO_ERR struct err err = { 0 };
	int found;

	put(kv, "a", "");
	assert_ok(kv_update(kv, delete_one, &found, &err), &err);
	assert_int_equal(found, 1);
	assert_ok(kv_update(kv, delete_one, &found, &err), &err);
	assert_int_equal(found, 0);
}

static void *read_many(void *arg)
{
	atomic_bool *stop = arg;

	while (!atomic_load(stop)) {
		AUTO_FREE char *value = get(kv, "first");

		if (!str_eq(value, "1"))
			abort();
	}
	return NULL;
}

static void the_file_grows_under_readers_and_writers(void **state)
{
	AUTO_FREE char *big = long_key('v', 20000, 'v');
	struct kv_stats stats;
	atomic_bool stop = false;
	pthread_t reader;

	kv_close(kv);
	kv = kv_dir_open(&dir, 64 * 1024);
	put(kv, "first", "1");
	assert_int_equal(pthread_create(&reader, NULL, read_many, &stop), 0);
	for (int i = 0; i < 100; i++) {
		AUTO_FREE char *key = xasprintf("k%d", i);

		put(kv, key, big);
	}
	atomic_store(&stop, true);
	(void)pthread_join(reader, NULL);
	kv_stats(kv, &stats);
	assert_true(stats.map_bytes > 2000000);
	assert_value("k99", big);
	/* A smaller wish at the next opening does not matter. */
	kv_close(kv);
	kv = kv_dir_open(&dir, 64 * 1024);
	assert_value("k50", big);
}

static void trimming_loses_nothing(void **state)
{
	put(kv, "a", "1");
	kv_trim(kv);
	assert_value("a", "1");
	put(kv, "a", "2");
	kv_trim(kv);
	assert_value("a", "2");
}

static void expect_open_failure(
		const struct kv_options *options, enum err_kind kind, const char *text)
{
	AUTO_ERR struct err err = { 0 };
	struct kv *other = NULL;

	if (kv_open(dir.path, options, &other, &err) == 0)
		fail_msg("opened");
	if (err.kind != kind || strstr(err_text(&err), text) == NULL)
		fail_msg("%s", err_text(&err));
}

static void a_newer_file_is_refused(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct kv_options options = { "test", 1, false, 0 };

	assert_ok(kv_set_version(kv, 2, &err), &err);
	kv_close(take_ptr(kv));
	expect_open_failure(&options, ERR_PRECONDITION,
			"written by a newer version of this program (format 1.2, this one "
			"knows "
			"1.1)");
	options.version = 3;
	assert_ok(kv_open(dir.path, &options, &kv, &err), &err);
	assert_int_equal(kv_version(kv), 2);
}

static void a_file_of_another_format_is_refused(void **state)
{
	struct kv_options options = { "other", 1, false, 0 };

	kv_close(take_ptr(kv));
	expect_open_failure(&options, ERR_PRECONDITION, "holds \"test\", not \"other\"");
}

static void write_file(const void *data, size_t size)
{
	int fd = open(dir.path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	(void)close(fd);
}

static void a_foreign_file_is_refused(void **state)
{
	struct kv_options options = { "test", 1, false, 0 };
	AUTO_FREE char *junk = long_key('j', 65536, 'j');

	kv_close(take_ptr(kv));
	write_file(junk, 65536);
	expect_open_failure(&options, ERR_PRECONDITION, "not a metadata file of this program");
	write_file("short", 5);
	expect_open_failure(&options, ERR_PRECONDITION, "not a metadata file of this program");
}

static void a_file_cut_short_is_an_error_and_no_crash(void **state)
{
	struct kv_options options = { "test", 1, false, 0 };
	AUTO_FREE char *big = long_key('v', 2000, 'v');

	for (int i = 0; i < 20; i++) {
		AUTO_FREE char *key = xasprintf("k%d", i);

		put(kv, key, big);
	}
	kv_close(take_ptr(kv));
	assert_int_equal(truncate(dir.path, 3 * 4096), 0);
	expect_open_failure(&options, ERR_DATA_LOSS, "damaged");
}

/* Locks belong to processes, so another one must try. */
static void a_file_in_use_is_unavailable(void **state)
{
	struct kv_options options = { "test", 1, false, 0 };
	int status;
	pid_t child = fork();

	if (child == 0) {
		AUTO_ERR struct err err = { 0 };
		struct kv *other = NULL;
		int rc = kv_open(dir.path, &options, &other, &err);

		_exit(rc < 0 && err.kind == ERR_UNAVAILABLE ? 7 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 7 << 8);
	put(kv, "a", "still works");
}

static void a_read_transaction_may_end_elsewhere(void **state)
{
	struct kv_txn *txn = NULL;
	AUTO_ERR struct err err = { 0 };
	pthread_t thread;

	assert_ok(kv_read(kv, &txn, &err), &err);
	assert_int_equal(pthread_create(&thread, NULL, (void *(*)(void *))(void *)kv_read_end,
					 txn),
			0);
	(void)pthread_join(thread, NULL);
	put(kv, "a", "1");
}

static void while_suspended_the_file_is_anothers(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct pair p = { "a", "3", false };
	struct kv_txn *txn = NULL;
	struct kv *other;

	put(kv, "a", "1");
	assert_ok(kv_resume(kv, &err), &err);
	assert_ok(kv_suspend(kv, &err), &err);
	assert_fails(kv_update(kv, put_pair, &p, &err), &err, ERR_UNAVAILABLE);
	assert_fails(kv_read(kv, &txn, &err), &err, ERR_UNAVAILABLE);
	other = kv_dir_open(&dir, 0);
	put(other, "a", "2");
	assert_fails(kv_resume(kv, &err), &err, ERR_UNAVAILABLE);
	kv_close(other);
	assert_ok(kv_resume(kv, &err), &err);
	assert_value("a", "2");
	put(kv, "a", "4");
	assert_value("a", "4");
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void read_all(void)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	AUTO_ERR struct err err = { 0 };
	struct kv_bytes key, value;

	assert_ok(kv_read(kv, &txn, &err), &err);
	assert_ok(kv_iter_new(txn, kv_text(""), (struct kv_bytes){ 0 }, &it, &err), &err);
	while (kv_iter_next(it, &key, &value, &err) > 0)
		continue;
}

/* Any page may be damaged in any way: a file opens and can be read, or the error names a page.
 */
static void damaged_pages_are_named_and_never_end_the_process(void **state)
{
	AUTO_BUF struct buf good = { .limit = 64 << 20 };
	AUTO_FREE char *large = xmalloc(9000);
	struct kv_stats stats;
	unsigned seed = 1, refused = 0;

	memset(large, 'x', 8999);
	large[8999] = '\0';
	for (int i = 0; i < 300; i++) {
		AUTO_FREE char *key = xasprintf("key %d", i);

		put(kv, key, i % 20 == 0 ? large : key);
	}
	kv_stats(kv, &stats);
	kv_close(kv);
	assert_int_equal(io_read_file(AT_FDCWD, dir.path, &good), 0);
	good.size = stats.file_bytes; /* not the room behind them */
	for (int round = 0; round < 400; round++) {
		struct kv_options options = { "test", 1, true, 0 };
		AUTO_FREE char *bytes = xmemdup(good.data, good.size);
		AUTO_ERR struct err err = { 0 };
		size_t page = (size_t)rand_r(&seed) % (good.size / 4096);
		int fd;

		for (int i = 0; i < 1 + round % 40; i++)
			bytes[page * 4096 +
					(size_t)rand_r(&seed) % (round % 2 == 0 ? 64 : 4096)] =
					(char)rand_r(&seed);
		fd = open(dir.path, O_WRONLY | O_TRUNC | O_CLOEXEC);
		assert_int_equal(io_write_all(fd, bytes, good.size), 0);
		close_fd(&fd);
		kv = NULL;
		if (kv_open(dir.path, &options, &kv, &err) < 0) {
			assert_true(err.kind != ERR_NONE);
			refused++;
			continue;
		}
		read_all();
		kv_close(kv);
	}
	assert_true(refused > 50);
	assert_int_equal(unlink(dir.path), 0);
	kv = kv_dir_open(&dir, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(damaged_pages_are_named_and_never_end_the_process),
		RULE(what_was_put_is_there_after_reopening),
		RULE(a_failed_operation_leaves_no_trace),
		RULE(a_file_that_is_written_to_has_room_ahead),
		RULE(room_is_made_again_when_it_is_used_up),
		RULE(of_many_writers_only_the_failing_ones_lose),
		RULE(operations_see_each_others_writes),
		RULE(a_reader_keeps_its_snapshot),
		RULE(keys_come_in_byte_order),
		RULE(keys_of_any_length_are_told_apart),
		RULE(long_keys_are_found_by_prefix_and_in_their_place),
		RULE(impossible_keys_are_refused),
		RULE(deleting_while_walking_skips_nothing),
		RULE(deleting_tells_whether_it_was_there),
		RULE(the_file_grows_under_readers_and_writers),
		RULE(trimming_loses_nothing),
		RULE(a_newer_file_is_refused),
		RULE(a_file_of_another_format_is_refused),
		RULE(a_foreign_file_is_refused),
		RULE(a_file_cut_short_is_an_error_and_no_crash),
		RULE(a_file_in_use_is_unavailable),
		RULE(a_read_transaction_may_end_elsewhere),
		RULE(while_suspended_the_file_is_anothers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
