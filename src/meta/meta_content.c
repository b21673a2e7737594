/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs and ingests of a namespace over the backend's (reference 01 §5.1). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event_maker.h"
#include "core/filter.h"
#include "meta/meta_content_priv.h"

struct meta *meta_of_content(struct content_store *self)
{
	return container_of(self, struct meta, content);
}

void meta_blob_hold_name(const char *digest, char out[BLOB_HOLD_SIZE])
{
	(void)snprintf(out, BLOB_HOLD_SIZE, "blob %s", digest);
}

int meta_blob_load(struct kv_txn *txn, const char *ns, const char *digest,
		struct content_info *ret_info, struct err *err)
{
	struct content_info info = { 0 };
	struct kv_bytes value;
	AUTO_KEY(key);
	int rc = kv_get(txn, meta_key(&key, TABLE_BLOB, ns, digest, NULL), &value, err);

	if (rc <= 0)
		return rc;
	if (!decode_blob(value, &info)) {
		content_info_done(&info);
		return meta_damaged("content", digest, err);
	}
	(void)snprintf(info.digest, sizeof(info.digest), "%s", digest);
	*ret_info = info;
	return 1;
}

int meta_blob_exists(struct kv_txn *txn, const char *ns, const char *digest, struct err *err)
{
	struct kv_bytes value;
	AUTO_KEY(key);

	return kv_get(txn, meta_key(&key, TABLE_BLOB, ns, digest, NULL), &value, err);
}

int meta_ingest_load(struct kv_txn *txn, const char *ns, const char *ref,
		struct ingest_record *ret_ingest, struct err *err)
{
	struct kv_bytes value;
	AUTO_KEY(key);
	int rc;

	if (str_is_empty(ref))
		return 0;
	rc = kv_get(txn, meta_key(&key, TABLE_INGEST, ns, ref, NULL), &value, err);
	if (rc <= 0)
		return rc;
	if (decode_ingest(value, ret_ingest))
		return 1;
	ingest_record_done(ret_ingest);
	return meta_damaged("ingest", ref, err);
}

static int drop_expected(struct kv_txn *txn, const char *ns, const char *ref,
		const struct ingest_record *r, struct err *err)
{
	AUTO_KEY(key);

	if (r == NULL || r->expected == NULL)
		return 0;
	return kv_del(txn, meta_key(&key, TABLE_EXPECTED, r->expected, ns, ref, NULL), err) < 0
			       ? -1
			       : 0;
}

int meta_ingest_store(struct kv_txn *txn, const char *ns, const char *ref,
		const struct ingest_record *old, const struct ingest_record *r, struct err *err)
{
	AUTO_BUF struct buf value = { .limit = SIZE_MAX };
	AUTO_KEY(key);

	if (drop_expected(txn, ns, ref, old, err) < 0)
		return -1;
	if (r->expected != NULL &&
			kv_put(txn, meta_key(&key, TABLE_EXPECTED, r->expected, ns, ref, NULL),
					(struct kv_bytes){ "", 0 }, err) < 0)
		return -1;
	encode_ingest(&value, r);
	return kv_put(txn, meta_key(&key, TABLE_INGEST, ns, ref, NULL),
			(struct kv_bytes){ value.data, value.size }, err);
}

int meta_ingest_remove(struct kv_txn *txn, const char *ns, const char *ref, struct err *err)
{
	AUTO_INGEST struct ingest_record r = { 0 };
	AUTO_KEY(key);
	int rc = meta_ingest_load(txn, ns, ref, &r, err);

	if (rc <= 0)
		return rc;
	if (drop_expected(txn, ns, ref, &r, err) < 0)
		return -1;
	return kv_del(txn, meta_key(&key, TABLE_INGEST, ns, ref, NULL), err);
}

