/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon with many containers that is replaced, or has shims that hang.
 *
 *   tasks SOCKET COUNT ID             p50, p99 and worst of Version, Containers.Get and
 * Tasks.Get of a healthy task, in us asked SOCKET DEADLINE_MS ID…      Tasks.Get of each, all
 * at once: how many were answered, one way or the other, and the us until the last was
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/arena.h"
#include "api/pb/containers.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/tasks.pb-c.h"
#include "api/pb/version.pb-c.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "bench_util.h"
#include "loop/loop.h"
#include "rpc/channel.h"

#define TASKS "containerd.services.tasks.v1.Tasks"

static int do_tasks(char **argv)
{
	struct channel *c = bench_dial(argv[0]);
	size_t count = bench_count(argv[1]);
	int64_t *ns = xcalloc(count * 3, sizeof(*ns));
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
	Containers__GetContainerRequest container = CONTAINERS__GET_CONTAINER_REQUEST__INIT;
	Tasks__GetRequest task = TASKS__GET_REQUEST__INIT;
	AUTO_ARENA struct arena arena = { 0 };

	arena_init(&arena, SIZE_MAX);
	container.id = task.container_id = argv[2];
	for (size_t i = 0; i < count * 3; i++) {
		int64_t start = clock_mono_ns();

		if (i % 3 == 0)
			(void)bench_call(c, &arena, "containerd.services.version.v1.Version",
					"Version", &empty,
					&version__version_response__descriptor);
		else if (i % 3 == 1)
			(void)bench_call(c, &arena, CONTAINERS, "Get", &container,
					&containers__get_container_response__descriptor);
		else
			(void)bench_call(c, &arena, TASKS, "Get", &task,
					&tasks__get_response__descriptor);
		ns[i] = clock_mono_ns() - start;
		arena_reset(&arena);
	}
	bench_percentiles(ns, count * 3);
	free(ns);
	channel_unref(c);
	return 0;
}

struct asked {
	size_t left, answered;
	int64_t start, last;
};

static void answered(void *arg, const struct rpc_answer *answer)
{
	struct asked *a = arg;

	a->left--;
	a->answered++;
	a->last = clock_mono_ns() - a->start;
}

static int do_asked(char **argv)
{
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = bench_ctx();
	struct loop *loop = loop_new();
	struct channel *c = NULL;
	struct asked a = { .start = clock_mono_ns() };
	int64_t until = a.start + 30 * NS_PER_S;

	if (channel_open_grpc(loop, argv[0], &ctx, &c, &err) < 0)
		bench_die("connect", &err);
	ctx.deadline_ns = a.start + (int64_t)bench_count(argv[1]) * NS_PER_MS;
	for (char **id = argv + 2; *id != NULL; id++) {
		Tasks__GetRequest task = TASKS__GET_REQUEST__INIT;

		task.container_id = *id;
		a.left++;
		channel_start(c, &ctx, TASKS, "Get", &task.base, answered, &a);
	}
	while (a.left > 0 && clock_mono_ns() < until)
		loop_run_once(loop, 1000);
	printf("%zu %.1f\n", a.answered, (double)a.last / 1e3);
	channel_unref(c);
	loop_run_once(loop, 0);
	loop_free(loop);
	return 0;
}

const struct bench_command restart_commands[] = {
	{ "tasks", 3, do_tasks },
	{ "asked", 3, do_asked },
	{ 0 },
};
