/* SPDX-License-Identifier: Apache-2.0 */
#include "api/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/arena.h"
#include "base/clock.h"

static void check(int64_t ns, int64_t seconds, int32_t nanos)
{
	Google__Protobuf__Timestamp ts;

	timestamp_set(&ts, ns);
	assert_int_equal(ts.seconds, seconds);
	assert_int_equal(ts.nanos, nanos);
	assert_int_equal(timestamp_ns(&ts), ns);
}

static void times_survive_the_round_trip(void **state)
{
	check(0, 0, 0);
	check(1, 0, 1);
	check(INT64_C(1700000000123456789), 1700000000, 123456789);
	check(INT64_MAX, 9223372036, 854775807);
}

static void nanos_count_forward_before_1970(void **state)
{
	check(-1, -1, 999999999);
	check(-NS_PER_S, -1, 0);
	check(-NS_PER_S - 1, -2, 999999999);
}

static void unset_is_year_one_and_not_absent(void **state)
{
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, 0);
	check(CLOCK_UNSET, INT64_C(-62135596800), 0);
	assert_int_equal(timestamp_new(&a, CLOCK_UNSET)->seconds, INT64_C(-62135596800));
	assert_int_equal(timestamp_ns(NULL), 0);
}

static int64_t read_back(int64_t seconds, int32_t nanos)
{
	Google__Protobuf__Timestamp ts = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	ts.seconds = seconds;
	ts.nanos = nanos;
	return timestamp_ns(&ts);
}

static void what_64_bits_cannot_hold_is_clamped(void **state)
{
	assert_int_equal(read_back(INT64_C(253402300799), 0), INT64_MAX); /* year 9999 */
	assert_int_equal(read_back(INT64_MAX, 999999999), INT64_MAX);
	assert_int_equal(read_back(INT64_MIN, INT32_MIN), INT64_MIN + 1);
	assert_int_equal(read_back(INT64_C(-62135596800), 1), INT64_MIN + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_survive_the_round_trip),
		cmocka_unit_test(nanos_count_forward_before_1970),
		cmocka_unit_test(unset_is_year_one_and_not_absent),
		cmocka_unit_test(what_64_bits_cannot_hold_is_clamped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
