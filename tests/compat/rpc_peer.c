/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our gRPC and ttrpc clients against a containerd, whoever's: rpc_peer GRPC_SOCKET TTRPC_SOCKET
 * DIGEST, the last of 20 MiB of the letter c.
 * Prints what it checked; ends with 1 at the first thing that is not as it should be.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb/content.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/events.pb-c.h"
#include "api/pb/namespaces.pb-c.h"
#include "api/pb/ttrpc_events.pb-c.h"
#include "api/pb/version.pb-c.h"
#include "api/timestamp.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/thread.h"
#include "loop/loop.h"
#include "rpc/channel.h"

#define NAMESPACES "containerd.services.namespaces.v1.Namespaces"
#define CONTENT	   "containerd.services.content.v1.Content"
#define EVENTS	   "containerd.services.events.v1.Events"
#define CHUNK	   ((size_t)1 << 20)
#define CHUNKS	   20

struct peer {
	struct channel *c, *second;
	struct ctx ctx;
	struct arena arena;
	struct err err;
	const char *digest;
};

static void die(struct peer *p, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, err_text(&p->err));
	exit(1);
}

static void check(struct peer *p, bool good, const char *what)
{
	if (!good)
		die(p, what);
	printf("ok %s\n", what);
	err_clear(&p->err);
	arena_reset(&p->arena);
}

static void *call(struct peer *p, const char *service, const char *method,
		const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response)
{
	ProtobufCMessage *m = NULL;

	if (channel_call(p->c, &p->ctx, service, method, request, response, &p->arena, &m,
			    &p->err) < 0)
		return NULL;
	return m;
}

static const ProtobufCMessage *empty(void)
{
	static const Google__Protobuf__Empty message = GOOGLE__PROTOBUF__EMPTY__INIT;

	return &message.base;
}

static void versions(struct peer *p)
{
	const Version__VersionResponse *r = call(p, "containerd.services.version.v1.Version",
			"Version", empty(), &version__version_response__descriptor);

	check(p, r != NULL && r->version[0] != '\0', "version");
}

static void failures(struct peer *p)
{
	Content__InfoRequest info = CONTENT__INFO_REQUEST__INIT;

	info.digest = p->digest;
	(void)call(p, CONTENT, "Info", &info.base, &content__info_response__descriptor);
	check(p, p->err.kind == ERR_NOT_FOUND, "not found is told");
	(void)call(p, CONTENT, "Nothing", empty(), &google__protobuf__empty__descriptor);
	check(p, p->err.kind == ERR_UNIMPLEMENTED, "an unknown method is not implemented");
	p->ctx.ns = NULL;
	(void)call(p, CONTENT, "Info", &info.base, &content__info_response__descriptor);
	check(p, p->err.kind == ERR_PRECONDITION, "a namespace is required");
	p->ctx.ns = "rpcpeer";
	p->ctx.deadline_ns = clock_mono_ns() + 1;
	(void)call(p, CONTENT, "Info", &info.base, &content__info_response__descriptor);
	check(p, p->err.kind == ERR_DEADLINE, "a deadline ends the call");
	p->ctx.deadline_ns = 0;
}

static struct rpc_stream *stream(struct peer *p, const char *service, const char *method)
{
	struct rpc_stream *s;

	if (channel_stream(p->c, &p->ctx, service, method, &s, &p->err) < 0)
		die(p, method);
	return s;
}

static bool create_namespace(struct peer *p)
{
	Namespaces__CreateNamespaceRequest create = NAMESPACES__CREATE_NAMESPACE_REQUEST__INIT;
	Namespaces__Namespace ns = NAMESPACES__NAMESPACE__INIT;

	ns.name = p->ctx.ns;
	create.namespace_ = &ns;
	return call(p, NAMESPACES, "Create", &create.base,
			       &namespaces__create_namespace_response__descriptor) != NULL;
}

/* The subscription may take effect after the event: so events come until one is seen. */
static bool forward(struct peer *p, const char *topic)
{
	TtrpcEvents__ForwardRequest r = TTRPC_EVENTS__FORWARD_REQUEST__INIT;
	Types__Envelope envelope = TYPES__ENVELOPE__INIT;
	Google__Protobuf__Any event = GOOGLE__PROTOBUF__ANY__INIT;
	ProtobufCMessage *m;

	event.type_url = (char *)"containerd.events.TaskOOM";
	envelope.timestamp = timestamp_new(&p->arena, clock_wall_ns());
	envelope.namespace_ = p->ctx.ns;
	envelope.topic = topic;
	envelope.event = &event;
	r.envelope = &envelope;
	return channel_call(p->second, &p->ctx, "containerd.services.events.ttrpc.v1.Events",
			       "Forward", &r.base, &google__protobuf__empty__descriptor,
			       &p->arena, &m, &p->err) == 0;
}

static void events(struct peer *p)
{
	Events__SubscribeRequest subscribe = EVENTS__SUBSCRIBE_REQUEST__INIT;
	struct rpc_stream *s = stream(p, EVENTS, "Subscribe");
	struct arena arena;
	ProtobufCMessage *m = NULL;
	bool good;

	arena_init(&arena, SIZE_MAX);
	good = rpc_stream_send(s, &subscribe.base, &p->err) == 0 &&
	       rpc_stream_close_send(s, &p->err) == 0;
	check(p, good, "subscribe");
	/* Go's server subscribes on a thread of its own, some time while it answers these. */
	for (int i = 0; i < 50; i++)
		versions(p);
	check(p, forward(p, "/tasks/oom"), "forward by ttrpc");
	check(p, create_namespace(p), "create namespace");
	good = rpc_stream_recv(s, &types__envelope__descriptor, &arena, &m, &p->err) == 1 &&
	       strcmp(((Types__Envelope *)m)->topic, "/tasks/oom") == 0;
	check(p, good, "the forwarded event comes");
	good = rpc_stream_recv(s, &types__envelope__descriptor, &arena, &m, &p->err) == 1 &&
	       strcmp(((Types__Envelope *)m)->topic, "/namespaces/create") == 0 &&
	       strcmp(((Types__Envelope *)m)->namespace_, p->ctx.ns) == 0;
	check(p, good, "the namespace's event comes");
	rpc_stream_free(s);
	arena_done(&arena);
}

