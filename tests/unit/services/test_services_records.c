/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services of records: what arrives at core, what comes back, and what is refused before.
 * Core is a double that keeps one record and notes the request; the rules of the stores are
 * tested with the stores.
 */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "api/pb/containers.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/images.pb-c.h"
#include "api/pb/leases.pb-c.h"
#include "api/pb/namespaces.pb-c.h"
#include "api/pb/snapshots.pb-c.h"
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/container.h"
#include "core/image.h"
#include "core/lease.h"
#include "core/namespace.h"
#include "core/snapshot.h"
#include "services/services.h"
#include "support/served.h"

#define CONTAINERS "containerd.services.containers.v1.Containers"
#define IMAGES	   "containerd.services.images.v1.Images"
#define LEASES	   "containerd.services.leases.v1.Leases"
#define NAMESPACES "containerd.services.namespaces.v1.Namespaces"
#define SNAPSHOTS  "containerd.services.snapshots.v1.Snapshots"

/* Containers */

struct containers {
	struct container_store base;
	struct container *kept;
	char *paths, *ns; /* of the last update */
};

static int c_get(struct container_store *self, struct ctx *ctx, const char *id,
		struct container **ret, struct err *err)
{
	struct containers *s = (struct containers *)self;

	if (s->kept == NULL || strcmp(id, s->kept->id) != 0)
		return err_set(err, ERR_NOT_FOUND, "container \"%s\" in namespace \"%s\"", id,
				ctx->ns);
	*ret = container_copy(s->kept);
	return 0;
}

static int c_list(struct container_store *self, struct ctx *ctx, char *const *filters,
		container_each each, void *arg, struct err *err)
{
	struct containers *s = (struct containers *)self;
	struct container gone = { .id = (char *)"gone" };

	if (filters[0] != NULL && strcmp(filters[0], "none") == 0)
		return 0;
	if (each(arg, &gone, err) < 0)
		return -1;
	return s->kept == NULL ? 0 : each(arg, s->kept, err);
}

static int c_create(struct container_store *self, struct ctx *ctx, const struct container *c,
		struct container **ret, struct err *err)
{
	struct containers *s = (struct containers *)self;

	container_free(s->kept);
	s->kept = container_copy(c);
	*ret = container_copy(c);
	return 0;
}

static int c_update(struct container_store *self, struct ctx *ctx, const struct container *c,
		char *const *fieldpaths, struct container **ret, struct err *err)
{
	struct containers *s = (struct containers *)self;

	free(s->paths);
	s->paths = fieldpaths == NULL ? xstrdup("(all)") : strv_join(fieldpaths, " ");
	free(s->ns);
	s->ns = xstrdup(ctx->ns);
	*ret = container_copy(c);
	return 0;
}

static int c_remove(
		struct container_store *self, struct ctx *ctx, const char *id, struct err *err)
{
	return strcmp(id, "c1") == 0 ? 0 : err_set(err, ERR_NOT_FOUND, "container %s", id);
}

static const struct container_store_ops containers_ops = { c_get, c_list, c_create, c_update,
	c_remove };

/* Images: only what differs from containers is looked at. */

struct images {
	struct image_store base;
	int64_t epoch;
	char *digest;
	bool sync;
};

static int i_create(struct image_store *self, struct ctx *ctx, const struct image *i,
		const int64_t *epoch, struct image **ret, struct err *err)
{
	((struct images *)self)->epoch = epoch == NULL ? -1 : *epoch;
	*ret = image_copy(i);
	return 0;
}

static int i_remove(struct image_store *self, struct ctx *ctx, const char *name,
		const char *digest, bool sync, struct err *err)
{
	struct images *s = (struct images *)self;

	free(s->digest);
	s->digest = xstrdup(digest == NULL ? "(any)" : digest);
	s->sync = sync;
	return 0;
}

static const struct image_store_ops images_ops = { .create = i_create, .remove = i_remove };

/* Leases */

static int l_create(struct lease_store *self, struct ctx *ctx, const char *id,
		const struct labels *labels, struct lease *ret, struct err *err)
{
	ret->id = xstrdup(str_or(id, "made"));
	labels_copy(&ret->labels, labels);
	return 0;
}

static int l_resources(struct lease_store *self, struct ctx *ctx, const char *lease,
		lease_resource_each each, void *arg, struct err *err)
{
	return each(arg, "content", "sha256:1", err) < 0 ||
					       each(arg, "snapshots/overlayfs", "k", err) < 0
			       ? -1
			       : 0;
}

