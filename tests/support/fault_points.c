/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fault_points.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int armed;
static atomic_ulong passed;
static unsigned long target;
static const char *_Atomic hit;

void fault_arm(enum fault_mode mode, unsigned long at)
{
	target = at;
	atomic_store(&passed, 0);
	atomic_store(&hit, NULL);
	atomic_store(&armed, (int)mode);
}

unsigned long fault_disarm(void)
{
	atomic_store(&armed, FAULT_OFF);
	return atomic_load(&passed);
}

const char *fault_hit(void)
{
	return atomic_load(&hit);
}

static void die(void)
{
	(void)kill(getpid(), SIGKILL);
	for (;;)
		(void)pause();
}

/* What is to become of a call. */
enum fate {
	FATE_GO,
	FATE_FAIL,
	FATE_DIE_AFTER,
	FATE_HALF, /* a write: half of it, then death or "no space" */
};

static void note_sync(int fd);
static void note_all(void);
static void note_dsync(int fd, const void *data, size_t size, off_t at);

static enum fate pass(const char *name, bool needs_room, bool can_tear)
{
	enum fault_mode mode = (enum fault_mode)atomic_load(&armed);
	unsigned long n;

	if (mode == FAULT_OFF)
		return FATE_GO;
	n = atomic_fetch_add(&passed, 1) + 1;
	if (n < target || (n > target && mode != FAULT_DISK_FULL))
		return FATE_GO;
	if (mode == FAULT_DISK_FULL && !needs_room)
		return FATE_GO;
	if (atomic_load(&hit) == NULL)
		atomic_store(&hit, name);
	switch (mode) {
	case FAULT_KILL_AFTER:
		return FATE_DIE_AFTER;
	case FAULT_FAIL_ONE:
		errno = EIO;
		return FATE_FAIL;
	case FAULT_DISK_FULL:
		errno = ENOSPC;
		return can_tear && n == target ? FATE_HALF : FATE_FAIL;
	case FAULT_KILL_TORN:
		if (can_tear)
			return FATE_HALF;
		break;
	default:
		break;
	}
	die();
	return FATE_FAIL;
}

/* Keeps errno of the call. */
static void after(enum fate fate)
{
	if (fate == FATE_DIE_AFTER ||
			(fate == FATE_HALF && atomic_load(&armed) == FAULT_KILL_TORN))
		die();
}

#define POINT(type, name, params, args, needs_room)                                            \
	POINT_THEN(type, name, params, args, needs_room, (void)0)

/* "then" is done when the call has succeeded. */
#define POINT_THEN(type, name, params, args, needs_room, then)                                 \
	type __real_##name params;                                                             \
	type __wrap_##name params;                                                             \
	type __wrap_##name params                                                              \
	{                                                                                      \
		enum fate fate = pass(#name, needs_room, false);                               \
		type rc;                                                                       \
                                                                                               \
		if (fate == FATE_FAIL)                                                         \
			return -1;                                                             \
		rc = __real_##name args;                                                       \
		if (rc == 0)                                                                   \
			then;                                                                  \
		after(fate);                                                                   \
		return rc;                                                                     \
	}

POINT_THEN(int, fsync, (int fd), (fd), true, note_sync(fd))
POINT_THEN(int, fdatasync, (int fd), (fd), true, note_sync(fd))
POINT_THEN(int, syncfs, (int fd), (fd), true, note_all())
POINT(int, rename, (const char *x, const char *y), (x, y), true)
POINT(int, renameat2, (int a, const char *x, int b, const char *y, unsigned int flags),
		(a, x, b, y, flags), true)
POINT(int, renameat, (int a, const char *x, int b, const char *y), (a, x, b, y), true)
POINT(int, mkdir, (const char *path, mode_t mode), (path, mode), true)
POINT(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode), true)
POINT(int, unlink, (const char *path), (path), false)
POINT(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), false)
POINT(int, ftruncate, (int fd, off_t size), (fd, size), size > 0)
POINT(int, ftruncate64, (int fd, off_t size), (fd, size), size > 0)
POINT(int, linkat, (int a, const char *x, int b, const char *y, int flags), (a, x, b, y, flags),
		true)
POINT(int, symlinkat, (const char *to, int dir, const char *path), (to, dir, path), true)
POINT(int, fchmod, (int fd, mode_t mode), (fd, mode), false)
POINT(int, fchmodat, (int dir, const char *path, mode_t mode, int flags),
		(dir, path, mode, flags), false)
POINT(int, fchownat, (int dir, const char *path, uid_t uid, gid_t gid, int flags),
		(dir, path, uid, gid, flags), false)
