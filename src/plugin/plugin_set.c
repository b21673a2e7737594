/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/plugin_set.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "config/config.h"
#include "plugin/plugin.h"
#include "text/toml.h"

enum visit {
	VISIT_NONE,
	VISIT_OPEN, /* its needs are being looked at */
	VISIT_DONE,
};

struct entry {
	const struct plugin_desc *desc;
	char *uri;
	enum visit visit;
	bool is_disabled;
	bool is_running;
	void *instance;
	const struct plugin_pause *pause; /* NULL: nothing to do */
	void *pause_arg;
	struct err err;
	struct plugin_info info;
};

struct plugin_set {
	struct entry **all; /* as added */
	size_t count;
	struct entry **order; /* as started */
	size_t started;
};

struct plugin_env {
	struct plugin_set *set;
	struct entry *self;
	const struct plugin_host *host;
	const struct toml_value *config;
	char *root, *state;
};

/* --- the set --- */

struct plugin_set *plugin_set_new(void)
{
	return xzalloc(sizeof(struct plugin_set));
}

static void entry_free(struct entry *e)
{
	free(e->uri);
	err_clear(&e->err);
	strv_free(e->info.needs);
	strv_free(e->info.platforms);
	strv_free(e->info.capabilities);
	labels_done(&e->info.exports);
	free(e);
}

void plugin_set_free(struct plugin_set *s)
{
	if (s == NULL)
		return;
	plugin_set_stop(s);
	for (size_t i = 0; i < s->count; i++)
		entry_free(s->all[i]);
	free(s->all);
	free(s->order);
	free(s);
}

static struct entry *find(const struct plugin_set *s, const char *type, const char *id)
{
	for (size_t i = 0; i < s->count; i++)
		if (str_eq(s->all[i]->desc->type, type) && str_eq(s->all[i]->desc->id, id))
			return s->all[i];
	return NULL;
}

static void list_needs(struct entry *e)
{
	for (const struct plugin_need *n = e->desc->needs; n != NULL && n->type != NULL; n++)
		if (!strv_has(e->info.needs, n->type))
			strv_add(&e->info.needs, n->type);
}

int plugin_set_add(struct plugin_set *s, const struct plugin_desc *desc, struct err *err)
{
	struct entry *e;

	if (find(s, desc->type, desc->id) != NULL)
		return err_set(err, ERR_EXISTS, "plugin %s.%s", desc->type, desc->id);
	e = xzalloc(sizeof(*e));
	e->desc = desc;
	e->uri = xasprintf("%s.%s", desc->type, desc->id);
	e->info.type = desc->type;
	e->info.id = desc->id;
	list_needs(e);
	s->all = xreallocarray(s->all, s->count + 1, sizeof(*s->all));
	s->order = xreallocarray(s->order, s->count + 1, sizeof(*s->order));
	s->all[s->count++] = e;
	return 0;
}

bool plugin_set_has(const struct plugin_set *s, const char *uri)
{
	for (size_t i = 0; i < s->count; i++)
		if (str_eq(s->all[i]->uri, uri))
			return true;
	return false;
}

size_t plugin_set_count(const struct plugin_set *s)
{
	return s->started;
}

const struct plugin_info *plugin_set_info(const struct plugin_set *s, size_t i)
{
	assert(i < s->started);
	return &s->order[i]->info;
}

void *plugin_set_find(const struct plugin_set *s, const char *type, const char *id)
{
	const struct entry *e = find(s, type, id);

	return e != NULL && e->is_running ? e->instance : NULL;
}

/* --- order --- */

static bool covers(const struct plugin_need *n, const struct entry *e)
{
	if (str_eq(n->type, "*"))
		return true;
	return str_eq(n->type, e->desc->type) && (n->id == NULL || str_eq(n->id, e->desc->id));
}

/* Appends what e needs, and then e itself. */
static int put_in_order(struct plugin_set *s, struct entry *e, size_t *at, struct err *err)
{
	if (e->visit == VISIT_DONE || e->is_disabled)
		return 0;
	if (e->visit == VISIT_OPEN)
		return err_set(err, ERR_INTERNAL, "plugin %s needs itself", e->uri);
	e->visit = VISIT_OPEN;
	for (const struct plugin_need *n = e->desc->needs; n != NULL && n->type != NULL; n++)
		for (size_t i = 0; i < s->count; i++)
			if (s->all[i] != e && covers(n, s->all[i]) &&
					put_in_order(s, s->all[i], at, err) < 0)
				return -1;
	e->visit = VISIT_DONE;
	s->order[(*at)++] = e;
	return 0;
}

