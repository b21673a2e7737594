/* SPDX-License-Identifier: Apache-2.0 */
#include "services/services_priv.h"

#include <string.h>

#include "api/pb.h"

/* Four times what a peer takes by default; the dispatcher tells the exact limit. */
#define GATHER_MAX ((size_t)64 << 20)

enum call_fate refuse_absent(const char *what, struct err *err)
{
	(void)err_set(err, ERR_INVALID, "%s is required", what);
	return CALL_FAILED;
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
