/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins that stand on nothing else. */
#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "cmd/containerd/plugins.h"
#include "core/deprecation.h"
#include "oci/platform.h"
#include "os/cgroup.h"
#include "os/dirs.h"
#include "os/environment.h"
#include "text/toml.h"

int plugin_make_dir(const char *path, mode_t mode, struct err *err)
{
	int rc = dir_make_own(path, mode);

	return rc < 0 ? err_sys(err, -rc, "mkdir %s", path) : 0;
}

void add_host_platform(struct plugin_env *env)
{
	struct platform host AUTO_PLATFORM = { 0 };
	AUTO_FREE char *text = NULL;

	platform_host(&host);
	text = platform_text(&host);
	plugin_add_platform(env, text);
}

/* Where administrators put added programs: found by us and by what we start. */
int plugin_opt_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const char *path = toml_text(toml_find(plugin_config(env), "path"));
	AUTO_FREE char *bin = xasprintf("%s/bin", path);
	AUTO_FREE char *lib = xasprintf("%s/lib", path);

	plugin_export(env, "path", path);
	if (plugin_make_dir(bin, 0711, err) < 0 || plugin_make_dir(lib, 0711, err) < 0)
		return -1;
	environment_prepend("PATH", bin);
	environment_prepend("LD_LIBRARY_PATH", lib);
	*ret_instance = NULL;
	return 0;
}

int plugin_warning_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	struct deprecations *d = deprecations_new();

	if (cgroup_mode() == CGROUP_LEGACY || cgroup_mode() == CGROUP_HYBRID)
		deprecation_note(d, DEPRECATED_CGROUP_V1);
	*ret_instance = d;
	return 0;
}

void plugin_warning_fini(void *instance)
{
	deprecations_free(instance);
}
