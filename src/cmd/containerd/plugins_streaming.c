/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that clients open for other calls to use. */
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "cmd/containerd/plugins.h"
#include "meta/meta.h"
#include "rpc/server.h"
#include "services/services.h"
#include "services/streaming_table.h"

struct streams_plugin {
	struct streaming_service service; /* first, see plugins.h */
	struct meta *meta;
};

int plugin_streams_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	struct streams_plugin *p = NULL;
	void *m = NULL;

	if (plugin_get(env, TYPE_METADATA, NULL, &m, err) < 0)
		return -1;
	p = xzalloc(sizeof(*p));
	p->meta = m;
	p->service.table = streaming_table_new();
	meta_set_streams(m, streaming_table_resources(p->service.table));
	*ret_instance = p;
	return 0;
}

void plugin_streams_fini(void *instance)
{
	struct streams_plugin *p = instance;

	meta_set_streams(p->meta, NULL);
	streaming_table_free(p->service.table);
	free(p);
}

int plugin_streaming_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	void *service = NULL;

	if (plugin_get(env, TYPE_STREAMING, "manager", &service, err) < 0)
		return -1;
	rpc_server_add(plugin_host(env)->server, RPC_GRPC, &streaming_service, service);
	*ret_instance = NULL;
	return 0;
}
