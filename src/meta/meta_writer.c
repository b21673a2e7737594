/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writers of a namespace (reference 01 §5.3, §5.4). A writer whose blob the backend has
 * already, for another namespace, is virtual: it stands at the end at once and has no data of
 * its own until somebody writes or truncates.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event_maker.h"
#include "meta/meta_content_priv.h"

#define LABEL_SHAREABLE "containerd.io/namespace.shareable"
#define EXPIRES_AFTER	(24 * 60 * 60 * NS_PER_S)
#define COPY_BLOCK	(1 << 20)

struct meta_writer {
	struct content_writer base;
	struct meta *m;
	char *ns, *ref, *backend_ref;
	struct content_writer *real; /* NULL while virtual, and after a commit */
	bool is_over;		     /* commit was called: nothing more is accepted */
	bool is_repair;		     /* the blob is recorded, and was found damaged */
	/* What status() says while virtual and after a commit. */
	int64_t size, total, started_ns, updated_ns;
	char digest[DIGEST_TEXT_SIZE];
};

static struct meta_writer *writer_of(struct content_writer *self)
{
	return container_of(self, struct meta_writer, base);
}

static int is_over(struct err *err)
{
	return err_set(err, ERR_PRECONDITION, "writer is closed");
}

struct forget_op {
	const char *ns, *ref;
};

/* The data is the ingest's own now: it needs the shared blob no more. */
static int forget_expected(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct forget_op *op = arg;
	AUTO_INGEST struct ingest_record old = { 0 };
	struct ingest_record r;
	int rc = meta_ingest_load(txn, op->ns, op->ref, &old, err);

	if (rc <= 0 || old.expected == NULL)
		return rc < 0 ? -1 : 0;
	r = old;
	r.expected = NULL;
	return meta_ingest_store(txn, op->ns, op->ref, &old, &r, err);
}

static int copy_blob(struct meta_writer *w, struct ctx *ctx, struct content_writer *to,
		struct err *err)
{
	AUTO(content_reader_close) struct content_reader *r = NULL;
	AUTO_FREE char *block = xmalloc(COPY_BLOCK);
	ssize_t n;

	if (content_open(w->m->backend, ctx, w->digest, &r, err) < 0)
		return -1;
	for (int64_t at = 0; at < r->size; at += n) {
		n = content_read_at(r, block, COPY_BLOCK, at, err);
		if (n < 0 || content_write(to, block, (size_t)n, err) < 0)
			return -1;
		if (n == 0)
			return err_set(err, ERR_DATA_LOSS, "content %s: shorter than recorded",
					w->digest);
	}
	return 0;
}

static int make_real(struct meta_writer *w, bool with_data, struct err *err)
{
	AUTO(content_writer_close) struct content_writer *real = NULL;
	struct ctx ctx = { .ns = w->ns };
	struct forget_op op = { w->ns, w->ref };

	if (w->real != NULL)
		return 0;
	if (content_writer_open(w->m->backend, &ctx, w->backend_ref, 0, NULL, &real, err) < 0)
		return -1;
	/* There may be data of an earlier writer. */
	if (content_truncate(real, err) < 0)
		return -1;
	if (with_data && copy_blob(w, &ctx, real, err) < 0)
		return -1;
	if (meta_update(w->m, forget_expected, &op, false, err) < 0)
		return -1;
	w->real = take_ptr(real);
	return 0;
}

static int writer_write(
		struct content_writer *self, const void *data, size_t size, struct err *err)
{
	struct meta_writer *w = writer_of(self);

	if (w->is_over)
		return is_over(err);
	if (size == 0)
		return 0;
	if (make_real(w, true, err) < 0)
		return -1;
	return content_write(w->real, data, size, err);
}

static int writer_truncate(struct content_writer *self, struct err *err)
{
	struct meta_writer *w = writer_of(self);

	if (w->is_over)
		return is_over(err);
	if (w->real == NULL)
		return make_real(w, false, err);
	return content_truncate(w->real, err);
}

