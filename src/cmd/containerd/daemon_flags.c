/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd/daemon_flags.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/version.h"
#include "config/config.h"

enum flag_kind {
	FLAG_TEXT,
	FLAG_SWITCH,
};

static const struct flag {
	const char *name;
	char letter; /* 0: none */
	enum flag_kind kind;
	size_t at; /* in struct daemon_flags */
	const char *help;
} rows[] = {
	{ "config", 'c', FLAG_TEXT, offsetof(struct daemon_flags, config),
			"path of the configuration file (default: \"" CONFIG_DEFAULT_FILE
			"\")" },
	{ "log-level", 'l', FLAG_TEXT, offsetof(struct daemon_flags, log_level),
			"least severe level to log [trace, debug, info, warn, error, fatal, "
			"panic]" },
	{ "address", 'a', FLAG_TEXT, offsetof(struct daemon_flags, address),
			"unix socket to serve the gRPC API on" },
	{ "root", 0, FLAG_TEXT, offsetof(struct daemon_flags, root),
			"directory of data that lasts" },
	{ "state", 0, FLAG_TEXT, offsetof(struct daemon_flags, state),
			"directory of data that ends with the machine's run" },
	{ "takeover", 0, FLAG_SWITCH, offsetof(struct daemon_flags, takeover),
			"replace the daemon that serves now, without a break" },
	{ "help", 'h', FLAG_SWITCH, offsetof(struct daemon_flags, help), "show help" },
	{ "version", 'v', FLAG_SWITCH, offsetof(struct daemon_flags, version),
			"print the version" },
};

static const struct flag *find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strlen(rows[i].name) == len && strncmp(rows[i].name, name, len) == 0)
			return &rows[i];
		if (len == 1 && rows[i].letter == name[0])
			return &rows[i];
	}
	return NULL;
}

static int set_switch(struct daemon_flags *f, const struct flag *row, const char *value,
		struct err *err)
{
	bool on = value == NULL || str_eq(value, "true") || str_eq(value, "1") ||
		  str_eq(value, "t") || str_eq(value, "T") || str_eq(value, "TRUE") ||
		  str_eq(value, "True");
	bool off = value != NULL &&
		   (str_eq(value, "false") || str_eq(value, "0") || str_eq(value, "f") ||
				   str_eq(value, "F") || str_eq(value, "FALSE") ||
				   str_eq(value, "False"));

	if (!on && !off)
		return err_plain(err, ERR_INVALID,
				"invalid boolean value \"%s\" for -%s: parse error", value,
				row->name);
	*(bool *)((char *)f + row->at) = on;
	return 0;
}

/* "--name=value", "--name value" and "-n value"; *at moves on over what was read. */
static int parse_one(struct daemon_flags *f, int argc, char **argv, int *at, struct err *err)
{
	const char *name = argv[*at] + 1 + (argv[*at][1] == '-');
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	const struct flag *row;

	if (len == 0 || name[0] == '-')
		return err_plain(err, ERR_INVALID, "bad flag syntax: %s", argv[*at]);
	row = find(name, len);
	if (row == NULL)
		return err_plain(err, ERR_INVALID, "flag provided but not defined: -%.*s",
				(int)len, name);
	(*at)++;
	if (row->kind == FLAG_SWITCH)
		return set_switch(f, row, value, err);
	if (value == NULL && *at == argc)
		return err_plain(err, ERR_INVALID, "flag needs an argument: -%.*s", (int)len,
				name);
	*(const char **)((char *)f + row->at) = value != NULL ? value : argv[(*at)++];
	return 0;
}

int daemon_flags_parse(int argc, char **argv, struct daemon_flags *ret_flags, int *ret_rest,
		struct err *err)
{
	struct daemon_flags f = { 0 };
	int at = 1;

