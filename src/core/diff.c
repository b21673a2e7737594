/* SPDX-License-Identifier: Apache-2.0 */
#include "core/diff.h"

#include "base/err.h"
#include "base/thread.h"

int diff_apply(struct differ *d, struct ctx *ctx, const struct descriptor *layer,
		const struct mounts *mounts, const struct diff_apply_options *options,
		struct descriptor *ret_applied, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return d->ops->apply(d, ctx, layer, mounts, options, ret_applied, err);
}

int diff_compare(struct differ *d, struct ctx *ctx, const struct mounts *lower,
		const struct mounts *upper, const struct diff_create_options *options,
		struct descriptor *ret_diff, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (d->ops->compare == NULL)
		return err_set(err, ERR_UNIMPLEMENTED, "diff");
	return d->ops->compare(d, ctx, lower, upper, options, ret_diff, err);
}

void differ_free(struct differ *d)
{
	if (d != NULL)
		d->ops->free(d);
}
