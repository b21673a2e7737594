/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshotter per namespace over a backend that knows only global keys (reference 01 §6.1).
 * Children are counted from links that come and go with their records.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event_maker.h"
#include "core/filter.h"
#include "meta/meta_snapshots_priv.h"

#define LABEL_REF     "containerd.io/snapshot.ref"
#define LABEL_BACKEND "containerd.io/snapshot/"
#define PAGE	      100

struct meta_snapshots *meta_snapshots_of(struct snapshotter *self)
{
	return container_of(self, struct meta_snapshots, base);
}

int meta_snapshot_load(struct kv_txn *txn, const char *ns, const char *sn, const char *name,
		struct snapshot_record *ret, struct err *err)
{
	struct kv_bytes value;
	AUTO_KEY(key);
	int rc;

	if (str_is_empty(name))
		return 0;
	rc = kv_get(txn, meta_key(&key, TABLE_SNAPSHOT, ns, sn, name, NULL), &value, err);
	if (rc <= 0)
		return rc;
	if (decode_snapshot(value, ret))
		return 1;
	snapshot_record_done(ret);
	return meta_damaged("snapshot", name, err);
}

int meta_snapshot_exists(struct kv_txn *txn, const char *ns, const char *sn, const char *name,
		struct err *err)
{
	struct kv_bytes value;
	AUTO_KEY(key);

	if (str_is_empty(name))
		return 0;
	return kv_get(txn, meta_key(&key, TABLE_SNAPSHOT, ns, sn, name, NULL), &value, err);
}

int meta_snapshot_store(struct meta_snapshots *s, struct kv_txn *txn, const char *ns,
		const char *name, const struct snapshot_record *r, struct err *err)
{
	AUTO_BUF struct buf value = { .limit = SIZE_MAX };
	AUTO_KEY(key);

	if (r->parent != NULL && kv_put(txn,
						 meta_key(&key, TABLE_CHILD, ns, s->name,
								 r->parent, name, NULL),
						 (struct kv_bytes){ "", 0 }, err) < 0)
		return -1;
	encode_snapshot(&value, r);
	meta_shade(s->meta, NODE_SNAPSHOT, ns, s->name, name);
	return kv_put(txn, meta_key(&key, TABLE_SNAPSHOT, ns, s->name, name, NULL),
			(struct kv_bytes){ value.data, value.size }, err);
}

int meta_snapshot_delete(struct kv_txn *txn, const char *ns, const char *sn, const char *name,
		struct snapshot_record *ret, struct err *err)
{
	struct snapshot_record r = { 0 };
	AUTO_KEY(key);
	int rc = meta_snapshot_load(txn, ns, sn, name, &r, err);

	if (rc <= 0)
		return rc;
	if (r.parent != NULL)
		rc = kv_del(txn, meta_key(&key, TABLE_CHILD, ns, sn, r.parent, name, NULL),
				err);
	if (rc >= 0)
		rc = kv_del(txn, meta_key(&key, TABLE_SNAPSHOT, ns, sn, name, NULL), err);
	if (rc >= 0 && ret != NULL)
		*ret = r;
	else
		snapshot_record_done(&r);
	return rc < 0 ? -1 : 1;
}

void meta_backend_labels(struct labels *to, const struct labels *from)
{
	for (size_t i = 0; i < from->count; i++)
		if (str_starts(from->items[i].key, LABEL_BACKEND) ||
				str_eq(from->items[i].key, LABEL_REF))
			labels_set(to, from->items[i].key, from->items[i].value);
}

char *meta_backend_key(const char *ns, uint64_t seq, const char *key)
{
	return xasprintf("%s/%llu/%s", ns, (unsigned long long)seq, key);
}

char *meta_snapshot_type(const struct meta_snapshots *s)
{
	return xasprintf("snapshots/%s", s->name);
}

int meta_hold_key(struct meta_snapshots *s, struct ctx *ctx, const char *ns, const char *key,
		struct held *ret_held, struct err *err)
{
	AUTO_FREE char *name = xasprintf("key %s %s %s", s->name, ns, key);

	return hold_alone(&s->meta->holds, ctx, name, ret_held, err);
}

char *meta_backend_hold_name(const char *sn, const char *backend_key)
{
	return xasprintf("backend %s %s", sn, backend_key);
}

int meta_no_snapshot(const char *key, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "snapshot %s does not exist", str_or(key, ""));
}

