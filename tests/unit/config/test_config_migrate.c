/* SPDX-License-Identifier: Apache-2.0 */
/* Each case is a file of an old version, and what one of its values is now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "config/config.h"
#include "text/toml.h"

#define CRI_V2 "version = 2\n[plugins.'io.containerd.grpc.v1.cri']\n"

static const struct {
	const char *file;
	const char *want; /* a piece of what "config migrate" prints */
} rows[] = {
	/* 1: short names */
	{ "disabled_plugins = ['cri', 'foo-service', 'odd', 'io.x.y']\n",
			"disabled_plugins = ['io.containerd.grpc.v1.cri', "
			"'io.containerd.service.v1.foo-service', 'io.containerd.grpc.v1.odd', "
			"'io.x.y']\n" },
	{ "required_plugins = ['overlayfs']\n",
			"required_plugins = ['io.containerd.snapshotter.v1.overlayfs']\n" },
	{ "version = 1\n[plugins.scheduler]\npause_threshold = 0.5\n",
			"    pause_threshold = 0.5\n" },
	{ "[plugins.cri]\nsandbox_image = 'pause:1'\n", "      sandbox = 'pause:1'\n" },
	{ "[plugins.devmapper]\npool_name = 'p'\n", "    pool_name = 'p'\n" },
	{ "[plugins.diff-service]\ndefault = ['x']\n", "    default = ['x']\n" },
	/* CRI: one table to three */
	{ CRI_V2 "max_concurrent_downloads = 9\n", "images']\n    snapshotter = 'overlayfs'\n"
						   "    disable_snapshot_annotations = true\n"
						   "    discard_unpacked_layers = false\n"
						   "    max_concurrent_downloads = 9\n" },
	{ CRI_V2 "containerd.snapshotter = 'native'\n", "    snapshotter = 'native'\n" },
	{ CRI_V2 "registry.config_path = '/c'\n", "registry]\n      config_path = '/c'\n" },
	{ CRI_V2 "registry.mirrors.'docker.io'.endpoint = ['https://m']\n",
			"registry.mirrors.'docker.io']\n          endpoint = ['https://m']\n" },
	{ CRI_V2 "cni.bin_dir = '/b'\n", "      bin_dir = ''\n      bin_dirs = ['/b']\n" },
	{ CRI_V2 "containerd.runtimes.k.sandbox_mode = 'shim'\n",
			"          sandboxer = 'shim'\n" },
	{ CRI_V2 "stream_server_port = '10'\n", "    stream_server_port = '10'\n" },
	{ CRI_V2 "stats_collect_period = 3\n", "    stats_collect_period = 3\n" },
	{ CRI_V2 "enable_selinux = true\n", "v1.runtime']\n    enable_selinux = true\n" },
	{ CRI_V2 "sandbox_image = "
		 "'old'\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\n"
		 "sandbox = 'newer'\n",
			"      sandbox = 'newer'\n" },
	/* renamed plugins */
	{ "version = 2\n[plugins.'io.containerd.internal.v1.restart']\ninterval = '3s'\n",
			"monitor.container.v1.restart']\n    interval = '3s'\n" },
	{ "version = 2\n[plugins.'io.containerd.monitor.v1.cgroups']\nno_prometheus = true\n",
			"monitor.task.v1.cgroups']\n    no_prometheus = true\n" },
	{ "version = 2\n[plugins.'io.containerd.runtime.v2.task']\nsched_core = true\n"
	  "[plugins.'io.containerd.shim.v1.manager']\nenv = ['A=1']\n",
			"    env = ['A=1', 'SCHED_CORE=1']\n" },
	/* servers */
	{ "version = 3\n[grpc]\naddress = '/g'\nuid = 1\nmax_recv_message_size = 5\n",
			"server.v1.grpc']\n    address = '/g'\n    uid = 1\n    gid = 0\n"
			"    max_recv_message_size = 5\n    max_send_message_size = "
			"16777216\n" },
	{ "version = 3\n[grpc]\naddress = '/g'\nuid = 1\n",
			"server.v1.ttrpc']\n    address = '/g.ttrpc'\n    uid = 1\n" },
	{ "version = 3\n[ttrpc]\naddress = '/t'\n", "server.v1.ttrpc']\n    address = '/t'\n" },
	{ "version = 3\n[grpc]\ntcp_address = 'h:1'\ntcp_tls_ca = '/ca'\n",
			"grpc-tcp']\n    address = 'h:1'\n    tls_ca = '/ca'\n" },
	{ "version = 3\n[debug]\naddress = '/d'\nuid = 3\nlevel = 'debug'\n",
			"server.v1.debug']\n    address = '/d'\n    uid = 3\n" },
	{ "version = 3\n[debug]\naddress = '/d'\nlevel = 'debug'\n",
			"[debug]\n  level = 'debug'\n" },
	{ "version = 3\n[metrics]\naddress = 'h:2'\n",
			"server.v1.metrics']\n    address = 'h:2'" },
	{ "version = 3\n[metrics]\ngrpc_histogram = true\n", "    grpc_histogram = true\n" },
	{ "version = 3\n[grpc]\naddress = '/g'\n[plugins.'io.containerd.server.v1.grpc']\n"
	  "address = '/p'\n",
			"server.v1.grpc']\n    address = '/p'\n" },
	/* what nobody knows is kept */
	{ "[plugins.'io.example.v1.mine']\nx = [1]\n",
			"  [plugins.'io.example.v1.mine']\n    x = [1]" },
};

