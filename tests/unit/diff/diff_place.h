/* SPDX-License-Identifier: Apache-2.0 */
/* A differ on a content store of its own, in a private directory. */
#pragma once

#include "unit/unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/ctx.h"
#include "base/str.h"
#include "content/content_local.h"
#include "core/content.h"
#include "core/diff.h"
#include "diff/diff_walking.h"
#include "oci/media.h"
#include "support/pack.h"
#include "support/tarball.h"
#include "support/tempdir.h"

struct diff_place {
	struct tempdir dir;
	struct content_store *content;
	struct differ *differ;
	struct diff_walking_options options;
	struct mounts mounts;
	struct descriptor result;
	struct buf tar;
	struct ctx ctx;
	struct err err;
	char *temp_root;
};

static inline int diff_place_set_up(void **state)
{
	struct diff_place *p = xzalloc(sizeof(*p));
	AUTO_FREE char *content = NULL;
	struct content_local_options options = { 0 };

	tempdir_make(&p->dir);
	content = xasprintf("%s/content", p->dir.path);
	options.root = content;
	assert_ok(content_local_new(&options, &p->content, &p->err), &p->err);
	p->temp_root = xasprintf("%s/tmp", p->dir.path);
	p->options = (struct diff_walking_options){ .content = p->content,
		.temp_root = p->temp_root,
		.helper = getenv("CTRD_LAYER_HELPER") };
	p->differ = diff_walking_new(&p->options);
	p->tar.limit = SIZE_MAX;
	p->ctx.what = "test";
	assert_int_equal(mkdirat(p->dir.fd, "root", 0755), 0);
	assert_int_equal(mkdirat(p->dir.fd, "tmp", 0700), 0);
	*state = p;
	return 0;
}

static inline int diff_place_tear_down(void **state)
{
	struct diff_place *p = *state;

	differ_free(p->differ);
	content_local_free(p->content);
	mounts_done(&p->mounts);
	descriptor_done(&p->result);
	buf_done(&p->tar);
	err_clear(&p->err);
	tempdir_remove(&p->dir);
	free(p->temp_root);
	free(p);
	return 0;
}

/* With other options than before. */
static inline void diff_place_renew(struct diff_place *p)
{
	differ_free(p->differ);
	p->differ = diff_walking_new(&p->options);
}

static inline void diff_place_add_mount(
		struct diff_place *p, const char *type, const char *dir, const char *target)
{
	AUTO_FREE char *path = xasprintf("%s/%s", p->dir.path, dir);

	mounts_add(&p->mounts, type, path, target);
}

static inline void diff_place_add_option(struct diff_place *p, const char *key, const char *dir)
{
	strv_addf(&p->mounts.items[p->mounts.count - 1].options, "%s%s/%s", key, p->dir.path,
			dir);
}

/* Stores bytes and returns what names them; its texts live until the next call. */
static inline struct descriptor diff_place_store(
		struct diff_place *p, const char *media_type, const void *data, size_t size)
{
	static char digest[DIGEST_TEXT_SIZE];
	struct content_writer *w = NULL;

	digest_bytes(DIGEST_SHA256, data, size, digest);
	if (content_writer_open(p->content, &p->ctx, "test", 0, digest, &w, &p->err) == 0) {
		assert_ok(content_write(w, data, size, &p->err), &p->err);
		assert_ok(content_commit(w, &p->ctx, 0, NULL, NULL, &p->err), &p->err);
		content_writer_close(w);
	}
	err_clear(&p->err);
	return (struct descriptor){ .media_type = (char *)(uintptr_t)media_type,
		.digest = digest,
		.size = (int64_t)size };
}

static inline int diff_place_apply(struct diff_place *p, const struct descriptor *layer)
{
	struct diff_apply_options options = { 0 };

	descriptor_done(&p->result);
	return diff_apply(p->differ, &p->ctx, layer, &p->mounts, &options, &p->result, &p->err);
}

static inline void diff_place_holds(struct diff_place *p, const char *name, const char *want)
{
	AUTO_FREE char *text = get_file(p->dir.fd, name);

	if (text == NULL)
		fail_msg("%s is missing", name);
	assert_string_equal(text, want);
}

#define AT_DIFF_PLACE(name)                                                                    \
	cmocka_unit_test_setup_teardown(name, diff_place_set_up, diff_place_tear_down)
