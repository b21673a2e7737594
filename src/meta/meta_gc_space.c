/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freeing what no record has any more. The names come from removed records; after a start, and
 * when there are too many to remember, from looking at all that the backends have. Whatever a
 * call is just about to record is held by it and left alone.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "meta/meta_content_priv.h"
#include "meta/meta_gc_scan_priv.h"
#include "meta/meta_snapshots_priv.h"

#define MAX_REMEMBERED 20000
/* A backend behind a proxy may never answer. */
#define BACKEND_DEADLINE (60 * NS_PER_S)

void gc_space_init(struct gc_space *space, void (*free)(struct job *job))
{
	map_init(&space->names);
	map_init(&space->ingests);
	space->job.run = free;
	/* Whatever a crash left behind is found by looking at everything once. */
	space->walk = true;
}

void gc_space_done(struct gc_space *space)
{
	map_done(&space->names, NULL);
	map_done(&space->ingests, NULL);
}

static void remember(struct gc_space *space, struct map *map, const char *name)
{
	if (space->walk)
		return;
	(void)map_put(map, name, map);
	if (map->count <= MAX_REMEMBERED)
		return;
	map_done(map, NULL);
	space->walk = true;
}

void meta_drop_blob(struct meta *m, const char *digest)
{
	LOCKED(&m->gc.lock);
	remember(&m->gc.content, &m->gc.content.names, digest);
}

void meta_drop_ingest(struct meta *m, const char *backend_ref)
{
	LOCKED(&m->gc.lock);
	if (backend_ref == NULL)
		m->gc.content.walk = true;
	else
		remember(&m->gc.content, &m->gc.content.ingests, backend_ref);
}

void meta_drop_snapshot(struct meta *m, const char *snapshotter, const char *backend_key)
{
	struct snapshotter *base = meta_snapshotter(m, snapshotter);
	struct gc_space *space;

	if (base == NULL) /* not configured any more */
		return;
	space = &meta_snapshots_of(base)->space;
	LOCKED(&m->gc.lock);
	remember(space, &space->names, backend_key);
}

/* The names so far; the map is empty after. Owned, NULL-terminated. */
static char **take_names(struct map *map)
{
	char **names = map_sorted_keys(map);

	map_done(map, NULL);
	return names;
}

static void take(struct meta *m, struct gc_space *space, char ***names, char ***ingests,
		bool *walk)
{
	LOCKED(&m->gc.lock);
	*names = take_names(&space->names);
	*ingests = take_names(&space->ingests);
	*walk = space->walk;
	space->walk = false;
}

static void walk_again(struct meta *m, struct gc_space *space)
{
	LOCKED(&m->gc.lock);
	space->walk = true;
}

static struct ctx backend_ctx(struct meta *m)
{
	return (struct ctx){ .deadline_ns = clock_mono_ns() + BACKEND_DEADLINE,
		.cancel = m->gc.closing };
}

/* ---- whose turn it is ---- */

static bool has_work(const struct gc_space *space)
{
	return space->walk || space->has_commits || space->names.count > 0 ||
	       space->ingests.count > 0;
}

/* True if the job is to be submitted. */
static bool start(struct gc *gc, struct gc_space *space)
{
	LOCKED(&gc->lock);
	if (gc->is_closing || !has_work(space))
		return false;
	if (space->is_freeing) {
		space->is_wanted_again = true;
		return false;
	}
	return space->is_freeing = true;
}

/* True if it is to be done once more. */
static bool finish(struct gc *gc, struct gc_space *space)
{
	LOCKED(&gc->lock);
	if (space->is_wanted_again && !gc->is_closing) {
		space->is_wanted_again = false;
		return true;
	}
	space->is_freeing = false;
	cond_broadcast(&gc->idle);
	return false;
}

static void free_space(struct gc *gc, struct gc_space *space, struct pool *pool)
{
	if (!start(gc, space))
		return;
	if (pool == NULL)
		space->job.run(&space->job);
	else if (!pool_submit(pool, &space->job))
		while (finish(gc, space)) /* as stuck as it can be; its turn comes again */
			;
}

void meta_free_space(struct meta *m)
{
	for (size_t i = 0; i < m->snapshotter_count; i++)
		free_space(&m->gc, &m->snapshotters[i].space, m->snapshotters[i].base.pool);
	free_space(&m->gc, &m->gc.content, m->content.pool);
}

