/* SPDX-License-Identifier: Apache-2.0 */
#include "os/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

int pipe_make(int *ret_read, int *ret_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

void pipe_enlarge(int fd, int size)
{
	if (fcntl(fd, F_GETPIPE_SZ) < size)
		(void)fcntl(fd, F_SETPIPE_SZ, size);
}

int fd_set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fifo_open(const char *path, enum fifo_mode mode)
{
	static const int flags[] = {
		[FIFO_READ] = O_RDONLY,
		[FIFO_WRITE] = O_WRONLY,
		[FIFO_BOTH] = O_RDWR,
	};
	AUTO_CLOSE int handle = open(path, O_PATH | O_CLOEXEC);
	char again[64];
	struct stat st;
	int fd;

	if (handle < 0)
		return -errno;
	if (fstat(handle, &st) < 0)
		return -errno;
	if (!S_ISFIFO(st.st_mode))
		return -EPROTOTYPE;
	(void)snprintf(again, sizeof(again), "/proc/self/fd/%d", handle);
	fd = open(again, flags[mode] | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int fifo_make(const char *path, mode_t mode)
{
	if (mkfifo(path, mode) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}
