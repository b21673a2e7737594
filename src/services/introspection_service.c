/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "api/pb.h"
#include "api/pb/introspection.pb-c.h"
#include "api/pb/rpc.pb-c.h"
#include "api/timestamp.h"
#include "api/typeurl.h"
#include "base/auto.h"
#include "base/err_details.h"
#include "base/str.h"
#include "core/any.h"
#include "core/deprecation.h"
#include "core/filter.h"
#include "core/task.h"
#include "plugin/plugin_set.h"
#include "services/services_priv.h"
#include "wire/wire_map.h"

/* --- one plugin as a message --- */

/* "linux/arm/v7" */
static Types__Platform *platform_out(struct arena *a, const char *text)
{
	Types__Platform *p = ARENA_NEW(a, Types__Platform, types__platform);
	AUTO_STRV char **parts = strv_split(text, '/');
	size_t count = strv_len(parts);

	p->os = arena_strdup(a, count > 0 ? parts[0] : "");
	p->architecture = arena_strdup(a, count > 1 ? parts[1] : "");
	p->variant = arena_strdup(a, count > 2 ? parts[2] : "");
	return p;
}

static void add_platforms(
		struct arena *a, Introspection__Plugin *out, const struct plugin_info *info)
{
	out->n_platforms = strv_len(info->platforms);
	if (out->n_platforms == 0)
		return;
	out->platforms = arena_calloc(a, out->n_platforms, sizeof(*out->platforms));
	for (size_t i = 0; i < out->n_platforms; i++)
		out->platforms[i] = platform_out(a, info->platforms[i]);
}

/* ctr shows "skip" for a text with "skip plugin" in it, "error" for any other. */
static Rpc__Status *status_out(struct arena *a, const struct err *e)
{
	Rpc__Status *s = ARENA_NEW(a, Rpc__Status, rpc__status);

	s->code = err_grpc_status(e);
	s->message = arena_strdup(a, err_text(e));
	return s;
}

static Introspection__Plugin *plugin_out(struct arena *a, const struct plugin_info *info)
{
	Introspection__Plugin *out = ARENA_NEW(a, Introspection__Plugin, introspection__plugin);

	out->type = arena_strdup(a, info->type);
	out->id = arena_strdup(a, info->id);
	out->requires = wire_strv_out(a, info->needs, &out->n_requires);
	add_platforms(a, out, info);
	out->exports = wire_labels_out(a, &info->exports,
			&introspection__plugin__exports_entry__descriptor, &out->n_exports);
	out->capabilities = wire_strv_out(a, info->capabilities, &out->n_capabilities);
	if (info->err != NULL)
		out->init_err = status_out(a, info->err);
	return out;
}

/* --- Plugins --- */

static bool plugin_field(void *object, char *const *path, size_t n, const char **ret_value)
{
	const struct plugin_info *info = object;

	if (n != 1)
		return false;
	if (str_eq(path[0], "type"))
		*ret_value = info->type;
	else if (str_eq(path[0], "id"))
		*ret_value = info->id;
	else
		return false;
	return true;
}

/* The original wraps the class and the cause here, alone of all: the cause is a detail, too. */
static enum call_fate refuse_filters(struct err *err)
{
	err_add_cause(err, err->kind, err_text(err));
	(void)err_wrap(err, "invalid argument");
	return CALL_FAILED;
}

static enum call_fate plugins(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const struct introspection_service *s = self;
	const Introspection__PluginsRequest *r = (const void *)request;
	Introspection__PluginsResponse answer = INTROSPECTION__PLUGINS_RESPONSE__INIT;
	struct gather g = { .arena = call_arena(call) };
	char **filters = wire_strv_in(g.arena, r->n_filters, r->filters);
	AUTO(filter_free) struct filter *f = NULL;
	struct ctx ctx;

	if (!walk_begin(call, filters, &ctx))
		return call_to_worker(call, plugins, self, request, err);
	if (filter_parse(filters, &f, err) < 0)
		return refuse_filters(err);
	for (size_t i = 0; i < plugin_set_count(s->plugins); i++) {
		const struct plugin_info *info = plugin_set_info(s->plugins, i);
		bool hit = filter_match(f, plugin_field, (void *)(uintptr_t)info, err);

		if (err->kind != ERR_NONE)
			return CALL_FAILED;
		if (hit && gather_add(&g, &plugin_out(g.arena, info)->base, err) < 0)
			return CALL_FAILED;
	}
	answer.plugins = (Introspection__Plugin **)g.items;
	answer.n_plugins = g.count;
	return call_answer(call, &answer.base, err);
}

/* --- Server --- */

