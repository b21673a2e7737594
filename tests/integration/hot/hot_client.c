/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that a change of daemons must not disturb, for hot_restart.bats:
 *
 *   hammer SOCKET kept|fresh|light   calls without a pause, over one connection or each over
 * its own, until SIGTERM; then "calls N failed N longest_us N p50_us N". "light": over one, and
 * without what wakes every shim write SOCKET REF DIGEST    an upload of "c"s, one block for
 * each line read ("w"), committed with DIGEST at "c" read SOCKET DIGEST         a download of
 * "c"s: a message for each line read, at "r" the rest
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb/containers.pb-c.h"
#include "api/pb/content.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/leases.pb-c.h"
#include "api/pb/tasks.pb-c.h"
#include "api/pb/version.pb-c.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "rpc/channel.h"

#define BLOCK	((size_t)256 * 1024)
#define CONTENT "containerd.services.content.v1.Content"
#define SAMPLES 1000000

static struct ctx ctx = { .ns = "default" };
static volatile sig_atomic_t must_end;

static void die(const char *what, const struct err *err)
{
	printf("%s: %s\n", what, err_text(err));
	exit(1);
}

static void on_term(int signo)
{
	must_end = 1;
}

/* --- hammer --- */

struct hammer {
	const char *address;
	bool is_kept;
	struct channel *channel;
	struct arena arena;
	size_t calls, failed;
	int64_t longest_ns, *samples;
	char *first;
};

static int call(struct hammer *h, const char *service, const char *method, const void *request,
		const ProtobufCMessageDescriptor *response, struct err *err)
{
	ProtobufCMessage *answer = NULL;

	if (h->channel == NULL &&
			channel_open_grpc(NULL, h->address, &ctx, &h->channel, err) < 0)
		return -1;
	return channel_call(h->channel, &ctx, service, method, request, response, &h->arena,
			&answer, err);
}

static void strike(struct hammer *h, const char *service, const char *method,
		const void *request, const ProtobufCMessageDescriptor *response)
{
	AUTO_ERR struct err err = { 0 };
	int64_t start = clock_mono_ns(), took;

	if (call(h, service, method, request, response, &err) < 0) {
		h->failed++;
		if (h->first == NULL)
			h->first = xasprintf("%s: %s", method, err_text(&err));
		channel_unref(take_ptr(h->channel));
	}
	took = clock_mono_ns() - start;
	h->samples[h->calls % SAMPLES] = took;
	h->longest_ns = took > h->longest_ns ? took : h->longest_ns;
	h->calls++;
	arena_reset(&h->arena);
	if (!h->is_kept)
		channel_unref(take_ptr(h->channel));
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void report(struct hammer *h)
{
	size_t n = h->calls < SAMPLES ? h->calls : SAMPLES;

	qsort(h->samples, n, sizeof(*h->samples), by_value);
	printf("calls %zu failed %zu longest_us %lld p50_us %lld", h->calls, h->failed,
			(long long)(h->longest_ns / NS_PER_US),
			n == 0 ? 0 : (long long)(h->samples[n / 2] / NS_PER_US));
	printf(h->first == NULL ? "\n" : " first %s\n", h->first);
}

static int hammer(const char *address, const char *how)
{
	struct hammer h = { .address = address, .is_kept = strcmp(how, "fresh") != 0 };
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
	Containers__ListContainersRequest list = CONTAINERS__LIST_CONTAINERS_REQUEST__INIT;
	Tasks__ListTasksRequest tasks = TASKS__LIST_TASKS_REQUEST__INIT;
	Leases__CreateRequest lease = LEASES__CREATE_REQUEST__INIT;
	Leases__DeleteRequest drop = LEASES__DELETE_REQUEST__INIT;
	AUTO_FREE char *id = xasprintf("hammer-%s-%lld", how, (long long)clock_mono_ns());

	h.samples = xcalloc(SAMPLES, sizeof(*h.samples));
	arena_init(&h.arena, SIZE_MAX);
	lease.id = drop.id = id;
	while (!must_end) {
		strike(&h, "containerd.services.version.v1.Version", "Version", &empty,
				&version__version_response__descriptor);
		strike(&h, "containerd.services.containers.v1.Containers", "List", &list,
				&containers__list_containers_response__descriptor);
		if (strcmp(how, "light") != 0)
			strike(&h, "containerd.services.tasks.v1.Tasks", "List", &tasks,
					&tasks__list_tasks_response__descriptor);
		strike(&h, "containerd.services.leases.v1.Leases", "Create", &lease,
				&leases__create_response__descriptor);
		strike(&h, "containerd.services.leases.v1.Leases", "Delete", &drop,
				&google__protobuf__empty__descriptor);
	}
	report(&h);
	channel_unref(h.channel);
	arena_done(&h.arena);
	free(h.samples);
	free(h.first);
	return 0;
}

/* --- streams --- */

static struct rpc_stream *open_stream(const char *address, const char *method)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(channel_unref) struct channel *c = NULL;
	struct rpc_stream *s = NULL;

	if (channel_open_grpc(NULL, address, &ctx, &c, &err) < 0 ||
			channel_stream(c, &ctx, CONTENT, method, &s, &err) < 0)
		die(method, &err);
	return s;
}

