/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines as Go's flag package and urfave/cli read them. */
#include "cmd/ctr/ctr_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/ctr_out.h"
#include "text/duration.h"

#define STATUS_UNKNOWN_COMMAND 3

/* --- names -------------------------------------------------------------------------------- */

char *name_at(const char *names, size_t i)
{
	for (; i > 0 && names != NULL; i--) {
		names = strchr(names, ',');
		if (names != NULL)
			names += 1 + strspn(names + 1, " ");
	}
	return names == NULL ? NULL : xstrndup(names, strcspn(names, ","));
}

bool name_is_in(const char *names, const char *name)
{
	size_t n = strlen(name);

	for (; names != NULL; names = strchr(names, ',')) {
		if (*names == ',')
			names += 1 + strspn(names + 1, " ");
		if (strcspn(names, ",") == n && memcmp(names, name, n) == 0)
			return true;
	}
	return false;
}

static const struct flag *find_flag(
		const struct command *c, const char *name, size_t *ret_index)
{
	for (size_t i = 0; c->flags != NULL && c->flags[i].kind != FLAG_END; i++) {
		if (!name_is_in(c->flags[i].names, name))
			continue;
		*ret_index = i;
		return &c->flags[i];
	}
	return NULL;
}

const char *cx_arg(const struct cx *cx, int i)
{
	return i < cx->argc ? cx->argv[i] : "";
}

bool cx_is_given(const struct cx *cx, const char *flag)
{
	size_t i;

	return find_flag(cx->command, flag, &i) != NULL && (cx->given >> i & 1) != 0;
}

const struct cx *cx_top(const struct cx *cx)
{
	while (cx->parent != NULL)
		cx = cx->parent;
	return cx;
}

/* --- values ------------------------------------------------------------------------------- */

static bool parse_bool(const char *text, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const no[] = { "0", "f", "F", "FALSE", "false", "False" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcmp(yes[i], text) != 0 && strcmp(no[i], text) != 0)
			continue;
		*ret = strcmp(yes[i], text) == 0;
		return true;
	}
	return false;
}

/* Go's literals: 10, 0x10, 0o10, 010, 0b10. */
static bool parse_uint(const char *text, uint64_t *ret)
{
	int base = 10;
	char *end;

	if (text[0] == '0' && text[1] != '\0') {
		static const char letters[] = "xXoObB";
		static const int bases[] = { 16, 16, 8, 8, 2, 2 };
		const char *which = strchr(letters, text[1]);

		base = which == NULL ? 8 : bases[which - letters];
		text += which == NULL ? 1 : 2;
	}
	if (strspn(text, "0123456789abcdefABCDEF") != strlen(text) || *text == '\0')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, base);
	return errno == 0 && *end == '\0';
}

static bool parse_int(const char *text, int64_t *ret)
{
	bool negative = *text == '-';
	uint64_t n;

	if (*text == '-' || *text == '+')
		text++;
	if (!parse_uint(text, &n) || n > (uint64_t)INT64_MAX + negative)
		return false;
	*ret = negative ? (int64_t)-n : (int64_t)n;
	return true;
}

static bool parse_real(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return *text != '\0' && *end == '\0' && strchr(" \t\n", *text) == NULL;
}

static bool store(const struct flag *f, void *args, const char *value)
{
	void *slot = (char *)args + f->at;

	switch (f->kind) {
	case FLAG_SWITCH:
		return parse_bool(value, slot);
	case FLAG_TEXT:
		*(const char **)slot = value;
		return true;
	case FLAG_LIST:
		strv_add(slot, value);
		return true;
	case FLAG_INT:
		return parse_int(value, slot);
	case FLAG_UINT:
		return parse_uint(value, slot);
	case FLAG_REAL:
		return parse_real(value, slot);
	case FLAG_DURATION:
		return duration_parse(value, slot);
	case FLAG_END:
		break;
	}
	return false;
}

static int bad_value(const struct flag *f, const char *name, const char *value, struct err *err)
{
	AUTO_FREE char *quoted = str_quote(value);

	return err_plain(err, ERR_INVALID, "invalid %s %s for %s-%s: parse error",
			f->kind == FLAG_SWITCH ? "boolean value" : "value", quoted,
			f->kind == FLAG_SWITCH ? "" : "flag ", name);
}

static int store_defaults(struct cx *cx, struct err *err)
{
	const struct flag *flags = cx->command->flags;

	for (size_t i = 0; flags != NULL && flags[i].kind != FLAG_END; i++) {
		const char *env = flags[i].env == NULL ? NULL : getenv(flags[i].env);

		if (flags[i].fallback != NULL)
			store(&flags[i], cx->args, flags[i].fallback);
		if (str_is_empty(env))
			continue;
		cx->given |= UINT64_C(1) << i;
		if (!store(&flags[i], cx->args, env))
			return bad_value(&flags[i], flags[i].names, env, err);
	}
	return 0;
}

/* --- one level ---------------------------------------------------------------------------- */

enum parsed {
	PARSED,
	PARSED_HELP,
	PARSED_VERSION,
	PARSED_ERROR,
};

