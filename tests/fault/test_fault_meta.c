/* SPDX-License-Identifier: Apache-2.0 */
/* Records of a namespace over real content and snapshots, with collections, under faults. */
#include "fault/check_mounts.h"
#include "fault/fault_run.h"

#include "base/ctx.h"
#include "base/digest.h"
#include "base/labels.h"
#include "base/mem.h"
#include "base/str.h"
#include "content/content_local.h"
#include "core/content.h"
#include "core/gc.h"
#include "core/image.h"
#include "core/snapshot.h"
#include "meta/meta.h"
#include "snapshots/overlay/snap_overlay.h"
#include "snapshots/snap_store.h"

static struct ctx ctx = { .ns = "ns" };

static const char text_kept[] = "what the image stands for", text_lost[] = "what nobody names";

struct told {
	bool blob, image, base, top; /* there, and reachable */
};

struct stores {
	struct content_store *content;
	struct snapshotter *overlay;
	struct meta *meta;
};

static void close_stores(void *store)
{
	struct stores *s = store;

	meta_close(s->meta);
	snapshotter_free(s->overlay);
	content_local_free(s->content);
	free(s);
}

static int open_overlay(const char *root, struct stores *s, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/overlay", root);
	AUTO(snap_store_free) struct snap_store *store = NULL;
	struct snap_overlay_options options = { .root = path };

	if (snap_store_kv_open(path, false, &store, err) < 0 ||
			snap_overlay_new(&options, store, &s->overlay, err) < 0)
		return -1;
	take_ptr(store);
	return 0;
}

static int open_meta(const char *root, struct stores *s, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/meta.mdb", root);
	struct meta_backend backend = { "overlayfs", s->overlay };
	struct meta_options options = {
		.content = s->content, .snapshotters = &backend, .snapshotter_count = 1
	};

	return meta_open(path, &options, &s->meta, err);
}

static int open_stores(const char *root, void **ret_store, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/content", root);
	struct content_local_options options = { path, 0 };
	struct stores *s = xzalloc(sizeof(*s));

	if (content_local_new(&options, &s->content, err) < 0 ||
			open_overlay(root, s, err) < 0 || open_meta(root, s, err) < 0) {
		close_stores(s);
		return -1;
	}
	*ret_store = s;
	return 0;
}

static int add_blob(struct stores *s, const char *text, struct err *err)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	int64_t size = (int64_t)strlen(text);
	char digest[DIGEST_TEXT_SIZE];
	int rc;

	digest_bytes(DIGEST_SHA256, text, strlen(text), digest);
	rc = content_writer_open(meta_content(s->meta), &ctx, text, size, digest, &w, err);
	if (rc == 0)
		rc = content_truncate(w, err);
	if (rc == 0)
		rc = content_write(w, text, strlen(text), err);
	if (rc == 0)
		rc = content_commit(w, &ctx, size, digest, NULL, err);
	if (rc == 0 || err->kind != ERR_EXISTS)
		return rc;
	err_clear(err);
	return 0;
}

static int add_image(struct stores *s, struct told *told, struct err *err)
{
	AUTO(image_free) struct image *i = image_new("image"), *made = NULL;
	char digest[DIGEST_TEXT_SIZE];

	if (add_blob(s, text_kept, err) < 0)
		return -1;
	digest_bytes(DIGEST_SHA256, text_kept, strlen(text_kept), digest);
	free(i->target.media_type);
	free(i->target.digest);
	i->target.media_type = xstrdup("application/octet-stream");
	i->target.digest = xstrdup(digest);
	i->target.size = (int64_t)strlen(text_kept);
	if (image_create(meta_images(s->meta), &ctx, i, 0, &made, err) < 0) {
		if (err->kind != ERR_EXISTS)
			return -1;
		err_clear(err);
	}
	told->image = told->blob = true;
	return 0;
}

