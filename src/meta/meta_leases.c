/* SPDX-License-Identifier: Apache-2.0 */
/* Leases and what they hold (reference 01 §7.1). */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/filter.h"
#include "meta/meta_codec_priv.h"
#include "meta/meta_priv.h"

static struct meta *meta_of(struct lease_store *self)
{
	return container_of(self, struct meta, leases);
}

/* 1, 0 or -1. */
static int exists(struct kv_txn *txn, const char *ns, const char *id, struct err *err)
{
	struct kv_bytes value;
	AUTO_KEY(key);

	if (str_is_empty(id))
		return 0;
	return kv_get(txn, meta_key(&key, TABLE_LEASE, ns, id, NULL), &value, err);
}

static int must_exist(struct kv_txn *txn, const char *ns, const char *id, struct err *err)
{
	AUTO_FREE char *quoted = str_quote(str_or(id, ""));
	int rc = exists(txn, ns, id, err);

	return rc != 0 ? (rc < 0 ? -1 : 0) : err_set(err, ERR_NOT_FOUND, "lease %s", quoted);
}

int meta_lease_check(struct kv_txn *txn, const char *ns, const char *lease, struct err *err)
{
	int rc;

	if (str_is_empty(lease))
		return 0;
	rc = exists(txn, ns, lease, err);
	return rc != 0 ? (rc < 0 ? -1 : 0)
		       : err_set(err, ERR_NOT_FOUND, "lease does not exist");
}

static void shade_resource(struct meta *m, const char *ns, const char *type, const char *id)
{
	const char *sn = meta_path_key(type, "snapshots/");

	if (str_eq(type, "content"))
		meta_shade(m, NODE_CONTENT, ns, "", id);
	else if (str_eq(type, "ingests"))
		meta_shade(m, NODE_INGEST, ns, "", id);
	else if (str_eq(type, "images"))
		meta_shade(m, NODE_IMAGE, ns, "", id);
	else if (sn != NULL)
		meta_shade(m, NODE_SNAPSHOT, ns, sn, id);
}

static int put_resource(struct meta *m, struct kv_txn *txn, const char *ns, const char *lease,
		const char *type, const char *id, struct err *err)
{
	AUTO_KEY(key);

	shade_resource(m, ns, type, id);
	return kv_put(txn, meta_key(&key, TABLE_LEASE_RESOURCE, ns, lease, type, id, NULL),
			(struct kv_bytes){ "", 0 }, err);
}

int meta_lease_add(struct meta *m, struct kv_txn *txn, const char *ns, const char *lease,
		const char *type, const char *id, struct err *err)
{
	if (str_is_empty(lease))
		return 0;
	if (meta_lease_check(txn, ns, lease, err) < 0)
		return -1;
	return put_resource(m, txn, ns, lease, type, id, err);
}

int meta_lease_drop(struct kv_txn *txn, const char *ns, const char *lease, const char *type,
		const char *id, struct err *err)
{
	AUTO_KEY(key);

	if (str_is_empty(lease))
		return 0;
	return kv_del(txn, meta_key(&key, TABLE_LEASE_RESOURCE, ns, lease, type, id, NULL),
			       err) < 0
			       ? -1
			       : 0;
}

/* "<nanosecond of the second>-<4 letters>" */
static char *make_id(void)
{
	static const char letters[] =
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint8_t random[4] = { 0 };

	IGNORE(getrandom(random, sizeof(random), 0));
	return xasprintf("%lld-%c%c%c%c", (long long)(clock_wall_ns() % NS_PER_S),
			letters[random[0] % 64], letters[random[1] % 64],
			letters[random[2] % 64], letters[random[3] % 64]);
}

struct create_op {
	struct meta *m;
	const char *ns;
	struct lease *lease;
};

static int create_lease(struct kv_txn *txn, void *arg, struct err *err)
{
	struct create_op *op = arg;
	AUTO_BUF struct buf value = { .limit = SIZE_MAX };
	AUTO_KEY(key);
	int rc = exists(txn, op->ns, op->lease->id, err);

	if (rc < 0)
		return -1;
	if (rc > 0) {
		AUTO_FREE char *quoted = str_quote(op->lease->id);

		return err_set(err, ERR_EXISTS, "lease %s", quoted);
	}
	if (meta_touch_namespace(txn, op->ns, err) < 0)
		return -1;
	op->lease->created_ns = op->m->wall_ns();
	encode_lease(&value, op->lease);
	meta_shade(op->m, NODE_LEASE, op->ns, "", op->lease->id);
	return kv_put(txn, meta_key(&key, TABLE_LEASE, op->ns, op->lease->id, NULL),
			(struct kv_bytes){ value.data, value.size }, err);
}

static int create(struct lease_store *self, struct ctx *ctx, const char *id,
		const struct labels *labels, struct lease *ret_lease, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct lease lease = { 0 };
	struct create_op op = { meta_of(self), ns, &lease };

	if (ns == NULL)
		return -1;
	if (!str_is_empty(labels_find(labels, "")))
		return err_set(err, ERR_INVALID, "lease labels: key required");
	lease.id = str_is_empty(id) ? make_id() : xstrdup(id);
	meta_labels_replace(&lease.labels, labels);
	if (meta_update(op.m, create_lease, &op, false, err) < 0) {
		lease_done(&lease);
		return -1;
	}
	*ret_lease = lease;
	return 0;
}

struct name_op {
	struct meta *m;
	const char *ns, *lease, *type, *id;
};

static int remove_op(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct name_op *op = arg;
	AUTO_KEY(key);

	if (must_exist(txn, op->ns, op->lease, err) < 0)
		return -1;
	if (kv_del_prefix(txn,
			    meta_key(&key, TABLE_LEASE_RESOURCE, op->ns, op->lease, "", NULL),
			    err) < 0)
		return -1;
	return kv_del(txn, meta_key(&key, TABLE_LEASE, op->ns, op->lease, NULL), err) < 0 ? -1
											  : 0;
}

