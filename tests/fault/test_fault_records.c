/* SPDX-License-Identifier: Apache-2.0 */
/* Records of every kind, in two namespaces that share a blob, and its repair, under faults. */
#include "fault/fault_run.h"

#include "base/ctx.h"
#include "base/digest.h"
#include "base/labels.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "content/content_local.h"
#include "core/container.h"
#include "core/content.h"
#include "core/finding.h"
#include "core/gc.h"
#include "core/image.h"
#include "core/lease.h"
#include "core/namespace.h"
#include "core/sandbox.h"
#include "meta/meta.h"

static struct ctx here = { .ns = "here" }, there = { .ns = "there" };

static const char text[] = "what both namespaces have, in a few words";

/* Objects are there; numbers are what their label "n" was set to last. */
struct told {
	bool blob, shared, lease, leased, container, image, sandbox, space;
	uint32_t blob_n, container_n, image_n, space_n;
	bool tmp_is_gone, was_repaired;
};

struct stores {
	struct content_store *content;
	struct meta *meta;
};

static void close_stores(void *store)
{
	struct stores *s = store;

	meta_close(s->meta);
	content_local_free(s->content);
	free(s);
}

static int open_stores(const char *root, void **ret_store, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/content", root);
	AUTO_FREE char *file = xasprintf("%s/meta.mdb", root);
	struct content_local_options options = { path, 0 };
	struct meta_options meta = { 0 };
	struct stores *s = xzalloc(sizeof(*s));

	log_setup(STDERR_FILENO, LOG_ERROR,
			false); /* half-written ingests go, again and again */
	if (content_local_new(&options, &s->content, err) < 0 ||
			content_local_clean(s->content, err) < 0)
		goto failed;
	meta.content = s->content;
	if (meta_open(file, &meta, &s->meta, err) < 0)
		goto failed;
	*ret_store = s;
	return 0;
failed:
	close_stores(s);
	return -1;
}

static void digest_of_text(char out[DIGEST_TEXT_SIZE])
{
	digest_bytes(DIGEST_SHA256, text, strlen(text), out);
}

/* What is there already is fine. */
static int or_exists(int rc, struct err *err)
{
	if (rc == 0 || err->kind != ERR_EXISTS)
		return rc;
	err_clear(err);
	return 0;
}

static struct labels numbered(uint32_t n)
{
	AUTO_FREE char *value = xasprintf("%u", n);
	struct labels l = { 0 };

	labels_set(&l, "n", value);
	labels_set(&l, "containerd.io/gc.root", "1");
	return l;
}

/* --- steps --- */

/* The way clients do it; in the other namespace nothing has to be sent. */
static int bring(struct stores *s, struct ctx *c, struct err *err)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	struct labels labels AUTO_LABELS = numbered(0);
	struct content_status status = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	digest_of_text(digest);
	if (content_writer_open(meta_content(s->meta), c, "ref", (int64_t)strlen(text), digest,
			    &w, err) < 0)
		return or_exists(-1, err);
	if (content_writer_status(w, &status, digest, err) < 0)
		return -1;
	if (status.offset < (int64_t)strlen(text) &&
			content_write(w, text + status.offset,
					strlen(text) - (size_t)status.offset, err) < 0) {
		content_status_done(&status);
		return -1;
	}
	content_status_done(&status);
	digest_of_text(digest);
	return or_exists(
			content_commit(w, c, (int64_t)strlen(text), digest, &labels, err), err);
}

static int relabel_blob(struct stores *s, struct told *told, struct err *err)
{
	struct content_info change = { 0 }, now = { 0 };
	int rc;

	digest_of_text(change.digest);
	change.labels = numbered(told->blob_n + 1);
	rc = content_update(meta_content(s->meta), &here, &change, NULL, &now, err);
	content_info_done(&change);
	content_info_done(&now);
	told->blob_n += rc == 0;
	return rc;
}

static int repair(struct stores *s, struct told *told, struct err *err)
{
	char digest[DIGEST_TEXT_SIZE];
	size_t count;

	digest_of_text(digest);
	told->was_repaired = false;
	if (meta_mark_damaged(s->meta, digest, "test", &count, err) < 0 ||
			bring(s, &there, err) < 0)
		return -1;
	told->was_repaired = true;
	return 0;
}

