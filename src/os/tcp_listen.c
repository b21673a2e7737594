/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tcp_listen.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"

#define BACKLOG 4096

static int try_listen(const struct addrinfo *a)
{
	AUTO_CLOSE int fd =
			socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return take_fd(&fd);
}

/* Cuts "host:port" in two; brackets around the host go. */
static bool split(char *address, const char **ret_host, const char **ret_port)
{
	char *colon = strrchr(address, ':');

	if (colon == NULL || colon[1] == '\0')
		return false;
	*colon = '\0';
	*ret_port = colon + 1;
	if (address[0] == '[') {
		if (colon[-1] != ']')
			return false;
		colon[-1] = '\0';
		address++;
	} else if (strchr(address, ':') != NULL) {
		return false;
	}
	*ret_host = address[0] == '\0' ? NULL : address;
	return true;
}

int tcp_listen(const char *address)
{
	AUTO_FREE char *copy = xstrdup(address);
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE
	};
	struct addrinfo *all = NULL;
	const char *host, *port;
	int fd = -EADDRNOTAVAIL;

	if (!split(copy, &host, &port))
		return -EINVAL;
	/* Every address: one socket that takes both families. */
	if (host == NULL)
		hints.ai_family = AF_INET6;
	if (getaddrinfo(host, port, &hints, &all) != 0)
		return -EADDRNOTAVAIL;
	for (const struct addrinfo *a = all; a != NULL && fd < 0; a = a->ai_next)
		fd = try_listen(a);
	freeaddrinfo(all);
	if (fd != -EAFNOSUPPORT || host != NULL)
		return fd;
	hints.ai_family = AF_INET;
	if (getaddrinfo(NULL, port, &hints, &all) != 0)
		return -EADDRNOTAVAIL;
	fd = try_listen(all);
	freeaddrinfo(all);
	return fd;
}
