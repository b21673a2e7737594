/* SPDX-License-Identifier: Apache-2.0 */
#include "kill_trace.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

/* After ptrace.h, whose constants it would define again. */
#include <linux/ptrace.h>

#define SECONDS	    30
#define MAX_TRACEES 1024
#define OPTIONS                                                                                \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |                    \
			PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC)

struct tracee {
	pid_t tid, tgid;
	enum role role;
};

struct tracer {
	struct kill_trace *t; /* shared with who asked */
	struct tracee all[MAX_TRACEES];
	size_t count;
	pid_t client;
};

/* "Name:\t12" of /proc/<pid>/status; 0. */
static pid_t status_number(pid_t pid, const char *name)
{
	AUTO_FREE char *path = xasprintf("/proc/%d/status", pid);
	AUTO_BUF struct buf text = { .limit = 65536 };
	const char *at;

	if (io_read_file(-1, path, &text) < 0)
		return 0;
	at = strstr(text.data, name);
	return at == NULL ? 0 : (pid_t)strtol(at + strlen(name), NULL, 10);
}

static enum role role_by_program(pid_t pid)
{
	AUTO_FREE char *exe = xasprintf("/proc/%d/exe", pid);
	AUTO_FREE char *cmdline = xasprintf("/proc/%d/cmdline", pid);
	AUTO_BUF struct buf args = { .limit = 65536 };
	char path[512] = "";
	ssize_t n = readlink(exe, path, sizeof(path) - 1);
	const char *name = n <= 0 ? "" : strrchr(path, '/');

	name = name == NULL ? path : name;
	if (str_starts(name, "/containerd-shim-runc-v2")) {
		if (io_read_file(-1, cmdline, &args) < 0)
			return ROLE_OTHER;
		if (args.size > 6 && str_eq(args.data + args.size - 6, "start"))
			return ROLE_HELPER;
		if (args.size > 7 && str_eq(args.data + args.size - 7, "delete"))
			return ROLE_DELETER;
		return ROLE_SHIM;
	}
	if (str_starts(name, "/runc") || str_starts(name, "/crun") ||
			str_starts(name, "/ctrd-quick-runtime") ||
			str_starts(path, "/memfd:runc"))
		return ROLE_RUNTIME;
	return ROLE_OTHER;
}

/* What somebody forks is going to be, before it executes that. */
static enum role role_of_child(enum role parent)
{
	switch (parent) {
	case ROLE_DAEMON:
		return ROLE_HELPER;
	case ROLE_HELPER:
		return ROLE_SHIM;
	case ROLE_SHIM:
	case ROLE_DELETER:
	case ROLE_RUNTIME:
		return ROLE_RUNTIME;
	default:
		return ROLE_OTHER;
	}
}

static struct tracee *find(struct tracer *tr, pid_t tid)
{
	for (size_t i = 0; i < tr->count; i++)
		if (tr->all[i].tid == tid)
			return &tr->all[i];
	return NULL;
}

static struct tracee *add(struct tracer *tr, pid_t tid, pid_t tgid, enum role role)
{
	struct tracee *e = &tr->all[tr->count];

	if (tr->count + 1 == MAX_TRACEES)
		_exit(3);
	tr->count++;
	*e = (struct tracee){ tid, tgid, role };
	return e;
}

static struct tracee *adopt(struct tracer *tr, pid_t tid)
{
	pid_t tgid = status_number(tid, "\nTgid:"), parent = status_number(tid, "\nPPid:");
	const struct tracee *of = tgid == tid ? find(tr, parent) : find(tr, tgid);
	enum role role = ROLE_OTHER;

	if (of != NULL)
		role = tgid == tid ? role_of_child(of->role) : of->role;
	else if (parent > 0 && tgid == tid)
		role = role_of_child(role_by_program(parent));
	return add(tr, tid, tgid, role);
}

static void forget(struct tracer *tr, pid_t tid)
{
	struct tracee *e = find(tr, tid);

	if (e != NULL)
		*e = tr->all[--tr->count];
}

