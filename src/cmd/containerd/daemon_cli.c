/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd/daemon_cli.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "cmd/containerd/daemon_flags.h"
#include "config/config.h"
#include "text/toml.h"

int command_fail(const struct err *err)
{
	(void)fprintf(stderr, "containerd: %s\n", err_text(err));
	return 1;
}

int command_unknown(const char *word)
{
	(void)fprintf(stderr, "No help topic for '%s'\n", word);
	return 3;
}

static int print_config(struct config *c, struct err *err)
{
	AUTO_BUF struct buf out = { .limit = 4 * TOML_MAX_BYTES };
	int rc;

	if (config_print(c, &out, err) < 0)
		return -1;
	rc = io_write_all(STDOUT_FILENO, out.data, out.size);
	return rc < 0 ? err_sys(err, -rc, "write configuration") : 0;
}

static void log_notes(const struct config *c)
{
	for (size_t i = 0; i < config_note_count(c); i++) {
		const struct config_note *note = config_note(c, i);

		log_fields(NULL, note->level, (const char *const *)note->fields, "%s",
				note->text);
	}
}

/* A missing file is fine here, named or not: then there is nothing but defaults. */
static int dump(const struct daemon_flags *f, bool read_file)
{
	AUTO(config_free) struct config *c = NULL;
	AUTO_ERR struct err err = { 0 };
	int rc = 0;

	if (read_file)
		rc = config_load(str_or(f->config, CONFIG_DEFAULT_FILE), false, &c, &err);
	else
		c = config_new();
	if (rc == 0)
		rc = print_config(c, &err);
	if (c != NULL)
		log_notes(c);
	return rc < 0 ? command_fail(&err) : 0;
}

int command_config(const struct daemon_flags *f, int argc, char **argv)
{
	const char *word = argc > 0 ? argv[0] : "help";

	if (str_eq(word, "help") || str_eq(word, "h") || str_eq(word, "--help") ||
			str_eq(word, "-h")) {
		daemon_help_config();
		return 0;
	}
	if (str_eq(word, "default"))
		return dump(f, false);
	if (str_eq(word, "dump") || str_eq(word, "migrate"))
		return dump(f, true);
	return command_unknown(word);
}
