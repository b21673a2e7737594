/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *xmalloc(size_t size)
{
	void *p = malloc(size == 0 ? 1 : size);

	if (p == NULL)
		abort();
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);

	if (p == NULL)
		abort();
	return p;
}

/* glibc's calloc() passes by the cache of small blocks that each thread has. */
#define CACHED_MAX 1024

void *mem_try(size_t size)
{
	return malloc(size);
}

void *xzalloc(size_t size)
{
	return size > CACHED_MAX ? xcalloc(1, size) : memset(xmalloc(size), 0, size);
}

void *xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size == 0 ? 1 : size);

	if (p == NULL)
		abort();
	return p;
}

void *xreallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		abort();
	return xrealloc(old, bytes);
}

void *xmemdup(const void *data, size_t size)
{
	char *p = xmalloc(size + 1);

	if (size > 0)
		memcpy(p, data, size);
	p[size] = '\0';
	return p;
}

char *xstrdup(const char *text)
{
	return text == NULL ? NULL : xmemdup(text, strlen(text));
}

char *xstrndup(const char *text, size_t size)
{
	return xmemdup(text, strnlen(text, size));
}

char *xvasprintf(const char *fmt, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, args) < 0)
		abort();
	return text;
}

char *xasprintf(const char *fmt, ...)
{
	char *text;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	return text;
}

void mem_tune(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 128 * 1024);
	(void)mallopt(M_TOP_PAD, 0);
	(void)mallopt(M_ARENA_MAX, 2);
}
