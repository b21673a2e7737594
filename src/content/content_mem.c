/* SPDX-License-Identifier: Apache-2.0 */
#include "content/content_mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"
#include "content/content_priv.h"
#include "core/filter.h"

/* Tests put small things in; this keeps a broken one from eating the machine. */
#define MAX_BLOB (256u << 20)

/* Bytes that readers keep after the store has dropped them. */
struct blob {
	atomic_int refs;
	struct buf data;
	struct content_info info;
};

/* What an ingest has so far. Removed from the store by abort, its writer still holds it. */
struct draft {
	atomic_int refs;
	struct content_status status;
	struct buf data;
	bool aborted;
};

struct content_mem {
	struct content_store base;
	struct ref_locks locks;
	struct mutex lock;
	struct map blobs;  /* digest to struct blob */
	struct map drafts; /* ref to struct draft */
};

struct mem_writer {
	struct content_writer base;
	struct content_mem *store;
	struct draft *draft;
	bool ended;
};

struct mem_reader {
	struct content_reader base;
	struct blob *blob;
};

static struct content_mem *mem_of(struct content_store *self)
{
	return container_of(self, struct content_mem, base);
}

static void blob_unref(void *value)
{
	struct blob *b = value;

	if (b == NULL || atomic_fetch_sub(&b->refs, 1) > 1)
		return;
	buf_done(&b->data);
	content_info_done(&b->info);
	free(b);
}

static void draft_unref(void *value)
{
	struct draft *d = value;

	if (d == NULL || atomic_fetch_sub(&d->refs, 1) > 1)
		return;
	buf_done(&d->data);
	content_status_done(&d->status);
	free(d);
}

static struct draft *draft_new(const char *ref, int64_t total)
{
	struct draft *d = xzalloc(sizeof(*d));

	atomic_init(&d->refs, 1);
	d->data.limit = MAX_BLOB;
	d->status.ref = xstrdup(ref);
	d->status.total = total;
	d->status.started_ns = d->status.updated_ns = clock_wall_ns();
	return d;
}

static void copy_info(struct content_info *to, const struct content_info *from)
{
	*to = *from;
	to->labels = (struct labels){ 0 };
	labels_copy(&to->labels, &from->labels);
}

static void copy_status(struct content_status *to, const struct content_status *from)
{
	*to = *from;
	to->ref = xstrdup(from->ref);
}

static int mem_info(struct content_store *self, struct ctx *ctx, const char *digest,
		struct content_info *ret_info, struct err *err)
{
	struct content_mem *s = mem_of(self);
	struct blob *b;

	LOCKED(&s->lock);
	b = map_find(&s->blobs, digest);
	if (b == NULL)
		return err_set(err, ERR_NOT_FOUND, "content %s", digest);
	copy_info(ret_info, &b->info);
	return 0;
}

static int show_blob(struct content_mem *s, const char *digest, struct filter *filter,
		content_info_each each, void *arg, struct err *err)
{
	struct content_info info = { 0 };
	int rc = 0;

	mutex_lock(&s->lock);
	struct blob *b = map_find(&s->blobs, digest);
	if (b != NULL)
		copy_info(&info, &b->info);
	mutex_unlock(&s->lock);
	if (info.digest[0] == '\0')
		return 0;
	if (filter_match(filter, content_info_field, &info, err))
		rc = each(arg, &info, err);
	else if (err->kind != ERR_NONE)
		rc = -1;
	content_info_done(&info);
	return rc;
}

static char **sorted_keys(struct content_mem *s, const struct map *m)
{
	LOCKED(&s->lock);
	return map_sorted_keys(m);
}

static int mem_list(struct content_store *self, struct ctx *ctx, char *const *filters,
		content_info_each each, void *arg, struct err *err)
{
	struct content_mem *s = mem_of(self);
	AUTO(filter_free) struct filter *filter = NULL;
	AUTO_STRV char **keys = NULL;

	if (filter_parse(filters, &filter, err) < 0)
		return -1;
	keys = sorted_keys(s, &s->blobs);
	for (size_t i = 0; keys[i] != NULL; i++)
		if (show_blob(s, keys[i], filter, each, arg, err) < 0)
			return -1;
	return 0;
}

