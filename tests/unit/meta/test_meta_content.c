/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 01 §5.1, §5.3, §5.4, §4.5: content of a namespace. What every store does is in
 * tests/conformance. */
#include "meta_env.h"

static struct content_store *store(void)
{
	return meta_content(env.m);
}

static int open_in(struct ctx *c, const char *ref, int64_t total, const char *expected,
		struct content_writer **ret, struct err *err)
{
	return content_writer_open(store(), c, ref, total, expected, ret, err);
}

static struct content_writer *open_ok(
		struct ctx *c, const char *ref, int64_t total, const char *expected)
{
	AUTO_ERR struct err err = { 0 };
	struct content_writer *w = NULL;

	assert_ok(open_in(c, ref, total, expected, &w, &err), &err);
	return w;
}

static int64_t offset_of(struct content_writer *w)
{
	struct content_status s = { 0 };
	char digest[DIGEST_TEXT_SIZE];
	AUTO_ERR struct err err = { 0 };
	int64_t offset;

	assert_ok(content_writer_status(w, &s, digest, &err), &err);
	offset = s.offset;
	content_status_done(&s);
	return offset;
}

static void times_and_labels_are_the_records(void **state)
{
	struct content_info i = { 0 }, in = { 0 };
	const char *const paths[] = { "labels.b", NULL };
	const char *const bad[] = { "size", NULL };
	char digest[DIGEST_TEXT_SIZE];
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *want = NULL;

	digest_of("text", digest);
	assert_int_equal(add_blob_in(&ctx, "text", labels_of("a=1", "none=", NULL)), 0);
	assert_ok(content_info(store(), &ctx, digest, &i, &err), &err);
	assert_true(i.created_ns == TIME_0 && i.updated_ns == TIME_0 && i.size == 4);
	assert_int_equal(i.labels.count, 1);
	content_info_done(&i);
	want = xasprintf("ns /content/create %s|4|\n", digest);
	expect_events(want);

	now_ns++;
	memcpy(in.digest, digest, sizeof(digest));
	in.labels = labels_of("b=2", NULL);
	assert_ok(content_update(store(), &ctx, &in, (char *const *)paths, &i, &err), &err);
	assert_int_equal(i.labels.count, 2);
	assert_true(i.created_ns == TIME_0 && i.updated_ns == TIME_0 + 1 && i.size == 4);
	content_info_done(&i);
	assert_ok(content_update(store(), &ctx, &in, NULL, &i, &err), &err);
	assert_int_equal(i.labels.count, 1);
	content_info_done(&i);
	assert_fails(content_update(store(), &ctx, &in, (char *const *)bad, &i, &err), &err,
			ERR_INVALID);
	expect_events(""); /* none for updates */
	content_info_done(&in);
}

static void a_namespace_does_not_see_anothers_blobs(void **state)
{
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	assert_true(has_blob(store(), &ctx, "text"));
	assert_false(has_blob(store(), &other, "text"));
}

/* §5.3: with the shared policy a known digest needs no upload. */
static void a_blob_of_another_namespace_is_adopted_by_digest(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	char digest[DIGEST_TEXT_SIZE];
	struct content_status s = { 0 };
	AUTO_ERR struct err err = { 0 };

	digest_of("text", digest);
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	w = open_ok(&other, "r", 4, digest);
	assert_int_equal(offset_of(w), 4);
	/* It has no data of its own, so Status does not know it. */
	assert_error(content_status_get(store(), &other, "r", &s, &err), &err, ERR_NOT_FOUND,
			"reference r: not found");
	assert_ok(content_commit(w, &other, 4, digest, NULL, &err), &err);
	assert_true(has_blob(store(), &other, "text"));
}

static void another_size_or_digest_is_uploaded(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	char digest[DIGEST_TEXT_SIZE], unknown[DIGEST_TEXT_SIZE];

	digest_of("text", digest);
	digest_of("unknown", unknown);
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	w = open_ok(&other, "r", 5, digest);
	assert_int_equal(offset_of(w), 0);
	content_writer_close(take_ptr(w));
	w = open_ok(&other, "r2", 4, unknown);
	assert_int_equal(offset_of(w), 0);
}

