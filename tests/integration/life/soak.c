/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many lives of containers, each with an exec, and what is left of them: nothing. Half of them
 * have a shim of their own, half live one after the other in a shim that stays.
 *
 *   soak SOCKET DAEMON_PID PARENT RUNTIME COUNT THREADS DIRECTORY…
 *
 * Compares the daemon, the shim that stays and the machine after COUNT lives with what they
 * were after the first few, and prints both. The directories must have as many entries as then.
 */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "life.h"
#include "life_events.h"

#define WARM_UP	    60
#define SETTLE_MS   30000
#define EXEC_STATUS 7
#define GROUP	    "soak"
#define ANCHOR	    "anchor"
#define MAX_FIGURES 32

static struct {
	const char *socket, *parent, *runtime;
	uint32_t daemon;
	_Atomic long next, end; /* numbers of lives */
} soak;

static void die(const char *what, const char *id, const struct err *err)
{
	(void)fprintf(stderr, "%s %s: %s\n", what, id, err_text(err));
	exit(1);
}

static void must(struct life *l, int got, int want, const char *what, const char *id)
{
	if (got < 0)
		die(what, id, &l->err);
	if (want < 0 || got == want)
		return;
	(void)fprintf(stderr, "%s %s: status %d instead of %d\n", what, id, got, want);
	exit(1);
}

static void live(struct life *l, const char *id, const char *group)
{
	must(l, life_make(l, id, group, NULL), -1, "make", id);
	must(l, life_create(l, id), -1, "create", id);
	must(l, life_start(l, id, ""), -1, "start", id);
	must(l, life_exec(l, id, "e", "exit 7"), -1, "exec", id);
	must(l, life_start(l, id, "e"), -1, "start exec of", id);
	must(l, life_wait(l, id, "e"), EXEC_STATUS, "wait for exec of", id);
	must(l, life_delete(l, id, "e"), EXEC_STATUS, "delete exec of", id);
	must(l, life_kill(l, id, "", SIGKILL), -1, "kill", id);
	must(l, life_wait(l, id, ""), 128 + SIGKILL, "wait for", id);
	must(l, life_delete(l, id, ""), 128 + SIGKILL, "delete", id);
	must(l, life_remove(l, id), -1, "remove", id);
}

static void *work(void *arg)
{
	struct life l = { .runtime = soak.runtime };
	char id[32];
	long n;

	(void)arg;
	if (life_open(&l, soak.socket, soak.parent) < 0)
		die("connect", soak.socket, &l.err);
	while ((n = atomic_fetch_add(&soak.next, 1)) < soak.end) {
		(void)snprintf(id, sizeof(id), "s%ld", n);
		live(&l, id, n % 2 == 0 ? NULL : GROUP);
	}
	life_close(&l);
	return NULL;
}

static void run(long count, uint32_t thread_count)
{
	pthread_t threads[64];

	soak.end = soak.next + count;
	for (uint32_t i = 0; i < thread_count; i++)
		if (pthread_create(&threads[i], NULL, work, NULL) != 0)
			abort();
	for (uint32_t i = 0; i < thread_count; i++)
		(void)pthread_join(threads[i], NULL);
	soak.next = soak.end;
}

/* Of events: how many of each must have come when all is over. */
static const char *const topics[] = { "create", "start", "exec-added", "exec-started", "exit",
	"delete" };
static _Atomic long seen[ARRAY_LEN(topics)];

static void note(void *arg, const struct life_event *e)
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(topics); i++)
		if (str_eq(topics[i], e->what))
			seen[i]++;
}

struct figure {
	char name[64];
	long value, slack; /* more than before plus slack is a leak */
};

struct figures {
	struct figure all[MAX_FIGURES];
	size_t count;
};

static void add(struct figures *f, const char *name, long value, long slack)
{
	struct figure *to = &f->all[f->count++];

	(void)snprintf(to->name, sizeof(to->name), "%s", name);
	to->value = value;
	to->slack = slack;
}

static long entries(const char *path)
{
	DIR *d = opendir(path);
	long n = 0;

	if (d == NULL)
		return 0;
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n - 2;
}

static long proc_entries(uint32_t pid, const char *what)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%u/%s", pid, what);
	return entries(path);
}

