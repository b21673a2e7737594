/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers that run:
 *
 *   lifecycle SOCKET PARENT SPEC COUNT   us per create task … delete of SPEC's process, p50
 *   parallel SOCKET PARENT SPEC COUNT CLIENTS   such lives, with their containers, per second
 *   exec SOCKET ID COUNT          us per exec … delete of /bin/true in a task, p50
 *   output SOCKET PARENT SPEC FIFO   MB/s of what SPEC's process writes, and how many bytes
 *   start SOCKET PARENT SPEC ID   makes container and task ID and leaves it running
 *   stop SOCKET ID                kills and removes it
 *   bare RUNTIME BUNDLE COUNT     us per create + start + delete by the runtime alone, p50
 *   bare-exec RUNTIME ROOT ID COUNT   us per exec of /bin/true by the runtime alone, p50
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_util.h"

#include "api/arena.h"
#include "api/pb/containers.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/snapshots.pb-c.h"
#include "api/pb/tasks.pb-c.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "rpc/channel.h"

#define SPEC_TYPE    "types.containerd.io/opencontainers/runtime-spec/1/Spec"
#define PROCESS_TYPE "types.containerd.io/opencontainers/runtime-spec/1/Process"
#define TASKS	     "containerd.services.tasks.v1.Tasks"

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

