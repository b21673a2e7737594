/* SPDX-License-Identifier: Apache-2.0 */
/* All plugins of a daemon: their order, their start and end, and what became of each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"
#include "base/labels.h"

struct err;
struct plugin_desc;
struct plugin_host;
struct plugin_set;

MUST_USE struct plugin_set *plugin_set_new(void);
/* Stops what still runs. NULL is fine. */
void plugin_set_free(struct plugin_set *s);
DEFINE_AUTO(struct plugin_set *, plugin_set_free)

/* The description is borrowed. EXISTS if its type and id are taken. */
MUST_USE int plugin_set_add(
		struct plugin_set *s, const struct plugin_desc *desc, struct err *err);

/*
 * Starts all of them, except those in disabled_plugins. Fails only where the daemon must not
 * run: a table of the configuration is malformed, a plugin in required_plugins did not start or
 * is not there, or the needs go in a circle. "host" is borrowed until the set is stopped.
 */
MAY_BLOCK MUST_USE int plugin_set_start(
		struct plugin_set *s, const struct plugin_host *host, struct err *err);
/* In reverse order. What became of each plugin can still be asked. */
MAY_BLOCK void plugin_set_stop(struct plugin_set *s);

/* What struct plugin_pause is about, for all that run: the last started comes first. The first
 * failure ends it; plugin_set_resume() is then to be called too, and resumes all it can. */
MAY_BLOCK MUST_USE int plugin_set_quiesce(
		struct plugin_set *s, int64_t mono_deadline_ns, struct err *err);
MAY_BLOCK MUST_USE int plugin_set_suspend(struct plugin_set *s, struct err *err);
MAY_BLOCK MUST_USE int plugin_set_resume(struct plugin_set *s, struct err *err);

/* Whether a plugin was added under "<type>.<id>", started or not. */
bool plugin_set_has(const struct plugin_set *s, const char *uri);

/* One plugin after start; everything is borrowed and does not change until the set is freed. */
struct plugin_info {
	const char *type, *id;
	char **needs; /* types, each once */
	char **platforms;
	struct labels exports;
	char **capabilities;
	bool is_skipped;
	const struct err *err; /* NULL if it runs */
};

/* In order of start. Any thread, once plugin_set_start() has returned. */
size_t plugin_set_count(const struct plugin_set *s);
const struct plugin_info *plugin_set_info(const struct plugin_set *s, size_t i);
/* The instance, or NULL if it does not run. */
void *plugin_set_find(const struct plugin_set *s, const char *type, const char *id);