static int exists(const char *what, const char *key, struct err *err)
{
	AUTO_FREE char *quoted = str_quote(key);

	return err_set(err, ERR_EXISTS, "%s %s", what, quoted);
}

/* Reads one record with a transaction of its own. 1, 0 or -1. */
static int look_up(struct meta_snapshots *s, const char *ns, const char *key,
		struct snapshot_record *ret, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;

	if (kv_read(s->meta->kv, &txn, err) < 0)
		return -1;
	return meta_snapshot_load(txn, ns, s->name, key, ret, err);
}

static int must_find(struct meta_snapshots *s, const char *ns, const char *key,
		struct snapshot_record *ret, struct err *err)
{
	int rc = look_up(s, ns, key, ret, err);

	return rc == 0 ? meta_no_snapshot(key, err) : rc < 0 ? -1 : 0;
}

/* ---- prepare and view ---- */

struct create_op {
	struct meta_snapshots *s;
	const char *ns, *lease, *key, *parent, *target;
	const struct labels *labels;
	char *parent_backend; /* owned; NULL without a parent */
	char *backend;	      /* owned */
	char *found;	      /* the name that was there already, owned */
	bool is_gone;	      /* "found" is not there any more */
};

static void create_op_done(struct create_op *op)
{
	free(op->parent_backend);
	free(op->backend);
	free(op->found);
}

static int find_parent(struct kv_txn *txn, struct create_op *op, struct err *err)
{
	AUTO_SNAPSHOT struct snapshot_record r = { 0 };
	int rc;

	if (op->parent == NULL)
		return 0;
	rc = meta_snapshot_load(txn, op->ns, op->s->name, op->parent, &r, err);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "parent snapshot %s does not exist",
				op->parent);
	if (rc < 0)
		return -1;
	free(op->parent_backend);
	op->parent_backend = take_ptr(r.backend);
	return 0;
}

/* Whether target or key are there already: op->found. */
static int find_taken(struct kv_txn *txn, struct create_op *op, struct err *err)
{
	const char *names[] = { op->target, op->key };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int rc = meta_snapshot_exists(txn, op->ns, op->s->name, names[i], err);

		if (rc < 0)
			return -1;
		if (rc > 0) {
			op->found = xstrdup(names[i]);
			return 0;
		}
	}
	return 0;
}

static int look_before(struct create_op *op, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;

	if (kv_read(op->s->meta->kv, &txn, err) < 0 || find_taken(txn, op, err) < 0)
		return -1;
	if (op->found != NULL)
		return 0;
	if (find_parent(txn, op, err) < 0)
		return -1;
	return meta_lease_check(txn, op->ns, op->lease, err);
}

/* It may have been collected since it was seen. */
static int lease_found(struct kv_txn *txn, void *arg, struct err *err)
{
	struct create_op *op = arg;
	AUTO_FREE char *type = meta_snapshot_type(op->s);
	int rc = meta_snapshot_exists(txn, op->ns, op->s->name, op->found, err);

	op->is_gone = rc == 0;
	if (rc <= 0)
		return rc;
	return meta_lease_add(op->s->meta, txn, op->ns, op->lease, type, op->found, err);
}

/* 0 when it has gone meanwhile. */
static int refuse_taken(struct create_op *op, struct err *err)
{
	const char *what = str_eq(op->found, op->target) ? "target snapshot" : "snapshot";

	if (!str_is_empty(op->lease) &&
			meta_update(op->s->meta, lease_found, op, false, err) < 0)
		return -1;
	return op->is_gone ? 0 : exists(what, op->found, err);
}

static int put_record(struct kv_txn *txn, struct create_op *op, const char *name,
		const char *backend, struct err *err)
{
	AUTO_SNAPSHOT struct snapshot_record r = { 0 };
	AUTO_FREE char *type = meta_snapshot_type(op->s);

	r.backend = xstrdup(backend);
	r.parent = xstrdup(op->parent);
	r.created_ns = r.updated_ns = op->s->meta->wall_ns();
	meta_labels_replace(&r.labels, op->labels);
	if (meta_touch_namespace(txn, op->ns, err) < 0 ||
			meta_snapshot_store(op->s, txn, op->ns, name, &r, err) < 0)
		return -1;
	return meta_lease_add(op->s->meta, txn, op->ns, op->lease, type, name, err);
}

