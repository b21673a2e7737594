/* SPDX-License-Identifier: Apache-2.0 */
/* What watches tasks and containers. */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "cmd/containerd/plugins.h"
#include "config/config.h"
#include "runtime/restart_monitor.h"
#include "services/services.h"

static struct snapshotter *find_snapshotter(void *arg, const char *name)
{
	const struct snapshots_service *all = arg;

	for (size_t i = 0; i < all->count; i++)
		if (str_eq(all->list[i].name, name))
			return all->list[i].snapshotter;
	return NULL;
}

static int restart_stores(struct plugin_env *env, struct restart_options *o, struct err *err)
{
	void *namespaces = NULL, *containers = NULL, *tasks = NULL, *events = NULL;
	void *snapshots = NULL;

	if (plugin_get(env, TYPE_SERVICE, "namespaces-service", &namespaces, err) < 0 ||
			plugin_get(env, TYPE_SERVICE, "containers-service", &containers, err) <
					0 ||
			plugin_get(env, TYPE_SERVICE, "snapshots-service", &snapshots, err) <
					0 ||
			plugin_get(env, TYPE_SERVICE, "tasks-service", &tasks, err) < 0 ||
			plugin_get(env, TYPE_EVENT, NULL, &events, err) < 0)
		return -1;
	o->namespaces = namespaces;
	o->containers = containers;
	o->tasks = tasks;
	o->events = events;
	o->snapshotter = find_snapshotter;
	o->snapshotter_arg = snapshots;
	return 0;
}

static int quiesce(void *arg, int64_t mono_deadline_ns, struct err *err)
{
	if (!restart_monitor_pause(arg, mono_deadline_ns))
		return err_set(err, ERR_UNAVAILABLE, "containers are being restarted");
	return 0;
}

static int resume(void *arg, struct err *err)
{
	restart_monitor_resume(arg);
	return 0;
}

static const struct plugin_pause pause_ops = { .quiesce = quiesce, .resume = resume };

int plugin_restart_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	static const char *const policies[] = { "no", "always", "on-failure",
		"unless-stopped" };
	struct restart_options o = { .loop = plugin_host(env)->loop };
	struct restart_monitor *m = NULL;

	for (size_t i = 0; i < ARRAY_LEN(policies); i++)
		plugin_add_capability(env, policies[i]);
	o.interval_ns = config_duration_ns(plugin_config(env), "interval");
	if (restart_stores(env, &o, err) < 0 || restart_monitor_new(&o, &m, err) < 0)
		return -1;
	plugin_on_pause(env, &pause_ops, m);
	*ret_instance = m;
	return 0;
}

void plugin_restart_fini(void *instance)
{
	restart_monitor_free(instance);
}
