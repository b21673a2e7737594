/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sandbox_answer.h"

#include <stdio.h>

#include "base/labels.h"
#include "base/str.h"

static void see(void *arg, const struct sandbox_reply *reply, const struct err *err)
{
	struct sandbox_answer *a = arg;

	LOCKED(&a->lock);
	if (err != NULL) {
		(void)err_plain(&a->err, err->kind, "%s", err_text(err));
	} else {
		const struct labels *map = reply->info == NULL ? reply->labels : reply->info;

		a->reply = *reply;
		(void)snprintf(a->state, sizeof(a->state), "%s", str_or(reply->state, ""));
		(void)snprintf(a->metrics_id, sizeof(a->metrics_id), "%s",
				str_or(reply->metrics_id, ""));
		if (map != NULL)
			(void)snprintf(a->value, sizeof(a->value), "%s",
					str_or(labels_find(map, a->key), ""));
	}
	a->is_there = true;
	cond_signal(&a->changed);
}

void sandbox_ask(struct sandbox_answer *a, struct sandbox_controller *c, struct ctx *ctx,
		const struct sandbox_request *r, const char *key)
{
	*a = (struct sandbox_answer){ .key = key };
	mutex_init(&a->lock, RANK_daemon);
	cond_init(&a->changed);
	sandbox_controller_call(c, ctx, r, see, a);
}

int sandbox_await(struct sandbox_answer *a, struct err *err)
{
	mutex_lock(&a->lock);
	while (!a->is_there)
		cond_wait(&a->changed, &a->lock);
	mutex_unlock(&a->lock);
	cond_done(&a->changed);
	mutex_done(&a->lock);
	return a->err.kind == ERR_NONE ? 0 : err_move(err, &a->err);
}
