/* SPDX-License-Identifier: Apache-2.0 */
/* One container: what its task is like, and what makes it so as its labels want it. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/container.h"
#include "core/mount.h"
#include "core/snapshot.h"
#include "core/task.h"
#include "runtime/restart_monitor.h"
#include "runtime/restart_policy.h"
#include "runtime/restart_priv.h"
#include "text/json.h"

struct restart {
	const struct restart_options *o;
	struct ctx *ctx;
	const struct container *c;
};

static int call(const struct restart *r, struct task_request *request,
		void (*each)(void *arg, const struct task_reply *reply), void *arg,
		struct err *err)
{
	request->id = r->c->id;
	return task_call_wait(r->o->tasks, r->ctx, request, each, arg, err);
}

/* --- what it is like --- */

static void take_state(void *arg, const struct task_reply *reply)
{
	struct restart_state *state = arg;

	if (reply->count == 0)
		return;
	state->status = reply->processes[0].status;
	state->exit_status = reply->processes[0].exit_status;
}

/* That a shim does not answer just now is no reason to end what it runs: the next look tells
 * more. (The original takes it for "no task".) */
static int read_state(const struct restart *r, struct restart_state *ret_state, struct err *err)
{
	struct task_request q = { .verb = TASK_STATE };
	AUTO_ERR struct err fault = { 0 };

	*ret_state = (struct restart_state){ TASK_UNKNOWN, 0 };
	if (call(r, &q, take_state, ret_state, &fault) == 0 || fault.kind == ERR_NOT_FOUND)
		return 0;
	return err_move(err, &fault);
}

/* --- ending a task --- */

static int delete_task(const struct restart *r, struct err *err)
{
	struct task_request q = { .verb = TASK_DELETE };
	AUTO_ERR struct err fault = { 0 };

	if (call(r, &q, NULL, NULL, &fault) == 0 || fault.kind == ERR_NOT_FOUND)
		return 0;
	return err_move(err, &fault);
}

static int end_task(const struct restart *r, enum task_status status, struct err *err)
{
	struct task_request kill = { .verb = TASK_KILL };
	struct task_request wait = { .verb = TASK_WAIT };
	AUTO_ERR struct err fault = { 0 }, ignored = { 0 };

	if (status == TASK_UNKNOWN)
		return 0;
	kill.kill.signal = SIGKILL;
	kill.kill.all = true;
	if (status == TASK_STOPPED)
		return delete_task(r, err);
	if (call(r, &kill, NULL, NULL, &fault) == 0 && call(r, &wait, NULL, NULL, &fault) == 0)
		return delete_task(r, err);
	return delete_task(r, &ignored) == 0 ? 0 : err_move(err, &fault);
}

/* --- starting one --- */

static int write_count(const struct restart *r, struct err *err)
{
	static char path[] = "labels." RESTART_LABEL_COUNT;
	AUTO_FREE char *count = xasprintf("%lld", (long long)restart_count(&r->c->labels) + 1);
	char *paths[] = { path, NULL };
	AUTO(container_free) struct container *change = container_new(r->c->id);
	AUTO(container_free) struct container *stored = NULL;

	labels_set(&change->labels, RESTART_LABEL_COUNT, count);
	return container_update(r->o->containers, r->ctx, change, paths, &stored, err);
}

static bool wants_terminal(const struct container *c)
{
	AUTO(json_free) struct json *spec = NULL;
	AUTO_ERR struct err ignored = { 0 };

	if (json_parse(c->spec.value, c->spec.size, &spec, &ignored) < 0)
		return false;
	return json_bool(json_get(json_get(spec, "process"), "terminal"));
}

/* With a terminal there is one stream only. */
static struct task_stdio stdio(const struct container *c)
{
	const char *uri = labels_find(&c->labels, RESTART_LABEL_LOG_URI);
	bool terminal = !str_is_empty(uri) && wants_terminal(c);

	if (labels_find(&c->labels, RESTART_LABEL_LOG_PATH) != NULL)
		log_warn(NULL, "container %s: label %s is no longer supported, use %s", c->id,
				RESTART_LABEL_LOG_PATH, RESTART_LABEL_LOG_URI);
	return (struct task_stdio){
		.out = uri, .err = terminal ? NULL : uri, .terminal = terminal
	};
}

static int rootfs(const struct restart *r, struct mounts *ret_mounts, struct err *err)
{
	const struct container *c = r->c;
	struct snapshotter *s;

	if (str_is_empty(c->snapshot_key))
		return 0;
	s = r->o->snapshotter(r->o->snapshotter_arg, str_or(c->snapshotter, ""));
	if (s == NULL)
		return err_set(err, ERR_NOT_FOUND, "snapshotter %s",
				str_or(c->snapshotter, ""));
	return snapshot_mounts(s, r->ctx, c->snapshot_key, ret_mounts, err);
}

static int start_task(const struct restart *r, struct err *err)
{
	AUTO_MOUNTS struct mounts mounts = { 0 };
	struct task_create t = { .id = r->c->id, .rootfs = &mounts, .stdio = stdio(r->c) };
	struct task_request start = { .verb = TASK_START };
	uint32_t pid;

	if (rootfs(r, &mounts, err) < 0 || task_create(r->o->tasks, r->ctx, &t, &pid, err) < 0)
		return -1;
	return call(r, &start, NULL, NULL, err);
}

/* The count first: whoever hears of the new task finds it there. */
static int restart_task(const struct restart *r, enum task_status status, struct err *err)
{
	if (write_count(r, err) < 0 || end_task(r, status, err) < 0)
		return -1;
	return start_task(r, err);
}

bool restart_apply(const struct restart_options *o, struct ctx *ctx, const struct container *c,
		bool only_stopped)
{
	struct restart r = { o, ctx, c };
	AUTO_ERR struct err err = { 0 };
	struct restart_state state;
	enum restart_action action = RESTART_NOTHING;
	int rc = read_state(&r, &state, &err);

	if (rc == 0 && only_stopped && state.status != TASK_STOPPED)
		return false;
	if (rc == 0)
		rc = restart_decide(&c->labels, &state, &action, &err);
	if (rc == 0 && action == RESTART_START)
		rc = restart_task(&r, state.status, &err);
	if (rc == 0 && action == RESTART_STOP)
		rc = end_task(&r, state.status, &err);
	if (rc < 0)
		log_error(ctx, "restart monitor: container %s: %s", c->id, err_text(&err));
	return action == RESTART_START;
}
