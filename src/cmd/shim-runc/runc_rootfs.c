/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_rootfs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "api/pb/types.pb-c.h"
#include "base/auto.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/mount.h"
#include "mount/mount.h"

static void take_mounts(struct mounts *to, struct Types__Mount *const *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct mount_spec *spec =
				mounts_add(to, from[i]->type, from[i]->source, from[i]->target);

		for (size_t k = 0; k < from[i]->n_options; k++)
			strv_add(&spec->options, from[i]->options[k]);
	}
}

int rootfs_mount(const char *bundle, struct Types__Mount *const *mounts, size_t count,
		struct err *err)
{
	AUTO_FREE char *target = xasprintf("%s/rootfs", bundle);
	const char *temp = str_or(getenv("XDG_RUNTIME_DIR"), str_or(getenv("TMPDIR"), "/tmp"));
	AUTO_MOUNTS struct mounts all = { 0 };
	struct ctx ctx = { 0 };

	if (mkdir(target, 0711) < 0 && errno != EEXIST)
		return err_sys(err, errno, "mkdir %s", target);
	take_mounts(&all, mounts, count);
	if (mount_all(&all, target, temp, &ctx, err) < 0)
		return err_wrap(err, "failed to mount rootfs component");
	return 0;
}

int rootfs_unmount(const char *bundle, struct err *err)
{
	AUTO_FREE char *target = xasprintf("%s/rootfs", bundle);
	struct ctx at_once = { .deadline_ns = 1 };

	return mount_undo_tree(target, MOUNT_UNDO_APART, &at_once, err);
}