static void mark_disabled(struct plugin_set *s, const struct config *c)
{
	AUTO_STRV char **uris = toml_strv(config_get(c, "disabled_plugins"));

	for (size_t i = 0; i < s->count; i++)
		s->all[i]->is_disabled = strv_has(uris, s->all[i]->uri);
}

static int check_required(const struct plugin_set *s, char *const *required, struct err *err)
{
	AUTO_STRV char **missing = NULL;
	AUTO_FREE char *joined = NULL;

	for (; required != NULL && *required != NULL; required++) {
		bool is_there = false;

		for (size_t i = 0; i < s->count; i++)
			is_there = is_there ||
				   (!s->all[i]->is_disabled &&
						   str_eq(s->all[i]->uri, *required));
		if (!is_there)
			strv_add(&missing, *required);
	}
	if (missing == NULL)
		return 0;
	joined = strv_join(missing, " ");
	return err_plain(err, ERR_NOT_FOUND, "required plugin [%s] not included", joined);
}

/* --- start and stop --- */

static void report_failure(const struct entry *e)
{
	const char *const fields[] = { "error", err_text(&e->err), "id", e->desc->id, "type",
		e->desc->type, NULL };

	if (e->info.is_skipped)
		log_fields(NULL, LOG_INFO, fields, "skip loading plugin");
	else
		log_fields(NULL, LOG_WARN, fields, "failed to load plugin");
}

static void run_init(struct plugin_set *s, struct entry *e, const struct plugin_host *host,
		const struct toml_value *config)
{
	AUTO_FREE char *root = xasprintf("%s/%s", host->root, e->uri);
	AUTO_FREE char *state = xasprintf("%s/%s", host->state, e->uri);
	struct plugin_env env = { s, e, host, config, root, state };

	e->is_running = e->desc->init(&env, &e->instance, &e->err) == 0;
	assert(e->is_running == (e->err.kind == ERR_NONE));
	if (e->is_running)
		return;
	e->info.err = &e->err;
	report_failure(e);
}

static int start_one(struct plugin_set *s, struct entry *e, const struct plugin_host *host,
		char *const *required, struct err *err)
{
	const char *const fields[] = { "id", e->desc->id, "type", e->desc->type, NULL };
	const struct toml_value *config = NULL;

	log_fields(NULL, LOG_INFO, fields, "loading plugin");
	if (config_section(host->config, e->uri, &config, err) < 0)
		return -1;
	run_init(s, e, host, config);
	if (e->is_running || !strv_has(required, e->uri))
		return 0;
	return err_plain(err, e->err.kind, "load required plugin %s: %s", e->uri,
			err_text(&e->err));
}

int plugin_set_start(struct plugin_set *s, const struct plugin_host *host, struct err *err)
{
	AUTO_STRV char **required = toml_strv(config_get(host->config, "required_plugins"));
	size_t total = 0;

	ASSERT_MAY_BLOCK();
	mark_disabled(s, host->config);
	if (check_required(s, required, err) < 0)
		return -1;
	for (size_t i = 0; i < s->count; i++)
		if (put_in_order(s, s->all[i], &total, err) < 0)
			return -1;
	while (s->started < total) {
		struct entry *e = s->order[s->started++];

		if (start_one(s, e, host, required, err) < 0)
			return -1;
	}
	return 0;
}

void plugin_set_stop(struct plugin_set *s)
{
	for (size_t i = s->started; i > 0; i--) {
		struct entry *e = s->order[i - 1];

		if (e->is_running && e->desc->fini != NULL)
			e->desc->fini(e->instance);
		e->is_running = false;
		e->instance = NULL;
	}
}

/* --- handing over --- */

int plugin_set_quiesce(struct plugin_set *s, int64_t mono_deadline_ns, struct err *err)
{
	ASSERT_MAY_BLOCK();
	for (size_t i = s->started; i > 0; i--) {
		struct entry *e = s->order[i - 1];

		if (e->is_running && e->pause != NULL && e->pause->quiesce != NULL &&
				e->pause->quiesce(e->pause_arg, mono_deadline_ns, err) < 0)
			return err_wrap(err, "%s", e->uri);
	}
	return 0;
}

int plugin_set_suspend(struct plugin_set *s, struct err *err)
{
	ASSERT_MAY_BLOCK();
	for (size_t i = s->started; i > 0; i--) {
		struct entry *e = s->order[i - 1];

		if (e->is_running && e->pause != NULL && e->pause->suspend != NULL &&
				e->pause->suspend(e->pause_arg, err) < 0)
			return err_wrap(err, "%s", e->uri);
	}
	return 0;
}

