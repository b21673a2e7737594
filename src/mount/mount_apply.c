/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "mount/mount_options.h"
#include "mount/mount_priv.h"
#include "os/fs.h"
#include "os/loopdev.h"
#include "os/mountsys.h"
#include "os/process.h"

#define PROPAGATION (MS_PRIVATE | MS_SHARED | MS_SLAVE | MS_UNBINDABLE)

/* Where a spec is mounted. Looked up anew for every step: each mount covers the one before. */
struct place {
	const char *target; /* the mount point of all */
	const char *below;  /* what the spec adds to it */
};

/* A descriptor of the place; its links cannot lead out of target. */
static int open_place(const struct place *p, struct err *err)
{
	AUTO_CLOSE int root = open(p->target, O_PATH | O_CLOEXEC);
	int fd;

	if (root < 0)
		return err_sys(err, errno, "mount point %s", p->target);
	if (*p->below == '\0')
		return take_fd(&root);
	fd = fs_open_in(root, p->below, O_PATH, 0);
	if (fd < 0)
		return err_sys(err, -fd, "join path \"%s\" with root \"%s\"", p->below,
				p->target);
	return fd;
}

/* In the original's words, which end in the system's text without a colon of ours. */
static int mount_failed(const struct mount_spec *spec, const struct place *p,
		const struct mount_options *o, int errnum, struct err *err)
{
	AUTO_FREE char *target =
			xasprintf("%s%s%s", p->target, *p->below == '\0' ? "" : "/", p->below);

	(void)err_plain(err, ERR_UNKNOWN,
			"mount source: \"%s\", target: \"%s\", fstype: %s, flags: %lu, "
			"data: \"%s\", err: %s",
			spec->source, target, spec->type, o->flags, o->data,
			errno_text(errnum));
	err->sys = errnum;
	return -1;
}

static int do_mount(const struct mount_spec *spec, const struct place *p,
		const struct mount_options *o, const char *dir, unsigned long flags,
		struct err *err)
{
	AUTO_CLOSE int fd = open_place(p, err);
	char path[MOUNTSYS_FD_PATH];
	int rc;

	if (fd < 0)
		return -1;
	mountsys_fd_path(fd, path);
	if (dir != NULL)
		rc = mountsys_mount_from(dir, spec->source, path, spec->type, flags, o->data);
	else
		rc = mountsys_mount(spec->source, path, spec->type, flags, o->data);
	if (rc < 0)
		return mount_failed(spec, p, o, -rc, err);
	return 0;
}

/* A bind takes no flags: they are changed afterwards. In a user namespace those that its owner
 * may not clear have to be named again. */
static int remount_read_only(const struct mount_spec *spec, const struct place *p,
		const struct mount_options *o, struct err *err)
{
	unsigned long flags = (o->flags & ~(unsigned long)MS_REC) | MS_REMOUNT, locked;
	AUTO_CLOSE int fd = open_place(p, err);
	char path[MOUNTSYS_FD_PATH];
	int rc;

	if (fd < 0)
		return -1;
	mountsys_fd_path(fd, path);
	if (process_in_userns() && mountsys_flags(path, &locked) == 0)
		flags |= locked;
	rc = mountsys_mount("", path, "", flags, NULL);
	if (rc < 0)
		return mount_failed(spec, p, o, -rc, err);
	return 0;
}

/* Puts a copy with shifted owners over what was just mounted. */
static int shift_owners(const struct place *p, const struct mount_options *o, struct err *err)
{
	AUTO_CLOSE int place = open_place(p, err), userns = -1, tree = -1;
	bool recursive = (o->flags & MS_REC) != 0;
	int rc;

	if (place < 0 || mount_make_userns(o, &userns, err) < 0)
		return -1;
	tree = mountsys_clone_tree(place, "", recursive);
	if (tree < 0)
		return err_sys(err, -tree, "unable to open tree for %s", p->target);
	rc = mountsys_set_idmap(tree, userns, false, recursive);
	if (rc < 0)
		return err_sys(err, -rc, "unable to shift GID/UID or set mount attrs for %s",
				p->target);
	rc = mountsys_attach(tree, place, "");
	if (rc < 0)
		return err_sys(err, -rc, "unable to attach mount tree to %s", p->target);
	return 0;
}

