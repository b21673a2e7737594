/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ctr/ctr_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "text/jnode.h"

int out_fail(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("ctr: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return STATUS_FAILED;
}

int out_error(struct ctrd_error *own_error)
{
	out_fail("%s", ctrd_error_text(own_error));
	ctrd_error_free(own_error);
	return STATUS_FAILED;
}

int out_error_in(const char *context, struct ctrd_error *own_error)
{
	out_fail("%s: %s", context, ctrd_error_text(own_error));
	ctrd_error_free(own_error);
	return STATUS_FAILED;
}

int out_version(void)
{
	printf("ctr github.com/containerd/containerd/v2 %s\n", ctrd_version());
	return 0;
}

void error_slot_free(struct ctrd_error **slot)
{
	ctrd_error_free(*slot);
}

/* --- log lines ---------------------------------------------------------------------------- */

static bool is_bare(const char *value)
{
	for (; *value != '\0'; value++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			   "-._/@^+",
				    *value) == NULL)
			return false;
	return true;
}

static void print_value(const char *key, const char *value)
{
	AUTO_FREE char *quoted = is_bare(value) ? NULL : str_quote(value);

	fprintf(stderr, " %s=%s", key, quoted == NULL ? value : quoted);
}

static void log_plain(const char *level, const char *message, const char *error)
{
	char when[CLOCK_TEXT_SIZE];
	int64_t now = clock_wall_ns();

	clock_format_short(now - now % NS_PER_S, when);
	fprintf(stderr, "time=\"%s\" level=%s", when, level);
	print_value("msg", message);
	if (error != NULL)
		print_value("error", error);
	fputc('\n', stderr);
}

static void log_colored(const char *level, const char *message, const char *error)
{
	int color = strcmp(level, "error") == 0	    ? 31
		    : strcmp(level, "warning") == 0 ? 33
		    : strcmp(level, "info") == 0    ? 36
						    : 37;
	char name[5] = { 0 };

	for (size_t i = 0; i < 4 && level[i] != '\0'; i++)
		name[i] = (char)(level[i] - 'a' + 'A');
	fprintf(stderr, "\x1b[%dm%s\x1b[0m[0000] %-44s", color, name, message);
	if (error != NULL)
		fprintf(stderr, " \x1b[%dmerror\x1b[0m=\"%s\"", color, error);
	fputc('\n', stderr);
}

static void log_line_of(const char *level, const char *why, const char *message)
{
	fflush(stdout);
	if (isatty(STDERR_FILENO))
		log_colored(level, message, why);
	else
		log_plain(level, message, why);
}

void out_log(const char *level, const struct ctrd_error *error, const char *fmt, ...)
{
	AUTO_FREE char *message = NULL;
	va_list args;

	va_start(args, fmt);
	message = xvasprintf(fmt, args);
	va_end(args);
	log_line_of(level, error == NULL ? NULL : ctrd_error_text(error), message);
}

void out_log_text(const char *level, const char *why, const char *fmt, ...)
{
	AUTO_FREE char *message = NULL;
	va_list args;

	va_start(args, fmt);
	message = xvasprintf(fmt, args);
	va_end(args);
	log_line_of(level, why, message);
}

/* --- results ------------------------------------------------------------------------------ */

void out_table(struct tabwriter *t)
{
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };

	tabwriter_flush(t, &out);
	if (out.size > 0)
		fwrite(out.data, 1, out.size, stdout);
	tabwriter_done(t);
}

void out_json(const struct jnode *n, const char *indent)
{
	AUTO_FREE char *text = jnode_to_text(n, indent);

	printf("%s\n", text);
}

char *labels_text(const struct ctrd_labels *labels)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };

	for (size_t i = 0; i < ctrd_labels_count(labels); i++)
		buf_addf(&b, "%s%s=%s", i == 0 ? "" : ",", ctrd_labels_key(labels, i),
				ctrd_labels_value(labels, i));
	return buf_take_str(&b);
}

char *labels_cell(const struct ctrd_labels *labels)
{
	return ctrd_labels_count(labels) == 0 ? xstrdup("-") : labels_text(labels);
}

struct ctrd_labels *labels_of_args(char *const *args, const char *missing)
{
	struct ctrd_labels *labels = ctrd_labels_new();

	for (; args != NULL && *args != NULL; args++) {
		const char *value = strchr(*args, '=');
		AUTO_FREE char *key = xstrndup(*args, strcspn(*args, "="));

		ctrd_labels_set(labels, key, value == NULL ? missing : value + 1);
	}
	return labels;
}

struct jnode *labels_node(const struct ctrd_labels *labels)
{
	struct jnode *n;

	if (ctrd_labels_count(labels) == 0)
		return NULL;
	n = jnode_object();
	for (size_t i = 0; i < ctrd_labels_count(labels); i++)
		jnode_set_str(n, ctrd_labels_key(labels, i), ctrd_labels_value(labels, i));
	return n;
}

/* --- times -------------------------------------------------------------------------------- */

void go_time_text(int64_t ns, char out[GO_TIME_SIZE])
{
	char text[CLOCK_TEXT_SIZE];
	size_t n;

	if (ns == CTRD_NO_TIME) {
		snprintf(out, GO_TIME_SIZE, "0001-01-01 00:00:00 +0000 UTC");
		return;
	}
	clock_format_short(ns, text);
	n = strlen(text);
	text[n - 1] = '\0'; /* the Z */
	text[strcspn(text, "T")] = ' ';
	snprintf(out, GO_TIME_SIZE, "%s +0000 UTC", text);
}

void json_time_text(int64_t ns, char out[GO_TIME_SIZE])
{
	char text[CLOCK_TEXT_SIZE];

	if (ns == CTRD_NO_TIME) {
		snprintf(out, GO_TIME_SIZE, "0001-01-01T00:00:00Z");
		return;
	}
	clock_format_short(ns, text);
	snprintf(out, GO_TIME_SIZE, "%s", text);
}

struct jnode *any_node(const struct ctrd_any *any)
{
	struct jnode *n;
	size_t size = 0;
	const void *value = ctrd_any_value(any, &size);

	if (any == NULL)
		return jnode_text(NULL);
	n = jnode_object();
	if (ctrd_any_type(any)[0] != '\0')
		jnode_set_str(n, "type_url", ctrd_any_type(any));
	if (size > 0) {
		AUTO_FREE char *text = base64_encode(value, size, BASE64_PADDED);

		jnode_set_str(n, "value", text);
	}
	return n;
}
