/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces and their labels (reference 01 §4.4). */
#include <stdlib.h>

#include "base/err.h"
#include "base/ident.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event_maker.h"
#include "meta/meta_codec_priv.h"
#include "meta/meta_priv.h"

static struct meta *meta_of(struct namespace_store *self)
{
	return container_of(self, struct meta, namespaces);
}

/* 1 and its labels added, 0 if there is no such namespace. */
static int load(struct kv_txn *txn, const char *name, struct labels *labels, struct err *err)
{
	struct kv_bytes value;
	AUTO_KEY(key);
	int rc;

	if (str_is_empty(name))
		return 0;
	rc = kv_get(txn, meta_key(&key, TABLE_NAMESPACE, name, NULL), &value, err);
	if (rc > 0 && !decode_labels(value, labels))
		return meta_damaged("namespace", name, err);
	return rc;
}

static int store(struct kv_txn *txn, const char *name, const struct labels *labels,
		struct err *err)
{
	AUTO_BUF struct buf value = { .limit = SIZE_MAX };
	AUTO_KEY(key);

	encode_labels(&value, labels);
	return kv_put(txn, meta_key(&key, TABLE_NAMESPACE, name, NULL),
			(struct kv_bytes){ value.data, value.size }, err);
}

static int get_labels(struct namespace_store *self, struct ctx *ctx, const char *name,
		struct labels *ret_labels, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO_LABELS struct labels labels = { 0 };

	if (kv_read(meta_of(self)->kv, &txn, err) < 0 || load(txn, name, &labels, err) < 0)
		return -1;
	*ret_labels = labels;
	labels = (struct labels){ 0 };
	return 0;
}

struct listing {
	namespace_each each;
	void *arg;
};

static int list_value(
		void *listing, struct kv_bytes key, struct kv_bytes value, struct err *err)
{
	const struct listing *l = listing;
	AUTO_LABELS struct labels labels = { 0 };
	AUTO_FREE char *name = NULL;
	struct kv_bytes part;

	(void)meta_key_split(key, &part, 1);
	name = meta_bytes_text(part);
	if (!decode_labels(value, &labels))
		labels_done(&labels); /* the name is good all the same */
	return l->each(l->arg, name, &labels, err);
}

static int list(struct namespace_store *self, struct ctx *ctx, namespace_each each, void *arg,
		struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	struct listing l = { each, arg };
	AUTO_KEY(prefix);

	if (kv_read(meta_of(self)->kv, &txn, err) < 0)
		return -1;
	return meta_walk(txn, ctx, meta_key(&prefix, TABLE_NAMESPACE, NULL), list_value, &l,
			err);
}

struct write_op {
	const char *name;
	const struct labels *labels;
	char *const *paths;
};

static int create_op(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct write_op *op = arg;
	AUTO_LABELS struct labels labels = { 0 };
	AUTO_LABELS struct labels old = { 0 };
	int rc = load(txn, op->name, &old, err);

	if (rc < 0)
		return -1;
	if (rc > 0) {
		AUTO_FREE char *quoted = str_quote(op->name);

		return err_set(err, ERR_EXISTS, "namespace %s", quoted);
	}
	meta_labels_replace(&labels, op->labels);
	return store(txn, op->name, &labels, err);
}

typedef void (*make_event)(
		const char *name, const struct labels *labels, struct any *ret_payload);

static void publish(struct meta *m, const char *name, const char *topic, make_event make,
		const struct labels *labels)
{
	struct any payload = { 0 };

	make(name, labels, &payload);
	/* In the affected namespace, whatever the caller's is. */
	meta_publish(m, name, topic, &payload);
}

static int create(struct namespace_store *self, struct ctx *ctx, const char *name,
		const struct labels *labels, struct err *err)
{
	struct write_op op = { name, labels, NULL };
	struct meta *m = meta_of(self);

	if (ident_check(name, err) < 0 ||
			meta_labels_check(labels, "namespace.Labels", err) < 0)
		return -1;
	if (labels_find(labels, "") != NULL)
		return err_set(err, ERR_INVALID, "namespace.Labels: key required");
	if (meta_update(m, create_op, &op, false, err) < 0)
		return -1;
	if (meta_has_events(m))
		publish(m, name, "/namespaces/create", m->maker->namespace_create, labels);
	return 0;
}

static int apply(struct labels *to, const struct write_op *op, struct err *err)
{
	if (strv_len(op->paths) == 0) {
		if (meta_labels_check(op->labels, "namespace.Labels", err) < 0)
			return -1;
		meta_labels_replace(to, op->labels);
		return 0;
	}
	for (size_t i = 0; op->paths[i] != NULL; i++) {
		const char *key = meta_path_key(op->paths[i], "labels.");
		AUTO_FREE char *quoted = str_quote(op->paths[i]);

		if (key == NULL)
			return err_plain(err, ERR_INVALID, "cannot update %s field", quoted);
		meta_label_apply(to, op->labels, key);
	}
	return 0;
}

