/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sandbox_controller.h"

#include "base/clock.h"
#include "base/thread.h"

const struct sandbox_reply sandbox_no_reply = {
	.created_ns = CLOCK_UNSET, .exited_ns = CLOCK_UNSET, .measured_ns = CLOCK_UNSET
};

int sandbox_controller_create(struct sandbox_controller *c, struct ctx *ctx,
		const struct sandbox_create *r, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return c->ops->create(c, ctx, r, err);
}

void sandbox_controller_call(struct sandbox_controller *c, struct ctx *ctx,
		const struct sandbox_request *r, sandbox_done done, void *arg)
{
	c->ops->call(c, ctx, r, done, arg);
}

void sandbox_controller_free(struct sandbox_controller *c)
{
	if (c != NULL)
		c->ops->free(c);
}
