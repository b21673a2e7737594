/* SPDX-License-Identifier: Apache-2.0 */
#include "os/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"

/* As much as the system allows: a full queue refuses Go clients. */
#define BACKLOG 4096

static int fill_address(const char *path, struct sockaddr_un *sa, socklen_t *ret_size)
{
	size_t n = strlen(path);

	if (n == 0)
		return -EINVAL;
	if (n > UNIX_PATH_MAX_LEN)
		return -ENAMETOOLONG;
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(sa->sun_path, path, n);
	*ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	if (path[0] == '@') {
		sa->sun_path[0] = '\0';
		(*ret_size)--; /* the length is part of an abstract name */
	}
	return 0;
}

int unix_listen(const char *path, mode_t mode)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa;
	socklen_t size;
	int rc = fill_address(path, &sa, &size);

	if (rc < 0)
		return rc;
	if (fd < 0)
		return -errno;
	/* The socket's own mode becomes the file's (less the umask): nobody slips in between.
	 */
	if (path[0] != '@' && fchmod(fd, mode) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, size) < 0)
		return -errno;
	if (path[0] != '@' && chmod(path, mode) < 0)
		rc = -errno;
	else if (listen(fd, BACKLOG) < 0)
		rc = -errno;
	if (rc < 0) {
		(void)unlink(path);
		return rc;
	}
	return take_fd(&fd);
}

int unix_adopt_listener(int fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return -errno;
	/* Peers of connections to come get the credentials of the last one who called this. */
	return listen(fd, BACKLOG) < 0 ? -errno : 0;
}

int unix_connect(const char *path)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa;
	socklen_t size;
	int rc = fill_address(path, &sa, &size);

	if (rc < 0)
		return rc;
	if (fd < 0)
		return -errno;
	do {
		rc = connect(fd, (struct sockaddr *)&sa, size);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : take_fd(&fd);
}

int unix_probe(const char *path)
{
	AUTO_CLOSE int fd = unix_connect(path);

	/* A full queue belongs to a listener, if a busy one. */
	return fd < 0 && fd != -EAGAIN ? fd : 0;
}

int unix_accept(int listener)
{
	int fd;

	do {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/* The descriptors of a message; those beyond the first are closed. */
static int take_rights(struct msghdr *msg, int *ret_count)
{
	int first = -1;

	*ret_count = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if ((*ret_count)++ == 0)
				first = fd;
			else
				close_fd(&fd);
		}
	}
	return first;
}

int unix_recv_fd(int sock, void *text, size_t room, size_t *ret_size, int *ret_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov = { .iov_base = text, .iov_len = room };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	AUTO_CLOSE int fd = -1;
	ssize_t n;
	int count;

	do {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	fd = take_rights(&msg, &count);
	if (count != 1 || (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0)
		return -EPROTO;
	*ret_size = (size_t)n;
	*ret_fd = take_fd(&fd);
	return 0;
}
