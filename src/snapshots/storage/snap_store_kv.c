/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bookkeeping in a key-value file: docs/design/030-snapshot-records.md. No lock of its own;
 * changes are made and checked in one transaction, and those of many callers share its sync.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/filter.h"
#include "kv/kv.h"
#include "os/fs.h"
#include "snapshots/snap_store.h"
#include "snapshots/storage/snap_record_priv.h"

#define FILE_NAME      "metadata.mdb"
#define FOREIGN_NAME   "metadata.db" /* the original's */
#define FORMAT	       "containerd-snapshots"
#define FORMAT_VERSION 1

#define PREFIX_SNAPSHOT 's' /* and the key: a record */
#define PREFIX_CHILD	'c' /* and two ids, parent and child: nothing */
#define PREFIX_LAST_ID	'i' /* the highest id that was ever recorded */

#define ID_SIZE	   8
#define WALK_BATCH 256

struct store_kv {
	struct snap_store base;
	struct kv *kv;
	atomic_uint_fast64_t last_id;
};

static struct store_kv *kv_of(struct snap_store *self)
{
	return container_of(self, struct store_kv, base);
}

/* --- keys and values --- */

static void put_id(unsigned char out[ID_SIZE], uint64_t id)
{
	for (int i = 0; i < ID_SIZE; i++)
		out[i] = (unsigned char)(id >> (8 * (ID_SIZE - 1 - i)));
}

static uint64_t get_id(const unsigned char in[ID_SIZE])
{
	uint64_t id = 0;

	for (int i = 0; i < ID_SIZE; i++)
		id = id << 8 | in[i];
	return id;
}

static struct kv_bytes bytes_of(const struct buf *b)
{
	return (struct kv_bytes){ b->data, b->size };
}

static void snapshot_key(struct buf *b, const char *key)
{
	buf_clear(b);
	buf_add_byte(b, PREFIX_SNAPSHOT);
	buf_add_str(b, key);
}

struct child_key {
	unsigned char bytes[1 + 2 * ID_SIZE];
};

static struct child_key child_key(uint64_t parent, uint64_t child)
{
	struct child_key k = { { PREFIX_CHILD } };

	put_id(k.bytes + 1, parent);
	put_id(k.bytes + 1 + ID_SIZE, child);
	return k;
}

/* --- inside transactions --- */

/* 1 and the record, 0 if there is none. */
static int read_record(struct kv_txn *txn, const char *key, struct snap_record *ret_record,
		struct err *err)
{
	AUTO_BUF struct buf k = { .limit = SIZE_MAX };
	struct kv_bytes value;
	int rc;

	snapshot_key(&k, key);
	rc = kv_get(txn, bytes_of(&k), &value, err);
	if (rc <= 0)
		return rc;
	if (snap_record_decode(key, strlen(key), value.data, value.size, ret_record, err) < 0)
		return -1;
	return 1;
}

static int write_record(struct kv_txn *txn, const struct snap_record *r, struct err *err)
{
	AUTO_BUF struct buf k = { .limit = SIZE_MAX }, value = { .limit = SIZE_MAX };

	snapshot_key(&k, r->info.name);
	snap_record_encode(r, &value);
	return kv_put(txn, bytes_of(&k), bytes_of(&value), err);
}

static int delete_record(struct kv_txn *txn, const char *key, struct err *err)
{
	AUTO_BUF struct buf k = { .limit = SIZE_MAX };

	snapshot_key(&k, key);
	return kv_del(txn, bytes_of(&k), err) < 0 ? -1 : 0;
}

static int has_record(struct kv_txn *txn, const char *key, struct err *err)
{
	AUTO_BUF struct buf k = { .limit = SIZE_MAX };
	struct kv_bytes value;

	snapshot_key(&k, key);
	return kv_get(txn, bytes_of(&k), &value, err);
}

/* What the record needs to know of its parent: its name, and the ids below it. */
static int adopt_parent(
		struct kv_txn *txn, const char *parent, struct snap_record *r, struct err *err)
{
	struct snap_record p AUTO_SNAP_RECORD = { 0 };
	int rc = read_record(txn, parent, &p, err);