static int writer_status(struct content_writer *self, struct content_status *ret_status,
		char digest[DIGEST_TEXT_SIZE], struct err *err)
{
	struct meta_writer *w = writer_of(self);

	if (w->real == NULL) {
		*ret_status = (struct content_status){ xstrdup(w->ref), w->size, w->total, "",
			w->started_ns, w->updated_ns };
		memcpy(digest, w->digest, DIGEST_TEXT_SIZE);
		return 0;
	}
	if (content_writer_status(w->real, ret_status, digest, err) < 0)
		return -1;
	free(ret_status->ref);
	ret_status->ref = xstrdup(w->ref);
	return 0;
}

/* Keeps what status() is to say from now on. */
static int freeze_status(struct meta_writer *w, struct err *err)
{
	struct content_status s = { 0 };

	if (writer_status(&w->base, &s, w->digest, err) < 0)
		return -1;
	w->size = s.offset;
	w->total = s.total;
	w->started_ns = s.started_ns;
	w->updated_ns = s.updated_ns;
	content_status_done(&s);
	return 0;
}

static int check_size(
		struct meta_writer *w, int64_t size, const char *expected, struct err *err)
{
	AUTO_FREE char *quoted = str_quote(w->ref);

	if (size != 0 && size != w->size)
		return err_set(err, ERR_PRECONDITION, "%s failed size validation: %lld != %lld",
				quoted, (long long)w->size, (long long)size);
	if (w->real == NULL && !str_is_empty(expected) && !str_eq(expected, w->digest))
		return err_set(err, ERR_PRECONDITION, "%s unexpected digest", quoted);
	return 0;
}

static int check_lease(struct meta *m, const char *ns, const char *lease, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;

	if (kv_read(m->kv, &txn, err) < 0)
		return -1;
	return meta_lease_check(txn, ns, lease, err);
}

static int commit_backend(
		struct meta_writer *w, struct ctx *ctx, const char *expected, struct err *err)
{
	AUTO_ERR struct err inner = { 0 };

	if (w->real == NULL)
		return 0;
	/* A blob that another namespace brought is as good as ours. */
	if (content_commit(w->real, ctx, w->size, expected, NULL, &inner) < 0 &&
			inner.kind != ERR_EXISTS)
		return err_move(err, &inner);
	return 0;
}

struct commit_op {
	struct meta *m;
	const char *ns, *lease, *ref, *digest;
	int64_t size;
	const struct labels *labels; /* may be NULL */
	bool has_new_bytes, is_repair;
	bool existed;
};

static int put_blob(struct kv_txn *txn, struct commit_op *op, struct err *err)
{
	AUTO_BUF struct buf value = { .limit = SIZE_MAX };
	struct content_info i = { .size = op->size };
	AUTO_KEY(key);

	i.created_ns = i.updated_ns = op->m->wall_ns();
	if (op->labels != NULL)
		meta_labels_replace(&i.labels, op->labels);
	encode_blob(&value, &i);
	content_info_done(&i);
	meta_shade(op->m, NODE_CONTENT, op->ns, "", op->digest);
	return kv_put(txn, meta_key(&key, TABLE_BLOB, op->ns, op->digest, NULL),
			(struct kv_bytes){ value.data, value.size }, err);
}

/* One that cannot be read keeps nobody from having the blob: 1, 0 or -1. */
static int has_readable_record(struct kv_txn *txn, const struct commit_op *op, struct err *err)
{
	AUTO_ERR struct err unread = { 0 };
	struct content_info i = { 0 };
	int rc = meta_blob_load(txn, op->ns, op->digest, &i, &unread);

	content_info_done(&i);
	if (rc < 0 && unread.kind != ERR_DATA_LOSS)
		return err_move(err, &unread);
	return rc > 0;
}

/* What is there stays as it is, but for the mark of damage that new bytes end. */
static int record_blob(struct kv_txn *txn, struct commit_op *op, struct err *err)
{
	int there = meta_blob_exists(txn, op->ns, op->digest, err);

	op->existed = there > 0;
	if (there < 0)
		return -1;
	if (op->has_new_bytes && (op->is_repair || op->existed) &&
			meta_blob_unmark(op->m, txn, op->digest, err) < 0)
		return -1;
	if (there > 0)
		there = has_readable_record(txn, op, err);
	return there != 0 ? (there < 0 ? -1 : 0) : put_blob(txn, op, err);
}

