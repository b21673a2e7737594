/* SPDX-License-Identifier: Apache-2.0 */
/* The containers of a shim and their processes: who holds whom, and who waits for whom. */
#include <assert.h>
#include <stdlib.h>

#include "api/arena.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/timestamp.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "cmd/shim-runc/runc_wait_priv.h"
#include "loop/loop.h"
#include "rpc/call.h"

struct container *container_new(struct shim *s, const char *id, const char *bundle)
{
	struct container *c = xzalloc(sizeof(*c));

	c->refs = 1;
	c->shim = s;
	c->id = xstrdup(id);
	c->bundle = xstrdup(bundle);
	c->oom = (struct oom_watch){ .fd = -1, .control = -1 };
	c->runc = (struct runc){ .loop = s->loop,
		.reaper = s->reaper,
		.options = &c->options,
		.ns = s->ns,
		.bundle = c->bundle };
	list_init(&c->execs);
	return c;
}

struct container *container_ref(struct container *c)
{
	c->refs++;
	return c;
}

void container_unref(struct container *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	assert(list_is_empty(&c->execs) && c->init == NULL);
	container_end_oom(c);
	cgroup_done(&c->cgroup);
	runc_options_done(&c->options);
	free(c->checkpoint);
	free(c->parent_checkpoint);
	free(c->bundle);
	free(c->id);
	free(c);
}

struct container *container_find(struct shim *s, const char *id, struct err *err)
{
	struct container *c = map_find(&s->containers, id);

	if (c != NULL && c->is_made)
		return c;
	(void)err_set(err, ERR_NOT_FOUND, "container not created");
	return NULL;
}

struct proc *proc_new(struct container *c, const char *exec_id)
{
	struct proc *p = xzalloc(sizeof(*p));

	p->refs = 1;
	p->c = container_ref(c);
	p->is_init = exec_id[0] == '\0';
	p->id = xstrdup(p->is_init ? c->id : exec_id);
	p->exited_ns = CLOCK_UNSET;
	list_init(&p->node);
	list_init(&p->waiters);
	turns_init(&p->turns);
	return p;
}

struct proc *proc_ref(struct proc *p)
{
	p->refs++;
	return p;
}

static void nothing(void *arg)
{
	(void)arg;
}

void proc_unref(struct proc *p)
{
	if (p == NULL || --p->refs > 0)
		return;
	reaper_unwatch(&p->exit);
	if (p->io != NULL)
		stdio_close(p->io, nothing, NULL);
	container_unref(p->c);
	free(p->spec);
	free(p->in);
	free(p->out);
	free(p->err);
	free(p->id);
	free(p);
}

static struct proc *find_exec(struct container *c, const char *exec_id)
{
	list_for_each (it, &c->execs) {
		struct proc *p = list_entry(it, struct proc, node);

		if (str_eq(p->id, exec_id))
			return p;
	}
	return NULL;
}

struct proc *proc_find(struct container *c, const char *exec_id, struct err *err)
{
	struct proc *p = exec_id[0] == '\0' ? c->init : find_exec(c, exec_id);

	if (p != NULL)
		return p;
	if (exec_id[0] == '\0')
		(void)err_set(err, ERR_PRECONDITION, "container must be created");
	else
		(void)err_set(err, ERR_NOT_FOUND, "process does not exist %s", exec_id);
	return NULL;
}

void proc_forget(struct proc *p)
{
	/* Whoever still waits must not wait for ever: it ended without having run. */
	proc_tell_waiters(p);
	list_remove(&p->node);
	proc_unref(p);
}

void container_forget(struct container *c)
{
	(void)map_remove(&c->shim->containers, c->id);
	c->is_made = false;
	loop_timer_free(take_ptr(c->pid_note));
	list_for_each (it, &c->execs)
		proc_forget(list_entry(it, struct proc, node));
	proc_tell_waiters(c->init);
	proc_unref(take_ptr(c->init));
	container_unref(c);
}

struct waiter {
	struct list node;
	struct proc *p; /* counted */
	struct call *call;
	struct cancel_hook hook;
};

static void answer_wait(struct call *call, const struct proc *p)
{
	TaskV3__WaitResponse response = TASK_V3__WAIT_RESPONSE__INIT;
	AUTO_ERR struct err err = { 0 };

	response.exit_status = (uint32_t)p->status;
	response.exited_at = timestamp_new(call_arena(call), p->exited_ns);
	if (call_answer(call, &response.base, &err) == CALL_OK)
		call_finish(call, NULL);
	else
		call_finish(call, &err);
}

static void waiter_free(struct waiter *w)
{
	list_remove(&w->node);
	call_unref(w->call);
	proc_unref(w->p);
	free(w);
}

static void on_wait_cancelled(struct cancel_hook *hook)
{
	struct waiter *w = container_of(hook, struct waiter, hook);
	AUTO_ERR struct err err = { 0 };

	if (!ctx_done(call_ctx(w->call), &err))
		(void)err_set(&err, ERR_CANCELED, "%s", "");
	call_finish(w->call, &err);
	waiter_free(w);
}

bool proc_wait(struct proc *p, struct call *call)
{
	struct waiter *w;

	if (p->is_over) {
		answer_wait(call, p);
		return true;
	}
	w = xzalloc(sizeof(*w));
	w->p = proc_ref(p);
	w->call = call_ref(call);
	w->hook.fired = on_wait_cancelled;
	list_append(&p->waiters, &w->node);
	if (cancel_hook_add(call_ctx(call)->cancel, &w->hook))
		return true;
	waiter_free(w);
	return false;
}

void proc_tell_waiters(struct proc *p)
{
	p->is_over = true;
	list_for_each (it, &p->waiters) {
		struct waiter *w = list_entry(it, struct waiter, node);

		if (!cancel_hook_remove(call_ctx(w->call)->cancel, &w->hook))
			continue; /* it is ending by itself */
		answer_wait(w->call, p);
		waiter_free(w);
	}
}