static void a_virtual_writer_turns_real_when_written(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	char digest[DIGEST_TEXT_SIZE], longer[DIGEST_TEXT_SIZE];
	AUTO_ERR struct err err = { 0 };

	digest_of("text", digest);
	digest_of("text and more", longer);
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	w = open_ok(&other, "r", 0, digest);
	assert_ok(content_write(w, " and more", 9, &err), &err);
	assert_int_equal(offset_of(w), 13);
	assert_ok(content_commit(w, &other, 13, longer, NULL, &err), &err);
	assert_true(has_blob(store(), &other, "text and more"));
	assert_false(has_blob(store(), &other, "text"));
}

static void a_virtual_writer_starts_empty_when_truncated(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	char digest[DIGEST_TEXT_SIZE];
	AUTO_ERR struct err err = { 0 };

	digest_of("text", digest);
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	w = open_ok(&other, "r", 0, digest);
	assert_ok(content_truncate(w, &err), &err);
	assert_int_equal(offset_of(w), 0);
	assert_ok(content_write(w, "new", 3, &err), &err);
	assert_ok(content_commit(w, &other, 3, NULL, NULL, &err), &err);
	assert_true(has_blob(store(), &other, "new"));
}

static void a_virtual_commit_is_checked(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	char digest[DIGEST_TEXT_SIZE], unknown[DIGEST_TEXT_SIZE];
	AUTO_ERR struct err err = { 0 };

	digest_of("text", digest);
	digest_of("unknown", unknown);
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	w = open_ok(&other, "r", 0, digest);
	assert_error(content_commit(w, &other, 5, digest, NULL, &err), &err, ERR_PRECONDITION,
			"\"r\" failed size validation: 4 != 5: failed precondition");
	content_writer_close(take_ptr(w));
	w = open_ok(&other, "r", 0, digest);
	assert_error(content_commit(w, &other, 4, unknown, NULL, &err), &err, ERR_PRECONDITION,
			"\"r\" unexpected digest: failed precondition");
}

static void a_shared_blob_stays_while_an_ingest_waits_for_it(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	char digest[DIGEST_TEXT_SIZE];
	AUTO_ERR struct err err = { 0 };

	digest_of("text", digest);
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	w = open_ok(&other, "r", 0, digest);
	assert_ok(content_remove(store(), &ctx, digest, &err), &err);
	collect();
	assert_ok(content_commit(w, &other, 4, digest, NULL, &err), &err);
	assert_true(has_blob(env.content, &other, "text"));
}

static void isolated_reopen(void)
{
	env.options.isolated = true;
	env_reopen();
}

/* §4.5 */
static void isolated_namespaces_must_upload(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	char digest[DIGEST_TEXT_SIZE];
	AUTO_ERR struct err err = { 0 };

	isolated_reopen();
	digest_of("text", digest);
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	w = open_ok(&other, "r", 4, digest);
	assert_int_equal(offset_of(w), 0);
	assert_ok(content_write(w, "text", 4, &err), &err);
	assert_ok(content_commit(w, &other, 4, digest, NULL, &err), &err);
	assert_true(has_blob(store(), &other, "text"));
}

static void a_shareable_namespace_gives_all_the_same(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO_LABELS struct labels share =
			labels_of("containerd.io/namespace.shareable=true", NULL);
	char digest[DIGEST_TEXT_SIZE];
	AUTO_ERR struct err err = { 0 };

	isolated_reopen();
	digest_of("text", digest);
	assert_ok(namespace_create(meta_namespaces(env.m), &ctx, "ns", &share, &err), &err);
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	w = open_ok(&other, "r", 4, digest);
	assert_int_equal(offset_of(w), 4);
}

/* §5.4: the ingest is done, the blob leased, and the answer says it was there. */
static void committing_what_is_there_exists_and_ends_the_ingest(void **state)
{
	struct ctx leased = { .ns = "ns", .lease = "l" };
	AUTO(content_writer_close) struct content_writer *w = open_ok(&ctx, "r", 0, NULL);
	char digest[DIGEST_TEXT_SIZE];
	AUTO_FREE char *want = NULL;
	struct content_status s = { 0 };
	AUTO_ERR struct err err = { 0 };

	digest_of("text", digest);
	add_lease(&ctx, "l", labels_of(NULL));
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	assert_ok(content_write(w, "text", 4, &err), &err);
	want = xasprintf("content %s: already exists", digest);
	assert_error(content_commit(w, &leased, 4, digest, NULL, &err), &err, ERR_EXISTS, want);
	assert_fails(content_status_get(store(), &ctx, "r", &s, &err), &err, ERR_NOT_FOUND);
	free(take_ptr(want));
	want = xasprintf("content:%s\n", digest);
	expect_resources(&ctx, "l", want);
}