static int make_lease(struct stores *s, struct told *told, struct err *err)
{
	const struct labels none = { 0 };
	struct lease lease = { 0 };
	char digest[DIGEST_TEXT_SIZE];
	int rc = lease_create(meta_leases(s->meta), &here, "lease", &none, &lease, err);

	lease_done(&lease);
	if (or_exists(rc, err) < 0)
		return -1;
	told->lease = true;
	digest_of_text(digest);
	if (lease_add_resource(meta_leases(s->meta), &here, "lease", "content", digest, err) <
			0)
		return -1;
	told->leased = true;
	return 0;
}

static int make_container(struct stores *s, const char *id, struct err *err)
{
	AUTO(container_free) struct container *c = container_new(id), *made = NULL;

	c->runtime_name = xstrdup("runtime");
	any_set(&c->spec, "spec", "{}", 2);
	return or_exists(container_create(meta_containers(s->meta), &here, c, &made, err), err);
}

static int relabel_container(struct stores *s, struct told *told, struct err *err)
{
	AUTO(container_free) struct container *c = container_new("kept"), *now = NULL;
	char *const paths[] = { (char[]){ "labels" }, NULL };

	c->labels = numbered(told->container_n + 1);
	if (container_update(meta_containers(s->meta), &here, c, paths, &now, err) < 0)
		return -1;
	told->container_n++;
	return 0;
}

static int tell_containers(struct stores *s, struct told *told, struct err *err)
{
	if (make_container(s, "kept", err) < 0)
		return -1;
	told->container = true;
	told->tmp_is_gone = false;
	if (relabel_container(s, told, err) < 0 || make_container(s, "tmp", err) < 0 ||
			container_remove(meta_containers(s->meta), &here, "tmp", err) < 0)
		return -1;
	told->tmp_is_gone = true;
	return 0;
}

static int tell_images(struct stores *s, struct told *told, struct err *err)
{
	AUTO(image_free) struct image *i = image_new("image"), *made = NULL, *now = NULL;
	char *const paths[] = { (char[]){ "labels" }, NULL };

	i->target.media_type = xstrdup("type");
	i->target.digest = xmalloc(DIGEST_TEXT_SIZE);
	digest_of_text(i->target.digest);
	i->target.size = (int64_t)strlen(text);
	if (or_exists(image_create(meta_images(s->meta), &here, i, 0, &made, err), err) < 0)
		return -1;
	told->image = true;
	i->labels = numbered(told->image_n + 1);
	if (image_update(meta_images(s->meta), &here, i, paths, 0, &now, err) < 0)
		return -1;
	told->image_n++;
	return 0;
}

static int tell_others(struct stores *s, struct told *told, struct err *err)
{
	AUTO(sandbox_free) struct sandbox *b = sandbox_new("sandbox"), *made = NULL;
	struct labels labels AUTO_LABELS = numbered(told->space_n + 1);
	const struct labels none = { 0 };

	b->runtime_name = xstrdup("runtime");
	if (or_exists(sandbox_create(meta_sandboxes(s->meta), &here, b, &made, err), err) < 0)
		return -1;
	told->sandbox = true;
	if (or_exists(namespace_create(meta_namespaces(s->meta), &here, "space", &none, err),
			    err) < 0)
		return -1;
	told->space = true;
	if (namespace_update(meta_namespaces(s->meta), &here, "space", &labels, NULL, err) < 0)
		return -1;
	told->space_n++;
	return 0;
}

static int tell(void *store, void *arg, struct err *err)
{
	struct gc_stats stats;
	struct stores *s = store;
	struct told *told = arg;

	if (bring(s, &here, err) < 0)
		return -1;
	told->blob = true;
	if (bring(s, &there, err) < 0)
		return -1;
	told->shared = true;
	if (relabel_blob(s, told, err) < 0 || repair(s, told, err) < 0 ||
			make_lease(s, told, err) < 0 || tell_containers(s, told, err) < 0 ||
			tell_images(s, told, err) < 0 || tell_others(s, told, err) < 0)
		return -1;
	return gc_collect(meta_collector(s->meta), &stats, err);
}

