/* SPDX-License-Identifier: Apache-2.0 */
#include "os/packet_socket.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/thread.h"
#include "os/unix_socket.h"

#define KIND (SOCK_SEQPACKET | SOCK_CLOEXEC)

int packet_pair(int ret_fds[2])
{
	return socketpair(AF_UNIX, KIND, 0, ret_fds) < 0 ? -errno : 0;
}

static int fill(const char *path, struct sockaddr_un *sa)
{
	if (strlen(path) > UNIX_PATH_MAX_LEN)
		return -ENAMETOOLONG;
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(sa->sun_path, path, strlen(path));
	return 0;
}

int packet_listen(const char *path)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, KIND, 0);
	struct sockaddr_un sa;
	int rc = fill(path, &sa);

	if (rc < 0)
		return rc;
	if (fd < 0 || fchmod(fd, 0600) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 1) < 0)
		return -errno;
	return take_fd(&fd);
}

/* 0 when it is ready. */
static int wait_ready(int fd, short events, int64_t mono_deadline_ns)
{
	struct pollfd p = { fd, events, 0 };

	for (;;) {
		int64_t left = mono_deadline_ns - clock_mono_ns();
		int rc = left < 0 ? 0 : poll(&p, 1, (int)(left / NS_PER_MS + 1));

		if (rc > 0)
			return 0;
		if (rc == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int packet_accept(int listener, int64_t mono_deadline_ns)
{
	int rc = wait_ready(listener, POLLIN, mono_deadline_ns);
	int fd;

	if (rc < 0)
		return rc;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int packet_connect(const char *path)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, KIND, 0);
	struct sockaddr_un sa;
	int rc = fill(path, &sa);

	if (rc < 0)
		return rc;
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return take_fd(&fd);
}

pid_t packet_peer(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	return peer.uid == geteuid() && peer.pid > 0 ? peer.pid : -EPERM;
}

int packet_send(int fd, const void *data, size_t size, const int *fds, size_t count,
		int64_t mono_deadline_ns)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(PACKET_MAX_FDS * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)data, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	int rc;

	ASSERT_MAY_BLOCK();
	assert(count <= PACKET_MAX_FDS);
	if (count > 0) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	for (;;) {
		if (sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		rc = wait_ready(fd, POLLOUT, mono_deadline_ns);
		if (rc < 0)
			return rc;
	}
}

/* True if there were no more than "count". */
static bool take_rights(struct msghdr *msg, int *ret_fds, size_t count)
{
	size_t got = 0;

	for (size_t i = 0; i < count; i++)
		ret_fds[i] = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++, got++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (got < count)
				ret_fds[got] = fd;
			else
				close_fd(&fd);
		}
	}
	return got <= count && (msg->msg_flags & (MSG_CTRUNC | MSG_TRUNC)) == 0;
}

ssize_t packet_receive(int fd, void *data, size_t room, int *ret_fds, size_t count,
		int64_t mono_deadline_ns)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(PACKET_MAX_FDS * sizeof(int))];
	struct iovec iov = { data, room };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	int rc = wait_ready(fd, POLLIN, mono_deadline_ns);
	ssize_t n;

	ASSERT_MAY_BLOCK();
	if (rc < 0)
		return rc;
	do {
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (take_rights(&msg, ret_fds, count))
		return n;
	for (size_t i = 0; i < count; i++)
		close_fd(&ret_fds[i]);
	return -EPROTO;
}
