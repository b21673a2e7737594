/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends of processes, in the order that clients rely on: a process's exit is told after its
 * start, an init's after those of all others in its container (reference 02 §3.7).
 */
#include <signal.h>

#include "base/log.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_shim_priv.h"

static void settle(struct proc *p)
{
	p->state = PROC_STOPPED;
	if (p->io != NULL)
		stdio_process_ended(p->io);
	publish_exit(p);
	proc_tell_waiters(p);
}

void init_settle_exit(struct container *c)
{
	if (c->init->state == PROC_STOPPED || c->init->state == PROC_DELETED)
		return;
	container_end_oom(c);
	settle(c->init);
}

static void init_take_last_turn(struct op *op);

void proc_uncount(struct proc *p)
{
	struct container *c = p->c;
	void (*told)(void *arg);

	if (!p->counts)
		return;
	p->counts = false;
	c->live_execs--;
	if (c->live_execs > 0)
		return;
	if (c->ending != NULL)
		init_take_last_turn(take_ptr(c->ending));
	told = take_ptr(c->no_execs);
	if (told != NULL)
		told(c->no_execs_arg);
}

static void exec_exit(struct op *op)
{
	if (op->p->state != PROC_DELETED)
		settle(op->p);
	proc_uncount(op->p);
	op_done(op);
}

static void init_resumed(
		struct op *op, const struct runner_result *result, const struct err *err)
{
	if (err != NULL)
		log_error(NULL, "%s: resume after exit: %s (ignored)", op->c->id,
				err_text(err));
	init_settle_exit(op->c);
	op_done(op);
}

static void init_exit_last(struct op *op)
{
	char **argv;

	if (op->p->state != PROC_PAUSED) {
		if (op->c->init == op->p)
			init_settle_exit(op->c);
		op_done(op);
		return;
	}
	argv = runc_argv(&op->c->runc, "resume");
	strv_add(&argv, op->c->id);
	op_run(op, argv, op_captured, init_resumed);
}

static void init_take_last_turn(struct op *op)
{
	op_take_turn(op, &op->p->turns, init_exit_last);
}

/* Waits without the turn: the state can be asked for, and execs be killed, meanwhile. */
static void init_wait_execs(struct op *op)
{
	op_give_turn(op);
	if (op->c->live_execs > 0)
		op->c->ending = op;
	else
		init_take_last_turn(op);
}

static void init_killed_others(
		struct op *op, const struct runner_result *result, const struct err *err)
{
	if (err != NULL)
		log_error(NULL, "%s: kill the rest of the container: %s (ignored)", op->c->id,
				err_text(err));
	init_wait_execs(op);
}

static void init_exit(struct op *op)
{
	char **argv;

	if (op->p->state == PROC_STOPPED || op->p->state == PROC_DELETED) {
		op_done(op);
		return;
	}
	if (op->c->has_own_pids) {
		init_wait_execs(op);
		return;
	}
	argv = runc_argv(&op->c->runc, "kill");
	strv_add(&argv, "--all");
	strv_add(&argv, op->c->id);
	strv_addf(&argv, "%d", SIGKILL);
	op_run(op, argv, op_captured, init_killed_others);
}

static void on_exit_of(struct exit_watch *w, int status, int64_t wall_ns)
{
	struct proc *p = container_of(w, struct proc, exit);
	void (*told)(void *arg) = take_ptr(p->on_exited);

	p->has_exited = true;
	p->status = status;
	p->exited_ns = wall_ns;
	if (told != NULL)
		told(p->on_exited_arg);
	/* Whoever works on the process now, its start for one, comes first. */
	op_take_turn(op_new(NULL, p->c, p), &p->turns, p->is_init ? init_exit : exec_exit);
	proc_unref(p);
}

void proc_watch_exit(struct proc *p)
{
	p->exit.ended = on_exit_of;
	reaper_watch(p->c->shim->reaper, &p->exit, proc_ref(p)->pid);
}
