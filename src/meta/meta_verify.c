/* SPDX-License-Identifier: Apache-2.0 */
/* Whether records can be read and have what they name (docs/design/033-verify.md). */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/finding.h"
#include "meta/meta_content_priv.h"
#include "meta/meta_gc_scan_priv.h"
#include "meta/meta_snapshots_priv.h"

struct check {
	struct meta *m;
	struct ctx *ctx;
	struct kv_txn *txn;
	const struct finding_sink *sink;
};

static int damaged(const struct check *c, const char *what, const char *name, struct err *err,
		const char *why)
{
	return finding_tell(c->sink, FINDING_DAMAGED, what, name, err, "%s", why);
}

/* "<ns>/<key>", or with the snapshotter between them. Owned. */
static char *name_of(const struct object *o)
{
	return xasprintf("%.*s/%.*s%s%.*s", (int)o->ns.size, (const char *)o->ns.data,
			(int)o->sub.size, (const char *)o->sub.data, o->sub.size > 0 ? "/" : "",
			(int)o->key.size, (const char *)o->key.data);
}

static int check_blob(const struct check *c, const struct object *o, struct kv_bytes value,
		struct err *err)
{
	AUTO_FREE char *digest = meta_bytes_text(o->key);
	AUTO_FREE char *name = name_of(o);
	AUTO_FREE char *why = NULL;
	AUTO_ERR struct err inner = { 0 };
	struct content_info recorded = { 0 }, found = { 0 };
	int64_t size, actual;

	if (!decode_blob(value, &recorded)) {
		content_info_done(&recorded);
		return damaged(c, "content", name, err, "stored record is damaged");
	}
	size = recorded.size;
	content_info_done(&recorded);
	if (content_info(c->m->backend, c->ctx, digest, &found, &inner) < 0) {
		if (inner.kind != ERR_NOT_FOUND && inner.kind != ERR_INVALID)
			return err_move(err, &inner);
		why = xasprintf("is missing; namespace %.*s has it", (int)o->ns.size,
				(const char *)o->ns.data);
		return damaged(c, "blob", digest, err, why);
	}
	actual = found.size;
	content_info_done(&found);
	if (actual == size)
		return 0;
	why = xasprintf("has %lld bytes; namespace %.*s recorded %lld", (long long)actual,
			(int)o->ns.size, (const char *)o->ns.data, (long long)size);
	return damaged(c, "blob", digest, err, why);
}

static int check_image(const struct check *c, const struct object *o, struct kv_bytes value,
		struct err *err)
{
	AUTO_FREE char *ns = meta_bytes_text(o->ns);
	AUTO_FREE char *name = name_of(o);
	AUTO(image_free) struct image *i = image_new("");
	AUTO_FREE char *why = NULL;
	int rc;

