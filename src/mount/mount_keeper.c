/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/mount_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/gc.h"
#include "core/mount_manager.h"
#include "mount/mount_made.h"
#include "mount/mount_record.h"
#include "mount/mount_transform.h"
#include "os/fs.h"

#define MAX_MOUNTS 255
#define RECORD_MAX ((size_t)16 << 20)

/* Who has a name under way, MAKING or ENDING, is alone with it; others wait. */
enum entry_state {
	MAKING,
	ACTIVE,
	ENDING,
};

struct entry {
	char *key, *ns, *lease; /* lease: "" for none */
	uint64_t serial;
	bool is_held;
	enum entry_state state;	      /* under lock */
	struct activation activation; /* set when it gets ACTIVE, constant from then on */
};

/* What could not be unmounted. */
struct remains {
	struct list node;
	uint64_t serial;
};

struct mount_keeper {
	struct mount_manager manager;
	struct gc_resources resources;
	char *mounts_path, *temp, *root, *boot;
	int mounts_fd, records_fd, root_fd;
	struct mutex lock;
	struct cond changed;
	struct map entries;  /* "ns/name" to struct entry; under lock */
	struct list remains; /* under lock */
	uint64_t serial;     /* under lock: the last one given */
};

static struct mount_keeper *keeper_of(struct mount_manager *m)
{
	return container_of(m, struct mount_keeper, manager);
}

static void entry_free(struct entry *e)
{
	if (e == NULL)
		return;
	free(e->key);
	free(e->ns);
	free(e->lease);
	activation_done(&e->activation);
	free(e);
}
DEFINE_AUTO(struct entry *, entry_free)

static struct entry *entry_new(const char *ns, const char *name, const char *lease)
{
	struct entry *e = xzalloc(sizeof(*e));

	e->key = xasprintf("%s/%s", ns, name);
	e->ns = xstrdup(ns);
	e->lease = xstrdup(lease);
	return e;
}

static struct mount_place place_of(const struct mount_keeper *k, uint64_t serial)
{
	return (struct mount_place){ k->mounts_path, k->mounts_fd, k->temp, serial };
}

/* --- names -------------------------------------------------------------------------------- */

struct waiter {
	struct cancel_hook hook;
	struct mount_keeper *k;
	bool is_told; /* under lock */
};

static void tell_waiter(struct cancel_hook *hook)
{
	struct waiter *w = container_of(hook, struct waiter, hook);

	LOCKED(&w->k->lock);
	w->is_told = true;
	cond_broadcast(&w->k->changed);
}

/* One wait for news of any name, under lock. */
static void wait_for_news(struct mount_keeper *k, const struct ctx *ctx)
{
	struct waiter w = { .hook = { .fired = tell_waiter }, .k = k };
	bool is_hooked = ctx->cancel != NULL && cancel_hook_add(ctx->cancel, &w.hook);

	if (is_hooked || ctx->cancel == NULL) {
		if (ctx->deadline_ns == 0)
			cond_wait(&k->changed, &k->lock);
		else
			(void)cond_wait_until(&k->changed, &k->lock, ctx->deadline_ns);
	}
	/* One that runs just now has the waiter still. */
	if (is_hooked && !cancel_hook_remove(ctx->cancel, &w.hook))
		while (!w.is_told)
			cond_wait(&k->changed, &k->lock);
}

/* Who has the name, or NULL; waits, under lock, for who is making or ending it. */
static int find_settled(struct mount_keeper *k, const struct ctx *ctx, const char *key,
		struct entry **ret_entry, struct err *err)
{
	struct entry *e;

	while ((e = map_find(&k->entries, key)) != NULL && e->state != ACTIVE) {
		if (ctx_done(ctx, err))
			return err_wrap(err, "wait for mount %s", key);
		wait_for_news(k, ctx);
	}
	*ret_entry = e;
	return 0;
}

/* Takes the name. */
static int reserve(struct mount_keeper *k, struct ctx *ctx, const char *ns, const char *name,
		struct entry **ret_entry, struct err *err)
{
	AUTO(entry_free) struct entry *e = entry_new(ns, name, str_or(ctx->lease, ""));
	struct entry *other = NULL;

	LOCKED(&k->lock);
	if (find_settled(k, ctx, e->key, &other, err) < 0)
		return -1;
	if (other != NULL) {
		AUTO_FREE char *quoted = str_quote(name);

		return err_set(err, ERR_EXISTS, "mount %s", quoted);
	}
	e->serial = ++k->serial;
	(void)map_put(&k->entries, e->key, e);
	*ret_entry = take_ptr(e);
	return 0;
}

