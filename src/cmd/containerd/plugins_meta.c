/* SPDX-License-Identifier: Apache-2.0 */
/* Events, content, metadata and its garbage collection, and the services over them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/containerd/plugins.h"
#include "content/content_local.h"
#include "core/gc.h"
#include "events/events.h"
#include "gc/gc_scheduler.h"
#include "kv/kv.h"
#include "meta/meta.h"
#include "metrics/metrics.h"
#include "rpc/server.h"
#include "services/services.h"
#include "text/duration.h"
#include "text/toml.h"
#include "wire/wire_event.h"

/* Clients reopen a reference right after closing the stream that still holds it. */
#define REF_WAIT (500 * NS_PER_MS)

int plugin_exchange_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	*ret_instance = event_exchange_new(&wire_event_reader);
	return 0;
}

void plugin_exchange_fini(void *instance)
{
	event_exchange_free(instance);
}

int plugin_content_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	struct content_local_options options = { plugin_root(env), REF_WAIT };
	struct content_store *store = NULL;

	plugin_export(env, "root", plugin_root(env));
	if (plugin_make_dir(plugin_root(env), 0700, err) < 0 ||
			content_local_new(&options, &store, err) < 0)
		return -1;
	if (content_local_clean(store, err) < 0) {
		content_local_free(store);
		return -1;
	}
	*ret_instance = store;
	return 0;
}

void plugin_content_fini(void *instance)
{
	content_local_free(instance);
}

/* --- metadata --- */

static void find_snapshotters(struct plugin_env *env, struct meta_options *options,
		struct meta_backend **ret_owned)
{
	struct meta_backend *list = NULL;
	void *instance;
	const char *id;
	size_t n = 0, at = 0;

	while (plugin_next(env, TYPE_SNAPSHOTTER, &at, &id, &instance)) {
		list = xreallocarray(list, n + 1, sizeof(*list));
		list[n++] = (struct meta_backend){ id, instance };
	}
	options->snapshotters = *ret_owned = list;
	options->snapshotter_count = n;
}

static int read_policy(struct plugin_env *env, struct meta_options *options, struct err *err)
{
	const struct toml_value *config = plugin_config(env);
	const char *policy = str_or(
			toml_text(toml_find(config, "content_sharing_policy")), "shared");

	if (!str_eq(policy, "shared") && !str_eq(policy, "isolated"))
		return err_set(err, ERR_INVALID, "unknown policy: %s", policy);
	options->isolated = str_eq(policy, "isolated");
	options->no_sync = toml_bool(toml_find(config, "no_sync"));
	plugin_export(env, "policy", policy);
	return 0;
}

static int suspend_meta(void *m, struct err *err)
{
	return kv_suspend(meta_kv(m), err);
}

static int resume_meta(void *m, struct err *err)
{
	return kv_resume(meta_kv(m), err);
}

static const struct plugin_pause meta_pause = {
	.suspend = suspend_meta,
	.resume = resume_meta,
};

int plugin_metadata_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/metadata.mdb", plugin_root(env));
	AUTO_FREE struct meta_backend *backends = NULL;
	struct meta_options options = { .maker = &wire_event_maker };
	void *content = NULL, *bus = NULL;
	struct meta *m = NULL;

	plugin_export(env, "path", path);
	if (plugin_get(env, TYPE_CONTENT, NULL, &content, err) < 0 ||
			plugin_get(env, TYPE_EVENT, NULL, &bus, err) < 0 ||
			read_policy(env, &options, err) < 0)
		return -1;
	options.content = content;
	options.events = bus;
	find_snapshotters(env, &options, &backends);
	if (plugin_make_dir(plugin_root(env), 0700, err) < 0 ||
			meta_open(path, &options, &m, err) < 0)
		return -1;
	plugin_on_pause(env, &meta_pause, m);
	*ret_instance = m;
	return 0;
}

void plugin_metadata_fini(void *instance)
{
	meta_close(instance);
}

/* --- garbage collection --- */

struct gc_plugin {
	struct collector counting; /* between the scheduler and the metadata */
	struct meta *meta;
	struct gc_scheduler *scheduler;
	struct metric *collections, *seconds;
};

