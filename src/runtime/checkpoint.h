/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints as content: what a runtime wrote into a directory becomes a blob, and the blob a
 * directory again (reference 02 §6.3 steps 3 and 4, §6.4 Checkpoint). The directories are in
 * the task's work directory, so they go with the task.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "core/image.h"

struct any;
struct ctx;
struct err;
struct runtime;

/* Who the images are of, and where they are put. */
struct checkpoint_place {
	struct runtime *rt;
	struct ctx *ctx;
	const char *ns, *id;
};

/* Makes an empty directory; ret_path is owned. */
MAY_BLOCK MUST_USE int checkpoint_make_dir(
		const struct checkpoint_place *p, char **ret_path, struct err *err);
MAY_BLOCK void checkpoint_remove_dir(const struct checkpoint_place *p, const char *path);

/* The directory of images that a descriptor stands for: of a blob, or, with the annotation
 * RestoreFromPath, one that is there. ret_path is owned. INVALID for other media types. */
MAY_BLOCK MUST_USE int checkpoint_unpack(const struct checkpoint_place *p,
		const struct descriptor *image, char **ret_path, struct err *err);
/* True if the task is to run as soon as it is created. */
bool checkpoint_starts_at_once(const struct descriptor *image);

/* Unpacks "rootfs-diff.tar" beside the directory of images, if there is one, into the root that
 * the shim has mounted. */
MAY_BLOCK MUST_USE int checkpoint_restore_rootfs(const struct checkpoint_place *p,
		const char *images, const char *rootfs, struct err *err);

/* Two blobs: the images in "path" and the container's spec. descriptor_done() both. */
MAY_BLOCK MUST_USE int checkpoint_pack(const struct checkpoint_place *p, const char *path,
		const struct any *spec, struct descriptor ret_blobs[2], struct err *err);