int plugin_set_resume(struct plugin_set *s, struct err *err)
{
	int rc = 0;

	ASSERT_MAY_BLOCK();
	for (size_t i = 0; i < s->started; i++) {
		const struct entry *e = s->order[i];
		AUTO_ERR struct err why = { 0 };

		if (!e->is_running || e->pause == NULL || e->pause->resume == NULL ||
				e->pause->resume(e->pause_arg, &why) == 0)
			continue;
		if (rc == 0)
			rc = err_plain(err, why.kind, "%s: %s", e->uri, err_text(&why));
	}
	return rc;
}

/* --- inside init --- */

const struct plugin_host *plugin_host(const struct plugin_env *env)
{
	return env->host;
}

const void *plugin_arg(const struct plugin_env *env)
{
	return env->self->desc->arg;
}

const struct toml_value *plugin_config(const struct plugin_env *env)
{
	return env->config;
}

const char *plugin_root(const struct plugin_env *env)
{
	return env->root;
}

const char *plugin_state(const struct plugin_env *env)
{
	return env->state;
}

/* Who asks for what it did not name may be started too early: a bug, found the first time. */
static void assert_named(const struct plugin_env *env, const char *type, const char *id)
{
	const struct plugin_need *n = env->self->desc->needs;

	for (; n != NULL && n->type != NULL; n++) {
		if (str_eq(n->type, "*"))
			return;
		if (str_eq(n->type, type) && (n->id == NULL || str_eq(n->id, id)))
			return;
	}
	assert(!"plugin asks for what its needs do not name");
}

static int pass_failure(const struct entry *e, struct err *err)
{
	return err_plain(err, e->err.kind, "%s: %s", e->uri, err_text(&e->err));
}

static int get_one(struct plugin_env *env, const char *type, const char *id,
		void **ret_instance, struct err *err)
{
	const struct entry *e = find(env->set, type, id);

	if (e == NULL || e->is_disabled)
		return err_set(err, ERR_NOT_FOUND, "no plugins registered for %s.%s: plugin",
				type, id);
	if (!e->is_running)
		return pass_failure(e, err);
	*ret_instance = e->instance;
	return 0;
}

static int get_single(
		struct plugin_env *env, const char *type, void **ret_instance, struct err *err)
{
	const struct entry *hit = NULL;

	for (size_t i = 0; i < env->set->started; i++) {
		const struct entry *e = env->set->order[i];

		if (!str_eq(e->desc->type, type) || e->info.is_skipped)
			continue;
		if (!e->is_running)
			return pass_failure(e, err);
		if (hit != NULL)
			return err_set(err, ERR_PRECONDITION,
					"multiple plugins registered for %s", type);
		hit = e;
	}
	if (hit == NULL)
		return err_set(err, ERR_NOT_FOUND, "no plugins registered for %s: plugin",
				type);
	*ret_instance = hit->instance;
	return 0;
}

int plugin_get(struct plugin_env *env, const char *type, const char *id, void **ret_instance,
		struct err *err)
{
	assert_named(env, type, id);
	if (id != NULL)
		return get_one(env, type, id, ret_instance, err);
	return get_single(env, type, ret_instance, err);
}

bool plugin_next(struct plugin_env *env, const char *type, size_t *at, const char **ret_id,
		void **ret_instance)
{
	assert_named(env, type, NULL);
	for (; *at < env->set->started; (*at)++) {
		const struct entry *e = env->set->order[*at];

		if (!str_eq(e->desc->type, type) || !e->is_running)
			continue;
		*ret_id = e->desc->id;
		*ret_instance = e->instance;
		(*at)++;
		return true;
	}
	return false;
}

int plugin_skip(struct plugin_env *env, struct err *err, const char *fmt, ...)
{
	AUTO_FREE char *why = NULL;
	va_list args;

	va_start(args, fmt);
	why = xvasprintf(fmt, args);
	va_end(args);
	env->self->info.is_skipped = true;
	return err_plain(err, ERR_UNKNOWN, "%s: skip plugin", why);
}

void plugin_export(struct plugin_env *env, const char *key, const char *value)
{
	labels_set(&env->self->info.exports, key, value);
}

void plugin_add_capability(struct plugin_env *env, const char *capability)
{
	strv_add(&env->self->info.capabilities, capability);
}

void plugin_add_platform(struct plugin_env *env, const char *platform)
{
	strv_add(&env->self->info.platforms, platform);
}

void plugin_on_pause(struct plugin_env *env, const struct plugin_pause *pause, void *arg)
{
	assert(env->self->pause == NULL);
	env->self->pause = pause;
	env->self->pause_arg = arg;
}