static void old_files_say_the_same_in_the_new_version(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(config_free) struct config *c = NULL;
		AUTO_BUF struct buf out = { .limit = TOML_MAX_BYTES };
		AUTO_ERR struct err err = { 0 };

		if (config_load_bytes("t", rows[i].file, strlen(rows[i].file), &c, &err) < 0 ||
				config_print(c, &out, &err) < 0)
			fail_msg("%s: %s", rows[i].file, err_text(&err));
		assert_true(str_starts(out.data, "version = 4\n"));
		if (strstr(out.data, rows[i].want) == NULL)
			fail_msg("%s: no \"%s\" in\n%s", rows[i].file, rows[i].want, out.data);
	}
}

static void a_table_without_proxy_plugins_is_not_printed(void **state)
{
	static const char text[] = "version = 2\n[proxy_plugins]\n[stream_processors]\n";
	AUTO(config_free) struct config *c = NULL;
	AUTO_BUF struct buf out = { .limit = TOML_MAX_BYTES };
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(config_load_bytes("t", text, strlen(text), &c, &err), 0);
	assert_int_equal(config_print(c, &out, &err), 0);
	assert_null(strstr(out.data, "[proxy_plugins]"));
	assert_non_null(strstr(out.data, "[stream_processors]"));
}

static void migration_is_announced_and_warned_about(void **state)
{
	static const char text[] = "[plugins.odd]\na = 1\n";
	AUTO(config_free) struct config *c = NULL;
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(config_load_bytes("t", text, strlen(text), &c, &err), 0);
	assert_int_equal(config_note_count(c), 2);
	assert_string_equal(config_note(c, 0)->text,
			"Ambiguous odd plugin in v1 config, treating as "
			"io.containerd.grpc.v1.odd");
	assert_non_null(strstr(
			config_note(c, 1)->text, "Configuration migrated from version 0"));
	assert_string_equal(config_note(c, 1)->fields[0], "t");
}

static void wrong_types_survive_migration_as_clear_errors(void **state)
{
	static const char *const texts[] = {
		CRI_V2 "containerd = 1\n",
		CRI_V2 "cni = 'x'\n",
		CRI_V2 "containerd.runtimes = ['x']\n",
		CRI_V2 "registry = true\n",
		"version = 2\n[plugins.'io.containerd.runtime.v2.task']\nsched_core = true\n"
		"[plugins.'io.containerd.shim.v1.manager']\nenv = 'A=1'\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		AUTO(config_free) struct config *c = NULL;
		AUTO_BUF struct buf out = { .limit = TOML_MAX_BYTES };
		AUTO_ERR struct err err = { 0 };

		assert_int_equal(config_load_bytes("t", texts[i], strlen(texts[i]), &c, &err),
				0);
		assert_int_equal(config_print(c, &out, &err), -1);
		assert_true(str_starts(err_text(&err), "t:"));
		assert_non_null(strstr(err_text(&err), " belongs "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_files_say_the_same_in_the_new_version),
		cmocka_unit_test(a_table_without_proxy_plugins_is_not_printed),
		cmocka_unit_test(migration_is_announced_and_warned_about),
		cmocka_unit_test(wrong_types_survive_migration_as_clear_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
