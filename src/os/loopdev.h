/* SPDX-License-Identifier: Apache-2.0 */
/* Loop devices: a file seen as a disk. -errno results. */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct loopdev_options {
	bool read_only, direct_io;
	bool auto_clear; /* detaches by itself when the last user closes it */
};

/* Attaches the file to a free device. Returns a descriptor of the device, which keeps it
 * attached until it is mounted, and its owned path. -ETIMEDOUT when others are always faster.
 */
MAY_BLOCK MUST_USE int loopdev_attach(const char *backing_path,
		const struct loopdev_options *options, char **ret_device_path);

/* Changes whether the device behind fd detaches by itself. */
MAY_BLOCK MUST_USE int loopdev_set_auto_clear(int fd, bool on);
