/* SPDX-License-Identifier: Apache-2.0 */
/* The long life of a shim: one thread, one loop, until it is told to go (reference 02 §2.9). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_actions.h"
#include "cmd/shim-runc/runc_debug.h"
#include "cmd/shim-runc/runc_service.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "loop/loop.h"
#include "os/pipe.h"
#include "os/process.h"
#include "os/rest.h"
#include "os/unix_socket.h"
#include "rpc/server.h"
#include "shim/shim_console.h"
#include "shim/shim_flags.h"
#include "shim/shim_publisher.h"

#define INHERITED_SOCKET 3
#define INHERITED_DEBUG	 4 /* if there is one */
/* For the last events, and the last answers. */
#define FLUSH_MS 5000
#define GRACE_MS 1000
/* Between what belongs together (create, start, wait) there is less. */
#define REST_MS 2000

struct server {
	struct shim shim;
	struct rpc_server *rpc;
	char *socket_path, *debug_path;
	bool is_over;
};

/* The daemon prints what comes here; when it does not read, lines are lost, not we. */
static void open_log(const struct shim_flags *flags)
{
	AUTO_CLOSE int fd = fifo_open("log", FIFO_BOTH);

	if (fd >= 0)
		(void)dup3(fd, STDERR_FILENO, 0);
	log_setup(STDERR_FILENO, flags->debug ? LOG_DEBUG : LOG_INFO, false);
}

static char *bound_path(int fd)
{
	struct sockaddr_un sa = { 0 };
	socklen_t size = sizeof(sa) - 1; /* a path of full length has no 0 byte */

	if (getsockname(fd, (struct sockaddr *)&sa, &size) < 0 || sa.sun_path[0] != '/')
		return NULL;
	return xstrdup(sa.sun_path);
}

static int listening_socket(const struct shim_flags *flags, struct err *err)
{
	int fd = INHERITED_SOCKET, rc;

	if (flags->socket[0] != '\0') {
		if (strlen(flags->socket) > 106)
			return err_set(err, ERR_INVALID,
					"%s: unix socket path too long (> 106)", flags->socket);
		fd = unix_listen(flags->socket, 0600);
		return fd < 0 ? err_sys(err, -fd, "listen unix %s", flags->socket) : fd;
	}
	rc = unix_adopt_listener(fd);
	return rc < 0 ? err_sys(err, -rc, "inherited socket") : fd;
}

static void on_stopped(void *arg)
{
	struct server *s = arg;

	s->is_over = true;
}

static void on_flushed(void *arg)
{
	struct server *s = arg;

	rpc_server_stop(s->rpc, GRACE_MS, on_stopped, s);
}

/* The name goes first: whoever asked for the end looks for it as soon as he is answered. */
static void stop(void *arg)
{
	struct server *s = arg;

	if (s->shim.is_stopping)
		return;
	s->shim.is_stopping = true;
	if (s->socket_path != NULL)
		(void)unlink(s->socket_path);
	if (s->debug_path != NULL)
		(void)unlink(s->debug_path);
	publisher_flush(s->shim.publisher, FLUSH_MS, on_flushed, s);
}

static void on_end_signal(void *arg, int signo)
{
	stop(arg);
}

static void on_describe(void *arg, int signo)
{
	const struct server *s = arg;
	AUTO_BUF struct buf text = { .limit = SIZE_MAX };

	debug_describe(&s->shim, &text);
	log_info(NULL, "%s", text.data);
}

static int watch_signals(struct server *s, struct err *err)
{
	int rc = loop_signal(s->shim.loop, SIGTERM, on_end_signal, s);

	if (rc == 0)
		rc = loop_signal(s->shim.loop, SIGINT, on_end_signal, s);
	if (rc == 0)
		rc = loop_signal(s->shim.loop, SIGUSR1, on_describe, s);
	return rc < 0 ? err_sys(err, -rc, "signals") : 0;
}

static void open_shim(struct server *s, const struct shim_flags *flags)
{
	struct shim *shim = &s->shim;

	shim->loop = loop_new();
	loop_hide_pipes();
	shim->reaper = reaper_new(shim->loop);
	shim->publisher = publisher_new(
			shim->loop, flags->ns, str_or(getenv("TTRPC_ADDRESS"), ""));
	shim->ns = flags->ns;
	shim->stdio = (struct stdio_env){ .loop = shim->loop,
		.reaper = shim->reaper,
		.hub = console_hub_new(shim->loop),
		.ns = flags->ns };
	shim->stop = stop;
	shim->stop_arg = s;
	map_init(&shim->containers);
}

/* A start with "-debug" gives a second socket. */
static void open_debug(struct server *s, const struct shim_flags *flags)
{
	int fd = INHERITED_DEBUG;

	if (flags->debug_socket[0] != '\0')
		fd = unix_listen(flags->debug_socket, 0600);
	else if (!flags->debug || unix_adopt_listener(fd) < 0)
		return;
	if (fd < 0) {
		log_warn(NULL, "listen unix %s: %s (ignored)", flags->debug_socket,
				errno_text(-fd));
		return;
	}
	s->debug_path = bound_path(fd);
	debug_serve(&s->shim, fd);
}

static void rest(void *arg)
{
	(void)arg;
	process_rest();
}

static int serve(struct server *s, const struct shim_flags *flags, struct err *err)
{
	const struct rpc_limits limits = { 0 };
	int fd = listening_socket(flags, err);

	if (fd < 0)
		return -1;
	s->socket_path = bound_path(fd);
	s->rpc = rpc_server_new(s->shim.loop, NULL, NULL, &limits);
	runc_service_add(s->rpc, &s->shim);
	if (ttrpc_listen(s->rpc, fd, true, err) < 0 || watch_signals(s, err) < 0)
		return -1;
	open_debug(s, flags);
	log_debug(NULL, "serving api on socket %s", str_or(s->socket_path, "(none)"));
	loop_on_rest(s->shim.loop, REST_MS, rest, NULL);
	while (!s->is_over)
		loop_run_once(s->shim.loop, -1);
	return 0;
}

static void close_shim(struct server *s)
{
	rpc_server_free(s->rpc);
	map_done(&s->shim.containers, NULL);
	publisher_free(s->shim.publisher);
	console_hub_free(s->shim.stdio.hub);
	reaper_free(s->shim.reaper);
	loop_free(s->shim.loop);
	free(s->socket_path);
	free(s->debug_path);
}

int action_serve(const struct shim_flags *flags)
{
	struct server s = { 0 };
	AUTO_ERR struct err err = { 0 };
	int rc = process_be_subreaper();

	if (rc < 0) {
		(void)err_sys(&err, -rc, "subreaper");
		return action_fail(&err);
	}
	open_log(flags);
	open_shim(&s, flags);
	rc = serve(&s, flags, &err) < 0 ? action_fail(&err) : 0;
	/* With containers left, operations on them may be under way: they end with the process.
	 */
	if (s.shim.containers.count == 0)
		close_shim(&s);
	exit(rc);
}