static int update_op(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct write_op *op = arg;
	AUTO_LABELS struct labels labels = { 0 };
	int rc = load(txn, op->name, &labels, err);

	if (rc < 0 || apply(&labels, op, err) < 0)
		return -1;
	if (rc == 0 && strv_len(op->paths) == 0 && op->labels->count == 0)
		return 0; /* nothing is set or deleted, so nothing comes to be */
	if (meta_labels_check(&labels, "namespace.Labels", err) < 0)
		return -1;
	return store(txn, op->name, &labels, err);
}

static int update(struct namespace_store *self, struct ctx *ctx, const char *name,
		const struct labels *labels, char *const *fieldpaths, struct err *err)
{
	struct write_op op = { name, labels, fieldpaths };
	struct meta *m = meta_of(self);

	if (ident_check(name, err) < 0 || meta_update(m, update_op, &op, false, err) < 0)
		return -1;
	if (meta_has_events(m))
		publish(m, name, "/namespaces/update", m->maker->namespace_update, labels);
	return 0;
}

/* The next snapshotter behind "after" that has snapshots in this namespace: 1 and its name, or
 * 0.
 */
static int next_snapshotter(struct kv_txn *txn, const char *ns, const char *after,
		char **ret_name, struct err *err)
{
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	AUTO_FREE char *beyond = after == NULL ? xstrdup("") : xasprintf("%s\001", after);
	struct kv_bytes key, value, parts[3];
	AUTO_KEY(prefix);
	AUTO_KEY(from);
	int rc;

	if (kv_iter_new(txn, meta_key(&prefix, TABLE_SNAPSHOT, ns, "", NULL),
			    meta_key(&from, TABLE_SNAPSHOT, ns, beyond, NULL), &it, err) < 0)
		return -1;
	rc = kv_iter_next(it, &key, &value, err);
	if (rc <= 0)
		return rc;
	(void)meta_key_split(key, parts, 3);
	*ret_name = meta_bytes_text(parts[1]);
	return 1;
}

static int left_snapshots(struct kv_txn *txn, const char *ns, char ***left, struct err *err)
{
	AUTO_FREE char *last = NULL;
	char *name;
	int rc;

	while ((rc = next_snapshotter(txn, ns, last, &name, err)) > 0) {
		free(last);
		last = name;
		strv_addf(left, "snapshots on \"%s\" snapshotter", last);
	}
	return rc;
}

static int check_empty(struct kv_txn *txn, const char *name, struct err *err)
{
	static const struct {
		enum table table;
		const char *what;
	} tables[] = {
		{ TABLE_IMAGE, "images" },
		{ TABLE_BLOB, "blobs" },
		{ TABLE_CONTAINER, "containers" },
	};
	AUTO_STRV char **left = NULL;
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *quoted = NULL;
	AUTO_KEY(key);

	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		int rc = kv_has_prefix(
				txn, meta_key(&key, tables[i].table, name, "", NULL), err);

		if (rc < 0)
			return -1;
		if (rc > 0)
			strv_add(&left, tables[i].what);
	}
	if (left_snapshots(txn, name, &left, err) < 0)
		return -1;
	if (strv_len(left) == 0)
		return 0;
	text = strv_join(left, ", ");
	quoted = str_quote(name);
	return err_set(err, ERR_PRECONDITION, "namespace %s must be empty, but it still has %s",
			quoted, text);
}

/* What does not block the removal goes with it. */
static int remove_rest(struct kv_txn *txn, const char *name, struct err *err)
{
	static const enum table tables[] = { TABLE_LEASE, TABLE_LEASE_RESOURCE, TABLE_CHILD,
		TABLE_COMMIT, TABLE_SANDBOX };
	AUTO_KEY(key);

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (kv_del_prefix(txn, meta_key(&key, tables[i], name, "", NULL), err) < 0)
			return -1;
	return meta_remove_ingests(txn, name, err);
}

static int remove_op(struct kv_txn *txn, void *arg, struct err *err)
{
	const char *name = arg;
	AUTO_FREE char *quoted = str_quote(name);
	AUTO_KEY(key);
	int rc = kv_get(txn, meta_key(&key, TABLE_NAMESPACE, name, NULL),
			&(struct kv_bytes){ 0 }, err);

	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "namespace %s", quoted);
	if (rc < 0 || check_empty(txn, name, err) < 0 || remove_rest(txn, name, err) < 0)
		return -1;
	rc = kv_del(txn, meta_key(&key, TABLE_NAMESPACE, name, NULL), err);
	return rc < 0 ? -1 : 0;
}

static int remove_namespace(struct namespace_store *self, struct ctx *ctx, const char *name,
		struct err *err)
{
	struct meta *m = meta_of(self);
	struct any payload = { 0 };

	if (ident_check(name, err) < 0 ||
			meta_update(m, remove_op, (void *)name, false, err) < 0)
		return -1;
	meta_drop_ingest(m, NULL);
	if (meta_has_events(m)) {
		m->maker->namespace_delete(name, &payload);
		meta_publish(m, name, "/namespaces/delete", &payload);
	}
	return 0;
}

const struct namespace_store_ops meta_namespace_ops = {
	.labels = get_labels,
	.list = list,
	.create = create,
	.update = update,
	.remove = remove_namespace,
};