static int mem_remove(struct content_store *self, struct ctx *ctx, const char *digest,
		struct err *err)
{
	struct content_mem *s = mem_of(self);

	LOCKED(&s->lock);
	blob_unref(map_remove(&s->blobs, digest));
	return 0;
}

static ssize_t reader_read_at(struct content_reader *self, void *data, size_t size,
		int64_t offset, struct err *err)
{
	struct mem_reader *r = container_of(self, struct mem_reader, base);
	size_t have = r->blob->data.size;

	if (offset < 0)
		return err_set(err, ERR_OUT_OF_RANGE, "read at %lld", (long long)offset);
	if ((uint64_t)offset >= have)
		return 0;
	if (size > have - (size_t)offset)
		size = have - (size_t)offset;
	memcpy(data, r->blob->data.data + offset, size);
	return (ssize_t)size;
}

static void reader_close(struct content_reader *self)
{
	struct mem_reader *r = container_of(self, struct mem_reader, base);

	blob_unref(r->blob);
	free(r);
}

static const struct content_reader_ops reader_ops = {
	.read_at = reader_read_at,
	.close = reader_close,
};

static int mem_open(struct content_store *self, struct ctx *ctx, const char *digest,
		struct content_reader **ret_reader, struct err *err)
{
	struct content_mem *s = mem_of(self);
	struct mem_reader *r;
	struct blob *b;

	LOCKED(&s->lock);
	b = map_find(&s->blobs, digest);
	if (b == NULL)
		return err_set(err, ERR_NOT_FOUND, "content %s", digest);
	atomic_fetch_add(&b->refs, 1);
	r = xzalloc(sizeof(*r));
	r->base = (struct content_reader){ &reader_ops, (int64_t)b->data.size, -1 };
	r->blob = b;
	*ret_reader = &r->base;
	return 0;
}

static int mem_status(struct content_store *self, struct ctx *ctx, const char *ref,
		struct content_status *ret_status, struct err *err)
{
	struct content_mem *s = mem_of(self);
	struct draft *d;

	LOCKED(&s->lock);
	d = map_find(&s->drafts, ref);
	if (d == NULL)
		return err_set(err, ERR_NOT_FOUND, "ingest %s", ref);
	copy_status(ret_status, &d->status);
	return 0;
}

static bool status_field(void *object, char *const *path, size_t n, const char **ret_value)
{
	const struct content_status *s = object;

	if (n != 1 || !str_eq(path[0], "ref"))
		return false;
	*ret_value = s->ref;
	return true;
}

static int show_status(struct content_mem *s, const char *ref, struct filter *filter,
		content_status_each each, void *arg, struct err *err)
{
	struct content_status status = { 0 };
	AUTO_ERR struct err gone = { 0 };
	int rc = 0;

	if (mem_status(&s->base, NULL, ref, &status, &gone) < 0)
		return 0;
	if (filter_match(filter, status_field, &status, err))
		rc = each(arg, &status, err);
	else if (err->kind != ERR_NONE)
		rc = -1;
	content_status_done(&status);
	return rc;
}

static int mem_statuses(struct content_store *self, struct ctx *ctx, char *const *filters,
		content_status_each each, void *arg, struct err *err)
{
	struct content_mem *s = mem_of(self);
	AUTO(filter_free) struct filter *filter = NULL;
	AUTO_STRV char **refs = NULL;

	if (filter_parse(filters, &filter, err) < 0)
		return -1;
	refs = sorted_keys(s, &s->drafts);
	for (size_t i = 0; refs[i] != NULL; i++)
		if (show_status(s, refs[i], filter, each, arg, err) < 0)
			return -1;
	return 0;
}

