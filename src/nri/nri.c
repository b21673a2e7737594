/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there: the socket, plugins that we start, and the order they are asked in. */
#include "nri/nri.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "nri/nri_priv.h"
#include "nri/nri_values.h"
#include "os/fs.h"
#include "os/unix_socket.h"

#define THREADS	   16
#define MAX_QUEUED 4096

/* --- the turn ----------------------------------------------------------------------------- */

void nri_turn_take(struct nri *n)
{
	unsigned mine;

	ASSERT_MAY_BLOCK();
	LOCKED(&n->lock);
	mine = n->next_ticket++;
	while (mine != n->served_ticket)
		cond_wait(&n->changed, &n->lock);
}

void nri_turn_give(struct nri *n)
{
	LOCKED(&n->lock);
	n->served_ticket++;
	cond_broadcast(&n->changed);
}

void nri_block_sync(struct nri *n)
{
	ASSERT_MAY_BLOCK();
	LOCKED(&n->lock);
	while (n->is_syncing || n->is_launching)
		cond_wait(&n->changed, &n->lock);
	n->sync_blocks++;
}

void nri_unblock_sync(struct nri *n)
{
	LOCKED(&n->lock);
	n->sync_blocks--;
	cond_broadcast(&n->changed);
}

static void sync_begin(struct nri *n)
{
	LOCKED(&n->lock);
	while (n->is_syncing)
		cond_wait(&n->changed, &n->lock);
	n->is_syncing = true;
	while (n->sync_blocks > 0)
		cond_wait(&n->changed, &n->lock);
}

static void sync_end(struct nri *n)
{
	LOCKED(&n->lock);
	n->is_syncing = false;
	cond_broadcast(&n->changed);
}

/* --- who is asked ------------------------------------------------------------------------- */

void nri_round_begin(struct nri *n, struct nri_round *r)
{
	LOCKED(&n->lock);
	r->count = n->active_count;
	for (size_t i = 0; i < r->count; i++)
		r->plugins[i] = nri_plugin_ref(n->active[i]);
}

static void forget_closed_locked(struct nri *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->active_count; i++) {
		if (nri_plugin_is_closed(n->active[i]))
			nri_plugin_unref(n->active[i]);
		else
			n->active[kept++] = n->active[i];
	}
	n->active_count = kept;
}

void nri_round_end(struct nri *n, struct nri_round *r)
{
	bool is_empty;

	mutex_lock(&n->lock);
	forget_closed_locked(n);
	is_empty = n->active_count == 0;
	mutex_unlock(&n->lock);
	for (size_t i = 0; i < r->count; i++)
		nri_plugin_unref(r->plugins[i]);
	if (!is_empty || n->o.validator.is_enabled)
		return;
	/* Nobody remembers; the next plugin is told how things are. */
	map_done(&n->states, NULL);
	map_init(&n->states);
}

bool nri_has_plugins(struct nri *n)
{
	if (n->o.validator.is_enabled)
		return true;
	LOCKED(&n->lock);
	return n->active_count > 0 || n->is_launching;
}

size_t nri_plugin_count(struct nri *n)
{
	size_t count = 0;

	LOCKED(&n->lock);
	for (size_t i = 0; i < n->active_count; i++)
		count += !nri_plugin_is_closed(n->active[i]);
	return count;
}

static void log_order_locked(const struct nri *n)
{
	log_info(NULL, "plugin invocation order");
	for (size_t i = 0; i < n->active_count; i++)
		log_info(NULL, "  #%zu: \"%s\" (%s)", i + 1, nri_plugin_name(n->active[i]),
				nri_plugin_full_name(n->active[i]));
}

