/* SPDX-License-Identifier: Apache-2.0 */
/* Operations under way: their turn, their runtime child, their end. */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "loop/loop.h"
#include "rpc/call.h"
#include "shim/shim_ptysock.h"

/* For a start that nobody waits for. */
#define FINISH_MS 10000

const int op_captured[3] = { -1, RUNNER_CAPTURE, RUNNER_CAPTURE };

static void on_patience_over(void *arg)
{
	struct op *op = arg;

	if (op->running != NULL)
		runner_kill(op->running);
}

/* The client has gone or its time is over: the runtime's work for it ends too. But a start
 * whose daemon has died goes on for a while: its runtime may have started what the next daemon,
 * who is told of no start, would start again. */
static void on_cancelled(struct cancel_hook *hook)
{
	struct op *op = container_of(hook, struct op, hook);

	if (op->finishes && op->running != NULL && ctx_left_ns(call_ctx(op->call)) > 0) {
		op->timer = loop_timer_new(op->c->shim->loop, on_patience_over, op);
		loop_timer_set(op->timer, FINISH_MS);
		return;
	}
	op->is_cancelled = true;
	if (op->running != NULL)
		runner_kill(op->running);
}

struct op *op_new(struct call *call, struct container *c, struct proc *p)
{
	struct op *op = xzalloc(sizeof(*op));

	op->c = container_ref(c);
	op->p = p == NULL ? NULL : proc_ref(p);
	if (call == NULL)
		return op;
	op->call = call_ref(call);
	op->hook.fired = on_cancelled;
	op->is_cancelled = !cancel_hook_add(call_ctx(call)->cancel, &op->hook);
	return op;
}

static bool refuse_cancelled(struct op *op, struct err *err)
{
	if (op->call == NULL)
		return false;
	if (ctx_done(call_ctx(op->call), err))
		return true;
	if (op->is_cancelled)
		(void)err_set(err, ERR_CANCELED, "%s", "");
	return op->is_cancelled;
}

static void on_turn(struct turn *turn)
{
	struct op *op = container_of(turn, struct op, turn);
	AUTO_ERR struct err err = { 0 };

	if (refuse_cancelled(op, &err))
		op_fail(op, &err);
	else
		op->begin(op);
}

void op_take_turn(struct op *op, struct turns *turns, void (*begin)(struct op *op))
{
	assert(op->held == NULL);
	op->held = turns;
	op->begin = begin;
	op->turn.run = on_turn;
	turns_take(turns, &op->turn);
}

void op_give_turn(struct op *op)
{
	turns_give(take_ptr(op->held));
}

static void on_ran(void *arg, const struct runner_result *result)
{
	struct op *op = arg;
	AUTO_ERR struct err err = { 0 };

	op->running = NULL;
	if (op->finishes) /* there is nobody left to end when patience is over */
		loop_timer_free(take_ptr(op->timer));
	if (result->status == 0) {
		op->then(op, result, NULL);
		return;
	}
	if (!refuse_cancelled(op, &err))
		runc_explain(runc_options_binary(&op->c->options), result, &err);
	op->then(op, result, &err);
}

int op_try_run(struct op *op, char **own_argv, const int fds[3],
		void (*then)(struct op *op, const struct runner_result *result,
				const struct err *err),
		struct err *err)
{
	AUTO_STRV char **argv = own_argv;

	op->then = then;
	if (refuse_cancelled(op, err))
		return -1;
	return runc_run(&op->c->runc, argv, fds, on_ran, op, &op->running, err);
}

void op_run(struct op *op, char **own_argv, const int fds[3],
		void (*then)(struct op *op, const struct runner_result *result,
				const struct err *err))
{
	AUTO_ERR struct err err = { 0 };

	if (op_try_run(op, own_argv, fds, then, &err) < 0)
		then(op, NULL, &err);
}

static void op_end(struct op *op, const struct err *err)
{
	if (op->call != NULL) {
		(void)cancel_hook_remove(call_ctx(op->call)->cancel, &op->hook);
		call_finish(op->call, err);
		call_unref(op->call);
	}
	if (op->temp_path != NULL)
		(void)unlink(op->temp_path);
	free(op->temp_path);
	op_forget_pid_path(op);
	ptysock_free(op->pty);
	loop_timer_free(op->timer);
	err_clear(&op->runtime_err);
	if (op->held != NULL)
		op_give_turn(op);
	proc_unref(op->p);
	container_unref(op->c);
	free(op);
}

void op_done(struct op *op)
{
	op_end(op, NULL);
}

void op_fail(struct op *op, const struct err *err)
{
	assert(err != NULL && err->kind != ERR_NONE);
	op_end(op, err);
}

void op_answer(struct op *op, const struct ProtobufCMessage *response)
{
	AUTO_ERR struct err err = { 0 };

	if (op->call != NULL && call_answer(op->call, response, &err) != CALL_OK)
		op_fail(op, &err);
	else
		op_done(op);
}

void op_answer_empty(struct op *op)
{
	AUTO_ERR struct err err = { 0 };

	if (op->call != NULL && call_answer_empty(op->call, &err) != CALL_OK)
		op_fail(op, &err);
	else
		op_done(op);
}