static void refs_are_the_namespaces_own(void **state)
{
	AUTO(content_writer_close) struct content_writer *a = open_ok(&ctx, "r", 0, NULL);
	AUTO(content_writer_close) struct content_writer *b = open_ok(&other, "r", 0, NULL);
	AUTO_ERR struct err err = { 0 };
	struct content_status s = { 0 };

	assert_ok(content_write(a, "text", 4, &err), &err);
	assert_ok(content_status_get(store(), &ctx, "r", &s, &err), &err);
	assert_string_equal(s.ref, "r");
	assert_int_equal(s.offset, 4);
	content_status_done(&s);
	assert_ok(content_abort(store(), &other, "r", &err), &err);
	assert_ok(content_status_get(store(), &ctx, "r", &s, &err), &err);
	content_status_done(&s);
}

static void a_commit_with_bad_labels_frees_the_ref(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = open_ok(&ctx, "r", 0, NULL);
	AUTO_LABELS struct labels labels = labels_of("=x", NULL);
	AUTO_ERR struct err err = { 0 };

	assert_ok(content_write(w, "text", 4, &err), &err);
	assert_fails(content_commit(w, &ctx, 4, NULL, &labels, &err), &err, ERR_INVALID);
	content_writer_close(open_ok(&ctx, "r", 0, NULL));
}

/* §5.3: without a lease it expires in a day. */
static void an_ingest_expires_after_a_day(void **state)
{
	struct content_status s = { 0 };
	AUTO_ERR struct err err = { 0 };

	content_writer_close(open_ok(&ctx, "r", 0, NULL));
	now_ns += 24 * 3600 * NS_PER_S - 1;
	collect();
	assert_ok(content_status_get(store(), &ctx, "r", &s, &err), &err);
	content_status_done(&s);
	now_ns += 1;
	collect();
	assert_fails(content_status_get(store(), &ctx, "r", &s, &err), &err, ERR_NOT_FOUND);
}

struct racer {
	pthread_t thread;
	int id;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct ctx c = { .ns = r->id % 2 == 0 ? "ns" : "other" };
	AUTO_FREE char *ref = xasprintf("r%d", r->id);

	for (int i = 0; i < 20; i++) {
		AUTO(content_writer_close) struct content_writer *w = NULL;
		AUTO_FREE char *text = xasprintf("text %d", i);
		AUTO_ERR struct err err = { 0 };
		char digest[DIGEST_TEXT_SIZE];
		int rc;

		digest_of(text, digest);
		rc = content_writer_open(meta_content(env.m), &c, ref, 0, digest, &w, &err);
		if (rc < 0) {
			if (err.kind != ERR_EXISTS)
				abort();
			continue;
		}
		if (offset_of(w) == 0 && content_write(w, text, strlen(text), &err) < 0)
			abort();
		if (content_commit(w, &c, 0, digest, NULL, &err) < 0 && err.kind != ERR_EXISTS)
			abort();
		if (!has_blob(meta_content(env.m), &c, text))
			abort();
	}
	return NULL;
}

static void many_writers_of_one_blob_all_succeed(void **state)
{
	struct racer racers[6];

	for (int i = 0; i < 6; i++) {
		racers[i].id = i;
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < 6; i++)
		(void)pthread_join(racers[i].thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(times_and_labels_are_the_records),
		RULE(a_namespace_does_not_see_anothers_blobs),
		RULE(a_blob_of_another_namespace_is_adopted_by_digest),
		RULE(another_size_or_digest_is_uploaded),
		RULE(a_virtual_writer_turns_real_when_written),
		RULE(a_virtual_writer_starts_empty_when_truncated),
		RULE(a_virtual_commit_is_checked),
		RULE(a_shared_blob_stays_while_an_ingest_waits_for_it),
		RULE(isolated_namespaces_must_upload),
		RULE(a_shareable_namespace_gives_all_the_same),
		RULE(committing_what_is_there_exists_and_ends_the_ingest),
		RULE(refs_are_the_namespaces_own),
		RULE(a_commit_with_bad_labels_frees_the_ref),
		RULE(an_ingest_expires_after_a_day),
		RULE(many_writers_of_one_blob_all_succeed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