	while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0') {
		if (str_eq(argv[at], "--")) {
			at++;
			break;
		}
		if (parse_one(&f, argc, argv, &at, err) < 0)
			return -1;
	}
	*ret_flags = f;
	*ret_rest = at;
	return 0;
}

static void print_flags(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *value = rows[i].kind == FLAG_TEXT ? " value" : "";
		AUTO_FREE char *letter =
				rows[i].letter == 0
						? xstrdup("")
						: xasprintf(", -%c%s", rows[i].letter, value);
		AUTO_FREE char *left = xasprintf("--%s%s%s", rows[i].name, value, letter);

		printf("   %-28s  %s\n", left, rows[i].help);
	}
}

void daemon_help(void)
{
	printf("NAME:\n"
	       "   containerd - container daemon\n\n"
	       "USAGE:\n"
	       "   containerd [global options] command [command options]\n\n"
	       "VERSION:\n"
	       "   " CTRD_FULL_VERSION "\n\n"
	       "DESCRIPTION:\n"
	       "   Without a command, serves containers, images and snapshots on a unix "
	       "socket\n"
	       "   until it is told to stop. Settings come from a TOML file; \"containerd "
	       "config\n"
	       "   default\" prints one that holds every setting.\n\n"
	       "COMMANDS:\n"
	       "   config    print the configuration\n"
	       "   oci-hook  run a program as an OCI hook, with the container's state filled "
	       "in\n"
	       "   publish   publish an event, as shims do\n"
	       "   verify    look for damage in what is stored, while no daemon runs\n"
	       "   help, h   show this text\n\n"
	       "GLOBAL OPTIONS:\n");
	print_flags();
}

void daemon_help_config(void)
{
	printf("NAME:\n"
	       "   containerd config - print the configuration\n\n"
	       "USAGE:\n"
	       "   containerd config command\n\n"
	       "COMMANDS:\n"
	       "   default  every setting with its default\n"
	       "   dump     every setting of the file (--config before \"config\") and its "
	       "imports\n"
	       "   migrate  the same: a file of an older version comes out in the current one\n"
	       "   help, h  show this text\n\n"
	       "OPTIONS:\n"
	       "   --help, -h  show help\n");
}

void daemon_help_publish(void)
{
	printf("NAME:\n"
	       "   containerd publish - publish an event, as shims do\n\n"
	       "USAGE:\n"
	       "   containerd --address value publish --topic value --namespace value\n\n"
	       "DESCRIPTION:\n"
	       "   Reads the event, a protobuf Any, from standard input.\n\n"
	       "OPTIONS:\n"
	       "   --namespace value  namespace to publish in\n"
	       "   --topic value      topic of the event\n"
	       "   --help, -h         show help\n");
}

void daemon_help_oci_hook(void)
{
	printf("NAME:\n"
	       "   containerd oci-hook - run a program as an OCI hook\n\n"
	       "USAGE:\n"
	       "   containerd oci-hook -- command [argument...]\n\n"
	       "DESCRIPTION:\n"
	       "   Reads the container's state from standard input and becomes the command. "
	       "In its\n"
	       "   arguments and environment {{id}}, {{bundle}}, {{rootfs}}, {{pid}}, "
	       "{{status}} and\n"
	       "   {{annotation \"key\"}} are replaced.\n\n"
	       "OPTIONS:\n"
	       "   --help, -h  show help\n");
}

void daemon_help_verify(void)
{
	printf("NAME:\n"
	       "   containerd verify - look for damage in what is stored\n\n"
	       "USAGE:\n"
	       "   containerd [--config value] [--root value] verify\n\n"
	       "DESCRIPTION:\n"
	       "   Reads every blob, the records of snapshots and their directories, and the "
	       "metadata.\n"
	       "   Prints one line for each damaged object; the status is then 1. Pulling or\n"
	       "   importing an image again repairs its blobs. No daemon may be using the "
	       "root.\n\n"
	       "OPTIONS:\n"
	       "   --help, -h  show help\n");
}