static void seize(struct tracer *tr, pid_t pid, enum role role)
{
	AUTO_FREE char *path = xasprintf("/proc/%d/task", pid);
	DIR *d = opendir(path);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);

		if (tid <= 0 || ptrace(PTRACE_SEIZE, tid, NULL, (void *)OPTIONS) < 0)
			continue; /* a thread that has just ended */
		add(tr, tid, pid, role);
		(void)ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	}
	if (d != NULL)
		(void)closedir(d);
}

static void on_call(struct tracer *tr, const struct tracee *e)
{
	struct ptrace_syscall_info info = { 0 };

	if (e->role != tr->t->role ||
			ptrace(PTRACE_GET_SYSCALL_INFO, e->tid, (void *)sizeof(info), &info) <
					0 ||
			info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	if (++tr->t->calls != tr->t->n)
		return;
	tr->t->victim = e->tgid;
	tr->t->number = (long)info.entry.nr;
	(void)kill(e->tgid, SIGKILL);
}

/* What it stopped for, if that was a signal: it gets it. */
static void *signal_of(int status)
{
	bool is_signal = status >> 16 == 0 && WSTOPSIG(status) != (SIGTRAP | 0x80);

	return (void *)(intptr_t)(is_signal ? WSTOPSIG(status) : 0);
}

static void on_stop(struct tracer *tr, struct tracee *e, int status)
{
	int event = status >> 16, signo = WSTOPSIG(status);

	if (event == PTRACE_EVENT_EXEC) {
		e->role = role_by_program(e->tid);
		if (e->role == ROLE_OTHER) {
			(void)ptrace(PTRACE_DETACH, e->tid, NULL, NULL);
			forget(tr, e->tid);
			return;
		}
	}
	if (signo == (SIGTRAP | 0x80))
		on_call(tr, e);
	(void)ptrace(e->role == tr->t->role ? PTRACE_SYSCALL : PTRACE_CONT, e->tid, NULL,
			signal_of(status));
}

/* Until the client's process has ended. */
static void follow(struct tracer *tr)
{
	struct tracee *e;
	int status;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		if (tid == tr->client && !WIFSTOPPED(status)) {
			tr->t->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
			return;
		}
		if (!WIFSTOPPED(status)) {
			forget(tr, tid);
			continue;
		}
		e = find(tr, tid);
		on_stop(tr, e == NULL ? adopt(tr, tid) : e, status);
	}
}

/* Whoever is traced is stopped once more, and goes on without us. */
static void let_go(struct tracer *tr)
{
	int status;
	pid_t tid;

	for (size_t i = 0; i < tr->count; i++)
		(void)ptrace(PTRACE_INTERRUPT, tr->all[i].tid, NULL, NULL);
	while (tr->count > 0 && (tid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status))
			(void)ptrace(PTRACE_DETACH, tid, NULL, signal_of(status));
		forget(tr, tid);
	}
}

static void trace(struct kill_trace *t)
{
	static struct tracer tr;

	tr.t = t;
	(void)alarm(SECONDS);
	if (t->daemon > 0)
		seize(&tr, t->daemon, ROLE_DAEMON);
	if (t->shim > 0)
		seize(&tr, t->shim, ROLE_SHIM);
	tr.client = fork();
	if (tr.client == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(t->operate(t->arg));
	}
	follow(&tr);
	let_go(&tr);
	_exit(0);
}

bool kill_trace_possible(pid_t pid)
{
	pid_t tracer = fork();
	int status = -1;

	if (tracer == 0)
		_exit(ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0);
	while (waitpid(tracer, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

bool kill_trace_run(struct kill_trace *t)
{
	struct kill_trace *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = -1;
	pid_t pid;

	if (shared == MAP_FAILED)
		abort();
	*shared = *t;
	shared->status = -1;
	pid = fork();
	if (pid == 0)
		trace(shared);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*t = *shared;
	(void)munmap(shared, sizeof(*shared));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
