/* SPDX-License-Identifier: Apache-2.0 */
/* Layers: the differ, and the service that asks differs in turn. */
#include <stdlib.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/containerd/plugins.h"
#include "config/config.h"
#include "core/diff.h"
#include "diff/diff_walking.h"
#include "meta/meta.h"
#include "rpc/server.h"
#include "services/services.h"
#include "text/toml.h"

/* "[stream_processors]", in the order of the table. */
struct processors {
	struct diff_processor *list;
	size_t count;
};

static void processors_done(struct processors *p)
{
	for (size_t i = 0; i < p->count; i++) {
		strv_free(p->list[i].accepts);
		strv_free(p->list[i].args);
		strv_free(p->list[i].env);
	}
	free(p->list);
}

static char *text_of(const struct toml_value *table, const char *key)
{
	return (char *)(uintptr_t)toml_text(toml_find(table, key)); /* only to be copied */
}

static void read_processors(struct plugin_env *env, struct processors *p)
{
	const struct toml_value *all =
			config_get(plugin_host(env)->config, "stream_processors");
	size_t n = toml_count(all);

	p->list = xcalloc(n + 1, sizeof(*p->list));
	for (size_t i = 0; i < n; i++) {
		const struct toml_value *one = toml_at(all, i);

		p->list[p->count++] = (struct diff_processor){
			.id = (char *)(uintptr_t)toml_key_at(all, i),
			.accepts = toml_strv(toml_find(one, "accepts")),
			.returns = text_of(one, "returns"),
			.path = text_of(one, "path"),
			.args = toml_strv(toml_find(one, "args")),
			.env = toml_strv(toml_find(one, "env")),
		};
	}
}

static int log2_of(int64_t n)
{
	return n <= 0 ? 0 : 63 - __builtin_clzll((unsigned long long)n);
}

int plugin_walking_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	__attribute__((cleanup(processors_done))) struct processors processors = { 0 };
	AUTO_FREE char *temp = xasprintf("%s/tmpmounts", plugin_host(env)->root);
	struct diff_walking_options options = { .temp_root = temp };
	AUTO_ERR struct err fault = { 0 };
	void *m = NULL, *mounts = NULL;

	if (plugin_get(env, TYPE_METADATA, NULL, &m, err) < 0)
		return -1;
	/* Without it, plain mounts work all the same. */
	if (plugin_get(env, TYPE_MOUNT_MANAGER, NULL, &mounts, &fault) == 0)
		options.mounts = ((struct mounts_service *)mounts)->manager;
	add_host_platform(env);
	read_processors(env, &processors);
	options.content = meta_content(m);
	options.zstd_window_log_max =
			log2_of(toml_int(toml_find(plugin_config(env), "zstd_max_window")));
	options.processors = processors.list;
	options.processor_count = processors.count;
	*ret_instance = diff_walking_new(&options);
	return 0;
}

void plugin_differ_fini(void *instance)
{
	differ_free(instance);
}

static int find_differs(struct plugin_env *env, const struct toml_value *names,
		struct diff_service *s, struct err *err)
{
	struct differ **list = xcalloc(toml_count(names) + 1, sizeof(struct differ *));

	s->differs = list;
	for (size_t i = 0; i < toml_count(names); i++) {
		const char *name = toml_text(toml_at(names, i));
		void *differ = NULL;

		if (plugin_get(env, TYPE_DIFFER, name, &differ, err) < 0) {
			if (err->kind != ERR_NOT_FOUND)
				return -1;
			err_clear(err);
			return err_plain(
					err, ERR_UNKNOWN, "needed differ not loaded: %s", name);
		}
		list[s->count++] = differ;
	}
	return 0;
}

static void diff_service_free(struct diff_service *s)
{
	free((void *)(uintptr_t)s->differs);
	free(s);
}

int plugin_diff_service_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const struct toml_value *config = plugin_config(env);
	struct diff_service *s = xzalloc(sizeof(*s));

	s->sync_fs = toml_bool(toml_find(config, "sync_fs"));
	if (find_differs(env, toml_find(config, "default"), s, err) < 0) {
		diff_service_free(s);
		return -1;
	}
	*ret_instance = s;
	return 0;
}

void plugin_diff_service_fini(void *instance)
{
	diff_service_free(instance);
}

int plugin_diff_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	void *self = NULL;

	if (plugin_get(env, TYPE_SERVICE, "diff-service", &self, err) < 0)
		return -1;
	rpc_server_add(plugin_host(env)->server, RPC_GRPC, &diff_service, self);
	*ret_instance = NULL;
	return 0;
}