static const struct lease_store_ops leases_ops = { .create = l_create,
	.resources = l_resources };

/* Namespaces */

static int n_labels(struct namespace_store *self, struct ctx *ctx, const char *name,
		struct labels *ret, struct err *err)
{
	labels_set(ret, "name", name);
	return 0;
}

static int n_create(struct namespace_store *self, struct ctx *ctx, const char *name,
		const struct labels *labels, struct err *err)
{
	return 0;
}

static int n_update(struct namespace_store *self, struct ctx *ctx, const char *name,
		const struct labels *labels, char *const *fieldpaths, struct err *err)
{
	return strcmp(fieldpaths[0], "labels.a") == 0 ? 0 : err_set(err, ERR_INVALID, "path");
}

static const struct namespace_store_ops namespaces_ops = {
	.labels = n_labels, .create = n_create, .update = n_update
};

/* Snapshots */

static int s_create(struct snapshotter *self, struct ctx *ctx, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct mounts *ret, struct err *err)
{
	(void)mounts_add(ret, kind == SNAPSHOT_VIEW ? "view" : "active", key, parent);
	return 0;
}

static int s_walk(struct snapshotter *self, struct ctx *ctx, char *const *filters,
		snapshot_each each, void *arg, struct err *err)
{
	struct snapshot_info info = { .name = (char *)"n", .parent = (char *)"" };

	for (int i = 0; i < 250; i++)
		if (each(arg, &info, err) < 0)
			return -1;
	return 0;
}

static const struct snapshotter_ops snapshotter_ops = {
	.name = "double", .create = s_create, .walk = s_walk
};

struct world {
	struct containers containers;
	struct images images;
	struct lease_store leases;
	struct namespace_store namespaces;
	struct snapshotter snapshotter;
	struct named_snapshotter named;
	struct containers_service containers_service;
	struct images_service images_service;
	struct leases_service leases_service;
	struct namespaces_service namespaces_service;
	struct snapshots_service snapshots_service;
	struct served *served;
	struct err err;
};

static int begin(void **state)
{
	struct world *w = xzalloc(sizeof(*w));

	w->containers.base.ops = &containers_ops;
	w->images.base.ops = &images_ops;
	w->leases.ops = &leases_ops;
	w->namespaces.ops = &namespaces_ops;
	w->snapshotter.ops = &snapshotter_ops;
	w->named = (struct named_snapshotter){ "double", &w->snapshotter };
	w->containers_service.store = &w->containers.base;
	w->images_service.store = &w->images.base;
	w->leases_service.store = &w->leases;
	w->namespaces_service.store = &w->namespaces;
	w->snapshots_service = (struct snapshots_service){ &w->named, 1 };
	w->served = serve((struct served_service[]){
			{ &containers_service, &w->containers_service },
			{ &images_service, &w->images_service },
			{ &leases_service, &w->leases_service },
			{ &namespaces_service, &w->namespaces_service },
			{ &snapshots_service, &w->snapshots_service }, { NULL, NULL } });
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	served_free(w->served);
	container_free(w->containers.kept);
	free(w->containers.paths);
	free(w->containers.ns);
	free(w->images.digest);
	err_clear(&w->err);
	free(w);
	return 0;
}

static void expect_kind(struct world *w, int rc, enum err_kind kind)
{
	assert_int_equal(rc, -1);
	if (w->err.kind != kind)
		fail_msg("kind %d: %s", w->err.kind, err_text(&w->err));
	err_clear(&w->err);
}
#define CALL(service, method, request, type, ret)                                              \
	served_call(w->served, service, method, &(request).base, &type##__descriptor, ret,     \
			&w->err)

static void create_container(struct world *w)
{
	Containers__CreateContainerRequest r = CONTAINERS__CREATE_CONTAINER_REQUEST__INIT;
	Containers__Container c = CONTAINERS__CONTAINER__INIT;
	Containers__CreateContainerResponse *made;

	c.id = "c1";
	c.image = "im";
	r.container = &c;
	assert_ok(CALL(CONTAINERS, "Create", r, containers__create_container_response, &made),
			&w->err);
	assert_string_equal(made->container->id, "c1");
	assert_non_null(made->container->runtime);
}