static int record_created(struct kv_txn *txn, void *arg, struct err *err)
{
	struct create_op *op = arg;
	int rc = meta_snapshot_exists(txn, op->ns, op->s->name, op->key, err);

	if (rc != 0)
		return rc < 0 ? -1 : exists("snapshot", op->key, err);
	/* It may have gone meanwhile. */
	if (find_parent(txn, op, err) < 0)
		return -1;
	return put_record(txn, op, op->key, op->backend, err);
}

/* A backend that fetches by itself has the target for another namespace. */
static int adopt_target(struct kv_txn *txn, void *arg, struct err *err)
{
	struct create_op *op = arg;
	int rc = meta_snapshot_exists(txn, op->ns, op->s->name, op->target, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (find_parent(txn, op, err) < 0)
		return -1;
	return put_record(txn, op, op->target, op->found, err);
}

static int note_target(void *arg, const struct snapshot_info *i, struct err *err)
{
	struct create_op *op = arg;

	if (op->found == NULL && i->kind == SNAPSHOT_COMMITTED &&
			str_eq(labels_find(&i->labels, LABEL_REF), op->target) &&
			str_eq(str_or(i->parent, ""), str_or(op->parent_backend, "")))
		op->found = xstrdup(i->name);
	return 0;
}

static int adopt(struct create_op *op, struct ctx *ctx, struct err *err)
{
	if (op->target == NULL)
		return err_plain(err, ERR_UNKNOWN,
				"snapshotter %s has a snapshot %s that is not recorded: "
				"already exists",
				op->s->name, op->backend);
	if (snapshot_walk(op->s->backend, ctx, NULL, note_target, op, err) < 0)
		return -1;
	if (op->found == NULL)
		return err_set(err, ERR_NOT_FOUND, "target snapshot \"%s\"", op->target);
	if (meta_update(op->s->meta, adopt_target, op, false, err) < 0)
		return -1;
	return exists("target snapshot", op->target, err);
}

static int create_backend(struct create_op *op, struct ctx *ctx, enum snapshot_kind kind,
		struct mounts *ret_mounts, struct err *err)
{
	AUTO_LABELS struct labels labels = { 0 };
	AUTO_ERR struct err inner = { 0 };
	int rc;

	meta_backend_labels(&labels, op->labels);
	rc = kind == SNAPSHOT_VIEW
			     ? snapshot_view(op->s->backend, ctx, op->backend,
					       op->parent_backend, &labels, ret_mounts, &inner)
			     : snapshot_prepare(op->s->backend, ctx, op->backend,
					       op->parent_backend, &labels, ret_mounts, &inner);
	if (rc == 0)
		return 0;
	if (inner.kind == ERR_EXISTS && kind == SNAPSHOT_ACTIVE)
		return adopt(op, ctx, err);
	return err_move(err, &inner);
}

static void publish_prepare(struct create_op *op)
{
	struct meta *m = op->s->meta;
	struct any payload = { 0 };

	if (!meta_has_events(m))
		return;
	m->maker->snapshot_prepare(op->key, op->parent, op->s->name, &payload);
	meta_publish(m, op->ns, "/snapshot/prepare", &payload);
}

static void undo_backend(struct create_op *op, struct ctx *ctx)
{
	AUTO_ERR struct err ignored = { 0 };

	if (snapshot_remove(op->s->backend, ctx, op->backend, &ignored) < 0)
		meta_drop_snapshot(op->s->meta, op->s->name, op->backend);
}

static int create_new(struct create_op *op, struct ctx *ctx, enum snapshot_kind kind,
		struct mounts *ret_mounts, struct err *err)
{
	AUTO_MOUNTS struct mounts mounts = { 0 };
	AUTO_FREE char *hold = NULL;
	AUTO_HELD struct held held = { 0 };
	uint64_t seq;

	if (meta_next_seq(op->s->meta, &seq, err) < 0)
		return -1;
	op->backend = meta_backend_key(op->ns, seq, op->key);
	hold = meta_backend_hold_name(op->s->name, op->backend);
	/* Until it is recorded, the collector must not take it for garbage. */
	if (hold_alone(&op->s->meta->holds, ctx, hold, &held, err) < 0 ||
			create_backend(op, ctx, kind, &mounts, err) < 0)
		return -1;
	if (meta_update(op->s->meta, record_created, op, false, err) < 0) {
		undo_backend(op, ctx);
		return -1;
	}
	*ret_mounts = mounts;
	mounts = (struct mounts){ 0 };
	if (kind == SNAPSHOT_ACTIVE)
		publish_prepare(op);
	return 0;
}

static int create_op_run(struct create_op *op, struct ctx *ctx, enum snapshot_kind kind,
		struct mounts *ret_mounts, struct err *err)
{
	AUTO_HELD struct held held = { 0 };

	if (meta_hold_key(op->s, ctx, op->ns, op->key, &held, err) < 0)
		return -1;
	do {
		op->is_gone = false;
		free(take_ptr(op->found));
		if (look_before(op, err) < 0 ||
				(op->found != NULL && refuse_taken(op, err) < 0))
			return -1;
	} while (op->is_gone);
	return create_new(op, ctx, kind, ret_mounts, err);
}

static int create(struct snapshotter *self, struct ctx *ctx, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct mounts *ret_mounts, struct err *err)
{
	static const struct labels none;
	const char *ns = ctx_namespace(ctx, err);
	struct create_op op = { .s = meta_snapshots_of(self),
		.ns = ns,
		.lease = ctx->lease,
		.key = key,
		.parent = str_or(parent, NULL),
		.labels = labels == NULL ? &none : labels };
	int rc;

	if (ns == NULL || meta_labels_check(op.labels, "info.Labels", err) < 0)
		return -1;
	if (str_is_empty(key))
		return err_set(err, ERR_INVALID, "snapshot: key required");
	op.target = str_or(labels_find(op.labels, LABEL_REF), NULL);
	rc = create_op_run(&op, ctx, kind, ret_mounts, err);
	create_op_done(&op);
	return rc;
}

/* ---- reading ---- */

static int mounts_of(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct mounts *ret_mounts, struct err *err)
{
	struct meta_snapshots *s = meta_snapshots_of(self);
	AUTO_SNAPSHOT struct snapshot_record r = { 0 };
	const char *ns = ctx_namespace(ctx, err);

	if (ns == NULL || must_find(s, ns, key, &r, err) < 0)
		return -1;
	return snapshot_mounts(s->backend, ctx, r.backend, ret_mounts, err);
}

static int usage(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct snapshot_usage *ret_usage, struct err *err)
{
	struct meta_snapshots *s = meta_snapshots_of(self);
	AUTO_SNAPSHOT struct snapshot_record r = { 0 };
	const char *ns = ctx_namespace(ctx, err);

	if (ns == NULL || must_find(s, ns, key, &r, err) < 0)
		return -1;
	return snapshot_usage(s->backend, ctx, r.backend, ret_usage, err);
}

/* The backend's view under the client's names, times and labels. */
static void merge(struct snapshot_info *i, const char *key, const struct snapshot_record *r)
{
	free(i->name);
	free(i->parent);
	i->name = xstrdup(key);
	i->parent = xstrdup(r->parent == NULL ? "" : r->parent);
	i->created_ns = r->created_ns;
	i->updated_ns = r->updated_ns;
	for (size_t n = 0; n < r->labels.count; n++)
		labels_set(&i->labels, r->labels.items[n].key, r->labels.items[n].value);
}

static int stat_record(struct meta_snapshots *s, struct ctx *ctx, const char *key,
		const struct snapshot_record *r, struct snapshot_info *ret_info,
		struct err *err)
{
	if (snapshot_stat(s->backend, ctx, r->backend, ret_info, err) < 0)
		return -1;
	merge(ret_info, key, r);
	return 0;
}

static int stat_snapshot(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct snapshot_info *ret_info, struct err *err)
{
	struct meta_snapshots *s = meta_snapshots_of(self);
	AUTO_SNAPSHOT struct snapshot_record r = { 0 };
	AUTO_ERR struct err inner = { 0 };
	const char *ns = ctx_namespace(ctx, err);

	if (ns == NULL || must_find(s, ns, key, &r, err) < 0)
		return -1;
	if (stat_record(s, ctx, key, &r, ret_info, &inner) == 0)
		return 0;
	return inner.kind == ERR_NOT_FOUND ? meta_no_snapshot(key, err) : err_move(err, &inner);
}

static bool field(void *object, char *const *path, size_t n, const char **ret_value)
{
	static const char *const kinds[] = { "unknown", "view", "active", "committed" };
	const struct snapshot_info *i = object;

	if (str_eq(path[0], "kind"))
		*ret_value = (size_t)i->kind < ARRAY_LEN(kinds) ? kinds[i->kind] : kinds[0];
	else if (str_eq(path[0], "name"))
		*ret_value = i->name;
	else if (str_eq(path[0], "parent"))
		*ret_value = i->parent;
	else if (str_eq(path[0], "labels"))
		return filter_label(&i->labels, path, n, ret_value);
	else
		return false;
	return true;
}

struct page {
	char *keys[PAGE];
	struct snapshot_record records[PAGE];
	size_t count;
};

static void page_done(struct page *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->keys[i]);
		snapshot_record_done(&p->records[i]);
	}
	p->count = 0;
}

