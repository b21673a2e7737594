/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Daemon, shim, start helper and runtime killed at their system calls, one after the other, in
 * each operation on a container. Whatever the client was told: a second later nothing hangs,
 * what is still listed works and tells its true exit status, what is not listed has left
 * nothing, and nothing has run twice.
 *
 *   kill_calls DIR DAEMON CONFIG PARENT RUNTIME STEP SEED [ROLE OPERATION [CALL]]
 *
 * DIR has the socket c.sock, root and state. Of every STEP calls one is tried (SEED says
 * which); 1: all of them. Prints a line for each ROLE and OPERATION.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/pb/task.pb-c.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "kill_trace.h"
#include "life.h"

#define PATIENCE_MS 15000 /* for one call */
#define CONVERGE_MS 1000
/* A failure is what takes longer than that: other work on the machine takes its time, too. */
#define HOPELESS_MS 5000
#define EXEC_STATUS 7
#define SKIPPED	    77 /* exit status: tracing is not allowed here */
#define BYSTANDER   "bystander"
#define KILLED	    (128 + SIGKILL)
/* Each start of the init, and of the exec, leaves a letter. */
#define INIT_SCRIPT "echo i >>/marks; exec sleep 100000"
#define EXEC_SCRIPT "echo e >>/marks; exit 7"

/* The last is no client's: its shim is killed, and the daemon clears away. */
enum operation { OP_CREATE, OP_START, OP_EXEC, OP_KILL, OP_DELETE, OP_LOSE, OPERATIONS };
static const char *const operation_names[] = { "create", "start", "exec", "kill", "delete",
	"lose" };
static const char *const role_names[] = { "daemon", "helper", "shim", "runtime", "deleter" };

static struct {
	const char *dir, *daemon, *config, *parent, *runtime, *socket;
	pid_t pid;   /* the daemon's */
	char *upper; /* shared with the operation's process: where its container writes */
	uint32_t step, seed;
	int64_t worst_ms; /* to converge */
	unsigned runs, hits, slow, failed, serial;
	long idle_snapshots, idle_sockets;
} k;

/* One try. */
struct attempt {
	struct life life;
	char id[32];
	enum role role;
	enum operation op;
	struct kill_trace trace;
	pid_t shim;
	int64_t since; /* when everybody was back */
	bool good;
};

__attribute__((format(printf, 2, 3))) static void complain(
		struct attempt *a, const char *fmt, ...)
{
	va_list ap;

	a->good = false;
	printf("# %s, %s, call %ld (%ld) of %d: ", role_names[a->role], operation_names[a->op],
			a->trace.n, a->trace.number, a->trace.victim);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static void start_daemon(void)
{
	AUTO_FREE char *log = xasprintf("%s/log", k.dir);
	char *const argv[] = { (char *)(uintptr_t)k.daemon, (char *)"--config",
		(char *)(uintptr_t)k.config, NULL };

	k.pid = fork();
	if (k.pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);

		(void)dup2(fd, 1);
		(void)dup2(fd, 2);
		(void)execv(k.daemon, argv);
		_exit(127);
	}
}

static void must_connect(struct life *l)
{
	int status = -1;

	*l = (struct life){ .runtime = k.runtime, .patience_ms = PATIENCE_MS };
	if (life_open(l, k.socket, k.parent) == 0)
		return;
	(void)waitpid(k.pid, &status, WNOHANG);
	printf("connect: %s; daemon %d: %d\n", err_text(&l->err), k.pid, status);
	exit(1);
}

static const char *remains(const char *id);

/* The operations, as the process that the tracer starts. A failure is none of the test: the
 * client may be told so. Not to be answered is. */
static int result(const struct life *l, int rc)
{
	return rc >= 0 ? 0 : l->err.kind == ERR_DEADLINE ? 2 : 1;
}

