/* SPDX-License-Identifier: Apache-2.0 */
/* Between nri.c (who is there), nri_sync.c (introducing them) and nri_hooks.c (asking them). */
#pragma once

#include "base/auto.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mutex.h"
#include "base/pool.h"
#include "loop/loop.h"
#include "nri/nri.h"
#include "nri/nri_plugin.h"

/* Connections at a time, plugins or not. */
#define NRI_PLUGINS_MAX 64
#define NRI_DOMAINS_MAX 8

/* The version of the interface that we implement, as its Go module is numbered. */
#define NRI_VERSION "v0.12.0"

/* Where a container or pod stands for plugins; none: it is not there. */
enum nri_state {
	NRI_CREATED = 1,
	NRI_RUNNING,
	NRI_STOPPED,
};

struct nri {
	struct nri_options o;
	char *socket_path, *plugin_path, *config_path, *runtime_name, *runtime_version,
			*tolerate;
	char **required;
	struct pool *pool;
	struct job launch;
	struct nri_domain *domains[NRI_DOMAINS_MAX];
	size_t domain_count;

	struct mutex lock;
	struct cond changed;
	struct list plugins; /* seats; all that are connected or about to be, each a reference
			      */
	size_t plugin_count;
	/* Whom to ask, in order; each a reference. */
	struct nri_plugin *active[NRI_PLUGINS_MAX];
	size_t active_count;
	size_t jobs;			     /* introducing somebody */
	unsigned next_ticket, served_ticket; /* of the turn */
	bool is_started, is_stopping, is_launching, is_syncing;
	size_t sync_blocks;

	struct map states; /* "domain id" to enum nri_state; whose turn it is */

	/* the loop's */
	struct loop_task listen, unlisten, end;
	struct loop_watch *watch;
	int listener;
	bool is_unlistened;
};

/* One request is shown to the plugins at a time. Waits in line; holds no lock afterwards. */
MAY_BLOCK void nri_turn_take(struct nri *n);
ANY_THREAD void nri_turn_give(struct nri *n);

/* Who is to be asked, each with a reference. The turn must be ours. */
struct nri_round {
	struct nri_plugin *plugins[NRI_PLUGINS_MAX];
	size_t count;
};
void nri_round_begin(struct nri *n, struct nri_round *r);
/* Forgets who was closed meanwhile. */
void nri_round_end(struct nri *n, struct nri_round *r);

/* Configures a plugin that has registered. */
MAY_BLOCK MUST_USE int nri_configure(struct nri *n, struct nri_plugin *p, struct err *err);
/* Tells it what there is, and does what it wants. The turn must be ours. */
MAY_BLOCK MUST_USE int nri_synchronize(struct nri *n, struct nri_plugin *p, struct err *err);

/* What plugins want of other containers; failures are logged. Returns how many failed; "failed"
 * (may be NULL) gets them. The turn must be ours. */
MAY_BLOCK size_t nri_apply_updates(struct nri *n, size_t count, Nri__ContainerUpdate **updates,
		Nri__ContainerUpdate **failed);
MAY_BLOCK void nri_apply_evictions(
		struct nri *n, size_t count, Nri__ContainerEviction **evictions);

/* The turn must be ours. 0: not there. */
enum nri_state nri_state_of(const struct nri *n, const char *domain, const char *id);
void nri_set_state(struct nri *n, const char *domain, const char *id, enum nri_state state);

/* Plugins of the directory: NN-name, executable, sorted. NULL names: there are none. */
struct nri_found {
	char **idx, **base, **config; /* vectors of equal length */
};
MAY_BLOCK MUST_USE int nri_discover(const char *plugin_path, const char *config_path,
		struct nri_found *ret, struct err *err);
void nri_found_done(struct nri_found *f);