static void forget(struct mount_keeper *k, struct entry *own_entry)
{
	{
		LOCKED(&k->lock);
		(void)map_remove(&k->entries, own_entry->key);
		cond_broadcast(&k->changed);
	}
	entry_free(own_entry);
}

/* --- taking away -------------------------------------------------------------------------- */

static void remember(struct mount_keeper *k, uint64_t serial)
{
	struct remains *r = xzalloc(sizeof(*r));

	r->serial = serial;
	LOCKED(&k->lock);
	list_append(&k->remains, &r->node);
}

static int clear(struct mount_keeper *k, uint64_t serial, struct ctx *ctx, struct err *err)
{
	struct mount_place p = place_of(k, serial);

	if (mount_place_clear(&p, ctx, err) == 0)
		return 0;
	remember(k, serial);
	return -1;
}

static struct remains *next_remains(struct mount_keeper *k)
{
	LOCKED(&k->lock);
	list_for_each (it, &k->remains) {
		list_remove(it);
		return list_entry(it, struct remains, node);
	}
	return NULL;
}

/* Tries what was busy once more, and waits for none of it. */
static void clear_remains(struct mount_keeper *k)
{
	struct ctx now = { .deadline_ns = 1, .what = "remains of mounts" };
	struct list still;
	struct remains *r;

	list_init(&still);
	while ((r = next_remains(k)) != NULL) {
		AUTO_ERR struct err err = { 0 };
		struct mount_place p = place_of(k, r->serial);

		if (mount_place_clear(&p, &now, &err) == 0)
			free(r);
		else
			list_append(&still, &r->node);
	}
	list_for_each (it, &still) {
		list_remove(it);
		LOCKED(&k->lock);
		list_append(&k->remains, it);
	}
}

static void record_name(uint64_t serial, char out[24])
{
	(void)snprintf(out, 24, "%llu", (unsigned long long)serial);
}

/* The record goes first: nobody is to count on mounts that are going. */
static int end_entry(struct mount_keeper *k, struct entry *own_entry, struct ctx *ctx,
		struct err *err)
{
	char name[24];
	int rc;

	record_name(own_entry->serial, name);
	(void)unlinkat(k->records_fd, name, 0);
	rc = clear(k, own_entry->serial, ctx, err);
	forget(k, own_entry);
	return rc;
}

/* --- activate ----------------------------------------------------------------------------- */

static bool is_allowed(const struct mount_activate *r, const char *type)
{
	return r->allowed != NULL && strv_has(r->allowed, type);
}

/* Prefixes are allowed as "format/" and a star, or with the type they stand before. */
static bool is_prefix_allowed(
		const struct mount_activate *r, const char *prefix, size_t n, const char *type)
{
	AUTO_FREE char *any = xasprintf("%.*s*", (int)n, prefix);

	return is_allowed(r, any) || is_allowed(r, type);
}

/* How many of the mounts are ours to make; -1 if there is nothing for us to do at all. */
static int count_ours(const struct mount_activate *r)
{
	int ours = -1;

	for (size_t i = 0; i < r->mounts->count; i++) {
		const char *full = r->mounts->items[i].type, *type = full;
		size_t n;

		for (; (n = mount_prefix(type)) > 0; type += n)
			if (!is_prefix_allowed(r, type, n, full))
				ours = (int)i;
		if (r->temporary || (mount_is_special(type) && !is_allowed(r, type)))
			ours = (int)i + 1;
	}
	return ours;
}

static bool is_needed(struct mount_manager *self, const struct mounts *mounts)
{
	struct mount_activate r = { .mounts = mounts };

	return count_ours(&r) >= 0;
}

static struct mount_roots roots_of(const struct mount_keeper *k)
{
	return (struct mount_roots){ { k->mounts_path, k->root },
		{ k->mounts_fd, k->root_fd } };
}

static int make_mounts(struct mount_keeper *k, struct mounts *specs, size_t ours,
		uint64_t serial, struct activation *made, struct ctx *ctx, struct err *err)
{
	struct mount_place p = place_of(k, serial);
	struct mount_roots roots = roots_of(k);

	if (mount_place_make(&p, err) < 0)
		return -1;
	for (size_t i = 0; i < ours; i++) {
		struct mount_spec *s = &specs->items[i];

		if (ctx_done(ctx, err) || mount_transform(&roots, made, s, ctx, err) < 0 ||
				mount_place_add(&p, i, ours, s, made, ctx, err) < 0)
			return -1;
	}
	/* The first one that is not ours may have to know where ours are. */
	if (ours < specs->count)
		return mount_transform(&roots, made, &specs->items[ours], ctx, err);
	return 0;
}

