/* SPDX-License-Identifier: Apache-2.0 */
/* What an image says about itself and about how to start it. */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "base/labels.h"
#include "oci/platform.h"

struct err;

struct image_config {
	struct platform platform;
	char *user, *working_dir, *stop_signal; /* never NULL once filled */
	char **env, **entrypoint, **cmd;
	struct labels labels;
	char *rootfs_type;
	char **diff_ids; /* checked digests */
	size_t diff_count;
};

#define AUTO_IMAGE_CONFIG __attribute__((cleanup(image_config_done)))

void image_config_done(struct image_config *c);
MUST_USE int image_config_parse(
		const void *data, size_t size, struct image_config *ret, struct err *err);
