/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_util.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "os/spawn.h"
#include "rpc/channel.h"

#define ARENA_BYTES ((size_t)64 << 20)

_Noreturn void bench_die(const char *what, const struct err *err)
{
	(void)fprintf(stderr, "%s: %s\n", what, err_text(err));
	exit(1);
}

/* Looked up once: the client's time counts in every row. */
static struct ctx usual;

static void read_environment(void)
{
	usual.ns = str_or(getenv("BENCH_NS"), "bench");
	usual.lease = getenv("BENCH_LEASE");
}

struct ctx bench_ctx(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, read_environment);
	return usual;
}

struct channel *bench_dial(const char *address)
{
	struct ctx ctx = bench_ctx();
	AUTO_ERR struct err err = { 0 };
	struct channel *c;

	if (channel_open_grpc(NULL, address, &ctx, &c, &err) < 0)
		bench_die("connect", &err);
	return c;
}

struct ProtobufCMessage *bench_call(struct channel *c, struct arena *arena, const char *service,
		const char *method, const void *request,
		const struct ProtobufCMessageDescriptor *response)
{
	struct ctx ctx = bench_ctx();
	AUTO_ERR struct err err = { 0 };
	struct ProtobufCMessage *answer = NULL;

	if (channel_call(c, &ctx, service, method, request, response, arena, &answer, &err) < 0)
		bench_die(method, &err);
	return answer;
}

size_t bench_count(const char *text)
{
	uint32_t n;

	if (!str_u32(text, &n) || n == 0 || n > INT32_MAX) {
		(void)fprintf(stderr, "bad count: %s\n", text);
		exit(2);
	}
	return n;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

void bench_sort(int64_t *ns, size_t count)
{
	qsort(ns, count, sizeof(*ns), by_value);
}

void bench_percentiles(int64_t *ns, size_t count)
{
	bench_sort(ns, count);
	printf("%.1f %.1f %.1f\n", (double)ns[count / 2] / 1e3,
			(double)ns[count * 99 / 100] / 1e3, (double)ns[count - 1] / 1e3);
}

struct crowd {
	const char *address;
	size_t count;
	atomic_size_t next;
	pthread_barrier_t start;
	void (*once)(struct bench_client *c, size_t number);
	const void *arg;
	int64_t *each;
};

static void *run_client(void *arg)
{
	struct crowd *crowd = arg;
	AUTO_ARENA struct arena arena = { 0 };
	struct bench_client c = { bench_dial(crowd->address), &arena, crowd->arg };
	size_t i;

	arena_init(&arena, ARENA_BYTES);
	(void)pthread_barrier_wait(&crowd->start);
	while ((i = atomic_fetch_add(&crowd->next, 1)) < crowd->count) {
		int64_t start = clock_mono_ns();

		crowd->once(&c, i);
		if (crowd->each != NULL)
			crowd->each[i] = clock_mono_ns() - start;
		arena_reset(&arena);
	}
	channel_unref(c.channel);
	return NULL;
}

int64_t bench_clients(const char *address, size_t clients, size_t count,
		void (*once)(struct bench_client *c, size_t number), const void *arg,
		int64_t *each)
{
	struct crowd crowd = {
		.address = address, .count = count, .once = once, .arg = arg, .each = each
	};
	AUTO_FREE unsigned long *threads = xcalloc(clients, sizeof(*threads));
	int64_t start;

	(void)pthread_barrier_init(&crowd.start, NULL, (unsigned)clients + 1);
	for (size_t i = 0; i < clients; i++)
		if (thread_start(&threads[i], run_client, &crowd, "client") < 0)
			exit(1);
	(void)pthread_barrier_wait(&crowd.start);
	start = clock_mono_ns();
	for (size_t i = 0; i < clients; i++)
		thread_join(threads[i]);
	start = clock_mono_ns() - start;
	(void)pthread_barrier_destroy(&crowd.start);
	return start;
}

pid_t bench_spawn(char **argv)
{
	struct spawn s = {
		.path = argv[0], .argv = argv, .fds = { -1, -1, -1 }, .fd_count = 3
	};
	pid_t pid;
	int rc = spawn_child(&s, &pid, NULL);

	if (rc < 0) {
		(void)fprintf(stderr, "%s: %s\n", argv[0], errno_text(-rc));
		exit(1);
	}
	return pid;
}
