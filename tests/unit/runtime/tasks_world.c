/* SPDX-License-Identifier: Apache-2.0 */
#include "tasks_world.h"

#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Containers: there is one of every id but "stranger". */

static const char mapped_spec[] = "{\"mounts\":[{\"options\":[\"idmap\"]}]}";

static struct world *world_of(struct container_store *self)
{
	return container_of(self, struct world, containers);
}

static int get_container(struct container_store *self, struct ctx *ctx, const char *id,
		struct container **ret, struct err *err)
{
	if (strcmp(id, "stranger") == 0)
		return err_set(err, ERR_NOT_FOUND, "container \"%s\" in namespace \"%s\"", id,
				ctx->ns);
	*ret = container_new(id);
	(*ret)->runtime_name = xstrdup(world_of(self)->shim_path);
	any_set(&(*ret)->spec, "spec", "{}", 2);
	if (str_starts(id, "in-pod"))
		(*ret)->sandbox = xstrdup("pod");
	if (str_starts(id, "in-old-pod"))
		(*ret)->sandbox = xstrdup("old-pod");
	if (strcmp(id, "mapped") == 0)
		any_set(&(*ret)->spec, "spec", mapped_spec, strlen(mapped_spec));
	return 0;
}

static const struct container_store_ops containers_ops = { .get = get_container };

/* Sandboxes: there is a record of every id but "old-pod". */

static int get_sandbox(struct sandbox_store *self, struct ctx *ctx, const char *id,
		struct sandbox **ret, struct err *err)
{
	if (strcmp(id, "old-pod") == 0)
		return err_set(err, ERR_NOT_FOUND, "sandbox %s", id);
	*ret = sandbox_new(id);
	return 0;
}

static const struct sandbox_store_ops sandboxes_ops = { .get = get_sandbox };

/* Mounts: whatever is of type "odd" becomes one of type "even"; what was done is noted. */

static bool are_odd(struct mount_manager *self, const struct mounts *m)
{
	return m->count > 0 && strcmp(m->items[0].type, "odd") == 0;
}

static void did(struct mount_manager *self, const char *what, const char *name)
{
	struct fake_mounts *f = (struct fake_mounts *)self;
	size_t n = strlen(f->did);

	(void)snprintf(f->did + n, sizeof(f->did) - n, "%s %s ", what, name);
}

static int make_even(struct mount_manager *self, struct ctx *ctx,
		const struct mount_activate *r, struct activation *ret, struct err *err)
{
	if (r->allowed != NULL)
		did(self, "allowed", r->allowed[1]);
	if (strcmp(r->mounts->items[0].source, "broken") == 0)
		return err_plain(err, ERR_UNKNOWN, "broken mount");
	assert_string_equal(labels_find(r->labels, "containerd.io/gc.bref.container"), r->name);
	did(self, "activate", r->name);
	*ret = (struct activation){ .name = xstrdup(r->name) };
	(void)mounts_add(&ret->system, "even", r->mounts->items[0].source, "");
	return 0;
}

static int undo_even(
		struct mount_manager *self, struct ctx *ctx, const char *name, struct err *err)
{
	did(self, "deactivate", name);
	return err_set(err, ERR_NOT_FOUND, "%s", "");
}

static const struct mount_manager_ops mounts_ops = { are_odd, make_even, undo_even, NULL,
	NULL };

/* Of the test that runs. */
static struct fake_mounts mounts;

struct fake_mounts *mounts_of(struct world *w)
{
	return &mounts;
}

int begin(void **state)
{
	struct world *w = world_new("containerd-shim-fake-v1");

	mounts = (struct fake_mounts){ .base.ops = &mounts_ops };
	w->containers.ops = &containers_ops;
	w->sandboxes.ops = &sandboxes_ops;
	w->mounts = &mounts.base;
	world_begin(w);
	*state = w;
	return 0;
}

int end(void **state)
{
	world_end(*state);
	return 0;
}

int create(struct world *w, const char *id, uint32_t *ret_pid)
{
	struct mounts none = { 0 };
	struct task_create r = { .id = id, .rootfs = &none };
	uint32_t pid;

	return task_create(w->tasks, &w->ctx, &r, ret_pid == NULL ? &pid : ret_pid, &w->err);
}

void see(void *arg, const struct task_reply *r)
{
	struct seen *s = arg;

	s->pid = r->pid;
	s->exit_status = r->exit_status;
	s->exited_ns = r->exited_ns;
	s->count = r->count;
	if (r->processes != NULL && r->count > 0) {
		s->status = r->processes[0].status;
		(void)snprintf(s->id, sizeof(s->id), "%s", r->processes[0].id);
	}
	if (r->metrics != NULL && r->count > 0)
		(void)snprintf(s->id, sizeof(s->id), "%s", r->metrics[0].id);
}

int ask(struct world *w, enum task_verb verb, const char *id, const char *exec_id,
		struct seen *ret)
{
	struct task_request r = { .verb = verb, .id = id, .exec_id = exec_id };
	struct seen ignored;

	if (verb == TASK_KILL)
		r.kill.signal = 9;
	if (verb == TASK_EXEC)
		r.exec.spec = (struct any){ true, (char *)"p", (char *)"{}", 2 };
	return task_call_wait(
			w->tasks, &w->ctx, &r, see, ret == NULL ? &ignored : ret, &w->err);
}
