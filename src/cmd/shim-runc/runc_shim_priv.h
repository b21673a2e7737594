/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the serving shim is made of. Everything runs on one loop and nothing waits: an operation
 * that needs the runtime takes a turn of what it works on, starts the runtime, and goes on when
 * that has ended. README.md tells the life of a container.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/cancel.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "cmd/shim-runc/runc_call.h"
#include "cmd/shim-runc/runc_options.h"
#include "cmd/shim-runc/runc_states.h"
#include "os/cgroup.h"
#include "os/cgroup_oom.h"
#include "shim/shim_reaper.h"
#include "shim/shim_stdio.h"
#include "shim/shim_turns.h"

struct call;
struct loop_timer;
struct loop_watch;
struct publisher;
struct ptysock;
struct ProtobufCMessage;
struct TaskV3__CreateTaskRequest;

struct shim {
	struct loop *loop;
	struct reaper *reaper;
	struct publisher *publisher;
	struct stdio_env stdio;
	const char *ns;
	struct map containers; /* struct container by id; those being made as well */
	int debug_listener;
	struct pid_dir {
		int fd; /* opened at the first use; -1 if that failed */
		bool is_tried;
		unsigned count; /* of names given */
	} pid_dir;
	bool is_stopping;
	void (*stop)(void *arg); /* ends the program, politely */
	void *stop_arg;
};

/* A process of a container: its init, or one added by Exec. */
struct proc {
	unsigned refs;
	struct container *c; /* counted */
	struct list node;    /* in c->execs */
	bool is_init;
	char *id; /* the container's, or the exec's */
	char *in, *out, *err;
	bool terminal;
	enum proc_state state;
	pid_t pid;	    /* stays after the exit */
	struct turns turns; /* operations on it, one at a time */
	struct stdio *io;   /* NULL before its start and after its end */
	struct exit_watch exit;
	bool has_exited; /* known to the reaper; the state follows in its turn */
	int status;
	int64_t exited_ns;
	bool is_over; /* Wait answers */
	struct list waiters;
	char *spec; /* execs: JSON of the process, until it starts */
	size_t spec_size;
	bool counts;		      /* execs: the container's init must wait for its exit */
	void (*on_exited)(void *arg); /* one operation that waits for has_exited */
	void *on_exited_arg;
};

struct container {
	unsigned refs;
	struct shim *shim;
	char *id, *bundle;
	struct runc_options options;
	struct runc runc;
	bool is_made;	 /* Create has answered; before that nobody sees it */
	bool has_rootfs; /* we mounted it */
	bool has_own_pids;
	bool is_pausing;
	struct proc *init; /* counted */
	struct list execs; /* struct proc, counted */
	unsigned live_execs;
	struct op *ending;	     /* the init's exit, waiting for them */
	void (*no_execs)(void *arg); /* a deletion that waits for them as well */
	void *no_execs_arg;
	struct cgroup cgroup;
	struct oom_watch oom;
	struct loop_watch *oom_ready;
	char *checkpoint, *parent_checkpoint; /* restored from; NULL */
	struct loop_timer *pid_note;	      /* until init.pid stands in the bundle */
};

/* runc_container.c */
MUST_USE struct container *container_new(struct shim *s, const char *id, const char *bundle);
struct container *container_ref(struct container *c);
void container_unref(struct container *c);
/* NOT_FOUND if it is not there or not made yet. */
MUST_USE struct container *container_find(struct shim *s, const char *id, struct err *err);
MUST_USE struct proc *proc_new(struct container *c, const char *exec_id);
struct proc *proc_ref(struct proc *p);
void proc_unref(struct proc *p);
/* The init for an empty exec id. NOT_FOUND, PRECONDITION. */
MUST_USE struct proc *proc_find(struct container *c, const char *exec_id, struct err *err);
/* Sends Wait its answer, and those to come. */
void proc_tell_waiters(struct proc *p);
/* Takes an exec out of its container. */
void proc_forget(struct proc *p);
/* Takes the container out of the shim, with all its processes. */
void container_forget(struct container *c);

