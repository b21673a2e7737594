/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks: containers that run, and the processes in them (reference 02 §6). The runtime keeps
 * them, one shim or more behind it.
 *
 * create prepares and starts things on this host and blocks. Everything else is a question to a
 * shim that may take as long as the container lives: task_call() never blocks, holds no thread
 * and tells the answer through a callback. task_call_wait() is the form for straight-line code.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/any.h"

struct ctx;
struct descriptor;
struct err;
struct labels;
struct mounts;

enum task_status { /* numbers as on the wire */
	TASK_UNKNOWN,
	TASK_CREATED,
	TASK_RUNNING,
	TASK_STOPPED,
	TASK_PAUSED,
	TASK_PAUSING,
};

struct task_stdio {
	const char *in, *out, *err; /* paths or URLs; "" or NULL: none */
	bool terminal;
};

/* All borrowed. NULL and "" mean absent. */
struct task_create {
	const char *id; /* of the container, and so of the task */
	const struct mounts *rootfs;
	struct task_stdio stdio;
	const struct descriptor *checkpoint;
	const struct any *options; /* of the runtime; those of the container if not set */
	const struct any *spec;	   /* instead of the container's; NULL: that */
	const char *runtime_path;  /* instead of the container's runtime */
	const char *api_address;   /* of a shim that runs already (sandboxes) */
	uint32_t api_version;
};

enum task_verb {
	TASK_START,
	TASK_STATE,
	TASK_DELETE,
	TASK_DELETE_PROCESS,
	TASK_KILL,
	TASK_EXEC,
	TASK_RESIZE,
	TASK_CLOSE_IO,
	TASK_PAUSE,
	TASK_RESUME,
	TASK_PIDS,
	TASK_CHECKPOINT,
	TASK_UPDATE,
	TASK_WAIT,
	TASK_LIST,    /* all tasks of the namespace; those that do not answer are left out */
	TASK_METRICS, /* of all tasks of the namespace that "filters" selects */
};

/* All borrowed until the callback has run. */
struct task_request {
	enum task_verb verb;
	const char *id;
	const char *exec_id; /* "" or NULL: the task's first process */
	union {
		struct {
			uint32_t signal;
			bool all;
		} kill;
		struct {
			uint32_t width, height;
		} resize;
		struct {
			bool in; /* false: there is nothing to do */
		} close;
		struct {
			struct task_stdio stdio;
			struct any spec;
		} exec;
		struct {
			struct any resources;
			const struct labels *annotations;
		} update;
		struct {
			struct any options;
		} checkpoint;
		struct {
			char *const *filters;
		} metrics;
	};
};

struct task_process {
	const char *id; /* of the task or of the process in it */
	uint32_t pid;
	enum task_status status;
	struct task_stdio stdio;
	uint32_t exit_status;
	int64_t exited_ns; /* CLOCK_UNSET while it runs */
};

struct task_pid {
	uint32_t pid;
	struct any info; /* as the shim gave it */
};

struct task_metric {
	const char *id;
	int64_t when_ns;
	struct any data;
	const char *runtime; /* NULL if the task is older than the daemon */
};

/* What a verb answers; the rest is zero. Borrowed during the callback. */
struct task_reply {
	uint32_t pid; /* START, DELETE, DELETE_PROCESS */
	uint32_t exit_status;
	int64_t exited_ns;		      /* DELETE, DELETE_PROCESS, WAIT */
	const struct task_process *processes; /* STATE and DELETE_PROCESS (one), LIST */
	const struct task_pid *pids;
	const struct task_metric *metrics;
	const struct descriptor *descriptors; /* CHECKPOINT */
	size_t count;			      /* of whichever list it is */
};

/* Runs once, on any thread; must not block. err is NULL on success, else reply is. */
typedef void (*task_done)(void *arg, const struct task_reply *reply, const struct err *err);

struct task_service;

struct task_service_ops {
	int (*create)(struct task_service *self, struct ctx *ctx, const struct task_create *r,
			uint32_t *ret_pid, struct err *err);
	void (*call)(struct task_service *self, struct ctx *ctx, const struct task_request *r,
			task_done done, void *arg);
	int (*runtime_info)(struct task_service *self, struct ctx *ctx,
			const char *runtime_path, const struct any *options,
			struct any *ret_info, struct err *err);
};
struct task_service {
	const struct task_service_ops *ops;
};

/* NOT_FOUND without a container record, EXISTS when it has a task already. */
MAY_BLOCK MUST_USE int task_create(struct task_service *s, struct ctx *ctx,
		const struct task_create *r, uint32_t *ret_pid, struct err *err);

/* ctx and r must last until done has run; it may have when this returns. NOT_FOUND when there
 * is no container, no task in it, or no such process. */
ANY_THREAD void task_call(struct task_service *s, struct ctx *ctx, const struct task_request *r,
		task_done done, void *arg);

/* The same, waiting. "each" (may be NULL) gets the reply before this returns 0. */
MAY_BLOCK MUST_USE int task_call_wait(struct task_service *s, struct ctx *ctx,
		const struct task_request *r,
		void (*each)(void *arg, const struct task_reply *reply), void *arg,
		struct err *err);

/* What a runtime says of itself, an Any of containerd.types.RuntimeInfo (reference 02 §2.16).
 */
MAY_BLOCK MUST_USE int task_runtime_info(struct task_service *s, struct ctx *ctx,
		const char *runtime_path, const struct any *options, struct any *ret_info,
		struct err *err);
