/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mount_manager.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

static void spec_done(struct mount_spec *s)
{
	free(s->type);
	free(s->source);
	free(s->target);
	strv_free(s->options);
}

void activation_done(struct activation *a)
{
	for (size_t i = 0; i < a->active_count; i++) {
		spec_done(&a->active[i].spec);
		free(a->active[i].mount_point);
	}
	free(a->active);
	free(a->name);
	mounts_done(&a->system);
	labels_done(&a->labels);
	*a = (struct activation){ 0 };
}

void activation_add(struct activation *a, const struct mount_spec *spec,
		const char *mount_point, int64_t mounted_ns)
{
	a->active = xreallocarray(a->active, a->active_count + 1, sizeof(*a->active));
	a->active[a->active_count++] = (struct active_mount){
		.spec = { xstrdup(spec->type), xstrdup(spec->source), xstrdup(spec->target),
				strv_dup(spec->options) },
		.mount_point = xstrdup(mount_point),
		.mounted_ns = mounted_ns,
	};
}

void activation_copy(struct activation *to, const struct activation *from)
{
	*to = (struct activation){ .name = xstrdup(from->name) };
	for (size_t i = 0; i < from->active_count; i++)
		activation_add(to, &from->active[i].spec, from->active[i].mount_point,
				from->active[i].mounted_ns);
	mounts_copy(&to->system, &from->system);
	labels_copy(&to->labels, &from->labels);
}

bool mount_manager_is_needed(struct mount_manager *m, const struct mounts *mounts)
{
	return m->ops->is_needed(m, mounts);
}

int mount_manager_activate(struct mount_manager *m, struct ctx *ctx,
		const struct mount_activate *r, struct activation *ret_activation,
		struct err *err)
{
	ASSERT_MAY_BLOCK();
	return m->ops->activate(m, ctx, r, ret_activation, err);
}

int mount_manager_deactivate(
		struct mount_manager *m, struct ctx *ctx, const char *name, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return m->ops->deactivate(m, ctx, name, err);
}

int mount_manager_info(struct mount_manager *m, struct ctx *ctx, const char *name,
		struct activation *ret_activation, struct err *err)
{
	return m->ops->info(m, ctx, name, ret_activation, err);
}

int mount_manager_list(struct mount_manager *m, struct ctx *ctx, activation_each each,
		void *arg, struct err *err)
{
	return m->ops->list(m, ctx, each, arg, err);
}
