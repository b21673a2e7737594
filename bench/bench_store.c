/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sub-commands of the bench client for the storage plane:
 *
 *   containers SOCKET CLIENTS COUNT PREFIX SPEC   creates PREFIX-0 …; creates per second
 *   gets SOCKET COUNT PREFIX TOTAL                p50 and p99 of Containers.Get, us
 *   list SOCKET COUNT TOTAL                       p50 and p99 of listing TOTAL containers, us
 *   blobs SOCKET CLIENTS COUNT SIZE               blobs written and committed per second
 *   blob SOCKET MIB COUNT                         MiB/s of a large blob, the best of COUNT
 *   prepares SOCKET PARENT COUNT                  p50 and p99 of Snapshots.Prepare, us
 *   churn SOCKET PARENT CLIENTS COUNT             prepare + remove per second
 *   images SOCKET CLIENTS COUNT                   creates image-0 …; creates per second
 *   lookup SOCKET COUNT TOTAL                     p50 and p99 of Images.List name==, us
 *   walk SOCKET COUNT FILTER                      p50 and p99 of Images.List, us ("": all)
 *   lease SOCKET ID                               creates a lease
 *   gc SOCKET LEASE COUNT TOTAL     p99 of reads and writes (us) while the sync deletion of
 *                                   LEASE, then of COUNT - 1 images, collects; ms of a
 * collection
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_util.h"

#include "api/arena.h"
#include "api/pb/containers.pb-c.h"
#include "api/pb/content.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/images.pb-c.h"
#include "api/pb/leases.pb-c.h"
#include "api/pb/snapshots.pb-c.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "rpc/channel.h"

#define IMAGES	"containerd.services.images.v1.Images"
#define CONTENT "containerd.services.content.v1.Content"
#define LEASES	"containerd.services.leases.v1.Leases"
/* The Go client's copy buffer. */
#define BLOCK (1 << 20)

static void print_rate(size_t count, int64_t ns)
{
	printf("%.1f\n", (double)count * 1e9 / (double)ns);
}

/* --- containers --- */

struct containers_arg {
	const char *prefix;
	struct buf spec;
};

static void create_container(struct bench_client *c, size_t number)
{
	const struct containers_arg *arg = c->arg;
	Containers__Container container = CONTAINERS__CONTAINER__INIT;
	Containers__Container__Runtime runtime = CONTAINERS__CONTAINER__RUNTIME__INIT;
	Containers__CreateContainerRequest request = CONTAINERS__CREATE_CONTAINER_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	any.type_url = (char *)"types.containerd.io/opencontainers/runtime-spec/1/Spec";
	any.value = (ProtobufCBinaryData){ arg->spec.size, (uint8_t *)arg->spec.data };
	runtime.name = "io.containerd.runc.v2";
	container.id = arena_printf(c->arena, "%s-%zu", arg->prefix, number);
	container.image = "docker.io/library/busybox:latest";
	container.runtime = &runtime;
	container.spec = &any;
	container.snapshotter = "overlayfs";
	container.snapshot_key = container.id;
	request.container = &container;
	(void)bench_call(c->channel, c->arena, CONTAINERS, "Create", &request,
			&containers__create_container_response__descriptor);
}

static int do_containers(char **argv)
{
	struct containers_arg arg = { argv[3], { .limit = 1 << 20 } };
	size_t count = bench_count(argv[2]);
	int rc = io_read_file(-1, argv[4], &arg.spec);

	if (rc < 0) {
		(void)fprintf(stderr, "%s: %s\n", argv[4], errno_text(-rc));
		return 1;
	}
	print_rate(count, bench_clients(argv[0], bench_count(argv[1]), count, create_container,
					  &arg, NULL));
	buf_done(&arg.spec);
	return 0;
}

struct gets_arg {
	const char *prefix;
	size_t total;
};

static void get_container(struct bench_client *c, size_t number)
{
	const struct gets_arg *arg = c->arg;
	Containers__GetContainerRequest request = CONTAINERS__GET_CONTAINER_REQUEST__INIT;

	request.id = arena_printf(c->arena, "%s-%zu", arg->prefix, number * 7 % arg->total);
	(void)bench_call(c->channel, c->arena, CONTAINERS, "Get", &request,
			&containers__get_container_response__descriptor);
}

/* One client, each call timed. */
static int time_each(const char *socket, size_t count,
		void (*once)(struct bench_client *c, size_t number), const void *arg)
{
	AUTO_FREE int64_t *ns = xcalloc(count, sizeof(*ns));

	(void)bench_clients(socket, 1, count, once, arg, ns);
	bench_percentiles(ns, count);
	return 0;
}

static int do_gets(char **argv)
{
	struct gets_arg arg = { argv[2], bench_count(argv[3]) };

	return time_each(argv[0], bench_count(argv[1]), get_container, &arg);
}