/* A number of a file of "Name:   12 kB" lines; -1. */
static long number_in(const char *path, const char *name)
{
	AUTO_BUF struct buf text = { .limit = 1 << 20 };
	const char *at;

	if (io_read_file(-1, path, &text) < 0)
		return -1;
	at = strstr(text.data, name);
	return at == NULL ? -1 : strtol(at + strlen(name), NULL, 10);
}

static long lines_of(const char *path)
{
	AUTO_BUF struct buf text = { .limit = 16 << 20 };
	long n = 0;

	if (io_read_file(-1, path, &text) < 0)
		return -1;
	for (const char *at = text.data; (at = strchr(at, '\n')) != NULL; at++)
		n++;
	return n;
}

static void add_process(struct figures *f, const char *name, uint32_t pid, long slack_kb)
{
	char label[64], path[64];

	(void)snprintf(label, sizeof(label), "%s: descriptors", name);
	add(f, label, proc_entries(pid, "fd"), 0);
	(void)snprintf(label, sizeof(label), "%s: threads", name);
	add(f, label, proc_entries(pid, "task"), 0);
	(void)snprintf(label, sizeof(label), "%s: memory of its own, kB", name);
	(void)snprintf(path, sizeof(path), "/proc/%u/smaps_rollup", pid);
	add(f, label, number_in(path, "Anonymous:"), slack_kb);
}

/* The first 15 characters of its name, which those that are dead, but not reaped, still have.
 */
static bool has_name(const char *pid, const char *name)
{
	char path[300], comm[17] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	(void)!fgets(comm, sizeof(comm), f);
	(void)fclose(f);
	comm[strcspn(comm, "\n")] = '\0';
	return strncmp(comm, name, 15) == 0;
}

/* What containers are made of: programs of these names, wherever they run. */
static long count_processes(void)
{
	static const char *const names[] = { "containerd-shim-runc-v2", "runc", "crun",
		"ctrd-quick-runtime", "busybox", "sleep" };
	DIR *proc = opendir("/proc");
	struct dirent *d;
	long n = 0;

	while (proc != NULL && (d = readdir(proc)) != NULL)
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			n += has_name(d->d_name, names[i]);
	if (proc != NULL)
		(void)closedir(proc);
	return n;
}

static long count_cgroups(void)
{
	static const char *const root = "/sys/fs/cgroup";
	DIR *d = opendir(root);
	struct dirent *e;
	char path[512];
	struct stat st;
	long n = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (str_eq(e->d_name, ".."))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s/life", root, e->d_name);
		if (stat(path, &st) == 0)
			n += (long)st.st_nlink - 2; /* its directories */
	}
	if (d != NULL)
		(void)closedir(d);
	return n;
}

static void measure(struct figures *f, uint32_t shim, char *const *dirs)
{
	char path[64];

	f->count = 0;
	/* Neither grows with the number of lives: less than 10 bytes each of a long run, and of
	 * a short one what the allocator happens to hold. */
	add_process(f, "daemon", soak.daemon, 1024);
	add_process(f, "shim", shim, 128);
	(void)snprintf(path, sizeof(path), "/proc/%u/mountinfo", soak.daemon);
	add(f, "mounts", lines_of(path), 0);
	add(f, "cgroups", count_cgroups(), 0);
	add(f, "processes", count_processes(), 0);
	for (; *dirs != NULL; dirs++)
		add(f, *dirs, entries(*dirs), 0);
}

static bool is_as_before(const struct figures *before, const struct figures *now)
{
	for (size_t i = 0; i < now->count; i++)
		if (now->all[i].value < 0 ||
				now->all[i].value > before->all[i].value + before->all[i].slack)
			return false;
	return true;
}

/* What was just ended may still be leaving, and idle threads stay for a while. */
static bool settle(const struct figures *before, struct figures *now, uint32_t shim,
		char *const *dirs)
{
	int64_t end = clock_mono_ns() + SETTLE_MS * NS_PER_MS;

	do {
		measure(now, shim, dirs);
		if (is_as_before(before, now))
			return true;
		(void)poll(NULL, 0, 50);
	} while (clock_mono_ns() < end);
	return false;
}

