/* SPDX-License-Identifier: Apache-2.0 */
/* Container records (reference 01 §4.2). */
#include <stdlib.h>

#include "base/err.h"
#include "base/ident.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event_maker.h"
#include "core/filter.h"
#include "meta/meta_codec_priv.h"
#include "meta/meta_priv.h"

static struct meta *meta_of(struct container_store *self)
{
	return container_of(self, struct meta, containers);
}

/* 1 and the record, 0 if it is not there. */
static int load(struct kv_txn *txn, const char *ns, const char *id, struct container **ret,
		struct err *err)
{
	AUTO(container_free) struct container *c = NULL;
	struct kv_bytes value;
	int rc = meta_find(txn, TABLE_CONTAINER, ns, id, &value, err);

	if (rc <= 0)
		return rc;
	c = container_new(id);
	if (!decode_container(value, c))
		return meta_damaged("container", id, err);
	*ret = take_ptr(c);
	return 1;
}

static int store(struct meta *m, struct kv_txn *txn, const char *ns, const struct container *c,
		struct err *err)
{
	AUTO_BUF struct buf value = { .limit = SIZE_MAX };
	AUTO_KEY(key);

	encode_container(&value, c);
	meta_shade(m, NODE_CONTAINER, ns, "", c->id);
	return kv_put(txn, meta_key(&key, TABLE_CONTAINER, ns, c->id, NULL),
			(struct kv_bytes){ value.data, value.size }, err);
}

static int check(const struct container *c, struct err *err)
{
	if (ident_check(c->id, err) < 0)
		return err_wrap(err, "container.ID");
	if (anys_find(&c->extensions, "") != NULL)
		return err_set(err, ERR_INVALID,
				"container.Extension keys must not be zero-length");
	if (meta_labels_check(&c->labels, "containers.Labels", err) < 0)
		return -1;
	if (str_is_empty(c->runtime_name))
		return err_set(err, ERR_INVALID, "container.Runtime.Name must be set");
	if (!str_is_empty(c->snapshot_key) && str_is_empty(c->snapshotter))
		return err_set(err, ERR_INVALID,
				"container.Snapshotter must be set if container.SnapshotKey is "
				"set");
	return 0;
}

static int get(struct container_store *self, struct ctx *ctx, const char *id,
		struct container **ret_container, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	const char *ns = ctx_namespace(ctx, err);
	int rc;

	if (ns == NULL || kv_read(meta_of(self)->kv, &txn, err) < 0)
		return -1;
	rc = load(txn, ns, id, ret_container, err);
	if (rc == 0) {
		AUTO_FREE char *quoted_id = str_quote(id);
		AUTO_FREE char *quoted_ns = str_quote(ns);

		return err_set(err, ERR_NOT_FOUND, "container %s in namespace %s", quoted_id,
				quoted_ns);
	}
	return rc < 0 ? -1 : 0;
}

static bool field(void *object, char *const *path, size_t n, const char **ret_value)
{
	const struct container *c = object;

	if (str_eq(path[0], "id"))
		*ret_value = c->id;
	else if (str_eq(path[0], "image"))
		*ret_value = c->image;
	else if (n >= 2 && str_eq(path[0], "runtime") && str_eq(path[1], "name"))
		*ret_value = c->runtime_name;
	else if (str_eq(path[0], "labels"))
		return filter_label(&c->labels, path, n, ret_value);
	else
		return false;
	return !str_is_empty(*ret_value);
}

struct listing {
	container_each each;
	void *arg;
	struct container_view view;
};

static int show(const struct listing *l, struct filter *filter, const struct container *c,
		struct err *err)
{
	if (!filter_match(filter, field, (void *)c, err))
		return err->kind == ERR_NONE ? 0 : -1;
	return l->each(l->arg, c, err);
}

static int list_one(void *listing, struct filter *filter, const char *id, struct kv_bytes value,
		struct err *err)
{
	struct listing *l = listing;
	AUTO(container_free) struct container *c = NULL;

	if (view_container(&l->view, id, value))
		return show(l, filter, &l->view.c, err);
	c = container_new(id);
	return decode_container(value, c) ? show(l, filter, c, err) : 0;
}

static int list(struct container_store *self, struct ctx *ctx, char *const *filters,
		container_each each, void *arg, struct err *err)
{
	struct listing l = { .each = each, .arg = arg };
	int rc = meta_list(
			meta_of(self), ctx, TABLE_CONTAINER, "id", filters, list_one, &l, err);

	container_view_done(&l.view);
	return rc;
}

struct write_op {
	struct meta *m;
	const char *ns;
	const struct container *in;
	char *const *paths;
	struct container *out; /* owned */
};

static int create_op(struct kv_txn *txn, void *arg, struct err *err)
{
	struct write_op *op = arg;
	AUTO(container_free) struct container *old = NULL;
	int rc = load(txn, op->ns, op->in->id, &old, err);

	container_free(take_ptr(op->out));
	/* A damaged one may be replaced only after it was removed. */
	if (rc < 0)
		return -1;
	if (rc > 0)
		return meta_refuse(err, ERR_EXISTS, "container", op->in->id);
	op->out = container_copy(op->in);
	labels_drop_empty(&op->out->labels);
	op->out->created_ns = op->out->updated_ns = op->m->wall_ns();
	if (meta_touch_namespace(txn, op->ns, err) < 0)
		return -1;
	return store(op->m, txn, op->ns, op->out, err);
}

