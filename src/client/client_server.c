/* SPDX-License-Identifier: Apache-2.0 */
/* What a daemon says about itself: version, identity, plugins. */
#include "client/client_priv.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/wire_map.h"

#include "api/pb/empty.pb-c.h"
#include "api/pb/introspection.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "api/pb/version.pb-c.h"
#include "api/timestamp.h"

int ctrd_client_version(struct ctrd_client *c, char **ret_version, char **ret_revision,
		struct ctrd_error **ret_error)
{
	Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO_ARENA struct arena a = { 0 };
	const Version__VersionResponse *v;

	arena_init(&a, CLIENT_REPLY_BUDGET);
	v = client_call(c, CLIENT_VERSION_Version, &request.base, &a, &err);
	if (v == NULL)
		return api_result(-1, &err, ret_error);
	*ret_version = xstrdup(v->version);
	*ret_revision = xstrdup(v->revision);
	return 0;
}

/* --- server ------------------------------------------------------------------------------- */

struct ctrd_server {
	struct arena arena;
	const Introspection__ServerResponse *pb;
};

void ctrd_server_free(struct ctrd_server *s)
{
	if (s == NULL)
		return;
	arena_done(&s->arena);
	free(s);
}
DEFINE_AUTO(struct ctrd_server *, ctrd_server_free)

int ctrd_client_server(struct ctrd_client *c, struct ctrd_server **ret_server,
		struct ctrd_error **ret_error)
{
	Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_server_free) struct ctrd_server *s = xzalloc(sizeof(*s));

	arena_init(&s->arena, CLIENT_REPLY_BUDGET);
	s->pb = client_call(c, CLIENT_INTROSPECTION_Server, &request.base, &s->arena, &err);
	if (s->pb == NULL)
		return api_result(-1, &err, ret_error);
	*ret_server = take_ptr(s);
	return 0;
}

const char *ctrd_server_uuid(const struct ctrd_server *s)
{
	return s->pb->uuid;
}

uint64_t ctrd_server_pid(const struct ctrd_server *s)
{
	return s->pb->pid;
}

uint64_t ctrd_server_pidns(const struct ctrd_server *s)
{
	return s->pb->pidns;
}

size_t ctrd_server_deprecations(const struct ctrd_server *s)
{
	return s->pb->n_deprecations;
}

const char *ctrd_server_deprecation_id(const struct ctrd_server *s, size_t i)
{
	return i < s->pb->n_deprecations ? s->pb->deprecations[i]->id : NULL;
}

const char *ctrd_server_deprecation_text(const struct ctrd_server *s, size_t i)
{
	return i < s->pb->n_deprecations ? s->pb->deprecations[i]->message : NULL;
}

int64_t ctrd_server_deprecation_time(const struct ctrd_server *s, size_t i)
{
	return i < s->pb->n_deprecations ? timestamp_ns(s->pb->deprecations[i]->last_occurrence)
					 : CTRD_NO_TIME;
}

/* --- plugins ------------------------------------------------------------------------------ */

struct ctrd_plugin {
	const Introspection__Plugin *pb;
	char **platforms; /* as text */
	struct labels exports;
};

struct ctrd_plugins {
	struct arena arena;
	struct ctrd_plugin *items;
	size_t count;
};

void ctrd_plugins_free(struct ctrd_plugins *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->count; i++)
		strv_free(l->items[i].platforms);
	arena_done(&l->arena);
	free(l);
}
DEFINE_AUTO(struct ctrd_plugins *, ctrd_plugins_free)

static void fill_plugin(struct arena *a, const Introspection__Plugin *pb, struct ctrd_plugin *p)
{
	p->pb = pb;
	p->exports = wire_labels_in(a, pb->n_exports, pb->exports);
	for (size_t i = 0; i < pb->n_platforms; i++) {
		const Types__Platform *t = pb->platforms[i];

		strv_addf(&p->platforms, "%s/%s%s%s", t->os, t->architecture,
				t->variant[0] == '\0' ? "" : "/", t->variant);
	}
}

int ctrd_plugins_list(struct ctrd_client *c, const char *const *filters,
		struct ctrd_plugins **ret_plugins, struct ctrd_error **ret_error)
{
	Introspection__PluginsRequest request = INTROSPECTION__PLUGINS_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_plugins_free) struct ctrd_plugins *l = xzalloc(sizeof(*l));
	const Introspection__PluginsResponse *pb;

	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	request.filters = wire_strv_out(&l->arena, (char *const *)filters, &request.n_filters);
	pb = client_call(c, CLIENT_INTROSPECTION_Plugins, &request.base, &l->arena, &err);
	if (pb == NULL)
		return api_result(-1, &err, ret_error);
	l->items = arena_calloc(&l->arena, pb->n_plugins, sizeof(*l->items));
	for (; l->count < pb->n_plugins; l->count++)
		fill_plugin(&l->arena, pb->plugins[l->count], &l->items[l->count]);
	*ret_plugins = take_ptr(l);
	return 0;
}

size_t ctrd_plugins_count(const struct ctrd_plugins *l)
{
	return l->count;
}

const struct ctrd_plugin *ctrd_plugins_at(const struct ctrd_plugins *l, size_t i)
{
	return i < l->count ? &l->items[i] : NULL;
}

const char *ctrd_plugin_type(const struct ctrd_plugin *p)
{
	return p->pb->type;
}

const char *ctrd_plugin_id(const struct ctrd_plugin *p)
{
	return p->pb->id;
}

const char *ctrd_plugin_require(const struct ctrd_plugin *p, size_t i)
{
	return i < p->pb->n_requires ? p->pb->requires[i] : NULL;
}

const char *ctrd_plugin_platform(const struct ctrd_plugin *p, size_t i)
{
	return i < p->pb->n_platforms ? p->platforms[i] : NULL;
}

const char *ctrd_plugin_capability(const struct ctrd_plugin *p, size_t i)
{
	return i < p->pb->n_capabilities ? p->pb->capabilities[i] : NULL;
}

const struct ctrd_labels *ctrd_plugin_exports(const struct ctrd_plugin *p)
{
	return public_labels(&p->exports);
}

int ctrd_plugin_error_code(const struct ctrd_plugin *p)
{
	return p->pb->init_err == NULL ? CTRD_OK : p->pb->init_err->code;
}

const char *ctrd_plugin_error_text(const struct ctrd_plugin *p)
{
	return p->pb->init_err == NULL ? "" : p->pb->init_err->message;
}
