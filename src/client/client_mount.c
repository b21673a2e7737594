/* SPDX-License-Identifier: Apache-2.0 */
/* Mounting from our side what the daemon said how to mount. */
#include "base/ctx.h"
#include "client/client_snapshots_priv.h"
#include "mount/mount.h"

/* For id-mapped overlays; nobody but root can put anything there. */
#define TEMP_ROOT "/run/containerd/ctrd-mounts"

int ctrd_mounts_apply(
		const struct ctrd_mounts *m, const char *target, struct ctrd_error **ret_error)
{
	struct ctx ctx = { .what = "libctrd" };
	AUTO_ERR struct err err = { 0 };

	return api_result(mount_all(&m->list, target, TEMP_ROOT, &ctx, &err), &err, ret_error);
}

int ctrd_unmount(const char *target, struct ctrd_error **ret_error)
{
	struct ctx ctx = { .what = "libctrd" };
	AUTO_ERR struct err err = { 0 };

	return api_result(mount_undo_stack(target, 0, &ctx, &err), &err, ret_error);
}
