/* SPDX-License-Identifier: Apache-2.0 */
/* What the sub-commands of the bench client share. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/ctx.h"

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;
struct arena;
struct channel;
struct err;

#define SNAPSHOTS  "containerd.services.snapshots.v1.Snapshots"
#define CONTAINERS "containerd.services.containers.v1.Containers"

/* Namespace "bench", or BENCH_NS; lease BENCH_LEASE. */
struct ctx bench_ctx(void);
_Noreturn void bench_die(const char *what, const struct err *err);
/* These end the program when they fail. */
struct channel *bench_dial(const char *address);
/* The answer is lost when "arena" is reset. */
struct ProtobufCMessage *bench_call(struct channel *c, struct arena *arena, const char *service,
		const char *method, const void *request,
		const struct ProtobufCMessageDescriptor *response);
/* A child without streams; ends the program when it cannot be started. */
pid_t bench_spawn(char **argv);
size_t bench_count(const char *text);
void bench_sort(int64_t *ns, size_t count);
/* Sorts, and prints p50, p99 and the worst in us. */
void bench_percentiles(int64_t *ns, size_t count);

/* Runs "once" for every number below "count" on as many threads as clients, each with a
 * connection of its own, and returns the ns that took. Element i of "each" (NULL: not wanted)
 * gets the ns of number i. */
struct bench_client {
	struct channel *channel;
	struct arena *arena;
	const void *arg;
};
int64_t bench_clients(const char *address, size_t clients, size_t count,
		void (*once)(struct bench_client *c, size_t number), const void *arg,
		int64_t *each);

/* A sub-command and how many arguments it needs at least. */
struct bench_command {
	const char *name;
	int args;
	int (*run)(char **argv);
};
extern const struct bench_command task_commands[];
extern const struct bench_command store_commands[]; /* ends with a NULL name */
extern const struct bench_command restart_commands[];
