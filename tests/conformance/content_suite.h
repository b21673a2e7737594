/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every content store does (reference 01 §5), written once. A driver's program defines
 * open_store() and close_store() before it includes this, and runs CONTENT_SUITE; a proxy runs
 * CONTENT_COMMON_SUITE.
 */
#pragma once

#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/content.h"

static struct content_store *open_store(void);
static void close_store(struct content_store *s);

static struct content_store *store;
static struct ctx ctx = { .ns = "default" };

static int suite_setup(void **state)
{
	store = open_store();
	return store == NULL ? -1 : 0;
}

static int suite_teardown(void **state)
{
	close_store(store);
	return 0;
}

static void sha256_of(const char *text, char out[DIGEST_TEXT_SIZE])
{
	digest_bytes(DIGEST_SHA256, text, strlen(text), out);
}

static struct content_writer *open_writer(const char *ref, int64_t total, const char *expected)
{
	AUTO_ERR struct err err = { 0 };
	struct content_writer *w = NULL;

	assert_ok(content_writer_open(store, &ctx, ref, total, expected, &w, &err), &err);
	return w;
}

static void write_text(struct content_writer *w, const char *text)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(content_write(w, text, strlen(text), &err), &err);
}

static void add_blob(const char *text, char digest[DIGEST_TEXT_SIZE])
{
	AUTO_ERR struct err err = { 0 };
	AUTO(content_writer_close) struct content_writer *w = open_writer(text, 0, NULL);

	sha256_of(text, digest);
	write_text(w, text);
	assert_ok(content_commit(w, &ctx, (int64_t)strlen(text), digest, NULL, &err), &err);
}

static int64_t offset_of(const char *ref)
{
	AUTO_ERR struct err err = { 0 };
	struct content_status s = { 0 };
	int64_t offset;

	assert_ok(content_status_get(store, &ctx, ref, &s, &err), &err);
	assert_string_equal(s.ref, ref);
	offset = s.offset;
	content_status_done(&s);
	return offset;
}

static void what_is_committed_can_be_read(void **state)
{
	AUTO(content_reader_close) struct content_reader *r = NULL;
	AUTO_ERR struct err err = { 0 };
	struct content_info info = { 0 };
	char digest[DIGEST_TEXT_SIZE], text[16];

	add_blob("some bytes", digest);
	assert_ok(content_info(store, &ctx, digest, &info, &err), &err);
	assert_string_equal(info.digest, digest);
	assert_int_equal(info.size, 10);
	assert_true(info.created_ns > 0);
	content_info_done(&info);
	assert_ok(content_open(store, &ctx, digest, &r, &err), &err);
	assert_int_equal(r->size, 10);
	assert_int_equal(content_read_at(r, text, sizeof(text), 5, &err), 5);
	assert_memory_equal(text, "bytes", 5);
	assert_int_equal(content_read_at(r, text, 4, 0, &err), 4);
	assert_memory_equal(text, "some", 4);
	assert_int_equal(content_read_at(r, text, 4, 10, &err), 0);
	assert_fails(content_status_get(store, &ctx, "some bytes",
				     &(struct content_status){ 0 }, &err),
			&err, ERR_NOT_FOUND);
}

static void an_empty_blob_is_a_blob(void **state)
{
	char digest[DIGEST_TEXT_SIZE];
	AUTO(content_writer_close) struct content_writer *w = open_writer("empty", 0, NULL);
	AUTO_ERR struct err err = { 0 };
	struct content_info info = { 0 };

	sha256_of("", digest);
	assert_ok(content_commit(w, &ctx, 0, NULL, NULL, &err), &err);
	assert_ok(content_info(store, &ctx, digest, &info, &err), &err);
	assert_int_equal(info.size, 0);
	content_info_done(&info);
}

static void unknown_and_malformed_digests_are_told_apart(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct content_info info = { 0 };
	struct content_reader *r = NULL;
	struct content_writer *w = NULL;
	char digest[DIGEST_TEXT_SIZE];

	sha256_of("not there", digest);
	assert_fails(content_info(store, &ctx, digest, &info, &err), &err, ERR_NOT_FOUND);
	assert_fails(content_open(store, &ctx, digest, &r, &err), &err, ERR_NOT_FOUND);
	assert_fails(content_info(store, &ctx, "sha256:../../x", &info, &err), &err,
			ERR_INVALID);
	assert_fails(content_open(store, &ctx, "md5:abc", &r, &err), &err, ERR_INVALID);
	assert_fails(content_writer_open(store, &ctx, "ref", 0, "nocolon", &w, &err), &err,
			ERR_INVALID);
	assert_fails(content_writer_open(store, &ctx, "", 0, NULL, &w, &err), &err,
			ERR_INVALID);
}

