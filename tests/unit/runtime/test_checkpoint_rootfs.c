/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/ctx.h"
#include "base/mem.h"
#include "content/content_mem.h"
#include "core/content.h"
#include "core/diff.h"
#include "runtime/checkpoint.h"
#include "runtime/runtime_priv.h"
#include "support/tempdir.h"
#include "unit/unit.h"

/* A differ that remembers what it was to apply. */
struct fake {
	struct differ base;
	struct content_store *content;
	char media[128], target[128], bytes[64];
	int calls;
	bool fails;
};

static int fake_apply(struct differ *self, struct ctx *ctx, const struct descriptor *layer,
		const struct mounts *mounts, const struct diff_apply_options *options,
		struct descriptor *ret_applied, struct err *err)
{
	struct fake *f = (struct fake *)self;
	AUTO(content_reader_close) struct content_reader *r = NULL;

	f->calls++;
	if (f->fails)
		return err_set(err, ERR_INVALID, "no layer");
	(void)snprintf(f->media, sizeof(f->media), "%s", layer->media_type);
	(void)snprintf(f->target, sizeof(f->target), "%s %s", mounts->items[0].type,
			mounts->items[0].source);
	assert_ok(content_open(f->content, ctx, layer->digest, &r, err), err);
	assert_int_equal(layer->size, r->size);
	assert_true(content_read_at(r, f->bytes, sizeof(f->bytes) - 1, 0, err) >= 0);
	*ret_applied = (struct descriptor){ 0 };
	return 0;
}

static const struct differ_ops ops = { .apply = fake_apply };

struct fixture {
	struct tempdir dir;
	struct runtime rt;
	struct fake differ;
	struct ctx ctx;
	struct checkpoint_place place;
	char *images;
};

static void make(struct fixture *f)
{
	*f = (struct fixture){ .ctx = { .ns = "ns" } };
	tempdir_make(&f->dir);
	assert_int_equal(mkdirat(f->dir.fd, "images", 0755), 0);
	f->images = xasprintf("%s/images", f->dir.path);
	f->rt.content = f->differ.content = content_mem_new();
	f->rt.differ = &f->differ.base;
	f->differ.base.ops = &ops;
	f->place = (struct checkpoint_place){ &f->rt, &f->ctx, "ns", "c1" };
}

static int count_one(void *arg, const struct content_info *i, struct err *err)
{
	(*(int *)arg)++;
	return 0;
}

static void end(struct fixture *f)
{
	AUTO_ERR struct err err = { 0 };
	int count = 0;

	/* Nothing refers to it: it must not stay. */
	assert_ok(content_list(f->rt.content, &f->ctx, NULL, count_one, &count, &err), &err);
	assert_int_equal(count, 0);
	content_mem_free(f->rt.content);
	free(f->images);
	tempdir_remove(&f->dir);
}

static void what_lies_beside_the_images_goes_into_the_root(void **state)
{
	static const struct {
		const char *bytes, *media;
	} rows[] = { { "plain", "application/vnd.oci.image.layer.v1.tar" },
		{ "\x1f\x8b..", "application/vnd.oci.image.layer.v1.tar+gzip" },
		{ "\x28\xb5\x2f\xfd..", "application/vnd.oci.image.layer.v1.tar+zstd" },
		{ "", "application/vnd.oci.image.layer.v1.tar" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		AUTO_ERR struct err err = { 0 };

		make(&f);
		put_file(f.dir.fd, "rootfs-diff.tar", rows[i].bytes);
		assert_ok(checkpoint_restore_rootfs(&f.place, f.images, "/bundle/rootfs", &err),
				&err);
		assert_int_equal(f.differ.calls, 1);
		assert_string_equal(f.differ.media, rows[i].media);
		assert_string_equal(f.differ.target, "bind /bundle/rootfs");
		assert_string_equal(f.differ.bytes, rows[i].bytes);
		end(&f);
	}
}

static void without_it_nothing_is_done(void **state)
{
	struct fixture f;
	AUTO_ERR struct err err = { 0 };

	make(&f);
	assert_ok(checkpoint_restore_rootfs(&f.place, f.images, "/bundle/rootfs", &err), &err);
	assert_int_equal(f.differ.calls, 0);
	end(&f);
}

static void what_is_no_file_or_no_layer_fails(void **state)
{
	struct fixture f;
	AUTO_ERR struct err err = { 0 };

	make(&f);
	assert_int_equal(mkdirat(f.dir.fd, "rootfs-diff.tar", 0755), 0);
	assert_fails(checkpoint_restore_rootfs(&f.place, f.images, "/r", &err), &err,
			ERR_INVALID);
	err_clear(&err);
	end(&f);
	make(&f);
	put_file(f.dir.fd, "rootfs-diff.tar", "x");
	f.differ.fails = true;
	assert_int_equal(checkpoint_restore_rootfs(&f.place, f.images, "/r", &err), -1);
	assert_non_null(strstr(err_text(&err), "unpacking of rootfs-diff archive "));
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_lies_beside_the_images_goes_into_the_root),
		TEST(without_it_nothing_is_done),
		TEST(what_is_no_file_or_no_layer_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
