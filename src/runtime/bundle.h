/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles: the directory of a task that its shim works in, <state>/<namespace>/<id>, and the
 * one for what must survive a reboot, <root>/<namespace>/<id> (reference 02 §2.2). A bundle
 * appears under its name only when it is complete; names with a leading dot are not bundles.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct any;
struct buf;
struct ctx;
struct err;

struct bundle_dirs {
	char *state, *root; /* absolute paths */
	int state_fd, root_fd;
};

/* Makes both directories (0711) and opens them. */
MAY_BLOCK MUST_USE int bundle_dirs_open(const char *state, const char *root,
		struct bundle_dirs *ret_dirs, struct err *err);
void bundle_dirs_close(struct bundle_dirs *d);

/* <state>/<ns>/<id>; owned. */
MUST_USE char *bundle_path(const struct bundle_dirs *d, const char *ns, const char *id);

/* Makes bundle and work directory. config.json gets the bytes of spec as they are (nothing if
 * it is not set). INVALID for an id that is none; an existing bundle is a system error. Leaves
 * nothing behind on failure. */
MAY_BLOCK MUST_USE int bundle_create(const struct bundle_dirs *d, const char *ns,
		const char *id, const struct any *spec, const char *shim_binary,
		struct err *err);

/* Unmounts the rootfs and removes both directories. Fails, and keeps what is there, when the
 * rootfs holds anything but mounts. A bundle that is not there is fine. */
MAY_BLOCK MUST_USE int bundle_remove(const struct bundle_dirs *d, struct ctx *ctx,
		const char *ns, const char *id, struct err *err);

/* The same in two steps: after the first, which touches no more than three names, the id is
 * free for another bundle; the second gets the name it has given. A bundle that is not swept
 * goes at the next start of a daemon. */
MAY_BLOCK MUST_USE int bundle_hide(const struct bundle_dirs *d, struct ctx *ctx, const char *ns,
		const char *id, char **ret_hidden, struct err *err);
MAY_BLOCK MUST_USE int bundle_sweep(const struct bundle_dirs *d, const char *ns,
		const char *hidden, struct err *err);

/* Small files of a bundle. Writing replaces at once or not at all; 0 or -errno. */
MAY_BLOCK MUST_USE int bundle_write(const struct bundle_dirs *d, const char *ns, const char *id,
		const char *name, const void *data, size_t size, unsigned mode);
MAY_BLOCK MUST_USE int bundle_read(const struct bundle_dirs *d, const char *ns, const char *id,
		const char *name, struct buf *out);

/* The host's group that group 0 of the container is, from the spec's linux.gidMappings; 0 if
 * there is no mapping. */
MUST_USE int bundle_root_group(
		const void *spec, size_t size, unsigned *ret_gid, struct err *err);
