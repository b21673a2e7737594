/* SPDX-License-Identifier: Apache-2.0 */
/* "start": leaves a serving shim behind, or finds the one of the container's group, and prints
 * where it listens. The steps and their order are reference 02 §2.8. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_actions.h"
#include "cmd/shim-runc/runc_bundle.h"
#include "cmd/shim-runc/runc_options.h"
#include "cmd/shim-runc/runc_spec.h"
#include "os/cgroup.h"
#include "os/dirs.h"
#include "os/fs.h"
#include "os/process.h"
#include "os/spawn.h"
#include "os/unix_socket.h"
#include "shim/shim_address.h"
#include "shim/shim_bootstrap.h"
#include "shim/shim_flags.h"

struct start {
	const struct shim_flags *flags;
	struct shim_bootstrap boot;
	struct runc_options options;
	char *bundle;
	char *socket, *debug_socket; /* paths */
	int fd, debug_fd;
	bool is_running; /* a shim of the group answers there already */
	pid_t pid, parent;
};

static int read_stdin(struct buf *out, struct err *err)
{
	int rc;

	out->limit = SHIM_MAX_STDIN;
	rc = io_read_all(STDIN_FILENO, out);
	return rc < 0 ? err_sys(err, -rc, "read stdin") : 0;
}

static int read_group(struct start *s, char **ret_group, struct err *err)
{
	AUTO_BUF struct buf config = { 0 };

	if (bundle_read(s->bundle, "config.json", BUNDLE_MAX_CONFIG, &config, err) < 0)
		return -1;
	if (runc_spec_group(config.size == 0 ? "" : config.data, config.size, ret_group, err) <
			0)
		return err_wrap(err, "config.json");
	if (*ret_group == NULL)
		*ret_group = xstrdup(s->flags->id);
	return 0;
}

/* For tools that look for the sockets of a bundle; replaces what another start left. */
static int link_socket_dir(const struct start *s, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/s", s->bundle);

	if (s->boot.socket_dir == NULL)
		return 0;
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove %s", path);
	if (symlink(s->boot.socket_dir, path) < 0)
		return err_sys(err, errno, "symlink %s %s", s->boot.socket_dir, path);
	return 0;
}

static int make_socket_dir(const char *dir, struct err *err)
{
	int rc = dir[0] == '/' ? dir_make_own(dir, 0700) : -EINVAL;

	return rc < 0 ? err_sys(err, -rc, "mkdir %s", dir) : 0;
}

/* A name that is taken belongs to a shim that answers, or to one that has died. */
static int listen_at(
		const char *path, bool may_join, int *ret_fd, bool *ret_joined, struct err *err)
{
	int fd = unix_listen(path, 0600);

	if (fd == -EADDRINUSE && may_join && unix_probe(path) == 0) {
		*ret_joined = true;
		return 0;
	}
	if (fd == -EADDRINUSE) {
		if (unlink(path) < 0 && errno != ENOENT)
			return err_sys(err, errno, "remove pre-existing socket");
		fd = unix_listen(path, 0600);
	}
	if (fd < 0)
		return err_sys(err, -fd, "create new shim socket: listen unix %s", path);
	*ret_fd = fd;
	return 0;
}

static int open_sockets(struct start *s, struct err *err)
{
	const char *dir = str_or(s->boot.socket_dir, SHIM_SOCKET_DIR);
	AUTO_FREE char *group = NULL;
	bool joined = false;

	if (read_group(s, &group, err) < 0 || make_socket_dir(dir, err) < 0)
		return -1;
	s->socket = shim_socket_path(dir, s->boot.grpc_address, s->flags->ns, group);
	if (listen_at(s->socket, true, &s->fd, &s->is_running, err) < 0)
		return -1;
	if (s->is_running || !s->boot.debug)
		return 0;
	s->debug_socket =
			shim_debug_socket_path(dir, s->boot.grpc_address, s->flags->ns, group);
	return listen_at(s->debug_socket, false, &s->debug_fd, &joined, err);
}

static bool is_ours(const char *variable)
{
	static const char *const names[] = { "GOMAXPROCS=", "OTEL_SERVICE_NAME=",
		"TTRPC_ADDRESS=", "GRPC_ADDRESS=", "NOTIFY_SOCKET=" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_starts(variable, names[i]))
			return true;
	return false;
}

/* The daemon's environment; the runtime, a Go program, is told how wide to run. */
static char **server_environment(const struct start *s)
{
	char **env = NULL;

	for (char **v = environ; *v != NULL; v++)
		if (!is_ours(*v))
			strv_add(&env, *v);
	strv_add(&env, "GOMAXPROCS=4");
	strv_addf(&env, "OTEL_SERVICE_NAME=containerd-shim-%s", s->flags->id);
	strv_addf(&env, "TTRPC_ADDRESS=%s", s->boot.ttrpc_address);
	strv_addf(&env, "GRPC_ADDRESS=%s", s->boot.grpc_address);
	return env;
}

