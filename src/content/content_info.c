/* SPDX-License-Identifier: Apache-2.0 */
/* What the stores of this folder say of a blob alike. */
#include "content/content_priv.h"

#include "base/err.h"
#include "base/str.h"

int content_refuse_update(struct content_store *self, struct ctx *ctx,
		const struct content_info *info, char *const *fieldpaths,
		struct content_info *ret_info, struct err *err)
{
	return err_set(err, ERR_PRECONDITION,
			"update not supported on immutable content store");
}

bool content_info_field(void *object, char *const *path, size_t n, const char **ret_value)
{
	struct content_info *i = object;

	if (n != 1 || !str_eq(path[0], "digest"))
		return false;
	*ret_value = i->digest;
	return true;
}