static int commit_record(struct kv_txn *txn, void *arg, struct err *err)
{
	struct commit_op *op = arg;

	if (meta_lease_add(op->m, txn, op->ns, op->lease, "content", op->digest, err) < 0 ||
			meta_touch_namespace(txn, op->ns, err) < 0)
		return -1;
	if (meta_ingest_remove(txn, op->ns, op->ref, err) < 0 ||
			meta_lease_drop(txn, op->ns, op->lease, "ingests", op->ref, err) < 0)
		return -1;
	return record_blob(txn, op, err);
}

/* An earlier real writer of a virtual one's ref left data that nobody refers to any more. */
static void drop_stale_data(struct meta_writer *w, struct ctx *ctx)
{
	AUTO_ERR struct err ignored = { 0 };

	if (content_abort(w->m->backend, ctx, w->backend_ref, &ignored) < 0 &&
			ignored.kind != ERR_NOT_FOUND)
		meta_drop_ingest(w->m, w->backend_ref);
}

static int commit_held(struct meta_writer *w, struct ctx *ctx, const char *expected,
		const struct labels *labels, struct err *err)
{
	const char *digest = str_or(expected, w->digest);
	bool was_virtual = w->real == NULL;
	struct commit_op op = { w->m, w->ns, ctx->lease, w->ref, digest, w->size, labels,
		!was_virtual, w->is_repair, false };
	struct any payload = { 0 };

	if (commit_backend(w, ctx, expected, err) < 0)
		return -1;
	if (meta_update(w->m, commit_record, &op, false, err) < 0) {
		meta_drop_blob(w->m, digest);
		return -1;
	}
	if (was_virtual)
		drop_stale_data(w, ctx);
	if (op.existed)
		return err_set(err, ERR_EXISTS, "content %s", digest);
	if (meta_has_events(w->m)) {
		w->m->maker->content_create(digest, w->size, &payload);
		meta_publish(w->m, w->ns, "/content/create", &payload);
	}
	return 0;
}

static int commit(struct meta_writer *w, struct ctx *ctx, int64_t size, const char *expected,
		const struct labels *labels, struct err *err)
{
	AUTO_HELD struct held held = { 0 };
	char name[BLOB_HOLD_SIZE];
	int rc;

	if (labels != NULL && meta_labels_check(labels, "info.Labels", err) < 0)
		return -1;
	if (freeze_status(w, err) < 0 || check_size(w, size, expected, err) < 0 ||
			check_lease(w->m, w->ns, ctx->lease, err) < 0)
		return -1;
	/* Until the record stands, the collector must leave the blob. And while one writer
	 * brings it, which shows before it is durable, no virtual one may record it. */
	meta_blob_hold_name(str_or(expected, w->digest), name);
	if (w->real == NULL)
		rc = hold_shared(&w->m->holds, ctx, name, &held, err);
	else
		rc = hold_alone(&w->m->holds, ctx, name, &held, err);
	return rc < 0 ? -1 : commit_held(w, ctx, expected, labels, err);
}

static int writer_commit(struct content_writer *self, struct ctx *ctx, int64_t size,
		const char *expected, const struct labels *labels, struct err *err)
{
	struct meta_writer *w = writer_of(self);
	int rc;

	if (w->is_over)
		return is_over(err);
	rc = commit(w, ctx, size, expected, labels, err);
	w->is_over = true;
	/* The ref is free for others from here on. */
	content_writer_close(take_ptr(w->real));
	return rc;
}

static void writer_close(struct content_writer *self)
{
	struct meta_writer *w = writer_of(self);

	content_writer_close(w->real);
	free(w->ns);
	free(w->ref);
	free(w->backend_ref);
	free(w);
}

static const struct content_writer_ops writer_ops = {
	.write = writer_write,
	.truncate = writer_truncate,
	.status = writer_status,
	.commit = writer_commit,
	.close = writer_close,
};