/* Takes the flag at argv[*at] with its value; *at moves on. */
static enum parsed take_flag(struct cx *cx, char **argv, int *at, struct err *err)
{
	const char *text = argv[*at];
	const char *name_start = text + (text[1] == '-' ? 2 : 1);
	AUTO_FREE char *name = xstrndup(name_start, strcspn(name_start, "="));
	const char *value = strchr(name_start, '=');
	const struct flag *f;
	size_t i = 0;

	(*at)++;
	if (name[0] == '\0' || name[0] == '-') {
		err_plain(err, ERR_INVALID, "bad flag syntax: %s", text);
		return PARSED_ERROR;
	}
	f = find_flag(cx->command, name, &i);
	if (f == NULL && name_is_in("help, h", name))
		return PARSED_HELP;
	if (f == NULL && cx->parent == NULL && name_is_in("version, v", name))
		return PARSED_VERSION;
	if (f == NULL) {
		err_plain(err, ERR_INVALID, "flag provided but not defined: -%s", name);
		return PARSED_ERROR;
	}
	if (value != NULL) {
		value++;
	} else if (f->kind == FLAG_SWITCH) {
		value = "true";
	} else if (argv[*at] == NULL) {
		err_plain(err, ERR_INVALID, "flag needs an argument: -%s", name);
		return PARSED_ERROR;
	} else {
		value = argv[(*at)++];
	}
	if (!store(f, cx->args, value)) {
		bad_value(f, name, value, err);
		return PARSED_ERROR;
	}
	cx->given |= UINT64_C(1) << i;
	return PARSED;
}

/* Flags up to the first argument that is none. */
static enum parsed parse_flags(struct cx *cx, int argc, char **argv, struct err *err)
{
	enum parsed result = PARSED;
	int at = 0;

	if (store_defaults(cx, err) < 0)
		return PARSED_ERROR;
	while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0' && result == PARSED) {
		if (strcmp(argv[at], "--") == 0) {
			at++;
			break;
		}
		result = take_flag(cx, argv, &at, err);
	}
	cx->argv = argv + at;
	cx->argc = argc - at;
	return result;
}

static int check_required(const struct cx *cx, struct err *err)
{
	const struct flag *flags = cx->command->flags;

	for (size_t i = 0; flags != NULL && flags[i].kind != FLAG_END; i++) {
		AUTO_FREE char *name = name_at(flags[i].names, 0);

		if (flags[i].required && (cx->given >> i & 1) == 0)
			return err_plain(
					err, ERR_INVALID, "Required flag \"%s\" not set", name);
	}
	return 0;
}

/* --- all levels --------------------------------------------------------------------------- */

static const struct command *find_command(const struct command *list, const char *name)
{
	for (; list != NULL && list->names != NULL; list++)
		if (name_is_in(list->names, name))
			return list;
	return NULL;
}

static int unknown_command(const char *name)
{
	fprintf(stderr, "No help topic for '%s'\n", name);
	return STATUS_UNKNOWN_COMMAND;
}

/* "help" and its own arguments: whose help it is. */
static int help_command(struct cx *cx)
{
	const struct command *found;
	struct cx below = { .parent = cx };

	if (cx->argc < 2)
		return cx_show_help(cx);
	found = find_command(cx->command->commands, cx->argv[1]);
	if (found == NULL)
		return unknown_command(cx->argv[1]);
	below.command = found;
	return cx_show_help(&below);
}

static int run_level(struct cx *cx, int argc, char **argv);

static int descend(struct cx *cx)
{
	const char *name = cx_arg(cx, 0);
	struct cx below = { .parent = cx };
	int status;

	if (cx->argc == 0)
		return cx_show_help(cx);
	if (name_is_in("help, h", name))
		return help_command(cx);
	below.command = find_command(cx->command->commands, name);
	if (below.command == NULL)
		return unknown_command(name);
	below.args = xzalloc(below.command->args_size + 1);
	status = run_level(&below, cx->argc - 1, cx->argv + 1);
	for (const struct flag *f = below.command->flags; f != NULL && f->kind != FLAG_END; f++)
		if (f->kind == FLAG_LIST)
			strv_free(*(char ***)((char *)below.args + f->at));
	free(below.args);
	return status;
}

static int run_level(struct cx *cx, int argc, char **argv)
{
	AUTO_ERR struct err err = { 0 };

	switch (parse_flags(cx, argc, argv, &err)) {
	case PARSED_HELP:
		return cx_show_help(cx);
	case PARSED_VERSION:
		return out_version();
	case PARSED_ERROR:
		printf("Incorrect Usage: %s\n\n", err_text(&err));
		cx_show_help(cx);
		return out_fail("%s", err_text(&err));
	case PARSED:
		break;
	}
	if (cx->command->commands != NULL)
		return descend(cx);
	if (check_required(cx, &err) < 0) {
		if (cx->argc == 0)
			cx_show_help(cx);
		return out_fail("%s", err_text(&err));
	}
	return cx->command->run(cx);
}

int command_main(const struct command *top, int argc, char **argv)
{
	AUTO_FREE void *args = xzalloc(top->args_size + 1);
	struct cx cx = { .command = top, .args = args };

	return run_level(&cx, argc - 1, argv + 1);
}
