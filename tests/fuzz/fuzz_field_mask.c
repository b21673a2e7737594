/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes may come as the mask of an update: either all of it is obeyed or nothing, and what
 * may not change never does.
 */
#include <stdint.h>
#include <stdlib.h>

#include "api/arena.h"
#include "api/pb.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "content/content_mem.h"
#include "core/container.h"
#include "core/image.h"
#include "meta/meta.h"
#include "support/tempdir.h"
#include "wire/wire_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tempdir dir;
static struct content_store *content;
static struct meta *meta;
static struct ctx ctx = { .ns = "fuzz", .what = "fuzz" };

static void need(bool holds)
{
	if (!holds)
		abort();
}

static struct container *make_container(const char *value)
{
	struct container *c = container_new("c");

	c->image = xstrdup(value);
	c->snapshot_key = xstrdup(value);
	c->snapshotter = xstrdup("none");
	c->runtime_name = xstrdup("runtime");
	any_set(&c->spec, "spec", value, strlen(value));
	labels_set(&c->labels, "key", value);
	labels_set(&c->labels, value, "other");
	return c;
}

static void close_store(void)
{
	meta_close(meta);
	content_mem_free(content);
	tempdir_remove(&dir);
}

static void open_store(void)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(container_free) struct container *before = make_container("before"), *made = NULL;
	AUTO_FREE char *path = NULL;
	struct meta_options options = { .no_sync = true };

	tempdir_make(&dir);
	path = xasprintf("%s/meta", dir.path);
	options.content = content = content_mem_new();
	need(meta_open(path, &options, &meta, &err) == 0);
	if (container_create(meta_containers(meta), &ctx, before, &made, &err) < 0) {
		fprintf(stderr, "%s\n", err_text(&err));
		abort();
	}
	(void)atexit(close_store);
}

static bool same_but_for_mask(const struct container *a, const struct container *b)
{
	return str_eq(a->id, b->id) && str_eq(a->runtime_name, b->runtime_name) &&
	       a->created_ns == b->created_ns && str_eq(a->snapshotter, b->snapshotter);
}

static void update(char *const *paths)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_ERR struct err ignored = { 0 };
	AUTO(container_free) struct container *before = NULL, *after = NULL, *in = NULL;
	AUTO(container_free) struct container *got = NULL, *back = NULL;
	struct container_store *s = meta_containers(meta);
	int rc;

	need(container_get(s, &ctx, "c", &before, &ignored) == 0);
	in = make_container("after");
	rc = container_update(s, &ctx, in, paths, &after, &err);
	need(container_get(s, &ctx, "c", &got, &ignored) == 0);
	need(same_but_for_mask(got, before));
	if (rc < 0) {
		need(err.kind == ERR_INVALID);
		need(str_eq(got->image, before->image) &&
				got->updated_ns == before->updated_ns);
		need(labels_equal(&got->labels, &before->labels));
		return;
	}
	need(labels_equal(&got->labels, &after->labels));
	need(container_update(s, &ctx, before, (char *[]){ NULL }, &back, &ignored) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena AUTO_ARENA = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message = NULL;

	if (meta == NULL)
		open_store();
	arena_init(&arena, 1 << 20);
	if (pb_decode(&google__protobuf__field_mask__descriptor, data, size, &arena, NULL,
			    &message, &err) < 0) {
		need(err.kind != ERR_NONE);
		return 0;
	}
	update(wire_mask_in(&arena, (const Google__Protobuf__FieldMask *)message));
	return 0;
}
