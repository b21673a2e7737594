/* SPDX-License-Identifier: Apache-2.0 */
#include "os/api_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "os/unix_socket.h"

static int make_parent(const char *path, uid_t uid, gid_t gid)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *dir = NULL;
	int rc;

	if (slash == NULL || slash == path)
		return 0;
	dir = xstrndup(path, (size_t)(slash - path));
	if (mkdir(dir, 0770) == 0)
		return chown(dir, uid, gid) < 0 ? -errno : 0;
	if (errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return -errno;
	/* What is missing further up gets the same owner and mode. */
	rc = make_parent(dir, uid, gid);
	if (rc < 0)
		return rc;
	if (mkdir(dir, 0770) < 0 || chown(dir, uid, gid) < 0)
		return -errno;
	return 0;
}

static int remove_stale(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode) || unix_probe(path) == 0)
		return -EADDRINUSE;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int api_socket_listen(const char *path, uid_t uid, gid_t gid)
{
	AUTO_CLOSE int fd = -1;
	int rc;

	if (strlen(path) > API_SOCKET_PATH_MAX)
		return -ENAMETOOLONG;
	rc = make_parent(path, uid, gid);
	if (rc == 0)
		rc = remove_stale(path);
	if (rc < 0)
		return rc;
	fd = unix_listen(path, 0600);
	if (fd < 0) {
		rc = fd;
		fd = -1;
		return rc;
	}
	/* Owner first: the group must not get in before it is the right one. */
	if (lchown(path, uid, gid) < 0 || chmod(path, 0660) < 0) {
		rc = -errno;
		(void)unlink(path);
		return rc;
	}
	return take_fd(&fd);
}