/* --- what must hold --- */

/* The label is what was set last, or what was about to be. */
static void check_number(const struct labels *labels, uint32_t want)
{
	uint32_t n = 0;

	if (labels_find(labels, "n") != NULL)
		must(str_u32(labels_find(labels, "n"), &n));
	must(n == want || n == want + 1);
}

static void check_blob(struct stores *s, struct ctx *c, const struct told *told)
{
	AUTO(content_reader_close) struct content_reader *r = NULL;
	struct content_info i = { 0 };
	AUTO_ERR struct err err = { 0 };
	char bytes[256], digest[DIGEST_TEXT_SIZE];

	digest_of_text(digest);
	must_ok(content_info(meta_content(s->meta), c, digest, &i, &err), &err);
	must_ok(content_open(meta_content(s->meta), c, digest, &r, &err), &err);
	must(content_read_at(r, bytes, sizeof(bytes), 0, &err) == (ssize_t)strlen(text));
	must(memcmp(bytes, text, strlen(text)) == 0);
	must(!told->was_repaired || labels_find(&i.labels, CONTENT_LABEL_DAMAGED) == NULL);
	if (c == &here)
		check_number(&i.labels, told->blob_n);
	content_info_done(&i);
}

static int has_resource(void *arg, const char *type, const char *id, struct err *err)
{
	*(bool *)arg = true;
	return 0;
}

static void check_lease(struct stores *s, const struct told *told)
{
	AUTO_ERR struct err err = { 0 };
	bool has = false;

	must_ok(lease_resources(meta_leases(s->meta), &here, "lease", has_resource, &has, &err),
			&err);
	must(has || !told->leased);
}

static void check_containers(struct stores *s, const struct told *told)
{
	AUTO(container_free) struct container *c = NULL, *tmp = NULL;
	AUTO_ERR struct err err = { 0 };

	if (told->container) {
		must_ok(container_get(meta_containers(s->meta), &here, "kept", &c, &err), &err);
		must(str_eq(c->runtime_name, "runtime") && c->spec.size == 2);
		check_number(&c->labels, told->container_n);
	}
	if (told->tmp_is_gone)
		must(container_get(meta_containers(s->meta), &here, "tmp", &tmp, &err) < 0 &&
				err.kind == ERR_NOT_FOUND);
}

static void check_others(struct stores *s, const struct told *told)
{
	AUTO(image_free) struct image *i = NULL;
	AUTO(sandbox_free) struct sandbox *b = NULL;
	struct labels labels AUTO_LABELS = { 0 };
	AUTO_ERR struct err err = { 0 };

	if (told->image) {
		must_ok(image_get(meta_images(s->meta), &here, "image", &i, &err), &err);
		check_number(&i->labels, told->image_n);
	}
	if (told->sandbox)
		must_ok(sandbox_get(meta_sandboxes(s->meta), &here, "sandbox", &b, &err), &err);
	if (told->space) {
		must_ok(namespace_labels(meta_namespaces(s->meta), &here, "space", &labels,
					&err),
				&err);
		check_number(&labels, told->space_n);
	}
}

static int refuse_damage(void *arg, const struct finding *f, struct err *err)
{
	if (f->kind == FINDING_DAMAGED)
		give_up(f->why, NULL);
	return 0;
}

static void check(void *store, const void *arg)
{
	struct finding_sink sink = { refuse_damage, NULL };
	const struct told *told = arg;
	AUTO_ERR struct err err = { 0 };
	struct stores *s = store;

	must_ok(content_local_verify(s->content, &here, &sink, &err), &err);
	must_ok(meta_verify(s->meta, &here, &sink, &err), &err);
	if (told->blob)
		check_blob(s, &here, told);
	if (told->shared)
		check_blob(s, &there, told);
	if (told->lease)
		check_lease(s, told);
	check_containers(s, told);
	check_others(s, told);
}

static const struct story records_story = { open_stores, close_stores, tell, check,
	sizeof(struct told) };

STORY_TESTS(records_story)
