/* SPDX-License-Identifier: Apache-2.0 */
#include "services/services_priv.h"

#include <string.h>

#include "api/pb.h"
#include "base/clock.h"
#include "core/filter.h"

/* Four times what a peer takes by default; the dispatcher tells the exact limit. */
#define GATHER_MAX ((size_t)64 << 20)

enum call_fate refuse_absent(const char *what, struct err *err)
{
	(void)err_set(err, ERR_INVALID, "%s is required", what);
	return CALL_FAILED;
}

void packing_init(struct packing *p)
{
	arena_init(&p->scratch, SIZE_MAX);
}

void packing_done(struct packing *p)
{
	arena_done(&p->scratch);
}

int gather_add(struct gather *g, const struct ProtobufCMessage *message, struct err *err)
{
	g->bytes += protobuf_c_message_get_packed_size(message);
	if (g->bytes > GATHER_MAX)
		return err_plain(err, ERR_EXHAUSTED,
				"grpc: trying to send message larger than max (%zu vs. %zu)",
				g->bytes, GATHER_MAX);
	if (g->count == g->room) {
		size_t room = g->room == 0 ? 16 : g->room * 2;
		void **items = arena_calloc(g->arena, room, sizeof(*items));

		if (g->count > 0)
			memcpy(items, g->items, g->count * sizeof(*items));
		g->items = items;
		g->room = room;
	}
	g->items[g->count++] = (void *)message;
	return 0;
}

/* The longest that one list may keep others from being answered. */
#define MOMENT_NS (100 * NS_PER_US)
/* Bytes of filters that are quick to parse. */
#define FILTERS_MAX ((size_t)4096)

/* Regular expressions take up to their budget for a single record. */
static bool have_regex(char *const *filters)
{
	AUTO(filter_free) struct filter *f = NULL;
	AUTO_ERR struct err ignored = { 0 };

	return filter_parse(filters, &f, &ignored) == 0 && filter_has_regex(f);
}

static bool are_slow(char *const *filters)
{
	bool may_match = false;
	size_t size = 0;

	for (char *const *f = filters; f != NULL && *f != NULL; f++) {
		size += strlen(*f) + 1;
		may_match = may_match || strchr(*f, '~') != NULL;
	}
	return size > FILTERS_MAX || (may_match && have_regex(filters));
}

bool walk_begin(struct call *call, char *const *filters, struct ctx *ret_ctx)
{
	int64_t limit = clock_mono_ns() + MOMENT_NS;

	*ret_ctx = *call_ctx(call);
	if (!call_can_move(call))
		return true;
	if (are_slow(filters))
		return false;
	if (ret_ctx->deadline_ns == 0 || ret_ctx->deadline_ns > limit)
		ret_ctx->deadline_ns = limit;
	return true;
}

enum call_fate walk_failed(struct call *call, rpc_handler handler, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	if (err->kind != ERR_DEADLINE || !call_can_move(call))
		return CALL_FAILED;
	err_clear(err); /* the call's own deadline is looked at on the worker */
	return call_to_worker(call, handler, self, request, err);
}