static int64_t written(struct peer *p, struct rpc_stream *s,
		const Content__WriteContentRequest *r, struct arena *arena)
{
	ProtobufCMessage *m;

	arena_reset(arena);
	if (rpc_stream_send(s, &r->base, &p->err) < 0 ||
			rpc_stream_recv(s, &content__write_content_response__descriptor, arena,
					&m, &p->err) != 1)
		die(p, "write");
	return ((Content__WriteContentResponse *)m)->offset;
}

static void upload(struct peer *p)
{
	Content__WriteContentRequest r = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	Content__WriteContentRequest__LabelsEntry keep =
			CONTENT__WRITE_CONTENT_REQUEST__LABELS_ENTRY__INIT;
	Content__WriteContentRequest__LabelsEntry *labels[] = { &keep };
	struct rpc_stream *s = stream(p, CONTENT, "Write");
	AUTO_FREE unsigned char *data = xmalloc(CHUNK);
	struct arena arena;
	int64_t offset = 0;

	memset(data, 'c', CHUNK);
	arena_init(&arena, SIZE_MAX);
	r.ref = "rpc-peer";
	r.action = CONTENT__WRITE_ACTION__STAT;
	check(p, written(p, s, &r, &arena) == 0, "write: stat");
	r.action = CONTENT__WRITE_ACTION__WRITE;
	r.data.data = data;
	r.data.len = CHUNK;
	for (size_t i = 0; i < CHUNKS; i++) {
		r.offset = offset;
		offset = written(p, s, &r, &arena);
	}
	check(p, offset == (int64_t)(CHUNK * CHUNKS), "write: all chunks");
	r.action = CONTENT__WRITE_ACTION__COMMIT;
	r.offset = offset;
	r.total = offset;
	r.expected = p->digest;
	r.data.len = 0;
	keep.key = "containerd.io/gc.root"; /* or a collection may come before the download */
	keep.value = "now";
	r.labels = labels;
	r.n_labels = 1;
	check(p, written(p, s, &r, &arena) == offset, "write: commit");
	check(p, rpc_stream_close_send(s, &p->err) == 0, "write: close");
	rpc_stream_free(s);
	arena_done(&arena);
}

static void download(struct peer *p)
{
	Content__ReadContentRequest r = CONTENT__READ_CONTENT_REQUEST__INIT;
	struct rpc_stream *s = stream(p, CONTENT, "Read");
	struct arena arena;
	ProtobufCMessage *m;
	size_t got = 0;
	int rc;

	arena_init(&arena, SIZE_MAX);
	r.digest = p->digest;
	if (rpc_stream_send(s, &r.base, &p->err) < 0 || rpc_stream_close_send(s, &p->err) < 0)
		die(p, "read");
	while ((rc = rpc_stream_recv(s, &content__read_content_response__descriptor, &arena, &m,
				&p->err)) == 1) {
		const ProtobufCBinaryData *data = &((Content__ReadContentResponse *)m)->data;

		if (data->len > 0 && (data->data[0] != 'c' || data->data[data->len - 1] != 'c'))
			die(p, "read: other bytes");
		got += data->len;
		arena_reset(&arena);
	}
	check(p, rc == 0 && got == CHUNK * CHUNKS, "read it all");
	rpc_stream_free(s);
	arena_done(&arena);
}

static void clean_up(struct peer *p)
{
	Content__DeleteContentRequest content = CONTENT__DELETE_CONTENT_REQUEST__INIT;
	Namespaces__DeleteNamespaceRequest ns = NAMESPACES__DELETE_NAMESPACE_REQUEST__INIT;

	content.digest = p->digest;
	ns.name = p->ctx.ns;
	(void)call(p, CONTENT, "Delete", &content.base, &google__protobuf__empty__descriptor);
	check(p, p->err.kind == ERR_NONE, "delete content");
	(void)call(p, NAMESPACES, "Delete", &ns.base, &google__protobuf__empty__descriptor);
	check(p, p->err.kind == ERR_NONE, "delete namespace");
}

static void run(struct peer *p, struct loop *loop, char **argv)
{
	*p = (struct peer){ .ctx.ns = "rpcpeer", .digest = argv[3] };
	arena_init(&p->arena, SIZE_MAX);
	if (channel_open_grpc(loop, argv[1], &p->ctx, &p->c, &p->err) < 0 ||
			channel_open_ttrpc(loop, argv[2], &p->ctx, &p->second, &p->err) < 0)
		die(p, "connect");
	versions(p);
	failures(p);
	events(p);
	upload(p);
	download(p);
	clean_up(p);
	channel_unref(p->c);
	channel_unref(p->second);
	arena_done(&p->arena);
}

static void *drive(void *loop)
{
	loop_run(loop);
	return NULL;
}

int main(int argc, char **argv)
{
	struct peer p;
	struct loop *loop = loop_new();
	unsigned long thread;

	if (argc != 4)
		return 2;
	printf("# a loop of the channel's own\n");
	run(&p, NULL, argv);
	printf("# a loop thread\n");
	if (thread_start(&thread, drive, loop, "loop") < 0)
		return 2;
	run(&p, loop, argv);
	loop_stop(loop);
	thread_join(thread);
	loop_free(loop);
	return 0;
}