/* Until nothing changes for a while: the state to come back to. */
static void settle_first(struct figures *f, uint32_t shim, char *const *dirs)
{
	struct figures last;
	int same = 0;

	measure(&last, shim, dirs);
	for (int i = 0; i < SETTLE_MS / 200 && same < 15; i++) {
		(void)poll(NULL, 0, 200);
		measure(f, shim, dirs);
		same = is_as_before(&last, f) && is_as_before(f, &last) ? same + 1 : 0;
		last = *f;
	}
	*f = last;
}

static void print(const struct figures *before, const struct figures *after)
{
	for (size_t i = 0; i < after->count; i++)
		printf("%-60s %8ld %8ld%s\n", after->all[i].name, before->all[i].value,
				after->all[i].value,
				after->all[i].value > before->all[i].value + before->all[i].slack
						? "  LEAK"
						: "");
}

static bool heard_all(long lives)
{
	const long want[] = { lives, lives, lives - 1, lives - 1, 2 * lives - 1, lives };
	int64_t end = clock_mono_ns() + SETTLE_MS * NS_PER_MS;
	bool all;

	do {
		all = true;
		for (size_t i = 0; i < ARRAY_LEN(topics); i++)
			all = all && seen[i] >= want[i];
		(void)poll(NULL, 0, 20); /* one too many would come now */
	} while (!all && clock_mono_ns() < end);
	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		printf("events %-53s %8ld %8ld%s\n", topics[i], want[i], seen[i],
				seen[i] == want[i] ? "" : "  WRONG");
		all = all && seen[i] == want[i];
	}
	return all;
}

static uint32_t parent_of(int pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return (uint32_t)number_in(path, "PPid:");
}

static void *watch_progress(void *arg)
{
	int64_t start = clock_mono_ns();

	char path[64];

	(void)arg;
	(void)snprintf(path, sizeof(path), "/proc/%u/smaps_rollup", soak.daemon);
	for (;;) {
		(void)poll(NULL, 0, 60000);
		printf("%ld lives after %ld s, daemon %ld kB\n", (long)soak.next,
				(long)((clock_mono_ns() - start) / NS_PER_S),
				number_in(path, "Anonymous:"));
		(void)fflush(stdout);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct life_listener events = { .heard = note };
	struct figures before, after;
	uint32_t count, threads, shim;
	struct life l = { 0 };
	int64_t start;
	pthread_t watcher;
	bool good;

	if (argc < 7 || !str_u32(argv[2], &soak.daemon) || !str_u32(argv[5], &count) ||
			!str_u32(argv[6], &threads) || threads > 64)
		return 2;
	soak.socket = argv[1];
	soak.parent = argv[3];
	l.runtime = soak.runtime = argv[4];
	events.socket = soak.socket;
	life_listen(&events);
	if (life_open(&l, soak.socket, soak.parent) < 0)
		return 1;
	must(&l, life_make(&l, ANCHOR, GROUP, NULL), -1, "make", ANCHOR);
	shim = parent_of(life_create(&l, ANCHOR));
	must(&l, life_start(&l, ANCHOR, ""), -1, "start", ANCHOR);
	run(WARM_UP, threads);
	settle_first(&before, shim, argv + 7);
	if (pthread_create(&watcher, NULL, watch_progress, NULL) != 0)
		return 1;
	start = clock_mono_ns();
	run(count, threads);
	printf("%u lives, %u at a time, %.1f s, %.2f ms each\n", count, threads,
			(double)(clock_mono_ns() - start) / 1e9,
			(double)(clock_mono_ns() - start) / 1e6 / count);
	good = settle(&before, &after, shim, argv + 7);
	print(&before, &after);
	must(&l, life_kill(&l, ANCHOR, "", SIGKILL), -1, "kill", ANCHOR);
	must(&l, life_wait(&l, ANCHOR, ""), 128 + SIGKILL, "wait for", ANCHOR);
	must(&l, life_delete(&l, ANCHOR, ""), 128 + SIGKILL, "delete", ANCHOR);
	must(&l, life_remove(&l, ANCHOR), -1, "remove", ANCHOR);
	good = heard_all(WARM_UP + (long)count + 1) && good;
	life_close(&l);
	(void)fflush(stdout);
	_exit(good ? 0 : 1); /* the listener is in the middle of it */
}
