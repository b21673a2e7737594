/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ident.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool has_shape(const char *id, size_t n)
{
	if (!is_alnum(id[0]) || !is_alnum(id[n - 1]))
		return false;
	for (size_t i = 1; i < n; i++) {
		if (is_alnum(id[i]))
			continue;
		if (strchr("._-", id[i]) == NULL || !is_alnum(id[i - 1]))
			return false;
	}
	return true;
}

int ident_check(const char *id, struct err *err)
{
	size_t n = strlen(id);
	AUTO_FREE char *quoted = NULL;

	if (n == 0)
		return err_set(err, ERR_INVALID, "identifier must not be empty");
	if (n > IDENT_MAX) {
		quoted = str_quote(id);
		return err_set(err, ERR_INVALID,
				"identifier %s greater than maximum length (%d characters)",
				quoted, IDENT_MAX);
	}
	if (!has_shape(id, n)) {
		quoted = str_quote(id);
		return err_set(err, ERR_INVALID, "identifier %s must match %s", quoted,
				"^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$");
	}
	return 0;
}
