/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of the benchmarks: the same calls to whichever daemon listens, timed here. Each
 * sub-command prints one line of numbers; bench/run.py alternates daemons and makes the table.
 *
 *   version SOCKET COUNT          p50, p99 and worst of a Version round trip, in us
 *   boot SOCKET DAEMON ARG…       us from spawn to the first answer; then TERM and its end
 *   lifecycle SOCKET PARENT SPEC COUNT   us per create task … delete of SPEC's process, p50
 *   start SOCKET PARENT SPEC ID   makes container and task ID and leaves it running
 *   stop SOCKET ID                kills and removes it
 *   bare RUNTIME BUNDLE COUNT     us per create + start + delete by the runtime alone, p50
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_util.h"

#include "api/arena.h"
#include "api/pb/containers.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/snapshots.pb-c.h"
#include "api/pb/tasks.pb-c.h"
#include "api/pb/version.pb-c.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/spawn.h"
#include "rpc/channel.h"

#define SPEC_TYPE "types.containerd.io/opencontainers/runtime-spec/1/Spec"
#define TASKS	  "containerd.services.tasks.v1.Tasks"

static void version_once(struct channel *c, struct arena *arena)
{
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;

	(void)bench_call(c, arena, "containerd.services.version.v1.Version", "Version",
			&empty.base, &version__version_response__descriptor);
	arena_reset(arena);
}

static int do_version(char **argv)
{
	struct channel *c = bench_dial(argv[0]);
	size_t count = bench_count(argv[1]);
	int64_t *ns = xcalloc(count, sizeof(*ns));
	AUTO_ARENA struct arena arena = { 0 };

	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < count / 10 + 1; i++)
		version_once(c, &arena);
	for (size_t i = 0; i < count; i++) {
		int64_t start = clock_mono_ns();

		version_once(c, &arena);
		ns[i] = clock_mono_ns() - start;
	}
	bench_percentiles(ns, count);
	free(ns);
	channel_unref(c);
	return 0;
}

static bool listens(const char *address)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", address);
	return connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0;
}

static pid_t spawn_or_die(char **argv, int out)
{
	struct spawn s = {
		.path = argv[0], .argv = argv, .fds = { -1, out, out }, .fd_count = 3
	};
	pid_t pid;
	int rc = spawn_child(&s, &pid, NULL);

	if (rc < 0) {
		(void)fprintf(stderr, "%s: %s\n", argv[0], errno_text(-rc));
		exit(1);
	}
	return pid;
}

static int do_boot(char **argv)
{
	AUTO_ARENA struct arena arena = { 0 };
	int64_t start = clock_mono_ns(), ready;
	struct channel *c;
	pid_t pid = spawn_or_die(argv + 1, -1);
	int status;

	arena_init(&arena, 1 << 20);
	while (!listens(argv[0]))
		if (waitpid(pid, &status, WNOHANG) == pid)
			exit(1);
	c = bench_dial(argv[0]);
	version_once(c, &arena);
	ready = clock_mono_ns() - start;
	channel_unref(c);
	(void)kill(pid, SIGTERM);
	(void)waitpid(pid, &status, 0);
	printf("%.1f\n", (double)ready / 1e3);
	return 0;
}

static void read_spec(const char *path, struct buf *spec)
{
	int rc = io_read_file(-1, path, spec);

	if (rc < 0) {
		(void)fprintf(stderr, "%s: %s\n", path, errno_text(-rc));
		exit(1);
	}
}

static void make_container(
		struct channel *c, struct arena *arena, const char *id, const struct buf *spec)
{
	Containers__Container container = CONTAINERS__CONTAINER__INIT;
	Containers__Container__Runtime runtime = CONTAINERS__CONTAINER__RUNTIME__INIT;
	Containers__CreateContainerRequest request = CONTAINERS__CREATE_CONTAINER_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.type_url = (char *)SPEC_TYPE;
	any.value = (ProtobufCBinaryData){ spec->size, (uint8_t *)spec->data };
	runtime.name = "io.containerd.runc.v2";
	container.id = id;
	container.runtime = &runtime;
	container.spec = &any;
	container.snapshotter = "overlayfs";
	container.snapshot_key = id;
	request.container = &container;
	(void)bench_call(c, arena, CONTAINERS, "Create", &request,
			&containers__create_container_response__descriptor);
}

static void start_task(struct channel *c, struct arena *arena, const char *id,
		Snapshots__PrepareSnapshotResponse *rootfs)
{
	Tasks__CreateTaskRequest create = TASKS__CREATE_TASK_REQUEST__INIT;
	Tasks__StartRequest start = TASKS__START_REQUEST__INIT;

	create.container_id = id;
	create.n_rootfs = rootfs->n_mounts;
	create.rootfs = rootfs->mounts;
	(void)bench_call(c, arena, TASKS, "Create", &create,
			&tasks__create_task_response__descriptor);
	start.container_id = id;
	(void)bench_call(c, arena, TASKS, "Start", &start, &tasks__start_response__descriptor);
}

static Snapshots__PrepareSnapshotResponse *prepare(
		struct channel *c, struct arena *arena, const char *id, const char *parent)
{
	Snapshots__PrepareSnapshotRequest request = SNAPSHOTS__PREPARE_SNAPSHOT_REQUEST__INIT;

	request.snapshotter = "overlayfs";
	request.key = id;
	request.parent = parent;
	return (Snapshots__PrepareSnapshotResponse *)bench_call(c, arena, SNAPSHOTS, "Prepare",
			&request, &snapshots__prepare_snapshot_response__descriptor);
}