static int collect_and_count(
		struct collector *self, struct gc_stats *ret_stats, struct err *err)
{
	struct gc_plugin *gc = container_of(self, struct gc_plugin, counting);
	int64_t start = clock_mono_ns();
	int rc = gc_collect(meta_collector(gc->meta), ret_stats, err);

	metric_add(gc->collections, rc < 0 ? "status=\"fail\"" : "status=\"success\"", 1);
	metric_add(gc->seconds, "", (double)(clock_mono_ns() - start) / NS_PER_S);
	return rc;
}

static void count_collections(struct gc_plugin *gc, struct metrics *all)
{
	gc->counting.collect = collect_and_count;
	gc->collections = metrics_family(all, METRIC_COUNTER, "containerd_gc_collections_total",
			"Garbage collections, by how they ended.");
	gc->seconds = metrics_family(all, METRIC_HISTOGRAM, "containerd_gc_gc_seconds",
			"How long garbage collections took.");
}

static int64_t read_duration(const struct toml_value *config, const char *key)
{
	int64_t ns = 0;

	return duration_parse(toml_text(toml_find(config, key)), &ns) ? ns : 0;
}

static void export_config(struct plugin_env *env, const struct gc_config *c)
{
	char text[DURATION_TEXT_SIZE];

	(void)snprintf(text, sizeof(text), "%g", c->pause_threshold);
	plugin_export(env, "PauseThreshold", text);
	(void)snprintf(text, sizeof(text), "%lld", (long long)c->deletion_threshold);
	plugin_export(env, "DeletionThreshold", text);
	(void)snprintf(text, sizeof(text), "%lld", (long long)c->mutation_threshold);
	plugin_export(env, "MutationThreshold", text);
	duration_format(c->schedule_delay_ns, text);
	plugin_export(env, "ScheduleDelay", text);
}

static int quiesce_gc(void *arg, int64_t mono_deadline_ns, struct err *err)
{
	struct gc_plugin *gc = arg;

	if (!gc_scheduler_pause(gc->scheduler, mono_deadline_ns))
		return err_set(err, ERR_UNAVAILABLE, "a collection is under way");
	return 0;
}

static int resume_gc(void *arg, struct err *err)
{
	struct gc_plugin *gc = arg;

	gc_scheduler_resume(gc->scheduler);
	return 0;
}

static const struct plugin_pause gc_pause = {
	.quiesce = quiesce_gc,
	.resume = resume_gc,
};

int plugin_gc_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const struct toml_value *config = plugin_config(env);
	struct gc_config c = {
		.pause_threshold = toml_float(toml_find(config, "pause_threshold")),
		.deletion_threshold = toml_int(toml_find(config, "deletion_threshold")),
		.mutation_threshold = toml_int(toml_find(config, "mutation_threshold")),
		.schedule_delay_ns = read_duration(config, "schedule_delay"),
		.startup_delay_ns = read_duration(config, "startup_delay"),
	};
	struct gc_plugin *gc;
	void *m = NULL;

	if (plugin_get(env, TYPE_METADATA, NULL, &m, err) < 0)
		return -1;
	gc = xzalloc(sizeof(*gc));
	gc->meta = m;
	count_collections(gc, plugin_host(env)->metrics);
	gc->scheduler = gc_scheduler_new(&c, &gc->counting);
	meta_set_scheduler(m, gc->scheduler);
	export_config(env, gc_scheduler_config(gc->scheduler));
	plugin_on_pause(env, &gc_pause, gc);
	*ret_instance = gc;
	return 0;
}

void plugin_gc_fini(void *instance)
{
	struct gc_plugin *gc = instance;

	meta_set_scheduler(gc->meta, NULL);
	gc_scheduler_free(gc->scheduler);
	free(gc);
}

/* --- the stores that other plugins ask for, and their services --- */

int plugin_lease_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	void *m = NULL;

	if (plugin_get(env, TYPE_METADATA, NULL, &m, err) < 0)
		return -1;
	*ret_instance = meta_leases(m);
	return 0;
}

static int store_init(struct plugin_env *env, void *(*store)(struct meta *m),
		void **ret_instance, struct err *err)
{
	void *m = NULL;

	if (plugin_get(env, TYPE_METADATA, NULL, &m, err) < 0)
		return -1;
	*ret_instance = store(m);
	return 0;
}