int meta_remove_ingests(struct kv_txn *txn, const char *ns, struct err *err)
{
	AUTO_STRV char **refs = NULL;
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value, parts[2];
	AUTO_KEY(prefix);
	int rc;

	if (kv_iter_new(txn, meta_key(&prefix, TABLE_INGEST, ns, "", NULL),
			    (struct kv_bytes){ 0 }, &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0) {
		AUTO_FREE char *ref = NULL;

		(void)meta_key_split(key, parts, 2);
		ref = meta_bytes_text(parts[1]);
		strv_add(&refs, ref);
	}
	kv_iter_free(take_ptr(it));
	for (size_t i = 0; rc == 0 && refs != NULL && refs[i] != NULL; i++)
		if (meta_ingest_remove(txn, ns, refs[i], err) < 0)
			return -1;
	return rc;
}

static int not_found(const char *digest, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "content digest %s", digest);
}

static int info(struct content_store *self, struct ctx *ctx, const char *digest,
		struct content_info *ret_info, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	const char *ns = ctx_namespace(ctx, err);
	int rc;

	if (ns == NULL || kv_read(meta_of_content(self)->kv, &txn, err) < 0)
		return -1;
	rc = meta_blob_load(txn, ns, digest, ret_info, err);
	return rc == 0 ? not_found(digest, err) : rc < 0 ? -1 : 0;
}

struct update_op {
	struct meta *m;
	const char *ns;
	const struct content_info *in;
	char *const *paths;
	struct content_info out;
};

static int apply(struct content_info *to, const struct update_op *op, struct err *err)
{
	if (strv_len(op->paths) == 0)
		meta_labels_replace(&to->labels, &op->in->labels);
	for (size_t i = 0; op->paths != NULL && op->paths[i] != NULL; i++) {
		const char *key = meta_path_key(op->paths[i], "labels.");
		AUTO_FREE char *quoted = NULL;

		if (key != NULL) {
			meta_label_apply(&to->labels, &op->in->labels, key);
		} else if (str_eq(op->paths[i], "labels")) {
			meta_labels_replace(&to->labels, &op->in->labels);
		} else {
			quoted = str_quote(op->paths[i]);
			return err_set(err, ERR_INVALID,
					"cannot update %s field on content info \"%s\"", quoted,
					to->digest);
		}
	}
	return meta_labels_check(&to->labels, "info.Labels", err);
}

int meta_blob_store(struct meta *m, struct kv_txn *txn, const char *ns,
		const struct content_info *i, struct err *err)
{
	AUTO_BUF struct buf value = { .limit = SIZE_MAX };
	AUTO_KEY(key);

	encode_blob(&value, i);
	meta_shade(m, NODE_CONTENT, ns, "", i->digest);
	return kv_put(txn, meta_key(&key, TABLE_BLOB, ns, i->digest, NULL),
			(struct kv_bytes){ value.data, value.size }, err);
}

static int update_blob(struct kv_txn *txn, void *arg, struct err *err)
{
	struct update_op *op = arg;
	int rc;

	content_info_done(&op->out);
	rc = meta_blob_load(txn, op->ns, op->in->digest, &op->out, err);
	if (rc <= 0)
		return rc == 0 ? not_found(op->in->digest, err) : -1;
	if (apply(&op->out, op, err) < 0)
		return -1;
	op->out.updated_ns = op->m->wall_ns();
	return meta_blob_store(op->m, txn, op->ns, &op->out, err);
}

static int update(struct content_store *self, struct ctx *ctx, const struct content_info *i,
		char *const *fieldpaths, struct content_info *ret_info, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct update_op op = {
		.m = meta_of_content(self), .ns = ns, .in = i, .paths = fieldpaths
	};

	if (ns == NULL)
		return -1;
	if (meta_update(op.m, update_blob, &op, false, err) < 0) {
		content_info_done(&op.out);
		return -1;
	}
	*ret_info = op.out;
	return 0;
}

static bool field(void *object, char *const *path, size_t n, const char **ret_value)
{
	const struct content_info *i = object;

	if (str_eq(path[0], "digest")) {
		*ret_value = i->digest;
		return true;
	}
	if (str_eq(path[0], "labels"))
		return filter_label(&i->labels, path, n, ret_value);
	return false;
}

