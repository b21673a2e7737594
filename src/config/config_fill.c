/* SPDX-License-Identifier: Apache-2.0 */
/* Tables against their rows: what is wrong with them, and what they are once complete. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config_priv.h"
#include "text/duration.h"
#include "text/toml.h"

static const char *type_name(enum config_type type)
{
	static const char *const names[] = {
		[CONFIG_TEXT] = "a string",
		[CONFIG_BOOL] = "a boolean",
		[CONFIG_INT] = "an integer",
		[CONFIG_FLOAT] = "a float",
		[CONFIG_DURATION] = "a duration such as '1m30s'",
		[CONFIG_LIST] = "an array of strings",
		[CONFIG_TABLE] = "a table",
		[CONFIG_TABLES] = "an array of tables",
		[CONFIG_ANY] = "a table",
	};

	return names[type];
}

static int refuse(const struct toml_value *v, const char *path, struct err *err,
		const char *fmt, ...) PRINTF_LIKE(4, 5);

static int refuse(const struct toml_value *v, const char *path, struct err *err,
		const char *fmt, ...)
{
	AUTO_FREE char *why = NULL;
	va_list args;

	va_start(args, fmt);
	why = xvasprintf(fmt, args);
	va_end(args);
	return err_plain(err, ERR_INVALID, "%s:%u:%u: %s: %s", str_or(toml_file(v), "-"),
			toml_line(v), toml_column(v), path, why);
}

static int refuse_type(const struct config_key *row, const struct toml_value *v,
		const char *path, struct err *err)
{
	return refuse(v, path, err, "%s where %s belongs (%s)", toml_kind_name(toml_kind(v)),
			type_name(row->type), row->help);
}

static int check_int(const struct config_key *row, const struct toml_value *v, const char *path,
		struct err *err)
{
	int64_t n = toml_int(v);

	if ((row->min == 0 && row->max == 0) || (n >= row->min && n <= row->max))
		return 0;
	return refuse(v, path, err, "%lld is not between %lld and %lld", (long long)n,
			(long long)row->min, (long long)row->max);
}

static int check_duration(const struct config_key *row, const struct toml_value *v,
		const char *path, struct err *err)
{
	int64_t ns = 0;

	if (!duration_parse(toml_text(v), &ns))
		return refuse(v, path, err, "unable to parse %s into a time duration",
				toml_text(v));
	if ((row->min == 0 && row->max == 0) || (ns >= row->min && ns <= row->max))
		return 0;
	return refuse(v, path, err, "%s is out of range", toml_text(v));
}

static int check_choice(const struct config_key *row, const struct toml_value *v,
		const char *path, struct err *err)
{
	AUTO_STRV char **choices = NULL;

	if (row->choices == NULL || toml_text(v)[0] == '\0')
		return 0;
	choices = strv_split(row->choices, ' ');
	if (strv_has(choices, toml_text(v)))
		return 0;
	return refuse(v, path, err, "'%s' is none of: %s", toml_text(v), row->choices);
}

static int check_list(const struct config_key *row, const struct toml_value *v,
		const char *path, struct err *err)
{
	for (size_t i = 0; i < toml_count(v); i++)
		if (!toml_is(toml_at(v, i), TOML_TEXT))
			return refuse_type(row, toml_at(v, i), path, err);
	return 0;
}

static int check_tables(const struct config_key *row, const struct toml_value *v,
		const char *path, const struct config_unknown *unknown, struct err *err)
{
	for (size_t i = 0; i < toml_count(v); i++) {
		if (!toml_is(toml_at(v, i), TOML_TABLE))
			return refuse_type(row, toml_at(v, i), path, err);
		if (config_check(row->keys, NULL, toml_at(v, i), path, unknown, err) < 0)
			return -1;
	}
	return 0;
}

static int check_value(const struct config_key *row, const struct toml_value *v,
		const char *path, const struct config_unknown *unknown, struct err *err)
{
	static const enum toml_kind kinds[] = {
		[CONFIG_TEXT] = TOML_TEXT,
		[CONFIG_BOOL] = TOML_BOOL,
		[CONFIG_INT] = TOML_INT,
		[CONFIG_FLOAT] = TOML_FLOAT,
		[CONFIG_DURATION] = TOML_TEXT,
		[CONFIG_LIST] = TOML_ARRAY,
		[CONFIG_TABLE] = TOML_TABLE,
		[CONFIG_TABLES] = TOML_ARRAY,
	};
	enum toml_kind kind = toml_kind(v);

	if (row->type == CONFIG_ANY)
		return 0;
	if (kind != kinds[row->type] && !(row->type == CONFIG_FLOAT && kind == TOML_INT))
		return refuse_type(row, v, path, err);
	switch (row->type) {
	case CONFIG_TEXT:
		return check_choice(row, v, path, err);
	case CONFIG_INT:
		return check_int(row, v, path, err);
	case CONFIG_DURATION:
		return check_duration(row, v, path, err);
	case CONFIG_LIST:
		return check_list(row, v, path, err);
	case CONFIG_TABLE:
		return config_check(row->keys, row->rest, v, path, unknown, err);
	case CONFIG_TABLES:
		return check_tables(row, v, path, unknown, err);
	default:
		return 0;
	}
}

static char *join_path(const char *path, const char *key)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };

	buf_addf(&b, "%s%s", path, path[0] != '\0' ? "." : "");
	toml_add_key(&b, key);
	return buf_take_str(&b);
}

int config_check(const struct config_key *keys, const struct config_key *rest,
		const struct toml_value *table, const char *path,
		const struct config_unknown *unknown, struct err *err)
{
	for (size_t i = 0; i < toml_count(table); i++) {
		const char *key = toml_key_at(table, i);
		const struct toml_value *v = toml_at(table, i);
		AUTO_FREE char *inner = join_path(path, key);
		const struct config_key *row = config_key_find(keys, key);

		if (row == NULL)
			row = rest;
		if (row == NULL) {
			if (unknown != NULL)
				unknown->found(unknown->arg, inner, v);
			continue;
		}
		if (check_value(row, v, inner, unknown, err) < 0)
			return -1;
	}
	return 0;
}

/* "linux/amd64": what the original calls this machine. */
static char *own_platform(void)
{
	static const struct {
		const char *machine, *go;
	} rows[] = {
		{ "x86_64", "amd64" },
		{ "aarch64", "arm64" },
		{ "armv7l", "arm/v7" },
		{ "armv6l", "arm/v6" },
		{ "i686", "386" },
	};
	struct utsname u;

	if (uname(&u) < 0)
		return xstrdup("linux");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(rows[i].machine, u.machine))
			return xasprintf("linux/%s", rows[i].go);
	return xasprintf("linux/%s", u.machine);
}