static char **server_arguments(const struct start *s, const char *program)
{
	char **argv = NULL;

	strv_add(&argv, program);
	strv_add(&argv, "-namespace");
	strv_add(&argv, s->flags->ns);
	strv_add(&argv, "-id");
	strv_add(&argv, s->flags->id);
	strv_add(&argv, "-address");
	strv_add(&argv, s->boot.grpc_address);
	if (s->boot.debug)
		strv_add(&argv, "-debug");
	return argv;
}

/* The file we run from; by its link if it has been replaced meanwhile. */
static char *own_program(void)
{
	AUTO_FREE char *path = NULL;

	if (fs_read_link(AT_FDCWD, "/proc/self/exe", &path) < 0 || access(path, X_OK) < 0)
		return xstrdup("/proc/self/exe");
	return take_ptr(path);
}

static int spawn_server(struct start *s, struct err *err)
{
	AUTO_FREE char *program = own_program();
	AUTO_STRV char **argv = server_arguments(s, program);
	AUTO_STRV char **env = server_environment(s);
	struct spawn child = { .path = program,
		.argv = argv,
		.envp = env,
		.fds = { -1, -1, -1, s->fd, s->debug_fd },
		.fd_count = s->debug_fd >= 0 ? 5 : 4,
		.new_group = true };
	int rc;

	if (!str_is_empty(getenv("SCHED_CORE"))) {
		rc = process_sched_core();
		if (rc < 0)
			return err_sys(err, -rc, "enable sched core support");
	}
	rc = spawn_child(&child, &s->pid, NULL);
	return rc < 0 ? err_sys(err, -rc, "fork/exec %s", program) : 0;
}

/* The kernel should rather end the shim than the daemon, which restores what it lost. */
static int adjust_oom_score(const struct start *s, struct err *err)
{
	int score, rc = process_oom_score(s->parent, &score);

	if (rc < 0)
		return err_sys(err, -rc, "get parent score");
	rc = process_set_oom_score(s->pid, score + 1);
	if (rc == -EACCES && (geteuid() != 0 || process_in_userns()))
		return 0;
	return rc < 0 ? err_sys(err, -rc, "failed to adjust OOM score for shim") : 0;
}

static int join_cgroup(const struct start *s, struct err *err)
{
	const char *group = s->options.shim_cgroup;
	int rc;

	if (str_is_empty(group))
		return 0;
	if (str_starts(group, CGROUP_ROOT))
		return err_set(err, ERR_INVALID, "shim cgroup %s", group);
	rc = cgroup_add_pid(group, s->pid);
	return rc < 0 ? err_sys(err, -rc, "failed to join cgroup %s", group) : 0;
}

static int start_server(struct start *s, struct err *err)
{
	if (spawn_server(s, err) == 0 && join_cgroup(s, err) == 0 &&
			adjust_oom_score(s, err) == 0)
		return 0;
	if (s->pid > 0)
		(void)kill(s->pid,
				SIGKILL); /* our child, not waited for: it is still that one */
	(void)unlink(s->socket);
	if (s->debug_socket != NULL)
		(void)unlink(s->debug_socket);
	return -1;
}

static int answer(struct start *s, struct err *err)
{
	AUTO_BUF struct buf text = { .limit = SIZE_MAX };
	int rc;

	/* Daemons of that age look for it there after their own restart. */
	if (!s->boot.is_new) {
		AUTO_FREE char *address = xasprintf("unix://%s", s->socket);

		if (bundle_write_address(s->bundle, address, err) < 0)
			return -1;
	}
	shim_bootstrap_answer(&s->boot, s->socket, &text);
	rc = io_write_all(STDOUT_FILENO, text.data, text.size);
	return rc < 0 ? err_sys(err, -rc, "write the answer") : 0;
}

static int start_all(struct start *s, struct arena *arena, struct err *err)
{
	AUTO_BUF struct buf input = { 0 };

	if (read_stdin(&input, err) < 0)
		return -1;
	if (shim_bootstrap_read(input.data, input.size, s->flags, arena, &s->boot, err) < 0)
		return -1;
	if (runc_options_decode(s->boot.options_type, s->boot.options, s->boot.options_size,
			    &s->options, err) < 0)
		return -1;
	if (link_socket_dir(s, err) < 0 || open_sockets(s, err) < 0)
		return -1;
	if (!s->is_running && start_server(s, err) < 0)
		return -1;
	return answer(s, err);
}

int action_start(const struct shim_flags *flags)
{
	struct start s = { .flags = flags, .fd = -1, .debug_fd = -1, .parent = getppid() };
	AUTO_ARENA struct arena arena = { 0 };
	AUTO_ERR struct err err = { 0 };
	int rc;

	s.bundle = getcwd(NULL, 0);
	if (s.bundle == NULL) {
		(void)err_sys(&err, errno, "getwd");
		return action_fail(&err);
	}
	arena_init(&arena, (size_t)4 * SHIM_MAX_STDIN);
	rc = start_all(&s, &arena, &err);
	free(s.bundle);
	free(s.socket);
	free(s.debug_socket);
	runc_options_done(&s.options);
	close_fd(&s.fd);
	close_fd(&s.debug_fd);
	return rc < 0 ? action_fail(&err) : 0;
}
