/* SPDX-License-Identifier: Apache-2.0 */
#include "os/fs.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A rename anywhere on the system can make a resolution start over. */
#define OPEN_TRIES 128

static int open_resolved(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)flags | O_CLOEXEC,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};

	if (flags & (O_CREAT | O_TMPFILE))
		how.mode = mode & 07777;
	for (int i = 0; i < OPEN_TRIES; i++) {
		long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

int fs_open_in(int rootfd, const char *path, int flags, mode_t mode)
{
	return open_resolved(rootfd, path, flags, mode, RESOLVE_IN_ROOT);
}

int fs_open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	return open_resolved(dirfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int fs_open_dir(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int fs_open_dir_here(int dirfd, const char *name)
{
	return open_resolved(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
			RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

/* 1 if it was not there. */
static int make_one(int dirfd, const char *path, mode_t mode)
{
	struct stat st;

	if (mkdirat(dirfd, path, mode) == 0)
		return 1;
	if (errno != EEXIST)
		return -errno;
	if (fstatat(dirfd, path, &st, 0) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int fs_make_dirs(int dirfd, const char *path, mode_t mode)
{
	AUTO_FREE char *copy = xstrdup(path);

	for (char *p = copy + 1; *copy != '\0'; p++) {
		char was = *p;
		int rc;

		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		rc = make_one(dirfd, copy, mode);
		*p = was;
		if (rc < 0 || was == '\0')
			return rc < 0 ? rc : 0;
	}
	return -ENOENT;
}

/* Where the kernel or the filesystem has no nameless files (overlay of old, NFS, FUSE). */
static int temp_file_by_name(const char *dir)
{
	AUTO_FREE char *path = xasprintf("%s/.temp-XXXXXX", dir);
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	(void)unlink(path);
	return fd;
}

int fs_temp_file(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		return temp_file_by_name(dir);
	return fd < 0 ? -errno : fd;
}

int fs_sync_parent(const char *path)
{
	AUTO_FREE char *parent = xstrdup(path);
	char *slash = strrchr(parent, '/');
	AUTO_CLOSE int fd = -1;

	if (slash != NULL)
		slash[slash == parent ? 1 : 0] = '\0';
	fd = open(slash == NULL ? "." : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* One that is there was synced by its maker; of the last one we make sure, since its maker may
 * have been killed. */
static int make_synced(const char *path, mode_t mode, bool is_last)
{
	int made = make_one(AT_FDCWD, path, mode), rc;

	if (made < 0 || (made == 0 && !is_last))
		return made;
	rc = fs_sync_parent(path);
	if (rc < 0 && made > 0)
		(void)rmdir(path); /* so that the next attempt makes and syncs it */
	return rc;
}

int fs_make_dirs_durable(const char *path, mode_t mode)
{
	AUTO_FREE char *part = xstrdup(path);

	for (char *p = part + 1; *part != '\0'; p++) {
		char was = *p;
		int rc;

		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		rc = make_synced(part, mode, was == '\0');
		*p = was;
		if (rc < 0 || was == '\0')
			return rc;
	}
	return -ENOENT;
}

int fs_sync_dir(int dirfd, const char *path)
{
	AUTO_CLOSE int fd = fs_open_dir(dirfd, path);

	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

int fs_read_link(int dirfd, const char *name, char **ret_target)
{
	AUTO_FREE char *target = xmalloc(PATH_MAX + 1);
	ssize_t n = readlinkat(dirfd, name, target, PATH_MAX);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	*ret_target = take_ptr(target);
	return 0;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* The kernel's record; glibc hides it behind readdir(). */
struct dirent_record {
	uint64_t ino;
	int64_t off;
	unsigned short len;
	unsigned char type;
	char name[];
};

int fs_dir_next(struct fs_dir *d, struct fs_dirent *ret_entry)
{
	for (;;) {
		const struct dirent_record *r;

		if (d->at >= d->size) {
			long n = syscall(SYS_getdents64, d->fd, d->data, sizeof(d->data));

			if (n <= 0)
				return n < 0 ? -errno : 0;
			d->at = 0;
			d->size = (size_t)n;
		}
		r = (const struct dirent_record *)(d->data + d->at);
		d->at += r->len;
		if (is_dots(r->name))
			continue;
		*ret_entry = (struct fs_dirent){ r->name, r->type };
		return 1;
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int fs_list(int dirfd, const char *path, char ***ret_names)
{
	AUTO_CLOSE int fd = fs_open_dir(dirfd, path);
	AUTO_FREE struct fs_dir *d = NULL;
	AUTO_STRV char **names = NULL;
	size_t count = 0, room = 16;
	struct fs_dirent entry;
	int rc;

	if (fd < 0)
		return fd;
	d = xmalloc(sizeof(*d));
	d->fd = fd;
	d->at = d->size = 0;
	names = xcalloc(room, sizeof(*names));
	while ((rc = fs_dir_next(d, &entry)) > 0) {
		if (count + 2 > room) {
			room *= 2;
			names = xreallocarray(names, room, sizeof(*names));
		}
		names[count++] = xstrdup(entry.name);
		names[count] = NULL;
	}
	if (rc < 0)
		return rc;
	qsort(names, count, sizeof(*names), compare_names);
	*ret_names = take_ptr(names);
	return 0;
}
