/* SPDX-License-Identifier: Apache-2.0 */
/* PluginInfo from the client's side (reference 01 §3.2, §9.3). */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "api/pb/introspection.pb-c.h"
#include "base/mem.h"
#include "config/config.h"
#include "plugin/plugin.h"
#include "plugin/plugin_set.h"
#include "services/services.h"
#include "support/served.h"

#define INTROSPECTION "containerd.services.introspection.v1.Introspection"

struct world {
	struct config *config;
	struct plugin_host host;
	struct plugin_set *set;
	struct introspection_service service;
	struct served *served;
	struct err err;
};

static int init_ok(struct plugin_env *env, void **ret_instance, struct err *err)
{
	*ret_instance = (void *)(uintptr_t)plugin_root(env);
	return 0;
}

static int init_bad(struct plugin_env *env, void **ret_instance, struct err *err)
{
	return err_set(err, ERR_UNAVAILABLE, "no disk");
}

static const struct plugin_desc rows[] = {
	{ "t.a", "good", NULL, init_ok, NULL, NULL },
	{ "t.a", "bad", NULL, init_bad, NULL, NULL },
};

static int begin(void **state)
{
	struct world *w = xzalloc(sizeof(*w));

	assert_ok(config_load_bytes("t", "version = 4\n", 12, &w->config, &w->err), &w->err);
	w->host = (struct plugin_host){ .config = w->config, .root = "/r", .state = "/s" };
	w->set = plugin_set_new();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_ok(plugin_set_add(w->set, &rows[i], &w->err), &w->err);
	assert_ok(plugin_set_start(w->set, &w->host, &w->err), &w->err);
	w->service.plugins = w->set;
	w->served = serve((struct served_service[]){
			{ &introspection_service, &w->service }, { NULL, NULL } });
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	served_free(w->served);
	plugin_set_free(w->set);
	config_free(w->config);
	err_clear(&w->err);
	free(w);
	return 0;
}

static int ask(struct world *w, const char *id, const char *type_of_options,
		Introspection__PluginInfoResponse **ret)
{
	Introspection__PluginInfoRequest r = INTROSPECTION__PLUGIN_INFO_REQUEST__INIT;
	Google__Protobuf__Any options = GOOGLE__PROTOBUF__ANY__INIT;

	r.type = "t.a";
	r.id = id;
	options.type_url = (char *)type_of_options;
	if (type_of_options != NULL)
		r.options = &options;
	return served_call(w->served, INTROSPECTION, "PluginInfo", &r.base,
			&introspection__plugin_info_response__descriptor, ret, &w->err);
}

static void refuse(struct world *w, const char *id, const char *options, enum err_kind kind,
		const char *text)
{
	Introspection__PluginInfoResponse *answer = NULL;

	assert_int_equal(ask(w, id, options, &answer), -1);
	assert_int_equal(w->err.kind, kind);
	assert_string_equal(err_text(&w->err), text);
	err_clear(&w->err);
}

static void a_plugin_is_told_loaded_or_not(void **state)
{
	struct world *w = *state;
	Introspection__PluginInfoResponse *answer = NULL;

	assert_ok(ask(w, "good", NULL, &answer), &w->err);
	assert_string_equal(answer->plugin->id, "good");
	assert_null(answer->plugin->init_err);
	assert_ok(ask(w, "bad", NULL, &answer), &w->err);
	assert_string_equal(answer->plugin->init_err->message, "no disk: unavailable");
}

static void an_unknown_one_is_not_found(void **state)
{
	refuse(*state, "x", NULL, ERR_NOT_FOUND, "plugin t.a.x not found: not found");
}

static void options_need_a_plugin_that_knows_them(void **state)
{
	refuse(*state, "good", "some.Type", ERR_UNIMPLEMENTED,
			"plugin has no extra information: not implemented");
	refuse(*state, "bad", "some.Type", ERR_PRECONDITION,
			"cannot get extra info, plugin not successfully loaded: failed "
			"precondition");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_plugin_is_told_loaded_or_not, begin, end),
		cmocka_unit_test_setup_teardown(an_unknown_one_is_not_found, begin, end),
		cmocka_unit_test_setup_teardown(
				options_need_a_plugin_that_knows_them, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
