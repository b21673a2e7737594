/* SPDX-License-Identifier: Apache-2.0 */
/* What the client wants mounted as a container's root file system. */
#pragma once

#include <stddef.h>

#include "base/attr.h"

struct Types__Mount;
struct err;

/* All on <bundle>/rootfs, which is made; nothing stays mounted on failure. */
MUST_USE int rootfs_mount(const char *bundle, struct Types__Mount *const *mounts, size_t count,
		struct err *err);
/* One attempt. err->sys is EBUSY when another one may do better. */
MUST_USE int rootfs_unmount(const char *bundle, struct err *err);
