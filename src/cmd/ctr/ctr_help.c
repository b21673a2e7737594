/* SPDX-License-Identifier: Apache-2.0 */
/* Help in the layout of urfave/cli v2. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/ctr_command.h"
#include "cmd/ctr/ctr_out.h"
#include "text/duration.h"
#include "text/tabwriter.h"

/* "ctr images list" */
static void add_path(const struct cx *cx, struct buf *out)
{
	AUTO_FREE char *name = name_at(cx->command->names, 0);

	if (cx->parent != NULL) {
		add_path(cx->parent, out);
		buf_add_byte(out, ' ');
	}
	buf_add_str(out, name);
}

/* --- flags -------------------------------------------------------------------------------- */

/* What a flag's value is called: the word in back quotes, which loses them. */
static char *placeholder(const char *help, char **ret_plain)
{
	const char *open = strchr(help, '`');
	const char *close = open == NULL ? NULL : strchr(open + 1, '`');

	if (close == NULL) {
		*ret_plain = xstrdup(help);
		return xstrdup("value");
	}
	*ret_plain = xasprintf("%.*s%.*s%s", (int)(open - help), help, (int)(close - open - 1),
			open + 1, close + 1);
	return xstrndup(open + 1, (size_t)(close - open - 1));
}

static void add_flag_names(const struct flag *f, const char *value, struct buf *out)
{
	AUTO_FREE char *name = NULL;

	for (size_t i = 0; (name = name_at(f->names, i)) != NULL; i++) {
		buf_addf(out, "%s%s%s", i == 0 ? "" : ", ", strlen(name) == 1 ? "-" : "--",
				name);
		if (f->kind != FLAG_SWITCH)
			buf_addf(out, " %s", value);
		free(name);
	}
	if (f->kind == FLAG_LIST) {
		AUTO_FREE char *once = xstrndup(out->data, out->size);

		buf_addf(out, " [ %s ]", once);
	}
}

static void add_default(const struct flag *f, struct buf *out)
{
	int64_t ns = 0;
	char text[DURATION_TEXT_SIZE];

	switch (f->kind) {
	case FLAG_SWITCH:
		buf_addf(out, " (default: %s)", str_or(f->fallback, "false"));
		return;
	case FLAG_INT:
	case FLAG_UINT:
	case FLAG_REAL:
		buf_addf(out, " (default: %s)", str_or(f->fallback, "0"));
		return;
	case FLAG_DURATION:
		if (f->fallback != NULL && !duration_parse(f->fallback, &ns))
			ns = 0;
		duration_format(ns, text);
		buf_addf(out, " (default: %s)", text);
		return;
	case FLAG_TEXT:
		if (f->fallback != NULL)
			buf_addf(out, " (default: \"%s\")", f->fallback);
		return;
	case FLAG_LIST:
	case FLAG_END:
		return;
	}
}

static void add_flag(const struct flag *f, struct tabwriter *t)
{
	AUTO_FREE char *plain = NULL;
	AUTO_FREE char *value = placeholder(f->help, &plain);
	AUTO_BUF struct buf names = { .limit = SIZE_MAX }, usage = { .limit = SIZE_MAX };

	add_flag_names(f, value, &names);
	buf_add_str(&usage, plain);
	add_default(f, &usage);
	tabwriter_addf(t, "   %s\t%s", names.data, usage.data == NULL ? "" : usage.data);
	if (f->env != NULL)
		tabwriter_addf(t, " [$%s]", f->env);
	tabwriter_add(t, "\n");
}

static void add_flags(const struct cx *cx, struct buf *out)
{
	AUTO_TABWRITER struct tabwriter t = { 0 };

	tabwriter_init(&t, 1, 8, 2, ' ');
	for (const struct flag *f = cx->command->flags; f != NULL && f->kind != FLAG_END; f++)
		if (!f->hidden)
			add_flag(f, &t);
	tabwriter_add(&t, "   --help, -h\tshow help\n");
	if (cx->parent == NULL)
		tabwriter_add(&t, "   --version, -v\tprint the version\n");
	tabwriter_flush(&t, out);
}

/* --- the page ----------------------------------------------------------------------------- */

static void add_usage(const struct cx *cx, struct buf *out)
{
	const struct command *c = cx->command;

	buf_add_str(out, "\n\nUSAGE:\n   ");
	add_path(cx, out);
	if (cx->parent == NULL)
		buf_add_str(out, " [global options] command [command options]");
	else if (c->commands != NULL)
		buf_add_str(out, " command [command options]");
	else
		buf_add_str(out, " [command options]");
	if (!str_is_empty(c->args))
		buf_addf(out, " %s", c->args);
}

static void add_commands(const struct command *list, struct buf *out)
{
	AUTO_TABWRITER struct tabwriter t = { 0 };

	tabwriter_init(&t, 1, 8, 2, ' ');
	for (; list->names != NULL; list++)
		tabwriter_addf(&t, "   %s\t%s\n", list->names, list->help);
	tabwriter_add(&t, "   help, h\tShows a list of commands or help for one command\n");
	buf_add_str(out, "\n\nCOMMANDS:\n");
	tabwriter_flush(&t, out);
}

void help_format(const struct cx *cx, struct buf *out)
{
	const struct command *c = cx->command;

	buf_add_str(out, "NAME:\n   ");
	add_path(cx, out);
	if (c->help[0] != '\0')
		buf_addf(out, " - %s", c->help);
	add_usage(cx, out);
	if (cx->parent == NULL)
		buf_addf(out, "\n\nVERSION:\n   %s", ctrd_version());
	if (c->description != NULL)
		buf_addf(out, "\n\nDESCRIPTION:\n   %s", c->description);
	if (c->commands != NULL)
		add_commands(c->commands, out);
	else
		buf_add_byte(out, '\n');
	buf_addf(out, "\n%s:\n", cx->parent == NULL ? "GLOBAL OPTIONS" : "OPTIONS");
	add_flags(cx, out);
}

int cx_show_help(const struct cx *cx)
{
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };

	help_format(cx, &out);
	fwrite(out.data, 1, out.size, stdout);
	return 0;
}
