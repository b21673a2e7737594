/* SPDX-License-Identifier: Apache-2.0 */
/* How a snapshot is mounted, as a pure function: clients and tests depend on the order of
 * options (reference 01 §6.4). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct err;
struct labels;
struct mounts;
struct snap_node;

struct overlay_config {
	const char *root;
	char *const *mount_options;
	bool remap;	/* ids can be shifted by the mount */
	bool userxattr; /* append the option */
	bool index_off; /* likewise */
};

void overlay_mounts(const struct overlay_config *c, const struct snap_node *node,
		struct mounts *ret_mounts);

/* The host's ids for 0 in the container, from the labels that shift ids: 0 for a label that is
 * missing, and not mapped if both are. UNKNOWN when a label cannot be read. */
#define OVERLAY_UID_LABEL "containerd.io/snapshot/uidmapping"
#define OVERLAY_GID_LABEL "containerd.io/snapshot/gidmapping"
MUST_USE int overlay_mapped_root(const struct labels *labels, bool *ret_mapped,
		uint32_t *ret_uid, uint32_t *ret_gid, struct err *err);
