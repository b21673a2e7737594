/* SPDX-License-Identifier: Apache-2.0 */
#include "core/task.h"

#include "base/err.h"
#include "base/mutex.h"
#include "base/str.h"
#include "base/thread.h"

int task_create(struct task_service *s, struct ctx *ctx, const struct task_create *r,
		uint32_t *ret_pid, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->create(s, ctx, r, ret_pid, err);
}

static void fail(task_done done, void *arg, enum err_kind kind, const char *text)
{
	AUTO_ERR struct err err = { 0 };

	(void)err_plain(&err, kind, "%s", text);
	done(arg, NULL, &err);
}

void task_call(struct task_service *s, struct ctx *ctx, const struct task_request *r,
		task_done done, void *arg)
{
	if (r->verb == TASK_EXEC && str_is_empty(r->exec_id))
		fail(done, arg, ERR_INVALID, "exec id cannot be empty");
	else
		s->ops->call(s, ctx, r, done, arg);
}

struct waiting {
	struct mutex lock;
	struct cond changed;
	bool is_done;
	int rc;
	void (*each)(void *arg, const struct task_reply *reply);
	void *arg;
	struct err *err;
};

static void wake(void *arg, const struct task_reply *reply, const struct err *err)
{
	struct waiting *w = arg;

	if (err != NULL)
		w->rc = err_plain(w->err, err->kind, "%s", err_text(err));
	else if (w->each != NULL)
		w->each(w->arg, reply);
	mutex_lock(&w->lock);
	w->is_done = true;
	cond_signal(&w->changed);
	mutex_unlock(&w->lock);
}

int task_call_wait(struct task_service *s, struct ctx *ctx, const struct task_request *r,
		void (*each)(void *arg, const struct task_reply *reply), void *arg,
		struct err *err)
{
	struct waiting w = { .each = each, .arg = arg, .err = err };

	ASSERT_MAY_BLOCK();
	mutex_init(&w.lock, RANK_call);
	cond_init(&w.changed);
	task_call(s, ctx, r, wake, &w);
	mutex_lock(&w.lock);
	while (!w.is_done)
		cond_wait(&w.changed, &w.lock);
	mutex_unlock(&w.lock);
	cond_done(&w.changed);
	mutex_done(&w.lock);
	return w.rc;
}

int task_runtime_info(struct task_service *s, struct ctx *ctx, const char *runtime_path,
		const struct any *options, struct any *ret_info, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (s->ops->runtime_info == NULL)
		return err_set(err, ERR_UNIMPLEMENTED, "runtime info");
	return s->ops->runtime_info(s, ctx, runtime_path, options, ret_info, err);
}
