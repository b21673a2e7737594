/* SPDX-License-Identifier: Apache-2.0 */
/* Records without objects, records that do not decode, and how damaged blobs are written again.
 */
#include "meta_env.h"

#include "kv/kv.h"
#include "support/findings.h"

static struct findings found;

static void verify(void)
{
	AUTO_ERR struct err err = { 0 };

	findings_init(&found);
	assert_ok(meta_verify(env.m, &ctx, &found.sink, &err), &err);
}

static int put_garbage(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct kv_bytes *key = arg;

	return kv_put(txn, *key, (struct kv_bytes){ "\1\1\377\377garbage", 11 }, err);
}

static void damage(const char *key, size_t size)
{
	struct kv_bytes bytes = { key, size };
	AUTO_ERR struct err err = { 0 };

	assert_ok(kv_update(meta_kv(env.m), put_garbage, &bytes, &err), &err);
}
#define DAMAGE(key) damage(key, sizeof(key) - 1)

static void lose_bytes(const char *text)
{
	AUTO_ERR struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	digest_of(text, digest);
	assert_ok(content_remove(env.content, &ctx, digest, &err), &err);
}

static const char *mark_of(struct ctx *c, const char *text)
{
	static char value[100];
	AUTO_ERR struct err err = { 0 };
	struct content_info i = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	digest_of(text, digest);
	assert_ok(content_info(meta_content(env.m), c, digest, &i, &err), &err);
	(void)snprintf(value, sizeof(value), "%s",
			str_or(labels_find(&i.labels, CONTENT_LABEL_DAMAGED), ""));
	content_info_done(&i);
	return value;
}

static void mark(const char *text, size_t want)
{
	AUTO_ERR struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE];
	size_t count;

	digest_of(text, digest);
	assert_ok(meta_mark_damaged(env.m, digest, "test", &count, &err), &err);
	assert_int_equal(count, want);
}

/* The way clients write: the digest is told at once. 0 or the kind of the refusal. */
static enum err_kind bring(struct ctx *c, const char *text)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO_FREE char *ref = xasprintf("bring %s", text);
	AUTO_ERR struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	digest_of(text, digest);
	if (content_writer_open(meta_content(env.m), c, ref, (int64_t)strlen(text), digest, &w,
			    &err) < 0)
		return err.kind;
	assert_ok(content_write(w, text, strlen(text), &err), &err);
	if (content_commit(w, c, 0, digest, NULL, &err) < 0)
		assert_int_equal(err.kind, ERR_EXISTS); /* as far as records go */
	return ERR_NONE;
}

static void whole_things_have_nothing_to_name(void **state)
{
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	add_image_in(&ctx, "image", "text", labels_of(NULL));
	prepare_in(&ctx, "key", NULL, labels_of(NULL));
	commit_in(&ctx, "base", "key", labels_of(NULL));
	add_lease(&ctx, "lease", labels_of(NULL));
	verify();
	assert_findings(&found, "");
}

static int note_key(void *arg, const struct snapshot_info *i, struct err *err)
{
	strv_add(arg, i->name);
	return 0;
}

static void missing_objects_are_named_with_who_has_them(void **state)
{
	AUTO_STRV char **keys = NULL;
	AUTO_FREE char *want = NULL;
	AUTO_ERR struct err err = { 0 };
	char lost[DIGEST_TEXT_SIZE], never[DIGEST_TEXT_SIZE];

	assert_int_equal(add_blob_in(&ctx, "lost", labels_of(NULL)), 0);
	add_image_in(&ctx, "image", "never", labels_of(NULL));
	prepare_in(&ctx, "key", NULL, labels_of(NULL));
	lose_bytes("lost");
	assert_ok(snapshot_walk(env.snapshots, &ctx, NULL, note_key, &keys, &err), &err);
	assert_int_equal(strv_len(keys), 1);
	assert_ok(snapshot_remove(env.snapshots, &ctx, keys[0], &err), &err);
	digest_of("lost", lost);
	digest_of("never", never);
	want = xasprintf("damaged image ns/image: its content %s is missing\n"
			 "damaged blob %s: is missing; namespace ns has it\n"
			 "damaged snapshot ns/mem/key: its snapshotter does not have it\n",
			never, lost);
	verify();
	assert_findings(&found, want);
}