static void wait_and_delete(struct channel *c, struct arena *arena, const char *id)
{
	Tasks__WaitRequest wait = TASKS__WAIT_REQUEST__INIT;
	Tasks__DeleteTaskRequest del = TASKS__DELETE_TASK_REQUEST__INIT;

	wait.container_id = id;
	(void)bench_call(c, arena, TASKS, "Wait", &wait, &tasks__wait_response__descriptor);
	del.container_id = id;
	(void)bench_call(c, arena, TASKS, "Delete", &del, &tasks__delete_response__descriptor);
}

static void remove_container(struct channel *c, struct arena *arena, const char *id)
{
	Containers__DeleteContainerRequest del = CONTAINERS__DELETE_CONTAINER_REQUEST__INIT;
	Snapshots__RemoveSnapshotRequest snap = SNAPSHOTS__REMOVE_SNAPSHOT_REQUEST__INIT;

	/* The snapshot first: once its container is gone, a collection may take it. */
	snap.snapshotter = "overlayfs";
	snap.key = id;
	(void)bench_call(c, arena, SNAPSHOTS, "Remove", &snap,
			&google__protobuf__empty__descriptor);
	del.id = id;
	(void)bench_call(c, arena, CONTAINERS, "Delete", &del,
			&google__protobuf__empty__descriptor);
}

static int do_lifecycle(char **argv)
{
	struct channel *c = bench_dial(argv[0]);
	AUTO_BUF struct buf spec = { .limit = 1 << 20 };
	size_t count = bench_count(argv[3]);
	int64_t *ns = xcalloc(count, sizeof(*ns));
	AUTO_ARENA struct arena arena = { 0 };

	arena_init(&arena, 16 << 20);
	read_spec(argv[2], &spec);
	for (size_t i = 0; i < count; i++) {
		AUTO_FREE char *id = xasprintf("bench-%d-%zu", (int)getpid(), i);
		Snapshots__PrepareSnapshotResponse *rootfs;
		int64_t start;

		make_container(c, &arena, id, &spec);
		rootfs = prepare(c, &arena, id, argv[1]);
		start = clock_mono_ns();
		start_task(c, &arena, id, rootfs);
		wait_and_delete(c, &arena, id);
		ns[i] = clock_mono_ns() - start;
		remove_container(c, &arena, id);
		arena_reset(&arena);
	}
	bench_percentiles(ns, count);
	free(ns);
	channel_unref(c);
	return 0;
}

static int do_start(char **argv)
{
	struct channel *c = bench_dial(argv[0]);
	AUTO_BUF struct buf spec = { .limit = 1 << 20 };
	AUTO_ARENA struct arena arena = { 0 };

	arena_init(&arena, 16 << 20);
	read_spec(argv[2], &spec);
	make_container(c, &arena, argv[3], &spec);
	start_task(c, &arena, argv[3], prepare(c, &arena, argv[3], argv[1]));
	channel_unref(c);
	return 0;
}

static int do_stop(char **argv)
{
	struct channel *c = bench_dial(argv[0]);
	Tasks__KillRequest kill_request = TASKS__KILL_REQUEST__INIT;
	AUTO_ARENA struct arena arena = { 0 };

	arena_init(&arena, 16 << 20);
	kill_request.container_id = argv[1];
	kill_request.signal = SIGKILL;
	(void)bench_call(c, &arena, TASKS, "Kill", &kill_request,
			&google__protobuf__empty__descriptor);
	wait_and_delete(c, &arena, argv[1]);
	remove_container(c, &arena, argv[1]);
	channel_unref(c);
	return 0;
}

static void run_to_end(char **argv)
{
	pid_t pid = spawn_or_die(argv, -1);
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		(void)fprintf(stderr, "%s %s failed\n", argv[0], argv[1]);
		exit(1);
	}
}

static int do_bare(char **argv)
{
	size_t count = bench_count(argv[2]);
	int64_t *ns = xcalloc(count, sizeof(*ns));

	for (size_t i = 0; i < count; i++) {
		AUTO_FREE char *id = xasprintf("bare-%d-%zu", (int)getpid(), i);
		char *create[] = { argv[0], (char *)"create", (char *)"--bundle", argv[1], id,
			NULL };
		char *start[] = { argv[0], (char *)"start", id, NULL };
		char *del[] = { argv[0], (char *)"delete", (char *)"--force", id, NULL };
		int64_t from = clock_mono_ns();

		run_to_end(create);
		run_to_end(start);
		run_to_end(del);
		ns[i] = clock_mono_ns() - from;
	}
	bench_percentiles(ns, count);
	free(ns);
	return 0;
}

static const struct bench_command commands[] = {
	{ "version", 2, do_version },
	{ "boot", 2, do_boot },
	{ "lifecycle", 4, do_lifecycle },
	{ "start", 4, do_start },
	{ "stop", 2, do_stop },
	{ "bare", 3, do_bare },
	{ 0 },
};

static const struct bench_command *find(
		const struct bench_command *in, const char *name, int args)
{
	for (; in->name != NULL; in++)
		if (str_eq(in->name, name) && args >= in->args)
			return in;
	return NULL;
}

int main(int argc, char **argv)
{
	const struct bench_command *c = NULL;

	/* The memory of large messages is used again, not mapped anew: the client's time counts
	 * in every row. */
	(void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
	if (argc >= 2) {
		c = find(commands, argv[1], argc - 2);
		if (c == NULL)
			c = find(store_commands, argv[1], argc - 2);
		if (c == NULL)
			c = find(restart_commands, argv[1], argc - 2);
	}
	if (c != NULL)
		return c->run(argv + 2);
	(void)fprintf(stderr, "usage: see the heads of bench/bench*.c\n");
	return 2;
}