static bool has_snapshot(struct stores *s, const char *key)
{
	struct snapshot_info i = { 0 };
	AUTO_ERR struct err err = { 0 };

	if (snapshot_stat(meta_snapshotter(s->meta, "overlayfs"), &ctx, key, &i, &err) < 0) {
		must(err.kind == ERR_NOT_FOUND);
		return false;
	}
	snapshot_info_done(&i);
	return true;
}

/* Kept by a label, also while it is made. */
static int add_snapshot(struct stores *s, const char *name, const char *parent, struct err *err)
{
	struct snapshotter *sn = meta_snapshotter(s->meta, "overlayfs");
	struct labels labels AUTO_LABELS = { 0 };
	struct mounts m AUTO_MOUNTS = { 0 };

	if (has_snapshot(s, name))
		return 0;
	labels_set(&labels, "containerd.io/gc.root", "1");
	if (snapshot_prepare(sn, &ctx, "extract", parent, &labels, &m, err) < 0) {
		if (err->kind != ERR_EXISTS)
			return -1;
		err_clear(err);
	}
	if (snapshot_commit(sn, &ctx, name, "extract", NULL, &labels, err) < 0) {
		if (err->kind != ERR_EXISTS)
			return -1;
		err_clear(err); /* done before, and refused after that */
	}
	return 0;
}

static int tell(void *store, void *arg, struct err *err)
{
	struct gc_stats stats;
	struct stores *s = store;
	struct told *told = arg;

	if (add_image(s, told, err) < 0 || add_blob(s, text_lost, err) < 0)
		return -1;
	if (add_snapshot(s, "base", NULL, err) < 0)
		return -1;
	told->base = true;
	if (add_snapshot(s, "top", "base", err) < 0)
		return -1;
	told->top = true;
	return gc_collect(meta_collector(s->meta), &stats, err);
}

/* --- what must hold --- */

static int check_blob(void *arg, const struct content_info *i, struct err *err)
{
	AUTO(content_reader_close) struct content_reader *r = NULL;
	char bytes[256], digest[DIGEST_TEXT_SIZE];
	struct stores *s = arg;
	ssize_t n;

	must_ok(content_open(meta_content(s->meta), &ctx, i->digest, &r, err), err);
	n = content_read_at(r, bytes, sizeof(bytes), 0, err);
	must(n == i->size);
	digest_bytes(DIGEST_SHA256, bytes, (size_t)n, digest);
	must(str_eq(digest, i->digest));
	return 0;
}

/* Its directory is there, and those of its parents. */
static int check_view(struct stores *s, const char *name, struct err *err)
{
	struct snapshotter *sn = meta_snapshotter(s->meta, "overlayfs");
	struct mounts m AUTO_MOUNTS = { 0 };

	must_ok(snapshot_view(sn, &ctx, "check", name, NULL, &m, err), err);
	check_mounts(&m);
	return snapshot_remove(sn, &ctx, "check", err);
}

static void check_image(struct stores *s)
{
	AUTO(image_free) struct image *i = NULL;
	AUTO_ERR struct err err = { 0 };
	struct content_info info = { 0 };

	must_ok(image_get(meta_images(s->meta), &ctx, "image", &i, &err), &err);
	must_ok(content_info(meta_content(s->meta), &ctx, i->target.digest, &info, &err), &err);
	content_info_done(&info);
}

static void check(void *store, const void *arg)
{
	const struct told *told = arg;
	AUTO_ERR struct err err = { 0 };
	struct stores *s = store;

	must_ok(content_list(meta_content(s->meta), &ctx, NULL, check_blob, s, &err), &err);
	if (told->image)
		check_image(s);
	must(!told->base || has_snapshot(s, "base"));
	must(!told->top || has_snapshot(s, "top"));
	if (has_snapshot(s, "base"))
		must_ok(check_view(s, "base", &err), &err);
	if (has_snapshot(s, "top"))
		must_ok(check_view(s, "top", &err), &err);
}

static const struct story meta_story = { open_stores, close_stores, tell, check,
	sizeof(struct told) };

STORY_TESTS(meta_story)
