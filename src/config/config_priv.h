/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this folder. */
#pragma once

#include "config/config.h"
#include "config/config_key.h"

struct toml_value;

struct config {
	struct toml_value *tree;     /* checked and complete but for "plugins" */
	struct toml_value *sections; /* URI -> complete table, made on demand */
	char **files;		     /* names that values of the tree point to */
	struct config_note *notes;
	size_t note_count;
	bool ttrpc_is_derived;
};

/* Adds a note; the pairs end with NULL. */
void config_add_note(struct config *c, enum log_level level, const char *const *pairs,
		const char *fmt, ...) PRINTF_LIKE(4, 5);

/* --- config_fill.c: one table against its rows --- */

/* Told about each key that no row knows; "path" is how the user would write it. */
struct config_unknown {
	void (*found)(void *arg, const char *path, const struct toml_value *value);
	void *arg;
};

/* Checks types, limits and choices of what is there. INVALID with "file:row:column". */
MUST_USE int config_check(const struct config_key *keys, const struct config_key *rest,
		const struct toml_value *table, const char *path,
		const struct config_unknown *unknown, struct err *err);

/* A new table with all keys: the value of "table" (checked before; may be NULL) or the row's.
 */
MUST_USE struct toml_value *config_fill(const struct config_key *keys,
		const struct config_key *rest, const struct toml_value *table);

/* --- config_migrate.c --- */

/* Turns one file's tree of version "from" (0 counts as 1) into the current version in place. */
MUST_USE int config_migrate(
		struct config *c, struct toml_value *tree, int64_t from, struct err *err);

/* --- config_migrate_cri.c --- */
void config_migrate_cri(struct toml_value *plugins);

/* --- config_merge.c --- */

/* Merges a checked file of the current version into "into" by the original's rules. */
void config_merge(struct toml_value *into, struct toml_value *from);