static int gather_deprecations(struct gather *g, struct deprecations *d, struct err *err)
{
	struct deprecation_seen seen[DEPRECATION_COUNT];
	size_t count = deprecations_seen(d, seen);

	for (size_t i = 0; i < count; i++) {
		Introspection__DeprecationWarning *w =
				ARENA_NEW(g->arena, Introspection__DeprecationWarning,
						introspection__deprecation_warning);

		w->id = seen[i].id;
		w->message = seen[i].text;
		w->last_occurrence = timestamp_new(g->arena, seen[i].last_ns);
		if (gather_add(g, &w->base, err) < 0)
			return -1;
	}
	return 0;
}

static enum call_fate server(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const struct introspection_service *s = self;
	Introspection__ServerResponse answer = INTROSPECTION__SERVER_RESPONSE__INIT;
	struct gather g = { .arena = call_arena(call) };

	if (s->uuid == NULL) {
		(void)err_plain(err, ERR_UNKNOWN, "%s", s->uuid_fault);
		return CALL_FAILED;
	}
	if (s->deprecations != NULL && gather_deprecations(&g, s->deprecations, err) < 0)
		return CALL_FAILED;
	answer.uuid = s->uuid;
	answer.pid = (uint64_t)getpid();
	answer.pidns = s->pid_namespace;
	answer.deprecations = (Introspection__DeprecationWarning **)g.items;
	answer.n_deprecations = g.count;
	return call_answer(call, &answer.base, err);
}

/* --- PluginInfo --- */

static const struct plugin_info *find_plugin(
		const struct plugin_set *set, const char *type, const char *id)
{
	for (size_t i = 0; i < plugin_set_count(set); i++) {
		const struct plugin_info *info = plugin_set_info(set, i);

		if (str_eq(info->type, type) && str_eq(info->id, id))
			return info;
	}
	return NULL;
}

/* What the runtime named in the options says of itself. */
static int runtime_info(const struct introspection_service *s, struct call *call,
		const Google__Protobuf__Any *options, struct any *ret_info, struct err *err)
{
	struct ProtobufCMessage *message = NULL;
	const Types__RuntimeRequest *r;
	struct any inner;

	if (s->tasks == NULL)
		return err_set(err, ERR_UNIMPLEMENTED, "runtime info");
	if (any_unpack(options, &types__runtime_request__descriptor, call_arena(call),
			    &pb_limits_request, &message, err) < 0)
		return -1;
	r = (const void *)message;
	inner = wire_any_in(r->options);
	return task_runtime_info(
			s->tasks, ctx_of(call), r->runtime_path, &inner, ret_info, err);
}

static int extra_info(const struct introspection_service *s, struct call *call,
		const struct plugin_info *info, const Google__Protobuf__Any *options,
		struct any *ret_info, struct err *err)
{
	if (info->err != NULL)
		return err_set(err, ERR_PRECONDITION,
				"cannot get extra info, plugin not successfully loaded");
	if (!str_eq(info->type, "io.containerd.runtime.v2"))
		return err_set(err, ERR_UNIMPLEMENTED, "plugin has no extra information");
	return runtime_info(s, call, options, ret_info, err);
}

static enum call_fate plugin_info(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const struct introspection_service *s = self;
	const Introspection__PluginInfoRequest *r = (const void *)request;
	Introspection__PluginInfoResponse answer = INTROSPECTION__PLUGIN_INFO_RESPONSE__INIT;
	const struct plugin_info *info = find_plugin(s->plugins, r->type, r->id);
	AUTO_ANY struct any extra = { 0 };

	if (info == NULL) {
		(void)err_set(err, ERR_NOT_FOUND, "plugin %s.%s not found", r->type, r->id);
		return CALL_FAILED;
	}
	answer.plugin = plugin_out(call_arena(call), info);
	if (r->options != NULL) {
		if (extra_info(s, call, info, r->options, &extra, err) < 0)
			return CALL_FAILED;
		answer.extra = wire_any_out(call_arena(call), &extra);
	}
	return call_answer(call, &answer.base, err);
}

static const struct rpc_method methods[] = {
	UNARY("Plugins", RPC_ON_LOOP, introspection__plugins_request,
			introspection__plugins_response, plugins),
	UNARY("Server", RPC_ON_LOOP, google__protobuf__empty, introspection__server_response,
			server),
	UNARY("PluginInfo", RPC_ON_WORKER | RPC_SLOW, introspection__plugin_info_request,
			introspection__plugin_info_response, plugin_info),
};

const struct rpc_service introspection_service = {
	"containerd.services.introspection.v1.Introspection", methods, ARRAY_LEN(methods)
};