static int operate(void *arg)
{
	struct attempt *a = arg;
	struct life l = { .runtime = k.runtime, .patience_ms = 500 };
	int rc = 0;

	if (life_open(&l, k.socket, k.parent) < 0)
		return 1; /* it has died of that already */
	l.patience_ms = PATIENCE_MS;
	switch (a->op) {
	case OP_CREATE:
		rc = life_create(&l, a->id);
		(void)snprintf(k.upper, sizeof(l.upper), "%s", l.upper);
		break;
	case OP_START:
		rc = life_start(&l, a->id, "");
		break;
	case OP_EXEC:
		rc = life_exec(&l, a->id, "e", EXEC_SCRIPT);
		if (rc >= 0)
			rc = life_start(&l, a->id, "e");
		break;
	case OP_KILL:
		rc = life_kill(&l, a->id, "", SIGKILL);
		break;
	case OP_LOSE:
		(void)kill(a->shim, SIGKILL);
		for (int i = 0; i < HOPELESS_MS / 2 && remains(a->id) != NULL; i++) {
			if (life_status(&l, a->id, "") < 0 && l.err.kind == ERR_UNAVAILABLE)
				break; /* the daemon has died of it */
			(void)poll(NULL, 0, 2);
		}
		break;
	default:
		rc = life_delete(&l, a->id, "");
		if (rc >= 0)
			rc = life_remove(&l, a->id);
	}
	if (rc < 0 && l.err.kind != ERR_UNAVAILABLE && getenv("KILL_VERBOSE") != NULL)
		printf("# told: %s\n", err_text(&l.err));
	(void)fflush(stdout);
	return result(&l, rc);
}

static pid_t parent_of(pid_t pid)
{
	AUTO_FREE char *path = xasprintf("/proc/%d/stat", pid);
	AUTO_BUF struct buf text = { .limit = 4096 };

	if (io_read_file(-1, path, &text) < 0)
		return 0;
	return (pid_t)strtol(strrchr(text.data, ')') + 4, NULL, 10);
}

/* Brings the container to where the operation begins. */
static bool prepare(struct attempt *a)
{
	struct life *l = &a->life;
	int pid = 0, rc = life_make(l, a->id, NULL, INIT_SCRIPT);

	if (rc >= 0 && a->op != OP_CREATE) {
		rc = pid = life_create(l, a->id);
		a->shim = pid > 0 ? parent_of(pid) : 0;
	}
	if (rc >= 0 && a->op > OP_START)
		rc = life_start(l, a->id, "");
	if (rc >= 0 && a->op == OP_DELETE) {
		rc = life_kill(l, a->id, "", SIGKILL);
		if (rc >= 0)
			rc = life_wait(l, a->id, "");
	}
	if (rc < 0)
		complain(a, "prepare: %s", err_text(&l->err));
	(void)snprintf(k.upper, sizeof(l->upper), "%s", l->upper);
	return rc >= 0;
}

/* --- What may be left of a container. */

__attribute__((format(printf, 1, 2))) static bool exists(const char *fmt, ...)
{
	char path[700];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return access(path, F_OK) == 0;
}

static bool has_line(const char *path, const char *text)
{
	AUTO_BUF struct buf all = { .limit = 16 << 20 };

	return io_read_file(-1, path, &all) == 0 && all.size > 0 &&
	       memmem(all.data, all.size, text, strlen(text)) != NULL;
}

static bool has_cgroup(const char *id)
{
	DIR *d = opendir("/sys/fs/cgroup");
	struct dirent *e;
	bool found = exists("/sys/fs/cgroup/life/%s", id);

	while (d != NULL && (e = readdir(d)) != NULL)
		found = found || exists("/sys/fs/cgroup/%s/life/%s", e->d_name, id);
	if (d != NULL)
		(void)closedir(d);
	return found;
}

static char process_found[1000];

/* A process with the id as an argument: its shim, or a runtime that works on it. */
static bool has_process(const char *id)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	bool found = false;

	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		AUTO_FREE char *path = xasprintf("/proc/%s/cmdline", e->d_name);
		AUTO_BUF struct buf args = { .limit = 65536 };
		AUTO_FREE char *word = xasprintf("x%sx", id); /* between zeros */

		if (e->d_name[0] < '0' || e->d_name[0] > '9' ||
				strtol(e->d_name, NULL, 10) == getpid() ||
				io_read_file(-1, path, &args) < 0 || args.size == 0)
			continue;
		word[0] = word[strlen(word) - 1] = '\0';
		found = memmem(args.data, args.size, word, strlen(id) + 2) != NULL;
		for (size_t i = 0; found && i < args.size; i++)
			args.data[i] = args.data[i] == '\0' ? ' ' : args.data[i];
		if (found)
			(void)snprintf(process_found, sizeof(process_found), "process %s: %s",
					e->d_name, args.data);
	}
	if (d != NULL)
		(void)closedir(d);
	return found;
}

