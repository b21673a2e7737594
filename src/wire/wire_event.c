/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire_event.h"

#include "api/arena.h"
#include "api/pb.h"
#include "api/timestamp.h"
#include "base/buf.h"
#include "wire/wire_map.h"

struct event wire_event_in(const Types__Envelope *pb)
{
	struct event e = {
		.when_ns = timestamp_ns(pb->timestamp),
		.ns = (char *)pb->namespace_,
		.topic = (char *)pb->topic,
		.payload = wire_any_in(pb->event),
	};

	e.payload.is_set = true;
	return e;
}

Types__Envelope *wire_event_out(struct arena *a, const struct event *e)
{
	Types__Envelope *pb = ARENA_NEW(a, Types__Envelope, types__envelope);

	pb->timestamp = timestamp_new(a, e->when_ns);
	pb->namespace_ = arena_strdup(a, e->ns);
	pb->topic = arena_strdup(a, e->topic);
	pb->event = wire_any_out(a, &e->payload);
	return pb;
}

void wire_payload(const ProtobufCMessage *message, struct any *ret_payload)
{
	AUTO_BUF struct buf bytes = { .limit = SIZE_MAX };

	pb_encode(message, &bytes);
	any_set(ret_payload, message->descriptor->name, bytes.data, bytes.size);
}