static int next_order(void)
{
	char line[16];

	return fgets(line, sizeof(line), stdin) == NULL ? EOF : line[0];
}

static int64_t written(struct rpc_stream *s, const Content__WriteContentRequest *r)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *m = NULL;

	arena_init(&a, SIZE_MAX);
	if (rpc_stream_send(s, &r->base, &err) < 0 ||
			rpc_stream_recv(s, &content__write_content_response__descriptor, &a, &m,
					&err) != 1)
		die("write", &err);
	return ((Content__WriteContentResponse *)m)->offset;
}

static int write_blob(const char *address, const char *ref, const char *digest)
{
	AUTO(rpc_stream_free) struct rpc_stream *s = open_stream(address, "Write");
	AUTO_FREE char *block = xmalloc(BLOCK);
	Content__WriteContentRequest r = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	int64_t offset = 0;
	int order;

	memset(block, 'c', BLOCK);
	r.ref = (char *)(uintptr_t)ref;
	while ((order = next_order()) != EOF) {
		r.action = order == 'c' ? CONTENT__WRITE_ACTION__COMMIT
					: CONTENT__WRITE_ACTION__WRITE;
		r.offset = offset;
		r.data.data = (uint8_t *)block;
		r.data.len = order == 'c' ? 0 : BLOCK;
		if (order == 'c')
			r.expected = (char *)(uintptr_t)digest;
		offset = written(s, &r);
		r.ref = (char *)(uintptr_t) "";
		printf("%s %lld\n", order == 'c' ? "committed" : "offset", (long long)offset);
		(void)fflush(stdout);
		if (order == 'c')
			return 0;
	}
	return 1;
}

static int read_blob(const char *address, const char *digest)
{
	AUTO(rpc_stream_free) struct rpc_stream *s = open_stream(address, "Read");
	Content__ReadContentRequest r = CONTENT__READ_CONTENT_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *m = NULL;
	bool rest = false;
	size_t total = 0;
	int rc;

	arena_init(&a, SIZE_MAX);
	r.digest = (char *)(uintptr_t)digest;
	if (rpc_stream_send(s, &r.base, &err) < 0 || rpc_stream_close_send(s, &err) < 0)
		die("read", &err);
	do {
		const Content__ReadContentResponse *part;

		rest = rest || next_order() == 'r';
		rc = rpc_stream_recv(
				s, &content__read_content_response__descriptor, &a, &m, &err);
		if (rc <= 0)
			break;
		part = (const Content__ReadContentResponse *)m;
		if ((size_t)part->offset != total)
			die("a part is missing, or comes twice", &err);
		for (size_t i = 0; i < part->data.len; i++)
			if (part->data.data[i] != 'c')
				die("wrong byte", &err);
		total += part->data.len;
		if (!rest)
			printf("offset %zu\n", total);
		(void)fflush(stdout);
		arena_reset(&a);
	} while (true);
	if (rc < 0)
		die("read", &err);
	printf("read %zu\n", total);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction end = { .sa_handler = on_term };

	(void)sigaction(SIGTERM, &end, NULL);
	if (argc == 4 && strcmp(argv[1], "hammer") == 0)
		return hammer(argv[2], argv[3]);
	if (argc == 5 && strcmp(argv[1], "write") == 0)
		return write_blob(argv[2], argv[3], argv[4]);
	if (argc == 4 && strcmp(argv[1], "read") == 0)
		return read_blob(argv[2], argv[3]);
	return 2;
}
