/* SPDX-License-Identifier: Apache-2.0 */
/* The standard streams and terminals of a process, as steps of the operation that makes or ends
 * it. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "loop/loop.h"
#include "shim/shim_ptysock.h"

/* A runtime that has said "done" has sent its terminal before. */
#define CONSOLE_MS 10000
#define DRAIN_MS   10000

void op_open_io(struct op *op, void (*opened)(void *arg, const struct err *err))
{
	struct proc *p = op->p;
	struct stdio_names names = { .in = str_or(p->in, ""),
		.out = str_or(p->out, ""),
		.err = str_or(p->err, ""),
		.terminal = p->terminal,
		.id = p->id,
		.uid = op->c->options.io_uid,
		.gid = op->c->options.io_gid };

	p->io = stdio_new(&op->c->shim->stdio);
	stdio_open(p->io, &names, opened, op);
}

int op_open_pty(struct op *op, const char **ret_path, struct err *err)
{
	*ret_path = NULL;
	if (!op->p->terminal)
		return 0;
	if (ptysock_new(op->c->shim->loop, &op->pty, err) < 0)
		return -1;
	*ret_path = ptysock_path(op->pty);
	return 0;
}

static void on_console(void *arg, int own_master, const struct err *failure)
{
	struct op *op = arg;
	AUTO_ERR struct err err = { 0 };
	int rc;

	ptysock_free(take_ptr(op->pty));
	if (failure != NULL) {
		(void)err_plain(&err, failure->kind, "failed to retrieve console master: %s",
				err_text(failure));
		op->got_console(op, &err);
		return;
	}
	rc = stdio_attach_console(op->p->io, own_master);
	if (rc < 0)
		(void)err_sys(&err, -rc, "failed to start console copy");
	op->got_console(op, rc < 0 ? &err : NULL);
}

void op_attach_console(struct op *op, void (*then)(struct op *op, const struct err *err))
{
	op->got_console = then;
	if (op->pty == NULL)
		then(op, NULL);
	else
		ptysock_receive(op->pty, CONSOLE_MS, on_console, op);
}

void proc_close_io(struct proc *p, void (*closed)(void *arg), void *arg)
{
	struct stdio *io = take_ptr(p->io);

	if (io == NULL)
		closed(arg);
	else
		stdio_close(io, closed, arg);
}

static void drained(struct op *op)
{
	loop_timer_free(take_ptr(op->timer));
	if (op->p->io != NULL)
		stdio_on_drained(op->p->io, NULL, NULL);
	op->next(op);
}

static void on_drained(void *arg)
{
	drained(arg);
}

static void on_drain_limit(void *arg)
{
	struct op *op = arg;

	log_warn(NULL, "failed to drain %s process %s io", op->p->is_init ? "init" : "exec",
			op->p->id);
	drained(op);
}

void op_drain(struct op *op, void (*then)(struct op *op))
{
	op->next = then;
	if (op->p->io == NULL || stdio_is_drained(op->p->io)) {
		then(op);
		return;
	}
	stdio_on_drained(op->p->io, on_drained, op);
	op->timer = loop_timer_new(op->c->shim->loop, on_drain_limit, op);
	loop_timer_set(op->timer, DRAIN_MS);
}