/* Without streams, or with output and errors to fifos. */
static void start_task(struct channel *c, struct arena *arena, const char *id,
		Snapshots__PrepareSnapshotResponse *rootfs, const char *out, const char *err)
{
	Tasks__CreateTaskRequest create = TASKS__CREATE_TASK_REQUEST__INIT;
	Tasks__StartRequest start = TASKS__START_REQUEST__INIT;

	create.container_id = id;
	create.n_rootfs = rootfs->n_mounts;
	create.rootfs = rootfs->mounts;
	create.stdout = out;
	create.stderr = err;
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

struct life {
	const char *parent;
	struct buf spec;
};

/* ns from the creation of the task to its deletion. */
static int64_t live(struct channel *c, struct arena *arena, const struct life *l, size_t number)
{
	AUTO_FREE char *id = xasprintf("bench-%d-%zu", (int)getpid(), number);
	Snapshots__PrepareSnapshotResponse *rootfs;
	int64_t ns;

	make_container(c, arena, id, &l->spec);
	rootfs = prepare(c, arena, id, l->parent);
	ns = clock_mono_ns();
	start_task(c, arena, id, rootfs, "", "");
	wait_and_delete(c, arena, id);
	ns = clock_mono_ns() - ns;
	remove_container(c, arena, id);
	arena_reset(arena);
	return ns;
}

static int do_lifecycle(char **argv)
{
	struct channel *c = bench_dial(argv[0]);
	struct life l = { argv[1], { .limit = 1 << 20 } };
	size_t count = bench_count(argv[3]);
	int64_t *ns = xcalloc(count, sizeof(*ns));
	AUTO_ARENA struct arena arena = { 0 };

	arena_init(&arena, 16 << 20);
	read_spec(argv[2], &l.spec);
	for (size_t i = 0; i < count; i++)
		ns[i] = live(c, &arena, &l, i);
	bench_percentiles(ns, count);
	buf_done(&l.spec);
	free(ns);
	channel_unref(c);
	return 0;
}

static void live_once(struct bench_client *c, size_t number)
{
	(void)live(c->channel, c->arena, c->arg, number);
}

static int do_parallel(char **argv)
{
	struct life l = { argv[1], { .limit = 1 << 20 } };
	size_t count = bench_count(argv[3]);
	int64_t ns;

	read_spec(argv[2], &l.spec);
	ns = bench_clients(argv[0], bench_count(argv[4]), count, live_once, &l, NULL);
	printf("%.2f\n", (double)count * 1e9 / (double)ns);
	buf_done(&l.spec);
	return 0;
}

/* --- execs -------------------------------------------------------------------------------- */

static int64_t exec_once(
		struct channel *c, struct arena *arena, const char *id, const char *exec_id)
{
	static const char process[] =
			"{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/bin/true\"],"
			"\"env\":[\"PATH=/bin\"],\"cwd\":\"/\"}";
	Tasks__ExecProcessRequest exec = TASKS__EXEC_PROCESS_REQUEST__INIT;
	Tasks__StartRequest start = TASKS__START_REQUEST__INIT;
	Tasks__WaitRequest wait = TASKS__WAIT_REQUEST__INIT;
	Tasks__DeleteProcessRequest del = TASKS__DELETE_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	int64_t ns = clock_mono_ns();

	any.type_url = (char *)PROCESS_TYPE;
	any.value = (ProtobufCBinaryData){ sizeof(process) - 1, (uint8_t *)(uintptr_t)process };
	exec.container_id = start.container_id = wait.container_id = del.container_id = id;
	exec.exec_id = start.exec_id = wait.exec_id = del.exec_id = exec_id;
	exec.spec = &any;
	(void)bench_call(c, arena, TASKS, "Exec", &exec, &google__protobuf__empty__descriptor);
	(void)bench_call(c, arena, TASKS, "Start", &start, &tasks__start_response__descriptor);
	(void)bench_call(c, arena, TASKS, "Wait", &wait, &tasks__wait_response__descriptor);
	(void)bench_call(c, arena, TASKS, "DeleteProcess", &del,
			&tasks__delete_response__descriptor);
	arena_reset(arena);
	return clock_mono_ns() - ns;
}

static int do_exec(char **argv)
{
	struct channel *c = bench_dial(argv[0]);
	size_t count = bench_count(argv[2]);
	int64_t *ns = xcalloc(count, sizeof(*ns));
	AUTO_ARENA struct arena arena = { 0 };

	arena_init(&arena, 16 << 20);
	for (size_t i = 0; i < count; i++) {
		AUTO_FREE char *exec_id = xasprintf("e%zu", i);

		ns[i] = exec_once(c, &arena, argv[1], exec_id);
	}
	bench_percentiles(ns, count);
	free(ns);
	channel_unref(c);
	return 0;
}

/* --- output ------------------------------------------------------------------------------- */

static size_t read_to_end(int fd)
{
	size_t size = 1 << 20, total = 0;
	AUTO_FREE char *data = xmalloc(size);
	ssize_t n;

	while ((n = read(fd, data, size)) > 0)
		total += (size_t)n;
	return total;
}

static int open_fifo(const char *path)
{
	int fd;

	(void)unlink(path);
	if (mkfifo(path, 0600) < 0 || (fd = open(path, O_RDONLY | O_NONBLOCK)) < 0 ||
			fcntl(fd, F_SETFL, 0) < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

static int do_output(char **argv)
{
	struct channel *c = bench_dial(argv[0]);
	struct life l = { argv[1], { .limit = 1 << 20 } };
	AUTO_FREE char *id = xasprintf("bench-out-%d", (int)getpid());
	AUTO_ARENA struct arena arena = { 0 };
	AUTO_FREE char *err_path = xasprintf("%s.err", argv[3]);
	size_t total;
	int64_t ns;
	int fd, err_fd;

	arena_init(&arena, 16 << 20);
	read_spec(argv[2], &l.spec);
	make_container(c, &arena, id, &l.spec);
	fd = open_fifo(argv[3]);
	err_fd = open_fifo(err_path);
	ns = clock_mono_ns();
	start_task(c, &arena, id, prepare(c, &arena, id, argv[1]), argv[3], err_path);
	total = read_to_end(fd);
	ns = clock_mono_ns() - ns;
	wait_and_delete(c, &arena, id);
	remove_container(c, &arena, id);
	printf("%.2f %zu\n", (double)total * 1e3 / (double)ns, total);
	buf_done(&l.spec);
	channel_unref(c);
	(void)close(err_fd);
	return close(fd);
}

static int do_start(char **argv)
{
	struct channel *c = bench_dial(argv[0]);
	AUTO_BUF struct buf spec = { .limit = 1 << 20 };
	AUTO_ARENA struct arena arena = { 0 };

	arena_init(&arena, 16 << 20);
	read_spec(argv[2], &spec);
	make_container(c, &arena, argv[3], &spec);
	start_task(c, &arena, argv[3], prepare(c, &arena, argv[3], argv[1]), "", "");
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
	pid_t pid = bench_spawn(argv);
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

static int do_bare_exec(char **argv)
{
	size_t count = bench_count(argv[3]);
	int64_t *ns = xcalloc(count, sizeof(*ns));
	char *exec[] = { argv[0], (char *)"--root", argv[1], (char *)"exec", argv[2],
		(char *)"/bin/true", NULL };

	for (size_t i = 0; i < count; i++) {
		ns[i] = clock_mono_ns();
		run_to_end(exec);
		ns[i] = clock_mono_ns() - ns[i];
	}
	bench_percentiles(ns, count);
	free(ns);
	return 0;
}

const struct bench_command task_commands[] = {
	{ "lifecycle", 4, do_lifecycle },
	{ "parallel", 5, do_parallel },
	{ "exec", 3, do_exec },
	{ "output", 4, do_output },
	{ "start", 4, do_start },
	{ "stop", 2, do_stop },
	{ "bare", 3, do_bare },
	{ "bare-exec", 4, do_bare_exec },
	{ 0 },
};
