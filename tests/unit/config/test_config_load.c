/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config_key.h"
#include "text/toml.h"

/* --- a directory of files --- */

struct place {
	char *dir;
	char **made;
};

static int setup(void **state)
{
	struct place *p = xzalloc(sizeof(*p));

	p->dir = xstrdup("/tmp/ctrd-config-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	for (size_t i = strv_len(p->made); i > 0; i--)
		(void)remove(p->made[i - 1]);
	(void)rmdir(p->dir);
	strv_free(p->made);
	free(p->dir);
	free(p);
	return 0;
}

static char *path_of(struct place *p, const char *name)
{
	return xasprintf("%s/%s", p->dir, name);
}

static void put(struct place *p, const char *name, const char *text)
{
	AUTO_FREE char *path = path_of(p, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
	strv_add(&p->made, path);
}

static void put_dir(struct place *p, const char *name)
{
	AUTO_FREE char *path = path_of(p, name);

	assert_int_equal(mkdir(path, 0700), 0);
	strv_add(&p->made, path);
}

static struct config *load(struct place *p, const char *name)
{
	AUTO_FREE char *path = path_of(p, name);
	AUTO_ERR struct err err = { 0 };
	struct config *c = NULL;

	if (config_load(path, true, &c, &err) < 0)
		fail_msg("%s", err_text(&err));
	return c;
}

static void load_fails(struct place *p, const char *name, const char *want)
{
	AUTO_FREE char *path = path_of(p, name);
	AUTO_ERR struct err err = { 0 };
	struct config *c = NULL;

	assert_int_equal(config_load(path, true, &c, &err), -1);
	if (strstr(err_text(&err), want) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", want, err_text(&err));
}

static const struct toml_value *section(struct config *c, const char *uri)
{
	AUTO_ERR struct err err = { 0 };
	const struct toml_value *t = NULL;

	if (config_section(c, uri, &t, &err) < 0)
		fail_msg("%s", err_text(&err));
	return t;
}

static const char *text_in(struct config *c, const char *uri, const char *key)
{
	return toml_text(toml_find(section(c, uri), key));
}

static bool has_note(const struct config *c, const char *text)
{
	for (size_t i = 0; i < config_note_count(c); i++)
		if (strstr(config_note(c, i)->text, text) != NULL)
			return true;
	return false;
}

/* --- rules --- */

static void a_missing_file_matters_only_when_it_was_named(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(config_free) struct config *c = NULL;

	assert_int_equal(config_load("/none/config.toml", true, &c, &err), -1);
	assert_string_equal(
			err_text(&err), "open /none/config.toml: no such file or directory");
	err_clear(&err);
	assert_int_equal(config_load("/none/config.toml", false, &c, &err), 0);
	assert_string_equal(config_text(c, "root"), "/var/lib/containerd");
}

static void zero_does_not_override_at_the_top_but_does_in_plugins(void **state)
{
	struct place *p = *state;
	AUTO(config_free) struct config *c = NULL;

	put(p, "a.toml",
			"version = 4\nroot = '/r'\noom_score = 5\nimports = ['b.toml']\n"
			"[debug]\nlevel = 'warn'\nlog_trace_id = true\n"
			"[plugins.'io.containerd.snapshotter.v1.overlayfs']\n"
			"root_path = '/x'\nsync_remove = true\nmount_options = ['a', 'b']\n");
	put(p, "b.toml",
			"version = 4\nroot = ''\noom_score = 0\nstate = '/s'\n"
			"[debug]\nlevel = ''\nlog_trace_id = false\nformat = 'json'\n"
			"[plugins.'io.containerd.snapshotter.v1.overlayfs']\n"
			"root_path = ''\nsync_remove = false\nmount_options = ['c']\n");
	c = load(p, "a.toml");
	assert_string_equal(config_text(c, "root"), "/r");
	assert_string_equal(config_text(c, "state"), "/s");
	assert_int_equal(toml_int(config_get(c, "oom_score")), 5);
	assert_string_equal(toml_text(toml_find(config_get(c, "debug"), "level")), "warn");
	assert_true(toml_bool(toml_find(config_get(c, "debug"), "log_trace_id")));
	assert_string_equal(toml_text(toml_find(config_get(c, "debug"), "format")), "json");
	assert_string_equal(
			text_in(c, "io.containerd.snapshotter.v1.overlayfs", "root_path"), "");
	assert_int_equal(toml_count(toml_find(
					 section(c, "io.containerd.snapshotter.v1.overlayfs"),
					 "mount_options")),
			1);
	assert_false(toml_bool(toml_find(
			section(c, "io.containerd.snapshotter.v1.overlayfs"), "sync_remove")));
}

static void lists_at_the_top_are_joined_without_duplicates(void **state)
{
	struct place *p = *state;
	AUTO(config_free) struct config *c = NULL;
	AUTO_STRV char **v = NULL;
	AUTO_FREE char *joined = NULL;

	put(p, "a.toml",
			"version = 4\nimports = ['b.toml']\n"
			"disabled_plugins = ['io.a.b', 'io.c.d']\n");
	put(p, "b.toml", "version = 4\ndisabled_plugins = ['io.c.d', 'io.e.f']\n");
	c = load(p, "a.toml");
	v = toml_strv(config_get(c, "disabled_plugins"));
	joined = strv_join(v, " ");
	assert_string_equal(joined, "io.a.b io.c.d io.e.f");
}

static void entries_of_processors_proxies_and_timeouts_are_replaced_whole(void **state)
{
	struct place *p = *state;
	AUTO(config_free) struct config *c = NULL;
	const struct toml_value *t;

	put(p, "a.toml",
			"version = 4\nimports = ['b.toml']\n"
			"[timeouts]\n'io.containerd.timeout.shim.load' = '9s'\n'x.y' = '1m'\n"
			"[stream_processors.'io.containerd.ocicrypt.decoder.v1.tar']\npath = "
			"'/bin/a'\n"
			"[proxy_plugins.one]\ntype = 'snapshot'\naddress = '/a'\nplatform = "
			"'p'\n");
	put(p, "b.toml", "version = 4\n[proxy_plugins.one]\ntype = 'content'\n");
	c = load(p, "a.toml");
	assert_true(config_duration_ns(config_get(c, "timeouts"),
				    "io.containerd.timeout.shim.load") == INT64_C(9000000000));
	assert_true(config_duration_ns(config_get(c, "timeouts"), "x.y") ==
			INT64_C(60000000000));
	assert_true(config_duration_ns(config_get(c, "timeouts"),
				    "io.containerd.timeout.shim.cleanup") ==
			INT64_C(5000000000));
	t = toml_find(config_get(c, "stream_processors"),
			"io.containerd.ocicrypt.decoder.v1.tar");
	assert_string_equal(toml_text(toml_find(t, "path")), "/bin/a");
	assert_int_equal(toml_count(toml_find(t, "accepts")), 0);
	t = toml_find(config_get(c, "proxy_plugins"), "one");
	assert_string_equal(toml_text(toml_find(t, "type")), "content");
	assert_string_equal(toml_text(toml_find(t, "address")), "");
}

static void imports_are_relative_globbed_and_read_breadth_first(void **state)
{
	struct place *p = *state;
	AUTO(config_free) struct config *c = NULL;

	put_dir(p, "d");
	put(p, "a.toml", "version = 4\nimports = ['d/*.toml', 'last.toml', 'none-*.toml']\n");
	put(p, "d/2.toml", "version = 4\nroot = '/two'\ntemp = '/two'\n");
	put(p, "d/1.toml", "version = 4\nroot = '/one'\nimports = ['../deep.toml']\n");
	put(p, "deep.toml", "version = 4\nstate = '/deep'\n");
	put(p, "last.toml", "version = 4\nstate = '/last'\n");
	c = load(p, "a.toml");
	assert_string_equal(config_text(c, "root"), "/two");
	assert_string_equal(config_text(c, "temp"), "/two");
	assert_string_equal(config_text(c, "state"), "/deep");
}

static void a_file_is_read_once_however_it_is_named(void **state)
{
	struct place *p = *state;
	AUTO(config_free) struct config *c = NULL;
	AUTO_FREE char *link_path = path_of(p, "loop");

	assert_int_equal(symlink(".", link_path), 0);
	strv_add(&p->made, link_path);
	put(p, "a.toml", "version = 4\nroot = '/a'\nimports = ['b.toml', 'loop/a.toml']\n");
	put(p, "b.toml", "version = 4\nimports = ['a.toml', 'loop/b.toml']\n");
	c = load(p, "a.toml");
	assert_string_equal(config_text(c, "root"), "/a");
}

static void a_missing_import_is_an_error(void **state)
{
	struct place *p = *state;

	put(p, "a.toml", "version = 4\nimports = ['none.toml']\n");
	load_fails(p, "a.toml", "/none.toml: no such file or directory");
}

static void versions_are_checked(void **state)
{
	struct place *p = *state;

	put(p, "new.toml", "version = 9\n");
	load_fails(p, "new.toml",
			"expected containerd config version equal to or less than `4`, got "
			"`9`");
	put(p, "text.toml", "version = '4'\n");
	load_fails(p, "text.toml", "text.toml:1:1: version: a string where an integer belongs");
	put(p, "old.toml", "version = 3\nimports = ['four.toml']\n");
	put(p, "four.toml", "version = 4\n");
	load_fails(p, "old.toml", "drop-in config version 4 higher than root config version 3");
}

static void wrong_types_name_file_row_and_column(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "root = 5\n", "a.toml:1:1: root: an integer where a string belongs" },
		{ "\n  oom_score = 'x'\n", "a.toml:2:3: oom_score: a string where an integer" },
		{ "oom_score = 5000\n", "oom_score: 5000 is not between -1000 and 1000" },
		{ "disabled_plugins = ['a.b', 1]\n",
				"a.toml:1:28: disabled_plugins: an integer" },
		{ "debug = 1\n", "debug: an integer where a table belongs" },
		{ "plugins = []\n", "plugins: an array where a table belongs" },
		{ "[plugins]\n'io.a' = 1\n",
				"a.toml:2:1: plugins.'io.a': an integer where a table" },
		{ "version = 3\n[grpc]\nuid = 'x'\n", "a.toml:3:1: grpc.uid: a string where" },
		{ "version = 4\n[timeouts]\na = 'soon'\n",
				"timeouts.a: unable to parse soon into a time duration" },
		{ "disabled_plugins = ['a.b', 'cri']\nversion = 2\n",
				"invalid disabled plugin URI \"cri\" expect "
				"io.containerd.x.vx" },
		{ "required_plugins = ['x']\nversion = 2\n",
				"invalid required plugin URI \"x\"" },
		{ "a = \n", "failed to unmarshal TOML at row 1 column" },
	};
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put(p, "a.toml", rows[i].text);
		load_fails(p, "a.toml", rows[i].want);
	}
}

