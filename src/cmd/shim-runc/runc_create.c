/* SPDX-License-Identifier: Apache-2.0 */
/* Create: from a bundle and options to a container that waits to be started (reference 02
 * §3.3). */
#include "cmd/shim-runc/runc_create_priv.h"

#include <string.h>
#include <unistd.h>

#include "api/pb/any.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_bundle.h"
#include "cmd/shim-runc/runc_rootfs.h"
#include "cmd/shim-runc/runc_service_priv.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "cmd/shim-runc/runc_spec.h"
#include "shim/shim_publisher.h"

static void nothing(void *arg)
{
	(void)arg;
}

/* Nobody has seen it yet; what the runtime made is left to the "delete" that daemons call then.
 */
static void create_fail(struct op *op, const struct err *err)
{
	struct container *c = op->c;
	AUTO_ERR struct err undo = { 0 };

	proc_close_io(op->p, nothing, NULL);
	if (c->has_rootfs && rootfs_unmount(c->bundle, &undo) < 0)
		log_warn(NULL, "%s: %s (ignored)", c->id, err_text(&undo));
	if (op->holds_exits)
		reaper_release(c->shim->reaper);
	op->p->state = PROC_DELETED;
	container_ref(c); /* it is forgotten before the operation ends */
	container_forget(c);
	op_fail(op, err);
	container_unref(c);
}

static void create_answer(struct op *op)
{
	TaskV3__CreateTaskResponse response = TASK_V3__CREATE_TASK_RESPONSE__INIT;
	struct container *c = op->c;

	c->is_made = true;
	publish_create(c, op->request);
	if (op->p->pid > 0) {
		container_watch_oom(c);
		proc_watch_exit(op->p);
	}
	if (op->holds_exits)
		reaper_release(c->shim->reaper);
	response.pid = (uint32_t)op->p->pid;
	op_answer(op, &response.base);
}

static void create_attached(struct op *op, const struct err *failure)
{
	struct container *c = op->c;
	AUTO_ERR struct err err = { 0 };
	int rc;

	if (failure != NULL) {
		create_fail(op, failure);
		return;
	}
	if (op_read_pid(op, &err) < 0) {
		(void)err_wrap(&err, "failed to retrieve OCI runtime container pid");
		create_fail(op, &err);
		return;
	}
	rc = cgroup_of_pid(op->p->pid, &c->cgroup);
	if (rc < 0)
		log_error(NULL, "%s: loading cgroup of %d: %s (ignored)", c->id, op->p->pid,
				errno_text(-rc));
	create_answer(op);
}

static void create_ran(
		struct op *op, const struct runner_result *result, const struct err *failure)
{
	AUTO_ERR struct err err = { 0 };

	if (failure != NULL) {
		runc_fail(&op->c->runc, "OCI runtime create failed", failure, &err);
		create_fail(op, &err);
		return;
	}
	op_attach_console(op, create_attached);
}

static char **create_argv(struct op *op, const char *pty)
{
	const struct container *c = op->c;
	char **argv = runc_argv(&c->runc, "create");

	strv_add(&argv, "--bundle");
	strv_add(&argv, c->bundle);
	strv_add(&argv, "--pid-file");
	strv_add(&argv, op_pid_path(op));
	if (pty != NULL) {
		strv_add(&argv, "--console-socket");
		strv_add(&argv, pty);
	}
	if (c->options.no_pivot_root)
		strv_add(&argv, "--no-pivot");
	if (c->options.no_new_keyring)
		strv_add(&argv, "--no-new-keyring");
	strv_add(&argv, c->id);
	return argv;
}

int op_run_with_io(struct op *op, char **own_argv,
		void (*then)(struct op *op, const struct runner_result *result,
				const struct err *err),
		struct err *err)
{
	int fds[3];

	if (!stdio_child_fds(op->p->io, fds))
		memcpy(fds, op_captured, sizeof(fds));
	if (op_try_run(op, own_argv, fds, then, err) < 0)
		return -1;
	stdio_spawned(op->p->io);
	return 0;
}

/* What is not there counts as the default: such options are written while the runtime works. */
static bool may_save_later(const struct container *c)
{
	return c->checkpoint == NULL && runc_options_are_default(&c->options) &&
	       access(c->bundle, W_OK) == 0;
}

