/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_priv.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/wire_lease.h"
#include "wire/wire_map.h"

#include "api/pb/empty.pb-c.h"
#include "api/pb/namespaces.pb-c.h"

#define DEFAULT_SNAPSHOTTER	  "overlayfs"
#define DEFAULT_SNAPSHOTTER_LABEL "containerd.io/defaults/snapshotter"

struct ctrd_namespaces {
	struct arena arena;
	const Namespaces__ListNamespacesResponse *pb;
	struct labels *labels;
};

void ctrd_namespaces_free(struct ctrd_namespaces *l)
{
	if (l == NULL)
		return;
	arena_done(&l->arena);
	free(l);
}
DEFINE_AUTO(struct ctrd_namespaces *, ctrd_namespaces_free)

int ctrd_namespaces_list(struct ctrd_client *c, struct ctrd_namespaces **ret_namespaces,
		struct ctrd_error **ret_error)
{
	Namespaces__ListNamespacesRequest request = NAMESPACES__LIST_NAMESPACES_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_namespaces_free) struct ctrd_namespaces *l = xzalloc(sizeof(*l));

	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	l->pb = client_call(c, CLIENT_NAMESPACES_List, &request.base, &l->arena, &err);
	if (l->pb == NULL)
		return api_result(-1, &err, ret_error);
	l->labels = arena_calloc(&l->arena, l->pb->n_namespaces, sizeof(*l->labels));
	for (size_t i = 0; i < l->pb->n_namespaces; i++)
		l->labels[i] = wire_labels_in(&l->arena, l->pb->namespaces[i]->n_labels,
				l->pb->namespaces[i]->labels);
	*ret_namespaces = take_ptr(l);
	return 0;
}

size_t ctrd_namespaces_count(const struct ctrd_namespaces *l)
{
	return l->pb->n_namespaces;
}

const char *ctrd_namespaces_name(const struct ctrd_namespaces *l, size_t i)
{
	return i < l->pb->n_namespaces ? l->pb->namespaces[i]->name : NULL;
}

const struct ctrd_labels *ctrd_namespaces_labels(const struct ctrd_namespaces *l, size_t i)
{
	return i < l->pb->n_namespaces ? public_labels(&l->labels[i]) : NULL;
}

int ctrd_namespace_create(struct ctrd_client *c, const char *name,
		const struct ctrd_labels *labels, struct ctrd_error **ret_error)
{
	Namespaces__CreateNamespaceRequest request = NAMESPACES__CREATE_NAMESPACE_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.namespace_ = wire_namespace_out(&a, name, inner_labels(labels));
	return api_result(client_do(c, CLIENT_NAMESPACES_Create, &request.base, &err), &err,
			ret_error);
}

int ctrd_namespace_remove(
		struct ctrd_client *c, const char *name, struct ctrd_error **ret_error)
{
	Namespaces__DeleteNamespaceRequest request = NAMESPACES__DELETE_NAMESPACE_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };

	request.name = name;
	return api_result(client_do(c, CLIENT_NAMESPACES_Delete, &request.base, &err), &err,
			ret_error);
}

int ctrd_namespace_set_label(struct ctrd_client *c, const char *name, const char *key,
		const char *value, struct ctrd_error **ret_error)
{
	Namespaces__UpdateNamespaceRequest request = NAMESPACES__UPDATE_NAMESPACE_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO_ARENA struct arena a = { 0 };
	AUTO_FREE char *path = xasprintf("labels.%s", key);
	char *paths[] = { path };
	struct label label = { (char *)key, (char *)value };
	struct labels labels = { &label, 1 };

	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.namespace_ = wire_namespace_out(&a, name, &labels);
	mask.paths = paths;
	mask.n_paths = 1;
	request.update_mask = &mask;
	return api_result(client_do(c, CLIENT_NAMESPACES_Update, &request.base, &err), &err,
			ret_error);
}

int client_default(struct ctrd_client *c, const char *label, const char *name,
		const char *fallback, char **ret_name, struct err *err)
{
	Namespaces__GetNamespaceRequest request = NAMESPACES__GET_NAMESPACE_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };
	const Namespaces__GetNamespaceResponse *pb;
	struct labels labels = { 0 };

	if (!str_is_empty(name)) {
		*ret_name = xstrdup(name);
		return 0;
	}
	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.name = c->ns;
	pb = client_call(c, CLIENT_NAMESPACES_Get, &request.base, &a, err);
	if (pb == NULL)
		return -1;
	if (pb->namespace_ != NULL)
		labels = wire_labels_in(&a, pb->namespace_->n_labels, pb->namespace_->labels);
	*ret_name = xstrdup(str_or(labels_find(&labels, label), fallback));
	return 0;
}

int client_snapshotter(
		struct ctrd_client *c, const char *name, char **ret_name, struct err *err)
{
	return client_default(
			c, DEFAULT_SNAPSHOTTER_LABEL, name, DEFAULT_SNAPSHOTTER, ret_name, err);
}

int ctrd_snapshotter_default(
		struct ctrd_client *c, char **ret_snapshotter, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_snapshotter(c, NULL, ret_snapshotter, &err), &err, ret_error);
}