static void containers_pass_both_ways(void **state)
{
	struct world *w = *state;
	Containers__GetContainerRequest get = CONTAINERS__GET_CONTAINER_REQUEST__INIT;
	Containers__GetContainerResponse *got;
	Containers__ListContainersRequest list = CONTAINERS__LIST_CONTAINERS_REQUEST__INIT;
	Containers__ListContainersResponse *listed;
	Containers__DeleteContainerRequest delete = CONTAINERS__DELETE_CONTAINER_REQUEST__INIT;
	const char *filters[] = { "none" };

	create_container(w);
	get.id = "c1";
	assert_ok(CALL(CONTAINERS, "Get", get, containers__get_container_response, &got),
			&w->err);
	assert_string_equal(got->container->image, "im");
	get.id = "c2";
	assert_int_equal(CALL(CONTAINERS, "Get", get, containers__get_container_response, &got),
			-1);
	assert_string_equal(
			err_text(&w->err), "container \"c2\" in namespace \"ns\": not found");
	err_clear(&w->err);
	assert_ok(CALL(CONTAINERS, "List", list, containers__list_containers_response, &listed),
			&w->err);
	assert_int_equal(listed->n_containers, 2);
	list.filters = filters;
	list.n_filters = 1;
	assert_ok(CALL(CONTAINERS, "List", list, containers__list_containers_response, &listed),
			&w->err);
	assert_int_equal(listed->n_containers, 0);
	delete.id = "c1";
	assert_ok(CALL(CONTAINERS, "Delete", delete, google__protobuf__empty, NULL), &w->err);
}

static void a_listed_container_that_is_gone_is_left_out_of_the_stream(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *stream = NULL;
	Containers__ListContainersRequest r = CONTAINERS__LIST_CONTAINERS_REQUEST__INIT;
	ProtobufCMessage *m = NULL;

	create_container(w);
	assert_ok(channel_stream(w->served->channel, &w->served->ctx, CONTAINERS, "ListStream",
				  &stream, &w->err),
			&w->err);
	assert_ok(rpc_stream_send(stream, &r.base, &w->err), &w->err);
	assert_ok(rpc_stream_close_send(stream, &w->err), &w->err);
	assert_int_equal(
			rpc_stream_recv(stream, &containers__list_container_message__descriptor,
					&w->served->arena, &m, &w->err),
			1);
	assert_string_equal(((Containers__ListContainerMessage *)m)->container->id, "c1");
	assert_int_equal(
			rpc_stream_recv(stream, &containers__list_container_message__descriptor,
					&w->served->arena, &m, &w->err),
			0);
}

static void an_update_says_what_to_update(void **state)
{
	struct world *w = *state;
	Containers__UpdateContainerRequest r = CONTAINERS__UPDATE_CONTAINER_REQUEST__INIT;
	Containers__Container c = CONTAINERS__CONTAINER__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	char *paths[] = { (char *)"labels.a/b.c", (char *)"spec" };

	c.id = "c1";
	r.container = &c;
	r.update_mask = &mask; /* an empty one is none */
	assert_ok(CALL(CONTAINERS, "Update", r, containers__update_container_response, NULL),
			&w->err);
	assert_string_equal(w->containers.paths, "(all)");
	assert_string_equal(w->containers.ns, "ns");
	mask.paths = paths;
	mask.n_paths = 2;
	assert_ok(CALL(CONTAINERS, "Update", r, containers__update_container_response, NULL),
			&w->err);
	assert_string_equal(w->containers.paths, "labels.a/b.c spec");
}