static void a_ref_has_one_writer(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 0, NULL);
	AUTO(content_writer_close) struct content_writer *other = NULL;
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(content_writer_open(store, &ctx, "ref", 0, NULL, &other, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err_text(&err), "ref locked for "));
	err_clear(&err);
	other = open_writer("another", 0, NULL);
	content_writer_close(take_ptr(w));
	w = open_writer("ref", 0, NULL);
}

static void an_ingest_is_resumed_where_it_stopped(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 12, NULL);
	AUTO_ERR struct err err = { 0 };
	struct content_status s = { 0 };
	char digest[DIGEST_TEXT_SIZE], want[DIGEST_TEXT_SIZE];

	write_text(w, "first ");
	content_writer_close(take_ptr(w));
	assert_int_equal(offset_of("ref"), 6);
	w = open_writer("ref", 0, NULL);
	assert_ok(content_writer_status(w, &s, digest, &err), &err);
	assert_int_equal(s.offset, 6);
	assert_true(s.started_ns > 0 && s.updated_ns >= s.started_ns);
	sha256_of("first ", want);
	assert_string_equal(digest, want);
	content_status_done(&s);
	write_text(w, "second");
	sha256_of("first second", want);
	assert_ok(content_commit(w, &ctx, 12, want, NULL, &err), &err);
}

/* It was changed when bytes last came, not when its writer went. */
static void closing_and_reopening_keep_the_time_of_the_last_write(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 0, NULL);
	AUTO_ERR struct err err = { 0 };
	struct content_status s = { 0 };
	char digest[DIGEST_TEXT_SIZE];
	int64_t written;

	write_text(w, "bytes");
	written = clock_wall_ns();
	content_writer_close(take_ptr(w));
	assert_ok(content_status_get(store, &ctx, "ref", &s, &err), &err);
	assert_true(s.updated_ns <= written);
	content_status_done(&s);
	w = open_writer("ref", 0, NULL);
	assert_ok(content_writer_status(w, &s, digest, &err), &err);
	assert_true(s.updated_ns >= s.started_ns && s.updated_ns <= written);
	content_status_done(&s);
}

/* Over the wire, it is the stream that remembers. */
UNUSED static void an_ingest_remembers_its_total(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 12, NULL);
	AUTO_ERR struct err err = { 0 };
	struct content_status s = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	write_text(w, "first ");
	content_writer_close(take_ptr(w));
	w = open_writer("ref", 0, NULL);
	assert_ok(content_writer_status(w, &s, digest, &err), &err);
	assert_int_equal(s.total, 12);
	content_status_done(&s);
}

static void another_total_starts_anew(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 12, NULL);
	AUTO_ERR struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	write_text(w, "first first");
	content_writer_close(take_ptr(w));
	w = open_writer("ref", 3, NULL);
	assert_int_equal(offset_of("ref"), 0);
	write_text(w, "new");
	sha256_of("new", digest);
	assert_ok(content_commit(w, &ctx, 3, digest, NULL, &err), &err);
}

static void truncation_starts_anew(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 0, NULL);
	AUTO_ERR struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	write_text(w, "something long");
	assert_ok(content_truncate(w, &err), &err);
	write_text(w, "short");
	sha256_of("short", digest);
	assert_ok(content_commit(w, &ctx, 5, digest, NULL, &err), &err);
}

static void a_commit_checks_size_and_digest(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 0, NULL);
	AUTO_ERR struct err err = { 0 };
	char good[DIGEST_TEXT_SIZE], bad[DIGEST_TEXT_SIZE];

	sha256_of("bytes", good);
	sha256_of("other", bad);
	write_text(w, "bytes");
	assert_fails(content_commit(w, &ctx, 6, good, NULL, &err), &err, ERR_PRECONDITION);
	assert_fails(content_write(w, "x", 1, &err), &err, ERR_PRECONDITION);
	content_writer_close(take_ptr(w));

	/* The bytes are kept, the ref is free. */
	w = open_writer("ref", 0, NULL);
	assert_int_equal(offset_of("ref"), 5);
	assert_fails(content_commit(w, &ctx, 5, bad, NULL, &err), &err, ERR_PRECONDITION);
	content_writer_close(take_ptr(w));
	w = open_writer("ref", 0, NULL);
	assert_ok(content_commit(w, &ctx, 5, good, NULL, &err), &err);
}

