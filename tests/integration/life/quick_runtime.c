/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OCI runtime that takes no time: runc's command line, real processes in a root directory
 * and cgroups of their own, but no namespaces and no security whatever. For tests of what is
 * above a runtime. Its life of a container costs a millisecond where runc's costs twenty.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "text/json.h"

static struct {
	const char *root, *log, *bundle, *pid_file, *process, *verb, *id;
	bool force;
	char dir[512]; /* <root>/<id> */
} arg;

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *fmt, ...)
{
	char text[1024], line[1200];
	AUTO_CLOSE int fd = -1;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "%s\n", text);
	fd = open(str_or(arg.log, "/dev/null"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			0644);
	(void)snprintf(line, sizeof(line), "{\"level\":\"error\",\"msg\":\"%s\"}\n", text);
	if (fd >= 0)
		IGNORE(write(fd, line, strlen(line)));
	exit(1);
}

static void parse(int argc, char **argv)
{
	static const struct option flags[] = { { "root", 1, NULL, 'r' },
		{ "log", 1, NULL, 'l' }, { "log-format", 1, NULL, 0 },
		{ "bundle", 1, NULL, 'b' }, { "pid-file", 1, NULL, 'p' },
		{ "process", 1, NULL, 'x' }, { "format", 1, NULL, 0 }, { "detach", 0, NULL, 0 },
		{ "force", 0, NULL, 'f' }, { "all", 0, NULL, 0 }, { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", flags, NULL)) >= 0)
		switch (c) {
		case 'r':
			arg.root = optarg;
			break;
		case 'l':
			arg.log = optarg;
			break;
		case 'b':
			arg.bundle = optarg;
			break;
		case 'p':
			arg.pid_file = optarg;
			break;
		case 'x':
			arg.process = optarg;
			break;
		case 'f':
			arg.force = true;
			break;
		case '?':
			exit(2);
		default:
			break;
		}
	if (argc - optind < 2 || arg.root == NULL)
		die("usage: --root DIR VERB ID");
	arg.verb = argv[optind];
	arg.id = argv[optind + 1];
	(void)snprintf(arg.dir, sizeof(arg.dir), "%s/%s", arg.root, arg.id);
}

static char *in_dir(const char *name)
{
	return xasprintf("%s/%s", arg.dir, name);
}

static struct json *read_json(const char *path)
{
	AUTO_BUF struct buf text = { .limit = JSON_MAX_BYTES };
	AUTO_ERR struct err err = { 0 };
	struct json *j;
	int rc = io_read_file(-1, path, &text);

	if (rc < 0)
		die("%s: %s", path, errno_text(-rc));
	if (json_parse(text.data, text.size, &j, &err) < 0)
		die("%s: %s", path, err_text(&err));
	return j;
}

static void write_text(const char *path, const char *text)
{
	AUTO_FREE char *temp = xasprintf("%s.new", path);
	AUTO_CLOSE int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0 || rename(temp, path) < 0)
		die("write %s: %s", path, strerror(errno));
}

static pid_t read_pid(void)
{
	AUTO_FREE char *path = in_dir("pid");
	AUTO_BUF struct buf text = { .limit = 64 };

	if (io_read_file(-1, path, &text) < 0)
		die("container does not exist");
	return (pid_t)strtol(text.data, NULL, 10);
}

static bool is_alive(pid_t pid)
{
	AUTO_FREE char *path = xasprintf("/proc/%d/stat", pid);
	AUTO_BUF struct buf text = { .limit = 4096 };
	const char *state;

	if (io_read_file(-1, path, &text) < 0)
		return false;
	state = strrchr(text.data, ')');
	return state != NULL && state[2] != 'Z' && state[2] != 'X';
}

/* Version 1: in two hierarchies, as of many; version 2: in the one there is. */
static void for_each_cgroup(const char *path, void (*act)(const char *dir))
{
	static const char *const v1[] = { "/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory" };
	bool any = false;

	for (size_t i = 0; path != NULL && i < ARRAY_LEN(v1); i++) {
		AUTO_FREE char *dir = xasprintf("%s%s", v1[i], path);

		if (access(v1[i], F_OK) < 0)
			continue;
		act(dir);
		any = true;
	}
	if (path != NULL && !any) {
		AUTO_FREE char *dir = xasprintf("/sys/fs/cgroup%s", path);

		act(dir);
	}
}

static void join_cgroup(const char *dir)
{
	AUTO_FREE char *parent = xstrdup(dir), *procs = xasprintf("%s/cgroup.procs", dir);
	AUTO_CLOSE int fd = -1;

	*strrchr(parent, '/') = '\0';
	(void)mkdir(parent, 0755);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		die("mkdir %s: %s", dir, strerror(errno));
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) < 0)
		die("join %s: %s", dir, strerror(errno));
}

static void leave_cgroup(const char *dir)
{
	for (int i = 0; rmdir(dir) < 0 && errno == EBUSY && i < 100; i++)
		(void)poll(NULL, 0, 2); /* its processes are ending */
}

