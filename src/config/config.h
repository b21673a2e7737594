/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's configuration: files of version 1 to 4, their imports, merged and migrated, with
 * a value for every key. Reading says nothing on its own; what the administrator should know
 * waits as notes for main() to log.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"
#include "base/log.h"

struct buf;
struct config;
struct err;
struct toml_value;

#define CONFIG_VERSION	    4
#define CONFIG_DEFAULT_FILE "/etc/containerd/config.toml"
#define CONFIG_MAX_FILES    128

/* What "config default" shows. */
MUST_USE struct config *config_new(void);
void config_free(struct config *c); /* NULL is fine */
DEFINE_AUTO(struct config *, config_free)

/* Reads the file and everything it imports on top of the defaults. Errors name file, row and
 * column. A missing file fails only with must_exist. */
MAY_BLOCK MUST_USE int config_load(
		const char *path, bool must_exist, struct config **ret_config, struct err *err);

/* The same from bytes that stand for "path", without reading anything else: an import fails
 * unless it is a pattern. For tests and fuzzing. */
MUST_USE int config_load_bytes(const char *path, const void *data, size_t size,
		struct config **ret_config, struct err *err);

/* Top-level keys. They all exist but for the hidden ones (NULL unless a file sets them).
 * Borrowed. */
const struct toml_value *config_get(const struct config *c, const char *key);
const char *config_text(const struct config *c, const char *key);

/* Replaces a top-level text, as the flags do. */
void config_set_text(struct config *c, const char *key, const char *value);

/* --address: the gRPC socket; the ttrpc socket goes along unless a file names it. */
void config_set_address(struct config *c, const char *address);

/* A plugin's table, checked, with all its keys; an empty table if it has none. Borrowed; the
 * same table each time. Unknown keys become notes. INVALID names file, row and column. */
MUST_USE int config_section(struct config *c, const char *uri,
		const struct toml_value **ret_section, struct err *err);
/* A file has a table for it. */
bool config_mentions(const struct config *c, const char *uri);

/* Everything, as TOML of the current version. */
MUST_USE int config_print(struct config *c, struct buf *out, struct err *err);

/* Log lines in waiting. "fields" is for log_fields(). */
struct config_note {
	enum log_level level;
	char *text;
	char **fields; /* pairs, ended by NULL */
};
size_t config_note_count(const struct config *c);
const struct config_note *config_note(const struct config *c, size_t i);

/* The duration under "key", which the row says is one. */
int64_t config_duration_ns(const struct toml_value *table, const char *key);
