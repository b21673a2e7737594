/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two strings with a NUL between them: a filter, and the value every field has. A refused
 * filter must say why; one that pins "name" must not match another value.
 */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool any_field(void *object, char *const *path, size_t n, const char **ret_value)
{
	if (n == 0 || path[n] != NULL)
		abort();
	*ret_value = object;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(filter_free) struct filter *f = NULL;
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *copy = xmemdup(data, size);
	size_t first = strlen(copy);
	char *value = copy + (first < size ? first + 1 : first);
	char *const filters[] = { copy, NULL };
	const char *pinned;

	if (filter_parse(filters, &f, &err) < 0) {
		if (err.kind != ERR_INVALID)
			abort();
		return 0;
	}
	pinned = filter_pinned(f, "name");
	if (filter_match(f, any_field, value, &err)) {
		if (pinned != NULL && !str_eq(pinned, value))
			abort();
	} else if (err.kind != ERR_NONE && err.kind != ERR_EXHAUSTED) {
		abort();
	}
	return 0;
}