/* Behind those of the same index. False if it has gone meanwhile. */
static bool join(struct nri *n, struct nri_plugin *p)
{
	size_t at;

	LOCKED(&n->lock);
	forget_closed_locked(n);
	if (nri_plugin_is_closed(p) || n->is_stopping || n->active_count == NRI_PLUGINS_MAX)
		return false;
	at = n->active_count++;
	for (; at > 0 && strcmp(nri_plugin_index(n->active[at - 1]), nri_plugin_index(p)) > 0;
			at--)
		n->active[at] = n->active[at - 1];
	n->active[at] = nri_plugin_ref(p);
	log_order_locked(n);
	return true;
}

/* --- one plugin --------------------------------------------------------------------------- */

/* Makes a registered plugin one of those that are asked. */
static int introduce(struct nri *n, struct nri_plugin *p, struct err *err)
{
	const char *kind = nri_plugin_is_external(p) ? "external" : "pre-installed";
	int rc;

	if (nri_configure(n, p, err) < 0)
		return err_wrap(err, "failed to start %s NRI plugin \"%s\"", kind,
				nri_plugin_name(p));
	nri_turn_take(n);
	rc = nri_synchronize(n, p, err);
	if (rc == 0 && !join(n, p))
		rc = err_set(err, ERR_UNAVAILABLE, "the connection has ended");
	nri_turn_give(n);
	return rc < 0 ? err_wrap(err, "failed to synchronize %s NRI plugin \"%s\"", kind,
					nri_plugin_name(p))
		      : 0;
}

static void run_introduce(struct job *job)
{
	struct nri_seat *seat = container_of(job, struct nri_seat, job);
	AUTO(nri_plugin_unref) struct nri_plugin *p = seat->plugin; /* the job's reference */
	struct nri *n = nri_plugin_owner_arg(p);
	AUTO_ERR struct err err = { 0 };

	sync_begin(n);
	if (introduce(n, p, &err) < 0) {
		log_error(NULL, "%s", err_text(&err));
		nri_plugin_close(p);
	} else {
		log_info(NULL, "plugin \"%s\" connected and synchronized", nri_plugin_name(p));
	}
	sync_end(n);
	LOCKED(&n->lock);
	n->jobs--;
	cond_broadcast(&n->changed);
}

static void on_registered(void *arg, struct nri_plugin *p)
{
	struct nri *n = arg;
	struct nri_seat *seat = nri_plugin_seat(p);
	bool is_submitted = false;

	mutex_lock(&n->lock);
	if (nri_plugin_is_external(p) && !n->is_stopping) {
		seat->job.run = run_introduce;
		(void)nri_plugin_ref(p);
		is_submitted = pool_submit(n->pool, &seat->job);
		n->jobs += is_submitted;
	}
	cond_broadcast(&n->changed);
	mutex_unlock(&n->lock);
	if (nri_plugin_is_external(p) && !is_submitted)
		nri_plugin_close(p);
}

static void drop(struct nri *n, struct nri_plugin *p)
{
	struct nri_seat *seat = nri_plugin_seat(p);
	bool was_there;

	mutex_lock(&n->lock);
	seat->is_gone = true;
	was_there = !list_is_empty(&seat->node);
	list_remove(&seat->node);
	n->plugin_count -= was_there;
	forget_closed_locked(n);
	cond_broadcast(&n->changed);
	mutex_unlock(&n->lock);
	if (was_there)
		nri_plugin_unref(p);
}

static void on_gone(void *arg, struct nri_plugin *p)
{
	drop(arg, p);
}

/* False: there are too many, or we are about to end. */
static bool admit(struct nri *n, struct nri_plugin *p)
{
	LOCKED(&n->lock);
	if (n->is_stopping || n->plugin_count >= NRI_PLUGINS_MAX)
		return false;
	n->plugin_count++;
	list_append(&n->plugins, &nri_plugin_seat(nri_plugin_ref(p))->node);
	return true;
}