	if (rc < 0 || snap_check_parent(rc == 0 ? NULL : &p.info, parent, err) < 0)
		return -1;
	free(r->info.parent);
	r->info.parent = xstrdup(parent);
	r->parents = xreallocarray(r->parents, p.parent_count + 1, sizeof(*r->parents));
	r->parents[0] = p.id;
	if (p.parent_count > 0)
		memcpy(r->parents + 1, p.parents, p.parent_count * sizeof(*r->parents));
	r->parent_count = p.parent_count + 1;
	return 0;
}

static int link_child(struct kv_txn *txn, const struct snap_record *r, struct err *err)
{
	struct child_key k;

	if (r->parent_count == 0)
		return 0;
	k = child_key(r->parents[0], r->id);
	return kv_put(txn, (struct kv_bytes){ k.bytes, sizeof(k.bytes) },
			(struct kv_bytes){ "", 0 }, err);
}

static int unlink_child(struct kv_txn *txn, const struct snap_record *r, struct err *err)
{
	struct child_key k;

	if (r->parent_count == 0)
		return 0;
	k = child_key(r->parents[0], r->id);
	return kv_del(txn, (struct kv_bytes){ k.bytes, sizeof(k.bytes) }, err) < 0 ? -1 : 0;
}

static int has_child(struct kv_txn *txn, uint64_t id, struct err *err)
{
	struct child_key k = child_key(id, 0);

	return kv_has_prefix(txn, (struct kv_bytes){ k.bytes, 1 + ID_SIZE }, err);
}

static const char last_id_key[] = { PREFIX_LAST_ID };

static int read_last_id(struct kv_txn *txn, uint64_t *ret_id, struct err *err)
{
	struct kv_bytes value;
	int rc = kv_get(txn, (struct kv_bytes){ last_id_key, 1 }, &value, err);

	if (rc > 0 && value.size != ID_SIZE)
		return err_set(err, ERR_DATA_LOSS, "last snapshot id: record is damaged");
	if (rc >= 0)
		*ret_id = rc == 0 ? 0 : get_id(value.data);
	return rc;
}

/* An id that was given out and came to nothing may come again after a restart; one that was
 * recorded may not. */
static int note_last_id(struct kv_txn *txn, uint64_t id, struct err *err)
{
	unsigned char value[ID_SIZE];
	uint64_t last;

	if (read_last_id(txn, &last, err) < 0)
		return -1;
	if (id <= last)
		return 0;
	put_id(value, id);
	return kv_put(txn, (struct kv_bytes){ last_id_key, 1 },
			(struct kv_bytes){ value, sizeof(value) }, err);
}

static void fill_node(const struct snap_record *r, struct snap_node *node)
{
	*node = (struct snap_node){
		.id = r->id, .kind = r->info.kind, .parent_count = r->parent_count
	};
	node->parents = xcalloc(r->parent_count + 1, sizeof(*node->parents));
	if (r->parent_count > 0)
		memcpy(node->parents, r->parents, r->parent_count * sizeof(*node->parents));
	labels_copy(&node->labels, &r->info.labels);
}

/* --- the operations --- */

static int store_kv_new_id(struct snap_store *self, uint64_t *ret_id, struct err *err)
{
	*ret_id = atomic_fetch_add(&kv_of(self)->last_id, 1) + 1;
	return 0;
}

struct create_op {
	uint64_t id;
	enum snapshot_kind kind;
	const char *key, *parent;
	const struct labels *labels;
	int64_t now_ns;
	struct snap_record made;
};

static void begin_record(struct create_op *op)
{
	struct snapshot_info *i = &op->made.info;

	snap_record_done(&op->made); /* of a run before */
	op->made.id = op->id;
	i->name = xstrdup(op->key);
	i->parent = xstrdup("");
	i->kind = op->kind;
	i->created_ns = i->updated_ns = op->now_ns;
	snap_info_set_labels(i, op->labels);
}