static const char *const task_dir = "io.containerd.runtime.v2.task/life";

/* Something of the task that is not there, in a word; NULL. */
static const char *remains(const char *id)
{
	static char in_mounts[600];
	char state[300], root[300];

	(void)snprintf(state, sizeof(state), "%s/state/%s", k.dir, task_dir);
	(void)snprintf(root, sizeof(root), "%s/root/%s", k.dir, task_dir);
	(void)snprintf(in_mounts, sizeof(in_mounts), "%s/%s/", state, id);
	if (has_process(id))
		return process_found;
	if (has_line("/proc/self/mounts", in_mounts))
		return "a mount";
	if (has_cgroup(id))
		return "a cgroup";
	if (exists("%s/%s", state, id) || exists("%s/.%s", state, id) ||
			exists("%s/..%s", state, id))
		return "a bundle";
	if (exists("%s/%s", root, id) || exists("%s/.%s", root, id))
		return "a work directory";
	if (exists("/run/containerd/runc/life/%s", id))
		return "state of the runtime";
	return NULL;
}

static long entries(const char *path)
{
	DIR *d = opendir(path);
	long n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		(void)closedir(d);
	return n;
}

static long snapshots(void)
{
	AUTO_FREE char *path = xasprintf(
			"%s/root/io.containerd.snapshotter.v1.overlayfs/snapshots", k.dir);

	return entries(path);
}

/* Of all together, when no task is there. */
static const char *remains_of_all(void)
{
	if (snapshots() > k.idle_snapshots)
		return "a snapshot";
	if (entries("/run/containerd/s") > k.idle_sockets)
		return "a socket";
	return NULL;
}

/* What one failure has left shall not fail those that follow. */
static void note_idle(void)
{
	k.idle_snapshots = snapshots();
	k.idle_sockets = entries("/run/containerd/s");
	if (k.idle_sockets < 2)
		k.idle_sockets = 2; /* the directory is still to be made */
}

/* How long it took until nothing of it was there. */
static bool wait_until_gone(struct attempt *a, int64_t since, bool all)
{
	const char *what, *last = "answers";
	int64_t ms;

	for (;;) {
		what = remains(a->id);
		if (what == NULL && all)
			what = remains_of_all();
		ms = (clock_mono_ns() - since) / NS_PER_MS;
		if (what == NULL || ms > HOPELESS_MS)
			break;
		last = what;
		(void)poll(NULL, 0, 5);
	}
	if (what != NULL) {
		complain(a, "left %s", what);
		note_idle();
		return false;
	}
	if (ms > k.worst_ms)
		k.worst_ms = ms;
	if (ms > CONVERGE_MS) {
		k.slow++;
		printf("# %s, %s, call %ld (%ld): waited %ld ms for %s\n", role_names[a->role],
				operation_names[a->op], a->trace.n, a->trace.number, (long)ms,
				last);
	}
	return true;
}

/* --- What must be true of a container that is still there. */

static unsigned marks(char letter)
{
	AUTO_FREE char *path = xasprintf("%s/marks", k.upper);
	AUTO_BUF struct buf text = { .limit = 4096 };
	unsigned n = 0;

	if (k.upper[0] == '\0' || io_read_file(-1, path, &text) < 0)
		return 0;
	for (size_t i = 0; i < text.size; i++)
		n += text.data[i] == letter;
	return n;
}

/* The call's answer, or a complaint if there was none in time. */
static int asked(struct attempt *a, int rc, const char *what)
{
	if (rc < 0 && a->life.err.kind == ERR_DEADLINE)
		complain(a, "%s: no answer", what);
	return rc;
}

static void check_status(struct attempt *a, int status, int want, const char *what)
{
	if (status >= 0 && status != want)
		complain(a, "%s: status %d instead of %d", what, status, want);
}

