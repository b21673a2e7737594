/* SPDX-License-Identifier: Apache-2.0 */
/* Image records (reference 01 §4.3). */
#include <stdlib.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event_maker.h"
#include "core/filter.h"
#include "meta/meta_codec_priv.h"
#include "meta/meta_priv.h"

/* Only images with this label are recorded under the call's lease: the others are roots. */
#define LABEL_EXPIRE "containerd.io/gc.expire"

static struct meta *meta_of(struct image_store *self)
{
	return container_of(self, struct meta, images);
}

static int load(struct kv_txn *txn, const char *ns, const char *name, struct image **ret,
		struct err *err)
{
	AUTO(image_free) struct image *i = NULL;
	struct kv_bytes value;
	int rc = meta_find(txn, TABLE_IMAGE, ns, name, &value, err);

	if (rc <= 0)
		return rc;
	i = image_new(name);
	if (!decode_image(value, i))
		return meta_damaged("image", name, err);
	*ret = take_ptr(i);
	return 1;
}

static int store(struct meta *m, struct kv_txn *txn, const char *ns, const char *lease,
		const struct image *i, struct err *err)
{
	AUTO_BUF struct buf value = { .limit = SIZE_MAX };
	AUTO_KEY(key);

	if (labels_find(&i->labels, LABEL_EXPIRE) != NULL &&
			meta_lease_add(m, txn, ns, lease, "images", i->name, err) < 0)
		return -1;
	encode_image(&value, i);
	meta_shade(m, NODE_IMAGE, ns, "", i->name);
	return kv_put(txn, meta_key(&key, TABLE_IMAGE, ns, i->name, NULL),
			(struct kv_bytes){ value.data, value.size }, err);
}

static int check_target(const struct descriptor *d, struct err *err)
{
	AUTO_ERR struct err bad = { 0 };

	if (digest_check(str_or(d->digest, ""), NULL, &bad) < 0) {
		AUTO_FREE char *quoted = str_quote(str_or(d->digest, ""));

		err_move(err, &bad);
		return err_wrap(err, "target.Digest %s invalid", quoted);
	}
	if (d->size <= 0)
		return err_set(err, ERR_INVALID, "target.Size must be greater than zero");
	if (str_is_empty(d->media_type))
		return err_set(err, ERR_INVALID, "target.MediaType must be set");
	if (!str_is_empty(labels_find(&d->annotations, "")))
		return err_set(err, ERR_INVALID, "target.Annotations: key required");
	return 0;
}

static int check(const struct image *i, struct err *err)
{
	if (meta_labels_check(&i->labels, "image.Labels", err) < 0)
		return -1;
	return check_target(&i->target, err);
}

static int get(struct image_store *self, struct ctx *ctx, const char *name,
		struct image **ret_image, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	const char *ns = ctx_namespace(ctx, err);
	int rc;

	if (ns == NULL || kv_read(meta_of(self)->kv, &txn, err) < 0)
		return -1;
	rc = load(txn, ns, name, ret_image, err);
	if (rc == 0)
		return meta_refuse(err, ERR_NOT_FOUND, "image", name);
	return rc < 0 ? -1 : 0;
}

static bool field(void *object, char *const *path, size_t n, const char **ret_value)
{
	const struct image *i = object;

	if (str_eq(path[0], "name"))
		*ret_value = i->name;
	else if (n >= 2 && str_eq(path[0], "target") && str_eq(path[1], "digest"))
		*ret_value = i->target.digest;
	else if (n >= 2 && str_eq(path[0], "target") && str_eq(path[1], "mediatype"))
		*ret_value = i->target.media_type;
	else if (str_eq(path[0], "labels"))
		return filter_label(&i->labels, path, n, ret_value);
	else if (str_eq(path[0], "annotations"))
		return filter_label(&i->target.annotations, path, n, ret_value);
	else
		return false;
	return !str_is_empty(*ret_value);
}

struct listing {
	image_each each;
	void *arg;
};

static int list_one(void *listing, struct filter *filter, const char *name,
		struct kv_bytes value, struct err *err)
{
	const struct listing *l = listing;
	AUTO(image_free) struct image *i = image_new(name);

	if (!decode_image(value, i))
		return 0;
	if (!filter_match(filter, field, i, err))
		return err->kind == ERR_NONE ? 0 : -1;
	return l->each(l->arg, i, err);
}

static int list(struct image_store *self, struct ctx *ctx, char *const *filters,
		image_each each, void *arg, struct err *err)
{
	struct listing l = { each, arg };

	return meta_list(meta_of(self), ctx, TABLE_IMAGE, "name", filters, list_one, &l, err);
}

struct write_op {
	struct meta *m;
	const char *ns, *lease;
	const struct image *in;
	char *const *paths;
	const int64_t *epoch_ns; /* NULL: none */
	struct image *out;	 /* owned */
};

static int64_t time_of(const struct write_op *op)
{
	return op->epoch_ns != NULL ? *op->epoch_ns : op->m->wall_ns();
}

static int create_op(struct kv_txn *txn, void *arg, struct err *err)
{
	struct write_op *op = arg;
	AUTO(image_free) struct image *old = NULL;
	int rc = load(txn, op->ns, op->in->name, &old, err);

	image_free(take_ptr(op->out));
	if (rc < 0)
		return -1;
	if (rc > 0)
		return meta_refuse(err, ERR_EXISTS, "image", op->in->name);
	op->out = image_copy(op->in);
	labels_drop_empty(&op->out->labels);
	labels_drop_empty(&op->out->target.annotations);
	op->out->created_ns = op->out->updated_ns = time_of(op);
	if (meta_touch_namespace(txn, op->ns, err) < 0)
		return -1;
	return store(op->m, txn, op->ns, op->lease, op->out, err);
}

