/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd/listeners.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/containerd/heritage.h"
#include "os/api_socket.h"
#include "os/tcp_listen.h"
#include "os/unix_socket.h"

struct open_one {
	char *name;
	int fd; /* borrowed */
};

struct listeners {
	struct heritage *heritage;
	struct open_one *list;
	size_t count;
};

struct listeners *listeners_new(struct heritage *heritage)
{
	struct listeners *l = xzalloc(sizeof(*l));

	l->heritage = heritage;
	return l;
}

void listeners_free(struct listeners *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->count; i++)
		free(l->list[i].name);
	free(l->list);
	free(l);
}

static int inherit(struct listeners *l, const char *name)
{
	AUTO_CLOSE int fd = heritage_listener(l->heritage, name);

	return fd >= 0 && unix_adopt_listener(fd) == 0 ? take_fd(&fd) : -1;
}

static int open_new(const char *address, uid_t uid, gid_t gid)
{
	return address[0] == '/' ? api_socket_listen(address, uid, gid) : tcp_listen(address);
}

int listeners_open(struct listeners *l, const char *what, const char *address, uid_t uid,
		gid_t gid)
{
	AUTO_FREE char *name = xasprintf("%s %s", what, address);
	int fd = inherit(l, name);

	if (fd < 0)
		fd = open_new(address, uid, gid);
	if (fd < 0)
		return fd;
	l->list = xreallocarray(l->list, l->count + 1, sizeof(*l->list));
	l->list[l->count++] = (struct open_one){ take_ptr(name), fd };
	return fd;
}

int listeners_each(const struct listeners *l, int (*each)(void *arg, const char *name, int fd),
		void *arg)
{
	for (size_t i = 0; i < l->count; i++)
		if (each(arg, l->list[i].name, l->list[i].fd) < 0)
			return -1;
	return 0;
}

void listeners_reclaim(const struct listeners *l)
{
	for (size_t i = 0; i < l->count; i++)
		IGNORE(unix_adopt_listener(l->list[i].fd)); /* it serves all the same */
}
