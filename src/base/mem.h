/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small allocations, whose sizes the program chooses. They never return NULL: without memory
 * for a small object the process aborts (docs/dev/memory.md says why). Sizes that come from
 * outside are bounded by the caller first.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/attr.h"

MUST_USE void *xmalloc(size_t size);
/* NULL when there is none: for libraries that ask us for memory and know what to do then. */
MUST_USE void *mem_try(size_t size);
MUST_USE void *xzalloc(size_t size);
MUST_USE void *xcalloc(size_t count, size_t size); /* aborts if the product overflows */
MUST_USE void *xrealloc(void *old, size_t size);
MUST_USE void *xreallocarray(void *old, size_t count, size_t size);
MUST_USE void *xmemdup(const void *data, size_t size); /* adds a 0 byte behind */
MUST_USE char *xstrdup(const char *text);	       /* NULL gives NULL */
MUST_USE char *xstrndup(const char *text, size_t size);
MUST_USE char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
MUST_USE char *xvasprintf(const char *fmt, va_list args) PRINTF_LIKE(1, 0);

/* Fixes malloc's thresholds so that a few large buffers do not stay resident for good; the
 * first thing a long-running main() does (stack notes §3). */
void mem_tune(void);
