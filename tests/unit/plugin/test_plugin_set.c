/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/plugin_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "config/config.h"
#include "plugin/plugin.h"
#include "text/toml.h"

/* What happened, in order: "+id" started, "-id" stopped. */
static struct buf events = { .limit = 4096 };

static int init_ok(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const char *name = plugin_arg(env);

	buf_addf(&events, "+%s ", name);
	*ret_instance = (void *)(uintptr_t)name;
	return 0;
}

static int init_bad(struct plugin_env *env, void **ret_instance, struct err *err)
{
	buf_addf(&events, "!%s ", (const char *)plugin_arg(env));
	return err_set(err, ERR_UNAVAILABLE, "open database");
}

static int init_skip(struct plugin_env *env, void **ret_instance, struct err *err)
{
	return plugin_skip(env, err, "no scratch file");
}

static void fini(void *instance)
{
	buf_addf(&events, "-%s ", (const char *)instance);
}

/* Starts only if the one plugin of type t.a runs. */
static int init_with_a(struct plugin_env *env, void **ret_instance, struct err *err)
{
	void *a = NULL;

	if (plugin_get(env, "t.a", NULL, &a, err) < 0)
		return -1;
	return init_ok(env, ret_instance, err);
}

static int init_with_a_one(struct plugin_env *env, void **ret_instance, struct err *err)
{
	void *a = NULL;

	if (plugin_get(env, "t.a", "one", &a, err) < 0)
		return -1;
	assert_string_equal(a, "one");
	return init_ok(env, ret_instance, err);
}

static int init_counting(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const char *id = NULL;
	void *instance = NULL;
	size_t at = 0;

	while (plugin_next(env, "t.a", &at, &id, &instance))
		plugin_export(env, id, instance);
	plugin_add_capability(env, "cap");
	plugin_add_platform(env, "linux/amd64");
	return init_ok(env, ret_instance, err);
}

static int init_config(struct plugin_env *env, void **ret_instance, struct err *err)
{
	plugin_export(env, "path", toml_text(toml_find(plugin_config(env), "path")));
	plugin_export(env, "root", plugin_root(env));
	plugin_export(env, "state", plugin_state(env));
	return init_ok(env, ret_instance, err);
}

static const struct plugin_need need_a[] = { { "t.a", NULL }, { 0 } };
static const struct plugin_need need_a_one[] = { { "t.a", "one" }, { 0 } };
static const struct plugin_need need_b[] = { { "t.b", NULL }, { 0 } };
static const struct plugin_need need_all[] = { { "*", NULL }, { 0 } };
static const struct plugin_need need_two[] = { { "t.a", "one" }, { "t.b", NULL },
	{ "t.a", "two" }, { 0 } };

#define ROW(t, i, n, f)                                                                        \
	{                                                                                      \
		.type = t, .id = i, .needs = n, .init = f, .fini = fini, .arg = i              \
	}

struct run {
	struct plugin_set *set;
	struct config *config;
	struct plugin_host host;
	int rc;
	struct err err;
};

static void start(struct run *r, const struct plugin_desc *rows, size_t count, const char *toml)
{
	memset(r, 0, sizeof(*r));
	buf_clear(&events);
	buf_add_str(&events, "");
	assert_int_equal(config_load_bytes("t", toml, strlen(toml), &r->config, &r->err), 0);
	r->set = plugin_set_new();
	r->host.config = r->config;
	r->host.root = "/r";
	r->host.state = "/s";
	for (size_t i = 0; i < count; i++)
		assert_int_equal(plugin_set_add(r->set, &rows[i], &r->err), 0);
	r->rc = plugin_set_start(r->set, &r->host, &r->err);
}

static void end(struct run *r)
{
	plugin_set_free(r->set);
	config_free(r->config);
	err_clear(&r->err);
}

static const struct plugin_info *info_of(const struct run *r, const char *id)
{
	for (size_t i = 0; i < plugin_set_count(r->set); i++)
		if (str_eq(plugin_set_info(r->set, i)->id, id))
			return plugin_set_info(r->set, i);
	fail_msg("no plugin %s", id);
	return NULL;
}

