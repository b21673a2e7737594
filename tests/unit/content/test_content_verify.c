/* SPDX-License-Identifier: Apache-2.0 */
/* What a look through the local store names. */
#include "unit/unit.h"

#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "content/content_local.h"
#include "core/content.h"
#include "support/findings.h"
#include "support/tempdir.h"

static struct tempdir dir;
static struct content_store *store;
static struct ctx ctx;
static struct findings found;

static int setup(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct content_local_options options = { dir.path, 0 };

	tempdir_make(&dir);
	options.root = dir.path;
	assert_ok(content_local_new(&options, &store, &err), &err);
	findings_init(&found);
	return 0;
}

static int teardown(void **state)
{
	content_local_free(store);
	tempdir_remove(&dir);
	buf_done(&found.lines);
	return 0;
}

/* Its path, owned. */
static char *add(const char *text, enum digest_alg alg)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO_ERR struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	digest_bytes(alg, text, strlen(text), digest);
	assert_ok(content_writer_open(store, &ctx, text, 0, NULL, &w, &err), &err);
	assert_ok(content_write(w, text, strlen(text), &err), &err);
	assert_ok(content_commit(w, &ctx, 0, digest, NULL, &err), &err);
	return xasprintf("blobs/%s/%s", digest_alg_name(alg), digest_hex(digest));
}

static void verify(void)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(content_local_verify(store, &ctx, &found.sink, &err), &err);
}

static void an_empty_store_and_a_good_one_have_nothing_to_name(void **state)
{
	AUTO_FREE char *a = NULL, *b = NULL;

	verify();
	assert_findings(&found, "");
	a = add("one", DIGEST_SHA256);
	b = add("two", DIGEST_SHA512);
	verify();
	assert_findings(&found, "");
}

static void a_changed_byte_is_named_with_what_is_there(void **state)
{
	AUTO_FREE char *path = add("one", DIGEST_SHA256);
	AUTO_FREE char *want = NULL;
	char actual[DIGEST_TEXT_SIZE];

	assert_int_equal(unlinkat(dir.fd, path, 0), 0);
	put_file(dir.fd, path, "onE");
	digest_bytes(DIGEST_SHA256, "onE", 3, actual);
	want = xasprintf("damaged blob sha256:%s: its 3 bytes have the digest %s\n",
			path + strlen("blobs/sha256/"), actual);
	verify();
	assert_findings(&found, want);
}

static void other_algorithms_are_checked_with_their_own(void **state)
{
	AUTO_FREE char *path = add("one", DIGEST_SHA384);

	assert_int_equal(unlinkat(dir.fd, path, 0), 0);
	put_file(dir.fd, path, "");
	verify();
	assert_non_null(strstr(found.lines.data, "its 0 bytes have the digest sha384:"));
}

static void links_fifos_and_directories_are_no_blobs(void **state)
{
	AUTO_FREE char *a = add("one", DIGEST_SHA256), *b = add("two", DIGEST_SHA256),
		       *c = add("three", DIGEST_SHA256);
	AUTO_STRV char **lines = NULL;

	assert_int_equal(unlinkat(dir.fd, a, 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", dir.fd, a), 0);
	assert_int_equal(unlinkat(dir.fd, b, 0), 0);
	assert_int_equal(mkfifoat(dir.fd, b, 0600), 0);
	assert_int_equal(unlinkat(dir.fd, c, 0), 0);
	assert_int_equal(mkdirat(dir.fd, c, 0700), 0);
	verify();
	lines = strv_split(found.lines.data, '\n');
	assert_int_equal(strv_len(lines), 4);
	for (int i = 0; i < 3; i++)
		assert_true(str_ends(lines[i], ": is not a file"));
}

static void what_is_not_ours_is_told_and_not_damage(void **state)
{
	AUTO_FREE char *path = add("one", DIGEST_SHA256);

	put_file(dir.fd, "blobs/notes", "");
	put_file(dir.fd, "blobs/sha256/notes", "");
	assert_int_equal(mkdirat(dir.fd, "blobs/md5", 0700), 0);
	assert_int_equal(mkdirat(dir.fd, "ingest/x", 0700), 0);
	verify();
	assert_findings(&found, "leftover file blobs/md5: no directory of blobs\n"
				"leftover file blobs/notes: no directory of blobs\n"
				"leftover file blobs/sha256/notes: no name that a blob has\n"
				"leftover file ingest/x: no ingest, or half of one\n");
}

static void half_of_an_ingest_is_cleaned_away_and_a_whole_one_stays(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO_FREE char *half = xasprintf("ingest/%064d", 1);
	AUTO_FREE char *file = xasprintf("%s/ref", half);
	AUTO_ERR struct err err = { 0 };
	AUTO_STRV char **left = NULL;

	assert_ok(content_writer_open(store, &ctx, "whole", 0, NULL, &w, &err), &err);
	assert_int_equal(mkdirat(dir.fd, half, 0700), 0);
	put_file(dir.fd, file, "");
	put_file(dir.fd, "ingest/note", "");
	assert_ok(content_local_clean(store, &err), &err);
	assert_int_equal(fs_list(dir.fd, "ingest", &left), 0);
	assert_int_equal(strv_len(left), 2);
	assert_false(strv_has(left, half + strlen("ingest/")));
	assert_true(strv_has(left, "note"));
}

static void it_ends_with_the_callers_time(void **state)
{
	struct ctx late = { .deadline_ns = 1 };
	AUTO_FREE char *path = add("one", DIGEST_SHA256);
	AUTO_ERR struct err err = { 0 };

	assert_fails(content_local_verify(store, &late, &found.sink, &err), &err, ERR_DEADLINE);
	assert_findings(&found, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(an_empty_store_and_a_good_one_have_nothing_to_name),
		T(a_changed_byte_is_named_with_what_is_there),
		T(other_algorithms_are_checked_with_their_own),
		T(links_fifos_and_directories_are_no_blobs),
		T(what_is_not_ours_is_told_and_not_damage),
		T(half_of_an_ingest_is_cleaned_away_and_a_whole_one_stays),
		T(it_ends_with_the_callers_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