static int mem_abort(
		struct content_store *self, struct ctx *ctx, const char *ref, struct err *err)
{
	struct content_mem *s = mem_of(self);
	struct draft *d;

	LOCKED(&s->lock);
	d = map_remove(&s->drafts, ref);
	if (d != NULL)
		d->aborted = true;
	draft_unref(d);
	return 0;
}

static struct mem_writer *writer_of(struct content_writer *self)
{
	return container_of(self, struct mem_writer, base);
}

static int check_open(const struct mem_writer *w, struct err *err)
{
	if (w->ended)
		return err_set(err, ERR_PRECONDITION, "ingest %s: writer is closed",
				w->draft->status.ref);
	return 0;
}

static int writer_write(
		struct content_writer *self, const void *data, size_t size, struct err *err)
{
	struct mem_writer *w = writer_of(self);
	struct draft *d = w->draft;

	if (check_open(w, err) < 0)
		return -1;
	LOCKED(&w->store->lock);
	if (size > d->data.limit - d->data.size)
		return err_set(err, ERR_EXHAUSTED, "write ingest %s", d->status.ref);
	buf_add(&d->data, data, size);
	d->status.offset = (int64_t)d->data.size;
	d->status.updated_ns = clock_wall_ns();
	return 0;
}

static int writer_truncate(struct content_writer *self, struct err *err)
{
	struct mem_writer *w = writer_of(self);

	if (check_open(w, err) < 0)
		return -1;
	LOCKED(&w->store->lock);
	buf_clear(&w->draft->data);
	w->draft->status.offset = 0;
	w->draft->status.updated_ns = clock_wall_ns();
	return 0;
}

static int writer_status(struct content_writer *self, struct content_status *ret_status,
		char digest[DIGEST_TEXT_SIZE], struct err *err)
{
	struct mem_writer *w = writer_of(self);

	LOCKED(&w->store->lock);
	copy_status(ret_status, &w->draft->status);
	digest_bytes(DIGEST_SHA256, w->draft->data.data, w->draft->data.size, digest);
	return 0;
}

static int check_commit(const struct draft *d, int64_t size, const char *expected,
		char digest[DIGEST_TEXT_SIZE], struct err *err)
{
	enum digest_alg alg = DIGEST_SHA256;

	if (size > 0 && d->status.offset != size)
		return err_set(err, ERR_PRECONDITION,
				"unexpected commit size %lld, expected %lld",
				(long long)d->status.offset, (long long)size);
	if (!str_is_empty(expected) && digest_check(expected, &alg, err) < 0)
		return -1;
	digest_bytes(alg, d->data.data, d->data.size, digest);
	if (!str_is_empty(expected) && !str_eq(digest, expected))
		return err_set(err, ERR_PRECONDITION,
				"unexpected commit digest %s, expected %s", digest, expected);
	return 0;
}

static void publish(struct content_mem *s, struct draft *d, const char *digest)
{
	struct blob *b = xzalloc(sizeof(*b));

	atomic_init(&b->refs, 1);
	b->data.limit = MAX_BLOB;
	buf_add(&b->data, d->data.data, d->data.size);
	memcpy(b->info.digest, digest, strlen(digest) + 1);
	b->info.size = d->status.offset;
	b->info.created_ns = b->info.updated_ns = clock_wall_ns();
	(void)map_put(&s->blobs, digest, b);
}

static int commit_draft(
		struct mem_writer *w, int64_t size, const char *expected, struct err *err)
{
	struct content_mem *s = w->store;
	char digest[DIGEST_TEXT_SIZE];
	bool exists;

	LOCKED(&s->lock);
	if (w->draft->aborted)
		return err_set(err, ERR_NOT_FOUND, "ingest %s", w->draft->status.ref);
	if (check_commit(w->draft, size, expected, digest, err) < 0)
		return -1;
	exists = map_find(&s->blobs, digest) != NULL;
	if (!exists)
		publish(s, w->draft, digest);
	draft_unref(map_remove(&s->drafts, w->draft->status.ref));
	return exists ? err_set(err, ERR_EXISTS, "content %s", digest) : 0;
}

