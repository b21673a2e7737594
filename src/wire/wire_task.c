/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire_task.h"

#include "api/arena.h"
#include "api/timestamp.h"
#include "wire/wire_map.h"

_Static_assert((int)TASK_CREATED == TASK__STATUS__CREATED &&
				(int)TASK_RUNNING == TASK__STATUS__RUNNING &&
				(int)TASK_STOPPED == TASK__STATUS__STOPPED &&
				(int)TASK_PAUSED == TASK__STATUS__PAUSED &&
				(int)TASK_PAUSING == TASK__STATUS__PAUSING,
		"numbers as on the wire");

/* container_id stays empty, as in the original. */
Task__Process *wire_process_out(struct arena *a, const struct task_process *p)
{
	Task__Process *pb = ARENA_NEW(a, Task__Process, task__process);

	pb->id = arena_strdup(a, p->id);
	pb->pid = p->pid;
	pb->status = (Task__Status)p->status;
	pb->stdin = arena_strdup(a, p->stdio.in);
	pb->stdout = arena_strdup(a, p->stdio.out);
	pb->stderr = arena_strdup(a, p->stdio.err);
	pb->terminal = p->stdio.terminal;
	pb->exit_status = p->exit_status;
	pb->exited_at = timestamp_new(a, p->exited_ns);
	return pb;
}

Task__ProcessInfo **wire_pids_out(struct arena *a, const struct task_pid *pids, size_t n)
{
	Task__ProcessInfo **list = arena_calloc(a, n, sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		list[i] = ARENA_NEW(a, Task__ProcessInfo, task__process_info);
		list[i]->pid = pids[i].pid;
		list[i]->info = wire_any_out(a, &pids[i].info);
	}
	return list;
}

struct task_pid *wire_pids_in(struct arena *a, Task__ProcessInfo *const *list, size_t n)
{
	struct task_pid *pids = arena_calloc(a, n, sizeof(*pids));

	for (size_t i = 0; i < n; i++)
		pids[i] = (struct task_pid){ list[i]->pid, wire_any_in(list[i]->info) };
	return pids;
}

Types__Metric **wire_metrics_out(struct arena *a, const struct task_metric *metrics, size_t n)
{
	Types__Metric **list = arena_calloc(a, n, sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		list[i] = ARENA_NEW(a, Types__Metric, types__metric);
		list[i]->timestamp = timestamp_new(a, metrics[i].when_ns);
		list[i]->id = arena_strdup(a, metrics[i].id);
		list[i]->data = wire_any_out(a, &metrics[i].data);
	}
	return list;
}
