/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_rootfs_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/client_snapshots_priv.h"
#include "oci/user.h"
#include "os/fs.h"

#define MAX_LAYERS 512
#define MAX_LINKS  40
#define MAX_PARTS  128

/* --- opening layers ----------------------------------------------------------------------- */

void ctrd_rootfs_free(struct ctrd_rootfs *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->count; i++)
		close_fd(&r->layers[i]);
	free(r->layers);
	free(r);
}

static int add_layer(struct ctrd_rootfs *r, const char *path, struct err *err)
{
	int fd;

	if (r->count == MAX_LAYERS)
		return err_set(err, ERR_EXHAUSTED, "root has over %d layers", MAX_LAYERS);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	r->layers = xreallocarray(r->layers, r->count + 1, sizeof(*r->layers));
	r->layers[r->count++] = fd;
	return 0;
}

/* "a:b:c", where "\:" is a colon of a path. */
static int add_lower(struct ctrd_rootfs *r, const char *list, struct err *err)
{
	AUTO_BUF struct buf path = { .limit = SIZE_MAX };

	for (;; list++) {
		if (*list == '\\' && list[1] != '\0') {
			buf_add_byte(&path, (unsigned char)*++list);
			continue;
		}
		if (*list != ':' && *list != '\0') {
			buf_add_byte(&path, (unsigned char)*list);
			continue;
		}
		if (path.size > 0 && add_layer(r, path.data, err) < 0)
			return -1;
		buf_clear(&path);
		if (*list == '\0')
			return 0;
	}
}

static int add_overlay(struct ctrd_rootfs *r, char *const *options, struct err *err)
{
	const char *lower = NULL;

	for (; options != NULL && *options != NULL; options++) {
		if (str_starts(*options, "lowerdir="))
			lower = *options + strlen("lowerdir=");
		else if (str_starts(*options, "upperdir=") &&
				add_layer(r, *options + strlen("upperdir="), err) < 0)
			return -1;
	}
	return lower == NULL ? 0 : add_lower(r, lower, err);
}

static int rootfs_of_mounts(const struct mounts *m, struct ctrd_rootfs *r, struct err *err)
{
	const struct mount_spec *spec = m->count == 1 ? &m->items[0] : NULL;

	if (spec != NULL && strcmp(spec->type, "bind") == 0)
		return add_layer(r, spec->source, err);
	if (spec != NULL && strcmp(spec->type, "overlay") == 0)
		return add_overlay(r, spec->options, err);
	return err_set(err, ERR_UNIMPLEMENTED, "looking up users in a root of type \"%s\"",
			spec == NULL ? "several mounts" : spec->type);
}

int ctrd_rootfs_of_snapshot(struct ctrd_client *c, const char *snapshotter, const char *key,
		struct ctrd_rootfs **ret_rootfs, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_mounts_free) struct ctrd_mounts *mounts = NULL;
	AUTO(ctrd_rootfs_free) struct ctrd_rootfs *r = xzalloc(sizeof(*r));

	if (client_snapshot_mounts(c, snapshotter, key, &mounts, &err) < 0 ||
			rootfs_of_mounts(&mounts->list, r, &err) < 0)
		return api_result(-1, &err, ret_error);
	*ret_rootfs = take_ptr(r);
	return 0;
}

int ctrd_rootfs_of_path(const char *path, struct ctrd_rootfs **ret_rootfs,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_rootfs_free) struct ctrd_rootfs *r = xzalloc(sizeof(*r));

	if (add_layer(r, path, &err) < 0)
		return api_result(-1, &err, ret_error);
	*ret_rootfs = take_ptr(r);
	return 0;
}

/* --- looking through them ----------------------------------------------------------------- */

/* A directory as it looks with all layers in place: those of its layers that show. */
struct merged {
	int *fds;
	size_t count;
};

static void merged_done(struct merged *m)
{
	for (size_t i = 0; i < m->count; i++)
		close_fd(&m->fds[i]);
	free(m->fds);
	*m = (struct merged){ 0 };
}
#define AUTO_MERGED __attribute__((cleanup(merged_done)))

