/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ctx.h"

#include <stddef.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/str.h"

bool ctx_done(const struct ctx *ctx, struct err *err)
{
	if (ctx->cancel != NULL && cancel_is_fired(ctx->cancel)) {
		err_set(err, ERR_CANCELED, "%s", "");
		return true;
	}
	if (ctx->deadline_ns != 0 && clock_mono_ns() >= ctx->deadline_ns) {
		err_set(err, ERR_DEADLINE, "%s", "");
		return true;
	}
	return false;
}

int64_t ctx_left_ns(const struct ctx *ctx)
{
	int64_t left;

	if (ctx->deadline_ns == 0)
		return INT64_MAX;
	left = ctx->deadline_ns - clock_mono_ns();
	return left < 0 ? 0 : left;
}

const char *ctx_namespace(const struct ctx *ctx, struct err *err)
{
	if (str_is_empty(ctx->ns)) {
		err_set(err, ERR_PRECONDITION, "namespace is required");
		return NULL;
	}
	if (ident_check(ctx->ns, err) < 0) {
		err_wrap(err, "namespace validation");
		return NULL;
	}
	return ctx->ns;
}
