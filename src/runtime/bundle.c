/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/any.h"
#include "mount/mount.h"
#include "os/fs.h"
#include "text/json.h"
#include "text/json_span.h"

static int open_dir(const char *path, int *ret_fd, struct err *err)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : fs_make_dirs(fd, path + strspn(path, "/"), 0711);

	close_fd(&fd);
	if (rc == 0) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = fd < 0 ? -errno : 0;
	}
	if (rc < 0)
		return err_sys(err, -rc, "mkdir %s", path);
	*ret_fd = fd;
	return 0;
}

int bundle_dirs_open(const char *state, const char *root, struct bundle_dirs *ret_dirs,
		struct err *err)
{
	AUTO_CLOSE int state_fd = -1, root_fd = -1;

	ASSERT_MAY_BLOCK();
	if (open_dir(state, &state_fd, err) < 0 || open_dir(root, &root_fd, err) < 0)
		return -1;
	*ret_dirs = (struct bundle_dirs){ xstrdup(state), xstrdup(root), take_fd(&state_fd),
		take_fd(&root_fd) };
	return 0;
}

void bundle_dirs_close(struct bundle_dirs *d)
{
	free(d->state);
	free(d->root);
	close_fd(&d->state_fd);
	close_fd(&d->root_fd);
	d->state = d->root = NULL;
}

char *bundle_path(const struct bundle_dirs *d, const char *ns, const char *id)
{
	return xasprintf("%s/%s/%s", d->state, ns, id);
}

/* 1 if this item maps group 0, 0 if not. */
static int maps_root(const struct json_span *item, unsigned *ret_gid)
{
	AUTO(json_free) struct json *map = NULL;
	AUTO_ERR struct err ignored = { 0 };
	uint32_t container = 0, host = 0;

	if (json_parse(item->data, item->size, &map, &ignored) < 0)
		return 0;
	/* Go leaves an absent number at 0. */
	(void)json_u32(json_get(map, "containerID"), &container);
	(void)json_u32(json_get(map, "hostID"), &host);
	if (container != 0)
		return 0;
	*ret_gid = host;
	return 1;
}

int bundle_root_group(const void *spec, size_t size, unsigned *ret_gid, struct err *err)
{
	static const char *const path[] = { "linux", "gidMappings", NULL };
	struct json_span maps, item;
	size_t at = 0;
	int rc = size == 0 ? 0 : json_span_find(spec, size, path, &maps, err);

	*ret_gid = 0;
	if (rc <= 0)
		return rc;
	if (maps.data[0] != '[')
		return 0; /* null */
	while ((rc = json_span_next(&maps, &at, &item, err)) > 0)
		if (maps_root(&item, ret_gid))
			return 0;
	return rc;
}

/* A directory with exactly this mode, whatever the umask. An existing one may stay as it is. */
static int make_dir(int dirfd, const char *name, mode_t mode, bool may_exist)
{
	if (mkdirat(dirfd, name, mode) == 0)
		return fchmodat(dirfd, name, mode, 0) < 0 ? -errno : 0;
	return errno == EEXIST && may_exist ? 0 : -errno;
}

