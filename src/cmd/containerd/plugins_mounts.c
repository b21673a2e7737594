/* SPDX-License-Identifier: Apache-2.0 */
/* The mount manager. */
#include <stdlib.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "cmd/containerd/plugins.h"
#include "meta/meta.h"
#include "mount/mount_keeper.h"
#include "rpc/server.h"
#include "services/services.h"

struct mounts_plugin {
	struct mounts_service service; /* first, see plugins.h */
	struct mount_keeper *keeper;
	struct meta *meta;
};

int plugin_mounts_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const char *root = plugin_host(env)->root;
	AUTO_FREE char *temp = xasprintf("%s/tmpmounts", root);
	struct mount_keeper *keeper = NULL;
	struct mounts_plugin *p;
	void *m = NULL;

	if (plugin_get(env, TYPE_METADATA, NULL, &m, err) < 0 ||
			mount_keeper_new(plugin_state(env), root, temp, &keeper, err) < 0)
		return -1;
	p = xzalloc(sizeof(*p));
	*p = (struct mounts_plugin){ { mount_keeper_manager(keeper) }, keeper, m };
	meta_set_mounts(m, mount_keeper_resources(keeper));
	*ret_instance = p;
	return 0;
}

void plugin_mounts_fini(void *instance)
{
	struct mounts_plugin *p = instance;

	meta_set_mounts(p->meta, NULL);
	mount_keeper_free(p->keeper);
	free(p);
}

int plugin_mounts_service_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	void *service = NULL;

	if (plugin_get(env, TYPE_MOUNT_MANAGER, "bolt", &service, err) < 0)
		return -1;
	rpc_server_add(plugin_host(env)->server, RPC_GRPC, &mounts_service, service);
	*ret_instance = NULL;
	return 0;
}
