/* SPDX-License-Identifier: Apache-2.0 */
/* Sandbox records (reference 01 §4.8). Their labels are not checked, as in the original. */
#include <stdlib.h>

#include "base/err.h"
#include "base/ident.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/filter.h"
#include "meta/meta_codec_priv.h"
#include "meta/meta_priv.h"

static struct meta *meta_of(struct sandbox_store *self)
{
	return container_of(self, struct meta, sandboxes);
}

static int load(struct kv_txn *txn, const char *ns, const char *id, struct sandbox **ret,
		struct err *err)
{
	AUTO(sandbox_free) struct sandbox *s = NULL;
	struct kv_bytes value;
	int rc = meta_find(txn, TABLE_SANDBOX, ns, id, &value, err);

	if (rc <= 0)
		return rc;
	s = sandbox_new(id);
	if (!decode_sandbox(value, s))
		return meta_damaged("sandbox", id, err);
	*ret = take_ptr(s);
	return 1;
}

static int store(struct meta *m, struct kv_txn *txn, const char *ns, const struct sandbox *s,
		struct err *err)
{
	AUTO_BUF struct buf value = { .limit = SIZE_MAX };
	AUTO_KEY(key);

	encode_sandbox(&value, s);
	meta_shade(m, NODE_SANDBOX, ns, "", s->id);
	return kv_put(txn, meta_key(&key, TABLE_SANDBOX, ns, s->id, NULL),
			(struct kv_bytes){ value.data, value.size }, err);
}

static int get(struct sandbox_store *self, struct ctx *ctx, const char *id,
		struct sandbox **ret_sandbox, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	const char *ns = ctx_namespace(ctx, err);
	int rc;

	if (ns == NULL || kv_read(meta_of(self)->kv, &txn, err) < 0)
		return -1;
	rc = load(txn, ns, id, ret_sandbox, err);
	return rc == 0 ? meta_refuse(err, ERR_NOT_FOUND, "sandbox", id) : rc < 0 ? -1 : 0;
}

static bool field(void *object, char *const *path, size_t n, const char **ret_value)
{
	const struct sandbox *s = object;

	if (str_eq(path[0], "id")) {
		*ret_value = s->id;
		return true;
	}
	return str_eq(path[0], "labels") && filter_label(&s->labels, path, n, ret_value);
}

struct listing {
	sandbox_each each;
	void *arg;
};

static int list_one(void *listing, struct filter *filter, const char *id, struct kv_bytes value,
		struct err *err)
{
	const struct listing *l = listing;
	AUTO(sandbox_free) struct sandbox *s = sandbox_new(id);

	if (!decode_sandbox(value, s))
		return 0;
	if (!filter_match(filter, field, s, err))
		return err->kind == ERR_NONE ? 0 : -1;
	return l->each(l->arg, s, err);
}

static int list(struct sandbox_store *self, struct ctx *ctx, char *const *filters,
		sandbox_each each, void *arg, struct err *err)
{
	struct listing l = { each, arg };

	return meta_list(meta_of(self), ctx, TABLE_SANDBOX, "id", filters, list_one, &l, err);
}

struct write_op {
	struct meta *m;
	const char *ns;
	const struct sandbox *in;
	char *const *paths;
	struct sandbox *out; /* owned */
};

static int check(const struct sandbox *s, struct err *err)
{
	if (!str_is_empty(labels_find(&s->labels, "")) || anys_find(&s->extensions, "") != NULL)
		return err_set(err, ERR_INVALID, "sandbox: key required");
	return 0;
}

static int create_op(struct kv_txn *txn, void *arg, struct err *err)
{
	struct write_op *op = arg;
	AUTO(sandbox_free) struct sandbox *old = NULL;
	int rc = load(txn, op->ns, op->in->id, &old, err);

	sandbox_free(take_ptr(op->out));
	if (rc < 0)
		return -1;
	if (rc > 0)
		return meta_refuse(err, ERR_EXISTS, "sandbox", op->in->id);
	op->out = sandbox_copy(op->in);
	labels_drop_empty(&op->out->labels);
	op->out->created_ns = op->out->updated_ns = op->m->wall_ns();
	if (meta_touch_namespace(txn, op->ns, err) < 0)
		return -1;
	return store(op->m, txn, op->ns, op->out, err);
}

static int write_sandbox(
		struct write_op *op, kv_update_fn fn, struct sandbox **ret, struct err *err)
{
	AUTO(sandbox_free) struct sandbox *out = NULL;
	int rc = meta_update(op->m, fn, op, false, err);

