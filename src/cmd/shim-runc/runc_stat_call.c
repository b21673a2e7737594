/* SPDX-License-Identifier: Apache-2.0 */
#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/cgroups_v1.pb-c.h"
#include "api/pb/cgroups_v2.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "cmd/shim-runc/runc_service_priv.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "cmd/shim-runc/runc_stat_priv.h"
#include "os/cgroup.h"

TASK_HANDLER(task_stats)
{
	struct container *c =
			container_find(self, ((const TaskV3__StatsRequest *)request)->id, err);
	TaskV3__StatsResponse response = TASK_V3__STATS_RESPONSE__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct arena *a = call_arena(call);
	const ProtobufCMessage *metrics;

	if (c == NULL)
		return CALL_FAILED;
	if (c->cgroup.count == 0) {
		(void)err_set(err, ERR_NOT_FOUND, "cgroup does not exist");
		return CALL_FAILED;
	}
	if (c->cgroup.unified)
		metrics = &stat_v2(&c->cgroup, a)->base;
	else
		metrics = &stat_v1(&c->cgroup, a)->base;
	any.type_url = (char *)(uintptr_t)metrics->descriptor->name;
	any.value.data = (uint8_t *)(uintptr_t)pb_encode_arena(metrics, a, &any.value.len);
	response.stats = &any;
	return call_answer(call, &response.base, err);
}