static void absent_messages_are_invalid(void **state)
{
	struct world *w = *state;
	Containers__CreateContainerRequest cc = CONTAINERS__CREATE_CONTAINER_REQUEST__INIT;
	Containers__UpdateContainerRequest cu = CONTAINERS__UPDATE_CONTAINER_REQUEST__INIT;
	Images__CreateImageRequest ic = IMAGES__CREATE_IMAGE_REQUEST__INIT;
	Images__UpdateImageRequest iu = IMAGES__UPDATE_IMAGE_REQUEST__INIT;
	Namespaces__CreateNamespaceRequest nc = NAMESPACES__CREATE_NAMESPACE_REQUEST__INIT;
	Namespaces__UpdateNamespaceRequest nu = NAMESPACES__UPDATE_NAMESPACE_REQUEST__INIT;
	Leases__AddResourceRequest la = LEASES__ADD_RESOURCE_REQUEST__INIT;
	Leases__DeleteResourceRequest ld = LEASES__DELETE_RESOURCE_REQUEST__INIT;
	Snapshots__UpdateSnapshotRequest su = SNAPSHOTS__UPDATE_SNAPSHOT_REQUEST__INIT;

	su.snapshotter = "double";
	expect_kind(w, CALL(CONTAINERS, "Create", cc, google__protobuf__empty, NULL),
			ERR_INVALID);
	expect_kind(w, CALL(CONTAINERS, "Update", cu, google__protobuf__empty, NULL),
			ERR_INVALID);
	expect_kind(w, CALL(IMAGES, "Create", ic, google__protobuf__empty, NULL), ERR_INVALID);
	expect_kind(w, CALL(IMAGES, "Update", iu, google__protobuf__empty, NULL), ERR_INVALID);
	expect_kind(w, CALL(NAMESPACES, "Create", nc, google__protobuf__empty, NULL),
			ERR_INVALID);
	expect_kind(w, CALL(NAMESPACES, "Update", nu, google__protobuf__empty, NULL),
			ERR_INVALID);
	expect_kind(w, CALL(LEASES, "AddResource", la, google__protobuf__empty, NULL),
			ERR_INVALID);
	expect_kind(w, CALL(LEASES, "DeleteResource", ld, google__protobuf__empty, NULL),
			ERR_INVALID);
	expect_kind(w, CALL(SNAPSHOTS, "Update", su, google__protobuf__empty, NULL),
			ERR_INVALID);
}

static void images_carry_epoch_and_target(void **state)
{
	struct world *w = *state;
	Images__CreateImageRequest r = IMAGES__CREATE_IMAGE_REQUEST__INIT;
	Images__DeleteImageRequest d = IMAGES__DELETE_IMAGE_REQUEST__INIT;
	Images__Image i = IMAGES__IMAGE__INIT;
	Google__Protobuf__Timestamp epoch = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Types__Descriptor target = TYPES__DESCRIPTOR__INIT;

	i.name = "n";
	r.image = &i;
	assert_ok(CALL(IMAGES, "Create", r, images__create_image_response, NULL), &w->err);
	assert_int_equal(w->images.epoch, -1);
	r.source_date_epoch = &epoch;
	assert_ok(CALL(IMAGES, "Create", r, images__create_image_response, NULL), &w->err);
	assert_int_equal(w->images.epoch, 0); /* 1970 is an epoch, too */
	epoch.seconds = 5;
	assert_ok(CALL(IMAGES, "Create", r, images__create_image_response, NULL), &w->err);
	assert_int_equal(w->images.epoch, 5000000000);
	d.name = "n";
	assert_ok(CALL(IMAGES, "Delete", d, google__protobuf__empty, NULL), &w->err);
	assert_string_equal(w->images.digest, "(any)");
	assert_false(w->images.sync);
	target.digest = "sha256:x";
	d.target = &target;
	d.sync = 1;
	assert_ok(CALL(IMAGES, "Delete", d, google__protobuf__empty, NULL), &w->err);
	assert_string_equal(w->images.digest, "sha256:x");
	assert_true(w->images.sync);
}

static void leases_and_their_resources(void **state)
{
	struct world *w = *state;
	Leases__CreateRequest r = LEASES__CREATE_REQUEST__INIT;
	Leases__CreateResponse *made;
	Leases__ListResourcesRequest l = LEASES__LIST_RESOURCES_REQUEST__INIT;
	Leases__ListResourcesResponse *listed;

	assert_ok(CALL(LEASES, "Create", r, leases__create_response, &made), &w->err);
	assert_string_equal(made->lease->id, "made");
	l.id = "made";
	assert_ok(CALL(LEASES, "ListResources", l, leases__list_resources_response, &listed),
			&w->err);
	assert_int_equal(listed->n_resources, 2);
	assert_string_equal(listed->resources[1]->type, "snapshots/overlayfs");
}