/*
 * One operation under way, for a client or for ourselves. Steps are functions; the last one
 * ends it with op_done() or op_fail().
 */
struct op {
	struct turn turn;
	struct call *call; /* NULL: nobody waits for an answer */
	struct cancel_hook hook;
	struct container *c; /* counted, as p is */
	struct proc *p;
	struct turns *held;
	struct runner *running; /* the runtime, for this operation */
	bool is_cancelled;
	bool finishes; /* once begun: what has started cannot be taken back */
	void (*begin)(struct op *op);
	/* After the runtime: err is NULL if it said 0. */
	void (*then)(struct op *op, const struct runner_result *result, const struct err *err);
	struct loop_timer *timer;
	unsigned tries;
	struct err runtime_err; /* told when the rest has been cleaned up */
	struct ptysock *pty;
	void (*next)(struct op *op);
	void (*got_console)(struct op *op, const struct err *err);
	char *temp_path; /* removed at the end */
	char *pid_path;	 /* where the runtime writes a pid; NULL */
	bool has_pid_in_memory;
	bool holds_exits;
	const void *request; /* its message, as long as the call */
};

/* c and p are referenced; p may be NULL. */
MUST_USE struct op *op_new(struct call *call, struct container *c, struct proc *p);
/* Calls begin(op) when it is the operation's turn. Not if the call has ended by then. */
void op_take_turn(struct op *op, struct turns *turns, void (*begin)(struct op *op));
void op_give_turn(struct op *op);
/* Runs the runtime; frees argv in any case. 0, and then() from the loop; or -1 if it cannot be
 * started. */
MUST_USE int op_try_run(struct op *op, char **own_argv, const int fds[3],
		void (*then)(struct op *op, const struct runner_result *result,
				const struct err *err),
		struct err *err);
/* The same, but then() gets that error, at once. */
void op_run(struct op *op, char **own_argv, const int fds[3],
		void (*then)(struct op *op, const struct runner_result *result,
				const struct err *err));
extern const int op_captured[3]; /* fds: nothing in, output collected */
/* Each of these ends it: the client gets the answer or the error, the turn is given back. */
void op_answer(struct op *op, const struct ProtobufCMessage *response);
void op_answer_empty(struct op *op);
void op_done(struct op *op); /* of ours: nobody gets an answer */
void op_fail(struct op *op, const struct err *err);

/* runc_io.c: the standard streams and terminals of an operation's process */
void op_open_io(struct op *op, void (*opened)(void *arg, const struct err *err));
/* Makes the socket that the runtime sends the terminal to. -1 with err. */
MUST_USE int op_open_pty(struct op *op, const char **ret_path, struct err *err);
/* The runtime has ended well: calls then() when the terminal is attached (or needs not be). */
void op_attach_console(struct op *op, void (*then)(struct op *op, const struct err *err));
void proc_close_io(struct proc *p, void (*closed)(void *arg), void *arg);
/* Waits for output to be passed on, within a bound. */
void op_drain(struct op *op, void (*then)(struct op *op));

/* runc_pid_file.c */
/* Where the runtime is to write the pid of the operation's process; the operation's. */
MUST_USE const char *op_pid_path(struct op *op);
/* Reads it, and sees to it that it stands in the bundle. */
MUST_USE int op_read_pid(struct op *op, struct err *err);
void op_forget_pid_path(struct op *op);

/* runc_exit.c */
void proc_watch_exit(struct proc *p);
/* An exec that counted will never run: its container's end need not wait for it. */
void proc_uncount(struct proc *p);
/* Marks the init ended and publishes it; only in its turn. */
void init_settle_exit(struct container *c);

/* runc_events.c */
void publish_create(struct container *c, const struct TaskV3__CreateTaskRequest *request);
void publish_start(struct container *c);
void publish_delete(struct container *c);
void publish_exit(struct proc *p);
void publish_exec_added(struct proc *p);
void publish_exec_started(struct proc *p);
void publish_paused(struct container *c);
void publish_resumed(struct container *c);
void publish_oom(struct container *c);

/* runc_oom.c */
void container_watch_oom(struct container *c);
void container_end_oom(struct container *c); /* reports what came at the last moment */
