/* SPDX-License-Identifier: Apache-2.0 */
/* The logger is the one process-wide state: a program sets it before threads start and then
 * only reads. Tests with two daemons in one process set it again. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define MAX_LINE   (64 * 1024)
#define MAX_FIELDS 32

static struct {
	atomic_int fd, level;
	atomic_bool json, tty;
} logger = { 2, LOG_INFO, false, false };

static const char *const level_names[] = { "panic", "fatal", "error", "warning", "info",
	"debug", "trace" };

struct field {
	const char *key, *value;
};

bool log_level_parse(const char *name, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcasecmp(name, level_names[i]) != 0)
			continue;
		*ret_level = (enum log_level)i;
		return true;
	}
	if (strcasecmp(name, "warn") != 0)
		return false;
	*ret_level = LOG_WARN;
	return true;
}

void log_setup(int fd, enum log_level level, bool json)
{
	logger.fd = fd;
	logger.level = (int)level;
	logger.json = json;
	logger.tty = !json && isatty(fd);
}

bool log_is_on(enum log_level level)
{
	return (int)level <= logger.level;
}

static bool is_bare(const char *value)
{
	for (; *value != '\0'; value++) {
		char c = *value;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
			continue;
		if (strchr("-._/@^+", c) == NULL)
			return false;
	}
	return true;
}

static void add_text_pair(struct buf *b, const char *key, const char *value)
{
	AUTO_FREE char *quoted = is_bare(value) ? NULL : str_quote(value);

	buf_addf(b, "%s%s=%s", b->size == 0 ? "" : " ", key, quoted == NULL ? value : quoted);
}

static void add_json_text(struct buf *b, const char *text)
{
	buf_add_byte(b, '"');
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			buf_addf(b, "\\%c", *p);
		else if (*p == '\n')
			buf_add_str(b, "\\n");
		else if (*p < 0x20)
			buf_addf(b, "\\u%04x", *p);
		else
			buf_add_byte(b, *p);
	}
	buf_add_byte(b, '"');
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct field *)a)->key, ((const struct field *)b)->key);
}

static void format_text(struct buf *b, enum log_level level, const char *when, const char *msg,
		const struct field *fields, size_t count)
{
	buf_addf(b, "time=\"%s\" level=%s", when, level_names[level]);
	if (msg[0] != '\0')
		add_text_pair(b, "msg", msg);
	for (size_t i = 0; i < count; i++)
		add_text_pair(b, fields[i].key, fields[i].value);
}

static void format_tty(struct buf *b, enum log_level level, const char *when, const char *msg,
		const struct field *fields, size_t count)
{
	static const int colors[] = { 31, 31, 31, 33, 36, 37, 37 };
	char name[5] = { 0 };

	for (size_t i = 0; i < 4; i++)
		name[i] = (char)(level_names[level][i] - 'a' + 'A');
	buf_addf(b, "\x1b[%dm%s\x1b[0m[%s] %-44s", colors[level], name, when, msg);
	for (size_t i = 0; i < count; i++) {
		AUTO_FREE char *quoted =
				is_bare(fields[i].value) ? NULL : str_quote(fields[i].value);

		buf_addf(b, " \x1b[%dm%s\x1b[0m=%s", colors[level], fields[i].key,
				quoted == NULL ? fields[i].value : quoted);
	}
}

static void format_json(struct buf *b, enum log_level level, const char *when, const char *msg,
		struct field *fields, size_t count)
{
	fields[count++] = (struct field){ "level", level_names[level] };
	fields[count++] = (struct field){ "msg", msg };
	fields[count++] = (struct field){ "time", when };
	qsort(fields, count, sizeof(*fields), by_key);
	for (size_t i = 0; i < count; i++) {
		buf_add_str(b, i == 0 ? "{" : ",");
		add_json_text(b, fields[i].key);
		buf_add_byte(b, ':');
		add_json_text(b, fields[i].value);
	}
	buf_add_byte(b, '}');
}

static void emit(const struct ctx *ctx, enum log_level level, const char *const *pairs,
		const char *msg)
{
	AUTO_BUF struct buf b = { .limit = MAX_LINE };
	struct field fields[MAX_FIELDS + 4];
	char when[CLOCK_TEXT_SIZE];
	size_t count = 0;

	clock_format(clock_wall_ns(), when);
	if (ctx != NULL && ctx->ns != NULL)
		fields[count++] = (struct field){ "namespace", ctx->ns };
	for (; pairs != NULL && pairs[0] != NULL && count < MAX_FIELDS; pairs += 2)
		fields[count++] = (struct field){ pairs[0], pairs[1] };
	qsort(fields, count, sizeof(*fields), by_key);
	if (logger.json)
		format_json(&b, level, when, msg, fields, count);
	else if (logger.tty)
		format_tty(&b, level, when, msg, fields, count);
	else
		format_text(&b, level, when, msg, fields, count);
	if (b.overflowed)
		b.data[b.size > 0 ? b.size - 1 : 0] = '~';
	b.limit++;
	b.overflowed = false;
	buf_add_byte(&b, '\n');
	(void)!io_write_all(logger.fd, b.data, b.size);
}

void log_line(const struct ctx *ctx, enum log_level level, const char *fmt, ...)
{
	AUTO_FREE char *msg = NULL;
	va_list args;

	if (!log_is_on(level))
		return;
	va_start(args, fmt);
	msg = xvasprintf(fmt, args);
	va_end(args);
	emit(ctx, level, NULL, msg);
}

void log_fields(const struct ctx *ctx, enum log_level level, const char *const *pairs,
		const char *fmt, ...)
{
	AUTO_FREE char *msg = NULL;
	va_list args;

	if (!log_is_on(level))
		return;
	va_start(args, fmt);
	msg = xvasprintf(fmt, args);
	va_end(args);
	emit(ctx, level, pairs, msg);
}
