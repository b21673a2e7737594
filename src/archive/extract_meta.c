/* SPDX-License-Identifier: Apache-2.0 */
/* Owner, extended attributes, mode and times of what was made. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive/extract_priv.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/mountsys.h"

/* What Go can hold in nanoseconds since 1970. */
#define MAX_TIME_S (INT64_MAX / 1000000000)

static struct timespec bound_time(struct timespec t)
{
	if (t.tv_sec < 0 || t.tv_sec >= MAX_TIME_S)
		return (struct timespec){ 0 };
	return t;
}

void extract_times(const struct tar_entry *e, struct timespec ret[2])
{
	bool later = e->has_atime &&
		     (e->atime.tv_sec > e->mtime.tv_sec ||
				     (e->atime.tv_sec == e->mtime.tv_sec &&
						     e->atime.tv_nsec > e->mtime.tv_nsec));

	ret[0] = bound_time(later ? e->atime : e->mtime);
	ret[1] = bound_time(e->mtime);
}

void extract_warn_once(struct extract *x, unsigned kind, const char *what, const char *why)
{
	if ((x->warned & 1U << kind) != 0)
		return;
	x->warned |= 1U << kind;
	log_warn(x->ctx, "file %s: %s: %s (ignored, here and from now on)", x->place.path, what,
			why);
}

static int map_id(const struct extract_id_map *maps, size_t count, uint32_t id, uint32_t *ret)
{
	*ret = id;
	if (count == 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (id < maps[i].inside || id - maps[i].inside >= maps[i].count)
			continue;
		*ret = maps[i].outside + (id - maps[i].inside);
		return 0;
	}
	return -EINVAL;
}

int extract_own(struct extract *x, int fd, const char *name, uint32_t uid, uint32_t gid,
		struct err *err)
{
	const struct extract_options *o = &x->options;
	uint32_t u, g;
	int rc;

	if (o->keep_own_ids)
		return 0;
	rc = map_id(o->uids, o->uid_count, uid, &u);
	if (rc == 0)
		rc = map_id(o->gids, o->gid_count, gid, &g);
	if (rc == 0 && fd >= 0)
		rc = fchown(fd, u, g) < 0 ? -errno : 0;
	else if (rc == 0)
		rc = fchownat(x->place.dir, name, u, g, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (rc == 0)
		return 0;
	return err_sys(err, -rc, "lchown %s to %u:%u%s", x->place.path, uid, gid,
			rc == -EINVAL && o->in_userns ? " (is it in the ranges of /etc/subuid "
							"and /etc/subgid?)"
						      : "");
}

static bool is_file_or_dir(int type)
{
	return type == TAR_FILE || type == TAR_DIR;
}

/* Attributes that would be orders to the overlay that this directory is part of. */
static bool is_order_to_overlay(const struct extract *x, const char *name)
{
	return x->options.user_xattr && str_starts(name, "user.overlay.");
}

static int set_xattr(struct extract *x, int fd, const char *path, const struct tar_xattr *a,
		struct err *err)
{
	int rc;

	if (str_starts(a->name, "trusted.")) {
		extract_warn_once(x, WARNED_TRUSTED, a->name, "attribute is not for layers");
		return 0;
	}
	if (is_order_to_overlay(x, a->name)) {
		extract_warn_once(x, WARNED_OVERLAY, a->name, "attribute is overlay's own");
		return 0;
	}
	rc = fd >= 0 ? fsetxattr(fd, a->name, a->value, a->size, 0)
		     : lsetxattr(path, a->name, a->value, a->size, 0);
	if (rc == 0)
		return 0;
	if (errno == ENOTSUP) {
		extract_warn_once(x, WARNED_UNSUPPORTED, a->name, errno_text(ENOTSUP));
		return 0;
	}
	if (errno == EPERM && str_starts(a->name, "user.") && !is_file_or_dir(x->entry->type))
		return 0; /* such files have none */
	return err_sys(err, errno, "set attribute %s of %s", a->name, x->place.path);
}

static int set_xattrs(struct extract *x, int fd, struct err *err)
{
	const struct tar_entry *e = x->entry;
	char dir[MOUNTSYS_FD_PATH];
	AUTO_FREE char *path = NULL;

	if (e->xattr_count == 0)
		return 0;
	/* There is no lsetxattrat(); the directory's descriptor pins it all the same. */
	mountsys_fd_path(x->place.dir, dir);
	path = xasprintf("%s/%s", dir, x->place.name);
	for (size_t i = 0; i < e->xattr_count; i++)
		if (set_xattr(x, fd, path, &e->xattrs[i], err) < 0)
			return -1;
	return 0;
}

static int set_mode(struct extract *x, int fd, struct err *err)
{
	mode_t mode = x->entry->mode;
	int rc;

	if (x->entry->type == TAR_SYMLINK)
		return 0;
	rc = fd >= 0 ? fchmod(fd, mode)
		     : fchmodat(x->place.dir, x->place.name, mode, AT_SYMLINK_NOFOLLOW);
	/* A hard link to a symbolic one has no mode. */
	if (rc < 0 && !(errno == EOPNOTSUPP && x->entry->type == TAR_HARDLINK))
		return err_sys(err, errno, "chmod %s", x->place.path);
	return 0;
}

static int set_times(struct extract *x, int fd, struct err *err)
{
	struct timespec times[2];
	int rc;

	extract_times(x->entry, times);
	rc = fd >= 0 ? futimens(fd, times)
		     : utimensat(x->place.dir, x->place.name, times, AT_SYMLINK_NOFOLLOW);
	if (rc < 0)
		return err_sys(err, errno, "set times of %s", x->place.path);
	return 0;
}

int extract_describe(struct extract *x, int fd, struct err *err)
{
	const struct tar_entry *e = x->entry;

	if (extract_own(x, fd, x->place.name, e->uid, e->gid, err) < 0)
		return -1;
	/* Changing the owner drops capabilities and set-id bits: those come after. */
	if (set_xattrs(x, fd, err) < 0 || set_mode(x, fd, err) < 0)
		return -1;
	return e->type == TAR_DIR ? 0 : set_times(x, fd, err);
}
