/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values and label values of any kind, eight bytes and a text at a time: the exposition must
 * stay readable, one sample to a line, with every quote closed and valid UTF-8.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "metrics/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
	if (!holds)
		abort();
}

/* Behind the closing quote of a label's value. */
static const char *skip_quoted(const char *p)
{
	need(*p++ == '"');
	for (; *p != '"'; p++) {
		need(*p != '\0' && *p != '\n');
		if (*p == '\\')
			need(*++p != '\0' && strchr("\\\"n", *p) != NULL);
	}
	return p + 1;
}

static const char *skip_name(const char *p)
{
	size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	need(n > 0 && (*p < '0' || *p > '9'));
	return p + n;
}

static const char *skip_sample(const char *p)
{
	char *end;

	p = skip_name(p);
	if (*p == '{') {
		do {
			p = skip_name(p + 1);
			need(*p == '=');
			p = skip_quoted(p + 1);
		} while (*p == ',');
		need(*p++ == '}');
	}
	need(*p++ == ' ');
	(void)strtod(p, &end);
	need(end > p && *end == '\n');
	return end + 1;
}

static void check_text(const char *p)
{
	need(utf8_valid(p, strlen(p)));
	while (*p != '\0') {
		if (str_starts(p, "# HELP ") || str_starts(p, "# TYPE "))
			p = strchr(p, '\n') + 1;
		else
			p = skip_sample(p);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(metrics_free) struct metrics *m = metrics_new();
	struct metric *families[] = { metrics_family(m, METRIC_COUNTER, "a_total", "A."),
		metrics_family(m, METRIC_GAUGE, "b", "B."),
		metrics_family(m, METRIC_HISTOGRAM, "c_seconds", "C.") };
	struct buf out AUTO_BUF = { .limit = SIZE_MAX };
	AUTO_FREE char *text = xmemdup(data, size);

	for (size_t at = 0; at + sizeof(double) < size; at += strlen(text + at) + 1) {
		struct buf labels AUTO_BUF = { .limit = SIZE_MAX };
		double value;

		memcpy(&value, text + at, sizeof(value));
		at += sizeof(value);
		metrics_add_label(&labels, "one", text + at);
		metrics_add_label(&labels, "two", text + at);
		metric_add(families[at % 3], labels.data, value);
	}
	metrics_text(m, &out);
	if (out.size > 0)
		check_text(out.data);
	return 0;
}