POINT(ssize_t, copy_file_range,
		(int in, off_t *from, int out, off_t *to, size_t size, unsigned int flags),
		(in, from, out, to, size, flags), true)
POINT(ssize_t, writev, (int fd, const struct iovec *iov, int count), (fd, iov, count), true)
POINT(ssize_t, pwritev, (int fd, const struct iovec *iov, int count, off_t at),
		(fd, iov, count, at), true)
POINT(ssize_t, pwritev64, (int fd, const struct iovec *iov, int count, off_t at),
		(fd, iov, count, at), true)

/* "note" is done with what was written, "rc" bytes. */
#define WRITE(name, params, fd, data, size, whole, half, note)                                 \
	ssize_t __real_##name params;                                                          \
	ssize_t __wrap_##name params;                                                          \
	ssize_t __wrap_##name params                                                           \
	{                                                                                      \
		enum fate fate = (fd) <= 2 ? FATE_GO : pass(#name, true, (size) > 1);          \
		ssize_t rc;                                                                    \
                                                                                               \
		if (fate == FATE_FAIL)                                                         \
			return -1;                                                             \
		rc = fate == FATE_HALF ? __real_##name half : __real_##name whole;             \
		if (rc > 0)                                                                    \
			note;                                                                  \
		after(fate);                                                                   \
		return rc;                                                                     \
	}

WRITE(write, (int fd, const void *data, size_t size), fd, data, size, (fd, data, size),
		(fd, data, size / 2), (void)0)
WRITE(pwrite, (int fd, const void *data, size_t size, off_t at), fd, data, size,
		(fd, data, size, at), (fd, data, size / 2, at),
		note_dsync(fd, data, (size_t)rc, at))
WRITE(pwrite64, (int fd, const void *data, size_t size, off_t at), fd, data, size,
		(fd, data, size, at), (fd, data, size / 2, at),
		note_dsync(fd, data, (size_t)rc, at))

static mode_t mode_of(int flags, va_list args)
{
	return (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
}

/* Only those that may make a file; and one that is there needs no room. */
static enum fate pass_open(const char *name, int dir, const char *path, int flags)
{
	int saved = errno;
	bool is_there = faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

	errno = saved;
	return (flags & O_CREAT) != 0 ? pass(name, !is_there, false) : FATE_GO;
}

#define OPEN(name)                                                                             \
	int __real_##name(const char *path, int flags, ...);                                   \
	int __wrap_##name(const char *path, int flags, ...);                                   \
	int __wrap_##name(const char *path, int flags, ...)                                    \
	{                                                                                      \
		enum fate fate = pass_open(#name, AT_FDCWD, path, flags);                      \
		va_list args;                                                                  \
		mode_t mode;                                                                   \
		int rc;                                                                        \
                                                                                               \
		if (fate == FATE_FAIL)                                                         \
			return -1;                                                             \
		va_start(args, flags);                                                         \
		mode = mode_of(flags, args);                                                   \
		va_end(args);                                                                  \
		rc = __real_##name(path, flags, mode);                                         \
		after(fate);                                                                   \
		return rc;                                                                     \
	}

OPEN(open)
OPEN(open64)

int __real_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...)
{
	enum fate fate = pass_open("openat64", dir, path, flags);
	va_list args;
	mode_t mode;
	int rc;

	if (fate == FATE_FAIL)
		return -1;
	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	rc = __real_openat64(dir, path, flags, mode);
	after(fate);
	return rc;
}

/* --- power cuts --- */

static char watched_root[256], watched_shadow[256];

void fault_watch(const char *root, const char *shadow)
{
	(void)snprintf(watched_root, sizeof(watched_root), "%s", root);
	(void)snprintf(watched_shadow, sizeof(watched_shadow), "%s", shadow);
}

static void broken(const char *what)
{
	perror(what);
	abort();
}

static int shadow_file(const char *shadow, ino_t ino, char kind, int flags)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%c%llu", shadow, kind, (unsigned long long)ino);
	return __real_open64(path, flags | O_CLOEXEC, 0600);
}

static void copy_bytes(int from, int to)
{
	char bytes[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, bytes, sizeof(bytes), at)) > 0) {
		if (__real_pwrite64(to, bytes, (size_t)n, at) != n)
			broken("copy");
		at += n;
	}
	if (n < 0)
		broken("copy");
}

/* One line per entry: kind, inode, mode, name. */
static void note_dir(int fd, ino_t ino)
{
	int out = shadow_file(watched_shadow, ino, 'd', O_WRONLY | O_CREAT | O_TRUNC);
	FILE *list = fdopen(out, "w");
	DIR *d = fdopendir(fd);
	struct dirent *e;

	if (list == NULL || d == NULL)
		broken("note directory");
	while ((e = readdir(d)) != NULL) {
		struct stat st;

		if (e->d_name[0] == '.' && (e->d_name[1] == '\0' || e->d_name[1] == '.'))
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			(void)fprintf(list, "%o %llu %s\n", st.st_mode,
					(unsigned long long)st.st_ino, e->d_name);
	}
	(void)fclose(list);
	(void)closedir(d);
}