/* The first answer is looked at; of the others only the bytes count, so that decoding here does
 * not hide the difference. */
static void list_containers(struct bench_client *c, size_t number)
{
	Containers__ListContainersRequest request = CONTAINERS__LIST_CONTAINERS_REQUEST__INIT;
	const Containers__ListContainersResponse *r;

	if (number > 0) {
		(void)bench_call(c->channel, c->arena, CONTAINERS, "List", &request,
				&google__protobuf__empty__descriptor);
		return;
	}
	r = (const void *)bench_call(c->channel, c->arena, CONTAINERS, "List", &request,
			&containers__list_containers_response__descriptor);
	if (r->n_containers != *(const size_t *)c->arg) {
		(void)fprintf(stderr, "%zu containers\n", r->n_containers);
		exit(1);
	}
}

static int do_list(char **argv)
{
	size_t total = bench_count(argv[2]);

	return time_each(argv[0], bench_count(argv[1]), list_containers, &total);
}

/* --- content --- */

static Content__WriteContentResponse *exchange(struct rpc_stream *s, struct arena *arena,
		const Content__WriteContentRequest *request)
{
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *answer = NULL;

	if (rpc_stream_send(s, &request->base, &err) < 0 ||
			rpc_stream_recv(s, &content__write_content_response__descriptor, arena,
					&answer, &err) <= 0)
		bench_die("Write", &err);
	return (Content__WriteContentResponse *)answer;
}

/* As the Go client does: status, blocks, commit, each answered before the next. */
static void write_blob(struct bench_client *c, const char *ref, const uint8_t *data,
		size_t size, const char *digest)
{
	Content__WriteContentRequest r = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	struct ctx ctx = bench_ctx();
	AUTO_ERR struct err err = { 0 };
	struct rpc_stream *s;

	if (channel_stream(c->channel, &ctx, CONTENT, "Write", &s, &err) < 0)
		bench_die("Write", &err);
	r.ref = ref;
	r.total = (int64_t)size;
	r.expected = digest;
	(void)exchange(s, c->arena, &r);
	r.action = CONTENT__WRITE_ACTION__WRITE;
	for (size_t at = 0; at < size; at += r.data.len) {
		r.offset = (int64_t)at;
		r.data.data = (uint8_t *)data + at;
		r.data.len = size - at < BLOCK ? size - at : BLOCK;
		(void)exchange(s, c->arena, &r);
	}
	r.action = CONTENT__WRITE_ACTION__COMMIT;
	r.offset = (int64_t)size;
	r.data = (ProtobufCBinaryData){ 0, NULL };
	(void)exchange(s, c->arena, &r);
	(void)!rpc_stream_close_send(s, &err);
	rpc_stream_free(s);
}

static void write_small(struct bench_client *c, size_t number)
{
	size_t size = *(const size_t *)c->arg;
	uint8_t *data = arena_alloc(c->arena, size);
	char digest[DIGEST_TEXT_SIZE];
	struct {
		pid_t pid;
		size_t number;
	} id = { getpid(), number };

	for (size_t i = 0; i + sizeof(id) <= size; i += sizeof(id))
		memcpy(data + i, &id, sizeof(id));
	digest_bytes(DIGEST_SHA256, data, size, digest);
	write_blob(c, arena_printf(c->arena, "b-%d-%zu", (int)id.pid, number), data, size,
			digest);
}

static int do_blobs(char **argv)
{
	size_t count = bench_count(argv[2]), size = bench_count(argv[3]);

	print_rate(count, bench_clients(argv[0], bench_count(argv[1]), count, write_small,
					  &size, NULL));
	return 0;
}

static void remove_blob(struct bench_client *c, const char *digest)
{
	Content__DeleteContentRequest r = CONTENT__DELETE_CONTENT_REQUEST__INIT;

	r.digest = digest;
	(void)bench_call(c->channel, c->arena, CONTENT, "Delete", &r,
			&google__protobuf__empty__descriptor);
}

static int do_blob(char **argv)
{
	size_t size = bench_count(argv[1]) << 20, count = bench_count(argv[2]);
	AUTO_FREE uint8_t *data = xmalloc(size);
	AUTO_ARENA struct arena arena = { 0 };
	struct bench_client c = { bench_dial(argv[0]), &arena, NULL };
	int64_t best = INT64_MAX;

	arena_init(&arena, 16 << 20);
	for (size_t i = 0; i < size / 8; i++)
		((uint64_t *)(void *)data)[i] = i * UINT64_C(0x9e3779b97f4a7c15);
	for (size_t i = 0; i < count; i++) {
		char digest[DIGEST_TEXT_SIZE];
		int64_t start;

		data[0] = (uint8_t)i;
		digest_bytes(DIGEST_SHA256, data, size, digest);
		start = clock_mono_ns();
		write_blob(&c, "large", data, size, digest);
		start = clock_mono_ns() - start;
		best = start < best ? start : best;
		remove_blob(&c, digest);
		arena_reset(&arena);
	}
	print_rate(size >> 20, best);
	channel_unref(c.channel);
	return 0;
}

