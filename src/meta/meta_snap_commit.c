/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Committing a snapshot changes the backend and the records, which cannot be one transaction.
 * So the intent is written first; a crash between is repaired by what the backend then has
 * (docs/design/012-metadata.md).
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event_maker.h"
#include "meta/meta_snapshots_priv.h"

/* For a backend that another process serves. */
#define RECOVER_DEADLINE (10 * NS_PER_S)

struct commit_op {
	struct meta_snapshots *s;
	const char *ns, *lease, *key, *name, *parent;
	const struct labels *labels;
	uint64_t seq;
	struct commit_record intent; /* owned */
	char *parent_backend;	     /* owned; NULL: no rebase */
	struct snapshot_record old;  /* owned */
	bool is_taken;		     /* the name is: only the lease was added to */
};

static void commit_op_done(struct commit_op *op)
{
	commit_record_done(&op->intent);
	snapshot_record_done(&op->old);
	free(op->parent_backend);
}

static struct kv_bytes intent_key(struct buf *key, const struct commit_op *op)
{
	return meta_key(key, TABLE_COMMIT, op->ns, op->s->name, op->key, NULL);
}

static int name_is_taken(const char *name, struct err *err)
{
	AUTO_FREE char *quoted = str_quote(name);

	return err_set(err, ERR_EXISTS, "snapshot %s", quoted);
}