static int list_one(struct filter *f, struct kv_bytes key, struct kv_bytes value,
		content_info_each each, void *arg, struct err *err)
{
	struct content_info i = { 0 };
	struct kv_bytes parts[2];
	int rc = 0;

	(void)meta_key_split(key, parts, 2);
	(void)snprintf(i.digest, sizeof(i.digest), "%.*s", (int)parts[1].size,
			(const char *)parts[1].data);
	if (decode_blob(value, &i) && filter_match(f, field, &i, err))
		rc = each(arg, &i, err);
	content_info_done(&i);
	return err->kind == ERR_NONE ? rc : -1;
}

static int list(struct content_store *self, struct ctx *ctx, char *const *filters,
		content_info_each each, void *arg, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	AUTO(filter_free) struct filter *filter = NULL;
	const char *ns = ctx_namespace(ctx, err);
	struct kv_bytes key, value;
	AUTO_KEY(prefix);
	int rc;

	if (ns == NULL || meta_filter(filters, false, &filter, err) < 0 ||
			kv_read(meta_of_content(self)->kv, &txn, err) < 0 ||
			kv_iter_new(txn, meta_key(&prefix, TABLE_BLOB, ns, "", NULL),
					(struct kv_bytes){ 0 }, &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0)
		if (list_one(filter, key, value, each, arg, err) < 0)
			return -1;
	return rc;
}

struct remove_op {
	const char *ns, *lease, *name;
};

static int remove_blob(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct remove_op *op = arg;
	AUTO_KEY(key);
	int rc = kv_del(txn, meta_key(&key, TABLE_BLOB, op->ns, op->name, NULL), err);

	if (rc <= 0)
		return rc == 0 ? not_found(op->name, err) : -1;
	return meta_lease_drop(txn, op->ns, op->lease, "content", op->name, err);
}

static int remove_content(struct content_store *self, struct ctx *ctx, const char *digest,
		struct err *err)
{
	struct meta *m = meta_of_content(self);
	const char *ns = ctx_namespace(ctx, err);
	struct remove_op op = { ns, ctx->lease, digest };
	struct any payload = { 0 };

	if (ns == NULL || meta_update(m, remove_blob, &op, true, err) < 0)
		return -1;
	meta_drop_blob(m, digest);
	if (meta_has_events(m)) {
		m->maker->content_delete(digest, &payload);
		meta_publish(m, ns, "/content/delete", &payload);
	}
	return 0;
}

static int open_content(struct content_store *self, struct ctx *ctx, const char *digest,
		struct content_reader **ret_reader, struct err *err)
{
	struct content_info i = { 0 };

	if (info(self, ctx, digest, &i, err) < 0)
		return -1;
	content_info_done(&i);
	return content_open(meta_of_content(self)->backend, ctx, digest, ret_reader, err);
}

static int no_ingest(const char *ref, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "reference %s", ref);
}

/* The backend's status under the client's name. */
static int backend_status(struct meta *m, struct ctx *ctx, const char *ref,
		const struct ingest_record *r, struct content_status *ret_status,
		struct err *err)
{
	AUTO_ERR struct err inner = { 0 };

	if (content_status_get(m->backend, ctx, r->backend, ret_status, &inner) < 0)
		return inner.kind == ERR_NOT_FOUND ? no_ingest(ref, err)
						   : err_move(err, &inner);
	free(ret_status->ref);
	ret_status->ref = xstrdup(ref);
	return 0;
}

static int status(struct content_store *self, struct ctx *ctx, const char *ref,
		struct content_status *ret_status, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO_INGEST struct ingest_record r = { 0 };
	struct meta *m = meta_of_content(self);
	const char *ns = ctx_namespace(ctx, err);
	int rc;

	if (ns == NULL || kv_read(m->kv, &txn, err) < 0)
		return -1;
	rc = meta_ingest_load(txn, ns, ref, &r, err);
	if (rc <= 0)
		return rc == 0 ? no_ingest(ref, err) : -1;
	kv_read_end(take_ptr(txn));
	return backend_status(m, ctx, ref, &r, ret_status, err);
}