static void leave_to_system(const struct mounts *specs, size_t ours, bool temporary,
		struct activation *made)
{
	for (size_t i = ours; i < specs->count; i++) {
		const struct mount_spec *s = &specs->items[i];

		mounts_add(&made->system, s->type, s->source, s->target)->options =
				strv_dup(s->options);
	}
	if (temporary && ours > 0)
		strv_add(&mounts_add(&made->system, "bind", made->active[ours - 1].mount_point,
					 "")
						->options,
				"rbind");
}

static int write_record(struct mount_keeper *k, const struct entry *e,
		const struct activation *made, struct err *err)
{
	AUTO_BUF struct buf b = { .limit = RECORD_MAX };
	struct mount_record r = { k->boot, e->ns, e->lease, *made };
	char name[24];
	int rc;

	mount_record_write(&r, &b);
	if (b.overflowed)
		return err_set(err, ERR_INVALID, "mounts with more than %zu bytes of text",
				RECORD_MAX);
	record_name(e->serial, name);
	rc = io_replace_file(k->records_fd, name, b.data, b.size, 0600);
	return rc < 0 ? err_sys(err, -rc, "write record of %s", made->name) : 0;
}

static int make_entry(struct mount_keeper *k, struct entry *e, const struct mount_activate *r,
		size_t ours, struct ctx *ctx, struct err *err)
{
	AUTO_ACTIVATION struct activation made = { .name = xstrdup(r->name) };
	AUTO_MOUNTS struct mounts specs = { 0 };

	mounts_copy(&specs, r->mounts);
	if (r->labels != NULL)
		labels_copy(&made.labels, r->labels);
	if (make_mounts(k, &specs, ours, e->serial, &made, ctx, err) < 0)
		return -1;
	leave_to_system(&specs, ours, r->temporary, &made);
	if (write_record(k, e, &made, err) < 0)
		return -1;
	e->activation = made;
	made = (struct activation){ 0 };
	return 0;
}

static void show(struct mount_keeper *k, struct entry *e)
{
	LOCKED(&k->lock);
	e->state = ACTIVE;
	cond_broadcast(&k->changed);
}

static int keeper_activate(struct mount_manager *self, struct ctx *ctx,
		const struct mount_activate *r, struct activation *ret_activation,
		struct err *err)
{
	struct mount_keeper *k = keeper_of(self);
	const char *ns = ctx_namespace(ctx, err);
	AUTO_ERR struct err ignored = { 0 };
	struct entry *e = NULL;
	int ours;

	if (ns == NULL)
		return -1;
	if (r->mounts->count > MAX_MOUNTS)
		return err_set(err, ERR_INVALID, "too many mounts (%zu): maximum %d",
				r->mounts->count, MAX_MOUNTS);
	ours = count_ours(r);
	if (ours < 0)
		return err_set(err, ERR_UNIMPLEMENTED, "%s", "");
	clear_remains(k);
	if (reserve(k, ctx, ns, r->name, &e, err) < 0)
		return -1;
	e->is_held = r->is_held;
	if (make_entry(k, e, r, (size_t)ours, ctx, err) < 0) {
		struct ctx undo = { .ns = ns, .what = "undo activation" };

		if (end_entry(k, e, &undo, &ignored) < 0)
			log_warn(&undo, "%s (tried again later)", err_text(&ignored));
		return -1;
	}
	activation_copy(ret_activation, &e->activation); /* nobody else changes it yet */
	show(k, e);
	return 0;
}

/* --- the rest ----------------------------------------------------------------------------- */

static int say_absent(const char *name, struct err *err)
{
	AUTO_FREE char *quoted = str_quote(name);

	return err_plain(err, ERR_NOT_FOUND, "mount %s not found", quoted);
}

static int keeper_deactivate(
		struct mount_manager *self, struct ctx *ctx, const char *name, struct err *err)
{
	struct mount_keeper *k = keeper_of(self);
	const char *ns = ctx_namespace(ctx, err);
	AUTO_FREE char *key = ns == NULL ? NULL : xasprintf("%s/%s", ns, name);
	struct entry *e = NULL;

