/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start of a daemon over the tasks of an earlier one (reference 02 §2.15). Bundles are read
 * and shims connected by a few threads at once, which takes as long as there are bundles. What
 * shims say is waited for by nobody: a task is there as soon as its shim accepts a connection,
 * and goes again if the shim, whenever it gets to answer, turns out not to have it. So frozen
 * shims cost nothing, and neither do they lose their containers.
 */
#include <stdlib.h>
#include <string.h>

#include "api/pb.h"
#include "api/pb/task_v3.pb-c.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/container.h"
#include "core/sandbox.h"
#include "os/fs.h"
#include "runtime/pods.h"
#include "runtime/runtime_priv.h"
#include "runtime/shim_log.h"
#include "runtime/shim_name.h"

#define LOADERS	   4
#define SMALL_FILE ((size_t)64 * 1024)

struct loading {
	struct runtime *rt;
	const struct bundle_dirs *dirs;
	bool are_pods;
	struct shim **list; /* one for each bundle */
	size_t count;
	_Atomic size_t next;
	struct mutex lock;
	struct cond changed;
	size_t running;	  /* under lock */
	struct list dead; /* under lock: struct corpse */
};

struct corpse {
	struct list node;
	struct shim *shim;
};

/* Text of a small file in the bundle; owned, NULL if there is none. */
static char *read_text(struct runtime *rt, const struct shim *s, const char *name)
{
	AUTO_BUF struct buf text = { .limit = SMALL_FILE };

	if (bundle_read(dirs_of(rt, s), s->ns, s->id, name, &text) < 0)
		return NULL;
	return buf_take_str(&text);
}

/* The binary that started the shim, or would. NULL if nobody knows. */
static char *find_binary(struct runtime *rt, const struct shim *s)
{
	AUTO(container_free) struct container *c = NULL;
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = { .ns = s->ns };
	char *path = read_text(rt, s, "shim-binary-path");

	if (!str_is_empty(path))
		return path;
	free(path);
	path = NULL;
	if (s->is_pod || container_get(rt->containers, &ctx, s->id, &c, &err) < 0 ||
			shim_find_binary(c->runtime_name, getenv("PATH"), &path, &err) < 0)
		return NULL;
	return path;
}

static int note_endpoint(
		struct runtime *rt, const struct shim *s, const struct shim_endpoint *e)
{
	AUTO_BUF struct buf json = { .limit = SHIM_ANSWER_MAX * 2 };

	shim_endpoint_write(e, &json);
	return bundle_write(dirs_of(rt, s), s->ns, s->id, "bootstrap.json", json.data,
			json.size, 0644);
}

static int read_endpoint(struct runtime *rt, const struct shim *s,
		struct shim_endpoint *ret_endpoint, struct err *err)
{
	AUTO_FREE char *text = read_text(rt, s, "bootstrap.json");
	bool is_old = text == NULL;

	if (is_old)
		text = read_text(rt, s, "address");
	if (text == NULL)
		return err_set(err, ERR_NOT_FOUND, "address of the shim");
	if (shim_endpoint_parse(text, strlen(text), ret_endpoint, err) < 0)
		return -1;
	if (is_old)
		IGNORE(note_endpoint(rt, s, ret_endpoint)); /* there is still the old file */
	return 0;
}

static int reach(struct runtime *rt, struct shim *s, struct err *err)
{
	AUTO_ENDPOINT struct shim_endpoint endpoint = { 0 };
	struct ctx ctx = runtime_ctx(s->ns, rt->timeouts.cleanup, "load");
	char *sandbox = read_text(rt, s, "sandbox");
	int rc;

	if (sandbox != NULL) {
		free(s->sandbox);
		s->sandbox = sandbox;
		s->is_joined = true;
	}
	s->binary = find_binary(rt, s);
	if (read_endpoint(rt, s, &endpoint, err) < 0)
		return -1;
	rc = shim_log_open(rt->loop, s->bundle, &s->log);
	if (rc < 0)
		return err_sys(err, -rc, "open shim log pipe");
	return runtime_connect(rt, s, &ctx, &endpoint, err);
}

/* What the shim says about its task. One question after the other, without a deadline. */
struct check {
	struct shim_ask ask;
	struct job job;
	struct runtime *rt;
	struct arena arena;
};

