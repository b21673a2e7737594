/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 while writing, then reopen; a full disk. */
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "base/str.h"
#include "kv_dir.h"

#define KILLS	20
#define WRITERS 4

struct twin {
	uint32_t writer, number;
};

/* Two keys that must always agree. */
static int put_twins(struct kv_txn *txn, void *arg, struct err *err)
{
	struct twin *t = arg;
	AUTO_FREE char *left = xasprintf("left-%u", t->writer);
	AUTO_FREE char *right = xasprintf("right-%u", t->writer);
	struct kv_bytes number = { &t->number, sizeof(t->number) };

	if (kv_put(txn, kv_text(left), number, err) < 0)
		return -1;
	return kv_put(txn, kv_text(right), number, err);
}

struct writer {
	struct kv *kv;
	struct twin twin;
	int acks;
};

static void *write_for_ever(void *arg)
{
	struct writer *w = arg;

	for (;;) {
		AUTO_ERR struct err err = { 0 };

		w->twin.number++;
		if (kv_update(w->kv, put_twins, &w->twin, &err) < 0)
			_exit(3);
		if (write(w->acks, &w->twin, sizeof(w->twin)) != sizeof(w->twin))
			_exit(4);
	}
	return NULL;
}

static void run_child(struct kv_dir *dir, int acks, const uint32_t *numbers)
{
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	struct kv *kv = kv_dir_open(dir, 0);

	for (uint32_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ kv, { i, numbers[i] }, acks };
		if (pthread_create(&threads[i], NULL, write_for_ever, &writers[i]) != 0)
			_exit(5);
	}
	for (uint32_t i = 0; i < WRITERS; i++)
		(void)pthread_join(threads[i], NULL);
	_exit(6);
}

/* Reads acknowledgements until "enough" came, kills, reads the rest. */
static void run_and_kill(struct kv_dir *dir, int enough, uint32_t *numbers)
{
	int acks[2], n = 0, status;
	struct twin t;
	pid_t child;

	assert_int_equal(pipe(acks), 0);
	child = fork();
	if (child == 0) {
		(void)close(acks[0]);
		run_child(dir, acks[1], numbers);
	}
	(void)close(acks[1]);
	while (read(acks[0], &t, sizeof(t)) == sizeof(t)) {
		numbers[t.writer] = t.number;
		if (++n == enough)
			(void)kill(child, SIGKILL);
	}
	(void)close(acks[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_true(n >= enough);
}

static uint32_t number_of(struct kv *kv, const char *side, uint32_t writer)
{
	AUTO_FREE char *key = xasprintf("%s-%u", side, writer);
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO_ERR struct err err = { 0 };
	struct kv_bytes value;
	uint32_t number;

	assert_ok(kv_read(kv, &txn, &err), &err);
	if (kv_get(txn, kv_text(key), &value, &err) != 1)
		return 0;
	memcpy(&number, value.data, sizeof(number));
	return number;
}

static void what_was_acknowledged_survives_kill(void **state)
{
	uint32_t acked[WRITERS] = { 0 };
	struct kv_dir dir;

	kv_dir_make(&dir);
	for (int i = 0; i < KILLS; i++) {
		struct kv *kv;

		run_and_kill(&dir, 1 + i * 7, acked);
		kv = kv_dir_open(&dir, 0);
		for (uint32_t w = 0; w < WRITERS; w++) {
			uint32_t left = number_of(kv, "left", w);

			assert_int_equal(left, number_of(kv, "right", w));
			assert_true(left >= acked[w]);
			acked[w] = left; /* written, though perhaps not acknowledged */
		}
		kv_close(kv);
	}
	kv_dir_remove(&dir);
}

/* A file size limit stands in for a full disk: writing fails, and later succeeds again. */
static void after_a_failed_write_the_file_is_usable(void **state)
{
	struct rlimit old, small = { 128 * 1024, RLIM_INFINITY };
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *big = xzalloc(300001);
	struct pair p = { "big", memset(big, 'x', 300000), false };
	AUTO_FREE char *value = NULL;
	struct kv_dir dir;
	struct kv *kv;

	kv_dir_make(&dir);
	kv = kv_dir_open(&dir, 0);
	put(kv, "a", "1");
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_fails(kv_update(kv, put_pair, &p, &err), &err, ERR_UNKNOWN);
	put(kv, "b", "2");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_ok(kv_update(kv, put_pair, &p, &err), &err);
	value = get(kv, "a");
	assert_string_equal(value, "1");
	kv_close(kv);
	kv_dir_remove(&dir);
}

static void fill(struct kv *kv, struct err *err)
{
	for (int i = 0; i < 1000; i++) {
		AUTO_FREE char *key = xasprintf("k%d", i);
		AUTO_FREE char *value = xzalloc(3001);
		struct pair p = { key, memset(value, 'v', 3000), false };

		if (kv_update(kv, put_pair, &p, err) < 0)
			return;
	}
	fail_msg("the disk never filled up");
}

static int delete_all(struct kv_txn *txn, void *arg, struct err *err)
{
	return kv_del_prefix(txn, kv_text("k"), err);
}

static void a_full_disk_is_told_and_survived(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *first = NULL;
	struct kv_dir dir;
	struct kv *kv;

	kv_dir_make(&dir);
	if (mount("tmpfs", dir.dir, "tmpfs", 0, "size=512k") < 0) {
		(void)rmdir(dir.dir);
		skip(); /* needs root */
	}
	kv = kv_dir_open(&dir, 0);
	fill(kv, &err);
	if (strstr(err_text(&err), "no space left on device") == NULL)
		fail_msg("%s", err_text(&err));
	err_clear(&err);
	first = get(kv, "k0");
	assert_non_null(first);
	assert_ok(kv_update(kv, delete_all, NULL, &err), &err);
	put(kv, "a", "1");
	kv_close(kv);
	kv_close(kv_dir_open(&dir, 0));
	assert_int_equal(umount(dir.dir), 0);
	assert_int_equal(rmdir(dir.dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_acknowledged_survives_kill),
		TEST(after_a_failed_write_the_file_is_usable),
		TEST(a_full_disk_is_told_and_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