static void note_at(int dir, const char *path, int flags)
{
	int fd = __real_openat64(dir, path, O_RDONLY | O_CLOEXEC | flags, 0), out;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		broken("note");
	if (S_ISDIR(st.st_mode)) {
		note_dir(fd, st.st_ino);
		return;
	}
	out = shadow_file(watched_shadow, st.st_ino, 'f', O_WRONLY | O_CREAT | O_TRUNC);
	if (out < 0)
		broken("note file");
	copy_bytes(fd, out);
	(void)close(out);
	(void)close(fd);
}

static void note_sync(int fd)
{
	char path[64];

	if (watched_root[0] == '\0')
		return;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	note_at(AT_FDCWD, path, 0);
}

static int note_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode))
		note_at(AT_FDCWD, path, O_NOFOLLOW);
	return 0;
}

static void note_all(void)
{
	if (watched_root[0] != '\0' && nftw(watched_root, note_one, 16, FTW_PHYS) < 0)
		broken("note all");
}

static void note_dsync(int fd, const void *data, size_t size, off_t at)
{
	struct stat st;
	int out;

	if (watched_root[0] == '\0' || (fcntl(fd, F_GETFL) & O_DSYNC) == 0)
		return;
	if (fstat(fd, &st) < 0)
		broken("note write");
	out = shadow_file(watched_shadow, st.st_ino, 'f', O_WRONLY | O_CREAT);
	if (out < 0 || __real_pwrite64(out, data, size, at) != (ssize_t)size)
		broken("note write");
	(void)close(out);
}

static void build(const char *shadow, const char *live, ino_t ino, mode_t mode, const char *to);

static void build_file(const char *shadow, ino_t ino, mode_t mode, const char *to)
{
	int from = shadow_file(shadow, ino, 'f', O_RDONLY);
	int out = __real_open64(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (out < 0 || __real_fchmod(out, mode & 07777) < 0)
		broken(to);
	if (from >= 0) {
		copy_bytes(from, out);
		(void)close(from);
	}
	(void)close(out);
}

static void build_entry(const char *shadow, const char *live, ino_t ino, mode_t mode,
		const char *name, const char *to)
{
	char live_path[512], path[512];

	if (live != NULL)
		(void)snprintf(live_path, sizeof(live_path), "%s/%s", live, name);
	(void)snprintf(path, sizeof(path), "%s/%s", to, name);
	build(shadow, live == NULL ? NULL : live_path, ino, mode, path);
}

static void build_from_list(const char *shadow, ino_t ino, const char *to)
{
	int fd = shadow_file(shadow, ino, 'd', O_RDONLY);
	FILE *list = fd < 0 ? NULL : fdopen(fd, "r");
	unsigned long long entry;
	char name[256];
	unsigned mode;

	if (list == NULL)
		return; /* never synced: nothing in it is sure */
	while (fscanf(list, "%o %llu %255[^\n]\n", &mode, &entry, name) == 3)
		build_entry(shadow, NULL, (ino_t)entry, mode, name, to);
	(void)fclose(list);
}

static void build_from_live(const char *shadow, const char *live, const char *to)
{
	DIR *d = opendir(live);
	struct dirent *e;

	if (d == NULL)
		broken(live);
	while ((e = readdir(d)) != NULL) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			broken(e->d_name);
		build_entry(shadow, live, st.st_ino, st.st_mode, e->d_name, to);
	}
	(void)closedir(d);
}

/* "live": where all names are taken from; NULL: from the shadow. */
static void build(const char *shadow, const char *live, ino_t ino, mode_t mode, const char *to)
{
	if (S_ISREG(mode)) {
		build_file(shadow, ino, mode, to);
		return;
	}
	if (!S_ISDIR(mode))
		return; /* no story depends on others */
	if ((__real_mkdir(to, 0700) < 0 && errno != EEXIST) || chmod(to, mode & 07777) < 0)
		broken(to);
	if (live != NULL)
		build_from_live(shadow, live, to);
	else
		build_from_list(shadow, ino, to);
}

void fault_cut(const char *root, const char *shadow, bool all_names, const char *to)
{
	struct stat st;

	if (stat(root, &st) < 0)
		broken(root);
	build(shadow, all_names ? root : NULL, st.st_ino, st.st_mode, to);
}