	if (ns == NULL)
		return -1;
	{
		LOCKED(&k->lock);
		if (find_settled(k, ctx, key, &e, err) < 0)
			return -1;
		if (e != NULL)
			e->state = ENDING;
	}
	if (e == NULL)
		return say_absent(name, err);
	return end_entry(k, e, ctx, err);
}

/* What is being made is not there yet: this never waits. */
static int keeper_info(struct mount_manager *self, struct ctx *ctx, const char *name,
		struct activation *ret_activation, struct err *err)
{
	struct mount_keeper *k = keeper_of(self);
	const char *ns = ctx_namespace(ctx, err);
	AUTO_FREE char *key = ns == NULL ? NULL : xasprintf("%s/%s", ns, name);
	const struct entry *e;

	if (ns == NULL)
		return -1;
	LOCKED(&k->lock);
	e = map_find(&k->entries, key);
	if (e == NULL || e->state != ACTIVE)
		return say_absent(name, err);
	activation_copy(ret_activation, &e->activation);
	return 0;
}

static int by_entry_name(const void *a, const void *b)
{
	return strcmp((*(const struct entry *const *)a)->activation.name,
			(*(const struct entry *const *)b)->activation.name);
}

static int keeper_list(struct mount_manager *self, struct ctx *ctx, activation_each each,
		void *arg, struct err *err)
{
	struct mount_keeper *k = keeper_of(self);
	const char *ns = ctx_namespace(ctx, err);
	AUTO_FREE const struct entry **list = NULL;
	size_t n = 0;

	if (ns == NULL)
		return -1;
	LOCKED(&k->lock);
	list = xcalloc(k->entries.count + 1, sizeof(*list));
	map_for_each (slot, &k->entries) {
		const struct entry *e = slot->value;

		if (e->state == ACTIVE && str_eq(e->ns, ns))
			list[n++] = e;
	}
	qsort(list, n, sizeof(*list), by_entry_name);
	for (size_t i = 0; i < n; i++)
		if (each(arg, &list[i]->activation, err) < 0)
			return -1;
	return 0;
}

static const struct mount_manager_ops manager_ops = { is_needed, keeper_activate,
	keeper_deactivate, keeper_info, keeper_list };

/* --- garbage ------------------------------------------------------------------------------ */

static void walk(struct gc_resources *self,
		void (*each)(void *arg, const struct gc_resource *r), void *arg)
{
	struct mount_keeper *k = container_of(self, struct mount_keeper, resources);

	LOCKED(&k->lock);
	map_for_each (slot, &k->entries) {
		const struct entry *e = slot->value;
		struct gc_resource r = { .ns = e->ns,
			.name = e->activation.name,
			.lease = *e->lease == '\0' ? NULL : e->lease,
			.labels = &e->activation.labels,
			.serial = e->serial,
			.is_active = e->is_held };

		if (e->state == ACTIVE)
			each(arg, &r);
	}
}

static struct entry *claim_serial(struct mount_keeper *k, uint64_t serial)
{
	LOCKED(&k->lock);
	map_for_each (slot, &k->entries) {
		struct entry *e = slot->value;

		if (e->serial != serial || e->state != ACTIVE)
			continue;
		e->state = ENDING;
		return e;
	}
	return NULL;
}

static void remove_garbage(struct gc_resources *self, uint64_t serial)
{
	struct mount_keeper *k = container_of(self, struct mount_keeper, resources);
	struct entry *e = claim_serial(k, serial);
	struct ctx ctx = { .what = "gc of mounts" };
	AUTO_ERR struct err err = { 0 };

	clear_remains(k);
	if (e != NULL && end_entry(k, e, &ctx, &err) < 0)
		log_warn(&ctx, "%s (tried again later)", err_text(&err));
}

/* --- start -------------------------------------------------------------------------------- */

/* Mounts of another boot are gone, whatever is written of them. */
static void load_record(struct mount_keeper *k, const char *name)
{
	AUTO_BUF struct buf b = { .limit = RECORD_MAX };
	AUTO_MOUNT_RECORD struct mount_record r = { 0 };
	AUTO_ERR struct err err = { 0 };
	uint64_t serial = 0;
	struct entry *e;

	if (!str_u64(name, &serial) || io_read_file(k->records_fd, name, &b) < 0 ||
			mount_record_read(b.data, b.size, &r, &err) < 0 ||
			!str_eq(r.boot, k->boot)) {
		(void)unlinkat(k->records_fd, name, 0);
		return;
	}
	e = entry_new(r.ns, r.activation.name, r.lease);
	e->serial = serial;
	e->state = ACTIVE;
	e->activation = r.activation;
	r.activation = (struct activation){ 0 };
	if (serial > k->serial)
		k->serial = serial;
	e = map_put(&k->entries, e->key, e);
	if (e != NULL)
		entry_free(e);
}