static void replace_target(struct image *to, const struct image *from)
{
	descriptor_done(&to->target);
	descriptor_copy(&to->target, &from->target);
	labels_drop_empty(&to->target.annotations);
}

static int replace_all(void *to, const void *from, struct err *err UNUSED)
{
	struct image *image = to;

	meta_labels_replace(&image->labels, &((const struct image *)from)->labels);
	replace_target(image, from);
	return 0;
}

static int apply_path(void *to, const void *from, const char *path, struct err *err)
{
	struct image *image = to;
	const struct image *given = from;
	AUTO_FREE char *quoted_path = NULL;
	AUTO_FREE char *quoted_name = NULL;
	const char *key;

	if ((key = meta_path_key(path, "labels.")) != NULL)
		meta_label_apply(&image->labels, &given->labels, key);
	else if ((key = meta_path_key(path, "annotations.")) != NULL)
		meta_label_apply(&image->target.annotations, &given->target.annotations, key);
	else if (str_eq(path, "labels"))
		meta_labels_replace(&image->labels, &given->labels);
	else if (str_eq(path, "target"))
		replace_target(image, given);
	else if (str_eq(path, "annotations"))
		meta_labels_replace(&image->target.annotations, &given->target.annotations);
	else
		goto refuse;
	return 0;
refuse:
	quoted_path = str_quote(path);
	quoted_name = str_quote(image->name);
	return err_set(err, ERR_INVALID, "cannot update %s field on image %s", quoted_path,
			quoted_name);
}

static int update_op(struct kv_txn *txn, void *arg, struct err *err)
{
	struct write_op *op = arg;
	int rc;

	image_free(take_ptr(op->out));
	rc = load(txn, op->ns, op->in->name, &op->out, err);
	if (rc == 0)
		return meta_refuse(err, ERR_NOT_FOUND, "image", op->in->name);
	if (rc < 0 ||
			meta_apply_mask(op->paths, replace_all, apply_path, op->out, op->in,
					err) < 0 ||
			check(op->out, err) < 0)
		return -1;
	op->out->updated_ns = time_of(op);
	return store(op->m, txn, op->ns, op->lease, op->out, err);
}

static int write_image(
		struct write_op *op, kv_update_fn fn, struct image **ret_image, struct err *err)
{
	AUTO(image_free) struct image *out = NULL;
	struct any payload = { 0 };
	bool is_new = fn == create_op;
	int rc = meta_update(op->m, fn, op, false, err);

	out = take_ptr(op->out);
	if (rc < 0)
		return -1;
	if (meta_has_events(op->m)) {
		(is_new ? op->m->maker->image_create : op->m->maker->image_update)(
				out->name, &out->labels, &payload);
		meta_publish(op->m, op->ns, is_new ? "/images/create" : "/images/update",
				&payload);
	}
	*ret_image = take_ptr(out);
	return 0;
}

static int create(struct image_store *self, struct ctx *ctx, const struct image *i,
		const int64_t *source_date_epoch_ns, struct image **ret_image, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct write_op op = { meta_of(self), ns, ctx->lease, i, NULL, source_date_epoch_ns,
		NULL };

	if (ns == NULL || check(i, err) < 0)
		return -1;
	return write_image(&op, create_op, ret_image, err);
}

static int update(struct image_store *self, struct ctx *ctx, const struct image *i,
		char *const *fieldpaths, const int64_t *source_date_epoch_ns,
		struct image **ret_image, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct write_op op = { meta_of(self), ns, ctx->lease, i, fieldpaths,
		source_date_epoch_ns, NULL };

	if (ns == NULL)
		return -1;
	return write_image(&op, update_op, ret_image, err);
}

struct remove_op {
	const char *ns, *lease, *name, *digest;
};

/* Only a given digest needs the record read: a damaged one can so be removed. */
static int check_digest(struct kv_txn *txn, const struct remove_op *op, struct err *err)
{
	AUTO(image_free) struct image *i = NULL;
	AUTO_FREE char *quoted = NULL;
	int rc;

	if (str_is_empty(op->digest))
		return 0;
	rc = load(txn, op->ns, op->name, &i, err);
	if (rc <= 0)
		return rc < 0 ? -1 : meta_refuse(err, ERR_NOT_FOUND, "image", op->name);
	if (str_eq(i->target.digest, op->digest))
		return 0;
	quoted = str_quote(op->name);
	return err_set(err, ERR_NOT_FOUND, "image %s has target %s, not %s", quoted,
			i->target.digest, op->digest);
}

static int remove_record(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct remove_op *op = arg;
	int rc = 0;

	if (!str_is_empty(op->name) && check_digest(txn, op, err) < 0)
		return -1;
	rc = meta_drop(txn, TABLE_IMAGE, op->ns, op->name, err);
	if (rc == 0)
		return meta_refuse(err, ERR_NOT_FOUND, "image", op->name);
	if (rc < 0)
		return -1;
	return meta_lease_drop(txn, op->ns, op->lease, "images", op->name, err);
}

static int remove_image(struct image_store *self, struct ctx *ctx, const char *name,
		const char *target_digest, bool sync, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct remove_op op = { ns, ctx->lease, name, target_digest };
	struct meta *m = meta_of(self);
	struct any payload = { 0 };

	if (ns == NULL || meta_update(m, remove_record, &op, true, err) < 0)
		return -1;
	if (meta_has_events(m)) {
		m->maker->image_delete(name, &payload);
		meta_publish(m, ns, "/images/delete", &payload);
	}
	return sync ? meta_collect_now(m, ctx, err) : 0;
}

const struct image_store_ops meta_image_ops = {
	.get = get,
	.list = list,
	.create = create,
	.update = update,
	.remove = remove_image,
};
