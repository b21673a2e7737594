/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_flags.h"

#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct row {
	const char *name;
	bool is_switch;
	size_t at;
	const char *text; /* none: not told */
};

static const struct row rows[] = {
	{ "address", false, offsetof(struct shim_flags, address),
			"the daemon's gRPC socket, and the name that sockets are made from" },
	{ "bundle", false, offsetof(struct shim_flags, bundle), "the container's directory" },
	{ "debug", true, offsetof(struct shim_flags, debug), "write more to the log" },
	{ "debug-socket", false, offsetof(struct shim_flags, debug_socket),
			"where to tell what goes on" },
	{ "h", true, offsetof(struct shim_flags, help), NULL },
	{ "help", true, offsetof(struct shim_flags, help), NULL },
	{ "id", false, offsetof(struct shim_flags, id), "the container" },
	{ "info", true, offsetof(struct shim_flags, info),
			"print what the runtime can do, as a RuntimeInfo message" },
	{ "namespace", false, offsetof(struct shim_flags, ns), "the container's namespace" },
	{ "publish-binary", false, offsetof(struct shim_flags, publish_binary),
			"the daemon's program (not needed)" },
	{ "socket", false, offsetof(struct shim_flags, socket), "where to listen" },
	{ "v", true, offsetof(struct shim_flags, version), "print the version" },
	{ "version", true, offsetof(struct shim_flags, version), "print the version" },
};

static const struct row *find_row(const char *name, size_t size)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strlen(rows[i].name) == size && memcmp(rows[i].name, name, size) == 0)
			return &rows[i];
	return NULL;
}

static int set_switch(bool *to, const struct row *row, const char *value, struct err *err)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; value != NULL && i < ARRAY_LEN(no); i++)
		if (str_eq(value, no[i])) {
			*to = false;
			return 0;
		}
	*to = true;
	for (size_t i = 0; value != NULL && i < ARRAY_LEN(yes); i++)
		if (str_eq(value, yes[i]))
			return 0;
	if (value == NULL)
		return 0;
	return err_plain(err, ERR_INVALID, "invalid boolean value \"%s\" for -%s: parse error",
			value, row->name);
}

/* Takes argv[*at], and its value if that is the next one. */
static int parse_one(char *const *argv, int *at, struct shim_flags *out, struct err *err)
{
	const char *arg = argv[*at] + 1, *value;
	const struct row *row;
	size_t size;
	char *field;

	arg += arg[0] == '-';
	size = strcspn(arg, "=");
	if (size == 0)
		return err_plain(err, ERR_INVALID, "bad flag syntax: %s", argv[*at]);
	row = find_row(arg, size);
	if (row == NULL)
		return err_plain(err, ERR_INVALID, "flag provided but not defined: -%.*s",
				(int)size, arg);
	value = arg[size] == '=' ? arg + size + 1 : NULL;
	field = (char *)out + row->at;
	if (row->is_switch)
		return set_switch((bool *)field, row, value, err);
	if (value == NULL)
		value = argv[++*at];
	if (value == NULL)
		return err_plain(err, ERR_INVALID, "flag needs an argument: -%s", row->name);
	*(const char **)field = value;
	return 0;
}

int shim_flags_parse(int argc, char *const *argv, struct shim_flags *ret, struct err *err)
{
	int at = 1;

	*ret = (struct shim_flags){ .ns = "",
		.id = "",
		.socket = "",
		.debug_socket = "",
		.bundle = "",
		.address = "",
		.publish_binary = "",
		.action = "" };
	for (; at < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at++) {
		if (str_eq(argv[at], "--")) {
			at++;
			break;
		}
		if (parse_one(argv, &at, ret, err) < 0)
			return -1;
	}
	if (at < argc)
		ret->action = argv[at];
	return 0;
}

void shim_flags_describe(struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].text != NULL)
			buf_addf(out, "  -%s%s\n    \t%s\n", rows[i].name,
					rows[i].is_switch ? "" : " string", rows[i].text);
}
