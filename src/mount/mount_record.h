/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the mount manager writes down of an activation, for the next daemon: texts that end with
 * a zero byte, one after the other (docs/design/043-mount-manager.md).
 */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "core/mount_manager.h"

struct buf;
struct err;

struct mount_record {
	char *boot, *ns, *lease; /* boot: of the machine; lease: "" for none */
	struct activation activation;
};

#define AUTO_MOUNT_RECORD __attribute__((cleanup(mount_record_done)))

void mount_record_done(struct mount_record *r);
void mount_record_write(const struct mount_record *r, struct buf *out);
/* DATA_LOSS for anything that was not written so. */
MUST_USE int mount_record_read(const void *data, size_t size, struct mount_record *ret_record,
		struct err *err);