/* An exec that is known can be started if it was not, and ends as it must. */
static void finish_exec(struct attempt *a)
{
	struct life *l = &a->life;
	int want = EXEC_STATUS, status = asked(a, life_status(l, a->id, "e"), "state of exec");

	/* A runtime that dies may have started it: a client who tries again runs it again. */
	if (status == TASK__STATUS__CREATED && a->role != ROLE_RUNTIME)
		(void)asked(a, life_start(l, a->id, "e"), "start exec again");
	else if (status < 0)
		return;
	status = life_status(l, a->id, "e");
	if (status == TASK__STATUS__CREATED)
		return; /* the runtime refused */
	status = asked(a, life_wait(l, a->id, "e"), "wait for exec");
	/* What is killed may be what the runtime was making. */
	if (status == KILLED && a->role == ROLE_RUNTIME && marks('e') == 0)
		want = KILLED;
	check_status(a, status, want, "exec");
	check_status(a, asked(a, life_delete(l, a->id, "e"), "delete exec"), want,
			"delete exec");
}

/* As a client does who comes back: whatever is there is brought to its end. */
static void finish(struct attempt *a)
{
	struct life *l = &a->life;
	int status = asked(a, life_status(l, a->id, ""), "state");
	bool lives = status >= 0;

	if (status < 0 && l->err.kind != ERR_NOT_FOUND)
		complain(a, "state: %s", err_text(&l->err));
	if (!lives)
		(void)wait_until_gone(a, a->since, false);
	if (a->op == OP_EXEC && lives)
		finish_exec(a);
	if (status == TASK__STATUS__CREATED)
		(void)asked(a, life_start(l, a->id, ""), "start again");
	if (lives) {
		(void)asked(a, life_kill(l, a->id, "", SIGKILL), "kill again");
		check_status(a, asked(a, life_wait(l, a->id, ""), "wait"), KILLED, "init");
		status = asked(a, life_delete(l, a->id, ""), "delete");
		check_status(a, status, KILLED, "delete");
		if (status < 0 && l->err.kind != ERR_NOT_FOUND)
			complain(a, "delete: %s", err_text(&l->err));
	}
	if (marks('i') > 1)
		complain(a, "ran %u times", marks('i'));
	if (marks('e') > 1)
		complain(a, "its exec ran %u times", marks('e'));
	if (life_status(l, BYSTANDER, "") != TASK__STATUS__RUNNING)
		complain(a, "the bystander: %s", err_text(&l->err));
	if (asked(a, life_remove(l, a->id), "remove") < 0)
		complain(a, "remove: %s", err_text(&l->err));
	(void)wait_until_gone(a, clock_mono_ns(), true);
}

/* Somebody who waits for an exit learns it, or that there is no such task: the shim may have
 * taken it along. */
static void recover(struct attempt *a)
{
	int status;

	a->since = clock_mono_ns();
	life_close(&a->life);
	if (a->trace.victim == k.pid) {
		while (waitpid(k.pid, &status, 0) < 0 && errno == EINTR)
			;
		start_daemon();
	}
	must_connect(&a->life);
}

/* A daemon or shim that dies by itself is worse than anything above. */
static void check_daemon(struct attempt *a)
{
	int status;

	if (waitpid(k.pid, &status, WNOHANG) != k.pid)
		return;
	complain(a, "the daemon has died: %d", status);
	start_daemon();
}

/* False when the operation was over before its n-th call. */
static bool attempt_at(
		enum role role, enum operation op, long n, bool *ret_good, long *ret_calls)
{
	struct attempt a = { .role = role, .op = op, .good = true };
	bool hit = false;

	(void)snprintf(a.id, sizeof(a.id), "k%u", ++k.serial);
	a.trace.n = n;
	must_connect(&a.life);
	if (prepare(&a)) {
		a.trace = (struct kill_trace){ .role = role,
			.n = n,
			.daemon = k.pid,
			.shim = a.shim,
			.operate = operate,
			.arg = &a };
		if (!kill_trace_run(&a.trace) || a.trace.status == 2)
			complain(&a, "the operation was not answered");
		hit = a.trace.victim != 0;
	}
	recover(&a);
	finish(&a);
	life_close(&a.life);
	check_daemon(&a);
	k.runs++;
	k.hits += hit;
	if (!a.good)
		k.failed++;
	*ret_good = a.good;
	*ret_calls = a.trace.calls;
	(void)fflush(stdout);
	return hit;
}

