/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of the benchmarks: the same calls to whichever daemon listens, timed here. Each
 * sub-command prints one line of numbers; bench/run.py alternates daemons and makes the table.
 *
 *   version SOCKET COUNT          p50, p99 and worst of a Version round trip, in us
 *   boot SOCKET DAEMON ARG…       us from spawn to the first answer; then TERM and its end
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
#include "api/pb/empty.pb-c.h"
#include "api/pb/version.pb-c.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/spawn.h"
#include "rpc/channel.h"

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

static int do_boot(char **argv)
{
	AUTO_ARENA struct arena arena = { 0 };
	int64_t start = clock_mono_ns(), ready;
	struct channel *c;
	pid_t pid = bench_spawn(argv + 1);
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

static const struct bench_command commands[] = {
	{ "version", 2, do_version },
	{ "boot", 2, do_boot },
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
		if (c == NULL)
			c = find(task_commands, argv[1], argc - 2);
	}
	if (c != NULL)
		return c->run(argv + 2);
	(void)fprintf(stderr, "usage: see the heads of bench/bench*.c\n");
	return 2;
}
