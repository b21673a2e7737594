/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_ptysock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"
#include "os/tty.h"
#include "os/unix_socket.h"

#define MAX_NAME 4096 /* of the terminal, as the runtime calls it */

struct ptysock {
	struct loop *loop;
	char *dir, *path;
	int listener, peer;
	struct loop_watch *watch;
	struct loop_timer *limit;
	void (*got)(void *arg, int own_master, const struct err *err);
	void *arg;
};

/* Session managers clean their directory, but leave what is sticky. */
static const char *temp_dir(mode_t *mode)
{
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");

	*mode = 0700;
	if (str_is_empty(runtime_dir))
		return str_or(getenv("TMPDIR"), "/tmp");
	*mode |= S_ISVTX;
	return runtime_dir;
}

int ptysock_new(struct loop *l, struct ptysock **ret_sock, struct err *err)
{
	AUTO(ptysock_free) struct ptysock *ps = xzalloc(sizeof(*ps));
	mode_t mode;

	ps->loop = l;
	ps->listener = ps->peer = -1;
	ps->dir = xasprintf("%s/ptyXXXXXX", temp_dir(&mode));
	if (mkdtemp(ps->dir) == NULL) {
		(void)err_sys(err, errno, "mkdir %s", ps->dir);
		free(take_ptr(ps->dir));
		return -1;
	}
	ps->path = xasprintf("%s/pty.sock", ps->dir);
	ps->listener = unix_listen(ps->path, mode);
	if (ps->listener < 0)
		return err_sys(err, -ps->listener, "listen unix %s", ps->path);
	*ret_sock = take_ptr(ps);
	return 0;
}

void ptysock_free(struct ptysock *ps)
{
	if (ps == NULL)
		return;
	loop_watch_free(ps->watch);
	loop_timer_free(ps->limit);
	close_fd(&ps->peer);
	close_fd(&ps->listener);
	if (ps->path != NULL)
		(void)unlink(ps->path);
	if (ps->dir != NULL)
		(void)rmdir(ps->dir);
	free(ps->path);
	free(ps->dir);
	free(ps);
}

const char *ptysock_path(const struct ptysock *ps)
{
	return ps->path;
}

/* The last thing done: the callee may free the socket. */
static void finish(struct ptysock *ps, int rc, int own_master)
{
	AUTO_ERR struct err err = { 0 };

	loop_watch_free(take_ptr(ps->watch));
	loop_timer_free(take_ptr(ps->limit));
	if (rc < 0)
		(void)err_sys(&err, -rc, "receive from %s", ps->path);
	ps->got(ps->arg, own_master, rc < 0 ? &err : NULL);
}

static void step(struct ptysock *ps);

static void on_ready(void *arg, int events)
{
	step(arg);
}

static void on_limit(void *arg)
{
	finish(arg, -ETIMEDOUT, -1);
}

static void wait_for(struct ptysock *ps, int fd)
{
	loop_watch_free(ps->watch);
	ps->watch = loop_watch_new(ps->loop, fd, LOOP_READ, on_ready, ps);
	if (ps->watch == NULL)
		finish(ps, -errno, -1);
}

static void receive(struct ptysock *ps)
{
	char name[MAX_NAME];
	int master = -1, rc;
	size_t size;

	rc = unix_recv_fd(ps->peer, name, sizeof(name), &size, &master);
	if (rc == -EAGAIN) {
		wait_for(ps, ps->peer);
		return;
	}
	if (rc == 0 && (size == sizeof(name) || !tty_is(master))) {
		close_fd(&master);
		rc = -ENOTTY;
	}
	finish(ps, rc, master);
}

static void step(struct ptysock *ps)
{
	if (ps->peer < 0)
		ps->peer = unix_accept(ps->listener);
	if (ps->peer >= 0)
		receive(ps);
	else if (ps->peer == -EAGAIN)
		wait_for(ps, ps->listener);
	else
		finish(ps, ps->peer, -1);
}

void ptysock_receive(struct ptysock *ps, int64_t timeout_ms,
		void (*got)(void *arg, int own_master, const struct err *err), void *arg)
{
	ps->got = got;
	ps->arg = arg;
	ps->limit = loop_timer_new(ps->loop, on_limit, ps);
	loop_timer_set(ps->limit, timeout_ms);
	step(ps);
}