static int64_t initial_int(const char *text)
{
	int64_t n = 0;

	if (str_eq(text, "@euid"))
		return geteuid();
	if (str_eq(text, "@egid"))
		return getegid();
	(void)!str_i64(str_or(text, "0"), &n);
	return n;
}

static struct toml_value *initial_list(const char *text)
{
	AUTO_STRV char **items = NULL;

	if (str_eq(text, "@platform")) {
		AUTO_FREE char *platform = own_platform();

		strv_add(&items, platform);
	} else if (text != NULL) {
		items = strv_split(text, ',');
	}
	return toml_new_strv(items);
}

static struct toml_value *initial_value(const struct config_key *row)
{
	switch (row->type) {
	case CONFIG_TEXT:
		return toml_new_text(str_or(row->initial, ""));
	case CONFIG_DURATION:
		return toml_new_text(str_or(row->initial, "0s"));
	case CONFIG_BOOL:
		return toml_new_bool(str_eq(row->initial, "true"));
	case CONFIG_INT:
		return toml_new_int(initial_int(row->initial));
	case CONFIG_FLOAT:
		return toml_new_float(strtod(str_or(row->initial, "0"), NULL));
	case CONFIG_LIST:
		return initial_list(row->initial);
	case CONFIG_TABLES:
		return toml_new_array();
	case CONFIG_TABLE:
		return config_fill(row->keys, row->rest, NULL);
	case CONFIG_ANY:
		break;
	}
	return toml_new_table();
}

static struct toml_value *fill_tables(const struct config_key *row, const struct toml_value *v)
{
	struct toml_value *out = toml_new_array();

	for (size_t i = 0; i < toml_count(v); i++)
		toml_append(out, config_fill(row->keys, NULL, toml_at(v, i)));
	return out;
}

static struct toml_value *fill_value(const struct config_key *row, const struct toml_value *v)
{
	struct toml_value *out;
	bool is_empty_list = toml_is(v, TOML_TABLE) || toml_is(v, TOML_ARRAY);

	is_empty_list = is_empty_list && toml_count(v) == 0;
	if (row->hidden_if_unset && (v == NULL || is_empty_list))
		return NULL;
	if (v == NULL)
		return initial_value(row);
	if (row->type == CONFIG_TABLE)
		out = config_fill(row->keys, row->rest, v);
	else if (row->type == CONFIG_TABLES)
		out = fill_tables(row, v);
	else
		out = toml_copy(v);
	toml_set_place(out, toml_file(v), toml_line(v), toml_column(v));
	return out;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of files and of rows together, in byte order, as the original prints its maps. */
static struct toml_value *fill_open(const struct config_key *keys,
		const struct config_key *rest, const struct toml_value *table)
{
	AUTO_STRV char **names = NULL;
	struct toml_value *out = toml_new_table();

	for (const struct config_key *row = keys; row != NULL && row->name != NULL; row++)
		strv_add(&names, row->name);
	for (size_t i = 0; i < toml_count(table); i++)
		if (config_key_find(keys, toml_key_at(table, i)) == NULL)
			strv_add(&names, toml_key_at(table, i));
	if (names != NULL)
		qsort(names, strv_len(names), sizeof(*names), by_text);
	for (char **name = names; name != NULL && *name != NULL; name++) {
		const struct config_key *row = config_key_find(keys, *name);
		struct toml_value *v =
				fill_value(row != NULL ? row : rest, toml_find(table, *name));

		if (v != NULL)
			toml_put(out, *name, v);
	}
	return out;
}

struct toml_value *config_fill(const struct config_key *keys, const struct config_key *rest,
		const struct toml_value *table)
{
	struct toml_value *out;

	if (rest != NULL)
		return fill_open(keys, rest, table);
	out = toml_new_table();
	for (const struct config_key *row = keys; row != NULL && row->name != NULL; row++) {
		struct toml_value *v = fill_value(row, toml_find(table, row->name));

		if (v != NULL)
			toml_put(out, row->name, v);
	}
	return out;
}

int64_t config_duration_ns(const struct toml_value *table, const char *key)
{
	int64_t ns = 0;

	(void)!duration_parse(toml_text(toml_find(table, key)), &ns);
	return ns;
}
