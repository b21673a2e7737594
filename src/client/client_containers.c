/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_containers_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/client_content_priv.h"
#include "client/client_snapshots_priv.h"
#include "wire/wire_container.h"
#include "wire/wire_map.h"

#include "api/pb.h"
#include "api/pb/containers.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/runtimeoptions.pb-c.h"
#include "api/typeurl.h"

struct ctrd_containers {
	struct arena arena;
	struct ctrd_container *items;
	size_t count;
};

void ctrd_containers_free(struct ctrd_containers *l)
{
	if (l == NULL)
		return;
	arena_done(&l->arena);
	free(l->items);
	free(l);
}
DEFINE_AUTO(struct ctrd_containers *, ctrd_containers_free)

static struct ctrd_containers *list_new(void)
{
	struct ctrd_containers *l = xzalloc(sizeof(*l));

	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	return l;
}

static void add_container(struct ctrd_containers *l, const Containers__Container *pb)
{
	l->items = xreallocarray(l->items, l->count + 1, sizeof(*l->items));
	l->items[l->count++] = (struct ctrd_container){ wire_container_in(&l->arena, pb), l };
}

int ctrd_containers_list(struct ctrd_client *c, const char *const *filters,
		struct ctrd_containers **ret_containers, struct ctrd_error **ret_error)
{
	Containers__ListContainersRequest request = CONTAINERS__LIST_CONTAINERS_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_containers_free) struct ctrd_containers *l = list_new();
	const Containers__ListContainersResponse *pb;

	request.filters = wire_strv_out(&l->arena, (char *const *)filters, &request.n_filters);
	pb = client_call(c, CLIENT_CONTAINERS_List, &request.base, &l->arena, &err);
	if (pb == NULL)
		return api_result(-1, &err, ret_error);
	for (size_t i = 0; i < pb->n_containers; i++)
		add_container(l, pb->containers[i]);
	*ret_containers = take_ptr(l);
	return 0;
}

size_t ctrd_containers_count(const struct ctrd_containers *l)
{
	return l->count;
}

const struct ctrd_container *ctrd_containers_at(const struct ctrd_containers *l, size_t i)
{
	return i < l->count ? &l->items[i] : NULL;
}

/* --- one container ------------------------------------------------------------------------ */

void ctrd_container_free(struct ctrd_container *c)
{
	if (c != NULL)
		ctrd_containers_free(c->owner);
}

static int take_container(struct ctrd_containers **own_list, const Containers__Container *pb,
		struct ctrd_container **ret, struct err *err)
{
	if (pb == NULL)
		return err_set(err, ERR_INTERNAL, "answer without container");
	add_container(*own_list, pb);
	*ret = &take_ptr(*own_list)->items[0];
	return 0;
}

int client_container_get(struct ctrd_client *c, const char *id,
		struct ctrd_container **ret_container, struct err *err)
{
	Containers__GetContainerRequest request = CONTAINERS__GET_CONTAINER_REQUEST__INIT;
	AUTO(ctrd_containers_free) struct ctrd_containers *l = list_new();
	const Containers__GetContainerResponse *pb;

	request.id = id;
	pb = client_call(c, CLIENT_CONTAINERS_Get, &request.base, &l->arena, err);
	return pb == NULL ? -1 : take_container(&l, pb->container, ret_container, err);
}

int ctrd_container_get(struct ctrd_client *c, const char *id,
		struct ctrd_container **ret_container, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_container_get(c, id, ret_container, &err), &err, ret_error);
}

const char *ctrd_container_id(const struct ctrd_container *c)
{
	return str_or(c->v.id, "");
}

const char *ctrd_container_image(const struct ctrd_container *c)
{
	return str_or(c->v.image, "");
}

const char *ctrd_container_runtime(const struct ctrd_container *c)
{
	return str_or(c->v.runtime_name, "");
}

static const struct ctrd_any *public_any(const struct any *any)
{
	return any->is_set ? container_of(any, const struct ctrd_any, any) : NULL;
}

const struct ctrd_any *ctrd_container_runtime_options(const struct ctrd_container *c)
{
	return public_any(&c->v.runtime_options);
}

const char *ctrd_container_snapshotter(const struct ctrd_container *c)
{
	return str_or(c->v.snapshotter, "");
}

const char *ctrd_container_snapshot_key(const struct ctrd_container *c)
{
	return str_or(c->v.snapshot_key, "");
}

const char *ctrd_container_sandbox(const struct ctrd_container *c)
{
	return str_or(c->v.sandbox, "");
}

int64_t ctrd_container_created(const struct ctrd_container *c)
{
	return c->v.created_ns;
}

int64_t ctrd_container_updated(const struct ctrd_container *c)
{
	return c->v.updated_ns;
}

const struct ctrd_labels *ctrd_container_labels(const struct ctrd_container *c)
{
	return public_labels(&c->v.labels);
}

const struct ctrd_any *ctrd_container_spec(const struct ctrd_container *c)
{
	return public_any(&c->v.spec);
}

const char *ctrd_container_extension_key(const struct ctrd_container *c, size_t i)
{
	return i < c->v.extensions.count ? c->v.extensions.items[i].key : NULL;
}

const struct ctrd_any *ctrd_container_extension(const struct ctrd_container *c, size_t i)
{
	return i < c->v.extensions.count ? public_any(&c->v.extensions.items[i].any) : NULL;
}

const char *ctrd_any_type(const struct ctrd_any *a)
{
	return a == NULL ? "" : str_or(a->any.type_url, "");
}

const void *ctrd_any_value(const struct ctrd_any *a, size_t *ret_size)
{
	*ret_size = a == NULL ? 0 : a->any.size;
	return a == NULL ? NULL : a->any.value;
}

