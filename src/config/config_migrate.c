/* SPDX-License-Identifier: Apache-2.0 */
/* From version 1, 2 and 3 to 4: reference 03 §4.2. */
#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config_priv.h"
#include "text/toml.h"

/* --- 1 to 2: short names --- */

static const struct {
	const char *name, *type;
} short_names[] = {
	{ "cri", "io.containerd.grpc.v1" },
	{ "cgroups", "io.containerd.monitor.v1" },
	{ "linux", "io.containerd.runtime.v1" },
	{ "scheduler", "io.containerd.gc.v1" },
	{ "bolt", "io.containerd.metadata.v1" },
	{ "task", "io.containerd.runtime.v2" },
	{ "opt", "io.containerd.internal.v1" },
	{ "restart", "io.containerd.internal.v1" },
	{ "tracing", "io.containerd.internal.v1" },
	{ "otlp", "io.containerd.tracing.processor.v1" },
	{ "aufs", "io.containerd.snapshotter.v1" },
	{ "btrfs", "io.containerd.snapshotter.v1" },
	{ "devmapper", "io.containerd.snapshotter.v1" },
	{ "native", "io.containerd.snapshotter.v1" },
	{ "overlayfs", "io.containerd.snapshotter.v1" },
	{ "zfs", "io.containerd.snapshotter.v1" },
};

static char *long_name(struct config *c, const char *name)
{
	if (strchr(name, '.') != NULL)
		return xstrdup(name);
	for (size_t i = 0; i < ARRAY_LEN(short_names); i++)
		if (str_eq(short_names[i].name, name))
			return xasprintf("%s.%s", short_names[i].type, name);
	if (str_ends(name, "-service"))
		return xasprintf("io.containerd.service.v1.%s", name);
	config_add_note(c, LOG_WARN, NULL,
			"Ambiguous %s plugin in v1 config, treating as "
			"io.containerd.grpc.v1.%s",
			name, name);
	return xasprintf("io.containerd.grpc.v1.%s", name);
}

static void lengthen_list(struct config *c, struct toml_value *tree, const char *key)
{
	struct toml_value *list = toml_find(tree, key);
	struct toml_value *out;

	/* What is no list of texts is refused with its place when the file is checked. */
	if (!toml_is(list, TOML_ARRAY))
		return;
	out = toml_new_array();
	toml_set_place(out, toml_file(list), toml_line(list), toml_column(list));
	for (size_t i = 0; i < toml_count(list); i++) {
		const struct toml_value *item = toml_at(list, i);

		if (toml_is(item, TOML_TEXT)) {
			AUTO_FREE char *name = long_name(c, toml_text(item));

			toml_append(out, toml_new_text(name));
		} else {
			toml_append(out, toml_copy(item));
		}
	}
	toml_put(tree, key, out);
}

static void lengthen_plugins(struct config *c, struct toml_value *tree)
{
	AUTO(toml_free) struct toml_value *old = toml_take(tree, "plugins");
	struct toml_value *plugins;

	if (old == NULL)
		return;
	plugins = toml_need_table(tree, "plugins");
	for (size_t i = 0; i < toml_count(old); i++) {
		AUTO_FREE char *name = long_name(c, toml_key_at(old, i));

		toml_merge(toml_need_table(plugins, name), toml_at(old, i));
	}
}

/* --- renamed plugins --- */

/* What already stands under the new name wins. */
static void move_section(struct toml_value *plugins, const char *from, const char *to)
{
	AUTO(toml_free) struct toml_value *old = toml_take(plugins, from);
	AUTO(toml_free) struct toml_value *newer = NULL;

	if (old == NULL)
		return;
	newer = toml_take(plugins, to);
	if (newer != NULL)
		toml_merge(old, newer);
	toml_put(plugins, to, take_ptr(old));
}

/* The original replaces the whole shim table here, and may lose this very entry: not we. */
static void move_sched_core(struct toml_value *plugins)
{
	struct toml_value *task = toml_find(plugins, "io.containerd.runtime.v2.task");
	AUTO(toml_free) struct toml_value *sched_core = toml_take(task, "sched_core");
	struct toml_value *shim, *env;

	if (!toml_is(sched_core, TOML_BOOL) || !toml_bool(sched_core))
		return;
	shim = toml_need_table(plugins, "io.containerd.shim.v1.manager");
	env = toml_find(shim, "env");
	if (env == NULL) {
		env = toml_new_array();
		toml_put(shim, "env", env);
	}
	if (toml_is(env, TOML_ARRAY))
		toml_append(env, toml_new_text("SCHED_CORE=1"));
}

static void rename_plugins(struct toml_value *tree)
{
	struct toml_value *plugins = toml_find(tree, "plugins");

	if (plugins == NULL)
		return;
	config_migrate_cri(plugins);
	move_section(plugins, "io.containerd.internal.v1.restart",
			"io.containerd.monitor.container.v1.restart");
	move_section(plugins, "io.containerd.monitor.v1.cgroups",
			"io.containerd.monitor.task.v1.cgroups");
	move_sched_core(plugins);
}

/* --- 3 to 4: servers became plugins --- */

/* Gives a plugin the keys of an old table that it does not have yet; "names" are pairs of old
 * and new. Empty texts and missing keys leave the default. */
