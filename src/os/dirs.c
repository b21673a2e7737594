/* SPDX-License-Identifier: Apache-2.0 */
#include "os/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "os/fs.h"

/* Durably: records that are synced will stand in it. */
static int make_one(const char *path, mode_t mode)
{
	int rc;

	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? 0 : -errno;
	rc = fs_sync_parent(path);
	if (rc < 0)
		(void)rmdir(path);
	return rc;
}

/* Makes every directory of the path that is missing. */
static int make_all(const char *path, mode_t mode)
{
	AUTO_FREE char *part = xstrdup(path);

	for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
		int rc;

		if (slash != NULL)
			*slash = '\0';
		rc = make_one(part, mode);
		if (rc < 0)
			return rc;
		if (slash == NULL)
			return 0;
		*slash = '/';
	}
}

static int tighten(int fd, mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() && fchown(fd, geteuid(), getegid()) < 0)
		return -errno;
	if ((st.st_mode & 07777 & ~mode) == 0)
		return 0;
	return fchmod(fd, st.st_mode & mode) < 0 ? -errno : 0;
}

int dir_make_own(const char *path, mode_t mode)
{
	AUTO_CLOSE int fd = -1;
	int rc;

	if (path[0] == '\0')
		return -ENOENT;
	rc = make_all(path, mode);
	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return tighten(fd, mode);
}

int dir_lock(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return take_fd(&fd);
}