/* --- creating ----------------------------------------------------------------------------- */

/* Options of the caller may be of an older header: what it does not have is unset. */
static struct ctrd_container_options known_options(const struct ctrd_container_options *given)
{
	struct ctrd_container_options o = CTRD_CONTAINER_OPTIONS_INIT;

	if (given != NULL)
		memcpy(&o, given, given->size < sizeof(o) ? given->size : sizeof(o));
	return o;
}

static struct any runtime_options(
		struct arena *a, const struct ctrd_container_options *o, const char *runtime)
{
	Runc__Options runc = RUNC__OPTIONS__INIT;
	Runtimeoptions__Options other = RUNTIMEOPTIONS__OPTIONS__INIT;

	if (strcmp(runtime, CTRD_RUNTIME_RUNC) == 0) {
		runc.binary_name = str_or(o->runc_binary, "");
		runc.root = str_or(o->runc_root, "");
		runc.systemd_cgroup = o->runc_systemd_cgroup != 0;
		return wire_any_in(any_pack(a, &runc.base));
	}
	if (str_is_empty(o->runtime_config_path))
		return (struct any){ 0 };
	other.config_path = o->runtime_config_path;
	return wire_any_in(any_pack(a, &other.base));
}

static int create(struct ctrd_client *c, const char *id, const struct ctrd_container_options *o,
		struct ctrd_container **ret, struct err *err)
{
	Containers__CreateContainerRequest request = CONTAINERS__CREATE_CONTAINER_REQUEST__INIT;
	AUTO(ctrd_containers_free) struct ctrd_containers *l = list_new();
	AUTO_FREE char *snapshotter = NULL;
	AUTO_FREE char *spec = o->spec == NULL ? NULL : ctrd_spec_json(o->spec, NULL);
	const char *runtime = str_or(o->runtime, CTRD_RUNTIME_RUNC);
	const Containers__CreateContainerResponse *pb;
	struct container record = { .id = (char *)id,
		.image = (char *)o->image,
		.runtime_name = (char *)runtime,
		.sandbox = (char *)o->sandbox,
		.snapshot_key = (char *)o->snapshot_key,
		.labels = *inner_labels(o->labels) };
	struct named_any extension = { (char *)o->extension_key,
		{ true, (char *)o->extension_type, (void *)o->extension_value,
				o->extension_size } };

	if (!str_is_empty(o->snapshot_key) &&
			client_snapshotter(c, o->snapshotter, &snapshotter, err) < 0)
		return -1;
	record.snapshotter = snapshotter;
	record.runtime_options = runtime_options(&l->arena, o, runtime);
	if (spec != NULL)
		record.spec = (struct any){ true, (char *)TYPEURL_SPEC, spec, strlen(spec) };
	if (o->extension_key != NULL)
		record.extensions = (struct anys){ &extension, 1 };
	request.container = wire_container_out(&l->arena, &record);
	pb = client_call(c, CLIENT_CONTAINERS_Create, &request.base, &l->arena, err);
	return pb == NULL ? -1 : take_container(&l, pb->container, ret, err);
}

int ctrd_container_create(struct ctrd_client *c, const char *id,
		const struct ctrd_container_options *options,
		struct ctrd_container **ret_container, struct ctrd_error **ret_error)
{
	struct ctrd_container_options o = known_options(options);
	AUTO_ERR struct err err = { 0 };

	return api_result(create(c, id, &o, ret_container, &err), &err, ret_error);
}

/* --- changing and removing ---------------------------------------------------------------- */

static int set_labels(struct ctrd_client *c, const char *id, const struct labels *labels,
		struct ctrd_container **ret, struct err *err)
{
	Containers__UpdateContainerRequest request = CONTAINERS__UPDATE_CONTAINER_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	AUTO(ctrd_containers_free) struct ctrd_containers *l = list_new();
	struct container record = { .id = (char *)id, .labels = *labels };
	const Containers__UpdateContainerResponse *pb;

	request.container = wire_container_out(&l->arena, &record);
	mask.paths = client_label_paths(&l->arena, labels, &mask.n_paths);
	request.update_mask = &mask;
	pb = client_call(c, CLIENT_CONTAINERS_Update, &request.base, &l->arena, err);
	return pb == NULL ? -1 : take_container(&l, pb->container, ret, err);
}

int ctrd_container_set_labels(struct ctrd_client *c, const char *id,
		const struct ctrd_labels *labels, struct ctrd_container **ret_container,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(set_labels(c, id, inner_labels(labels), ret_container, &err), &err,
			ret_error);
}

static int remove_container(
		struct ctrd_client *c, const char *id, bool keep_snapshot, struct err *err)
{
	Containers__DeleteContainerRequest request = CONTAINERS__DELETE_CONTAINER_REQUEST__INIT;
	AUTO(ctrd_container_free) struct ctrd_container *container = NULL;

	if (client_task_exists(c, id))
		return err_set(err, ERR_PRECONDITION, "cannot delete running task %s", id);
	if (client_container_get(c, id, &container, err) < 0)
		return -1;
	if (!keep_snapshot && !str_is_empty(container->v.snapshot_key) &&
			client_snapshot_remove(c, container->v.snapshotter,
					container->v.snapshot_key, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		err_clear(err);
	}
	request.id = id;
	return client_do(c, CLIENT_CONTAINERS_Delete, &request.base, err);
}

int ctrd_container_remove(struct ctrd_client *c, const char *id, int keep_snapshot,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(remove_container(c, id, keep_snapshot != 0, &err), &err, ret_error);
}
