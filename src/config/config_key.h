/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of configuration keys: what may stand where, of which type, within which
 * limits, and what it is when nobody says. Loading, "config default", and the check of the
 * manual page read the same rows. Adding a key is adding a row (and a line in
 * containerd-config.toml.5).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum config_type {
	CONFIG_TEXT,
	CONFIG_BOOL,
	CONFIG_INT,
	CONFIG_FLOAT,
	CONFIG_DURATION, /* text such as '1m30s' */
	CONFIG_LIST,	 /* of texts */
	CONFIG_TABLE,	 /* with the keys of "keys", and others if "rest" says of which kind */
	CONFIG_TABLES,	 /* array of tables with the keys of "keys" */
	CONFIG_ANY,	 /* whatever stands there is kept */
};

struct config_key {
	const char *name; /* NULL ends a table of rows */
	enum config_type type;
	/* As it would stand in a file, but without quotes; lists with commas. NULL: "", false,
	 * 0, 0s, empty. "@euid", "@egid" and "@platform" are what they name at run time. */
	const char *initial;
	int64_t min, max;    /* of an INT, or of a DURATION in nanoseconds; both 0: any */
	const char *choices; /* of a TEXT: words between blanks; NULL: any text */
	const struct config_key *keys; /* of a TABLE or of each of TABLES */
	const struct config_key *rest; /* TABLE: the row for all names that are not in "keys" */
	bool hidden_if_unset;	       /* printed only when a file sets it */
	const char *help;
};

/* What a plugin may be told. */
struct config_section {
	const char *uri; /* "io.containerd.gc.v1.scheduler" */
	const struct config_key *keys;
};

/* The top of a version 4 file; of older ones also the tables that became plugins. */
extern const struct config_key config_top_keys[];
extern const struct config_key config_legacy_keys[];

/* Sorted by URI. */
extern const struct config_section config_sections[];
extern const size_t config_section_count;

/* NULL if the plugin takes no configuration (or is not known). */
const struct config_section *config_section_find(const char *uri);
const struct config_key *config_key_find(const struct config_key *keys, const char *name);

extern const struct config_key config_cri_server_keys[];
extern const struct config_key config_cri_images_keys[];
extern const struct config_key config_cri_runtime_keys[];
