/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "mount/mount_priv.h"
#include "os/fs.h"
#include "os/mountinfo.h"
#include "os/mountsys.h"

/* Whoever keeps a mount busy is usually a process that is just ending. The kernel tells nobody
 * when it has, so we ask again, as the original does: 50 times, 50 ms apart. */
#define BUSY_TRIES    50
#define BUSY_PAUSE_MS 50

#define MAX_MOUNTINFO (256u << 20)

static int undo_now(const char *target, int flags)
{
	if ((flags & MOUNT_UNDO_APART) == 0)
		return mountsys_umount(target, flags);
	return mountsys_umount_apart(target, flags & ~MOUNT_UNDO_APART);
}

/* 0, or -errno: -EINVAL when nothing is mounted there. */
static int undo_once(const char *target, int flags, struct ctx *ctx)
{
	AUTO_ERR struct err stopped = { 0 };
	int rc = undo_now(target, flags);

	for (int i = 1; i < BUSY_TRIES && rc == -EBUSY && !ctx_done(ctx, &stopped); i++) {
		(void)poll(NULL, 0, BUSY_PAUSE_MS);
		rc = undo_now(target, flags);
	}
	if (rc == -EPERM && mount_fuse_undo(target) == 0)
		return 0;
	return rc;
}

static int undo_failed(const char *target, int rc, struct err *err)
{
	return err_sys(err, -rc, "failed to unmount target %s", target);
}

int mount_undo(const char *target, int flags, struct ctx *ctx, struct err *err)
{
	int rc;

	ASSERT_MAY_BLOCK();
	rc = undo_once(target, flags, ctx);
	if (rc < 0 && rc != -EINVAL)
		return undo_failed(target, rc, err);
	return 0;
}