static void merged_add(struct merged *m, int own_fd)
{
	m->fds = xreallocarray(m->fds, m->count + 1, sizeof(*m->fds));
	m->fds[m->count++] = own_fd;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static bool is_opaque(int fd)
{
	char value = 0;

	return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

enum found {
	FOUND_NOTHING,
	FOUND_DIR,  /* ret_dir */
	FOUND_ELSE, /* ret_stat, and in which directory */
};

/* Looks "name" up; directories of several layers merge, anything else hides what is below. */
static int find_entry(const struct merged *in, const char *name, struct merged *ret_dir,
		struct stat *ret_stat, int *ret_in, enum found *ret_found, struct err *err)
{
	AUTO_MERGED struct merged dir = { 0 };

	*ret_found = FOUND_NOTHING;
	for (size_t i = 0; i < in->count; i++) {
		struct stat st;
		int fd;

		if (fstatat(in->fds[i], name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			return err_sys(err, errno, "stat %s", name);
		}
		if (!S_ISDIR(st.st_mode)) {
			if (dir.count > 0 || is_whiteout(&st))
				break;
			*ret_stat = st;
			*ret_in = in->fds[i];
			*ret_found = FOUND_ELSE;
			return 0;
		}
		fd = openat(in->fds[i], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_sys(err, errno, "open %s", name);
		merged_add(&dir, fd);
		if (is_opaque(fd))
			break;
	}
	if (dir.count > 0)
		*ret_found = FOUND_DIR;
	*ret_dir = dir;
	dir = (struct merged){ 0 };
	return 0;
}

struct lookup {
	const struct ctrd_rootfs *root;
	char *rest;   /* what is still to be walked; owned */
	char **parts; /* names of the directories above, none of them a link; owned */
	size_t links;
};

static void lookup_done(struct lookup *l)
{
	free(l->rest);
	strv_free(l->parts);
}

/* The directory we are in. Walked anew each time: ".." then needs no memory of how we came. */
static int open_here(const struct lookup *l, struct merged *ret, struct err *err)
{
	AUTO_MERGED struct merged at = { 0 };

	for (size_t i = 0; i < l->root->count; i++) {
		int fd = fcntl(l->root->layers[i], F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			return err_sys(err, errno, "dup layer");
		merged_add(&at, fd);
	}
	for (char **p = l->parts; p != NULL && *p != NULL; p++) {
		AUTO_MERGED struct merged next = { 0 };
		enum found found;
		struct stat st;
		int in;

		if (find_entry(&at, *p, &next, &st, &in, &found, err) < 0)
			return -1;
		if (found != FOUND_DIR)
			return err_sys(err, ENOTDIR, "open %s", *p);
		merged_done(&at);
		at = next;
		next = (struct merged){ 0 };
	}
	*ret = at;
	at = (struct merged){ 0 };
	return 0;
}

static void leave(struct lookup *l)
{
	size_t n = strv_len(l->parts);

	if (n == 0)
		return; /* the root is its own parent */
	free(l->parts[n - 1]);
	l->parts[n - 1] = NULL;
}

static int follow(struct lookup *l, int dirfd, const char *name, struct err *err)
{
	AUTO_FREE char *target = NULL;
	char *rest;
	int rc;

	if (++l->links > MAX_LINKS)
		return err_sys(err, ELOOP, "open %s", name);
	rc = fs_read_link(dirfd, name, &target);
	if (rc < 0)
		return err_sys(err, -rc, "readlink %s", name);
	if (target[0] == '/') {
		strv_free(l->parts);
		l->parts = NULL;
	}
	rest = xasprintf("%s/%s", target, l->rest);
	free(l->rest);
	l->rest = rest;
	return 0;
}

/* Cuts the next name off the rest; owned, NULL at the end. */
static char *next_name(struct lookup *l)
{
	char *from = l->rest + strspn(l->rest, "/");
	size_t n = strcspn(from, "/");
	char *name = n == 0 ? NULL : xstrndup(from, n);

	memmove(l->rest, from + n, strlen(from + n) + 1);
	return name;
}

static int open_regular(
		int dirfd, const char *name, uint64_t max_bytes, int *ret_fd, struct err *err)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open %s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "%s is not a regular file", name);
	if ((uint64_t)st.st_size > max_bytes)
		return err_set(err, ERR_EXHAUSTED, "%s is over %llu bytes", name,
				(unsigned long long)max_bytes);
	*ret_fd = take_fd(&fd);
	return 1;
}

/* 2: go on; else as rootfs_open_file(). */
static int step(struct lookup *l, const char *name, uint64_t max_bytes, int *ret_fd,
		struct err *err)
{
	AUTO_MERGED struct merged here = { 0 }, dir = { 0 };
	enum found found;
	struct stat st;
	int in = -1;

	if (strcmp(name, ".") == 0)
		return 2;
	if (strcmp(name, "..") == 0) {
		leave(l);
		return 2;
	}
	if (open_here(l, &here, err) < 0)
		return -1;
	if (find_entry(&here, name, &dir, &st, &in, &found, err) < 0)
		return -1;
	if (found == FOUND_NOTHING)
		return 0;
	if (found == FOUND_DIR) {
		strv_add(&l->parts, name);
		return strv_len(l->parts) > MAX_PARTS
				       ? err_sys(err, ENAMETOOLONG, "open %s", name)
				       : 2;
	}
	if (S_ISLNK(st.st_mode))
		return follow(l, in, name, err) < 0 ? -1 : 2;
	if (l->rest[strspn(l->rest, "/")] != '\0')
		return err_sys(err, ENOTDIR, "open %s", name);
	/* Never opened blindly: opening a device can do things. */
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "%s is not a regular file", name);
	return open_regular(in, name, max_bytes, ret_fd, err);
}

int rootfs_open_file(const struct ctrd_rootfs *r, const char *path, uint64_t max_bytes,
		int *ret_fd, struct err *err)
{
	__attribute__((cleanup(lookup_done))) struct lookup l = { .root = r,
		.rest = xstrdup(path) };

	for (;;) {
		AUTO_FREE char *name = next_name(&l);
		int rc;

		if (name == NULL)
			return err_set(err, ERR_INVALID, "%s is not a regular file", path);
		rc = step(&l, name, max_bytes, ret_fd, err);
		if (rc != 2)
			return rc < 0 ? err_wrap(err, "%s", path) : rc;
	}
}

static int open_user_file(void *arg, const char *path, int *ret_fd, struct err *err)
{
	return arg == NULL ? 0 : rootfs_open_file(arg, path, USER_FILE_MAX, ret_fd, err);
}

struct user_source rootfs_users(const struct ctrd_rootfs *r)
{
	return (struct user_source){ open_user_file, (void *)r };
}