/* UpdateContainers: what a plugin wants without having been asked. */
static enum call_fate on_update(void *arg, struct nri_plugin *p, struct call *call,
		const Nri__UpdateContainersRequest *r, struct err *err)
{
	struct nri *n = arg;
	Nri__UpdateContainersResponse answer = NRI__UPDATE_CONTAINERS_RESPONSE__INIT;

	if (r->n_update > NRI_ITEMS_MAX || r->n_evict > NRI_ITEMS_MAX)
		return (void)err_set(err, ERR_EXHAUSTED, "more than %d container updates",
				       NRI_ITEMS_MAX),
		       CALL_FAILED;
	answer.failed = arena_calloc(call_arena(call), r->n_update + 1, sizeof(*answer.failed));
	nri_turn_take(n);
	nri_apply_evictions(n, r->n_evict, r->evict);
	answer.n_failed = nri_apply_updates(n, r->n_update, r->update, answer.failed);
	nri_turn_give(n);
	if (answer.n_failed > 0)
		return (void)err_plain(err, ERR_UNKNOWN,
				       "NRI update of some containers failed"),
		       CALL_FAILED;
	return call_answer(call, &answer.base, err);
}

static struct nri_plugin_owner owner_of(struct nri *n)
{
	return (struct nri_plugin_owner){
		.loop = n->o.loop,
		.workers = n->pool,
		.registration_ns = n->o.registration_ns,
		.registered = on_registered,
		.gone = on_gone,
		.update = on_update,
		.arg = n,
	};
}

/* --- those that connect ------------------------------------------------------------------- */

static void take_connection(struct nri *n, int own_fd)
{
	const struct nri_plugin_owner owner = owner_of(n);
	AUTO(nri_plugin_unref) struct nri_plugin *p = nri_plugin_external(&owner);
	AUTO_ERR struct err err = { 0 };

	if (!admit(n, p)) {
		close_fd(&own_fd);
		log_error(NULL, "NRI plugin turned away: there are %d", NRI_PLUGINS_MAX);
		return;
	}
	if (nri_plugin_connect(p, own_fd, &err) < 0) {
		close_fd(&own_fd);
		log_error(NULL, "failed to create external plugin: %s", err_text(&err));
		drop(n, p);
	}
}

static void on_connection(void *arg, int events)
{
	struct nri *n = arg;
	int fd = unix_accept(n->listener);

	if (fd >= 0)
		take_connection(n, fd);
	else if (fd != -EAGAIN)
		log_error(NULL, "accept an NRI plugin: %s", errno_text(-fd));
}

static void start_watching(struct loop_task *task)
{
	struct nri *n = container_of(task, struct nri, listen);

	if (n->listener >= 0)
		n->watch = loop_watch_new(n->o.loop, n->listener, LOOP_READ, on_connection, n);
}

static void stop_watching(struct loop_task *task)
{
	struct nri *n = container_of(task, struct nri, unlisten);

	loop_watch_free(take_ptr(n->watch));
	close_fd(&n->listener);
	LOCKED(&n->lock);
	n->is_unlistened = true;
	cond_broadcast(&n->changed);
}

/* The directory is for root alone; the socket's mode is what the original's umask gives. */
static int open_socket(struct nri *n)
{
	AUTO_FREE char *dir = xstrdup(n->socket_path);
	char *slash = strrchr(dir, '/');
	int rc = 0;

	if (slash != NULL && slash != dir) {
		*slash = '\0';
		rc = fs_make_dirs(AT_FDCWD, dir, 0700);
	}
	if (rc < 0)
		return rc;
	(void)unlink(n->socket_path);
	return unix_listen(n->socket_path, 0755);
}

static void listen_for_plugins(struct nri *n)
{
	if (n->o.is_closed) {
		log_info(NULL, "connection from external plugins disabled");
		return;
	}
	n->listener = open_socket(n);
	if (n->listener >= 0) {
		loop_post(n->o.loop, &n->listen);
		return;
	}
	log_error(NULL, "failed to create socket \"%s\": %s", n->socket_path,
			errno_text(-n->listener));
	n->listener = -1;
}