static int create_in(struct kv_txn *txn, void *arg, struct err *err)
{
	struct create_op *op = arg;
	int rc = has_record(txn, op->key, err);

	if (rc < 0)
		return -1;
	if (rc > 0)
		return err_set(err, ERR_EXISTS, "snapshot %s", op->key);
	begin_record(op);
	if (!str_is_empty(op->parent) && adopt_parent(txn, op->parent, &op->made, err) < 0)
		return -1;
	if (note_last_id(txn, op->id, err) < 0 || write_record(txn, &op->made, err) < 0)
		return -1;
	return link_child(txn, &op->made, err);
}

static int store_kv_create(struct snap_store *self, uint64_t id, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct snap_node *ret_node, struct err *err)
{
	struct create_op op = { id, kind, key, parent, labels, clock_wall_ns(), { 0 } };
	int rc = kv_update(kv_of(self)->kv, create_in, &op, err);

	if (rc == 0 && ret_node != NULL)
		fill_node(&op.made, ret_node);
	snap_record_done(&op.made);
	return rc;
}

struct commit_op {
	const char *name, *key, *parent;
	const struct snapshot_usage *usage;
	const struct labels *labels;
	int64_t now_ns;
};

static int check_commit(struct kv_txn *txn, const struct commit_op *op,
		struct snap_record *ret_active, struct err *err)
{
	int rc = has_record(txn, op->name, err);

	if (rc < 0)
		return -1;
	if (rc > 0)
		return err_set(err, ERR_EXISTS, "committed snapshot %s", op->name);
	rc = read_record(txn, op->key, ret_active, err);
	if (rc < 0)
		return -1;
	return snap_check_active(rc == 0 ? NULL : &ret_active->info, op->key, err);
}

/* Ids, and with them the links between parents and children, stay as they are. */
static int commit_in(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct commit_op *op = arg;
	struct snap_record r AUTO_SNAP_RECORD = { 0 };
	int rebase;

	if (check_commit(txn, op, &r, err) < 0)
		return -1;
	rebase = snap_check_rebase(&r.info, op->parent, err);
	if (rebase < 0)
		return -1;
	if (rebase > 0 && adopt_parent(txn, op->parent, &r, err) < 0)
		return snap_refuse_rebase(op->parent, err);
	free(r.info.name);
	r.info.name = xstrdup(op->name);
	r.info.kind = SNAPSHOT_COMMITTED;
	r.info.created_ns = r.info.updated_ns = op->now_ns;
	r.usage = *op->usage;
	snap_info_set_labels(&r.info, op->labels);
	if (delete_record(txn, op->key, err) < 0 || write_record(txn, &r, err) < 0)
		return -1;
	return rebase > 0 ? link_child(txn, &r, err) : 0;
}

static int store_kv_commit(struct snap_store *self, const char *name, const char *key,
		const char *parent, const struct snapshot_usage *usage,
		const struct labels *labels, struct err *err)
{
	struct commit_op op = { name, key, parent, usage, labels, clock_wall_ns() };

	return kv_update(kv_of(self)->kv, commit_in, &op, err);
}

struct remove_op {
	const char *key;
	struct snap_record gone;
};

static int remove_in(struct kv_txn *txn, void *arg, struct err *err)
{
	struct remove_op *op = arg;
	int rc;

	snap_record_done(&op->gone);
	rc = read_record(txn, op->key, &op->gone, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "snapshot %s", op->key);
	rc = has_child(txn, op->gone.id, err);
	if (rc < 0)
		return -1;
	if (rc > 0)
		return err_set(err, ERR_PRECONDITION, "cannot remove snapshot with child");
	if (unlink_child(txn, &op->gone, err) < 0)
		return -1;
	return delete_record(txn, op->key, err);
}

static int store_kv_remove(struct snap_store *self, const char *key, struct snap_node *ret_node,
		struct err *err)
{
	struct remove_op op = { key, { 0 } };
	int rc = kv_update(kv_of(self)->kv, remove_in, &op, err);