static void check_done(struct check *c)
{
	shim_unref(c->ask.shim);
	runtime_unref(c->rt);
	arena_done(&c->arena);
	free(c);
}

static void remove_leaked(struct job *job)
{
	struct check *c = container_of(job, struct check, job);

	log_info(&c->ask.ctx, "cleaning leaked shim process, id %s", c->ask.shim->id);
	if (c->ask.shim->is_pod)
		pod_end(c->rt, c->ask.shim, false);
	else
		runtime_undo_create(c->rt, c->ask.shim);
	check_done(c);
}

/* The shim lives, but not for this task: a daemon died while it made or removed it. */
static void leaked(struct check *c)
{
	c->job.run = remove_leaked;
	if (!shim_claim(c->ask.shim) || !runtime_submit(c->rt, &c->job))
		check_done(c);
}

static void got_state(struct shim_ask *ask, const struct rpc_answer *answer)
{
	struct check *c = container_of(ask, struct check, ask);

	/* An exited task has no pids either, and its exit status is still to be told. */
	if (answer->err != NULL && answer->err->kind == ERR_NOT_FOUND)
		leaked(c);
	else
		check_done(c);
}

static void got_pids(struct shim_ask *ask, const struct rpc_answer *answer)
{
	struct check *c = container_of(ask, struct check, ask);
	TaskV3__StateRequest *m =
			ARENA_NEW(&c->arena, TaskV3__StateRequest, task_v3__state_request);
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message = NULL;
	int rc = shim_answer(ask->shim, answer, &task_v3__pids_response__descriptor, &c->arena,
			&message, &err);

	if (rc < 0 && err.kind == ERR_NOT_FOUND) {
		leaked(c);
		return;
	}
	if (rc < 0 || ((TaskV3__PidsResponse *)message)->n_processes > 0) {
		check_done(c);
		return;
	}
	m->id = ask->shim->id;
	ask->method = "State";
	ask->request = &m->base;
	ask->done = got_state;
	shim_ask(ask);
}

/* Connect also finds out which task API it is. */
static void got_connect(struct shim_ask *ask, const struct rpc_answer *answer)
{
	struct check *c = container_of(ask, struct check, ask);
	TaskV3__PidsRequest *m =
			ARENA_NEW(&c->arena, TaskV3__PidsRequest, task_v3__pids_request);

	if (answer->err != NULL) {
		if (!channel_is_closed(ask->shim->channel))
			log_warn(&ask->ctx, "connect to shim of %s: %s (ignored)",
					ask->shim->id, err_text(answer->err));
		check_done(c); /* a closed connection is cleaned up by whoever is told */
		return;
	}
	m->id = ask->shim->id;
	ask->method = "Pids";
	ask->request = &m->base;
	ask->done = got_pids;
	shim_ask(ask);
}

static void check(struct runtime *rt, struct shim *s)
{
	struct check *c = xzalloc(sizeof(*c));
	TaskV3__ConnectRequest *m = NULL;

	c->rt = runtime_ref(rt);
	arena_init(&c->arena, SIZE_MAX);
	c->ask.shim = shim_ref(s);
	c->ask.ctx = (struct ctx){ .ns = s->ns, .what = "load" };
	m = ARENA_NEW(&c->arena, TaskV3__ConnectRequest, task_v3__connect_request);
	m->id = s->id;
	c->ask.method = "Connect";
	c->ask.request = &m->base;
	c->ask.done = got_connect;
	shim_ask(&c->ask);
}

/* What a client knows of is kept, whatever its shim thinks of tasks. */
static bool has_sandbox_record(struct runtime *rt, const struct shim *s)
{
	AUTO(sandbox_free) struct sandbox *sandbox = NULL;
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = { .ns = s->ns };

	return sandbox_get(rt->sandboxes, &ctx, s->id, &sandbox, &err) == 0 ||
	       err.kind != ERR_NOT_FOUND;
}