static void other_algorithms_are_checked_too(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 0, NULL);
	AUTO_ERR struct err err = { 0 };
	struct content_info info = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	digest_bytes(DIGEST_SHA512, "bytes", 5, digest);
	write_text(w, "bytes");
	assert_ok(content_commit(w, &ctx, 5, digest, NULL, &err), &err);
	assert_ok(content_info(store, &ctx, digest, &info, &err), &err);
	assert_int_equal(info.size, 5);
	content_info_done(&info);
	w->ops->close(take_ptr(w));
	w = open_writer("ref", 0, NULL);
	write_text(w, "others");
	digest_bytes(DIGEST_SHA512, "neither", 7, digest);
	assert_fails(content_commit(w, &ctx, 6, digest, NULL, &err), &err, ERR_PRECONDITION);
}

static void what_is_there_exists_at_open_and_at_commit(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO_ERR struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	add_blob("twice", digest);
	assert_fails(content_writer_open(store, &ctx, "again", 0, digest, &w, &err), &err,
			ERR_EXISTS);
	w = open_writer("again", 0, NULL);
	write_text(w, "twice");
	assert_fails(content_commit(w, &ctx, 5, digest, NULL, &err), &err, ERR_EXISTS);
	assert_fails(content_status_get(
				     store, &ctx, "again", &(struct content_status){ 0 }, &err),
			&err, ERR_NOT_FOUND);
}

static void an_aborted_ingest_is_gone(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer("ref", 0, NULL);
	AUTO_ERR struct err err = { 0 };

	write_text(w, "bytes");
	assert_ok(content_abort(store, &ctx, "ref", &err), &err);
	assert_fails(content_status_get(
				     store, &ctx, "ref", &(struct content_status){ 0 }, &err),
			&err, ERR_NOT_FOUND);
	assert_fails(content_commit(w, &ctx, 5, NULL, NULL, &err), &err, ERR_NOT_FOUND);
	content_writer_close(take_ptr(w));
	w = open_writer("ref", 0, NULL);
	assert_int_equal(offset_of("ref"), 0);
}

static int count_info(void *arg, const struct content_info *i, struct err *err)
{
	(*(int *)arg)++;
	return 0;
}

static int count_status(void *arg, const struct content_status *s, struct err *err)
{
	(*(int *)arg)++;
	return 0;
}

static int fail_info(void *arg, const struct content_info *i, struct err *err)
{
	return err_set(err, ERR_ABORTED, "enough");
}

static void lists_are_filtered(void **state)
{
	AUTO(content_writer_close) struct content_writer *a = open_writer("a", 0, NULL);
	AUTO(content_writer_close)
	struct content_writer *b = open_writer("b/with slash", 0, NULL);
	char *only_b[] = { (char[]){ "ref==\"b/with slash\"" }, NULL };
	char one[DIGEST_TEXT_SIZE], two[DIGEST_TEXT_SIZE];
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *by_digest = NULL;
	int n = 0;

	assert_ok(content_status_list(store, &ctx, NULL, count_status, &n, &err), &err);
	assert_int_equal(n, 2);
	n = 0;
	assert_ok(content_status_list(store, &ctx, only_b, count_status, &n, &err), &err);
	assert_int_equal(n, 1);
	add_blob("one", one);
	add_blob("two", two);
	n = 0;
	assert_ok(content_list(store, &ctx, NULL, count_info, &n, &err), &err);
	assert_int_equal(n, 2);
	by_digest = xasprintf("digest==%s", two);
	n = 0;
	assert_ok(content_list(store, &ctx, (char *[]){ by_digest, NULL }, count_info, &n,
				  &err),
			&err);
	assert_int_equal(n, 1);
	assert_fails(content_list(store, &ctx, NULL, fail_info, NULL, &err), &err, ERR_ABORTED);
	assert_fails(content_list(store, &ctx, (char *[]){ (char[]){ "==" }, NULL }, count_info,
				     &n, &err),
			&err, ERR_INVALID);
}

static void removed_blobs_are_gone(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct content_info info = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	add_blob("bytes", digest);
	assert_ok(content_remove(store, &ctx, digest, &err), &err);
	assert_fails(content_info(store, &ctx, digest, &info, &err), &err, ERR_NOT_FOUND);
	add_blob("bytes", digest);
}

/* Over the wire, a reader is nothing but the digest. */
UNUSED static void open_readers_outlive_their_blobs(void **state)
{
	AUTO(content_reader_close) struct content_reader *r = NULL;
	AUTO_ERR struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE], text[8];

	add_blob("bytes", digest);
	assert_ok(content_open(store, &ctx, digest, &r, &err), &err);
	assert_ok(content_remove(store, &ctx, digest, &err), &err);
	assert_int_equal(content_read_at(r, text, sizeof(text), 0, &err), 5);
}

#define BULK 300001

