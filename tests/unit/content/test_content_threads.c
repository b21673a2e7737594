/* SPDX-License-Identifier: Apache-2.0 */
/* Many writers at once: of different blobs, of one blob, and of one ref. */
#include "unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "content/content_local.h"
#include "core/content.h"
#include "support/tempdir.h"

#define THREADS 8
#define ROUNDS	20

static struct tempdir dir;
static struct content_store *store;
static struct ctx ctx;
static atomic_int failures;

static int setup(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct content_local_options options = { 0 };

	tempdir_make(&dir);
	options.root = dir.path;
	options.lock_wait_ns = 60 * NS_PER_S;
	atomic_store(&failures, 0);
	return content_local_new(&options, &store, &err);
}

static int teardown(void **state)
{
	content_local_free(store);
	tempdir_remove(&dir);
	return 0;
}

static void expect(bool good, const struct err *err)
{
	if (good)
		return;
	(void)fprintf(stderr, "unexpected: %s\n", err_text(err));
	atomic_fetch_add(&failures, 1);
}

/* EXISTS is as good: another thread was faster. */
static void put(const char *ref, const char *text)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO_ERR struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	digest_bytes(DIGEST_SHA256, text, strlen(text), digest);
	if (content_writer_open(store, &ctx, ref, (int64_t)strlen(text), digest, &w, &err) <
			0) {
		expect(err.kind == ERR_EXISTS, &err);
		return;
	}
	expect(content_write(w, text, strlen(text), &err) == 0, &err);
	if (content_commit(w, &ctx, (int64_t)strlen(text), digest, NULL, &err) < 0)
		expect(err.kind == ERR_EXISTS, &err);
}

static void *put_own(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		AUTO_FREE char *text = xasprintf("blob %d of %d", i, *(int *)arg);

		put(text, text);
	}
	return NULL;
}

static void *put_shared(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		AUTO_FREE char *text = xasprintf("blob %d", i);
		AUTO_FREE char *ref = xasprintf("ref %d", *(int *)arg);

		put(ref, text);
	}
	return NULL;
}

static void *put_same_ref(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		AUTO_FREE char *text = xasprintf("blob %d", i);

		put("the only ref", text);
	}
	return NULL;
}

static int check_blob(void *arg, const struct content_info *i, struct err *err)
{
	AUTO(content_reader_close) struct content_reader *r = NULL;
	char text[64], digest[DIGEST_TEXT_SIZE];
	ssize_t n;

	(*(int *)arg)++;
	if (content_open(store, &ctx, i->digest, &r, err) < 0)
		return -1;
	n = content_read_at(r, text, sizeof(text), 0, err);
	if (n < 0)
		return -1;
	digest_bytes(DIGEST_SHA256, text, (size_t)n, digest);
	return strcmp(digest, i->digest) == 0 ? 0
					      : err_set(err, ERR_DATA_LOSS, "%s", i->digest);
}

static int count_ingest(void *arg, const struct content_status *s, struct err *err)
{
	(*(int *)arg)++;
	return 0;
}

static void run(void *(*fn)(void *), int want)
{
	pthread_t threads[THREADS];
	AUTO_ERR struct err err = { 0 };
	int numbers[THREADS], blobs = 0, ingests = 0;

	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, fn, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&failures), 0);
	assert_ok(content_list(store, &ctx, NULL, check_blob, &blobs, &err), &err);
	assert_int_equal(blobs, want);
	assert_ok(content_status_list(store, &ctx, NULL, count_ingest, &ingests, &err), &err);
	assert_int_equal(ingests, 0);
}

static void different_blobs_do_not_disturb_each_other(void **state)
{
	run(put_own, THREADS * ROUNDS);
}

static void the_same_blob_is_committed_whole(void **state)
{
	run(put_shared, ROUNDS);
}

static void writers_of_a_ref_take_turns(void **state)
{
	run(put_same_ref, ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(different_blobs_do_not_disturb_each_other),
		T(the_same_blob_is_committed_whole),
		T(writers_of_a_ref_take_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
