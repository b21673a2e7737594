/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short lives of containers at random, many at once, with processes added and killed from
 * several sides: what sanitizers and the model of the shim's events want to see.
 *
 *   load SOCKET PARENT RUNTIME LIVES THREADS SEED [TRACES]
 *
 * Fails when a call is not answered, when an exit status is wrong, or when events contradict
 * each other. Writes a line for each container to the file TRACES: "0create 0start 1exec-added
 * …".
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/pb/task.pb-c.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "life.h"
#include "life_events.h"

#define MAX_EXECS 3
#define GROUP	  "load"
#define ANCHOR	  "anchor"
#define EVENTS_MS 30000

/* What was told of one container. */
struct story {
	struct buf text;
	uint32_t pids[MAX_EXECS + 1];
	uint32_t init_status;
	bool is_over;
};

static struct {
	const char *socket, *parent, *runtime;
	uint32_t lives, seed;
	_Atomic uint32_t next;
	_Atomic uint32_t bad;
	struct story *stories; /* under lock */
	pthread_mutex_t lock;
} load = { .lock = PTHREAD_MUTEX_INITIALIZER };

__attribute__((format(printf, 1, 2))) static void complain(const char *fmt, ...)
{
	va_list ap;

	load.bad++;
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	(void)fflush(stdout);
}

/* Containers are "l<number>", execs "e1" … */
static void tell(struct story *s, const struct life_event *e)
{
	unsigned who = e->exec_id[0] == '\0' ? 0 : (unsigned)(e->exec_id[1] - '0');

	if (who > MAX_EXECS)
		return;
	buf_addf(&s->text, "%s%u%s", s->text.size > 0 ? " " : "", who, e->what);
	if (str_eq(e->what, "create") || str_eq(e->what, "exec-started"))
		s->pids[who] = e->pid;
	else if (str_eq(e->what, "exit") && e->pid != s->pids[who])
		complain("%s/%s: exit of %u instead of %u", e->container, e->exec_id, e->pid,
				s->pids[who]);
	if (str_eq(e->what, "exit") && who == 0)
		s->init_status = e->status;
	if (!str_eq(e->what, "delete"))
		return;
	s->is_over = true;
	if (e->status != s->init_status)
		complain("%s: deleted with %u, exited with %u", e->container, e->status,
				s->init_status);
}

static void heard(void *arg, const struct life_event *e)
{
	uint32_t n;

	(void)arg;
	if (e->container[0] != 'l' || !str_u32(e->container + 1, &n) || n >= load.lives)
		return;
	pthread_mutex_lock(&load.lock);
	tell(&load.stories[n], e);
	pthread_mutex_unlock(&load.lock);
}

/* -1 is an answer, too, as long as it is one. */
static int answered(struct life *l, int rc, const char *what, const char *id)
{
	if (rc < 0 && (l->err.kind == ERR_DEADLINE || l->err.kind == ERR_UNAVAILABLE))
		complain("%s %s: %s", what, id, err_text(&l->err));
	return rc;
}

static void must(struct life *l, int rc, const char *what, const char *id)
{
	if (rc < 0)
		complain("%s %s: %s", what, id, err_text(&l->err));
}

static void pause_a_little(unsigned *seed)
{
	(void)poll(NULL, 0, (int)((unsigned)rand_r(seed) % 8));
}

struct adding {
	pthread_t thread;
	const char *container;
	char id[8];
	unsigned seed;
};

static void *add(void *arg)
{
	struct adding *a = arg;
	struct life l = { .runtime = load.runtime };
	bool short_lived = rand_r(&a->seed) % 2 == 0;
	int status;

	if (life_open(&l, load.socket, load.parent) < 0)
		complain("connect: %s", err_text(&l.err));
	pause_a_little(&a->seed);
	if (answered(&l, life_exec(&l, a->container, a->id, short_lived ? "exit 5" : NULL),
			    "exec", a->container) >= 0 &&
			answered(&l, life_start(&l, a->container, a->id), "start exec of",
					a->container) >= 0) {
		pause_a_little(&a->seed);
		if (!short_lived)
			(void)answered(&l, life_kill(&l, a->container, a->id, SIGKILL),
					"kill exec of", a->container);
		status = answered(&l, life_wait(&l, a->container, a->id), "wait for exec of",
				a->container);
		/* Its init's end may have come first, for the quick runtime even before its
		 * root. */
		if (status >= 0 && status != 137 && status != 125 &&
				(status != 5 || !short_lived))
			complain("%s: exec's status %d", a->container, status);
		(void)answered(&l, life_delete(&l, a->container, a->id), "delete exec of",
				a->container);
	}
	life_close(&l);
	return NULL;
}