static void fill_bulk(unsigned char *bytes)
{
	uint32_t x = 1;

	for (size_t i = 0; i < BULK; i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (unsigned char)(x >> 24);
	}
}

/* Pieces of all sizes, and the ref given up and taken again between some of them. */
static void write_in_pieces(const unsigned char *bytes, const char *ref)
{
	AUTO(content_writer_close) struct content_writer *w = open_writer(ref, BULK, NULL);
	AUTO_ERR struct err err = { 0 };
	struct content_status s = { 0 };
	char digest[DIGEST_TEXT_SIZE], want[DIGEST_TEXT_SIZE];
	size_t at = 0;

	for (size_t n = 1; at < BULK; n = n * 3 + 1) {
		size_t size = n < BULK - at ? n : BULK - at;

		assert_ok(content_write(w, bytes + at, size, &err), &err);
		at += size;
		content_writer_close(take_ptr(w));
		w = open_writer(ref, BULK, NULL);
		assert_ok(content_writer_status(w, &s, digest, &err), &err);
		assert_int_equal(s.offset, at);
		content_status_done(&s);
		digest_bytes(DIGEST_SHA256, bytes, at, want);
		assert_string_equal(digest, want);
	}
	assert_ok(content_commit(w, &ctx, BULK, want, NULL, &err), &err);
}

static void bytes_come_and_go_in_any_pieces(void **state)
{
	AUTO_FREE unsigned char *bytes = xmalloc(BULK), *back = xmalloc(BULK);
	AUTO(content_reader_close) struct content_reader *r = NULL;
	AUTO_ERR struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE];
	ssize_t got;

	fill_bulk(bytes);
	write_in_pieces(bytes, "bulk");
	digest_bytes(DIGEST_SHA256, bytes, BULK, digest);
	assert_ok(content_open(store, &ctx, digest, &r, &err), &err);
	for (size_t at = 0; at < BULK; at += (size_t)got) {
		got = content_read_at(r, back + at, 70001, (int64_t)at, &err);
		assert_true(got > 0);
	}
	assert_memory_equal(back, bytes, BULK);
}

static void the_second_of_two_writers_of_one_blob_is_told(void **state)
{
	AUTO(content_writer_close) struct content_writer *a = open_writer("a", 0, NULL);
	AUTO(content_writer_close) struct content_writer *b = open_writer("b", 0, NULL);
	AUTO(content_reader_close) struct content_reader *r = NULL;
	AUTO_ERR struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE], text[8];

	sha256_of("same", digest);
	write_text(a, "same");
	write_text(b, "same");
	assert_ok(content_commit(a, &ctx, 4, digest, NULL, &err), &err);
	assert_fails(content_commit(b, &ctx, 4, digest, NULL, &err), &err, ERR_EXISTS);
	assert_fails(content_status_get(store, &ctx, "b", &(struct content_status){ 0 }, &err),
			&err, ERR_NOT_FOUND);
	assert_ok(content_open(store, &ctx, digest, &r, &err), &err);
	assert_int_equal(content_read_at(r, text, sizeof(text), 0, &err), 4);
	assert_memory_equal(text, "same", 4);
}

#define CONTENT_TEST(name) cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)
#define CONTENT_COMMON_SUITE                                                                   \
	CONTENT_TEST(what_is_committed_can_be_read), CONTENT_TEST(an_empty_blob_is_a_blob),    \
			CONTENT_TEST(unknown_and_malformed_digests_are_told_apart),            \
			CONTENT_TEST(a_ref_has_one_writer),                                    \
			CONTENT_TEST(an_ingest_is_resumed_where_it_stopped),                   \
			CONTENT_TEST(closing_and_reopening_keep_the_time_of_the_last_write),   \
			CONTENT_TEST(another_total_starts_anew),                               \
			CONTENT_TEST(truncation_starts_anew),                                  \
			CONTENT_TEST(a_commit_checks_size_and_digest),                         \
			CONTENT_TEST(other_algorithms_are_checked_too),                        \
			CONTENT_TEST(what_is_there_exists_at_open_and_at_commit),              \
			CONTENT_TEST(an_aborted_ingest_is_gone),                               \
			CONTENT_TEST(lists_are_filtered),                                      \
			CONTENT_TEST(removed_blobs_are_gone),                                  \
			CONTENT_TEST(bytes_come_and_go_in_any_pieces),                         \
			CONTENT_TEST(the_second_of_two_writers_of_one_blob_is_told)
#define CONTENT_SUITE                                                                          \
	CONTENT_COMMON_SUITE, CONTENT_TEST(an_ingest_remembers_its_total),                     \
			CONTENT_TEST(open_readers_outlive_their_blobs)