/* Only an active snapshot without a parent takes the one that is asked for now. */
static int find_new_parent(struct kv_txn *txn, struct commit_op *op, struct err *err)
{
	AUTO_SNAPSHOT struct snapshot_record r = { 0 };
	int rc;

	if (op->parent == NULL || op->old.parent != NULL)
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

static int check(struct kv_txn *txn, struct commit_op *op, struct err *err)
{
	int rc;

	if (meta_lease_check(txn, op->ns, op->lease, err) < 0)
		return -1;
	rc = meta_snapshot_exists(txn, op->ns, op->s->name, op->name, err);
	op->is_taken = rc > 0;
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	snapshot_record_done(&op->old);
	rc = meta_snapshot_load(txn, op->ns, op->s->name, op->key, &op->old, err);
	if (rc <= 0)
		return rc == 0 ? meta_no_snapshot(op->key, err) : -1;
	return find_new_parent(txn, op, err);
}

static int lease_name(struct kv_txn *txn, const struct commit_op *op, const char *name,
		struct err *err)
{
	AUTO_FREE char *type = meta_snapshot_type(op->s);

	return meta_lease_add(op->s->meta, txn, op->ns, op->lease, type, name, err);
}

static struct kv_bytes link_key(struct buf *key, const struct commit_op *op)
{
	return meta_key(key, TABLE_CHILD, op->ns, op->s->name, op->intent.parent, op->key,
			NULL);
}

static int write_intent(struct kv_txn *txn, void *arg, struct err *err)
{
	struct commit_op *op = arg;
	AUTO_BUF struct buf value = { .limit = SIZE_MAX };
	struct commit_record *r = &op->intent;
	AUTO_KEY(key);

	commit_record_done(r);
	if (check(txn, op, err) < 0)
		return -1;
	if (op->is_taken)
		return lease_name(txn, op, op->name, err);
	r->name = xstrdup(op->name);
	r->old_backend = xstrdup(op->old.backend);
	r->new_backend = meta_backend_key(op->ns, op->seq, op->name);
	r->parent = xstrdup(op->old.parent != NULL ? op->old.parent : op->parent);
	r->created_ns = op->s->meta->wall_ns();
	meta_labels_replace(&r->labels, op->labels);
	encode_commit(&value, r);
	/* From here on nobody removes the new parent, and the collector keeps what takes part.
	 */
	if (op->parent_backend != NULL &&
			kv_put(txn, link_key(&key, op), (struct kv_bytes){ "", 0 }, err) < 0)
		return -1;
	meta_shade(op->s->meta, NODE_COMMIT, op->ns, op->s->name, op->key);
	return kv_put(txn, intent_key(&key, op), (struct kv_bytes){ value.data, value.size },
			err);
}

/* The link that was made for a parent to come, unless the key is that parent's child anyway. */
static int drop_link(struct kv_txn *txn, const struct commit_op *op, struct err *err)
{
	AUTO_SNAPSHOT struct snapshot_record r = { 0 };
	AUTO_KEY(key);

	if (op->intent.parent == NULL)
		return 0;
	if (meta_snapshot_load(txn, op->ns, op->s->name, op->key, &r, err) < 0)
		return -1;
	if (r.parent != NULL)
		return 0;
	return kv_del(txn, link_key(&key, op), err) < 0 ? -1 : 0;
}

static int drop_intent(struct kv_txn *txn, void *arg, struct err *err)
{
	AUTO_KEY(key);

	if (drop_link(txn, arg, err) < 0)
		return -1;
	return kv_del(txn, intent_key(&key, arg), err) < 0 ? -1 : 0;
}

/* The backend has it: now the names. */
static int finish(struct kv_txn *txn, void *arg, struct err *err)
{
	struct commit_op *op = arg;
	AUTO_FREE char *type = meta_snapshot_type(op->s);
	struct snapshot_record r = { op->intent.new_backend, op->intent.parent,
		op->intent.created_ns, op->intent.created_ns, op->intent.labels };

	if (drop_intent(txn, op, err) < 0 ||
			meta_snapshot_delete(txn, op->ns, op->s->name, op->key, NULL, err) <
					0 ||
			meta_lease_drop(txn, op->ns, op->lease, type, op->key, err) < 0)
		return -1;
	if (meta_snapshot_store(op->s, txn, op->ns, op->intent.name, &r, err) < 0)
		return -1;
	return lease_name(txn, op, op->intent.name, err);
}

static int commit_backend(struct commit_op *op, struct ctx *ctx, struct err *err)
{
	AUTO_LABELS struct labels labels = { 0 };
	AUTO_ERR struct err ignored = { 0 };

	meta_backend_labels(&labels, op->labels);
	if (snapshot_commit(op->s->backend, ctx, op->intent.new_backend, op->intent.old_backend,
			    op->parent_backend, &labels, err) == 0)
		return 0;
	if (kv_update(op->s->meta->kv, drop_intent, op, &ignored) < 0)
		log_warn(ctx, "snapshot %s: forget commit: %s (ignored)", op->key,
				err_text(&ignored));
	return -1;
}

static void publish(struct commit_op *op)
{
	struct meta *m = op->s->meta;
	struct any payload = { 0 };

	if (!meta_has_events(m))
		return;
	m->maker->snapshot_commit(op->key, op->name, op->s->name, &payload);
	meta_publish(m, op->ns, "/snapshot/commit", &payload);
}

static int recover(struct commit_op *op, struct err *err);

/* An earlier commit of the key that the backend has and the records have not: a retry, most
 * likely, which then finds its name taken. */
static int recover_earlier(const struct commit_op *op, struct err *err)
{
	struct commit_op earlier = { .s = op->s, .ns = op->ns, .key = op->key };
	int rc = recover(&earlier, err);

	commit_op_done(&earlier);
	return rc;
}

static int commit_held(struct commit_op *op, struct ctx *ctx, struct err *err)
{
	AUTO_FREE char *hold = NULL;
	AUTO_HELD struct held held = { 0 };

	if (recover_earlier(op, err) < 0 || meta_next_seq(op->s->meta, &op->seq, err) < 0 ||
			meta_update(op->s->meta, write_intent, op, false, err) < 0)
		return -1;
	if (op->is_taken) /* and leased, so that whoever asked can use what is there */
		return name_is_taken(op->name, err);
	hold = meta_backend_hold_name(op->s->name, op->intent.new_backend);
	if (hold_alone(&op->s->meta->holds, ctx, hold, &held, err) < 0 ||
			commit_backend(op, ctx, err) < 0)
		return -1;
	if (meta_update(op->s->meta, finish, op, false, err) < 0)
		return -1; /* the intent stands, and is carried out later */
	publish(op);
	return 0;
}

/* Two names are held in one order, whatever their roles, so that no two calls wait in a ring.
 */
static int commit_both_held(struct commit_op *op, struct ctx *ctx, struct err *err)
{
	bool in_order = strcmp(op->key, op->name) < 0;
	AUTO_HELD struct held first = { 0 };
	AUTO_HELD struct held second = { 0 };

	if (str_eq(op->key, op->name)) {
		if (meta_hold_key(op->s, ctx, op->ns, op->key, &first, err) < 0)
			return -1;
		return commit_held(op, ctx, err);
	}
	if (meta_hold_key(op->s, ctx, op->ns, in_order ? op->key : op->name, &first, err) < 0 ||
			meta_hold_key(op->s, ctx, op->ns, in_order ? op->name : op->key,
					&second, err) < 0)
		return -1;
	return commit_held(op, ctx, err);
}

int meta_snapshot_commit(struct snapshotter *self, struct ctx *ctx, const char *name,
		const char *key, const char *parent, const struct labels *labels,
		struct err *err)
{
	static const struct labels none;
	const char *ns = ctx_namespace(ctx, err);
	struct commit_op op = { .s = meta_snapshots_of(self),
		.ns = ns,
		.lease = ctx->lease,
		.key = str_or(key, ""),
		.name = name,
		.parent = str_or(parent, NULL),
		.labels = labels == NULL ? &none : labels };
	int rc;

	if (ns == NULL || meta_labels_check(op.labels, "info.Labels", err) < 0)
		return -1;
	if (str_is_empty(name))
		return err_set(err, ERR_INVALID, "snapshot: name required");
	rc = commit_both_held(&op, ctx, err);
	commit_op_done(&op);
	return rc;
}

/* ---- after a crash ---- */

struct pending {
	char *ns, *sn, *key;
};

struct pendings {
	struct pending *items;
	size_t count;
};

static void pendings_done(struct pendings *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->items[i].ns);
		free(p->items[i].sn);
		free(p->items[i].key);
	}
	free(p->items);
}

