/* SPDX-License-Identifier: Apache-2.0 */
/* The Node Resource Interface, and what it is shown. */
#include <stdlib.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/version.h"
#include "cmd/containerd/plugins.h"
#include "config/config.h"
#include "meta/meta.h"
#include "nri/nri.h"
#include "nri/nri_tasks.h"
#include "plugin/plugin_set.h"
#include "text/toml.h"

struct shown {
	struct nri *nri; /* NULL: disabled */
	struct nri_tasks *tasks;
	char **namespaces;
	bool is_wanted; /* there is, or will be, something to show */
};

static int suspend(void *arg, struct err *err)
{
	nri_stop(((struct shown *)arg)->nri);
	return 0;
}

static int resume(void *arg, struct err *err)
{
	const struct shown *s = arg;

	if (s->is_wanted)
		nri_start(s->nri);
	return 0;
}

static const struct plugin_pause pause_ops = { .suspend = suspend, .resume = resume };

static struct nri_validator read_validator(const struct toml_value *c)
{
	return (struct nri_validator){
		.is_enabled = toml_bool(toml_find(c, "enable")),
		.reject_hooks = toml_bool(toml_find(c, "reject_oci_hook_adjustment")),
		.reject_default_seccomp = toml_bool(
				toml_find(c, "reject_runtime_default_seccomp_adjustment")),
		.reject_unconfined_seccomp =
				toml_bool(toml_find(c, "reject_unconfined_seccomp_adjustment")),
		.reject_custom_seccomp =
				toml_bool(toml_find(c, "reject_custom_seccomp_adjustment")),
		.reject_namespaces = toml_bool(toml_find(c, "reject_namespace_adjustment")),
		.reject_sysctls = toml_bool(toml_find(c, "reject_sysctl_adjustment")),
		.tolerate = toml_text(toml_find(c, "tolerate_missing_plugins_annotation")),
	};
}

/* An empty text or 0s in the file is the default, as in the original. */
static const char *path_of(const struct toml_value *c, const char *key, const char *initial)
{
	return str_or(toml_text(toml_find(c, key)), initial);
}

static int64_t time_of(const struct toml_value *c, const char *key, int64_t initial)
{
	int64_t ns = config_duration_ns(c, key);

	return ns > 0 ? ns : initial;
}

static struct nri *make(struct plugin_env *env, struct deprecations *deprecations)
{
	const struct toml_value *c = plugin_config(env);
	const struct toml_value *checks = toml_find(c, "default_validator");
	AUTO_STRV char **required = toml_strv(toml_find(checks, "required_plugins"));
	struct nri_options o = {
		.loop = plugin_host(env)->loop,
		.socket_path = path_of(c, "socket_path", "/var/run/nri/nri.sock"),
		.plugin_path = path_of(c, "plugin_path", "/opt/nri/plugins"),
		.config_path = path_of(c, "plugin_config_path", "/etc/nri/conf.d"),
		.registration_ns = time_of(c, "plugin_registration_timeout", 5 * NS_PER_S),
		.request_ns = time_of(c, "plugin_request_timeout", 2 * NS_PER_S),
		.is_closed = toml_bool(toml_find(c, "disable_connections")),
		.runtime_name = "containerd",
		.runtime_version = CTRD_FULL_VERSION,
		.deprecations = deprecations,
		.validator = read_validator(checks),
	};

	o.validator.required = required;
	if (!o.validator.is_enabled)
		log_info(NULL, "built-in NRI default validator is disabled");
	return nri_new(&o);
}

/* The original serves plugins from within CRI: where that is disabled (as in every daemon that
 * dockerd starts) there is no socket, and another daemon's is left alone. */
static bool has_cri(const struct config *c)
{
	AUTO_STRV char **disabled = toml_strv(config_get(c, "disabled_plugins"));

	return !strv_has(disabled, TYPE_GRPC ".cri") &&
	       !strv_has(disabled, "io.containerd.cri.v1.runtime");
}

int plugin_nri_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const struct toml_value *c = plugin_config(env);
	void *deprecations = NULL;
	struct shown *s;

	if (plugin_get(env, TYPE_WARNING, NULL, &deprecations, err) < 0)
		return -1;
	s = xzalloc(sizeof(*s));
	*ret_instance = s;
	if (toml_bool(toml_find(c, "disable"))) {
		log_info(NULL, "NRI interface is disabled by configuration.");
		return 0;
	}
	s->nri = make(env, deprecations);
	log_info(NULL, "created NRI interface");
	s->namespaces = toml_strv(toml_find(c, "namespaces"));
	s->is_wanted = has_cri(plugin_host(env)->config) || strv_len(s->namespaces) > 0;
	plugin_on_pause(env, &pause_ops, s);
	return 0;
}

void plugin_nri_fini(void *instance)
{
	struct shown *s = instance;

	nri_free(s->nri);
	nri_tasks_free(s->tasks);
	strv_free(s->namespaces);
	free(s);
}

static struct shown *shown_of(const struct plugin_set *plugins)
{
	struct shown *s = plugin_set_find(plugins, TYPE_NRI, "nri");

	return s == NULL || s->nri == NULL ? NULL : s;
}

void nri_serve(struct plugin_set *plugins)
{
	struct shown *s = shown_of(plugins);

	if (s != NULL && s->is_wanted)
		nri_start(s->nri);
}

void nri_silence(struct plugin_set *plugins)
{
	struct shown *s = shown_of(plugins);

	if (s != NULL)
		nri_stop(s->nri);
}

static char *blockio_file(const struct plugin_env *env)
{
	return xstrdup(toml_text(toml_find(plugin_config(env), "blockio_config_file")));
}

int nri_show_tasks(struct plugin_env *env, struct task_service **tasks, struct err *err)
{
	const struct plugin_host *host = plugin_host(env);
	struct shown *s = shown_of(host->plugins);
	AUTO_FREE char *bundles = xasprintf("%s/" TYPE_RUNTIME ".task", host->state);
	AUTO_FREE char *blockio = blockio_file(env);
	void *metadata = NULL, *events = NULL;
	struct nri_tasks_options o = { 0 };

	if (s == NULL || s->namespaces == NULL || s->namespaces[0] == NULL)
		return 0;
	if (plugin_get(env, TYPE_METADATA, NULL, &metadata, err) < 0 ||
			plugin_get(env, TYPE_EVENT, NULL, &events, err) < 0)
		return -1;
	o = (struct nri_tasks_options){
		.nri = s->nri,
		.tasks = *tasks,
		.containers = meta_containers(metadata),
		.sandboxes = meta_sandboxes(metadata),
		.events = events,
		.bundles = bundles,
		.namespaces = s->namespaces,
		.blockio_file = blockio,
	};
	if (nri_tasks_new(&o, &s->tasks, err) < 0)
		return -1;
	*tasks = nri_tasks_service(s->tasks);
	return 0;
}

struct sandbox_controller *nri_show_sandboxes(
		struct plugin_env *env, const char *id, struct sandbox_controller *inner)
{
	struct shown *s = shown_of(plugin_host(env)->plugins);

	return s == NULL || s->tasks == NULL ? inner
					     : nri_tasks_controller(s->tasks, id, inner);
}