static void load_one(struct loading *l, struct shim *s)
{
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = { .ns = s->ns, .what = "load" };
	struct corpse *corpse = NULL;

	if (shim_table_reserve(&l->rt->table, s, &err) == 0 && reach(l->rt, s, &err) == 0) {
		shim_table_show(&l->rt->table, s);
		if (!s->is_pod || !has_sandbox_record(l->rt, s))
			check(l->rt, s);
		return;
	}
	log_info(&ctx, "cleaning up dead shim, id %s: %s", s->id, err_text(&err));
	(void)shim_claim(s);
	corpse = xzalloc(sizeof(*corpse));
	corpse->shim = shim_ref(s);
	LOCKED(&l->lock);
	list_append(&l->dead, &corpse->node);
}

struct loader {
	struct job job;
	struct loading *all;
};

static void run_loader(struct job *job)
{
	struct loading *l = container_of(job, struct loader, job)->all;
	size_t i;

	while ((i = atomic_fetch_add(&l->next, 1)) < l->count)
		load_one(l, l->list[i]);
	LOCKED(&l->lock);
	l->running--;
	cond_broadcast(&l->changed);
}

static void load_all(struct loading *l)
{
	struct loader loaders[LOADERS];

	mutex_init(&l->lock, RANK_task_table);
	cond_init(&l->changed);
	list_init(&l->dead);
	for (size_t i = 0; i < LOADERS && i < l->count; i++) {
		loaders[i] = (struct loader){ { .run = run_loader }, l };
		mutex_lock(&l->lock);
		l->running++;
		mutex_unlock(&l->lock);
		if (!runtime_submit(l->rt, &loaders[i].job))
			run_loader(&loaders[i].job);
	}
	mutex_lock(&l->lock);
	while (l->running > 0)
		cond_wait(&l->changed, &l->lock);
	mutex_unlock(&l->lock);
	cond_done(&l->changed);
	mutex_done(&l->lock);
}

/* Only now, so that their clean-up does not stand in the way of the living. Their tasks are
 * registered until it is done: nobody creates them anew meanwhile. */
static void bury_dead(struct loading *l)
{
	list_for_each (it, &l->dead) {
		struct corpse *c = list_entry(it, struct corpse, node);

		list_remove(&c->node);
		runtime_bury(l->rt, c->shim, false);
		free(c);
	}
}

/* A bundle for each entry; what begins with a dot was being made or removed. */
static void find_bundles(struct loading *l, const char *ns)
{
	AUTO_STRV char **names = NULL;

	if (fs_list(l->dirs->state_fd, ns, &names) < 0)
		return;
	for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
		AUTO_FREE char *path = NULL;

		if (names[i][0] == '.') {
			path = xasprintf("%s/%s", ns, names[i]);
			IGNORE(fs_remove_all(l->dirs->state_fd, path)); /* next time */
			continue;
		}
		path = bundle_path(l->dirs, ns, names[i]);
		l->list = xreallocarray(l->list, l->count + 1, sizeof(struct shim *));
		l->list[l->count] = shim_new(ns, names[i], path);
		l->list[l->count++]->is_pod = l->are_pods;
	}
}

/* Work directories survive a reboot, bundles do not. */
static void remove_stray_work(const struct loading *l, const char *ns)
{
	AUTO_STRV char **names = NULL;

	if (fs_list(l->dirs->root_fd, ns, &names) < 0)
		return;
	for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
		AUTO_FREE char *path = xasprintf("%s/%s", ns, names[i]);

		if (!shim_table_has(&l->rt->table, ns, names[i]))
			IGNORE(fs_remove_all(l->dirs->root_fd, path)); /* next time */
	}
}

void runtime_load(struct runtime *rt)
{
	runtime_load_from(rt, &rt->dirs, false);
}

void runtime_load_from(struct runtime *rt, const struct bundle_dirs *dirs, bool are_pods)
{
	AUTO_STRV char **spaces = NULL, **works = NULL;
	struct loading l = { .rt = rt, .dirs = dirs, .are_pods = are_pods };

	ASSERT_MAY_BLOCK();
	IGNORE(fs_list(dirs->state_fd, ".", &spaces)); /* then there is nothing */
	for (size_t i = 0; spaces != NULL && spaces[i] != NULL; i++)
		if (spaces[i][0] != '.')
			find_bundles(&l, spaces[i]);
	load_all(&l);
	IGNORE(fs_list(dirs->root_fd, ".", &works));
	for (size_t i = 0; works != NULL && works[i] != NULL; i++)
		remove_stray_work(&l, works[i]);
	bury_dead(&l);
	shim_list_free(l.list, l.count);
}