/* --- rules --- */

static void needs_start_first_and_stop_last(void **state)
{
	static const struct plugin_desc rows[] = {
		ROW("t.z", "last", need_all, init_ok),
		ROW("t.c", "c", need_b, init_ok),
		ROW("t.a", "one", NULL, init_ok),
		ROW("t.b", "b", need_a, init_ok),
		ROW("t.a", "two", NULL, init_ok),
	};
	struct run r;

	start(&r, rows, ARRAY_LEN(rows), "version = 4\n");
	assert_int_equal(r.rc, 0);
	assert_string_equal(events.data, "+one +two +b +c +last ");
	buf_clear(&events);
	plugin_set_stop(r.set);
	assert_string_equal(events.data, "-last -c -b -two -one ");
	assert_int_equal(plugin_set_count(r.set), 5);
	end(&r);
}

static void a_need_by_id_waits_for_that_one_only(void **state)
{
	static const struct plugin_desc rows[] = {
		ROW("t.b", "b", need_a_one, init_with_a_one),
		ROW("t.a", "two", NULL, init_ok),
		ROW("t.a", "one", NULL, init_ok),
	};
	struct run r;

	start(&r, rows, ARRAY_LEN(rows), "version = 4\n");
	assert_string_equal(events.data, "+one +b +two ");
	end(&r);
}

static void a_failure_is_kept_and_passed_to_those_who_need_it(void **state)
{
	static const struct plugin_desc rows[] = {
		ROW("t.a", "one", NULL, init_bad),
		ROW("t.b", "b", need_a, init_with_a),
		ROW("t.c", "c", NULL, init_ok),
	};
	struct run r;

	start(&r, rows, ARRAY_LEN(rows), "version = 4\n");
	assert_int_equal(r.rc, 0);
	assert_string_equal(events.data, "!one +c ");
	assert_string_equal(err_text(info_of(&r, "one")->err), "open database: unavailable");
	assert_string_equal(
			err_text(info_of(&r, "b")->err), "t.a.one: open database: unavailable");
	assert_int_equal(info_of(&r, "b")->err->kind, ERR_UNAVAILABLE);
	assert_null(info_of(&r, "c")->err);
	assert_null(plugin_set_find(r.set, "t.b", "b"));
	assert_non_null(plugin_set_find(r.set, "t.c", "c"));
	end(&r);
}

static void skipped_plugins_count_as_absent(void **state)
{
	static const struct plugin_desc rows[] = {
		ROW("t.a", "one", NULL, init_skip),
		ROW("t.a", "two", NULL, init_ok),
		ROW("t.b", "b", need_a, init_with_a),
		ROW("t.c", "c", need_a, init_counting),
	};
	struct run r;

	start(&r, rows, ARRAY_LEN(rows), "version = 4\n");
	assert_string_equal(events.data, "+two +b +c ");
	assert_true(info_of(&r, "one")->is_skipped);
	assert_string_equal(err_text(info_of(&r, "one")->err), "no scratch file: skip plugin");
	assert_int_equal(info_of(&r, "c")->exports.count, 1);
	end(&r);
}

static void the_only_one_must_be_the_only_one(void **state)
{
	static const struct plugin_desc two[] = {
		ROW("t.a", "one", NULL, init_ok),
		ROW("t.a", "two", NULL, init_ok),
		ROW("t.b", "b", need_a, init_with_a),
	};
	static const struct plugin_desc none[] = { ROW("t.b", "b", need_a, init_with_a) };
	struct run r;

	start(&r, two, ARRAY_LEN(two), "version = 4\n");
	assert_non_null(strstr(err_text(info_of(&r, "b")->err),
			"multiple plugins registered for t.a"));
	end(&r);
	start(&r, none, ARRAY_LEN(none), "version = 4\n");
	assert_string_equal(err_text(info_of(&r, "b")->err),
			"no plugins registered for t.a: plugin: not found");
	end(&r);
}

