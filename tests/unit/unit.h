/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes first: cmocka in the order it wants, and a few shorthands. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

#define TEST(name) cmocka_unit_test(name)

/* The call must succeed; on failure the error's text is shown. */
#define assert_ok(call, err)                                                                   \
	do {                                                                                   \
		if ((call) < 0)                                                                \
			fail_msg("%s: %s", #call, err_text(err));                              \
	} while (0)

/* The call must fail with this kind; the err is cleared for the next call. */
#define assert_fails(call, err, want)                                                          \
	do {                                                                                   \
		if ((call) >= 0)                                                               \
			fail_msg("%s succeeded", #call);                                       \
		if ((err)->kind != (want))                                                     \
			fail_msg("%s: wrong kind: %s", #call, err_text(err));                  \
		err_clear(err);                                                                \
	} while (0)
