/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters and histograms, and their text form (Prometheus text format 0.0.4). Whoever counts
 * holds a family; whoever asks gets the text of all. Any thread.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct buf;
struct metric;
struct metrics;

MUST_USE struct metrics *metrics_new(void);
void metrics_free(struct metrics *m); /* with all families; NULL is fine */
DEFINE_AUTO(struct metrics *, metrics_free)

enum metric_kind {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM, /* of seconds, with Prometheus' usual buckets */
};

/* The family of that name, made if there is none. Texts are borrowed: literals. */
struct metric *metrics_family(
		struct metrics *m, enum metric_kind kind, const char *name, const char *help);

/* "labels" is "" or made by metrics_add_label(). Adds to a counter or gauge; a histogram takes
 * the value as one observation. What has more than METRIC_MAX_SERIES is counted no further. */
#define METRIC_MAX_SERIES 10000
ANY_THREAD void metric_add(struct metric *f, const char *labels, double value);

/* Appends key="value", with a comma before it unless it is the first, and escapes. */
void metrics_add_label(struct buf *labels, const char *key, const char *value);

/* All families and series, sorted. */
ANY_THREAD void metrics_text(struct metrics *m, struct buf *out);

/* For values that are read when somebody asks: a family's head, and a line of it. */
void metrics_text_head(
		struct buf *out, const char *name, enum metric_kind kind, const char *help);
void metrics_text_line(struct buf *out, const char *name, const char *labels, double value);
