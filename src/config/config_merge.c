/* SPDX-License-Identifier: Apache-2.0 */
/* The original's rules for putting a later file on top: reference 03 §4.2. */
#include "base/auto.h"
#include "base/str.h"
#include "config/config_priv.h"
#include "text/toml.h"

/* 0, "" and false of a later file do not count at the top level. */
static bool is_zero(const struct toml_value *v)
{
	switch (toml_kind(v)) {
	case TOML_TEXT:
		return toml_text(v)[0] == '\0';
	case TOML_INT:
		return toml_int(v) == 0;
	case TOML_BOOL:
		return !toml_bool(v);
	default:
		return false;
	}
}

static void append_new(struct toml_value *into, const struct toml_value *from)
{
	AUTO_STRV char **there = toml_strv(into);

	for (size_t i = 0; i < toml_count(from); i++) {
		const char *text = toml_text(toml_at(from, i));

		if (strv_has(there, text))
			continue;
		strv_add(&there, text);
		toml_append(into, toml_copy(toml_at(from, i)));
	}
}

static void replace_entries(struct toml_value *into, const struct toml_value *from)
{
	for (size_t i = 0; i < toml_count(from); i++)
		toml_put(into, toml_key_at(from, i), toml_copy(toml_at(from, i)));
}

static void merge_rows(const struct config_key *rows, struct toml_value *into,
		const struct toml_value *from);

static void merge_value(const struct config_key *row, struct toml_value *into,
		const struct toml_value *v)
{
	struct toml_value *there = toml_find(into, row->name);

	if (there == NULL)
		toml_put(into, row->name, toml_copy(v));
	else if (row->type == CONFIG_ANY)
		toml_merge(there, v);
	else if (row->type == CONFIG_TABLE && row->rest != NULL)
		replace_entries(there, v);
	else if (row->type == CONFIG_TABLE)
		merge_rows(row->keys, there, v);
	else if (row->type == CONFIG_LIST)
		append_new(there, v);
	else if (!is_zero(v))
		toml_put(into, row->name, toml_copy(v));
}

static void merge_rows(const struct config_key *rows, struct toml_value *into,
		const struct toml_value *from)
{
	for (const struct config_key *row = rows; row->name != NULL; row++) {
		const struct toml_value *v = toml_find(from, row->name);

		if (v != NULL)
			merge_value(row, into, v);
	}
}

void config_merge(struct toml_value *into, struct toml_value *from)
{
	merge_rows(config_top_keys, into, from);
}