/* --- snapshots --- */

static const char *snapshot_key(struct bench_client *c, size_t number)
{
	return arena_printf(c->arena, "s-%d-%zu", (int)getpid(), number);
}

static void prepare_one(struct bench_client *c, size_t number)
{
	Snapshots__PrepareSnapshotRequest__LabelsEntry root =
			SNAPSHOTS__PREPARE_SNAPSHOT_REQUEST__LABELS_ENTRY__INIT;
	Snapshots__PrepareSnapshotRequest__LabelsEntry *labels[] = { &root };
	Snapshots__PrepareSnapshotRequest request = SNAPSHOTS__PREPARE_SNAPSHOT_REQUEST__INIT;

	root.key = "containerd.io/gc.root"; /* or a collection takes it before it is removed */
	root.value = "bench";
	request.labels = labels;
	request.n_labels = 1;
	request.snapshotter = "overlayfs";
	request.key = snapshot_key(c, number);
	request.parent = c->arg;
	(void)bench_call(c->channel, c->arena, SNAPSHOTS, "Prepare", &request,
			&snapshots__prepare_snapshot_response__descriptor);
}

static void remove_one(struct bench_client *c, size_t number)
{
	Snapshots__RemoveSnapshotRequest request = SNAPSHOTS__REMOVE_SNAPSHOT_REQUEST__INIT;

	request.snapshotter = "overlayfs";
	request.key = snapshot_key(c, number);
	(void)bench_call(c->channel, c->arena, SNAPSHOTS, "Remove", &request,
			&google__protobuf__empty__descriptor);
}

static int do_prepares(char **argv)
{
	size_t count = bench_count(argv[2]);
	int rc = time_each(argv[0], count, prepare_one, argv[1]);

	(void)bench_clients(argv[0], 4, count, remove_one, NULL, NULL);
	return rc;
}

static void prepare_and_remove(struct bench_client *c, size_t number)
{
	prepare_one(c, number);
	remove_one(c, number);
}

static int do_churn(char **argv)
{
	size_t count = bench_count(argv[3]);

	print_rate(count, bench_clients(argv[0], bench_count(argv[2]), count,
					  prepare_and_remove, argv[1], NULL));
	return 0;
}

/* --- images --- */

static const char *image_name(struct bench_client *c, size_t number)
{
	return arena_printf(c->arena, "registry.example/some/repository-%zu:latest", number);
}

static void create_image(struct bench_client *c, size_t number)
{
	Images__CreateImageRequest request = IMAGES__CREATE_IMAGE_REQUEST__INIT;
	Types__Descriptor target = TYPES__DESCRIPTOR__INIT;
	Images__Image image = IMAGES__IMAGE__INIT;
	char digest[DIGEST_TEXT_SIZE];

	digest_bytes(DIGEST_SHA256, &number, sizeof(number), digest);
	target.media_type = "application/vnd.oci.image.index.v1+json";
	target.digest = digest;
	target.size = 1234;
	image.name = image_name(c, number);
	image.target = &target;
	request.image = &image;
	(void)bench_call(c->channel, c->arena, IMAGES, "Create", &request,
			&images__create_image_response__descriptor);
}

static int do_images(char **argv)
{
	size_t count = bench_count(argv[2]);

	print_rate(count, bench_clients(argv[0], bench_count(argv[1]), count, create_image,
					  NULL, NULL));
	return 0;
}

static void find_image(struct bench_client *c, size_t number)
{
	size_t total = *(const size_t *)c->arg;
	Images__ListImagesRequest request = IMAGES__LIST_IMAGES_REQUEST__INIT;
	const char *filter = arena_printf(
			c->arena, "name==\"%s\"", image_name(c, number * 7919 % total));
	const Images__ListImagesResponse *r;

	request.filters = &filter;
	request.n_filters = 1;
	r = (const void *)bench_call(c->channel, c->arena, IMAGES, "List", &request,
			&images__list_images_response__descriptor);
	if (r->n_images != 1) {
		(void)fprintf(stderr, "%s: %zu images\n", filter, r->n_images);
		exit(1);
	}
}

static int do_lookup(char **argv)
{
	size_t total = bench_count(argv[2]);

	return time_each(argv[0], bench_count(argv[1]), find_image, &total);
}