static void live(struct life *l, uint32_t n, unsigned *seed)
{
	static const char *const scripts[] = { NULL, NULL, "exit 3", "sleep 0.02; exit 3" };
	const char *script = scripts[rand_r(seed) % 4];
	unsigned execs = (unsigned)rand_r(seed) % (MAX_EXECS + 1);
	bool starts = rand_r(seed) % 8 != 0;
	struct adding added[MAX_EXECS];
	char id[16];
	int status;

	(void)snprintf(id, sizeof(id), "l%u", n);
	must(l, life_make(l, id, n % 2 == 0 ? NULL : GROUP, script), "make", id);
	must(l, life_create(l, id), "create", id);
	for (unsigned i = 0; i < execs; i++) {
		added[i] = (struct adding){ .container = id, .seed = (unsigned)rand_r(seed) };
		(void)snprintf(added[i].id, sizeof(added[i].id), "e%u", i + 1);
		if (pthread_create(&added[i].thread, NULL, add, &added[i]) != 0)
			abort();
	}
	pause_a_little(seed);
	if (starts)
		(void)answered(l, life_start(l, id, ""), "start", id);
	pause_a_little(seed);
	if (starts) {
		(void)answered(l, life_kill(l, id, "", SIGKILL), "kill", id);
		status = life_wait(l, id, "");
		must(l, status, "wait for", id);
		if (status >= 0 && status != 137 && (script == NULL || status != 3))
			complain("%s: status %d", id, status);
	}
	must(l, life_delete(l, id, ""), "delete", id);
	for (unsigned i = 0; i < execs; i++)
		(void)pthread_join(added[i].thread, NULL);
	must(l, life_remove(l, id), "remove", id);
}

static void *work(void *arg)
{
	struct life l = { .runtime = load.runtime };
	unsigned seed = load.seed + (unsigned)(uintptr_t)arg;
	uint32_t n;

	if (life_open(&l, load.socket, load.parent) < 0)
		complain("connect: %s", err_text(&l.err));
	while ((n = atomic_fetch_add(&load.next, 1)) < load.lives)
		live(&l, n, &seed);
	life_close(&l);
	return NULL;
}

static bool all_told(void)
{
	int64_t end = clock_mono_ns() + EVENTS_MS * NS_PER_MS;
	uint32_t over;

	do {
		over = 0;
		pthread_mutex_lock(&load.lock);
		for (uint32_t i = 0; i < load.lives; i++)
			over += load.stories[i].is_over;
		pthread_mutex_unlock(&load.lock);
		if (over == load.lives)
			return true;
		(void)poll(NULL, 0, 10);
	} while (clock_mono_ns() < end);
	return false;
}

static void write_stories(const char *path)
{
	FILE *f = fopen(path, "w");

	pthread_mutex_lock(&load.lock);
	for (uint32_t i = 0; f != NULL && i < load.lives; i++)
		(void)fprintf(f, "%s\n", load.stories[i].text.data);
	pthread_mutex_unlock(&load.lock);
	if (f == NULL || fclose(f) != 0)
		complain("write %s", path);
}

int main(int argc, char **argv)
{
	static struct life_listener events = { .heard = heard };
	pthread_t threads[64];
	struct life l = { 0 };
	uint32_t count;

	if (argc < 7 || !str_u32(argv[4], &load.lives) || !str_u32(argv[5], &count) ||
			count > 64 || !str_u32(argv[6], &load.seed))
		return 2;
	events.socket = load.socket = argv[1];
	load.parent = argv[2];
	l.runtime = load.runtime = argv[3];
	load.stories = xcalloc(load.lives, sizeof(*load.stories));
	for (uint32_t i = 0; i < load.lives; i++)
		load.stories[i].text.limit = 4096;
	life_listen(&events);
	if (life_open(&l, load.socket, load.parent) < 0)
		return 1;
	must(&l, life_make(&l, ANCHOR, GROUP, NULL), "make", ANCHOR);
	must(&l, life_create(&l, ANCHOR), "create", ANCHOR);
	for (uint32_t i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i) != 0)
			abort();
	for (uint32_t i = 0; i < count; i++)
		(void)pthread_join(threads[i], NULL);
	must(&l, life_delete(&l, ANCHOR, ""), "delete", ANCHOR);
	must(&l, life_remove(&l, ANCHOR), "remove", ANCHOR);
	if (!all_told())
		complain("events are missing");
	if (argc > 7)
		write_stories(argv[7]);
	printf("%u lives, %u bad\n", load.lives, (unsigned)load.bad);
	(void)fflush(stdout);
	_exit(load.bad > 0 ? 1 : 0); /* the listener is in the middle of it */
}