static int read_pendings(struct meta *m, struct pendings *p, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value, parts[3];
	AUTO_KEY(prefix);
	int rc;

	if (kv_read(m->kv, &txn, err) < 0 ||
			kv_iter_new(txn, meta_key(&prefix, TABLE_COMMIT, NULL),
					(struct kv_bytes){ 0 }, &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0) {
		if (meta_key_split(key, parts, 3) != 3)
			continue;
		p->items = xreallocarray(p->items, p->count + 1, sizeof(*p->items));
		p->items[p->count++] = (struct pending){ meta_bytes_text(parts[0]),
			meta_bytes_text(parts[1]), meta_bytes_text(parts[2]) };
	}
	return rc;
}

/* 1 and the intent, 0 if it was carried out meanwhile. A damaged one is forgotten. */
static int load_intent(struct commit_op *op, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	struct kv_bytes value;
	AUTO_KEY(key);
	int rc;

	if (kv_read(op->s->meta->kv, &txn, err) < 0)
		return -1;
	rc = kv_get(txn, intent_key(&key, op), &value, err);
	if (rc > 0 && !decode_commit(value, &op->intent))
		commit_record_done(&op->intent);
	return rc;
}

static int recover(struct commit_op *op, struct err *err)
{
	struct ctx ctx = { .ns = op->ns,
		.deadline_ns = clock_mono_ns() + RECOVER_DEADLINE,
		.cancel = op->s->meta->gc.closing };
	AUTO_ERR struct err inner = { 0 };
	struct snapshot_info i = { 0 };
	int rc = load_intent(op, err);

	if (rc <= 0)
		return rc;
	if (op->intent.name == NULL)
		return kv_update(op->s->meta->kv, drop_intent, op, err);
	rc = snapshot_stat(op->s->backend, &ctx, op->intent.new_backend, &i, &inner);
	snapshot_info_done(&i);
	if (rc < 0 && inner.kind != ERR_NOT_FOUND)
		return err_move(err, &inner);
	return kv_update(op->s->meta->kv, rc < 0 ? drop_intent : finish, op, err);
}

/* One that is under way just now is held, and left alone. */
static int recover_free(struct meta_snapshots *s, const struct pending *p, struct err *err)
{
	struct commit_op op = { .s = s, .ns = p->ns, .key = p->key };
	AUTO_FREE char *name = xasprintf("key %s %s %s", s->name, p->ns, p->key);
	AUTO_HELD struct held held = { 0 };
	int rc = 0;

	if (hold_try_alone(&s->meta->holds, name, &held))
		rc = recover(&op, err);
	commit_op_done(&op);
	return rc;
}

static void note_commits(struct meta_snapshots *s)
{
	LOCKED(&s->meta->gc.lock);
	s->space.has_commits = true;
}

/* False if another process has to be asked: that has its own time. */
static bool is_now(struct meta_snapshots *s, const struct meta_snapshots *of)
{
	if (of != NULL)
		return s == of;
	if (s->base.pool != NULL)
		note_commits(s);
	return s->base.pool == NULL;
}

int meta_recover_commits(struct meta *m, struct meta_snapshots *of, struct err *err)
{
	struct pendings p = { 0 };
	int rc = read_pendings(m, &p, err);

	for (size_t i = 0; rc == 0 && i < p.count; i++) {
		struct snapshotter *base = meta_snapshotter(m, p.items[i].sn);
		struct meta_snapshots *s = base == NULL ? NULL : meta_snapshots_of(base);
		AUTO_ERR struct err ignored = { 0 };

		/* A backend that does not answer must not keep the others from going on. */
		if (s != NULL && is_now(s, of) && recover_free(s, &p.items[i], &ignored) < 0)
			log_warn(NULL, "snapshot %s: recover commit: %s (ignored)",
					p.items[i].key, err_text(&ignored));
	}
	pendings_done(&p);
	return rc;
}
