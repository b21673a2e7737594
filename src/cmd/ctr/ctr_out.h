/* SPDX-License-Identifier: Apache-2.0 */
/* What ctr prints: results on stdout, trouble on stderr, both in the original's forms. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "text/tabwriter.h"

#include "ctrd/ctrd.h"

struct cx;
struct jnode;

#define STATUS_FAILED 1

/* "ctr: <text>" on stderr. Returns the exit status. */
int out_fail(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The same with an error's text; takes it over. */
int out_error(struct ctrd_error *own_error);
/* "ctr: <context>: <text>" */
int out_error_in(const char *context, struct ctrd_error *own_error);
int out_version(void);

#define AUTO_ERROR __attribute__((cleanup(error_slot_free)))
void error_slot_free(struct ctrd_error **slot);

/* A log line on stderr: level is "warning", "error" or "info". error may be NULL. */
void out_log(const char *level, const struct ctrd_error *error, const char *fmt, ...)
		PRINTF_LIKE(3, 4);

/* The same with the failure as text; why may be NULL. */
void out_log_text(const char *level, const char *why, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Prints the table and ends it. */
void out_table(struct tabwriter *t);
/* Indented, with a newline. */
void out_json(const struct jnode *n, const char *indent);

/* "k=v,k=v", or nothing for an empty set. Owned. */
MUST_USE char *labels_text(const struct ctrd_labels *labels);
/* The same with "-" for an empty set. */
MUST_USE char *labels_cell(const struct ctrd_labels *labels);
/* "k=v" arguments; without '=' the value is "missing". Owned. */
MUST_USE struct ctrd_labels *labels_of_args(char *const *args, const char *missing);
MUST_USE struct jnode *labels_node(const struct ctrd_labels *labels); /* NULL if empty */
/* The members "type_url" and "value"; null for NULL. */
MUST_USE struct jnode *any_node(const struct ctrd_any *any);

/* As Go's time.Time prints itself in UTC: "2026-11-20 23:21:06.78 +0000 UTC". */
#define GO_TIME_SIZE 64
void go_time_text(int64_t ns, char out[GO_TIME_SIZE]);
/* As it marshals itself: RFC 3339, or year 1. */
void json_time_text(int64_t ns, char out[GO_TIME_SIZE]);
