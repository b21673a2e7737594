/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire_container.h"

#include "api/arena.h"
#include "api/pb_sink.h"
#include "api/timestamp.h"
#include "wire/wire_map.h"

struct container wire_container_in(struct arena *a, const Containers__Container *pb)
{
	struct container c = {
		.id = (char *)pb->id,
		.image = (char *)pb->image,
		.snapshotter = (char *)pb->snapshotter,
		.snapshot_key = (char *)pb->snapshot_key,
		.sandbox = (char *)pb->sandbox,
		.spec = wire_any_in(pb->spec),
		.labels = wire_labels_in(a, pb->n_labels, pb->labels),
		.extensions = wire_anys_in(a, pb->n_extensions, pb->extensions),
		.created_ns = timestamp_ns(pb->created_at),
		.updated_ns = timestamp_ns(pb->updated_at),
	};

	if (pb->runtime != NULL) {
		c.runtime_name = (char *)pb->runtime->name;
		c.runtime_options = wire_any_in(pb->runtime->options);
	}
	return c;
}

Containers__Container *wire_container_out(struct arena *a, const struct container *c)
{
	Containers__Container *pb = ARENA_NEW(a, Containers__Container, containers__container);

	pb->id = c->id;
	pb->image = c->image;
	pb->snapshotter = c->snapshotter;
	pb->snapshot_key = c->snapshot_key;
	pb->sandbox = c->sandbox;
	/* Clients read its fields without looking whether it is there. */
	pb->runtime = ARENA_NEW(
			a, Containers__Container__Runtime, containers__container__runtime);
	pb->runtime->name = c->runtime_name;
	pb->runtime->options = wire_any_view(a, &c->runtime_options);
	pb->spec = wire_any_view(a, &c->spec);
	pb->labels = wire_labels_out(a, &c->labels,
			&containers__container__labels_entry__descriptor, &pb->n_labels);
	pb->extensions = wire_anys_out(a, &c->extensions,
			&containers__container__extensions_entry__descriptor,
			&pb->n_extensions);
	pb->created_at = timestamp_new(a, c->created_ns);
	pb->updated_at = timestamp_new(a, c->updated_ns);
	return pb;
}

/* --- the same without messages --- */

static void put_any(struct pb_sink *s, const void *what)
{
	const struct any *any = what;

	pb_put_text(s, 1, any->type_url);
	pb_put_bytes(s, 2, any->value, any->size);
}

static void put_runtime(struct pb_sink *s, const void *what)
{
	const struct container *c = what;

	pb_put_text(s, 1, c->runtime_name);
	if (c->runtime_options.is_set)
		pb_put_short(s, 2, put_any, &c->runtime_options);
}

static void put_label(struct pb_sink *s, const void *what)
{
	const struct label *l = what;

	pb_put_text(s, 1, l->key);
	pb_put_text(s, 2, l->value);
}

static void put_extension(struct pb_sink *s, const void *what)
{
	const struct named_any *n = what;

	pb_put_text(s, 1, n->key);
	if (n->any.is_set)
		pb_put_inner(s, 2, put_any, &n->any);
}

static void put_time(struct pb_sink *s, const void *what)
{
	Google__Protobuf__Timestamp ts = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	timestamp_set(&ts, *(const int64_t *)what);
	pb_put_int(s, 1, ts.seconds);
	pb_put_int(s, 2, ts.nanos);
}

void wire_container_put(struct pb_sink *s, const void *container)
{
	const struct container *c = container;

	pb_put_text(s, 1, c->id);
	for (size_t i = 0; i < c->labels.count; i++)
		pb_put_short(s, 2, put_label, &c->labels.items[i]);
	pb_put_text(s, 3, c->image);
	pb_put_short(s, 4, put_runtime, c);
	if (c->spec.is_set)
		pb_put_inner(s, 5, put_any, &c->spec);
	pb_put_text(s, 6, c->snapshotter);
	pb_put_text(s, 7, c->snapshot_key);
	pb_put_short(s, 8, put_time, &c->created_ns);
	pb_put_short(s, 9, put_time, &c->updated_ns);
	for (size_t i = 0; i < c->extensions.count; i++)
		pb_put_inner(s, 10, put_extension, &c->extensions.items[i]);
	pb_put_text(s, 11, c->sandbox);
}