static void publish(struct meta *m, const char *ns, const struct container *c, bool is_new)
{
	struct any payload = { 0 };

	if (!meta_has_events(m))
		return;
	if (is_new)
		m->maker->container_create(c, &payload);
	else
		m->maker->container_update(c, &payload);
	meta_publish(m, ns, is_new ? "/containers/create" : "/containers/update", &payload);
}

static int write_container(
		struct write_op *op, kv_update_fn fn, struct container **ret, struct err *err)
{
	AUTO(container_free) struct container *out = NULL;
	int rc = meta_update(op->m, fn, op, false, err);

	out = take_ptr(op->out);
	if (rc < 0)
		return -1;
	publish(op->m, op->ns, out, fn == create_op);
	*ret = take_ptr(out);
	return 0;
}

static int create(struct container_store *self, struct ctx *ctx, const struct container *c,
		struct container **ret_container, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct write_op op = { meta_of(self), ns, c, NULL, NULL };

	if (ns == NULL)
		return -1;
	if (check(c, err) < 0)
		return err_wrap(err, "create container failed validation");
	return write_container(&op, create_op, ret_container, err);
}

static void copy_text(char **to, const char *from)
{
	char *copy = str_is_empty(from) ? NULL : xstrdup(from);

	free(*to);
	*to = copy;
}

static int replace_all(void *to, const void *from, struct err *err)
{
	struct container *c = to;
	const struct container *given = from;

	if (!str_eq(str_or(c->snapshotter, ""), str_or(given->snapshotter, "")))
		return err_set(err, ERR_INVALID, "container.Snapshotter field is immutable");
	if (!str_eq(str_or(c->runtime_name, ""), str_or(given->runtime_name, "")))
		return err_set(err, ERR_INVALID, "container.Runtime.Name field is immutable");
	meta_labels_replace(&c->labels, &given->labels);
	meta_any_replace(&c->spec, &given->spec);
	meta_extensions_replace(&c->extensions, &given->extensions);
	copy_text(&c->image, given->image);
	copy_text(&c->snapshot_key, given->snapshot_key);
	return 0;
}

static int refuse_path(const struct container *c, const char *path, struct err *err)
{
	AUTO_FREE char *quoted_path = str_quote(path);
	AUTO_FREE char *quoted_id = str_quote(c->id);

	return err_set(err, ERR_INVALID, "cannot update %s field on %s", quoted_path,
			quoted_id);
}

static int apply_path(void *to, const void *from, const char *path, struct err *err)
{
	struct container *c = to;
	const struct container *given = from;
	const char *key;

	if ((key = meta_path_key(path, "labels.")) != NULL)
		meta_label_apply(&c->labels, &given->labels, key);
	else if (str_eq(path, "extensions."))
		return err_set(err, ERR_INVALID,
				"update failed validation: container.Extension keys must not "
				"be zero-length");
	else if ((key = meta_path_key(path, "extensions.")) != NULL)
		meta_extension_apply(&c->extensions, &given->extensions, key);
	else if (str_eq(path, "labels"))
		meta_labels_replace(&c->labels, &given->labels);
	else if (str_eq(path, "spec"))
		meta_any_replace(&c->spec, &given->spec);
	else if (str_eq(path, "extensions"))
		meta_extensions_replace(&c->extensions, &given->extensions);
	else if (str_eq(path, "image"))
		copy_text(&c->image, given->image);
	else if (str_eq(path, "snapshotkey"))
		copy_text(&c->snapshot_key, given->snapshot_key);
	else
		return refuse_path(c, path, err);
	return 0;
}

static int update_op(struct kv_txn *txn, void *arg, struct err *err)
{
	struct write_op *op = arg;
	int rc;

	container_free(take_ptr(op->out));
	rc = load(txn, op->ns, op->in->id, &op->out, err);
	if (rc == 0)
		return meta_refuse(err, ERR_NOT_FOUND, "container", op->in->id);
	if (rc < 0 || meta_apply_mask(op->paths, replace_all, apply_path, op->out, op->in,
				      err) < 0)
		return -1;
	if (check(op->out, err) < 0)
		return err_wrap(err, "update failed validation");
	op->out->updated_ns = op->m->wall_ns();
	return store(op->m, txn, op->ns, op->out, err);
}

static int update(struct container_store *self, struct ctx *ctx, const struct container *c,
		char *const *fieldpaths, struct container **ret_container, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct write_op op = { meta_of(self), ns, c, fieldpaths, NULL };

	if (ns == NULL)
		return -1;
	return write_container(&op, update_op, ret_container, err);
}

struct remove_op {
	const char *ns, *id;
};

static int remove_record(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct remove_op *op = arg;
	int rc = meta_drop(txn, TABLE_CONTAINER, op->ns, op->id, err);

	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "container %s", op->id);
	return rc < 0 ? -1 : 0;
}

static int remove_container(
		struct container_store *self, struct ctx *ctx, const char *id, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct remove_op op = { ns, id };
	struct meta *m = meta_of(self);
	struct any payload = { 0 };

	if (ns == NULL || meta_update(m, remove_record, &op, true, err) < 0)
		return -1;
	if (meta_has_events(m)) {
		m->maker->container_delete(id, &payload);
		meta_publish(m, ns, "/containers/delete", &payload);
	}
	return 0;
}

const struct container_store_ops meta_container_ops = {
	.get = get,
	.list = list,
	.create = create,
	.update = update,
	.remove = remove_container,
};