static int write_new(int dirfd, const char *name, const void *data, size_t size, mode_t mode)
{
	AUTO_CLOSE int fd = openat(dirfd, name,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	return fd < 0 ? -errno : io_write_all(fd, data, size);
}

/* What a crash left of an earlier attempt goes first. */
static int fresh_dir(int dirfd, const char *name, mode_t mode)
{
	int rc = make_dir(dirfd, name, mode, false);

	if (rc != -EEXIST)
		return rc;
	rc = fs_remove_all(dirfd, name);
	return rc < 0 ? rc : make_dir(dirfd, name, mode, false);
}

struct making {
	const struct bundle_dirs *dirs;
	const char *ns, *id;
	const struct any *spec;
	const char *shim_binary;
	unsigned gid;
};

static int make_work(const struct making *m)
{
	AUTO_CLOSE int ns_fd = -1;
	int rc = make_dir(m->dirs->root_fd, m->ns, 0711, true);

	if (rc < 0)
		return rc;
	ns_fd = fs_open_dir(m->dirs->root_fd, m->ns);
	return ns_fd < 0 ? ns_fd : fresh_dir(ns_fd, m->id, 0711);
}

static int fill(const struct making *m, int fd)
{
	AUTO_FREE char *work = xasprintf("%s/%s/%s", m->dirs->root, m->ns, m->id);
	int rc = make_dir(fd, "rootfs", 0711, false);

	if (rc == 0 && symlinkat(work, fd, "work") < 0)
		rc = -errno;
	if (rc == 0 && mkfifoat(fd, "log", 0700) < 0)
		rc = -errno;
	if (rc == 0 && m->spec->is_set)
		rc = write_new(fd, "config.json", m->spec->value, m->spec->size, 0666);
	if (rc == 0)
		rc = write_new(fd, "shim-binary-path", m->shim_binary, strlen(m->shim_binary),
				0600);
	/* The container's root must get at its rootfs, nobody else at anything. */
	if (rc == 0 && m->gid != 0 &&
			(fchown(fd, (uid_t)-1, m->gid) < 0 || fchmod(fd, 0710) < 0))
		rc = -errno;
	return rc;
}

static int make_bundle(const struct making *m)
{
	AUTO_FREE char *making = xasprintf("..%s", m->id); /* no id has two dots */
	AUTO_CLOSE int ns_fd = -1, fd = -1;
	int rc = make_dir(m->dirs->state_fd, m->ns, 0711, true);

	if (rc < 0)
		return rc;
	ns_fd = fs_open_dir(m->dirs->state_fd, m->ns);
	if (ns_fd < 0)
		return ns_fd;
	rc = fresh_dir(ns_fd, making, 0700);
	if (rc < 0)
		return rc;
	fd = fs_open_dir(ns_fd, making);
	rc = fd < 0 ? fd : fill(m, fd);
	if (rc == 0 && renameat2(ns_fd, making, ns_fd, m->id, RENAME_NOREPLACE) < 0)
		rc = -errno;
	if (rc < 0)
		IGNORE(fs_remove_all(ns_fd, making)); /* the next attempt would do it */
	return rc;
}

static void remove_work(const struct bundle_dirs *d, const char *ns, const char *id)
{
	AUTO_CLOSE int ns_fd = fs_open_dir(d->root_fd, ns);

	/* What stays is removed when the daemon starts the next time. */
	if (ns_fd >= 0)
		IGNORE(fs_remove_all(ns_fd, id));
}

int bundle_create(const struct bundle_dirs *d, const char *ns, const char *id,
		const struct any *spec, const char *shim_binary, struct err *err)
{
	struct making m = { d, ns, id, spec, shim_binary, 0 };
	int rc;

	ASSERT_MAY_BLOCK();
	if (ident_check(id, err) < 0)
		return err_wrap(err, "invalid task id %s", id);
	if (bundle_root_group(spec->value, spec->size, &m.gid, err) < 0)
		return err_wrap(err, "bundle %s: spec", id);
	if (faccessat(d->state_fd, ns, F_OK, 0) == 0) {
		AUTO_FREE char *name = xasprintf("%s/%s", ns, id);

		if (faccessat(d->state_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return err_sys(err, EEXIST, "mkdir %s/%s", d->state, name);
	}
	rc = make_work(&m);
	if (rc == 0)
		rc = make_bundle(&m);
	if (rc == 0)
		return 0;
	if (rc != -EEXIST)
		remove_work(d, ns, id);
	return err_sys(err, -rc, "mkdir %s/%s/%s", d->state, ns, id);
}

/* True if "rootfs" is there as it was made: nothing mounted on it, nothing in it. Where the
 * kernel does not say, false. */
static bool is_bare_rootfs(int fd)
{
	AUTO_STRV char **names = NULL;
	struct statx st;

	return statx(fd, "rootfs", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) == 0 &&
	       S_ISDIR(st.stx_mode) && (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0 &&
	       fs_list(fd, "rootfs", &names) == 0 && strv_len(names) == 0;
}

/* rmdir() tells whether anything is mounted there: EBUSY; or in it: ENOTEMPTY. It waits for the
 * disk at times, though, so it is not asked if there is no need. */
static int clear_rootfs(int fd, const char *path, struct ctx *ctx, struct err *err)
{
	AUTO_FREE char *rootfs = xasprintf("%s/rootfs", path);

	if (is_bare_rootfs(fd) || unlinkat(fd, "rootfs", AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (mount_undo_tree(rootfs, 0, ctx, err) < 0)
		return err_wrap(err, "unmount rootfs %s", rootfs);
	if (unlinkat(fd, "rootfs", AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return err_sys(err, errno, "failed to remove bundle rootfs: remove %s", rootfs);
}

/* A name that is gone already is as good. */
static int rename_away(int dirfd, const char *id, const char *hidden)
{
	return renameat(dirfd, id, dirfd, hidden) < 0 && errno != ENOENT ? -errno : 0;
}

static int hide_bundle(const struct bundle_dirs *d, struct ctx *ctx, const char *ns,
		const char *id, const char *hidden, struct err *err)
{
	AUTO_FREE char *path = bundle_path(d, ns, id);
	AUTO_CLOSE int ns_fd = fs_open_dir(d->state_fd, ns), fd = -1;
	int rc;

	if (ns_fd >= 0)
		fd = fs_open_dir(ns_fd, id);
	if (fd < 0)
		return 0;
	if (clear_rootfs(fd, path, ctx, err) < 0)
		return -1;
	rc = rename_away(ns_fd, id, hidden);
	return rc < 0 ? err_sys(err, -rc, "remove bundle %s", path) : 0;
}

/* 0, or -errno of a directory of that name that is still there. */
static int remove_below(int dirfd, const char *ns, const char *name)
{
	AUTO_CLOSE int ns_fd = fs_open_dir(dirfd, ns);

	return ns_fd < 0 ? 0 : fs_remove_all(ns_fd, name);
}

int bundle_hide(const struct bundle_dirs *d, struct ctx *ctx, const char *ns, const char *id,
		char **ret_hidden, struct err *err)
{
	/* The next bundle of that id may be hidden before this one is swept. */
	AUTO_FREE char *hidden = xasprintf(".%s.%" PRId64, id, clock_mono_ns());
	AUTO_CLOSE int work_fd = -1;

	ASSERT_MAY_BLOCK();
	if (hide_bundle(d, ctx, ns, id, hidden, err) < 0)
		return -1;
	work_fd = fs_open_dir(d->root_fd, ns);
	/* What stays is removed when the daemon starts the next time. */
	if (work_fd >= 0)
		IGNORE(rename_away(work_fd, id, hidden));
	*ret_hidden = take_ptr(hidden);
	return 0;
}

int bundle_sweep(const struct bundle_dirs *d, const char *ns, const char *hidden,
		struct err *err)
{
	int rc = remove_below(d->state_fd, ns, hidden);

	ASSERT_MAY_BLOCK();
	IGNORE(remove_below(d->root_fd, ns, hidden)); /* as above */
	return rc < 0 ? err_sys(err, -rc, "remove bundle %s/%s/%s", d->state, ns, hidden) : 0;
}

int bundle_remove(const struct bundle_dirs *d, struct ctx *ctx, const char *ns, const char *id,
		struct err *err)
{
	AUTO_FREE char *hidden = NULL;

	if (bundle_hide(d, ctx, ns, id, &hidden, err) < 0)
		return -1;
	return bundle_sweep(d, ns, hidden, err);
}

/* A descriptor of the bundle, or -errno. */
static int open_bundle(const struct bundle_dirs *d, const char *ns, const char *id)
{
	AUTO_CLOSE int ns_fd = fs_open_dir(d->state_fd, ns);

	return ns_fd < 0 ? ns_fd : fs_open_dir(ns_fd, id);
}

/* Not synced: bundles need to outlive us, not the machine; after a power cut there is no shim
 * that they could lead to. */
static int replace_file(int fd, const char *name, const void *data, size_t size, mode_t mode)
{
	AUTO_FREE char *temporary = xasprintf(".%s.new", name);
	int rc;

	(void)unlinkat(fd, temporary, 0);
	rc = write_new(fd, temporary, data, size, mode);
	if (rc == 0 && renameat(fd, temporary, fd, name) < 0)
		rc = -errno;
	return rc;
}

int bundle_write(const struct bundle_dirs *d, const char *ns, const char *id, const char *name,
		const void *data, size_t size, unsigned mode)
{
	AUTO_CLOSE int fd = open_bundle(d, ns, id);

	return fd < 0 ? fd : replace_file(fd, name, data, size, (mode_t)mode);
}

int bundle_read(const struct bundle_dirs *d, const char *ns, const char *id, const char *name,
		struct buf *out)
{
	AUTO_CLOSE int fd = open_bundle(d, ns, id);

	return fd < 0 ? fd : io_read_file(fd, name, out);
}