static int remove_lease(struct lease_store *self, struct ctx *ctx, const char *id, bool sync,
		struct err *err)
{
	struct meta *m = meta_of(self);
	const char *ns = ctx_namespace(ctx, err);
	struct name_op op = { m, ns, id, NULL, NULL };

	if (ns == NULL || meta_update(m, remove_op, &op, true, err) < 0)
		return -1;
	return sync ? meta_collect_now(m, ctx, err) : 0;
}

static bool field(void *object, char *const *path, size_t n, const char **ret_value)
{
	const struct lease *l = object;

	if (str_eq(path[0], "id")) {
		*ret_value = l->id;
		return !str_is_empty(l->id);
	}
	if (str_eq(path[0], "labels"))
		return filter_label(&l->labels, path, n, ret_value);
	return false;
}

struct listing {
	lease_each each;
	void *arg;
};

static int list_one(void *listing, struct filter *filter, const char *id, struct kv_bytes value,
		struct err *err)
{
	const struct listing *l = listing;
	struct lease lease = { .id = xstrdup(id) };
	int rc = 0;

	if (decode_lease(value, &lease) && filter_match(filter, field, &lease, err))
		rc = l->each(l->arg, &lease, err);
	lease_done(&lease);
	return err->kind == ERR_NONE ? rc : -1;
}

static int list(struct lease_store *self, struct ctx *ctx, char *const *filters,
		lease_each each, void *arg, struct err *err)
{
	struct listing l = { each, arg };

	return meta_list(meta_of(self), ctx, TABLE_LEASE, "id", filters, list_one, &l, err);
}

static int check_resource(const char *type, const char *id, struct err *err)
{
	const char *sn = meta_path_key(type, "snapshots");
	AUTO_ERR struct err bad = { 0 };

	if (str_eq(type, "content") && digest_check(str_or(id, ""), NULL, &bad) < 0) {
		err_move(err, &bad);
		return err_wrap(err, "invalid content resource id %s", str_or(id, ""));
	}
	if (str_eq(type, "content") || str_eq(type, "ingests") || str_eq(type, "images")) {
		if (str_is_empty(id))
			return err_set(err, ERR_INVALID, "%s: key required", type);
		return 0;
	}
	if (sn != NULL && (*sn == '\0' || *sn == '/')) {
		if (*sn == '\0' || sn[1] == '\0' || strchr(sn + 1, '/') != NULL)
			return err_set(err, ERR_INVALID, "invalid snapshot resource type %s",
					type);
		return str_is_empty(id) ? err_set(err, ERR_INVALID, "%s: key required", type)
					: 0;
	}
	if (str_starts(type, "content/") || str_starts(type, "ingests/") ||
			str_starts(type, "images/"))
		return err_set(err, ERR_INVALID, "invalid resource type %s", type);
	return err_set(err, ERR_UNIMPLEMENTED, "resource type %s not supported yet", type);
}

static int add_op(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct name_op *op = arg;

	if (must_exist(txn, op->ns, op->lease, err) < 0 ||
			check_resource(op->type, op->id, err) < 0)
		return -1;
	return put_resource(op->m, txn, op->ns, op->lease, op->type, op->id, err);
}

static int add_resource(struct lease_store *self, struct ctx *ctx, const char *lease,
		const char *type, const char *id, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct name_op op = { meta_of(self), ns, lease, str_or(type, ""), id };

	return ns == NULL ? -1 : meta_update(op.m, add_op, &op, false, err);
}

static int drop_op(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct name_op *op = arg;

	if (must_exist(txn, op->ns, op->lease, err) < 0 ||
			check_resource(op->type, op->id, err) < 0)
		return -1;
	return meta_lease_drop(txn, op->ns, op->lease, op->type, op->id, err);
}

static int remove_resource(struct lease_store *self, struct ctx *ctx, const char *lease,
		const char *type, const char *id, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct name_op op = { meta_of(self), ns, lease, str_or(type, ""), id };

	return ns == NULL ? -1 : meta_update(op.m, drop_op, &op, true, err);
}

/* The types sort as the original lists them: content, images, ingests, snapshots by name. */
struct resource_listing {
	lease_resource_each each;
	void *arg;
};

static int list_resource(void *listing, struct kv_bytes key, struct kv_bytes value UNUSED,
		struct err *err)
{
	const struct resource_listing *l = listing;
	AUTO_FREE char *type = NULL;
	AUTO_FREE char *id = NULL;
	struct kv_bytes parts[4];

	if (meta_key_split(key, parts, 4) != 4)
		return 0;
	type = meta_bytes_text(parts[2]);
	id = meta_bytes_text(parts[3]);
	return l->each(l->arg, type, id, err);
}

static int resources(struct lease_store *self, struct ctx *ctx, const char *lease,
		lease_resource_each each, void *arg, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	const char *ns = ctx_namespace(ctx, err);
	struct resource_listing l = { each, arg };
	AUTO_KEY(prefix);

	if (ns == NULL || kv_read(meta_of(self)->kv, &txn, err) < 0 ||
			must_exist(txn, ns, lease, err) < 0)
		return -1;
	return meta_walk(txn, ctx, meta_key(&prefix, TABLE_LEASE_RESOURCE, ns, lease, "", NULL),
			list_resource, &l, err);
}

const struct lease_store_ops meta_lease_ops = {
	.create = create,
	.remove = remove_lease,
	.list = list,
	.add_resource = add_resource,
	.remove_resource = remove_resource,
	.resources = resources,
};
