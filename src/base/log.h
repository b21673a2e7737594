/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines in containerd's text and JSON formats (reference 03 §4.7), one write() each.
 * Libraries and stores return errors instead; dispatchers, background threads and main log.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct ctx;

enum log_level {
	LOG_PANIC,
	LOG_FATAL,
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
	LOG_TRACE,
};

/* "info", "warning" … as the original spells them; false if the name is unknown. */
bool log_level_parse(const char *name, enum log_level *ret_level);

/* Process-wide, set once by main before threads start (and by tests). */
void log_setup(int fd, enum log_level level, bool json);
bool log_is_on(enum log_level level);

void log_line(const struct ctx *ctx, enum log_level level, const char *fmt, ...)
		PRINTF_LIKE(3, 4);

/* ctx may be NULL. */
#define log_error(ctx, ...) log_line(ctx, LOG_ERROR, __VA_ARGS__)
#define log_warn(ctx, ...)  log_line(ctx, LOG_WARN, __VA_ARGS__)
#define log_info(ctx, ...)  log_line(ctx, LOG_INFO, __VA_ARGS__)
#define log_debug(ctx, ...)                                                                    \
	do {                                                                                   \
		if (log_is_on(LOG_DEBUG))                                                      \
			log_line(ctx, LOG_DEBUG, __VA_ARGS__);                                 \
	} while (0)

/* The same with key="value" fields behind the message: pairs of const char *, ended by NULL. */
void log_fields(const struct ctx *ctx, enum log_level level, const char *const *pairs,
		const char *fmt, ...) PRINTF_LIKE(4, 5);