	if (!decode_image(value, i))
		return damaged(c, "image", name, err, "stored record is damaged");
	rc = meta_blob_exists(c->txn, ns, str_or(i->target.digest, "-"), err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	why = xasprintf("its content %s is missing", str_or(i->target.digest, "(none)"));
	return damaged(c, "image", name, err, why);
}

static struct meta_snapshots *find_snapshotter(struct meta *m, struct kv_bytes name)
{
	for (size_t i = 0; i < m->snapshotter_count; i++)
		if (strlen(m->snapshotters[i].name) == name.size &&
				memcmp(m->snapshotters[i].name, name.data, name.size) == 0)
			return &m->snapshotters[i];
	return NULL;
}

static int check_parent(const struct check *c, const struct object *o, const char *name,
		const struct snapshot_record *r, struct err *err)
{
	AUTO_FREE char *ns = meta_bytes_text(o->ns), *sn = meta_bytes_text(o->sub);
	AUTO_FREE char *why = NULL;
	int rc = str_is_empty(r->parent) ? 1
					 : meta_snapshot_exists(c->txn, ns, sn, r->parent, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	why = xasprintf("its parent %s is missing", r->parent);
	return damaged(c, "snapshot", name, err, why);
}

static int check_snapshot(const struct check *c, const struct object *o, struct kv_bytes value,
		struct err *err)
{
	struct meta_snapshots *s = find_snapshotter(c->m, o->sub);
	AUTO_SNAPSHOT struct snapshot_record r = { 0 };
	AUTO_FREE char *name = name_of(o);
	AUTO_ERR struct err inner = { 0 };
	struct snapshot_info i = { 0 };

	if (!decode_snapshot(value, &r))
		return damaged(c, "snapshot", name, err, "stored record is damaged");
	if (s == NULL) /* of a plugin that is not looked at */
		return check_parent(c, o, name, &r, err);
	if (snapshot_stat(s->backend, c->ctx, str_or(r.backend, "-"), &i, &inner) == 0) {
		snapshot_info_done(&i);
		return check_parent(c, o, name, &r, err);
	}
	if (inner.kind == ERR_NOT_FOUND)
		return damaged(c, "snapshot", name, err, "its snapshotter does not have it");
	return damaged(c, "snapshot", name, err, err_text(&inner));
}

static bool decodes(enum node_type type, struct kv_bytes value)
{
	struct container *c = container_new("");
	struct ingest_record ingest = { 0 };
	struct commit_record commit = { 0 };
	struct sandbox *sandbox = sandbox_new("");
	struct lease lease = { 0 };
	bool good = type == NODE_CONTAINER ? decode_container(value, c)
		    : type == NODE_LEASE   ? decode_lease(value, &lease)
		    : type == NODE_INGEST  ? decode_ingest(value, &ingest)
		    : type == NODE_COMMIT  ? decode_commit(value, &commit)
		    : type == NODE_SANDBOX ? decode_sandbox(value, sandbox)
					   : true;

	container_free(c);
	sandbox_free(sandbox);
	lease_done(&lease);
	ingest_record_done(&ingest);
	commit_record_done(&commit);
	return good;
}

static const char *type_name(enum node_type type)
{
	switch (type) {
	case NODE_CONTAINER:
		return "container";
	case NODE_LEASE:
		return "lease";
	case NODE_INGEST:
		return "ingest";
	case NODE_COMMIT:
		return "commit";
	case NODE_SANDBOX:
		return "sandbox";
	default:
		return "record";
	}
}

static int check_object(
		void *arg, const struct object *o, struct kv_bytes value, struct err *err)
{
	const struct check *c = arg;
	AUTO_FREE char *name = NULL;

	if (ctx_done(c->ctx, err))
		return -1;
	if (o->type == NODE_CONTENT)
		return check_blob(c, o, value, err);
	if (o->type == NODE_IMAGE)
		return check_image(c, o, value, err);
	if (o->type == NODE_SNAPSHOT)
		return check_snapshot(c, o, value, err);
	if (decodes(o->type, value))
		return 0;
	name = name_of(o);
	return damaged(c, type_name(o->type), name, err, "stored record is damaged");
}

int meta_verify(struct meta *m, struct ctx *ctx, const struct finding_sink *sink,
		struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	struct check c = { m, ctx, NULL, sink };

	if (kv_read(m->kv, &txn, err) < 0)
		return -1;
	c.txn = txn;
	return scan_objects(txn, check_object, &c, err);
}

/* --- marks --- */

static int each_namespace(struct kv_txn *txn, char ***ret_names, struct err *err)
{
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value, part;
	AUTO_KEY(prefix);
	int rc;

	if (kv_iter_new(txn, meta_key(&prefix, TABLE_NAMESPACE, NULL), (struct kv_bytes){ 0 },
			    &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0) {
		AUTO_FREE char *ns = NULL;

		(void)meta_key_split(key, &part, 1);
		ns = meta_bytes_text(part);
		strv_add(ret_names, ns);
	}
	return rc;
}

struct mark_op {
	struct meta *m;
	const char *digest, *why; /* why NULL: the mark goes */
	size_t count;
};

static int mark_in(struct kv_txn *txn, const struct mark_op *op, const char *ns,
		struct content_info *i, struct err *err)
{
	bool is_marked = labels_find(&i->labels, CONTENT_LABEL_DAMAGED) != NULL;

	if (op->why == NULL && !is_marked)
		return 0;
	if (op->why == NULL)
		labels_remove(&i->labels, CONTENT_LABEL_DAMAGED);
	else
		labels_set(&i->labels, CONTENT_LABEL_DAMAGED, op->why);
	return meta_blob_store(op->m, txn, ns, i, err);
}

static int mark_all(struct kv_txn *txn, void *arg, struct err *err)
{
	AUTO_STRV char **names = NULL;
	struct mark_op *op = arg;

	op->count = 0;
	if (each_namespace(txn, &names, err) < 0)
		return -1;
	for (size_t n = 0; n < strv_len(names); n++) {
		AUTO_ERR struct err unread = { 0 };
		struct content_info i = { 0 };
		int rc = meta_blob_load(txn, names[n], op->digest, &i, &unread);

		if (rc <= 0) /* a record that cannot be read is as good as a mark */
			continue;
		rc = mark_in(txn, op, names[n], &i, err);
		content_info_done(&i);
		if (rc < 0)
			return -1;
		op->count++;
	}
	return 0;
}

int meta_mark_damaged(struct meta *m, const char *digest, const char *why, size_t *ret_count,
		struct err *err)
{
	struct mark_op op = { m, digest, why, 0 };

	if (meta_update(m, mark_all, &op, false, err) < 0)
		return -1;
	*ret_count = op.count;
	return 0;
}

int meta_blob_unmark(struct meta *m, struct kv_txn *txn, const char *digest, struct err *err)
{
	struct mark_op op = { m, digest, NULL, 0 };

	return mark_all(txn, &op, err);
}

int meta_blob_is_good(struct kv_txn *txn, const char *ns, const char *digest, struct err *err)
{
	AUTO_ERR struct err unread = { 0 };
	struct content_info i = { 0 };
	int rc = meta_blob_load(txn, ns, digest, &i, &unread);

	if (rc < 0 && unread.kind != ERR_DATA_LOSS)
		return err_move(err, &unread);
	if (rc <= 0)
		return 0;
	rc = labels_find(&i.labels, CONTENT_LABEL_DAMAGED) == NULL;
	content_info_done(&i);
	return rc;
}

int meta_blob_is_marked(struct kv_txn *txn, const char *digest, struct err *err)
{
	AUTO_STRV char **names = NULL;

	if (each_namespace(txn, &names, err) < 0)
		return -1;
	for (size_t n = 0; n < strv_len(names); n++) {
		int rc = meta_blob_exists(txn, names[n], digest, err);

		if (rc > 0)
			rc = meta_blob_is_good(txn, names[n], digest, err) == 0;
		if (rc != 0)
			return rc;
	}
	return 0;
}