static void namespaces_answer_as_the_original_does(void **state)
{
	struct world *w = *state;
	Namespaces__GetNamespaceRequest g = NAMESPACES__GET_NAMESPACE_REQUEST__INIT;
	Namespaces__GetNamespaceResponse *got;
	Namespaces__Namespace ns = NAMESPACES__NAMESPACE__INIT;
	Namespaces__CreateNamespaceRequest c = NAMESPACES__CREATE_NAMESPACE_REQUEST__INIT;
	Namespaces__CreateNamespaceResponse *made;
	Namespaces__UpdateNamespaceRequest u = NAMESPACES__UPDATE_NAMESPACE_REQUEST__INIT;
	Namespaces__UpdateNamespaceResponse *updated;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	char *paths[] = { (char *)"labels.a" };

	g.name = "unknown";
	assert_ok(CALL(NAMESPACES, "Get", g, namespaces__get_namespace_response, &got),
			&w->err);
	assert_string_equal(got->namespace_->labels[0]->value, "unknown");
	ns.name = "x";
	c.namespace_ = u.namespace_ = &ns;
	assert_ok(CALL(NAMESPACES, "Create", c, namespaces__create_namespace_response, &made),
			&w->err);
	assert_string_equal(made->namespace_->name, "x");
	mask.paths = paths;
	mask.n_paths = 1;
	u.update_mask = &mask;
	assert_ok(CALL(NAMESPACES, "Update", u, namespaces__update_namespace_response,
				  &updated),
			&w->err);
	assert_null(updated->namespace_);
}

static void snapshotters_are_chosen_by_name(void **state)
{
	struct world *w = *state;
	Snapshots__PrepareSnapshotRequest p = SNAPSHOTS__PREPARE_SNAPSHOT_REQUEST__INIT;
	Snapshots__PrepareSnapshotResponse *made;
	Snapshots__ViewSnapshotRequest v = SNAPSHOTS__VIEW_SNAPSHOT_REQUEST__INIT;
	Snapshots__ViewSnapshotResponse *viewed;
	Snapshots__CleanupRequest c = SNAPSHOTS__CLEANUP_REQUEST__INIT;

	p.key = v.key = "k y";
	p.parent = v.parent = "p";
	assert_int_equal(CALL(SNAPSHOTS, "Prepare", p, snapshots__prepare_snapshot_response,
					 &made),
			-1);
	assert_string_equal(
			err_text(&w->err), "snapshotter argument missing: invalid argument");
	err_clear(&w->err);
	p.snapshotter = "nope";
	assert_int_equal(CALL(SNAPSHOTS, "Prepare", p, snapshots__prepare_snapshot_response,
					 &made),
			-1);
	assert_string_equal(
			err_text(&w->err), "snapshotter not loaded: nope: invalid argument");
	err_clear(&w->err);
	p.snapshotter = v.snapshotter = c.snapshotter = "double";
	assert_ok(CALL(SNAPSHOTS, "Prepare", p, snapshots__prepare_snapshot_response, &made),
			&w->err);
	assert_string_equal(made->mounts[0]->type, "active");
	assert_string_equal(made->mounts[0]->source, "k y");
	assert_ok(CALL(SNAPSHOTS, "View", v, snapshots__view_snapshot_response, &viewed),
			&w->err);
	assert_string_equal(viewed->mounts[0]->type, "view");
	expect_kind(w, CALL(SNAPSHOTS, "Cleanup", c, google__protobuf__empty, NULL),
			ERR_UNIMPLEMENTED);
}

static void snapshot_lists_come_in_batches(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *stream = NULL;
	Snapshots__ListSnapshotsRequest r = SNAPSHOTS__LIST_SNAPSHOTS_REQUEST__INIT;
	ProtobufCMessage *m = NULL;
	size_t sizes[10] = { 0 }, n = 0;

	r.snapshotter = "double";
	assert_ok(channel_stream(w->served->channel, &w->served->ctx, SNAPSHOTS, "List",
				  &stream, &w->err),
			&w->err);
	assert_ok(rpc_stream_send(stream, &r.base, &w->err), &w->err);
	assert_ok(rpc_stream_close_send(stream, &w->err), &w->err);
	while (rpc_stream_recv(stream, &snapshots__list_snapshots_response__descriptor,
			       &w->served->arena, &m, &w->err) == 1)
		sizes[n++] = ((Snapshots__ListSnapshotsResponse *)m)->n_info;
	assert_int_equal(n, 3);
	assert_int_equal(sizes[0], 100);
	assert_int_equal(sizes[2], 50);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(containers_pass_both_ways),
		T(a_listed_container_that_is_gone_is_left_out_of_the_stream),
		T(an_update_says_what_to_update),
		T(absent_messages_are_invalid),
		T(images_carry_epoch_and_target),
		T(leases_and_their_resources),
		T(namespaces_answer_as_the_original_does),
		T(snapshotters_are_chosen_by_name),
		T(snapshot_lists_come_in_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
