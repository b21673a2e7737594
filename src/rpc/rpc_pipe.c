/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/rpc_pipe_priv.h"

#include <assert.h>

static void on_task(struct loop_task *task)
{
	struct rpc_pipe *p = container_of(task, struct rpc_pipe, task);

	mutex_lock(&p->lock);
	p->woken = false;
	mutex_unlock(&p->lock);
	p->ops->wake(p);
	p->ops->unref(p);
}

void rpc_pipe_init(struct rpc_pipe *p, const struct rpc_pipe_ops *ops, struct loop *loop)
{
	mutex_init(&p->lock, RANK_call);
	cond_init(&p->changed);
	msgq_init(&p->in);
	msgq_init(&p->out);
	p->ops = ops;
	p->loop = loop;
	p->task.run = on_task;
}

void rpc_pipe_done(struct rpc_pipe *p)
{
	assert(!p->woken && p->waiting == 0);
	msgq_done(&p->in);
	msgq_done(&p->out);
	rpc_msg_free(take_ptr(p->spare));
	err_clear(&p->why);
	cond_done(&p->changed);
	mutex_done(&p->lock);
}

void rpc_pipe_wake_locked(struct rpc_pipe *p)
{
	if (p->woken || p->loop == NULL)
		return;
	p->woken = true;
	p->ops->ref(p);
	loop_post(p->loop, &p->task);
}

void rpc_pipe_changed_locked(struct rpc_pipe *p)
{
	if (p->waiting > 0)
		cond_broadcast(&p->changed);
}

void rpc_pipe_wait_locked(struct rpc_pipe *p)
{
	assert(p->loop == NULL || !loop_is_mine(p->loop));
	p->waiting++;
	if (p->pump) {
		mutex_unlock(&p->lock);
		loop_run_once(p->loop, -1);
		mutex_lock(&p->lock);
	} else {
		cond_wait(&p->changed, &p->lock);
	}
	p->waiting--;
}

void rpc_pipe_end_in_locked(struct rpc_pipe *p, const struct err *why)
{
	if (p->in_end || p->over)
		return;
	p->in_end = true;
	if (why != NULL && why->kind != ERR_NONE)
		err_copy(&p->why, why);
	rpc_pipe_changed_locked(p);
}

void rpc_pipe_break_locked(struct rpc_pipe *p, const struct err *why)
{
	if (p->over)
		return;
	p->over = true;
	if (p->why.kind == ERR_NONE)
		err_copy(&p->why, why);
	msgq_done(&p->out);
	rpc_pipe_changed_locked(p);
}

static int fail_locked(struct rpc_pipe *p, struct err *err)
{
	if (p->why.kind == ERR_NONE)
		return err_plain(err, ERR_UNKNOWN, "EOF");
	err_copy(err, &p->why);
	return -1;
}

static void push_locked(struct rpc_pipe *p, struct rpc_msg *own_m)
{
	msgq_push(&p->out, own_m);
	rpc_pipe_wake_locked(p);
}

int rpc_pipe_send(struct rpc_pipe *p, struct rpc_msg *own_m, struct err *err)
{
	LOCKED(&p->lock);
	while (!p->over && !p->out_end && !p->hurry && p->out.bytes >= RPC_PIPE_HIGH) {
		if (p->loop != NULL && loop_is_mine(p->loop))
			break;
		rpc_pipe_wait_locked(p);
	}
	if (p->over || p->out_end)
		return fail_locked(p, err);
	if (p->no_send)
		return err_set(err, ERR_UNAVAILABLE, "the daemon is being replaced");
	push_locked(p, own_m);
	return 0;
}

bool rpc_pipe_try_send(struct rpc_pipe *p, struct rpc_msg *own_m, size_t limit)
{
	LOCKED(&p->lock);
	if (p->over || p->out_end || p->out.bytes > limit)
		return false;
	push_locked(p, own_m);
	return true;
}

int rpc_pipe_recv(struct rpc_pipe *p, struct rpc_msg **ret_m, struct err *err)
{
	LOCKED(&p->lock);
	while (!p->over && !p->in_end && !p->hurry && msgq_first(&p->in) == NULL)
		rpc_pipe_wait_locked(p);
	if (p->over)
		return fail_locked(p, err);
	if (p->no_recv || (p->hurry && !p->in_end && msgq_first(&p->in) == NULL))
		return err_set(err, ERR_UNAVAILABLE, "the daemon is being replaced");
	*ret_m = msgq_pop(&p->in);
	if (*ret_m == NULL)
		return p->why.kind == ERR_NONE ? 0 : fail_locked(p, err);
	if (p->held && p->in.bytes < RPC_PIPE_HIGH / 2) {
		p->held = false;
		rpc_pipe_wake_locked(p);
	}
	return 1;
}

void rpc_pipe_deliver(struct rpc_pipe *p, struct rpc_msg *own_m)
{
	LOCKED(&p->lock);
	if (p->over) {
		rpc_msg_free(own_m);
		return;
	}
	msgq_push(&p->in, own_m);
	rpc_pipe_changed_locked(p);
}

void rpc_pipe_give_back(struct rpc_pipe *p, struct rpc_msg *own_m)
{
	AUTO(rpc_msg_free) struct rpc_msg *m = own_m;

	if (m == NULL || m->room < RPC_SPARE_MIN || m->room > RPC_SPARE_MAX)
		return;
	LOCKED(&p->lock);
	if (p->spare == NULL && !p->over && !p->in_end)
		p->spare = take_ptr(m);
}

struct rpc_msg *rpc_pipe_spare(struct rpc_pipe *p)
{
	LOCKED(&p->lock);
	return take_ptr(p->spare);
}

void rpc_pipe_end_in(struct rpc_pipe *p)
{
	LOCKED(&p->lock);
	rpc_pipe_end_in_locked(p, NULL);
}

bool rpc_pipe_hold(struct rpc_pipe *p)
{
	LOCKED(&p->lock);
	if (p->over)
		p->held = false;
	else if (p->in.bytes >= RPC_PIPE_HIGH)
		p->held = true;
	return p->held;
}

struct rpc_msg *rpc_pipe_take(struct rpc_pipe *p, bool *ret_end)
{
	LOCKED(&p->lock);
	struct rpc_msg *m = msgq_pop(&p->out);

	*ret_end = m == NULL && p->out_end;
	if (m != NULL && p->out.bytes < RPC_PIPE_HIGH)
		rpc_pipe_changed_locked(p);
	return m;
}

void rpc_pipe_sent(struct rpc_pipe *p, struct rpc_msg *own_m)
{
	if (p->ops->sent != NULL)
		p->ops->sent(p, own_m);
	else
		rpc_msg_free(own_m);
}
