/* SPDX-License-Identifier: Apache-2.0 */
/* The programs that mount and unmount file systems of a user's program. */
#include "mount/mount_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/mount.h"
#include "os/child_run.h"
#include "os/spawn.h"

#define MAX_OUTPUT 4096
#define UNDO_NS	   (10 * NS_PER_S)
#define HELPER_NS  (300 * NS_PER_S)

int mount_run(char *const *argv, struct buf *out, struct ctx *ctx, struct err *err)
{
	struct child_run run = { .argv = argv, .out = out, .err_out = out };
	int64_t limit = clock_mono_ns() + HELPER_NS;
	struct ctx bounded = *ctx;
	AUTO_FREE char *path = NULL;
	int rc = spawn_find(argv[0], str_or(getenv("PATH"), "/usr/sbin:/usr/bin:/sbin:/bin"),
			&path);

	if (rc < 0)
		return err_sys(err, -rc, "%s", argv[0]);
	if (bounded.deadline_ns == 0 || bounded.deadline_ns > limit)
		bounded.deadline_ns = limit;
	run.path = path;
	return child_run(&run, &bounded, err);
}

static void trim(struct buf *out)
{
	while (out->size > 0 && strchr(" \n\t", out->data[out->size - 1]) != NULL)
		out->data[--out->size] = '\0';
}

int mount_with_helper(const struct mount_spec *spec, const char *target, struct ctx *ctx,
		struct err *err)
{
	bool fuse3 = str_starts(spec->type, "fuse3.");
	const char *name = fuse3 ? "mount.fuse3" : "mount.fuse";
	AUTO_FREE char *options = strv_join(spec->options, ",");
	struct buf out AUTO_BUF = { .limit = MAX_OUTPUT };
	AUTO_FREE char *args = NULL;
	AUTO_STRV char **argv = NULL;
	int rc;

	strv_add(&argv, name);
	strv_add(&argv, spec->source);
	strv_add(&argv, target);
	if (*options != '\0') {
		strv_add(&argv, "-o");
		strv_add(&argv, options);
	}
	strv_add(&argv, "-t");
	strv_add(&argv, strchr(spec->type, '.') + 1);
	rc = mount_run(argv, &out, ctx, err);
	if (rc == 0)
		return 0;
	trim(&out);
	args = strv_join(argv, " ");
	if (rc < 0)
		return err_wrap(err, "mount helper [%s] failed", args);
	return err_set(err, ERR_UNKNOWN, "mount helper [%s] failed: \"%s\": exit status %d",
			args, out.size > 0 ? out.data : "", rc);
}

int mount_fuse_undo(const char *target)
{
	static const char *const names[] = { "fusermount3", "fusermount" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct ctx ctx = { .deadline_ns = clock_mono_ns() + UNDO_NS };
		struct buf out AUTO_BUF = { .limit = MAX_OUTPUT };
		AUTO_ERR struct err ignored = { 0 };
		AUTO_STRV char **argv = NULL;

		strv_add(&argv, names[i]);
		strv_add(&argv, "-u");
		strv_add(&argv, target);
		if (mount_run(argv, &out, &ctx, &ignored) == 0)
			return 0;
	}
	return -EPERM;
}