static void plugin_tables_are_checked_when_they_are_asked_for(void **state)
{
	static const struct {
		const char *uri, *text, *want;
	} rows[] = {
		{ "io.containerd.snapshotter.v1.overlayfs", "mount_options = 1",
				"overlayfs'.mount_options: an integer where an array of "
				"strings" },
		{ "io.containerd.gc.v1.scheduler", "startup_delay = 5",
				"startup_delay: an integer where a duration" },
		{ "io.containerd.cri.v1.runtime", "cni.ip_pref = 'none'",
				"cni.ip_pref: 'none' is none of: ipv4 ipv6 cni" },
		{ "io.containerd.server.v1.grpc", "uid = -1", "uid: -1 is not between 0 and" },
		{ "io.containerd.cri.v1.runtime", "containerd.runtimes.x.sandboxer = 1",
				"runtimes.x.sandboxer: an integer where a string" },
		{ "io.containerd.transfer.v1.local", "unpack_config = [{platform = 1}]",
				"unpack_config.platform: an integer where a string" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *text = xasprintf(
				"version = 4\n[plugins.'%s']\n%s\n", rows[i].uri, rows[i].text);
		AUTO(config_free) struct config *c = NULL;
		AUTO_ERR struct err err = { 0 };
		const struct toml_value *t = NULL;

		assert_int_equal(config_load_bytes("t.toml", text, strlen(text), &c, &err), 0);
		assert_int_equal(config_section(c, rows[i].uri, &t, &err), -1);
		assert_non_null(strstr(err_text(&err), "t.toml:3:"));
		assert_non_null(strstr(err_text(&err), rows[i].want));
	}
}

static void unknown_keys_are_noted_not_refused(void **state)
{
	struct place *p = *state;
	AUTO(config_free) struct config *c = NULL;

	put(p, "a.toml",
			"version = 4\nplugin_dir = ''\n"
			"[plugins.'io.containerd.internal.v1.opt']\npaht = '/x'\n");
	c = load(p, "a.toml");
	assert_true(has_note(c, "Ignoring unknown key in TOML"));
	assert_false(has_note(c, "Ignoring unknown key in TOML for plugin"));
	assert_string_equal(
			text_in(c, "io.containerd.internal.v1.opt", "path"), "/opt/containerd");
	assert_true(has_note(c, "Ignoring unknown key in TOML for plugin"));
}

static void names_in_maps_are_added_to_the_built_in_ones(void **state)
{
	static const char text[] =
			"version = 4\n"
			"[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes]\n"
			"runc.options.SystemdCgroup = true\n"
			"runc.options.Own = 'kept'\n"
			"crun.runtime_type = 'io.containerd.runc.v2'\n";
	AUTO(config_free) struct config *c = NULL;
	AUTO_ERR struct err err = { 0 };
	const struct toml_value *r;

	assert_int_equal(config_load_bytes("t", text, strlen(text), &c, &err), 0);
	r = toml_dig(section(c, "io.containerd.cri.v1.runtime"), "containerd", "runtimes",
			NULL);
	assert_int_equal(toml_count(r), 2);
	assert_string_equal(toml_key_at(r, 0), "crun");
	assert_string_equal(toml_text(toml_dig(r, "crun", "sandboxer", NULL)), "");
	assert_string_equal(toml_text(toml_dig(r, "runc", "sandboxer", NULL)), "podsandbox");
	assert_true(toml_bool(toml_dig(r, "runc", "options", "SystemdCgroup", NULL)));
	assert_string_equal(toml_text(toml_dig(r, "runc", "options", "Own", NULL)), "kept");
	assert_string_equal(toml_text(toml_dig(r, "runc", "options", "BinaryName", NULL)), "");
}

static void the_address_flag_takes_ttrpc_along_unless_a_file_names_it(void **state)
{
	static const char derived[] = "version = 3\n[grpc]\naddress = '/a'\nuid = 7\n";
	static const char named[] =
			"version = 3\n[grpc]\naddress = '/a'\n[ttrpc]\naddress = '/t'\n";
	AUTO(config_free) struct config *one = NULL;
	AUTO(config_free) struct config *two = NULL;
	AUTO(config_free) struct config *three = config_new();
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(config_load_bytes("t", derived, strlen(derived), &one, &err), 0);
	assert_string_equal(
			text_in(one, "io.containerd.server.v1.ttrpc", "address"), "/a.ttrpc");
	config_set_address(one, "/b");
	assert_string_equal(text_in(one, "io.containerd.server.v1.grpc", "address"), "/b");
	assert_string_equal(
			text_in(one, "io.containerd.server.v1.ttrpc", "address"), "/b.ttrpc");
	assert_int_equal(toml_int(toml_find(
					 section(one, "io.containerd.server.v1.ttrpc"), "uid")),
			7);
	assert_int_equal(config_load_bytes("t", named, strlen(named), &two, &err), 0);
	config_set_address(two, "/b");
	assert_string_equal(text_in(two, "io.containerd.server.v1.ttrpc", "address"), "/t");
	config_set_address(three, "/c");
	assert_string_equal(
			text_in(three, "io.containerd.server.v1.ttrpc", "address"), "/c.ttrpc");
}

static void what_is_printed_reads_back_as_the_same(void **state)
{
	AUTO(config_free) struct config *c = config_new();
	AUTO(config_free) struct config *again = NULL;
	AUTO_BUF struct buf first = { .limit = TOML_MAX_BYTES };
	AUTO_BUF struct buf second = { .limit = TOML_MAX_BYTES };
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(config_print(c, &first, &err), 0);
	assert_int_equal(config_load_bytes("t", first.data, first.size, &again, &err), 0);
	assert_int_equal(config_print(again, &second, &err), 0);
	assert_string_equal(first.data, second.data);
	assert_int_equal(config_note_count(again), 0);
	assert_non_null(strstr(first.data, "\n  [plugins.'io.containerd.gc.v1.scheduler']\n"
					   "    pause_threshold = 0.02\n"));
}

static void sections_are_sorted_and_have_help(void **state)
{
	for (size_t i = 0; i < config_section_count; i++) {
		if (i > 0)
			assert_true(strcmp(config_sections[i - 1].uri, config_sections[i].uri) <
					0);
		assert_ptr_equal(config_section_find(config_sections[i].uri),
				&config_sections[i]);
		for (const struct config_key *k = config_sections[i].keys; k->name != NULL; k++)
			assert_non_null(k->help);
	}
	assert_null(config_section_find("io.containerd.none"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_missing_file_matters_only_when_it_was_named),
		CASE(zero_does_not_override_at_the_top_but_does_in_plugins),
		CASE(lists_at_the_top_are_joined_without_duplicates),
		CASE(entries_of_processors_proxies_and_timeouts_are_replaced_whole),
		CASE(imports_are_relative_globbed_and_read_breadth_first),
		CASE(a_file_is_read_once_however_it_is_named),
		CASE(a_missing_import_is_an_error),
		CASE(versions_are_checked),
		CASE(wrong_types_name_file_row_and_column),
		CASE(plugin_tables_are_checked_when_they_are_asked_for),
		CASE(unknown_keys_are_noted_not_refused),
		CASE(names_in_maps_are_added_to_the_built_in_ones),
		CASE(the_address_flag_takes_ttrpc_along_unless_a_file_names_it),
		CASE(what_is_printed_reads_back_as_the_same),
		CASE(sections_are_sorted_and_have_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
