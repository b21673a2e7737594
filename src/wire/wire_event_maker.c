/* SPDX-License-Identifier: Apache-2.0 */
/* The payloads of the events that this daemon publishes itself (reference 01 §1.4). */
#include "api/arena.h"
#include "api/pb/event.pb-c.h"
#include "api/pb/images.pb-c.h"
#include "core/container.h"
#include "wire/wire_event.h"
#include "wire/wire_map.h"

static void make_container_create(const struct container *c, struct any *ret_payload)
{
	AUTO_ARENA struct arena a = { 0 };
	Event__ContainerCreate m = EVENT__CONTAINER_CREATE__INIT;
	Event__ContainerCreate__Runtime runtime = EVENT__CONTAINER_CREATE__RUNTIME__INIT;

	arena_init(&a, SIZE_MAX);
	m.id = c->id;
	m.image = c->image;
	m.runtime = &runtime;
	runtime.name = c->runtime_name;
	runtime.options = wire_any_out(&a, &c->runtime_options);
	wire_payload(&m.base, ret_payload);
}

static void make_container_update(const struct container *c, struct any *ret_payload)
{
	AUTO_ARENA struct arena a = { 0 };
	Event__ContainerUpdate m = EVENT__CONTAINER_UPDATE__INIT;

	arena_init(&a, SIZE_MAX);
	m.id = c->id;
	m.image = c->image;
	m.snapshot_key = c->snapshot_key;
	m.labels = wire_labels_out(&a, &c->labels,
			&event__container_update__labels_entry__descriptor, &m.n_labels);
	wire_payload(&m.base, ret_payload);
}

static void make_container_delete(const char *id, struct any *ret_payload)
{
	Event__ContainerDelete m = EVENT__CONTAINER_DELETE__INIT;

	m.id = id;
	wire_payload(&m.base, ret_payload);
}

static void make_content_create(const char *digest, int64_t size, struct any *ret_payload)
{
	Event__ContentCreate m = EVENT__CONTENT_CREATE__INIT;

	m.digest = digest;
	m.size = size;
	wire_payload(&m.base, ret_payload);
}

static void make_content_delete(const char *digest, struct any *ret_payload)
{
	Event__ContentDelete m = EVENT__CONTENT_DELETE__INIT;

	m.digest = digest;
	wire_payload(&m.base, ret_payload);
}

static void make_image_create(
		const char *name, const struct labels *labels, struct any *ret_payload)
{
	AUTO_ARENA struct arena a = { 0 };
	Images__ImageCreate m = IMAGES__IMAGE_CREATE__INIT;

	arena_init(&a, SIZE_MAX);
	m.name = name;
	m.labels = wire_labels_out(&a, labels, &images__image_create__labels_entry__descriptor,
			&m.n_labels);
	wire_payload(&m.base, ret_payload);
}

static void make_image_update(
		const char *name, const struct labels *labels, struct any *ret_payload)
{
	AUTO_ARENA struct arena a = { 0 };
	Images__ImageUpdate m = IMAGES__IMAGE_UPDATE__INIT;

	arena_init(&a, SIZE_MAX);
	m.name = name;
	m.labels = wire_labels_out(&a, labels, &images__image_update__labels_entry__descriptor,
			&m.n_labels);
	wire_payload(&m.base, ret_payload);
}

static void make_image_delete(const char *name, struct any *ret_payload)
{
	Images__ImageDelete m = IMAGES__IMAGE_DELETE__INIT;

	m.name = name;
	wire_payload(&m.base, ret_payload);
}

static void make_namespace_create(
		const char *name, const struct labels *labels, struct any *ret_payload)
{
	AUTO_ARENA struct arena a = { 0 };
	Event__NamespaceCreate m = EVENT__NAMESPACE_CREATE__INIT;

	arena_init(&a, SIZE_MAX);
	m.name = name;
	m.labels = wire_labels_out(&a, labels,
			&event__namespace_create__labels_entry__descriptor, &m.n_labels);
	wire_payload(&m.base, ret_payload);
}

static void make_namespace_update(
		const char *name, const struct labels *labels, struct any *ret_payload)
{
	AUTO_ARENA struct arena a = { 0 };
	Event__NamespaceUpdate m = EVENT__NAMESPACE_UPDATE__INIT;

	arena_init(&a, SIZE_MAX);
	m.name = name;
	m.labels = wire_labels_out(&a, labels,
			&event__namespace_update__labels_entry__descriptor, &m.n_labels);
	wire_payload(&m.base, ret_payload);
}

static void make_namespace_delete(const char *name, struct any *ret_payload)
{
	Event__NamespaceDelete m = EVENT__NAMESPACE_DELETE__INIT;

	m.name = name;
	wire_payload(&m.base, ret_payload);
}

static void make_snapshot_prepare(const char *key, const char *parent, const char *snapshotter,
		struct any *ret_payload)
{
	Event__SnapshotPrepare m = EVENT__SNAPSHOT_PREPARE__INIT;

	m.key = key;
	m.parent = parent;
	m.snapshotter = snapshotter;
	wire_payload(&m.base, ret_payload);
}

static void make_snapshot_commit(const char *key, const char *name, const char *snapshotter,
		struct any *ret_payload)
{
	Event__SnapshotCommit m = EVENT__SNAPSHOT_COMMIT__INIT;

	m.key = key;
	m.name = name;
	m.snapshotter = snapshotter;
	wire_payload(&m.base, ret_payload);
}

static void make_snapshot_remove(
		const char *key, const char *snapshotter, struct any *ret_payload)
{
	Event__SnapshotRemove m = EVENT__SNAPSHOT_REMOVE__INIT;

	m.key = key;
	m.snapshotter = snapshotter;
	wire_payload(&m.base, ret_payload);
}

const struct event_maker wire_event_maker = {
	.container_create = make_container_create,
	.container_update = make_container_update,
	.container_delete = make_container_delete,
	.content_create = make_content_create,
	.content_delete = make_content_delete,
	.image_create = make_image_create,
	.image_update = make_image_update,
	.image_delete = make_image_delete,
	.namespace_create = make_namespace_create,
	.namespace_update = make_namespace_update,
	.namespace_delete = make_namespace_delete,
	.snapshot_prepare = make_snapshot_prepare,
	.snapshot_commit = make_snapshot_commit,
	.snapshot_remove = make_snapshot_remove,
};