static bool status_field(void *object, char *const *path, size_t n, const char **ret_value)
{
	const struct content_status *s = object;

	if (n != 1 || !str_eq(path[0], "ref"))
		return false;
	*ret_value = s->ref;
	return true;
}

/* All refs of the namespace, copied out: the backend is asked without a transaction. */
static int all_refs(struct meta *m, const char *ns, char ***refs, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value, parts[2];
	AUTO_KEY(prefix);
	int rc;

	if (kv_read(m->kv, &txn, err) < 0 ||
			kv_iter_new(txn, meta_key(&prefix, TABLE_INGEST, ns, "", NULL),
					(struct kv_bytes){ 0 }, &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0) {
		AUTO_FREE char *ref = NULL;

		(void)meta_key_split(key, parts, 2);
		ref = meta_bytes_text(parts[1]);
		strv_add(refs, ref);
	}
	return rc;
}

/* Ingests without data of their own, or gone meanwhile, are left out. */
static int status_one(struct content_store *self, struct ctx *ctx, struct filter *f,
		const char *ref, content_status_each each, void *arg, struct err *err)
{
	AUTO_ERR struct err inner = { 0 };
	struct content_status s = { 0 };
	int rc = 0;

	if (status(self, ctx, ref, &s, &inner) < 0)
		return inner.kind == ERR_NOT_FOUND || inner.kind == ERR_DATA_LOSS
				       ? 0
				       : err_move(err, &inner);
	if (filter_match(f, status_field, &s, err))
		rc = each(arg, &s, err);
	content_status_done(&s);
	return err->kind == ERR_NONE ? rc : -1;
}

static int statuses(struct content_store *self, struct ctx *ctx, char *const *filters,
		content_status_each each, void *arg, struct err *err)
{
	AUTO(filter_free) struct filter *filter = NULL;
	const char *ns = ctx_namespace(ctx, err);
	AUTO_STRV char **refs = NULL;

	if (ns == NULL || meta_filter(filters, false, &filter, err) < 0 ||
			all_refs(meta_of_content(self), ns, &refs, err) < 0)
		return -1;
	for (size_t i = 0; refs != NULL && refs[i] != NULL; i++)
		if (ctx_done(ctx, err) ||
				status_one(self, ctx, filter, refs[i], each, arg, err) < 0)
			return -1;
	return 0;
}

struct abort_op {
	const char *ns, *lease, *ref;
	struct ingest_record ingest;
};

static int abort_ingest(struct kv_txn *txn, void *arg, struct err *err)
{
	struct abort_op *op = arg;
	int rc;

	ingest_record_done(&op->ingest);
	rc = meta_ingest_load(txn, op->ns, op->ref, &op->ingest, err);
	if (rc <= 0)
		return rc == 0 ? no_ingest(op->ref, err) : -1;
	if (meta_ingest_remove(txn, op->ns, op->ref, err) < 0)
		return -1;
	return meta_lease_drop(txn, op->ns, op->lease, "ingests", op->ref, err);
}

static int abort_content(
		struct content_store *self, struct ctx *ctx, const char *ref, struct err *err)
{
	struct meta *m = meta_of_content(self);
	AUTO_ERR struct err inner = { 0 };
	const char *ns = ctx_namespace(ctx, err);
	struct abort_op op = { ns, ctx->lease, ref, { 0 } };
	int rc;

	if (ns == NULL)
		return -1;
	rc = meta_update(m, abort_ingest, &op, false, err);
	/* One that stands for a shared blob may have none there. */
	if (rc == 0 && content_abort(m->backend, ctx, op.ingest.backend, &inner) < 0 &&
			inner.kind != ERR_NOT_FOUND) {
		meta_drop_ingest(m, op.ingest.backend);
		rc = err_move(err, &inner);
	}
	ingest_record_done(&op.ingest);
	return rc;
}

const struct content_store_ops meta_content_ops = {
	.info = info,
	.update = update,
	.list = list,
	.remove = remove_content,
	.open = open_content,
	.status = status,
	.statuses = statuses,
	.abort = abort_content,
	.writer = meta_content_writer,
};