/* Reads the records behind "after"; the backend is asked later, without a transaction. */
static int read_page(struct meta_snapshots *s, const char *ns, const char *after,
		struct page *p, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value, parts[3];
	AUTO_KEY(prefix);
	AUTO_KEY(from);
	int rc = 0;

	if (kv_read(s->meta->kv, &txn, err) < 0 ||
			kv_iter_new(txn,
					meta_key(&prefix, TABLE_SNAPSHOT, ns, s->name, "",
							NULL),
					meta_key(&from, TABLE_SNAPSHOT, ns, s->name,
							str_or(after, ""), NULL),
					&it, err) < 0)
		return -1;
	while (p->count < PAGE && (rc = kv_iter_next(it, &key, &value, err)) > 0) {
		struct snapshot_record r = { 0 };
		char *name;

		(void)meta_key_split(key, parts, 3);
		name = meta_bytes_text(parts[2]);
		if (str_eq(name, after) || !decode_snapshot(value, &r)) {
			snapshot_record_done(&r);
			free(name);
			continue;
		}
		p->keys[p->count] = name;
		p->records[p->count++] = r;
	}
	return rc < 0 ? -1 : 0;
}

struct walking {
	struct meta_snapshots *s;
	struct filter *filter;
	snapshot_each each;
	void *arg;
};