/* --- those that we start ------------------------------------------------------------------ */

static void attach(struct loop_task *task)
{
	struct nri_seat *seat = container_of(task, struct nri_seat, task);
	AUTO(nri_plugin_unref) struct nri_plugin *p = seat->plugin; /* the task's reference */
	struct nri *n = nri_plugin_owner_arg(p);
	AUTO_ERR struct err err = { 0 };

	if (nri_plugin_connect(p, seat->fd, &err) == 0) {
		seat->fd = -1; /* the plugin's now; else the seat still closes it */
		return;
	}
	log_error(NULL, "%s", err_text(&err));
	nri_plugin_close(p);
	drop(n, p);
}

static bool wait_for_registration(struct nri *n, struct nri_plugin *p)
{
	LOCKED(&n->lock);
	while (!nri_plugin_is_registered(p) && !nri_plugin_seat(p)->is_gone)
		cond_wait(&n->changed, &n->lock);
	return nri_plugin_is_registered(p) && !nri_plugin_seat(p)->is_gone;
}

static int launch_one(struct nri *n, const char *idx, const char *base, const char *config,
		struct err *err)
{
	const struct nri_plugin_owner owner = owner_of(n);
	AUTO(nri_plugin_unref) struct nri_plugin *p = NULL;
	AUTO_CLOSE int fd = -1;
	struct nri_seat *seat;
	bool is_there;
	int rc;

	if (nri_plugin_launch(&owner, n->plugin_path, idx, base, config, &p, &fd, err) < 0)
		return -1;
	seat = nri_plugin_seat(p);
	seat->fd = take_fd(&fd);
	seat->task.run = attach;
	rc = admit(n, p) ? 0
			 : err_set(err, ERR_EXHAUSTED, "there are %d plugins", NRI_PLUGINS_MAX);
	/* Also for one that is turned away: its process is ended and waited for there. */
	if (rc < 0)
		nri_plugin_close(p);
	(void)nri_plugin_ref(p);
	loop_post(n->o.loop, &seat->task);
	is_there = wait_for_registration(n, p); /* of one turned away: until it has gone */
	if (rc < 0)
		return -1;
	if (!is_there)
		return err_plain(err, ERR_UNAVAILABLE,
				"failed to register plugin, connection closed");
	rc = introduce(n, p, err);
	if (rc < 0)
		nri_plugin_close(p);
	else
		log_info(NULL, "pre-installed NRI plugin \"%s\" synchronization success",
				nri_plugin_name(p));
	return rc;
}

static bool is_stopping(struct nri *n)
{
	LOCKED(&n->lock);
	return n->is_stopping;
}

/* One after the other, as they are asked later. */
static void launch_all(struct nri *n, const struct nri_found *f)
{
	for (size_t i = 0; f->idx != NULL && f->idx[i] != NULL; i++) {
		AUTO_ERR struct err err = { 0 };

		if (is_stopping(n))
			return;
		log_info(NULL, "starting pre-installed NRI plugin \"%s\"...", f->base[i]);
		if (launch_one(n, f->idx[i], f->base[i], f->config[i], &err) < 0)
			log_warn(NULL, "failed to start pre-installed NRI plugin \"%s\": %s",
					f->base[i], err_text(&err));
	}
}

static void run_launch(struct job *job)
{
	struct nri *n = container_of(job, struct nri, launch);
	struct nri_found found = { 0 };
	AUTO_ERR struct err err = { 0 };

	if (nri_discover(n->plugin_path, n->config_path, &found, &err) < 0)
		log_error(NULL, "failed to start NRI interface: %s", err_text(&err));
	launch_all(n, &found);
	nri_found_done(&found);
	LOCKED(&n->lock);
	n->is_launching = false;
	cond_broadcast(&n->changed);
}

