/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tty.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define FETCH_MAX 16

bool tty_is(int fd)
{
	int saved = errno;
	bool is = isatty(fd) == 1;

	errno = saved;
	return is;
}

int tty_resize(int fd, uint16_t columns, uint16_t rows)
{
	struct winsize size = { .ws_row = rows, .ws_col = columns };

	return ioctl(fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int edge_set_new(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	return set < 0 ? -errno : set;
}

int edge_set_add(int set, int fd, void *arg)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = arg };

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

void edge_set_remove(int set, int fd)
{
	(void)epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL);
}

int edge_set_fetch(int set, void **args, int room)
{
	struct epoll_event got[FETCH_MAX];
	int n = epoll_wait(set, got, room < FETCH_MAX ? room : FETCH_MAX, 0);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++)
		args[i] = got[i].data.ptr;
	return n;
}