static void try_all(enum role role, enum operation op)
{
	unsigned tried = 0, bad = 0;
	long n = 1 + (long)(k.seed % k.step), calls = 0;
	int64_t before = k.worst_ms;
	bool good;

	k.worst_ms = 0;
	for (;; n += k.step) {
		bool hit = attempt_at(role, op, n, &good, &calls);

		bad += !good;
		if (!hit)
			break;
		tried++;
	}
	printf("%-8s %-8s %5ld calls, killed at %5u, %3u bad, converged within %4ld ms\n",
			role_names[role], operation_names[op], calls, tried, bad,
			(long)k.worst_ms);
	(void)fflush(stdout);
	if (before > k.worst_ms)
		k.worst_ms = before;
}

static int index_of(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(names[i], name))
			return (int)i;
	(void)fprintf(stderr, "%s?\n", name);
	exit(2);
}

static void try_some(char **argv)
{
	int role = index_of(role_names, ARRAY_LEN(role_names), argv[0]);
	int op = index_of(operation_names, OPERATIONS, argv[1]);
	long calls;
	bool good;

	if (argv[2] == NULL)
		try_all((enum role)role, (enum operation)op);
	else
		(void)attempt_at((enum role)role, (enum operation)op, strtol(argv[2], NULL, 10),
				&good, &calls);
}

static bool takes_part(enum role role, enum operation op)
{
	if (role == ROLE_HELPER)
		return op == OP_CREATE;
	if (role == ROLE_DELETER)
		return op == OP_LOSE;
	return role != ROLE_SHIM || op != OP_LOSE;
}

static void try_everything(void)
{
	for (int op = 0; op < OPERATIONS; op++)
		for (int role = 0; role < (int)ARRAY_LEN(role_names); role++)
			if (takes_part((enum role)role, (enum operation)op))
				try_all((enum role)role, (enum operation)op);
}

int main(int argc, char **argv)
{
	struct life l;

	if (argc < 8 || !str_u32(argv[6], &k.step) || !str_u32(argv[7], &k.seed) || k.step == 0)
		return 2;
	k.dir = argv[1];
	k.daemon = argv[2];
	k.config = argv[3];
	k.parent = argv[4];
	k.runtime = argv[5];
	k.socket = xasprintf("%s/c.sock", k.dir);
	k.upper = mmap(NULL, sizeof(l.upper), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (k.upper == MAP_FAILED)
		return 1;
	start_daemon();
	must_connect(&l);
	if (!kill_trace_possible(k.pid)) {
		(void)kill(k.pid, SIGTERM);
		return SKIPPED;
	}
	if (life_make(&l, BYSTANDER, NULL, NULL) < 0 || life_create(&l, BYSTANDER) < 0 ||
			life_start(&l, BYSTANDER, "") < 0) {
		printf("bystander: %s\n", err_text(&l.err));
		return 1;
	}
	life_close(&l);
	note_idle();
	if (argc > 9)
		try_some(argv + 8);
	else
		try_everything();
	if (argc <= 9 && k.hits == 0)
		k.failed++; /* a test of nothing */
	printf("%u tries, %u deaths, %u bad, %u took longer than %d ms, the longest %ld\n",
			k.runs, k.hits, k.failed, k.slow, CONVERGE_MS, (long)k.worst_ms);
	must_connect(&l);
	if (life_kill(&l, BYSTANDER, "", SIGKILL) < 0 ||
			life_wait(&l, BYSTANDER, "") != KILLED ||
			life_delete(&l, BYSTANDER, "") != KILLED ||
			life_remove(&l, BYSTANDER) < 0)
		k.failed++;
	life_close(&l);
	(void)kill(k.pid, SIGTERM);
	(void)waitpid(k.pid, NULL, 0);
	return k.failed > 0 ? 1 : 0;
}
