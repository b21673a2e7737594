/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoint: the runtime has CRIU write a container's processes to files (reference 02 §3.9).
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_bundle.h"
#include "cmd/shim-runc/runc_service_priv.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "os/fs.h"

#define TYPE_NAME	 "containerd.runc.v1.CheckpointOptions"
#define MAX_DUMP_LOG	 (4 * 1024 * 1024)
#define DEFAULT_WORK_DIR "work/criu-work"

static int decode_options(const Google__Protobuf__Any *any, struct arena *a,
		Runc__CheckpointOptions **ret, struct err *err)
{
	ProtobufCMessage *m;

	if (any == NULL || any->value.len == 0) {
		*ret = ARENA_NEW(a, Runc__CheckpointOptions, runc__checkpoint_options);
		return 0;
	}
	if (!str_eq(any->type_url, TYPE_NAME))
		return err_plain(err, ERR_UNKNOWN,
				"can't unmarshal type \"%s\" to output \"%s\"", any->type_url,
				TYPE_NAME);
	if (pb_decode(&runc__checkpoint_options__descriptor, any->value.data, any->value.len, a,
			    NULL, &m, err) < 0)
		return -1;
	*ret = (Runc__CheckpointOptions *)m;
	return 0;
}

static char *work_dir(const struct op *op, const Runc__CheckpointOptions *o)
{
	return o->work_path[0] != '\0' ? xstrdup(o->work_path)
				       : xasprintf("%s/" DEFAULT_WORK_DIR, op->c->bundle);
}

/* For whoever looks for the reason; the runtime's own message is one line. */
static void keep_dump_log(const struct op *op, const char *work)
{
	AUTO_BUF struct buf log = { 0 };
	AUTO_ERR struct err err = { 0 };

	if (bundle_read(work, "dump.log", MAX_DUMP_LOG, &log, &err) < 0 ||
			bundle_write(op->c->bundle, "criu-dump.log", log.data, log.size, &err) <
					0)
		log_warn(NULL, "%s: keep dump.log: %s (ignored)", op->c->id, err_text(&err));
}

static void end_work(const struct op *op, const char *work, bool is_default)
{
	AUTO_CLOSE int dir = -1;

	if (!is_default)
		return;
	dir = open(op->c->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		IGNORE(fs_remove_all(dir, DEFAULT_WORK_DIR)); /* goes with the bundle at last */
}

static void checkpointed(
		struct op *op, const struct runner_result *result, const struct err *failure)
{
	const TaskV3__CheckpointTaskRequest *r = op->request;
	Runc__CheckpointOptions *o;
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *work = NULL;
	const char *text;

	IGNORE(decode_options(
			r->options, call_arena(op->call), &o, &err)); /* it was fine before */
	work = work_dir(op, o);
	if (failure != NULL)
		keep_dump_log(op, work);
	end_work(op, work, o->work_path[0] == '\0');
	if (failure == NULL) {
		op_answer_empty(op);
		return;
	}
	text = err_text(failure);
	(void)err_plain(&err, ERR_UNKNOWN, "%.*s path= %s/criu-dump.log",
			(int)strcspn(text, "\n"), text, op->c->bundle);
	op_fail(op, &err);
}

static void add_switch(char ***argv, bool on, const char *flag)
{
	if (on)
		strv_add(argv, flag);
}

static char **checkpoint_argv(const struct op *op, const Runc__CheckpointOptions *o)
{
	const TaskV3__CheckpointTaskRequest *r = op->request;
	AUTO_FREE char *work = work_dir(op, o);
	char **argv = runc_argv(&op->c->runc, "checkpoint");

	if (r->path[0] != '\0') {
		strv_add(&argv, "--image-path");
		strv_add(&argv, r->path);
	}
	strv_add(&argv, "--work-path");
	strv_add(&argv, work);
	add_switch(&argv, o->open_tcp, "--tcp-established");
	add_switch(&argv, o->external_unix_sockets, "--ext-unix-sk");
	add_switch(&argv, o->terminal, "--shell-job");
	add_switch(&argv, o->file_locks, "--file-locks");
	for (size_t i = 0; i < o->n_empty_namespaces; i++) {
		strv_add(&argv, "--empty-ns");
		strv_add(&argv, o->empty_namespaces[i]);
	}
	add_switch(&argv, !o->exit, "--leave-running");
	strv_add(&argv, op->c->id);
	return argv;
}

static void init_checkpoint(struct op *op)
{
	const TaskV3__CheckpointTaskRequest *r = op->request;
	AUTO_ERR struct err err = { 0 };
	Runc__CheckpointOptions *o;

	if (decode_options(r->options, call_arena(op->call), &o, &err) < 0 ||
			proc_check_init(op->p->state, PROC_OP_CHECKPOINT, &err) < 0)
		op_fail(op, &err);
	else
		op_run(op, checkpoint_argv(op, o), op_captured, checkpointed);
}

TASK_HANDLER(task_checkpoint)
{
	const TaskV3__CheckpointTaskRequest *r = (const TaskV3__CheckpointTaskRequest *)request;
	struct container *c = container_find(self, r->id, err);
	struct op *op;

	if (c == NULL)
		return CALL_FAILED;
	op = op_new(call, c, c->init);
	op->request = r;
	op_take_turn(op, &c->init->turns, init_checkpoint);
	return CALL_PARKED;
}