int mount_undo_stack(const char *target, int flags, struct ctx *ctx, struct err *err)
{
	int rc;

	ASSERT_MAY_BLOCK();
	if (*target == '\0')
		return 0;
	do
		rc = undo_once(target, flags, ctx);
	while (rc == 0);
	if (rc == -EINVAL || rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	return undo_failed(target, rc, err);
}

struct found_mount {
	const char *target; /* borrowed from the table's text */
	bool may_linger;
};

struct found {
	struct found_mount *mounts;
	size_t count;
};

static bool has_option(const char *options, const char *option)
{
	size_t n = strlen(option);

	for (const char *at = options; (at = strstr(at, option)) != NULL; at += n)
		if ((at == options || at[-1] == ',') && (at[n] == ',' || at[n] == '\0'))
			return true;
	return false;
}

/* The table shows the option where it is not the default. */
static bool is_index_default(void)
{
	AUTO_BUF struct buf text = { .limit = 16 };

	return io_read_file(AT_FDCWD, "/sys/module/overlay/parameters/index", &text) < 0 ||
	       text.size == 0 || text.data[0] != 'N';
}

/* With an index, the directories of a file system that is just ending are refused to the next
 * one; without, the kernel only says so in its log. Others than overlays sit on devices, which
 * are wanted back; so are those that the mount manager has put below an overlay. */
static bool may_linger(const struct mountinfo *m)
{
	if (!str_eq(m->fstype, "overlay") || has_option(m->super_options, "index=on") ||
			strstr(m->super_options, "/io.containerd.mount-manager.") != NULL)
		return false;
	return has_option(m->super_options, "index=off") || !is_index_default();
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	if (str_eq(top, "/"))
		return true;
	return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* Longest first, and of equal ones, which are stacked, the one that was mounted last. */
static int deeper_first(const void *a, const void *b)
{
	const char *x = ((const struct found_mount *)a)->target;
	const char *y = ((const struct found_mount *)b)->target;
	size_t nx = strlen(x), ny = strlen(y);

	if (nx != ny)
		return nx < ny ? 1 : -1;
	return strcmp(x, y);
}

static void find_below(char *table, const char *top, int flags, struct found *f)
{
	struct mountinfo m;

	while (mountinfo_next(&table, &m)) {
		if (!is_below(m.target, top))
			continue;
		f->mounts = xreallocarray(f->mounts, f->count + 1, sizeof(*f->mounts));
		f->mounts[f->count++] = (struct found_mount){ m.target,
			(flags & MOUNT_UNDO_APART) != 0 && may_linger(&m) };
	}
	if (f->count > 0)
		qsort(f->mounts, f->count, sizeof(*f->mounts), deeper_first);
}

static int undo_found(const struct found *f, int flags, struct ctx *ctx, struct err *err)
{
	for (size_t i = 0; i < f->count; i++) {
		AUTO_ERR struct err failed = { 0 };
		const struct found_mount *m = &f->mounts[i];
		int how = m->may_linger ? flags : flags & ~MOUNT_UNDO_APART;

		if (mount_undo(m->target, how, ctx, &failed) < 0 && err->kind == ERR_NONE)
			(void)err_move(err, &failed);
	}
	return err->kind == ERR_NONE ? 0 : -1;
}

int mount_undo_tree(const char *target, int flags, struct ctx *ctx, struct err *err)
{
	AUTO_FREE char *real = xmalloc(PATH_MAX);
	struct buf table AUTO_BUF = { .limit = MAX_MOUNTINFO };
	struct found found = { 0 };
	int rc;

	ASSERT_MAY_BLOCK();
	if (realpath(target, real) == NULL)
		return errno == ENOENT ? 0 : err_sys(err, errno, "unmount %s", target);
	rc = mountinfo_read(&table);
	if (rc < 0)
		return err_sys(err, -rc, "read mount table");
	if (table.size > 0)
		find_below(table.data, real, flags, &found);
	rc = undo_found(&found, flags, ctx, err);
	free(found.mounts);
	return rc;
}

/* The name, and the directory it is in as a path that holds no mount busy and leads through no
 * link: "/proc/self/fd/N/name". */
static int undo_below(const char *target, const char *below, int flags, struct ctx *ctx)
{
	AUTO_CLOSE int root = open(target, O_PATH | O_CLOEXEC), parent = -1;
	AUTO_FREE char *dir = xasprintf("./%s", below);
	AUTO_FREE char *path = NULL;
	char *slash = strrchr(dir, '/');

	if (root < 0)
		return -errno;
	*slash = '\0';
	parent = fs_open_in(root, dir, O_PATH | O_DIRECTORY, 0);
	if (parent < 0)
		return parent;
	close_fd(&root);
	path = xasprintf("/proc/self/fd/%d/%s", parent, slash + 1);
	return undo_once(path, flags | UMOUNT_NOFOLLOW, ctx);
}

static int undo_place(const char *target, const struct mount_spec *spec, int flags,
		struct ctx *ctx, struct err *err)
{
	int rc;

	if (*spec->target == '\0')
		rc = undo_once(target, flags, ctx);
	else
		rc = undo_below(target, spec->target, flags, ctx);
	if (rc < 0 && rc != -EINVAL)
		return undo_failed(target, rc, err);
	return 0;
}

/* A shifted mount lies over the one it was made from. */
static int layers_of(const struct mount_spec *spec)
{
	bool uids = false, gids = false;

	for (size_t i = 0; i < strv_len(spec->options); i++) {
		uids = uids || str_starts(spec->options[i], "uidmap=");
		gids = gids || str_starts(spec->options[i], "gidmap=");
	}
	return uids && gids && !str_eq(spec->type, "overlay") ? 2 : 1;
}

int mount_undo_all(const struct mounts *m, const char *target, int flags, struct ctx *ctx,
		struct err *err)
{
	ASSERT_MAY_BLOCK();
	for (size_t i = m->count; i-- > 0;) {
		for (int n = layers_of(&m->items[i]); n > 0; n--) {
			AUTO_ERR struct err failed = { 0 };

			if (undo_place(target, &m->items[i], flags, ctx, &failed) < 0 &&
					err->kind == ERR_NONE)
				(void)err_move(err, &failed);
		}
	}
	return err->kind == ERR_NONE ? 0 : -1;
}
