/* SPDX-License-Identifier: Apache-2.0 */
/* Shims and tasks. */
#include <stdlib.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/version.h"
#include "cmd/containerd/plugins.h"
#include "config/config.h"
#include "meta/meta.h"
#include "rpc/server.h"
#include "runtime/runtime.h"
#include "services/services.h"
#include "text/toml.h"

#define CREATORS     256
#define CREATE_QUEUE 4096

/* --- shim manager: only its settings, the runtime does the work --- */

struct shim_settings {
	char **env;
	char *socket_dir;
};

int plugin_shims_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const struct toml_value *config = plugin_config(env);
	struct shim_settings *s = xzalloc(sizeof(*s));

	s->env = toml_strv(toml_find(config, "env"));
	s->socket_dir = xstrdup(toml_text(toml_find(config, "socket_dir")));
	*ret_instance = s;
	return 0;
}

void plugin_shims_fini(void *instance)
{
	struct shim_settings *s = instance;

	strv_free(s->env);
	free(s->socket_dir);
	free(s);
}

/* --- tasks --- */

static struct runtime_timeouts read_timeouts(const struct config *c)
{
	const struct toml_value *t = config_get(c, "timeouts");

	return (struct runtime_timeouts){
		.cleanup = config_duration_ns(t, "io.containerd.timeout.shim.cleanup"),
		.shutdown = config_duration_ns(t, "io.containerd.timeout.shim.shutdown"),
		.state = config_duration_ns(t, "io.containerd.timeout.task.state"),
		.stats = config_duration_ns(t, "io.containerd.timeout.metrics.shimstats"),
	};
}

static void show(struct plugin_env *env)
{
	AUTO_STRV char **platforms = toml_strv(toml_find(plugin_config(env), "platforms"));

	plugin_export(env, "log-uri-schemes", "fifo,binary,binary-v2,file");
	for (char **p = platforms; p != NULL && *p != NULL; p++)
		plugin_add_platform(env, *p);
}

/* Clean-up that takes its time is done again by whoever loads. */
static int quiesce(void *rt, int64_t mono_deadline_ns, struct err *err)
{
	if (!runtime_settle(rt, mono_deadline_ns))
		log_warn(NULL, "clean-up after tasks is left to the next daemon");
	return 0;
}

static int suspend(void *rt, struct err *err)
{
	runtime_set_passive(rt, true);
	return 0;
}

static int resume(void *rt, struct err *err)
{
	runtime_set_passive(rt, false);
	return 0;
}

static const struct plugin_pause pause_ops = {
	.quiesce = quiesce,
	.suspend = suspend,
	.resume = resume,
};

int plugin_tasks_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const struct plugin_host *host = plugin_host(env);
	struct runtime_options options = { .loop = host->loop };
	const struct shim_settings *shims = NULL;
	AUTO_ERR struct err fault = { 0 };
	struct runtime *rt = NULL;
	void *metadata = NULL, *events = NULL, *manager = NULL, *mounts = NULL;

	show(env);
	if (plugin_get(env, TYPE_METADATA, NULL, &metadata, err) < 0 ||
			plugin_get(env, TYPE_EVENT, NULL, &events, err) < 0 ||
			plugin_get(env, TYPE_SHIM, NULL, &manager, err) < 0)
		return -1;
	shims = manager;
	options.containers = meta_containers(metadata);
	options.sandboxes = meta_sandboxes(metadata);
	/* Without it, plain root file systems work all the same. */
	if (plugin_get(env, TYPE_MOUNT_MANAGER, NULL, &mounts, &fault) == 0)
		options.mounts = ((struct mounts_service *)mounts)->manager;
	options.events = events;
	options.state_dir = plugin_state(env);
	options.root_dir = plugin_root(env);
	options.grpc_address = host->grpc_address;
	options.ttrpc_address = host->ttrpc_address;
	options.socket_dir = shims->socket_dir;
	options.daemon_version = CTRD_FULL_VERSION;
	options.shim_env = shims->env;
	options.debug = log_is_on(LOG_DEBUG);
	options.timeouts = read_timeouts(host->config);
	if (runtime_new(&options, &rt, err) < 0)
		return -1;
	runtime_load(rt);
	plugin_on_pause(env, &pause_ops, rt);
	*ret_instance = rt;
	return 0;
}

void plugin_tasks_fini(void *instance)
{
	runtime_free(instance);
}

int plugin_task_store_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	AUTO_ERR struct err ignored = { 0 };
	void *rt = NULL, *metadata = NULL, *differ = NULL;
	struct task_service *tasks = NULL;

	if (plugin_get(env, TYPE_RUNTIME, "task", &rt, err) < 0 ||
			plugin_get(env, TYPE_METADATA, NULL, &metadata, err) < 0)
		return -1;
	/* For checkpoints only, so it may be missing. */
	if (plugin_get(env, TYPE_DIFFER, "walking", &differ, &ignored) == 0)
		runtime_use_content(rt, meta_content(metadata), differ);
	tasks = runtime_tasks(rt);
	if (nri_show_tasks(env, &tasks, err) < 0)
		return -1;
	*ret_instance = tasks;
	return 0;
}

/* Threads begin when they are needed, so that those which wait for stuck shims can be many. */
struct pool *plugin_creators(void)
{
	return pool_new("create", CREATORS, CREATE_QUEUE);
}

int plugin_tasks_service_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	struct tasks_service *self;
	void *tasks = NULL;

	if (plugin_get(env, TYPE_SERVICE, "tasks-service", &tasks, err) < 0)
		return -1;
	self = xzalloc(sizeof(*self));
	self->tasks = tasks;
	self->creators = plugin_creators();
	rpc_server_add(plugin_host(env)->server, RPC_GRPC, &tasks_service, self);
	*ret_instance = self;
	return 0;
}

void plugin_tasks_service_fini(void *instance)
{
	struct tasks_service *self = instance;

	pool_free(self->creators);
	free(self);
}
