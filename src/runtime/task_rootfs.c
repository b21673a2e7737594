/* SPDX-License-Identifier: Apache-2.0 */
/* Root file systems that need more than the shim's mount(2): reference 02 §6.3 and §2.16. */
#include <string.h>

#include "api/pb.h"
#include "api/pb/types.pb-c.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/runtime_priv.h"
#include "wire/wire_map.h"

#define BACK_REFERENCE "containerd.io/gc.bref.container"
#define ALLOWED_TYPES  "containerd.io/runtime-allow-mounts"

static bool is_runc(const char *binary)
{
	const char *slash = strrchr(binary, '/');

	return slash != NULL && str_eq(slash + 1, "containerd-shim-runc-v2");
}

/* The types of mounts that the shim says it makes by itself; owned, NULL for none. */
static char **allowed_by(struct runtime *rt, struct ctx *ctx, const char *binary)
{
	struct ctx bounded = runtime_bounded(ctx, rt->timeouts.start);
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	AUTO_BUF struct buf out = { 0 };
	ProtobufCMessage *m = NULL;
	const struct any none = { 0 };
	struct labels annotations;
	const char *types;

	if (is_runc(binary))
		return NULL;
	arena_init(&a, SIZE_MAX);
	if (shim_binary_info(binary, &bounded, &none, &out, &err) < 0 ||
			pb_decode(&types__runtime_info__descriptor, out.data, out.size, &a,
					&pb_limits_reply, &m, &err) < 0) {
		log_warn(ctx, "runtime info of %s: %s (ignored)", binary, err_text(&err));
		return NULL;
	}
	annotations = wire_labels_in(&a, ((const Types__RuntimeInfo *)m)->n_annotations,
			((const Types__RuntimeInfo *)m)->annotations);
	types = labels_find(&annotations, ALLOWED_TYPES);
	return str_is_empty(types) ? NULL : strv_split(types, ',');
}

/* Under the task's name it can be only a task's that was not deleted: its mounts are these. */
static int find_made(struct runtime *rt, struct ctx *ctx, const char *id,
		struct activation *made, struct err *err)
{
	if (mount_manager_info(rt->mounts, ctx, id, made, err) == 0)
		return 0;
	return err_wrap(err, "failed to get info on already active mount");
}

int task_rootfs(struct runtime *rt, struct ctx *ctx, const char *id, const char *binary,
		const struct mounts *given, struct activation *made,
		const struct mounts **ret_mounts, struct err *err)
{
	AUTO_LABELS struct labels labels = { 0 };
	AUTO_STRV char **allowed = NULL;
	struct mount_activate r = { .name = id, .mounts = given, .labels = &labels };

	*ret_mounts = given;
	if (rt->mounts == NULL || !mount_manager_is_needed(rt->mounts, given))
		return 0;
	r.allowed = allowed = allowed_by(rt, ctx, binary);
	labels_set(&labels, BACK_REFERENCE, id);
	if (mount_manager_activate(rt->mounts, ctx, &r, made, err) < 0) {
		enum err_kind kind = err->kind;

		if (kind != ERR_UNIMPLEMENTED && kind != ERR_EXISTS)
			return -1;
		err_clear(err);
		if (kind == ERR_UNIMPLEMENTED)
			return 0;
		if (find_made(rt, ctx, id, made, err) < 0)
			return -1;
	}
	*ret_mounts = &made->system;
	return 0;
}

void task_rootfs_done(struct runtime *rt, const struct shim *shim)
{
	struct ctx ctx = runtime_ctx(shim->ns, rt->timeouts.cleanup, "mounts");
	AUTO_ERR struct err err = { 0 };

	if (rt->mounts == NULL ||
			mount_manager_deactivate(rt->mounts, &ctx, shim->id, &err) == 0 ||
			err.kind == ERR_NOT_FOUND)
		return;
	log_warn(&ctx, "deactivate mounts of %s: %s (ignored)", shim->id, err_text(&err));
}
