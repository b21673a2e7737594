/* SPDX-License-Identifier: Apache-2.0 */
/* A private directory for one test, and small things to fill and look at it. */
#pragma once

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/io.h"
#include "os/fs.h"

struct tempdir {
	char path[64];
	int fd;
};

static inline void tempdir_make(struct tempdir *t)
{
	const char *base = getenv("CTRD_TEST_TMPDIR");

	(void)snprintf(t->path, sizeof(t->path), "%s/ctrd-test-XXXXXX",
			base != NULL ? base : "/tmp");
	if (mkdtemp(t->path) == NULL || (t->fd = open(t->path, O_DIRECTORY | O_CLOEXEC)) < 0) {
		perror(t->path);
		abort();
	}
}

static inline void tempdir_remove(struct tempdir *t)
{
	close_fd(&t->fd);
	if (fs_remove_all(AT_FDCWD, t->path) < 0)
		fprintf(stderr, "%s: left behind\n", t->path);
}

static inline void put_file(int dirfd, const char *name, const char *text)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0) {
		perror(name);
		abort();
	}
}

/* Owned content, or NULL if there is no such file. */
static inline char *get_file(int dirfd, const char *name)
{
	struct buf out = { .limit = 64 << 20 };

	if (io_read_file(dirfd, name, &out) < 0) {
		buf_done(&out);
		return NULL;
	}
	return buf_take_str(&out);
}

static inline bool is_there(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A mount namespace of the test's own, so that nothing it mounts can stay behind; false (and
 * the test is to be skipped) where that is not allowed. */
static inline bool own_mounts(struct tempdir *t)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", "", MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	close_fd(&t->fd); /* it saw the mounts of the old namespace */
	t->fd = open(t->path, O_DIRECTORY | O_CLOEXEC);
	return t->fd >= 0;
}