static int writer_commit(struct content_writer *self, struct ctx *ctx, int64_t size,
		const char *expected, const struct labels *labels, struct err *err)
{
	struct mem_writer *w = writer_of(self);
	int rc;

	if (check_open(w, err) < 0)
		return -1;
	rc = commit_draft(w, size, expected, err);
	w->ended = true;
	ref_unlock(&w->store->locks, w->draft->status.ref);
	return rc;
}

static void writer_close(struct content_writer *self)
{
	struct mem_writer *w = writer_of(self);

	if (!w->ended)
		ref_unlock(&w->store->locks, w->draft->status.ref);
	draft_unref(w->draft);
	free(w);
}

static const struct content_writer_ops writer_ops = {
	.write = writer_write,
	.truncate = writer_truncate,
	.status = writer_status,
	.commit = writer_commit,
	.close = writer_close,
};

/* The draft of the ref, made anew if it is for another total. A reference for the caller. */
static struct draft *take_draft(struct content_mem *s, const char *ref, int64_t total)
{
	struct draft *d = map_find(&s->drafts, ref);

	if (d != NULL && total > 0 && d->status.total > 0 && d->status.total != total) {
		draft_unref(map_remove(&s->drafts, ref));
		d = NULL;
	}
	if (d == NULL) {
		d = draft_new(ref, total);
		(void)map_put(&s->drafts, ref, d);
	}
	if (d->status.total == 0)
		d->status.total = total;
	atomic_fetch_add(&d->refs, 1);
	return d;
}

static struct content_writer *writer_new(struct content_mem *s, const char *ref, int64_t total)
{
	struct mem_writer *w = xzalloc(sizeof(*w));

	LOCKED(&s->lock);
	w->base.ops = &writer_ops;
	w->store = s;
	w->draft = take_draft(s, ref, total > 0 ? total : 0);
	return &w->base;
}

static bool has_blob(struct content_mem *s, const char *digest)
{
	LOCKED(&s->lock);
	return map_find(&s->blobs, digest) != NULL;
}

static int mem_writer_open(struct content_store *self, struct ctx *ctx, const char *ref,
		int64_t total, const char *expected, struct content_writer **ret_writer,
		struct err *err)
{
	struct content_mem *s = mem_of(self);

	if (ref_lock(&s->locks, ctx, ref, err) < 0)
		return -1;
	if (!str_is_empty(expected) && has_blob(s, expected)) {
		ref_unlock(&s->locks, ref);
		return err_set(err, ERR_EXISTS, "content %s", expected);
	}
	*ret_writer = writer_new(s, ref, total);
	return 0;
}

static const struct content_store_ops mem_ops = {
	.info = mem_info,
	.update = content_refuse_update,
	.list = mem_list,
	.remove = mem_remove,
	.open = mem_open,
	.status = mem_status,
	.statuses = mem_statuses,
	.abort = mem_abort,
	.writer = mem_writer_open,
};

struct content_store *content_mem_new(void)
{
	return content_mem_new_waiting(0);
}

struct content_store *content_mem_new_waiting(int64_t lock_wait_ns)
{
	struct content_mem *s = xzalloc(sizeof(*s));

	s->base.ops = &mem_ops;
	ref_locks_init(&s->locks, lock_wait_ns);
	mutex_init(&s->lock, RANK_content_ingests);
	map_init(&s->blobs);
	map_init(&s->drafts);
	return &s->base;
}

void content_mem_free(struct content_store *store)
{
	struct content_mem *s;

	if (store == NULL)
		return;
	s = mem_of(store);
	map_done(&s->blobs, blob_unref);
	map_done(&s->drafts, draft_unref);
	mutex_done(&s->lock);
	ref_locks_done(&s->locks);
	free(s);
}
