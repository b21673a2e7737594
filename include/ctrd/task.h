/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Tasks: what runs in containers. Each has a first process, and may be given more. Where there
 * is an exec_id, NULL means the first process, and with it the task as a whole.
 */
#ifndef CTRD_TASK_H
#define CTRD_TASK_H

#include <ctrd/client.h>
#include <ctrd/io.h>

CTRD_BEGIN

#define CTRD_TASK_UNKNOWN 0
#define CTRD_TASK_CREATED 1
#define CTRD_TASK_RUNNING 2
#define CTRD_TASK_STOPPED 3
#define CTRD_TASK_PAUSED  4
#define CTRD_TASK_PAUSING 5

struct ctrd_task_options {
	size_t size;
	const struct ctrd_io *io; /**< NULL: none */
	int no_pivot;
	uint32_t io_uid, io_gid; /**< owner of the pipes on the runtime's side */
};

#define CTRD_TASK_OPTIONS_INIT                                                                 \
	{                                                                                      \
		sizeof(struct ctrd_task_options), NULL, 0, 0, 0                                \
	}

/** Makes the task of a container on the container's snapshot; it does not run yet. */
CTRD_API int ctrd_task_create(struct ctrd_client *client, const char *container,
		const struct ctrd_task_options *options, uint32_t *ret_pid,
		struct ctrd_error **ret_error);
/** Makes another process. process_json: a process of the runtime spec. */
CTRD_API int ctrd_task_exec(struct ctrd_client *client, const char *container,
		const char *exec_id, const char *process_json, const struct ctrd_io *io,
		struct ctrd_error **ret_error);
CTRD_API int ctrd_task_start(struct ctrd_client *client, const char *container,
		const char *exec_id, uint32_t *ret_pid, struct ctrd_error **ret_error);
/** Returns when the process has ended. ret_exited may be NULL. */
CTRD_API int ctrd_task_wait(struct ctrd_client *client, const char *container,
		const char *exec_id, uint32_t *ret_status, int64_t *ret_exited,
		struct ctrd_error **ret_error);
/** all: every process of the task. */
CTRD_API int ctrd_task_kill(struct ctrd_client *client, const char *container,
		const char *exec_id, uint32_t signal, int all, struct ctrd_error **ret_error);
/** Forgets a process that has ended, or never started. CTRD_PRECONDITION while it runs, unless
 * "force": then it is killed first. */
CTRD_API int ctrd_task_remove(struct ctrd_client *client, const char *container,
		const char *exec_id, int force, uint32_t *ret_status,
		struct ctrd_error **ret_error);
CTRD_API int ctrd_task_resize(struct ctrd_client *client, const char *container,
		const char *exec_id, uint32_t width, uint32_t height,
		struct ctrd_error **ret_error);
CTRD_API int ctrd_task_close_stdin(struct ctrd_client *client, const char *container,
		const char *exec_id, struct ctrd_error **ret_error);
CTRD_API int ctrd_task_pause(struct ctrd_client *client, const char *container,
		struct ctrd_error **ret_error);
CTRD_API int ctrd_task_resume(struct ctrd_client *client, const char *container,
		struct ctrd_error **ret_error);

struct ctrd_process;
struct ctrd_processes;

/** All tasks of the namespace. */
CTRD_API int ctrd_tasks_list(struct ctrd_client *client, struct ctrd_processes **ret_tasks,
		struct ctrd_error **ret_error);
CTRD_API void ctrd_processes_free(struct ctrd_processes *processes);
CTRD_API size_t ctrd_processes_count(const struct ctrd_processes *processes);
CTRD_API const struct ctrd_process *ctrd_processes_at(
		const struct ctrd_processes *processes, size_t i);

CTRD_API int ctrd_task_state(struct ctrd_client *client, const char *container,
		const char *exec_id, struct ctrd_process **ret_process,
		struct ctrd_error **ret_error);
CTRD_API void ctrd_process_free(struct ctrd_process *process);
CTRD_API const char *ctrd_process_id(const struct ctrd_process *process);
CTRD_API uint32_t ctrd_process_pid(const struct ctrd_process *process);
CTRD_API int ctrd_process_status(const struct ctrd_process *process);
CTRD_API uint32_t ctrd_process_exit_status(const struct ctrd_process *process);
CTRD_API int64_t ctrd_process_exited(const struct ctrd_process *process);
CTRD_API const char *ctrd_process_stdin(const struct ctrd_process *process);
CTRD_API const char *ctrd_process_stdout(const struct ctrd_process *process);
CTRD_API const char *ctrd_process_stderr(const struct ctrd_process *process);
CTRD_API int ctrd_process_terminal(const struct ctrd_process *process);

/** Pids of a task, as the host sees them. */
struct ctrd_pids;

CTRD_API int ctrd_task_pids(struct ctrd_client *client, const char *container,
		struct ctrd_pids **ret_pids, struct ctrd_error **ret_error);
CTRD_API void ctrd_pids_free(struct ctrd_pids *pids);
CTRD_API size_t ctrd_pids_count(const struct ctrd_pids *pids);
CTRD_API uint32_t ctrd_pids_pid(const struct ctrd_pids *pids, size_t i);
/** "" if it is not one of an exec. */
CTRD_API const char *ctrd_pids_exec_id(const struct ctrd_pids *pids, size_t i);

/** Figures about a task. */
struct ctrd_metrics;

CTRD_API int ctrd_task_metrics(struct ctrd_client *client, const char *container,
		struct ctrd_metrics **ret_metrics, struct ctrd_error **ret_error);
CTRD_API void ctrd_metrics_free(struct ctrd_metrics *metrics);
CTRD_API const char *ctrd_metrics_id(const struct ctrd_metrics *metrics);
CTRD_API int64_t ctrd_metrics_time(const struct ctrd_metrics *metrics);
/** "io.containerd.cgroups.v1.Metrics", … */
CTRD_API const char *ctrd_metrics_type(const struct ctrd_metrics *metrics);
/** A number by its path ("memory.usage.limit"; "cpu.usage.PerCPU.0"): 0 if it is not there,
 * 1 if it is. A whole part ("memory") can be asked for with ret_value NULL. */
CTRD_API int ctrd_metrics_number(
		const struct ctrd_metrics *metrics, const char *path, uint64_t *ret_value);
/** indent NULL: on one line. End it with ctrd_free(). */
CTRD_API int ctrd_metrics_json(const struct ctrd_metrics *metrics, const char *indent,
		char **ret_json, struct ctrd_error **ret_error);

/** The number of a signal given as "SIGTERM", "TERM", "15", "RTMIN+1". CTRD_INVALID. */
CTRD_API int ctrd_signal_parse(
		const char *text, uint32_t *ret_signal, struct ctrd_error **ret_error);

CTRD_END

#endif
