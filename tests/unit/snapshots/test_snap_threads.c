/* SPDX-License-Identifier: Apache-2.0 */
/* Many callers at once; and cleanup, which must not take a directory that is just being made.
 */
#include "unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/ctx.h"
#include "base/mem.h"
#include "core/snapshot.h"
#include "snapshots/overlay/snap_overlay.h"
#include "snapshots/snap_store.h"
#include "support/tempdir.h"

#define THREADS 8
#define ROUNDS	40

static struct tempdir dir;
static struct snapshotter *sn;
static struct ctx ctx;
static atomic_bool stop;
static atomic_int failures;

/* cmocka's assertions may not be used off the test's own thread. */
static void expect(bool good, const struct err *err)
{
	if (good)
		return;
	(void)fprintf(stderr, "unexpected: %s\n", err_text(err));
	atomic_fetch_add(&failures, 1);
}

static bool has_directory(const struct mounts *m)
{
	return m->count == 1 && access(m->items[0].source, F_OK) == 0;
}

static void one_round(int thread, int round)
{
	AUTO_FREE char *key = xasprintf("key-%d-%d", thread, round);
	AUTO_FREE char *name = xasprintf("name-%d-%d", thread, round);
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };

	expect(snapshot_prepare(sn, &ctx, key, NULL, NULL, &m, &err) == 0, &err);
	expect(has_directory(&m), &err);
	expect(snapshot_commit(sn, &ctx, name, key, NULL, NULL, &err) == 0, &err);
	expect(has_directory(&m), &err);
	expect(snapshot_remove(sn, &ctx, name, &err) == 0, &err);
}

static void *make_and_remove(void *arg)
{
	int thread = *(int *)arg;

	for (int i = 0; i < ROUNDS; i++)
		one_round(thread, i);
	return NULL;
}

static void *clean(void *arg)
{
	while (!atomic_load(&stop)) {
		AUTO_ERR struct err err = { 0 };

		expect(snapshot_cleanup(sn, &ctx, &err) == 0, &err);
	}
	return NULL;
}

static void cleanup_spares_what_is_being_made(void **state)
{
	AUTO_FREE char *root = NULL;
	struct snap_overlay_options options = { .no_sync = true };
	pthread_t threads[THREADS], cleaner;
	AUTO_STRV char **left = NULL;
	AUTO_ERR struct err err = { 0 };
	int numbers[THREADS];

	tempdir_make(&dir);
	root = xasprintf("%s/root", dir.path);
	options.root = root;
	assert_ok(snap_overlay_new(&options, snap_store_mem_new(), &sn, &err), &err);
	assert_int_equal(pthread_create(&cleaner, NULL, clean, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(
				pthread_create(&threads[i], NULL, make_and_remove, &numbers[i]),
				0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&stop, true);
	pthread_join(cleaner, NULL);
	assert_int_equal(atomic_load(&failures), 0);
	assert_ok(snapshot_cleanup(sn, &ctx, &err), &err);
	assert_int_equal(fs_list(dir.fd, "root/snapshots", &left), 0);
	assert_null(left[0]);
	snapshotter_free(sn);
	tempdir_remove(&dir);
}

/* Of many who prepare one key, one wins, and the losers leave nothing. */
static atomic_int winners;

static void *prepare_same(void *arg)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };

	if (snapshot_prepare(sn, &ctx, "same", NULL, NULL, &m, &err) == 0)
		atomic_fetch_add(&winners, 1);
	else
		expect(err.kind == ERR_EXISTS, &err);
	return NULL;
}

static void one_of_many_gets_a_key(void **state)
{
	AUTO_FREE char *root = NULL;
	struct snap_overlay_options options = { .no_sync = true };
	pthread_t threads[THREADS];
	AUTO_STRV char **left = NULL;
	AUTO_ERR struct err err = { 0 };

	tempdir_make(&dir);
	root = xasprintf("%s/root", dir.path);
	options.root = root;
	assert_ok(snap_overlay_new(&options, snap_store_mem_new(), &sn, &err), &err);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, prepare_same, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&winners), 1);
	assert_int_equal(atomic_load(&failures), 0);
	assert_int_equal(fs_list(dir.fd, "root/snapshots", &left), 0);
	assert_non_null(left[0]);
	assert_null(left[1]);
	snapshotter_free(sn);
	tempdir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cleanup_spares_what_is_being_made),
		TEST(one_of_many_gets_a_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