#define STORE(name, getter)                                                                    \
	static void *name##_store(struct meta *m)                                              \
	{                                                                                      \
		return getter(m);                                                              \
	}                                                                                      \
	int plugin_##name##_store_init(                                                        \
			struct plugin_env *env, void **ret_instance, struct err *err)          \
	{                                                                                      \
		return store_init(env, name##_store, ret_instance, err);                       \
	}

STORE(containers, meta_containers)
STORE(images, meta_images)
STORE(namespaces, meta_namespaces)
STORE(content, meta_content)
STORE(sandboxes, meta_sandboxes)

/* Its instance is the table of the Snapshots service. */
int plugin_snapshots_store_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	struct snapshots_service *s;
	struct named_snapshotter *list = NULL;
	void *m = NULL, *backend;
	const char *id;
	size_t n = 0, at = 0;

	if (plugin_get(env, TYPE_METADATA, NULL, &m, err) < 0)
		return -1;
	while (plugin_next(env, TYPE_SNAPSHOTTER, &at, &id, &backend)) {
		list = xreallocarray(list, n + 1, sizeof(*list));
		list[n++] = (struct named_snapshotter){ id, meta_snapshotter(m, id) };
	}
	s = xzalloc(sizeof(*s));
	*s = (struct snapshots_service){ list, n };
	*ret_instance = s;
	return 0;
}

void plugin_snapshots_store_fini(void *instance)
{
	struct snapshots_service *s = instance;

	free((void *)s->list);
	free(s);
}

/* All services over one store are one pointer to it. */
struct store_service {
	void *store;
};
_Static_assert(sizeof(struct containers_service) == sizeof(struct store_service) &&
				sizeof(struct images_service) == sizeof(struct store_service) &&
				sizeof(struct namespaces_service) ==
						sizeof(struct store_service) &&
				sizeof(struct leases_service) == sizeof(struct store_service) &&
				sizeof(struct content_service) ==
						sizeof(struct store_service) &&
				sizeof(struct sandboxes_service) ==
						sizeof(struct store_service) &&
				sizeof(struct events_service) == sizeof(struct store_service),
		"one pointer each");

static int serve_store(struct plugin_env *env, const char *type, const char *id,
		const struct rpc_service *service, void **ret_instance, struct err *err)
{
	struct store_service *self;
	void *store = NULL;

	if (plugin_get(env, type, id, &store, err) < 0)
		return -1;
	self = xzalloc(sizeof(*self));
	self->store = store;
	rpc_server_add(plugin_host(env)->server, RPC_GRPC, service, self);
	*ret_instance = self;
	return 0;
}

int plugin_containers_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	return serve_store(env, TYPE_SERVICE, "containers-service", &containers_service,
			ret_instance, err);
}

int plugin_images_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	return serve_store(env, TYPE_SERVICE, "images-service", &images_service, ret_instance,
			err);
}

int plugin_namespaces_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	return serve_store(env, TYPE_SERVICE, "namespaces-service", &namespaces_service,
			ret_instance, err);
}

int plugin_content_service_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	return serve_store(env, TYPE_SERVICE, "content-service", &content_service, ret_instance,
			err);
}

int plugin_leases_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	return serve_store(env, TYPE_LEASE, "manager", &leases_service, ret_instance, err);
}

int plugin_sandboxes_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	return serve_store(env, TYPE_SANDBOX_STORE, "local", &sandboxes_service, ret_instance,
			err);
}

int plugin_snapshots_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	void *self = NULL;

	if (plugin_get(env, TYPE_SERVICE, "snapshots-service", &self, err) < 0)
		return -1;
	rpc_server_add(plugin_host(env)->server, RPC_GRPC, &snapshots_service, self);
	*ret_instance = NULL;
	return 0;
}

/* Clients subscribe and publish over gRPC; shims forward over ttrpc. */
int plugin_events_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	if (serve_store(env, TYPE_EVENT, "exchange", &events_service, ret_instance, err) < 0)
		return -1;
	rpc_server_add(plugin_host(env)->server, RPC_TTRPC, &shim_events_service,
			*ret_instance);
	return 0;
}

void plugin_service_fini(void *instance)
{
	free(instance);
}