/* While the runtime works. */
static void use_the_time(const struct container *c)
{
	AUTO_ERR struct err err = { 0 };

	publisher_prepare(c->shim->publisher);
	if (may_save_later(c) && bundle_save_options(c->bundle, &c->options, &err) < 0)
		log_warn(NULL, "%s: %s (ignored)", c->id, err_text(&err));
}

static void create_opened(void *arg, const struct err *failure)
{
	struct op *op = arg;
	struct container *c = op->c;
	AUTO_ERR struct err cause = { 0 };
	AUTO_ERR struct err err = { 0 };
	const char *pty;

	if (failure != NULL) {
		create_fail(op, failure);
		return;
	}
	if (c->checkpoint != NULL) {
		op->p->state = PROC_CREATED_CHECKPOINT;
		create_answer(op);
		return;
	}
	if (op_open_pty(op, &pty, &err) < 0) {
		(void)err_wrap(&err, "failed to create OCI runtime console socket");
		create_fail(op, &err);
		return;
	}
	/* The init may end before its pid is known. */
	reaper_hold(c->shim->reaper);
	op->holds_exits = true;
	if (op_run_with_io(op, create_argv(op, pty), create_ran, &cause) < 0)
		create_ran(op, NULL, &cause);
	else
		use_the_time(c);
}

static void look_at_spec(struct container *c)
{
	AUTO_BUF struct buf config = { 0 };
	AUTO_ERR struct err err = { 0 };

	if (bundle_read(c->bundle, "config.json", BUNDLE_MAX_CONFIG, &config, &err) < 0)
		return; /* the runtime will say so; until then: no pids of its own */
	c->has_own_pids = config.size > 0 && runc_spec_has_own_pids(config.data, config.size);
}

static int prepare(struct op *op, const TaskV3__CreateTaskRequest *r, struct err *err)
{
	struct container *c = op->c;

	if (r->options != NULL &&
			runc_options_decode(r->options->type_url, r->options->value.data,
					r->options->value.len, &c->options, err) < 0)
		return -1;
	if (!may_save_later(c) && bundle_save_options(c->bundle, &c->options, err) < 0)
		return -1;
	look_at_spec(c);
	if (r->n_rootfs > 0) {
		if (rootfs_mount(c->bundle, r->rootfs, r->n_rootfs, err) < 0)
			return -1;
		c->has_rootfs = true;
	}
	return 0;
}

static void create_begin(struct op *op)
{
	AUTO_ERR struct err err = { 0 };

	if (prepare(op, op->request, &err) < 0)
		create_fail(op, &err);
	else
		op_open_io(op, create_opened);
}

static int check_request(
		const struct shim *s, const TaskV3__CreateTaskRequest *r, struct err *err)
{
	if (ident_check(r->id, err) < 0)
		return -1;
	if (r->bundle[0] != '/')
		return err_set(err, ERR_INVALID, "bundle path \"%s\" is not absolute",
				r->bundle);
	if (map_find(&s->containers, r->id) != NULL)
		return err_set(err, ERR_EXISTS, "id %s", r->id);
	return 0;
}

static char *copy_or_null(const char *text)
{
	return text[0] == '\0' ? NULL : xstrdup(text);
}

void proc_set_io(
		struct proc *p, const char *in, const char *out, const char *err, bool terminal)
{
	p->in = copy_or_null(in);
	p->out = copy_or_null(out);
	p->err = copy_or_null(err);
	p->terminal = terminal;
}

TASK_HANDLER(task_create)
{
	const TaskV3__CreateTaskRequest *r = (const TaskV3__CreateTaskRequest *)request;
	struct shim *s = self;
	struct container *c;
	struct op *op;

	if (check_request(s, r, err) < 0)
		return CALL_FAILED;
	c = container_new(s, r->id, r->bundle);
	(void)map_put(&s->containers, r->id, c);
	c->checkpoint = copy_or_null(r->checkpoint);
	c->parent_checkpoint = copy_or_null(r->parent_checkpoint);
	c->init = proc_new(c, "");
	proc_set_io(c->init, r->stdin, r->stdout, r->stderr, r->terminal);
	op = op_new(call, c, c->init);
	op->request = r;
	op_take_turn(op, &c->init->turns, create_begin);
	return CALL_PARKED;
}