static void move_keys(const struct toml_value *from, struct toml_value *plugins,
		const char *uri, const char *const *names)
{
	for (; names[0] != NULL; names += 2) {
		const struct toml_value *v = toml_find(from, names[0]);
		struct toml_value *section;

		if (v == NULL || (toml_is(v, TOML_TEXT) && toml_text(v)[0] == '\0'))
			continue;
		section = toml_need_table(plugins, uri);
		if (toml_find(section, names[1]) == NULL)
			toml_put(section, names[1], toml_copy(v));
	}
}

static bool has_text(const struct toml_value *table, const char *key)
{
	const struct toml_value *v = toml_find(table, key);

	return toml_is(v, TOML_TEXT) && toml_text(v)[0] != '\0';
}

static void drop_zero(struct toml_value *table, const char *key)
{
	const struct toml_value *v = toml_find(table, key);

	if (toml_is(v, TOML_INT) && toml_int(v) == 0)
		toml_remove(table, key);
}

static void move_grpc(struct toml_value *grpc, struct toml_value *plugins)
{
	static const char *const unix_names[] = { "address", "address", "uid", "uid", "gid",
		"gid", "max_recv_message_size", "max_recv_message_size",
		"max_send_message_size", "max_send_message_size", NULL };
	static const char *const tcp_names[] = { "tcp_address", "address", "tcp_tls_ca",
		"tls_ca", "tcp_tls_cert", "tls_cert", "tcp_tls_key", "tls_key",
		"tcp_tls_common_name", "tls_common_name", "max_recv_message_size",
		"max_recv_message_size", "max_send_message_size", "max_send_message_size",
		NULL };

	drop_zero(grpc, "max_recv_message_size");
	drop_zero(grpc, "max_send_message_size");
	move_keys(grpc, plugins, "io.containerd.server.v1.grpc", unix_names);
	if (has_text(grpc, "tcp_address"))
		move_keys(grpc, plugins, "io.containerd.server.v1.grpc-tcp", tcp_names);
}

static void move_ttrpc(struct config *c, const struct toml_value *ttrpc,
		const struct toml_value *grpc, struct toml_value *plugins)
{
	static const char *const names[] = { "address", "address", "uid", "uid", "gid", "gid",
		NULL };
	static const char *const ids[] = { "uid", "uid", "gid", "gid", NULL };
	static const char uri[] = "io.containerd.server.v1.ttrpc";
	struct toml_value *section;

	if (toml_find(plugins, uri) != NULL)
		return;
	if (has_text(ttrpc, "address")) {
		move_keys(ttrpc, plugins, uri, names);
		c->ttrpc_is_derived = false;
	} else if (has_text(grpc, "address")) {
		AUTO_FREE char *address =
				xasprintf("%s.ttrpc", toml_text(toml_find(grpc, "address")));

		section = toml_need_table(plugins, uri);
		toml_put(section, "address", toml_new_text(address));
		move_keys(grpc, plugins, uri, ids);
		c->ttrpc_is_derived = true;
	}
}

static void move_servers(struct config *c, struct toml_value *tree)
{
	static const char *const socket[] = { "address", "address", "uid", "uid", "gid", "gid",
		NULL };
	static const char *const address[] = { "address", "address", NULL };
	static const char *const histogram[] = { "grpc_histogram", "grpc_histogram", NULL };
	AUTO(toml_free) struct toml_value *grpc = toml_take(tree, "grpc");
	AUTO(toml_free) struct toml_value *ttrpc = toml_take(tree, "ttrpc");
	AUTO(toml_free) struct toml_value *metrics = toml_take(tree, "metrics");
	struct toml_value *debug = toml_find(tree, "debug");
	struct toml_value *plugins = toml_need_table(tree, "plugins");

	move_grpc(grpc, plugins);
	move_ttrpc(c, ttrpc, grpc, plugins);
	if (has_text(metrics, "address"))
		move_keys(metrics, plugins, "io.containerd.server.v1.metrics", address);
	move_keys(metrics, plugins, "io.containerd.metrics.v1.grpc-prometheus", histogram);
	if (has_text(debug, "address"))
		move_keys(debug, plugins, "io.containerd.server.v1.debug", socket);
	for (const char *const *key = socket; *key != NULL; key += 2)
		toml_remove(debug, *key);
}

/* The tables that only older versions have; what else is wrong is found once it has moved. */
static int check_legacy(const struct toml_value *tree, struct err *err)
{
	AUTO(toml_free) struct toml_value *old = toml_new_table();

	for (const struct config_key *row = config_legacy_keys; row->name != NULL; row++)
		if (toml_find(tree, row->name) != NULL)
			toml_put(old, row->name, toml_copy(toml_find(tree, row->name)));
	return config_check(config_legacy_keys, NULL, old, "", NULL, err);
}

int config_migrate(struct config *c, struct toml_value *tree, int64_t from, struct err *err)
{
	if (check_legacy(tree, err) < 0)
		return -1;
	if (from < 2) {
		lengthen_plugins(c, tree);
		lengthen_list(c, tree, "disabled_plugins");
		lengthen_list(c, tree, "required_plugins");
	}
	if (from < 4) {
		rename_plugins(tree);
		move_servers(c, tree);
	}
	return 0;
}