	if (rc == 0 && ret_node != NULL)
		fill_node(&op.gone, ret_node);
	snap_record_done(&op.gone);
	return rc;
}

static int read_one(struct store_kv *s, const char *key, struct snap_record *ret_record,
		struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	int rc;

	if (kv_read(s->kv, &txn, err) < 0)
		return -1;
	rc = read_record(txn, key, ret_record, err);
	if (rc < 0)
		return -1;
	return rc > 0 ? 0 : err_set(err, ERR_NOT_FOUND, "snapshot %s", key);
}

static int store_kv_find(struct snap_store *self, const char *key, struct snap_node *ret_node,
		struct snapshot_info *ret_info, struct snapshot_usage *ret_usage,
		struct err *err)
{
	struct snap_record r AUTO_SNAP_RECORD = { 0 };

	if (read_one(kv_of(self), key, &r, err) < 0)
		return -1;
	if (ret_node != NULL)
		fill_node(&r, ret_node);
	if (ret_usage != NULL)
		*ret_usage = r.usage;
	if (ret_info != NULL) {
		*ret_info = r.info;
		r.info = (struct snapshot_info){ 0 };
	}
	return 0;
}

struct update_op {
	const struct snapshot_info *change;
	char *const *fieldpaths;
	int64_t now_ns;
	struct snap_record changed;
};

static int update_in(struct kv_txn *txn, void *arg, struct err *err)
{
	struct update_op *op = arg;
	struct snapshot_info *i = &op->changed.info;
	int rc;

	snap_record_done(&op->changed);
	rc = read_record(txn, op->change->name, &op->changed, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "snapshot %s", op->change->name);
	if (snap_info_update(i, op->change, op->fieldpaths, err) < 0)
		return -1;
	i->updated_ns = op->now_ns;
	return write_record(txn, &op->changed, err);
}

static int store_kv_update(struct snap_store *self, const struct snapshot_info *info,
		char *const *fieldpaths, struct snapshot_info *ret_info, uint64_t *ret_id,
		struct err *err)
{
	struct update_op op = { info, fieldpaths, clock_wall_ns(), { 0 } };
	int rc = kv_update(kv_of(self)->kv, update_in, &op, err);

	if (rc == 0) {
		*ret_info = op.changed.info;
		op.changed.info = (struct snapshot_info){ 0 };
		if (ret_id != NULL)
			*ret_id = op.changed.id;
	}
	snap_record_done(&op.changed);
	return rc;
}

/* --- walking --- */

/*
 * Records are copied out in lots, so that neither a slow caller nor a slow expression keeps a
 * transaction open. A lot ends at a key that kv keeps in order: longer ones follow each other
 * in any order, and a walk could not go on between them.
 */
struct lot {
	struct snap_record *records;
	size_t count, room;
	bool is_last;
};

static void lot_clear(struct lot *l)
{
	for (size_t i = 0; i < l->count; i++)
		snap_record_done(&l->records[i]);
	l->count = 0;
}

static void lot_done(struct lot *l)
{
	lot_clear(l);
	free(l->records);
}

static int lot_add(struct lot *l, struct kv_bytes key, struct kv_bytes value, struct err *err)
{
	if (l->count == l->room) {
		l->room = l->room == 0 ? 16 : l->room * 2;
		l->records = xreallocarray(l->records, l->room, sizeof(*l->records));
	}
	if (snap_record_decode((const char *)key.data + 1, key.size - 1, value.data, value.size,
			    &l->records[l->count], err) < 0)
		return -1;
	l->count++;
	return 0;
}