/* Whether a namespace that shares has the blob: 1, 0 or -1. */
static int is_shared_by(struct kv_txn *txn, struct kv_bytes key, struct kv_bytes value,
		const char *digest, struct err *err)
{
	AUTO_LABELS struct labels labels = { 0 };
	AUTO_FREE char *ns = NULL;
	struct kv_bytes part;

	(void)meta_key_split(key, &part, 1);
	ns = meta_bytes_text(part);
	if (!decode_labels(value, &labels) ||
			!str_eq(labels_find(&labels, LABEL_SHAREABLE), "true"))
		return 0;
	return meta_blob_exists(txn, ns, digest, err);
}

static int is_shareable(struct meta *m, struct kv_txn *txn, const char *digest, struct err *err)
{
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value;
	AUTO_KEY(prefix);
	int rc;

	if (!m->isolated)
		return 1;
	if (kv_iter_new(txn, meta_key(&prefix, TABLE_NAMESPACE, NULL), (struct kv_bytes){ 0 },
			    &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0) {
		rc = is_shared_by(txn, key, value, digest, err);
		if (rc != 0)
			return rc;
	}
	return rc;
}

struct open_op {
	struct meta *m;
	const char *ns, *lease, *ref, *expected;
	uint64_t seq;
	bool is_virtual;
	bool existed;	   /* the blob is in the namespace already */
	bool is_repair;	   /* it is, or is in another, and was found damaged */
	char *backend_ref; /* owned */
};

/* It may have been collected since it was seen. */
static int lease_blob(struct kv_txn *txn, void *arg, struct err *err)
{
	struct open_op *op = arg;
	int rc = op->is_repair ? 0 : meta_blob_exists(txn, op->ns, op->expected, err);

	op->existed = rc > 0;
	if (rc <= 0)
		return rc;
	return meta_lease_add(op->m, txn, op->ns, op->lease, "content", op->expected, err);
}

static int blob_is_there(const struct open_op *op, struct err *err)
{
	return err_set(err, ERR_EXISTS, "content %s", op->expected);
}

/* What can be known without writing: 1 if the backend may be asked for the blob, 0 if not. */
static int look(struct open_op *op, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	int rc;

	if (kv_read(op->m->kv, &txn, err) < 0)
		return -1;
	if (op->expected == NULL)
		return meta_lease_check(txn, op->ns, op->lease, err);
	rc = meta_blob_is_good(txn, op->ns, op->expected, err);
	op->existed = rc > 0;
	if (rc < 0 || (!op->existed && meta_lease_check(txn, op->ns, op->lease, err) < 0))
		return -1;
	rc = op->existed ? 0 : meta_blob_is_marked(txn, op->expected, err);
	if (rc != 0) {
		op->is_repair = rc > 0;
		return rc < 0 ? -1 : 0;
	}
	return is_shareable(op->m, txn, op->expected, err);
}

/* A record whose bytes are gone is no reason to send the client away. */
static int look_again(struct open_op *op, struct ctx *ctx, struct err *err)
{
	AUTO_ERR struct err inner = { 0 };
	struct content_info i = { 0 };

	if (content_info(op->m->backend, ctx, op->expected, &i, &inner) == 0) {
		content_info_done(&i);
		return 0;
	}
	if (inner.kind != ERR_NOT_FOUND)
		return err_move(err, &inner);
	op->existed = false;
	op->is_repair = true;
	return 0;
}

static int find_shared(struct open_op *op, struct ctx *ctx, int64_t total, int64_t *ret_size,
		struct err *err)
{
	AUTO_ERR struct err inner = { 0 };
	struct content_info i = { 0 };

	if (content_info(op->m->backend, ctx, op->expected, &i, &inner) < 0)
		return inner.kind == ERR_NOT_FOUND ? 0 : err_move(err, &inner);
	*ret_size = i.size;
	op->is_virtual = total <= 0 || total == i.size;
	content_info_done(&i);
	return 0;
}

static int write_ingest(struct kv_txn *txn, void *arg, struct err *err)
{
	struct open_op *op = arg;
	AUTO_INGEST struct ingest_record old = { 0 };
	struct ingest_record r = { 0 };
	int rc;

	free(take_ptr(op->backend_ref));
	if (op->expected != NULL && lease_blob(txn, op, err) < 0)
		return -1;
	if (op->existed)
		return 0;
	rc = meta_ingest_load(txn, op->ns, op->ref, &old, err);
	if (rc < 0 || meta_touch_namespace(txn, op->ns, err) < 0)
		return -1;
	op->backend_ref = rc > 0 ? xstrdup(old.backend)
				 : xasprintf("%s/%llu/%s", op->ns, (unsigned long long)op->seq,
						   op->ref);
	r.backend = op->backend_ref;
	r.expected = op->is_virtual ? (char *)op->expected : NULL;
	r.expires_ns = str_is_empty(op->lease) ? op->m->wall_ns() + EXPIRES_AFTER : 0;
	meta_shade(op->m, NODE_INGEST, op->ns, "", op->ref);
	if (meta_ingest_store(txn, op->ns, op->ref, &old, &r, err) < 0)
		return -1;
	return meta_lease_add(op->m, txn, op->ns, op->lease, "ingests", op->ref, err);
}

static int record_ingest(struct open_op *op, struct ctx *ctx, int64_t total, int64_t *ret_size,
		struct err *err)
{
	int rc = look(op, err);

	if (rc < 0 || (op->existed && look_again(op, ctx, err) < 0))
		return -1;
	if (op->existed && !str_is_empty(op->lease) &&
			meta_update(op->m, lease_blob, op, false, err) < 0)
		return -1;
	if (op->existed)
		return blob_is_there(op, err);
	if (op->expected != NULL && rc > 0 && !op->is_repair &&
			find_shared(op, ctx, total, ret_size, err) < 0)
		return -1;
	if (meta_next_seq(op->m, &op->seq, err) < 0 ||
			meta_update(op->m, write_ingest, op, false, err) < 0)
		return -1;
	return op->existed ? blob_is_there(op, err) : 0;
}

static struct meta_writer *writer_new(struct open_op *op, int64_t size)
{
	struct meta_writer *w = xzalloc(sizeof(*w));

	w->base.ops = &writer_ops;
	w->m = op->m;
	w->ns = xstrdup(op->ns);
	w->ref = xstrdup(op->ref);
	w->backend_ref = take_ptr(op->backend_ref);
	w->started_ns = w->updated_ns = op->m->wall_ns();
	w->is_repair = op->is_repair;
	if (op->is_virtual) {
		w->size = w->total = size;
		(void)snprintf(w->digest, sizeof(w->digest), "%s", op->expected);
	}
	return w;
}

static int open_held(struct open_op *op, struct ctx *ctx, int64_t total,
		struct content_writer **ret_writer, struct err *err)
{
	AUTO(content_writer_close) struct content_writer *real = NULL;
	struct meta_writer *w;
	int64_t size = 0;

	if (record_ingest(op, ctx, total, &size, err) < 0)
		return -1;
	/* Without the expected digest: that is checked at the commit. */
	if (!op->is_virtual && content_writer_open(op->m->backend, ctx, op->backend_ref, total,
					       NULL, &real, err) < 0)
		return -1;
	w = writer_new(op, size);
	w->real = take_ptr(real);
	*ret_writer = &w->base;
	return 0;
}

int meta_content_writer(struct content_store *self, struct ctx *ctx, const char *ref,
		int64_t total, const char *expected, struct content_writer **ret_writer,
		struct err *err)
{
	struct meta *m = meta_of_content(self);
	const char *ns = ctx_namespace(ctx, err);
	struct open_op op = { .m = m,
		.ns = ns,
		.lease = ctx->lease,
		.ref = ref,
		.expected = str_or(expected, NULL) };
	AUTO_HELD struct held held = { 0 };
	char name[BLOB_HOLD_SIZE];
	int rc;

	if (ns == NULL)
		return -1;
	/* A shared blob must not be freed between being found and being recorded. */
	if (op.expected != NULL) {
		meta_blob_hold_name(op.expected, name);
		if (hold_shared(&m->holds, ctx, name, &held, err) < 0)
			return -1;
	}
	rc = open_held(&op, ctx, total, ret_writer, err);
	free(op.backend_ref);
	return rc;
}