static int walk_one(struct walking *w, struct ctx *ctx, const char *key,
		const struct snapshot_record *r, struct err *err)
{
	AUTO_ERR struct err inner = { 0 };
	struct snapshot_info i = { 0 };
	int rc = 0;

	if (stat_record(w->s, ctx, key, r, &i, &inner) < 0)
		return inner.kind == ERR_NOT_FOUND ? 0 : err_move(err, &inner);
	if (filter_match(w->filter, field, &i, err))
		rc = w->each(w->arg, &i, err);
	snapshot_info_done(&i);
	return err->kind == ERR_NONE ? rc : -1;
}

static int walk_page(struct walking *w, struct ctx *ctx, struct page *p, struct err *err)
{
	for (size_t i = 0; i < p->count; i++)
		if (walk_one(w, ctx, p->keys[i], &p->records[i], err) < 0)
			return -1;
	return 0;
}

static int walk_pages(struct walking *w, struct ctx *ctx, const char *ns, struct err *err)
{
	AUTO_FREE char *last = NULL;
	struct page p;
	bool is_full;
	int rc;

	do {
		p.count = 0;
		rc = read_page(w->s, ns, last, &p, err);
		if (rc == 0)
			rc = walk_page(w, ctx, &p, err);
		if (p.count > 0) {
			free(last);
			last = xstrdup(p.keys[p.count - 1]);
		}
		is_full = p.count == PAGE;
		page_done(&p);
	} while (rc == 0 && is_full);
	return rc;
}

static int walk(struct snapshotter *self, struct ctx *ctx, char *const *filters,
		snapshot_each each, void *arg, struct err *err)
{
	struct walking w = { meta_snapshots_of(self), NULL, each, arg };
	AUTO(filter_free) struct filter *filter = NULL;
	const char *ns = ctx_namespace(ctx, err);

	if (ns == NULL || meta_filter(filters, false, &filter, err) < 0)
		return -1;
	w.filter = filter;
	return walk_pages(&w, ctx, ns, err);
}

/* ---- update and remove ---- */

struct update_op {
	struct meta_snapshots *s;
	const char *ns;
	const struct snapshot_info *in;
	char *const *paths;
	struct snapshot_record out;
};

static int apply(struct labels *to, const struct update_op *op, struct err *err)
{
	if (strv_len(op->paths) == 0)
		meta_labels_replace(to, &op->in->labels);
	for (size_t i = 0; op->paths != NULL && op->paths[i] != NULL; i++) {
		const char *key = meta_path_key(op->paths[i], "labels.");
		AUTO_FREE char *path = str_quote(op->paths[i]);
		AUTO_FREE char *name = str_quote(op->in->name);

		if (key != NULL)
			meta_label_apply(to, &op->in->labels, key);
		else if (str_eq(op->paths[i], "labels"))
			meta_labels_replace(to, &op->in->labels);
		else
			return err_set(err, ERR_INVALID,
					"cannot update %s field on snapshot %s", path, name);
	}
	return meta_labels_check(to, "info.Labels", err);
}

