/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fake_controller.h"

#include <stdio.h>

#include "base/err.h"
#include "base/str.h"
#include "core/sandbox.h"

static void note(struct fake_controller *f, const char *what, const char *id, const char *more)
{
	LOCKED(&f->lock);
	(void)snprintf(f->last, sizeof(f->last), "%s %s %s", what, id, more);
}

static int create(struct sandbox_controller *self, struct ctx *ctx,
		const struct sandbox_create *r, struct err *err)
{
	char more[128];

	(void)snprintf(more, sizeof(more), "%s %s %s %s", r->sandbox->runtime_name,
			str_or(r->netns_path, "-"),
			r->rootfs->count == 0 ? "-" : r->rootfs->items[0].source,
			str_or(labels_find(r->annotations, "a"), "-"));
	note((struct fake_controller *)self, "create", r->sandbox->id, more);
	if (str_eq(r->sandbox->id, "taken"))
		return err_set(err, ERR_EXISTS, "sandbox taken already running");
	return 0;
}

static void answer(const struct sandbox_request *r, sandbox_done done, void *arg)
{
	struct label l = { (char *)"k", (char *)"v" };
	struct labels map = { .items = &l, .count = 1 };
	struct sandbox_reply reply = { .pid = 5,
		.exit_status = 3,
		.created_ns = 7,
		.exited_ns = 9,
		.labels = &map,
		.info = &map,
		.state = "ready",
		.metrics_id = "m",
		.measured_ns = 11 };
	struct err err = { 0 };

	if (str_eq(r->id, "none"))
		(void)err_set(&err, ERR_NOT_FOUND, "%s", "");
	done(arg, err.kind == ERR_NONE ? &reply : NULL, err.kind == ERR_NONE ? NULL : &err);
	err_clear(&err);
}

static void call(struct sandbox_controller *self, struct ctx *ctx,
		const struct sandbox_request *r, sandbox_done done, void *arg)
{
	static const char *const names[] = { "start", "stop", "wait", "status", "metrics",
		"shutdown", "update" };
	struct fake_controller *f = (struct fake_controller *)self;
	char more[64];

	(void)snprintf(more, sizeof(more), "%u %d %s", r->timeout_secs, r->verbose,
			r->fields == NULL ? "-" : r->fields[0]);
	note(f, names[r->verb], r->id, more);
	if (r->verb != SANDBOX_WAIT || !str_eq(r->id, "long")) {
		answer(r, done, arg);
		return;
	}
	LOCKED(&f->lock);
	f->waiting[f->waiters].done = done;
	f->waiting[f->waiters++].arg = arg;
	cond_broadcast(&f->changed);
}

static const struct sandbox_controller_ops ops = { create, call, NULL };

void fake_controller_init(struct fake_controller *f)
{
	*f = (struct fake_controller){ .base.ops = &ops };
	mutex_init(&f->lock, RANK_task);
	cond_init(&f->changed);
}

void fake_controller_done(struct fake_controller *f)
{
	cond_done(&f->changed);
	mutex_done(&f->lock);
}

void fake_controller_exit(struct fake_controller *f, const struct err *err)
{
	struct sandbox_reply reply = { .exit_status = 42, .exited_ns = 1 };
	size_t count;

	mutex_lock(&f->lock);
	count = f->waiters;
	f->waiters = 0;
	mutex_unlock(&f->lock);
	for (size_t i = 0; i < count; i++)
		f->waiting[i].done(f->waiting[i].arg, err == NULL ? &reply : NULL, err);
}

void fake_controller_await_waiters(struct fake_controller *f, size_t count)
{
	LOCKED(&f->lock);
	while (f->waiters < count)
		cond_wait(&f->changed, &f->lock);
}
