/* SPDX-License-Identifier: Apache-2.0 */
/* What runs sandboxes. */
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/pool.h"
#include "cmd/containerd/plugins.h"
#include "core/sandbox_controller.h"
#include "rpc/server.h"
#include "runtime/pods.h"
#include "sandbox/sandbox_shim.h"
#include "services/services.h"

int plugin_sandbox_shim_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	void *rt = NULL;

	if (plugin_get(env, TYPE_RUNTIME, "task", &rt, err) < 0 ||
			pods_open(rt, plugin_state(env), plugin_root(env), err) < 0)
		return -1;
	*ret_instance = sandbox_shim_new(rt);
	return 0;
}

void plugin_sandbox_shim_fini(void *instance)
{
	sandbox_controller_free(instance);
}

int plugin_controllers_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	struct controllers_service *s = NULL;
	struct named_controller *list = NULL;
	void *bus = NULL, *controller;
	const char *id;
	size_t n = 0, at = 0;

	if (plugin_get(env, TYPE_EVENT, NULL, &bus, err) < 0)
		return -1;
	while (plugin_next(env, TYPE_SANDBOX, &at, &id, &controller)) {
		list = xreallocarray(list, n + 1, sizeof(*list));
		list[n++] = (struct named_controller){ id,
			nri_show_sandboxes(env, id, controller) };
	}
	s = xzalloc(sizeof(*s));
	*s = (struct controllers_service){ list, n, bus, plugin_creators() };
	rpc_server_add(plugin_host(env)->server, RPC_GRPC, &controllers_service, s);
	*ret_instance = s;
	return 0;
}

void plugin_controllers_fini(void *instance)
{
	struct controllers_service *s = instance;

	pool_free(s->creators);
	free((void *)s->list);
	free(s);
}
