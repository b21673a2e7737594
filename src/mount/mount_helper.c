/* SPDX-License-Identifier: Apache-2.0 */
/* The programs that mount and unmount file systems of a user's program. */
#include "mount/mount_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/mount.h"
#include "os/pipe.h"
#include "os/spawn.h"

#define MAX_OUTPUT 4096

int mount_run(char *const *argv, struct buf *out)
{
	AUTO_FREE char *path = NULL;
	AUTO_CLOSE int from = -1, to = -1;
	char chunk[512];
	siginfo_t info = { 0 };
	ssize_t n;
	pid_t pid;
	int rc = spawn_find(argv[0], str_or(getenv("PATH"), "/usr/sbin:/usr/bin:/sbin:/bin"),
			&path);

	if (rc == 0)
		rc = pipe_make(&from, &to);
	if (rc == 0) {
		struct spawn s = {
			.path = path, .argv = argv, .fds = { -1, to, to }, .fd_count = 3
		};

		rc = spawn_child(&s, &pid, NULL);
	}
	if (rc < 0)
		return rc;
	close_fd(&to);
	while ((n = io_read_full(from, chunk, sizeof(chunk))) > 0)
		buf_add(out, chunk, (size_t)n); /* over the limit: read on, keep the start */
	while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		if (errno != EINTR)
			return -errno;
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
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
	rc = mount_run(argv, &out);
	if (rc == 0)
		return 0;
	trim(&out);
	args = strv_join(argv, " ");
	if (rc < 0)
		return err_sys(err, -rc, "mount helper [%s] failed", args);
	return err_set(err, ERR_UNKNOWN, "mount helper [%s] failed: \"%s\": exit status %d",
			args, out.size > 0 ? out.data : "", rc);
}

int mount_fuse_undo(const char *target, struct ctx *ctx)
{
	static const char *const names[] = { "fusermount3", "fusermount" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf out AUTO_BUF = { .limit = MAX_OUTPUT };
		AUTO_STRV char **argv = NULL;

		strv_add(&argv, names[i]);
		strv_add(&argv, "-u");
		strv_add(&argv, target);
		if (mount_run(argv, &out) == 0)
			return 0;
	}
	return -EPERM;
}