static void records_that_do_not_decode_are_named(void **state)
{
	DAMAGE("cns\0bad");
	DAMAGE("ins\0bad");
	DAMAGE("lns\0bad");
	DAMAGE("bns\0sha256:bad");
	DAMAGE("gns\0bad");
	DAMAGE("sns\0mem\0bad");
	DAMAGE("xns\0bad");
	verify();
	assert_findings(&found, "damaged container ns/bad: stored record is damaged\n"
				"damaged image ns/bad: stored record is damaged\n"
				"damaged lease ns/bad: stored record is damaged\n"
				"damaged content ns/sha256:bad: stored record is damaged\n"
				"damaged ingest ns/bad: stored record is damaged\n"
				"damaged snapshot ns/mem/bad: stored record is damaged\n"
				"damaged sandbox ns/bad: stored record is damaged\n");
}

static void a_good_blob_is_not_taken_again(void **state)
{
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	assert_int_equal(bring(&ctx, "text"), ERR_EXISTS);
}

static void a_marked_blob_is_taken_again_and_keeps_its_labels(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct content_info i = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	assert_int_equal(add_blob_in(&ctx, "text", labels_of("a=b", NULL)), 0);
	mark("text", 1);
	assert_string_equal(mark_of(&ctx, "text"), "test");
	assert_int_equal(bring(&ctx, "text"), ERR_NONE);
	assert_string_equal(mark_of(&ctx, "text"), "");
	assert_int_equal(bring(&ctx, "text"), ERR_EXISTS);
	digest_of("text", digest);
	assert_ok(content_info(meta_content(env.m), &ctx, digest, &i, &err), &err);
	assert_string_equal(labels_find(&i.labels, "a"), "b");
	content_info_done(&i);
}

static void new_bytes_end_the_mark_in_every_namespace(void **state)
{
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	assert_int_equal(add_blob_in(&other, "text", labels_of(NULL)), 0);
	mark("text", 2);
	assert_int_equal(bring(&other, "text"), ERR_NONE);
	assert_string_equal(mark_of(&ctx, "text"), "");
	assert_string_equal(mark_of(&other, "text"), "");
}

/* Or a third namespace would get the damaged bytes. */
static void a_marked_blob_is_not_shared(void **state)
{
	struct ctx third = { .ns = "third" };

	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	mark("text", 1);
	lose_bytes("text");
	assert_int_equal(bring(&third, "text"), ERR_NONE);
	assert_true(has_blob(env.content, &ctx, "text"));
	assert_string_equal(mark_of(&ctx, "text"), "");
}

static void a_blob_without_bytes_is_taken_again(void **state)
{
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	lose_bytes("text");
	assert_int_equal(bring(&ctx, "text"), ERR_NONE);
	assert_true(has_blob(env.content, &ctx, "text"));
	verify();
	assert_findings(&found, "");
}

static void a_blob_whose_record_is_damaged_is_taken_again(void **state)
{
	AUTO_BUF struct buf key = { .limit = 1000 };
	char digest[DIGEST_TEXT_SIZE];

	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	digest_of("text", digest);
	buf_add(&key, "bns", 4);
	buf_add_str(&key, digest);
	damage(key.data, key.size);
	assert_int_equal(bring(&ctx, "text"), ERR_NONE);
	verify();
	assert_findings(&found, "");
}

static void a_repair_under_a_lease_is_recorded_there(void **state)
{
	struct ctx leased = { .ns = "ns", .lease = "lease" };
	AUTO_FREE char *want = NULL;
	char digest[DIGEST_TEXT_SIZE];

	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	add_lease(&ctx, "lease", labels_of(NULL));
	mark("text", 1);
	assert_int_equal(bring(&leased, "text"), ERR_NONE);
	digest_of("text", digest);
	want = xasprintf("content:%s\n", digest);
	expect_resources(&ctx, "lease", want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(whole_things_have_nothing_to_name),
		RULE(missing_objects_are_named_with_who_has_them),
		RULE(records_that_do_not_decode_are_named),
		RULE(a_good_blob_is_not_taken_again),
		RULE(a_marked_blob_is_taken_again_and_keeps_its_labels),
		RULE(new_bytes_end_the_mark_in_every_namespace),
		RULE(a_marked_blob_is_not_shared),
		RULE(a_blob_without_bytes_is_taken_again),
		RULE(a_blob_whose_record_is_damaged_is_taken_again),
		RULE(a_repair_under_a_lease_is_recorded_there),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_done(&found.lines);
	return failed;
}
