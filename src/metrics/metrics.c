/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"

static const double bounds[] = { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10 };

struct metrics {
	struct mutex lock;
	struct map families; /* name to struct metric */
};

struct metric {
	struct metrics *all;
	enum metric_kind kind;
	const char *name, *help;
	struct map series; /* labels to struct series */
};

struct series {
	double sum;
	uint64_t count; /* of observations */
	uint64_t buckets[ARRAY_LEN(bounds)];
};

struct metrics *metrics_new(void)
{
	struct metrics *m = xzalloc(sizeof(*m));

	mutex_init(&m->lock, RANK_metrics);
	map_init(&m->families);
	return m;
}

static void family_free(void *value)
{
	struct metric *f = value;

	map_done(&f->series, free);
	free(f);
}

void metrics_free(struct metrics *m)
{
	if (m == NULL)
		return;
	map_done(&m->families, family_free);
	mutex_done(&m->lock);
	free(m);
}

struct metric *metrics_family(
		struct metrics *m, enum metric_kind kind, const char *name, const char *help)
{
	struct metric *f;

	LOCKED(&m->lock);
	f = map_find(&m->families, name);
	if (f != NULL)
		return f;
	f = xzalloc(sizeof(*f));
	f->all = m;
	f->kind = kind;
	f->name = name;
	f->help = help;
	map_init(&f->series);
	(void)map_put(&m->families, name, f);
	return f;
}

static struct series *find_series(struct metric *f, const char *labels)
{
	struct series *s = map_find(&f->series, labels);

	if (s != NULL || f->series.count >= METRIC_MAX_SERIES)
		return s;
	s = xzalloc(sizeof(*s));
	(void)map_put(&f->series, labels, s);
	return s;
}

void metric_add(struct metric *f, const char *labels, double value)
{
	struct series *s;

	LOCKED(&f->all->lock);
	s = find_series(f, labels);
	if (s == NULL)
		return;
	s->sum += value;
	s->count++;
	for (size_t i = 0; f->kind == METRIC_HISTOGRAM && i < ARRAY_LEN(bounds); i++)
		s->buckets[i] += value <= bounds[i];
}

/* --- text --- */

void metrics_add_label(struct buf *labels, const char *key, const char *value)
{
	/* Readers refuse the whole text for one byte that is no UTF-8. */
	bool is_text = utf8_valid(value, strlen(value));

	buf_addf(labels, "%s%s=\"", labels->size > 0 ? "," : "", key);
	for (; *value != '\0'; value++)
		if (*value == '\n')
			buf_add_str(labels, "\\n");
		else if (!is_text && (unsigned char)*value >= 0x80)
			buf_add_byte(labels, '?');
		else if (*value == '\\' || *value == '"')
			buf_addf(labels, "\\%c", *value);
		else
			buf_add_byte(labels, (unsigned char)*value);
	buf_add_byte(labels, '"');
}

static void add_number(struct buf *out, double n)
{
	if (n == floor(n) && fabs(n) < 1e21)
		buf_addf(out, "%.0f", n);
	else
		buf_addf(out, "%.17g", n);
}

void metrics_text_head(
		struct buf *out, const char *name, enum metric_kind kind, const char *help)
{
	static const char *const names[] = { "counter", "gauge", "histogram" };

	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, names[kind]);
}

void metrics_text_line(struct buf *out, const char *name, const char *labels, double value)
{
	buf_add_str(out, name);
	if (labels[0] != '\0')
		buf_addf(out, "{%s}", labels);
	buf_add_byte(out, ' ');
	add_number(out, value);
	buf_add_byte(out, '\n');
}

static void add_bucket(struct buf *out, const char *name, const char *labels, const char *bound,
		uint64_t count)
{
	buf_addf(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", name, labels,
			labels[0] == '\0' ? "" : ",", bound, (unsigned long long)count);
}

static void add_histogram(
		struct buf *out, const char *name, const char *labels, const struct series *s)
{
	AUTO_FREE char *sum = xasprintf("%s_sum", name), *count = xasprintf("%s_count", name);

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		AUTO_FREE char *bound = xasprintf("%g", bounds[i]);

		add_bucket(out, name, labels, bound, s->buckets[i]);
	}
	add_bucket(out, name, labels, "+Inf", s->count);
	metrics_text_line(out, sum, labels, s->sum);
	metrics_text_line(out, count, labels, (double)s->count);
}

static void add_family(struct buf *out, const struct metric *f)
{
	AUTO_STRV char **keys = map_sorted_keys(&f->series);

	if (f->series.count > 0)
		metrics_text_head(out, f->name, f->kind, f->help);
	for (char **key = keys; key != NULL && *key != NULL; key++) {
		const struct series *s = map_find(&f->series, *key);

		if (f->kind == METRIC_HISTOGRAM)
			add_histogram(out, f->name, *key, s);
		else
			metrics_text_line(out, f->name, *key, s->sum);
	}
}

void metrics_text(struct metrics *m, struct buf *out)
{
	LOCKED(&m->lock);
	AUTO_STRV char **names = map_sorted_keys(&m->families);

	for (char **name = names; name != NULL && *name != NULL; name++)
		add_family(out, map_find(&m->families, *name));
}