/* How many mounts a spec has put on its place so far, for undoing it. */
static int finish_mount(const struct mount_spec *spec, const struct place *p,
		const struct mount_options *o, int *mounted, struct err *err)
{
	bool bind_ro = (o->flags & (MS_BIND | MS_RDONLY)) == (MS_BIND | MS_RDONLY);

	if (o->uid_map != NULL && !str_eq(spec->type, "overlay")) {
		if (shift_owners(p, o, err) < 0)
			return -1;
		(*mounted)++;
	}
	if (bind_ro && !(o->flags & MS_REMOUNT))
		return remount_read_only(spec, p, o, err);
	return 0;
}

static int mount_classic(const struct mount_spec *spec, const struct place *p,
		const struct mount_options *o, const char *dir, struct err *err)
{
	unsigned long flags = o->flags & ~(unsigned long)PROPAGATION;
	int mounted = 1;

	if (do_mount(spec, p, o, dir, flags, err) < 0)
		return -1;
	if (finish_mount(spec, p, o, &mounted, err) == 0)
		return 0;
	for (; mounted > 0; mounted--) {
		AUTO_ERR struct err ignored = { 0 };
		AUTO_CLOSE int fd = open_place(p, &ignored);
		char path[MOUNTSYS_FD_PATH];

		if (fd < 0)
			break;
		mountsys_fd_path(fd, path);
		IGNORE(mountsys_umount(path, MNT_DETACH));
	}
	return -1;
}

/* The device stays attached because it is mounted; our descriptor only carries it till then. */
static int mount_loop(const struct mount_spec *spec, const struct place *p,
		const struct mount_options *o, const char *dir, struct err *err)
{
	struct loopdev_options lo = { (o->flags & MS_RDONLY) != 0, o->direct_io, true };
	AUTO_FREE char *device = NULL;
	AUTO_CLOSE int fd = loopdev_attach(spec->source, &lo, &device);
	struct mount_spec on_device = *spec;

	if (fd < 0)
		return err_sys(err, -fd, "attach %s to a loop device", spec->source);
	on_device.source = device;
	return mount_classic(&on_device, p, o, dir, err);
}

static int mount_kernel(const struct mount_spec *spec, const struct place *p,
		const char *temp_root, struct ctx *ctx, struct err *err)
{
	AUTO_MOUNT_OPTIONS struct mount_options o = { 0 };
	AUTO_STRV char **options = strv_dup(spec->options);
	AUTO(mount_shifted_free) struct mount_shifted *shifted = NULL;
	AUTO_FREE char *dir = NULL;
	bool overlay = str_eq(spec->type, "overlay");

	if (overlay && mount_shift_lower(&options, temp_root, &shifted, err) < 0)
		return -1;
	if (overlay) {
		AUTO_STRV char **before = take_ptr(options);

		mount_overlay_compact(before, &dir, &options);
	}
	if (mount_options_parse(options, &o, err) < 0)
		return -1;
	if (o.loop)
		return mount_loop(spec, p, &o, dir, err);
	return mount_classic(spec, p, &o, dir, err);
}

static int mount_one(const struct mount_spec *spec, const char *target, const char *temp_root,
		struct ctx *ctx, struct err *err)
{
	struct place p = { target, spec->target };

	if (str_starts(spec->type, "fuse.") || str_starts(spec->type, "fuse3."))
		return mount_with_helper(spec, target, ctx, err);
	return mount_kernel(spec, &p, temp_root, ctx, err);
}

int mount_all(const struct mounts *m, const char *target, const char *temp_root,
		struct ctx *ctx, struct err *err)
{
	ASSERT_MAY_BLOCK();
	for (size_t i = 0; i < m->count; i++) {
		struct mounts done = { m->items, i };
		AUTO_ERR struct err ignored = { 0 };

		if (mount_one(&m->items[i], target, temp_root, ctx, err) == 0)
			continue;
		IGNORE(mount_undo_all(&done, target, MNT_DETACH, ctx, &ignored));
		return -1;
	}
	return 0;
}
