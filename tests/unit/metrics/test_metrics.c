/* SPDX-License-Identifier: Apache-2.0 */
/* Families, series and their text form. */
#include "unit/unit.h"

#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "metrics/metrics.h"

static void text_is(struct metrics *m, const char *want)
{
	AUTO_BUF struct buf out = { .limit = 65536 };

	metrics_text(m, &out);
	assert_string_equal(out.size > 0 ? out.data : "", want);
}

static void families_and_series_are_sorted(void **state)
{
	AUTO(metrics_free) struct metrics *m = metrics_new();
	struct metric *b = metrics_family(m, METRIC_GAUGE, "b", "two");
	struct metric *a = metrics_family(m, METRIC_COUNTER, "a_total", "one");

	metric_add(b, "", 0.5);
	metric_add(a, "x=\"2\"", 1);
	metric_add(a, "x=\"1\"", 1);
	metric_add(a, "x=\"1\"", 41);
	assert_ptr_equal(metrics_family(m, METRIC_COUNTER, "a_total", "one"), a);
	text_is(m, "# HELP a_total one\n# TYPE a_total counter\n"
		   "a_total{x=\"1\"} 42\na_total{x=\"2\"} 1\n"
		   "# HELP b two\n# TYPE b gauge\nb 0.5\n");
}

static void a_family_without_series_is_left_out(void **state)
{
	AUTO(metrics_free) struct metrics *m = metrics_new();

	(void)metrics_family(m, METRIC_COUNTER, "a_total", "one");
	text_is(m, "");
}

static void histograms_are_cumulative(void **state)
{
	AUTO(metrics_free) struct metrics *m = metrics_new();
	struct metric *h = metrics_family(m, METRIC_HISTOGRAM, "h_seconds", "h");

	metric_add(h, "", 0.25);
	metric_add(h, "", 3);
	metric_add(h, "", 100);
	text_is(m, "# HELP h_seconds h\n# TYPE h_seconds histogram\n"
		   "h_seconds_bucket{le=\"0.005\"} 0\nh_seconds_bucket{le=\"0.01\"} 0\n"
		   "h_seconds_bucket{le=\"0.025\"} 0\nh_seconds_bucket{le=\"0.05\"} 0\n"
		   "h_seconds_bucket{le=\"0.1\"} 0\nh_seconds_bucket{le=\"0.25\"} 1\n"
		   "h_seconds_bucket{le=\"0.5\"} 1\nh_seconds_bucket{le=\"1\"} 1\n"
		   "h_seconds_bucket{le=\"2.5\"} 1\nh_seconds_bucket{le=\"5\"} 2\n"
		   "h_seconds_bucket{le=\"10\"} 2\nh_seconds_bucket{le=\"+Inf\"} 3\n"
		   "h_seconds_sum 103.25\nh_seconds_count 3\n");
}

static void label_values_are_escaped(void **state)
{
	AUTO_BUF struct buf b = { .limit = 1024 };

	metrics_add_label(&b, "a", "x\"y\\z\n");
	metrics_add_label(&b, "b", "");
	assert_string_equal(b.data, "a=\"x\\\"y\\\\z\\n\",b=\"\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(families_and_series_are_sorted),
		TEST(a_family_without_series_is_left_out),
		TEST(histograms_are_cumulative),
		TEST(label_values_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