	out = take_ptr(op->out);
	if (rc == 0)
		*ret = take_ptr(out);
	return rc;
}

static int create(struct sandbox_store *self, struct ctx *ctx, const struct sandbox *s,
		struct sandbox **ret_sandbox, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct write_op op = { meta_of(self), ns, s, NULL, NULL };

	if (ns == NULL)
		return -1;
	if (ident_check(str_or(s->id, ""), err) < 0)
		return err_wrap(err, "failed to validate sandbox: invalid sandbox ID");
	if (check(s, err) < 0)
		return -1;
	return write_sandbox(&op, create_op, ret_sandbox, err);
}

static void replace_runtime(struct sandbox *to, const struct sandbox *from)
{
	free(to->runtime_name);
	to->runtime_name = xstrdup(from->runtime_name);
	meta_any_replace(&to->runtime_options, &from->runtime_options);
}

static int replace_all(void *to, const void *from, struct err *err)
{
	struct sandbox *s = to;
	const struct sandbox *given = from;

	if (!str_eq(str_or(s->runtime_name, ""), str_or(given->runtime_name, "")))
		return err_set(err, ERR_INVALID, "sandbox.Runtime.Name field is immutable");
	meta_labels_replace(&s->labels, &given->labels);
	meta_extensions_replace(&s->extensions, &given->extensions);
	meta_any_replace(&s->spec, &given->spec);
	replace_runtime(s, given);
	return 0;
}

static int apply_path(void *to, const void *from, const char *path, struct err *err)
{
	struct sandbox *s = to;
	const struct sandbox *given = from;
	AUTO_FREE char *quoted_path = str_quote(path);
	AUTO_FREE char *quoted_id = str_quote(s->id);
	const char *key;

	if ((key = meta_path_key(path, "labels.")) != NULL)
		meta_label_apply(&s->labels, &given->labels, key);
	else if ((key = meta_path_key(path, "extensions.")) != NULL && *key != '\0')
		meta_extension_apply(&s->extensions, &given->extensions, key);
	else if (str_eq(path, "labels"))
		meta_labels_replace(&s->labels, &given->labels);
	else if (str_eq(path, "extensions"))
		meta_extensions_replace(&s->extensions, &given->extensions);
	else if (str_eq(path, "runtime"))
		replace_runtime(s, given);
	else if (str_eq(path, "spec"))
		meta_any_replace(&s->spec, &given->spec);
	else
		return err_set(err, ERR_INVALID, "cannot update %s field on sandbox %s",
				quoted_path, quoted_id);
	return 0;
}

static int update_op(struct kv_txn *txn, void *arg, struct err *err)
{
	struct write_op *op = arg;
	int rc;

	sandbox_free(take_ptr(op->out));
	rc = load(txn, op->ns, op->in->id, &op->out, err);
	if (rc == 0)
		return meta_refuse(err, ERR_NOT_FOUND, "sandbox", op->in->id);
	if (rc < 0 ||
			meta_apply_mask(op->paths, replace_all, apply_path, op->out, op->in,
					err) < 0 ||
			check(op->out, err) < 0)
		return -1;
	op->out->updated_ns = op->m->wall_ns();
	return store(op->m, txn, op->ns, op->out, err);
}

static int update(struct sandbox_store *self, struct ctx *ctx, const struct sandbox *s,
		char *const *fieldpaths, struct sandbox **ret_sandbox, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct write_op op = { meta_of(self), ns, s, fieldpaths, NULL };

	if (ns == NULL)
		return -1;
	return write_sandbox(&op, update_op, ret_sandbox, err);
}

struct remove_op {
	const char *ns, *id;
};

static int remove_record(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct remove_op *op = arg;
	int rc = meta_drop(txn, TABLE_SANDBOX, op->ns, op->id, err);

	return rc == 0 ? meta_refuse(err, ERR_NOT_FOUND, "sandbox", op->id) : rc < 0 ? -1 : 0;
}

/* Not a reason to collect, in the original neither. */
static int remove_sandbox(
		struct sandbox_store *self, struct ctx *ctx, const char *id, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct remove_op op = { ns, id };

	return ns == NULL ? -1 : meta_update(meta_of(self), remove_record, &op, false, err);
}

const struct sandbox_store_ops meta_sandbox_ops = {
	.get = get,
	.list = list,
	.create = create,
	.update = update,
	.remove = remove_sandbox,
};
