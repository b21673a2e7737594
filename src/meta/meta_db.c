/* SPDX-License-Identifier: Apache-2.0 */
#include "meta/meta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event.h"
#include "meta/meta_codec_priv.h"
#include "meta/meta_priv.h"

#define FORMAT	       "containerd-metadata"
#define FORMAT_VERSION 1
/* Numbers are reserved on disk in lots, so that most calls need no write for one. */
#define SEQ_LOT 1000

static int collect(struct collector *self, struct gc_stats *ret_stats, struct err *err)
{
	return meta_collect(container_of(self, struct meta, collector), ret_stats, err);
}

static void add_snapshotters(struct meta *m, const struct meta_options *options)
{
	m->snapshotters = xcalloc(options->snapshotter_count + 1, sizeof(*m->snapshotters));
	m->snapshotter_count = options->snapshotter_count;
	for (size_t i = 0; i < m->snapshotter_count; i++) {
		struct meta_snapshots *s = &m->snapshotters[i];

		s->base.ops = &meta_snapshotter_ops;
		s->base.pool = options->snapshotters[i].snapshotter->pool;
		s->meta = m;
		s->name = xstrdup(options->snapshotters[i].name);
		s->backend = options->snapshotters[i].snapshotter;
		gc_space_init(&s->space, meta_free_snapshots);
	}
}

static struct meta *meta_new(const struct meta_options *options)
{
	struct meta *m = xzalloc(sizeof(*m));

	m->containers.ops = &meta_container_ops;
	m->images.ops = &meta_image_ops;
	m->namespaces.ops = &meta_namespace_ops;
	m->leases.ops = &meta_lease_ops;
	m->sandboxes.ops = &meta_sandbox_ops;
	m->content.ops = &meta_content_ops;
	m->content.pool = options->content == NULL ? NULL : options->content->pool;
	m->collector.collect = collect;
	m->backend = options->content;
	m->events = options->events;
	m->maker = options->maker;
	m->isolated = options->isolated;
	m->wall_ns = options->wall_ns == NULL ? clock_wall_ns : options->wall_ns;
	atomic_init(&m->scheduler, NULL);
	holds_init(&m->holds);
	mutex_init(&m->seq_lock, RANK_meta_refs);
	gc_init(&m->gc);
	add_snapshotters(m, options);
	return m;
}

int meta_open(const char *path, const struct meta_options *options, struct meta **ret_meta,
		struct err *err)
{
	AUTO(meta_close) struct meta *m = meta_new(options);
	struct kv_options kv = { FORMAT, FORMAT_VERSION, options->no_sync, options->map_bytes };

	if (kv_open(path, &kv, &m->kv, err) < 0 || meta_recover_commits(m, NULL, err) < 0)
		return -1;
	*ret_meta = take_ptr(m);
	return 0;
}

void meta_close(struct meta *m)
{
	if (m == NULL)
		return;
	meta_stop_freeing(m);
	kv_close(m->kv);
	for (size_t i = 0; i < m->snapshotter_count; i++) {
		gc_space_done(&m->snapshotters[i].space);
		free(m->snapshotters[i].name);
	}
	free(m->snapshotters);
	gc_done(&m->gc);
	mutex_done(&m->seq_lock);
	holds_done(&m->holds);
	free(m);
}

struct container_store *meta_containers(struct meta *m)
{
	return &m->containers;
}

struct image_store *meta_images(struct meta *m)
{
	return &m->images;
}

struct namespace_store *meta_namespaces(struct meta *m)
{
	return &m->namespaces;
}

struct lease_store *meta_leases(struct meta *m)
{
	return &m->leases;
}

struct sandbox_store *meta_sandboxes(struct meta *m)
{
	return &m->sandboxes;
}

struct content_store *meta_content(struct meta *m)
{
	return &m->content;
}

struct snapshotter *meta_snapshotter(struct meta *m, const char *name)
{
	for (size_t i = 0; i < m->snapshotter_count; i++)
		if (str_eq(m->snapshotters[i].name, name))
			return &m->snapshotters[i].base;
	return NULL;
}

struct collector *meta_collector(struct meta *m)
{
	return &m->collector;
}

struct kv *meta_kv(struct meta *m)
{
	return m->kv;
}

void meta_set_scheduler(struct meta *m, struct gc_scheduler *scheduler)
{
	atomic_store(&m->scheduler, scheduler);
}

int meta_update(struct meta *m, kv_update_fn fn, void *arg, bool is_dirty, struct err *err)
{
	struct gc_scheduler *scheduler;

	if (kv_update(m->kv, fn, arg, err) < 0)
		return -1;
	scheduler = atomic_load(&m->scheduler);
	if (scheduler != NULL)
		gc_mutated(scheduler, is_dirty);
	return 0;
}

int meta_touch_namespace(struct kv_txn *txn, const char *ns, struct err *err)
{
	AUTO_BUF struct buf value = { .limit = SIZE_MAX };
	const struct labels none = { 0 };
	struct kv_bytes found;
	AUTO_KEY(key);
	int rc = kv_get(txn, meta_key(&key, TABLE_NAMESPACE, ns, NULL), &found, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	encode_labels(&value, &none);
	return kv_put(txn, (struct kv_bytes){ key.data, key.size },
			(struct kv_bytes){ value.data, value.size }, err);
}

static int reserve_lot(struct kv_txn *txn, void *arg, struct err *err)
{
	uint64_t *first = arg, next = 1;
	struct kv_bytes value;
	AUTO_KEY(key);
	int rc = kv_get(txn, meta_key(&key, TABLE_SEQUENCE, "snapshots", NULL), &value, err);

	if (rc < 0)
		return -1;
	if (rc > 0 && value.size == sizeof(next))
		memcpy(&next, value.data, sizeof(next));
	*first = next;
	next += SEQ_LOT;
	return kv_put(txn, (struct kv_bytes){ key.data, key.size },
			(struct kv_bytes){ &next, sizeof(next) }, err);
}

static bool take_seq(struct meta *m, uint64_t *ret_seq)
{
	LOCKED(&m->seq_lock);
	if (m->seq_next == m->seq_limit)
		return false;
	*ret_seq = m->seq_next++;
	return true;
}

int meta_next_seq(struct meta *m, uint64_t *ret_seq, struct err *err)
{
	uint64_t first;

	while (!take_seq(m, ret_seq)) {
		if (kv_update(m->kv, reserve_lot, &first, err) < 0)
			return -1;
		/* Two callers may reserve a lot each; the second one's is then lost. */
		LOCKED(&m->seq_lock);
		if (m->seq_next < m->seq_limit)
			continue;
		m->seq_next = first;
		m->seq_limit = first + SEQ_LOT;
	}
	return 0;
}

bool meta_has_events(const struct meta *m)
{
	return m->events != NULL && m->maker != NULL;
}

void meta_publish(struct meta *m, const char *ns, const char *topic, struct any *own_payload)
{
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = { .ns = ns };

	/* The change is made and answered; only names that were checked come here. */
	if (event_publish(m->events, &ctx, topic, own_payload, &err) < 0)
		log_warn(&ctx, "publish %s: %s (ignored)", topic, err_text(&err));
	any_done(own_payload);
}