/* No thread for a directory that is not there. */
static void start_plugins(struct nri *n)
{
	if (access(n->plugin_path, F_OK) < 0)
		return;
	mutex_lock(&n->lock);
	n->is_launching = true;
	mutex_unlock(&n->lock);
	if (pool_submit(n->pool, &n->launch))
		return;
	LOCKED(&n->lock);
	n->is_launching = false;
}

/* --- its life ----------------------------------------------------------------------------- */

struct nri *nri_new(const struct nri_options *o)
{
	struct nri *n = xzalloc(sizeof(*n));

	n->o = *o;
	n->socket_path = xstrdup(o->socket_path);
	n->plugin_path = xstrdup(o->plugin_path);
	n->config_path = xstrdup(o->config_path);
	n->o.runtime_name = n->runtime_name = xstrdup(o->runtime_name);
	n->o.runtime_version = n->runtime_version = xstrdup(o->runtime_version);
	n->o.validator.required = n->required = strv_dup(o->validator.required);
	n->o.validator.tolerate = n->tolerate = xstrdup(o->validator.tolerate);
	n->listener = -1;
	n->listen.run = start_watching;
	n->unlisten.run = stop_watching;
	n->launch.run = run_launch;
	mutex_init(&n->lock, RANK_nri);
	cond_init(&n->changed);
	list_init(&n->plugins);
	map_init(&n->states);
	n->pool = pool_new("nri", THREADS, MAX_QUEUED);
	log_info(NULL, "runtime interface created");
	return n;
}

void nri_add_domain(struct nri *n, struct nri_domain *d)
{
	assert(n->domain_count < NRI_DOMAINS_MAX);
	n->domains[n->domain_count++] = d;
	log_info(NULL, "Registered namespace \"%s\" with NRI", d->name);
}

/* False: it is about to end. */
static bool begin(struct nri *n)
{
	LOCKED(&n->lock);
	if (n->is_stopping && !n->is_unlistened)
		return false;
	n->is_stopping = false;
	n->is_unlistened = false;
	n->is_started = true;
	return true;
}

void nri_start(struct nri *n)
{
	if (!begin(n))
		return;
	log_info(NULL, "runtime interface starting up...");
	listen_for_plugins(n);
	start_plugins(n);
}

static void close_all(struct nri *n)
{
	struct nri_plugin *all[NRI_PLUGINS_MAX];
	size_t count = 0;

	mutex_lock(&n->lock);
	n->is_stopping = true;
	list_for_each (it, &n->plugins)
		all[count++] = nri_plugin_ref(list_entry(it, struct nri_seat, node)->plugin);
	mutex_unlock(&n->lock);
	for (size_t i = 0; i < count; i++) {
		nri_plugin_close(all[i]);
		nri_plugin_unref(all[i]);
	}
}

void nri_stop(struct nri *n)
{
	ASSERT_MAY_BLOCK();
	if (!n->is_started)
		return;
	n->is_started = false;
	log_info(NULL, "runtime interface shutting down...");
	close_all(n);
	loop_post(n->o.loop, &n->unlisten);
	mutex_lock(&n->lock);
	while (!n->is_unlistened || n->is_launching || n->jobs > 0 || n->plugin_count > 0)
		cond_wait(&n->changed, &n->lock);
	forget_closed_locked(n);
	mutex_unlock(&n->lock);
}

/* Behind everything that the loop still did for it. */
static void finish(struct loop_task *task)
{
	struct nri *n = container_of(task, struct nri, end);

	map_done(&n->states, NULL);
	cond_done(&n->changed);
	mutex_done(&n->lock);
	free(n->socket_path);
	free(n->plugin_path);
	free(n->config_path);
	free(n->runtime_name);
	free(n->runtime_version);
	free(n->tolerate);
	strv_free(n->required);
	free(n);
}

void nri_free(struct nri *n)
{
	if (n == NULL)
		return;
	nri_stop(n);
	pool_free(n->pool);
	n->end.run = finish;
	loop_post(n->o.loop, &n->end);
}
