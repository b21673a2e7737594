/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/task.h"

#include "api/pb/task.pb-c.h"
#include "api/pb/types.pb-c.h"

struct arena;

/* Copies, as wire_map.h says. */
Task__Process *wire_process_out(struct arena *a, const struct task_process *p);
Task__ProcessInfo **wire_pids_out(struct arena *a, const struct task_pid *pids, size_t n);
Types__Metric **wire_metrics_out(struct arena *a, const struct task_metric *metrics, size_t n);
/* Views. */
struct task_pid *wire_pids_in(struct arena *a, Task__ProcessInfo *const *list, size_t n);
