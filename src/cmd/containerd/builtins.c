/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only list of plugins. Their order here is the order of the original's list, and with
 * their needs gives the order of start.
 */
#include "base/err.h"
#include "cmd/containerd/daemon.h"
#include "cmd/containerd/plugins.h"
#include "plugin/plugin_set.h"

static const struct plugin_need introspection_service_needs[] = { { TYPE_WARNING, NULL },
	{ 0 } };
static const struct plugin_need introspection_needs[] = {
	{ TYPE_SERVICE, "introspection-service" }, { 0 }
};
/* Served last: by then everything that registers with the server has done so. */
static const struct plugin_need server_needs[] = { { TYPE_GRPC, NULL }, { 0 } };

static const struct plugin_desc builtins[] = {
	{ TYPE_INTERNAL, "opt", NULL, plugin_opt_init, NULL, NULL },
	{ TYPE_WARNING, "deprecations", NULL, plugin_warning_init, plugin_warning_fini, NULL },
	{ TYPE_SERVICE, "introspection-service", introspection_service_needs,
			plugin_introspection_service_init, plugin_introspection_service_fini,
			NULL },
	{ TYPE_GRPC, "introspection", introspection_needs, plugin_introspection_init, NULL,
			NULL },
	{ TYPE_GRPC, "version", NULL, plugin_version_init, NULL, NULL },
	{ TYPE_GRPC, "healthcheck", NULL, plugin_health_init, NULL, NULL },
	{ TYPE_SERVER, "ttrpc", NULL, plugin_ttrpc_init, plugin_listener_fini, NULL },
	{ TYPE_SERVER, "grpc", server_needs, plugin_grpc_init, plugin_listener_fini, NULL },
};

int daemon_add_builtins(struct plugin_set *set, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		if (plugin_set_add(set, &builtins[i], err) < 0)
			return -1;
	return 0;
}
