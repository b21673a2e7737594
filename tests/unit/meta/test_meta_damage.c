/* SPDX-License-Identifier: Apache-2.0 */
/* Records that do not decode, and files that are not ours. */
#include "meta_env.h"

#include "kv/kv.h"

struct raw {
	const char *key;
	size_t size;
};

static int put_garbage(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct raw *r = arg;

	return kv_put(txn, (struct kv_bytes){ r->key, r->size },
			(struct kv_bytes){ "\1\1\377\377garbage", 11 }, err);
}

static void damage(const char *key, size_t size)
{
	struct raw r = { key, size };
	AUTO_ERR struct err err = { 0 };

	assert_ok(kv_update(meta_kv(env.m), put_garbage, &r, &err), &err);
}
#define DAMAGE(key) damage(key, sizeof(key) - 1)

static int count_image(void *arg, const struct image *i, struct err *err)
{
	(*(int *)arg)++;
	return 0;
}

static void a_damaged_image_is_named_left_out_and_removable(void **state)
{
	AUTO(image_free) struct image *i = NULL;
	AUTO_ERR struct err err = { 0 };
	int n = 0;

	add_image_in(&ctx, "good", "x", labels_of(NULL));
	DAMAGE("ins\0bad");
	assert_error(image_get(meta_images(env.m), &ctx, "bad", &i, &err), &err, ERR_DATA_LOSS,
			"image bad: stored record is damaged: data loss");
	assert_ok(image_list(meta_images(env.m), &ctx, NULL, count_image, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_ok(image_remove(meta_images(env.m), &ctx, "bad", NULL, true, &err), &err);
	assert_fails(image_get(meta_images(env.m), &ctx, "bad", &i, &err), &err, ERR_NOT_FOUND);
}

/* Nobody knows what it refers to. */
static void a_collection_removes_nothing_over_a_damaged_record(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct gc_stats stats;

	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	DAMAGE("ins\0bad");
	assert_error(gc_collect(meta_collector(env.m), &stats, &err), &err, ERR_DATA_LOSS,
			"image bad: stored record is damaged: data loss");
	assert_true(has_blob(meta_content(env.m), &ctx, "text"));
	assert_ok(image_remove(meta_images(env.m), &ctx, "bad", NULL, true, &err), &err);
	assert_false(has_blob(meta_content(env.m), &ctx, "text"));
}

static void the_others_are_named_too(void **state)
{
	AUTO(container_free) struct container *c = NULL;
	struct content_info info = { 0 };
	struct content_status status = { 0 };
	struct snapshot_info snapshot = { 0 };
	struct labels labels = { 0 };
	char digest[DIGEST_TEXT_SIZE];
	AUTO_ERR struct err err = { 0 };

	digest_of("x", digest);
	DAMAGE("cns\0bad");
	DAMAGE("sns\0mem\0bad");
	DAMAGE("gns\0bad");
	DAMAGE("nbad");
	assert_fails(container_get(meta_containers(env.m), &ctx, "bad", &c, &err), &err,
			ERR_DATA_LOSS);
	assert_fails(snapshot_stat(meta_snapshotter(env.m, "mem"), &ctx, "bad", &snapshot,
				     &err),
			&err, ERR_DATA_LOSS);
	assert_fails(content_status_get(meta_content(env.m), &ctx, "bad", &status, &err), &err,
			ERR_DATA_LOSS);
	assert_fails(namespace_labels(meta_namespaces(env.m), &ctx, "bad", &labels, &err), &err,
			ERR_DATA_LOSS);
	assert_fails(content_info(meta_content(env.m), &ctx, digest, &info, &err), &err,
			ERR_NOT_FOUND);
	assert_ok(container_remove(meta_containers(env.m), &ctx, "bad", &err), &err);
}

static void odd_keys_are_passed_over(void **state)
{
	AUTO_ERR struct err err = { 0 };
	int n = 0;

	DAMAGE("i");
	DAMAGE("ins");
	DAMAGE("r\0\0");
	DAMAGE("jns");
	DAMAGE("\377");
	assert_ok(image_list(meta_images(env.m), &ctx, NULL, count_image, &n, &err), &err);
	assert_int_equal(n, 0);
	collect();
	env_reopen();
}

static void the_originals_file_is_not_ours(void **state)
{
	static const char bolt[8192] = { [16] = (char)0xed, (char)0xda, 0x0c, (char)0xed };
	AUTO_FREE char *path = xasprintf("%s/meta.db", env.dir.path);
	AUTO_ERR struct err err = { 0 };
	struct meta *m = NULL;
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, bolt, sizeof(bolt)), sizeof(bolt));
	assert_int_equal(meta_open(path, &env.options, &m, &err), -1);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	assert_non_null(strstr(err_text(&err), "not a metadata file of this program"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(a_damaged_image_is_named_left_out_and_removable),
		RULE(a_collection_removes_nothing_over_a_damaged_record),
		RULE(the_others_are_named_too),
		RULE(odd_keys_are_passed_over),
		RULE(the_originals_file_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