static bool is_freeing(const struct meta *m)
{
	for (size_t i = 0; i < m->snapshotter_count; i++)
		if (m->snapshotters[i].space.is_freeing)
			return true;
	return m->gc.content.is_freeing;
}

void meta_stop_freeing(struct meta *m)
{
	cancel_fire(m->gc.closing);
	LOCKED(&m->gc.lock);
	m->gc.is_closing = true;
	while (is_freeing(m))
		cond_wait(&m->gc.idle, &m->gc.lock);
}

/* ---- blobs and ingests ---- */

/* 1 if some namespace has the blob or waits for it. */
static int blob_is_recorded(struct meta *m, const char *digest, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value, part;
	AUTO_KEY(prefix);
	int rc;

	if (kv_read(m->kv, &txn, err) < 0)
		return -1;
	rc = kv_has_prefix(txn, meta_key(&prefix, TABLE_EXPECTED, digest, "", NULL), err);
	if (rc != 0)
		return rc;
	if (kv_iter_new(txn, meta_key(&prefix, TABLE_NAMESPACE, NULL), (struct kv_bytes){ 0 },
			    &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0) {
		AUTO_FREE char *ns = NULL;

		(void)meta_key_split(key, &part, 1);
		ns = meta_bytes_text(part);
		rc = meta_blob_exists(txn, ns, digest, err);
		if (rc != 0)
			return rc;
	}
	return rc;
}

static int free_blob(struct meta *m, struct ctx *ctx, const char *digest, struct err *err)
{
	AUTO_ERR struct err inner = { 0 };
	AUTO_HELD struct held held = { 0 };
	char name[BLOB_HOLD_SIZE];
	int rc;

	meta_blob_hold_name(digest, name);
	if (!hold_try_alone(&m->holds, name, &held)) {
		meta_drop_blob(m, digest); /* whoever holds it may not record it after all */
		return 0;
	}
	rc = blob_is_recorded(m, digest, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (content_remove(m->backend, ctx, digest, &inner) < 0 && inner.kind != ERR_NOT_FOUND)
		return err_move(err, &inner);
	return 0;
}

/* "<ns>/<number>/<ref>": 1 if that ref's record names this ingest. */
static int ingest_is_recorded(struct meta *m, const char *backend_ref, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO_INGEST struct ingest_record r = { 0 };
	const char *slash = strchr(backend_ref, '/');
	const char *ref = slash == NULL ? NULL : strchr(slash + 1, '/');
	AUTO_FREE char *ns = NULL;
	int rc;

	if (ref == NULL)
		return 0;
	ns = xstrndup(backend_ref, (size_t)(slash - backend_ref));
	if (kv_read(m->kv, &txn, err) < 0)
		return -1;
	rc = meta_ingest_load(txn, ns, ref + 1, &r, err);
	return rc <= 0 ? rc : str_eq(r.backend, backend_ref);
}

static int free_ingest(struct meta *m, struct ctx *ctx, const char *ref, struct err *err)
{
	AUTO_ERR struct err inner = { 0 };
	int rc = ingest_is_recorded(m, ref, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (content_abort(m->backend, ctx, ref, &inner) < 0 && inner.kind != ERR_NOT_FOUND)
		return err_move(err, &inner);
	return 0;
}

struct found {
	struct meta *m;
	char ***names;
};

static int note_blob(void *arg, const struct content_info *i, struct err *err)
{
	struct found *f = arg;
	int rc = blob_is_recorded(f->m, i->digest, err);

	if (rc == 0)
		strv_add(f->names, i->digest);
	return rc < 0 ? -1 : 0;
}

static int note_ingest(void *arg, const struct content_status *s, struct err *err)
{
	struct found *f = arg;
	int rc = ingest_is_recorded(f->m, s->ref, err);

	if (rc == 0)
		strv_add(f->names, s->ref);
	return rc < 0 ? -1 : 0;
}

static int free_content(struct meta *m, struct ctx *ctx, char ***blobs, char ***ingests,
		bool walk, struct err *err)
{
	struct found all_blobs = { m, blobs }, all_ingests = { m, ingests };

	if (walk && (content_list(m->backend, ctx, NULL, note_blob, &all_blobs, err) < 0 ||
				    content_status_list(m->backend, ctx, NULL, note_ingest,
						    &all_ingests, err) < 0))
		return -1;
	for (size_t i = 0; *blobs != NULL && (*blobs)[i] != NULL; i++)
		if (free_blob(m, ctx, (*blobs)[i], err) < 0)
			return -1;
	for (size_t i = 0; *ingests != NULL && (*ingests)[i] != NULL; i++)
		if (free_ingest(m, ctx, (*ingests)[i], err) < 0)
			return -1;
	return 0;
}

static void free_all_content(struct meta *m)
{
	struct ctx ctx = backend_ctx(m);
	AUTO_ERR struct err err = { 0 };
	AUTO_STRV char **blobs = NULL;
	AUTO_STRV char **ingests = NULL;
	bool walk;

	take(m, &m->gc.content, &blobs, &ingests, &walk);
	if (free_content(m, &ctx, &blobs, &ingests, walk, &err) == 0)
		return;
	log_warn(NULL, "content garbage collection: %s (ignored)", err_text(&err));
	walk_again(m, &m->gc.content);
}

void meta_free_content(struct job *job)
{
	struct gc *gc = container_of(job, struct gc, content.job);
	struct meta *m = container_of(gc, struct meta, gc);

	do
		free_all_content(m);
	while (finish(gc, &gc->content));
}

/* ---- snapshots ---- */

/* One that may go. Its hold keeps others from recording it. */
struct candidate {
	char *key, *parent;
	struct held held;
	size_t children; /* among the candidates, not yet removed */
	bool is_tried;
};

struct candidates {
	struct meta_snapshots *s;
	struct candidate *items;
	size_t count;
	struct map by_key;
};

static void candidates_done(struct candidates *c)
{
	for (size_t i = 0; i < c->count; i++) {
		held_release(&c->items[i].held);
		free(c->items[i].key);
		free(c->items[i].parent);
	}
	free(c->items);
	map_done(&c->by_key, NULL);
}

static int note_recorded(
		void *arg, const struct object *o, struct kv_bytes value, struct err *err)
{
	struct candidates *c = arg;
	AUTO_SNAPSHOT struct snapshot_record r = { 0 };

	if (o->type != NODE_SNAPSHOT || o->sub.size != strlen(c->s->name) ||
			memcmp(o->sub.data, c->s->name, o->sub.size) != 0)
		return 0;
	if (!decode_snapshot(value, &r)) {
		AUTO_FREE char *key = meta_bytes_text(o->key);

		return meta_damaged("snapshot", key, err);
	}
	(void)map_remove(&c->by_key, r.backend);
	return 0;
}

/* Takes out of by_key what is recorded, under whatever name. */
static int drop_recorded(struct candidates *c, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;

	if (kv_read(c->s->meta->kv, &txn, err) < 0)
		return -1;
	return scan_objects(txn, note_recorded, c, err);
}

static void add_candidate(struct candidates *c, const char *key)
{
	AUTO_FREE char *hold = meta_backend_hold_name(c->s->name, key);
	struct candidate item = { 0 };

	if (!hold_try_alone(&c->s->meta->holds, hold, &item.held)) {
		meta_drop_snapshot(c->s->meta, c->s->name, key);
		return;
	}
	item.key = xstrdup(key);
	c->items = xreallocarray(c->items, c->count + 1, sizeof(*c->items));
	c->items[c->count++] = item;
}

static int note_snapshot(void *arg, const struct snapshot_info *i, struct err *err)
{
	strv_add(arg, i->name);
	return 0;
}

/* Only those of by_key count from here on; each learns its parent. */
static int find_parents(struct candidates *c, struct ctx *ctx, struct err *err)
{
	for (size_t i = 0; i < c->count; i++) {
		struct candidate *one = &c->items[i], *parent;
		AUTO_ERR struct err inner = { 0 };
		struct snapshot_info info = { 0 };

		if (map_find(&c->by_key, one->key) == NULL)
			continue;
		if (snapshot_stat(c->s->backend, ctx, one->key, &info, &inner) < 0) {
			(void)map_remove(&c->by_key, one->key);
			if (inner.kind != ERR_NOT_FOUND)
				return err_move(err, &inner);
			continue;
		}
		one->parent = xstrdup(str_or(info.parent, NULL));
		snapshot_info_done(&info);
		parent = one->parent == NULL ? NULL : map_find(&c->by_key, one->parent);
		if (parent != NULL)
			parent->children++;
	}
	return 0;
}

static int remove_candidate(
		struct candidates *c, struct ctx *ctx, struct candidate *one, struct err *err)
{
	AUTO_ERR struct err inner = { 0 };
	struct candidate *parent;

	one->is_tried = true;
	if (snapshot_remove(c->s->backend, ctx, one->key, &inner) < 0 &&
			inner.kind != ERR_NOT_FOUND) {
		if (inner.kind != ERR_PRECONDITION)
			return err_move(err, &inner);
		log_warn(NULL, "snapshot %s: %s (ignored)", one->key, err_text(&inner));
		meta_drop_snapshot(c->s->meta, c->s->name, one->key);
		return 0;
	}
	parent = one->parent == NULL ? NULL : map_find(&c->by_key, one->parent);
	if (parent != NULL)
		parent->children--;
	return 0;
}

/* Children first: goes down each chain as far as it has become free. */
static int remove_candidates(struct candidates *c, struct ctx *ctx, struct err *err)
{
	for (size_t i = 0; i < c->count; i++) {
		struct candidate *one = map_find(&c->by_key, c->items[i].key);

		while (one != NULL && one->children == 0 && !one->is_tried) {
			if (remove_candidate(c, ctx, one, err) < 0)
				return -1;
			one = one->parent == NULL ? NULL : map_find(&c->by_key, one->parent);
		}
	}
	return 0;
}

/* What is not recorded now. */
static int keep_unrecorded(struct candidates *c, struct ctx *ctx, struct err *err)
{
	for (size_t i = 0; i < c->count; i++)
		(void)map_put(&c->by_key, c->items[i].key, &c->items[i]);
	if (drop_recorded(c, err) < 0)
		return -1;
	return find_parents(c, ctx, err);
}

/* Of all that the backend has: most are recorded, and need not be held. */
static int find_all(struct meta_snapshots *s, struct ctx *ctx, char ***keys, struct err *err)
{
	struct candidates c = { .s = s };
	AUTO_STRV char **all = NULL;
	int rc;

	if (snapshot_walk(s->backend, ctx, NULL, note_snapshot, &all, err) < 0)
		return -1;
	map_init(&c.by_key);
	for (size_t i = 0; all != NULL && all[i] != NULL; i++)
		(void)map_put(&c.by_key, all[i], &c);
	rc = drop_recorded(&c, err);
	if (rc == 0) {
		strv_free(*keys);
		*keys = map_sorted_keys(&c.by_key);
	}
	candidates_done(&c);
	return rc;
}

static int free_keys(
		struct meta_snapshots *s, struct ctx *ctx, char *const *keys, struct err *err)
{
	struct candidates c = { .s = s };
	int rc;

	map_init(&c.by_key);
	for (size_t i = 0; keys[i] != NULL; i++)
		add_candidate(&c, keys[i]);
	rc = keep_unrecorded(&c, ctx, err);
	if (rc == 0)
		rc = remove_candidates(&c, ctx, err);
	candidates_done(&c);
	return rc;
}

static int free_snapshots(struct meta_snapshots *s, char ***keys, bool walk, struct err *err)
{
	struct ctx ctx = backend_ctx(s->meta);

	if (walk && find_all(s, &ctx, keys, err) < 0)
		return -1;
	if (!walk && strv_len(*keys) == 0)
		return 0;
	if (strv_len(*keys) > 0 && free_keys(s, &ctx, *keys, err) < 0)
		return -1;
	return snapshot_cleanup(s->backend, &ctx, err);
}

static int recover_commits(struct meta_snapshots *s, struct err *err)
{
	bool wanted;

	mutex_lock(&s->meta->gc.lock);
	wanted = s->space.has_commits;
	s->space.has_commits = false;
	mutex_unlock(&s->meta->gc.lock);
	return wanted ? meta_recover_commits(s->meta, s, err) : 0;
}

static void free_all_snapshots(struct meta_snapshots *s)
{
	AUTO_STRV char **keys = NULL;
	AUTO_STRV char **none = NULL;
	AUTO_ERR struct err err = { 0 };
	bool walk;

	take(s->meta, &s->space, &keys, &none, &walk);
	if (recover_commits(s, &err) == 0 && free_snapshots(s, &keys, walk, &err) == 0)
		return;
	log_warn(NULL, "snapshot garbage collection: %s: %s (ignored)", s->name,
			err_text(&err));
	walk_again(s->meta, &s->space);
}

void meta_free_snapshots(struct job *job)
{
	struct meta_snapshots *s = container_of(job, struct meta_snapshots, space.job);

	do
		free_all_snapshots(s);
	while (finish(&s->meta->gc, &s->space));
}