static int lot_fill(struct lot *l, struct kv_txn *txn, const struct buf *from, struct err *err)
{
	static const char prefix[] = { PREFIX_SNAPSHOT };
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value;
	int rc;

	if (kv_iter_new(txn, (struct kv_bytes){ prefix, 1 }, bytes_of(from), &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0) {
		if (lot_add(l, key, value, err) < 0)
			return -1;
		if (l->count >= WALK_BATCH && key.size < KV_KEY_ORDERED)
			return 0;
	}
	l->is_last = true;
	return rc;
}

/* The next lot, from behind the last one's end. */
static int lot_next(struct lot *l, struct store_kv *s, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO_BUF struct buf from = { .limit = SIZE_MAX };

	if (l->count > 0) {
		snapshot_key(&from, l->records[l->count - 1].info.name);
		buf_add_byte(&from, 0);
	}
	lot_clear(l);
	if (kv_read(s->kv, &txn, err) < 0)
		return -1;
	return lot_fill(l, txn, &from, err);
}

static int lot_show(struct lot *l, struct filter *filter, snap_store_each each, void *arg,
		struct err *err)
{
	for (size_t i = 0; i < l->count; i++) {
		struct snap_record *r = &l->records[i];

		if (filter_match(filter, snap_info_field, &r->info, err)) {
			if (each(arg, r->id, &r->info, err) < 0)
				return -1;
		} else if (err->kind != ERR_NONE) {
			return -1;
		}
	}
	return 0;
}

static int store_kv_walk(struct snap_store *self, char *const *filters, snap_store_each each,
		void *arg, struct err *err)
{
	AUTO(filter_free) struct filter *filter = NULL;
	struct lot l = { 0 };
	int rc = 0;

	if (filter_parse(filters, &filter, err) < 0)
		return -1;
	while (rc == 0 && !l.is_last) {
		rc = lot_next(&l, kv_of(self), err);
		if (rc == 0)
			rc = lot_show(&l, filter, each, arg, err);
	}
	lot_done(&l);
	return rc;
}

static void store_kv_free(struct snap_store *self)
{
	struct store_kv *s = kv_of(self);

	kv_close(s->kv);
	free(s);
}

static const struct snap_store_ops store_kv_ops = {
	.new_id = store_kv_new_id,
	.create = store_kv_create,
	.commit = store_kv_commit,
	.remove = store_kv_remove,
	.find = store_kv_find,
	.update = store_kv_update,
	.walk = store_kv_walk,
	.free = store_kv_free,
};

/* Its snapshots are not ours to find garbage among. */
static int refuse_foreign(const char *root, const char *path, struct err *err)
{
	AUTO_FREE char *foreign = xasprintf("%s/%s", root, FOREIGN_NAME);

	if (access(path, F_OK) == 0 || access(foreign, F_OK) < 0)
		return 0;
	return err_set(err, ERR_PRECONDITION,
			"%s belongs to another implementation: use another root, or move it "
			"and "
			"the snapshots next to it away",
			foreign);
}

static int read_start(struct store_kv *s, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	uint64_t last = 0;

	if (kv_read(s->kv, &txn, err) < 0 || read_last_id(txn, &last, err) < 0)
		return -1;
	atomic_init(&s->last_id, last);
	return 0;
}

int snap_store_kv_open(
		const char *root, bool no_sync, struct snap_store **ret_store, struct err *err)
{
	struct kv_options options = { FORMAT, FORMAT_VERSION, no_sync, 0 };
	AUTO_FREE char *path = xasprintf("%s/%s", root, FILE_NAME);
	struct store_kv *s;

	int rc;

	ASSERT_MAY_BLOCK();
	rc = fs_make_dirs_durable(root, 0700);
	if (rc < 0)
		return err_sys(err, -rc, "make %s", root);
	if (refuse_foreign(root, path, err) < 0)
		return -1;
	s = xzalloc(sizeof(*s));
	s->base.ops = &store_kv_ops;
	if (kv_open(path, &options, &s->kv, err) < 0 || read_start(s, err) < 0) {
		store_kv_free(&s->base);
		return -1;
	}
	*ret_store = &s->base;
	return 0;
}

int snap_store_kv_suspend(struct snap_store *s, struct err *err)
{
	return kv_suspend(((struct store_kv *)s)->kv, err);
}

int snap_store_kv_resume(struct snap_store *s, struct err *err)
{
	return kv_resume(((struct store_kv *)s)->kv, err);
}
