/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshotters of this build. Each keeps its own records next to its directories. */
#include <stdlib.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "cmd/containerd/plugins.h"
#include "core/snapshot.h"
#include "snapshots/native/snap_native.h"
#include "snapshots/overlay/snap_overlay.h"
#include "snapshots/snap_store.h"
#include "text/toml.h"

/* Where it keeps everything; shown, whether it starts or not. */
static const char *begin(struct plugin_env *env)
{
	const char *root = str_or(toml_text(toml_find(plugin_config(env), "root_path")),
			plugin_root(env));

	add_host_platform(env);
	plugin_export(env, "root", root);
	return root;
}

static int suspend_store(void *store, struct err *err)
{
	return snap_store_kv_suspend(store, err);
}

static int resume_store(void *store, struct err *err)
{
	return snap_store_kv_resume(store, err);
}

static const struct plugin_pause store_pause = {
	.suspend = suspend_store,
	.resume = resume_store,
};

int plugin_overlay_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const struct toml_value *config = plugin_config(env);
	AUTO(snap_store_free) struct snap_store *store = NULL;
	AUTO_STRV char **mount_options = toml_strv(toml_find(config, "mount_options"));
	struct snap_overlay_options options = {
		.root = begin(env),
		.upperdir_label = toml_bool(toml_find(config, "upperdir_label")),
		.sync_remove = toml_bool(toml_find(config, "sync_remove")),
		.slow_chown = toml_bool(toml_find(config, "slow_chown")),
		.mount_options = mount_options,
	};
	AUTO_STRV char **capabilities = NULL;
	struct snapshotter *s = NULL;

	if (snap_store_kv_open(options.root, false, &store, err) < 0 ||
			snap_overlay_new(&options, store, &s, err) < 0)
		return -1;
	plugin_on_pause(env, &store_pause, take_ptr(store));
	capabilities = snap_overlay_capabilities(s);
	for (size_t i = 0; i < strv_len(capabilities); i++)
		plugin_add_capability(env, capabilities[i]);
	*ret_instance = s;
	return 0;
}

int plugin_native_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	AUTO(snap_store_free) struct snap_store *store = NULL;
	struct snap_native_options options = { .root = begin(env) };
	struct snapshotter *s = NULL;

	if (snap_store_kv_open(options.root, false, &store, err) < 0 ||
			snap_native_new(&options, store, &s, err) < 0)
		return -1;
	plugin_on_pause(env, &store_pause, take_ptr(store));
	*ret_instance = s;
	return 0;
}

void plugin_snapshotter_fini(void *instance)
{
	snapshotter_free(instance);
}