static bool has_serial(struct mount_keeper *k, uint64_t serial)
{
	map_for_each (slot, &k->entries)
		if (((const struct entry *)slot->value)->serial == serial)
			return true;
	return false;
}

/* Mounts without a record were being made or taken away. */
static void clear_half_made(struct mount_keeper *k, const char *name)
{
	struct ctx ctx = { .what = "load mounts" };
	AUTO_ERR struct err err = { 0 };
	uint64_t serial = 0;

	if (!str_u64(name, &serial) || has_serial(k, serial))
		return;
	if (serial > k->serial)
		k->serial = serial;
	if (clear(k, serial, &ctx, &err) < 0)
		log_warn(&ctx, "%s (tried again later)", err_text(&err));
}

static int open_dir(const char *dir, const char *name, char **ret_path, int *ret_fd,
		struct err *err)
{
	AUTO_FREE char *path = *name == '\0' ? xstrdup(dir) : xasprintf("%s/%s", dir, name);

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "mkdir %s", path);
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0)
		return err_sys(err, errno, "open %s", path);
	if (ret_path != NULL)
		*ret_path = take_ptr(path);
	return 0;
}

static int open_dirs(struct mount_keeper *k, const char *dir, struct err *err)
{
	AUTO_CLOSE int top = -1;

	if (open_dir(dir, "", NULL, &top, err) < 0 ||
			open_dir(dir, "t", &k->mounts_path, &k->mounts_fd, err) < 0 ||
			open_dir(dir, "r", NULL, &k->records_fd, err) < 0)
		return -1;
	k->root_fd = open(k->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return k->root_fd < 0 ? err_sys(err, errno, "open %s", k->root) : 0;
}

static char *read_boot(void)
{
	AUTO_CLOSE int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	AUTO_BUF struct buf b = { .limit = 256 };

	if (fd < 0 || io_read_all(fd, &b) < 0)
		return xstrdup("");
	return buf_take_str(&b);
}

static void load(struct mount_keeper *k)
{
	AUTO_STRV char **records = NULL, **made = NULL;

	IGNORE(fs_list(k->records_fd, ".", &records)); /* then there is nothing */
	for (char **n = records; n != NULL && *n != NULL; n++)
		load_record(k, *n);
	IGNORE(fs_list(k->mounts_fd, ".", &made));
	for (char **n = made; n != NULL && *n != NULL; n++)
		clear_half_made(k, *n);
}

int mount_keeper_new(const char *dir, const char *root, const char *temp,
		struct mount_keeper **ret_keeper, struct err *err)
{
	AUTO(mount_keeper_free) struct mount_keeper *k = xzalloc(sizeof(*k));

	ASSERT_MAY_BLOCK();
	k->manager.ops = &manager_ops;
	k->resources = (struct gc_resources){ walk, remove_garbage };
	k->mounts_fd = k->records_fd = k->root_fd = -1;
	k->temp = xstrdup(temp);
	k->root = xstrdup(root);
	k->boot = read_boot();
	mutex_init(&k->lock, RANK_mounts);
	cond_init(&k->changed);
	map_init(&k->entries);
	list_init(&k->remains);
	if (open_dirs(k, dir, err) < 0)
		return -1;
	load(k);
	*ret_keeper = take_ptr(k);
	return 0;
}

static void drop_entry(void *value)
{
	entry_free(value);
}

void mount_keeper_free(struct mount_keeper *k)
{
	struct remains *r;

	if (k == NULL)
		return;
	while ((r = next_remains(k)) != NULL)
		free(r);
	map_done(&k->entries, drop_entry);
	cond_done(&k->changed);
	mutex_done(&k->lock);
	close_fd(&k->mounts_fd);
	close_fd(&k->records_fd);
	close_fd(&k->root_fd);
	free(k->mounts_path);
	free(k->temp);
	free(k->root);
	free(k->boot);
	free(k);
}

struct mount_manager *mount_keeper_manager(struct mount_keeper *k)
{
	return &k->manager;
}

struct gc_resources *mount_keeper_resources(struct mount_keeper *k)
{
	return &k->resources;
}