static int update_record(struct kv_txn *txn, void *arg, struct err *err)
{
	struct update_op *op = arg;
	int rc;

	snapshot_record_done(&op->out);
	rc = meta_snapshot_load(txn, op->ns, op->s->name, op->in->name, &op->out, err);
	if (rc == 0)
		return meta_no_snapshot(op->in->name, err);
	if (rc < 0 || apply(&op->out.labels, op, err) < 0)
		return -1;
	op->out.updated_ns = op->s->meta->wall_ns();
	return meta_snapshot_store(op->s, txn, op->ns, op->in->name, &op->out, err);
}

static int update_both(struct update_op *op, struct ctx *ctx, struct snapshot_info *ret_info,
		struct err *err)
{
	struct snapshot_info to_backend = { 0 };
	int rc;

	if (meta_update(op->s->meta, update_record, op, false, err) < 0)
		return -1;
	to_backend.name = op->out.backend;
	meta_backend_labels(&to_backend.labels, &op->in->labels);
	rc = snapshot_update(op->s->backend, ctx, &to_backend, op->paths, ret_info, err);
	labels_done(&to_backend.labels);
	if (rc == 0)
		merge(ret_info, op->in->name, &op->out);
	return rc;
}

static int update(struct snapshotter *self, struct ctx *ctx, const struct snapshot_info *info,
		char *const *fieldpaths, struct snapshot_info *ret_info, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct update_op op = { meta_snapshots_of(self), ns, info, fieldpaths, { 0 } };
	int rc = ns == NULL ? -1 : update_both(&op, ctx, ret_info, err);

	snapshot_record_done(&op.out);
	return rc;
}

struct remove_op {
	struct meta_snapshots *s;
	const char *ns, *lease, *key;
	struct snapshot_record old;
};

static int remove_record(struct kv_txn *txn, void *arg, struct err *err)
{
	struct remove_op *op = arg;
	AUTO_FREE char *type = meta_snapshot_type(op->s);
	AUTO_KEY(key);
	int rc;

	snapshot_record_done(&op->old);
	if (str_is_empty(op->key))
		return meta_no_snapshot(op->key, err);
	rc = kv_has_prefix(txn,
			meta_key(&key, TABLE_CHILD, op->ns, op->s->name, op->key, "", NULL),
			err);
	if (rc > 0)
		return err_set(err, ERR_PRECONDITION, "cannot remove snapshot with child");
	if (rc == 0)
		rc = meta_snapshot_delete(txn, op->ns, op->s->name, op->key, &op->old, err);
	if (rc <= 0)
		return rc == 0 ? meta_no_snapshot(op->key, err) : -1;
	return meta_lease_drop(txn, op->ns, op->lease, type, op->key, err);
}

static int remove_held(struct remove_op *op, struct ctx *ctx, struct err *err)
{
	AUTO_HELD struct held held = { 0 };
	struct meta *m = op->s->meta;
	struct any payload = { 0 };

	if (meta_hold_key(op->s, ctx, op->ns, str_or(op->key, ""), &held, err) < 0 ||
			meta_update(m, remove_record, op, true, err) < 0)
		return -1;
	meta_drop_snapshot(m, op->s->name, op->old.backend);
	if (meta_has_events(m)) {
		m->maker->snapshot_remove(op->key, op->s->name, &payload);
		meta_publish(m, op->ns, "/snapshot/remove", &payload);
	}
	return 0;
}

static int remove_snapshot(
		struct snapshotter *self, struct ctx *ctx, const char *key, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct remove_op op = { meta_snapshots_of(self), ns, ctx->lease, key, { 0 } };
	int rc = ns == NULL ? -1 : remove_held(&op, ctx, err);

	snapshot_record_done(&op.old);
	return rc;
}

/* It belongs to the metadata. */
static void free_nothing(struct snapshotter *self)
{
}

const struct snapshotter_ops meta_snapshotter_ops = {
	.name = "metadata",
	.create = create,
	.mounts = mounts_of,
	.commit = meta_snapshot_commit,
	.remove = remove_snapshot,
	.stat = stat_snapshot,
	.update = update,
	.usage = usage,
	.walk = walk,
	.free = free_nothing,
};