static void disabled_plugins_are_not_there(void **state)
{
	static const struct plugin_desc rows[] = {
		ROW("t.a", "one", NULL, init_ok),
		ROW("t.b", "b", need_a_one, init_with_a_one),
	};
	struct run r;

	start(&r, rows, ARRAY_LEN(rows), "version = 4\ndisabled_plugins = ['t.a.one']\n");
	assert_int_equal(r.rc, 0);
	assert_int_equal(plugin_set_count(r.set), 1);
	assert_true(plugin_set_has(r.set, "t.a.one"));
	assert_false(plugin_set_has(r.set, "t.a.two"));
	assert_string_equal(err_text(info_of(&r, "b")->err),
			"no plugins registered for t.a.one: plugin: not found");
	end(&r);
}

static void required_plugins_must_be_there_and_run(void **state)
{
	static const struct plugin_desc rows[] = {
		ROW("t.a", "one", NULL, init_ok),
		ROW("t.b", "b", NULL, init_bad),
		ROW("t.c", "c", NULL, init_skip),
	};
	static const struct {
		const char *toml, *want;
	} cases[] = {
		{ "version = 4\nrequired_plugins = ['t.a.one']\n", NULL },
		{ "version = 4\nrequired_plugins = ['t.b.b']\n",
				"load required plugin t.b.b: open database: unavailable" },
		{ "version = 4\nrequired_plugins = ['t.c.c']\n",
				"load required plugin t.c.c: no scratch file: skip plugin" },
		{ "version = 4\nrequired_plugins = ['t.x.x', 't.y.y']\n",
				"required plugin [t.x.x t.y.y] not included" },
		{ "version = 4\nrequired_plugins = ['t.a.one']\ndisabled_plugins = "
		  "['t.a.one']\n",
				"required plugin [t.a.one] not included" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct run r;

		start(&r, rows, ARRAY_LEN(rows), cases[i].toml);
		assert_int_equal(r.rc, cases[i].want == NULL ? 0 : -1);
		if (cases[i].want != NULL)
			assert_string_equal(err_text(&r.err), cases[i].want);
		end(&r);
	}
}

static void malformed_configuration_stops_the_start(void **state)
{
	static const struct plugin_desc rows[] = {
		ROW("t.a", "one", NULL, init_ok),
		ROW("io.containerd.internal.v1", "opt", NULL, init_config),
	};
	struct run r;

	start(&r, rows, ARRAY_LEN(rows),
			"version = 4\n[plugins.'io.containerd.internal.v1.opt']\npath = 1\n");
	assert_int_equal(r.rc, -1);
	assert_true(str_starts(err_text(&r.err), "t:3:1: "));
	assert_string_equal(events.data, "+one ");
	end(&r);
	assert_string_equal(events.data, "+one -one ");
}

static void plugins_get_their_configuration_and_directories(void **state)
{
	static const struct plugin_desc rows[] = { ROW(
			"io.containerd.internal.v1", "opt", NULL, init_config) };
	struct run r;

	start(&r, rows, ARRAY_LEN(rows), "version = 4\n");
	assert_string_equal(
			labels_find(&info_of(&r, "opt")->exports, "path"), "/opt/containerd");
	assert_string_equal(labels_find(&info_of(&r, "opt")->exports, "root"),
			"/r/io.containerd.internal.v1.opt");
	assert_string_equal(labels_find(&info_of(&r, "opt")->exports, "state"),
			"/s/io.containerd.internal.v1.opt");
	end(&r);
}

static void the_record_shows_types_needed_once(void **state)
{
	static const struct plugin_desc rows[] = {
		ROW("t.a", "one", NULL, init_ok),
		ROW("t.c", "c", need_two, init_ok),
	};
	struct run r;

	start(&r, rows, ARRAY_LEN(rows), "version = 4\n");
	assert_int_equal(strv_len(info_of(&r, "c")->needs), 2);
	assert_string_equal(info_of(&r, "c")->needs[0], "t.a");
	assert_string_equal(info_of(&r, "c")->needs[1], "t.b");
	end(&r);
}

static void circles_and_twins_are_refused(void **state)
{
	static const struct plugin_desc rows[] = {
		ROW("t.a", "one", need_b, init_ok),
		ROW("t.b", "b", need_a, init_ok),
	};
	AUTO_ERR struct err err = { 0 };
	struct run r;

	start(&r, rows, ARRAY_LEN(rows), "version = 4\n");
	assert_int_equal(r.rc, -1);
	assert_non_null(strstr(err_text(&r.err), "needs itself"));
	assert_string_equal(events.data, "");
	assert_int_equal(plugin_set_add(r.set, &rows[0], &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	end(&r);
}

/* --- handing over --- */

static int note_quiesce(void *arg, int64_t mono_deadline_ns, struct err *err)
{
	buf_addf(&events, "q%s ", (const char *)arg);
	return 0;
}

static int note_suspend(void *arg, struct err *err)
{
	buf_addf(&events, "s%s ", (const char *)arg);
	return str_eq(arg, "b") ? err_set(err, ERR_UNAVAILABLE, "busy") : 0;
}

static int note_resume(void *arg, struct err *err)
{
	buf_addf(&events, "r%s ", (const char *)arg);
	return str_eq(arg, "b") ? err_set(err, ERR_UNKNOWN, "still") : 0;
}

static int init_pausing(struct plugin_env *env, void **ret_instance, struct err *err)
{
	static const struct plugin_pause pause_ops = { note_quiesce, note_suspend,
		note_resume };

	plugin_on_pause(env, &pause_ops, (void *)(uintptr_t)plugin_arg(env));
	return init_ok(env, ret_instance, err);
}

static void pausing_begins_with_the_last_and_resuming_with_the_first(void **state)
{
	static const struct plugin_desc rows[] = {
		ROW("t.a", "a", NULL, init_pausing),
		ROW("t.b", "b", NULL, init_pausing),
		ROW("t.c", "none", NULL, init_ok),
		ROW("t.d", "d", NULL, init_pausing),
	};
	struct run r;

	start(&r, rows, ARRAY_LEN(rows), "version = 4\n");
	buf_clear(&events);
	assert_int_equal(plugin_set_quiesce(r.set, 0, &r.err), 0);
	assert_string_equal(events.data, "qd qb qa ");
	assert_int_equal(plugin_set_suspend(r.set, &r.err), -1);
	assert_string_equal(events.data, "qd qb qa sd sb ");
	assert_non_null(strstr(err_text(&r.err), "t.b.b: busy"));
	err_clear(&r.err);
	assert_int_equal(plugin_set_resume(r.set, &r.err), -1);
	assert_string_equal(events.data, "qd qb qa sd sb ra rb rd ");
	assert_non_null(strstr(err_text(&r.err), "t.b.b: still"));
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needs_start_first_and_stop_last),
		cmocka_unit_test(a_need_by_id_waits_for_that_one_only),
		cmocka_unit_test(a_failure_is_kept_and_passed_to_those_who_need_it),
		cmocka_unit_test(skipped_plugins_count_as_absent),
		cmocka_unit_test(the_only_one_must_be_the_only_one),
		cmocka_unit_test(disabled_plugins_are_not_there),
		cmocka_unit_test(required_plugins_must_be_there_and_run),
		cmocka_unit_test(malformed_configuration_stops_the_start),
		cmocka_unit_test(plugins_get_their_configuration_and_directories),
		cmocka_unit_test(the_record_shows_types_needed_once),
		cmocka_unit_test(circles_and_twins_are_refused),
		cmocka_unit_test(pausing_begins_with_the_last_and_resuming_with_the_first),
	};
	int rc;

	log_setup(2, LOG_ERROR, false);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	buf_done(&events);
	return rc;
}