/* Never returns. */
static void become(const struct json *process, const char *root)
{
	char **args = json_strv(json_get(process, "args"));
	char **env = json_strv(json_get(process, "env"));
	char path[256];

	(void)setsid();
	if (chroot(root) < 0 || chdir("/") < 0)
		_exit(125);
	(void)snprintf(path, sizeof(path), "%s%s", strchr(args[0], '/') == NULL ? "/bin/" : "",
			args[0]);
	(void)execve(path, args, env == NULL ? environ : env);
	_exit(127);
}

static void note_pid(pid_t pid)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%d", pid);
	if (arg.pid_file != NULL)
		write_text(arg.pid_file, text);
}

static void do_create(void)
{
	AUTO_FREE char *config = xasprintf("%s/config.json", str_or(arg.bundle, "."));
	AUTO_FREE char *go = in_dir("go"), *pid_path = in_dir("pid"), *group = in_dir("cgroup");
	AUTO(json_free) struct json *spec = read_json(config);
	const char *cgroup = json_get_text(json_get(spec, "linux"), "cgroupsPath");
	const char *name = json_get_text(json_get(spec, "root"), "path");
	AUTO_FREE char *root =
			name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", arg.bundle, name);
	char text[32], byte;
	int fd, made[2];
	pid_t pid;

	for (char *at = strchr(arg.dir + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		(void)mkdir(arg.dir, 0711);
		*at = '/';
	}
	if (mkdir(arg.dir, 0711) < 0)
		die("container with given ID already exists");
	write_text(group, str_or(cgroup, ""));
	if (mkfifo(go, 0600) < 0)
		die("mkfifo: %s", strerror(errno));
	for_each_cgroup(cgroup, join_cgroup); /* the child stays in it */
	if (pipe2(made, O_CLOEXEC) < 0)
		die("pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		/* It does not outlive a creation that was killed half way. */
		(void)close(made[1]);
		fd = open(go, O_RDWR | O_CLOEXEC);
		if (fd < 0 || read(made[0], &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			_exit(126);
		become(json_get(spec, "process"), root);
	}
	if (pid < 0)
		die("fork: %s", strerror(errno));
	(void)snprintf(text, sizeof(text), "%d", pid);
	write_text(pid_path, text);
	note_pid(pid);
	if (write(made[1], "x", 1) != 1)
		die("pipe: %s", strerror(errno));
}

/* The child may not have got to its reading yet. */
static void do_start(void)
{
	AUTO_FREE char *go = in_dir("go");
	AUTO_CLOSE int fd = -1;
	pid_t pid = read_pid();

	while ((fd = open(go, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
		if (errno != ENXIO || !is_alive(pid))
			die("cannot start a container that runs or has stopped");
		(void)poll(NULL, 0, 1);
	}
	if (unlink(go) < 0 || write(fd, "x", 1) != 1)
		die("start: %s", strerror(errno));
}

static void do_exec(void)
{
	AUTO(json_free) struct json *process = read_json(arg.process);
	AUTO_FREE char *group = in_dir("cgroup");
	AUTO_FREE char *root = xasprintf("/proc/%d/root", read_pid());
	AUTO_BUF struct buf path = { .limit = 4096 };
	pid_t pid;

	if (!is_alive(read_pid()))
		die("cannot exec in a stopped container");
	if (io_read_file(-1, group, &path) == 0 && path.size > 0)
		for_each_cgroup(path.data, join_cgroup);
	pid = fork();
	if (pid == 0)
		become(process, root);
	if (pid < 0)
		die("fork: %s", strerror(errno));
	note_pid(pid);
}

static void do_kill(const char *signal)
{
	pid_t pid = read_pid();

	if (!is_alive(pid) || kill(pid, (int)strtol(str_or(signal, "15"), NULL, 10)) < 0)
		die("container not running");
}

static void do_delete(void)
{
	static const char *const files[] = { "go", "pid", "cgroup", "pid.new", "cgroup.new" };
	AUTO_FREE char *group = in_dir("cgroup"), *pid_path = in_dir("pid"), *go = in_dir("go");
	AUTO_BUF struct buf path = { .limit = 4096 };
	pid_t pid = 0;

	if (access(arg.dir, F_OK) < 0)
		die("container does not exist");
	if (access(pid_path, F_OK) == 0)
		pid = read_pid();
	if (pid > 0 && is_alive(pid)) {
		if (!arg.force && access(go, F_OK) < 0)
			die("cannot delete container that is not stopped");
		(void)kill(pid, SIGKILL);
		for (int i = 0; is_alive(pid) && i < 1000; i++)
			(void)poll(NULL, 0, 1);
	}
	if (io_read_file(-1, group, &path) == 0 && path.size > 0)
		for_each_cgroup(path.data, leave_cgroup);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		AUTO_FREE char *file = in_dir(files[i]);

		(void)unlink(file);
	}
	if (rmdir(arg.dir) < 0)
		die("rmdir %s: %s", arg.dir, strerror(errno));
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	if (str_eq(arg.verb, "create"))
		do_create();
	else if (str_eq(arg.verb, "start"))
		do_start();
	else if (str_eq(arg.verb, "exec"))
		do_exec();
	else if (str_eq(arg.verb, "kill"))
		do_kill(argv[optind + 2]);
	else if (str_eq(arg.verb, "delete"))
		do_delete();
	else if (str_eq(arg.verb, "ps"))
		printf("[%d]\n", read_pid());
	else
		die("no verb %s", arg.verb);
	return 0;
}