static void walk_images(struct bench_client *c, size_t number)
{
	Images__ListImagesRequest request = IMAGES__LIST_IMAGES_REQUEST__INIT;
	const char *filter = c->arg;

	request.filters = &filter;
	request.n_filters = filter[0] != '\0';
	(void)bench_call(c->channel, c->arena, IMAGES, "List", &request,
			&google__protobuf__empty__descriptor);
}

static int do_walk(char **argv)
{
	return time_each(argv[0], bench_count(argv[1]), walk_images, argv[2]);
}

/* --- garbage collection --- */

static int do_lease(char **argv)
{
	Leases__CreateRequest request = LEASES__CREATE_REQUEST__INIT;
	AUTO_ARENA struct arena arena = { 0 };
	struct channel *c = bench_dial(argv[0]);

	arena_init(&arena, 1 << 20);
	request.id = argv[1];
	(void)bench_call(c, &arena, LEASES, "Create", &request,
			&leases__create_response__descriptor);
	channel_unref(c);
	return 0;
}

#define PROBES 1000000

struct probe {
	const char *socket;
	size_t total; /* images; new ones are numbered from here on */
	void (*once)(struct bench_client *c, size_t number);
	atomic_bool *stop;
	int64_t *ns;
	size_t count;
};

static void *run_probe(void *arg)
{
	struct probe *p = arg;
	AUTO_ARENA struct arena arena = { 0 };
	struct bench_client c = { bench_dial(p->socket), &arena, &p->total };

	arena_init(&arena, 16 << 20);
	while (!atomic_load(p->stop) && p->count < PROBES) {
		int64_t start = clock_mono_ns();

		p->once(&c, p->count);
		p->ns[p->count++] = clock_mono_ns() - start;
		arena_reset(&arena);
	}
	channel_unref(c.channel);
	return NULL;
}

static void create_beyond(struct bench_client *c, size_t number)
{
	create_image(c, *(const size_t *)c->arg + number);
}

static void delete_image(struct bench_client *c, size_t number)
{
	Images__DeleteImageRequest request = IMAGES__DELETE_IMAGE_REQUEST__INIT;

	request.name = image_name(c, number);
	request.sync = true;
	(void)bench_call(c->channel, c->arena, IMAGES, "Delete", &request,
			&google__protobuf__empty__descriptor);
}

static void delete_lease(struct bench_client *c, const char *id)
{
	Leases__DeleteRequest request = LEASES__DELETE_REQUEST__INIT;

	request.id = id;
	request.sync = true;
	(void)bench_call(c->channel, c->arena, LEASES, "Delete", &request,
			&google__protobuf__empty__descriptor);
}

/* The first collection finds what the lease held to be garbage, the others nothing. */
static int64_t collect(const char *socket, const char *lease, size_t count)
{
	AUTO_ARENA struct arena arena = { 0 };
	struct bench_client c = { bench_dial(socket), &arena, NULL };
	int64_t start = clock_mono_ns();

	arena_init(&arena, 1 << 20);
	delete_lease(&c, lease);
	for (size_t i = 1; i < count; i++)
		delete_image(&c, i);
	channel_unref(c.channel);
	return (clock_mono_ns() - start) / (int64_t)count;
}

static double p99_us(struct probe *p)
{
	if (p->count == 0)
		return 0;
	bench_sort(p->ns, p->count);
	return (double)p->ns[p->count * 99 / 100] / 1e3;
}

static int do_gc(char **argv)
{
	size_t total = bench_count(argv[3]);
	atomic_bool stop = false;
	/* Names that no deletion takes. */
	struct probe probes[] = {
		{ argv[0], total, create_beyond, &stop, NULL, 0 },
		{ argv[0], 1, find_image, &stop, NULL, 0 },
	};
	unsigned long threads[ARRAY_LEN(probes)];
	int64_t each;

	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		probes[i].ns = xcalloc(PROBES, sizeof(int64_t));
		if (thread_start(&threads[i], run_probe, &probes[i], "probe") < 0)
			return 1;
	}
	each = collect(argv[0], argv[1], bench_count(argv[2]));
	atomic_store(&stop, true);
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		thread_join(threads[i]);
	printf("%.1f %.1f %.1f %zu %zu\n", p99_us(&probes[1]), p99_us(&probes[0]),
			(double)each / 1e6, probes[1].count, probes[0].count);
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		free(probes[i].ns);
	return 0;
}

const struct bench_command store_commands[] = {
	{ "containers", 5, do_containers },
	{ "gets", 4, do_gets },
	{ "list", 3, do_list },
	{ "blobs", 4, do_blobs },
	{ "blob", 3, do_blob },
	{ "prepares", 3, do_prepares },
	{ "churn", 4, do_churn },
	{ "images", 3, do_images },
	{ "lookup", 3, do_lookup },
	{ "walk", 3, do_walk },
	{ "lease", 2, do_lease },
	{ "gc", 4, do_gc },
	{ 0 },
};
