/* SPDX-License-Identifier: Apache-2.0 */
/* Events on the wire: envelopes, the payloads we make, and the fields of those that pass. */
#pragma once

#include "core/event.h"
#include "core/event_maker.h"

#include "api/pb/types.pb-c.h"

struct arena;

/* Views and copies as wire_map.h says. A payload that is absent counts as an Any of nothing. */
struct event wire_event_in(const Types__Envelope *pb);
Types__Envelope *wire_event_out(struct arena *a, const struct event *e);

/* An Any around a message of ours; the caller ends it with any_done(). */
void wire_payload(const ProtobufCMessage *message, struct any *ret_payload);

extern const struct event_maker wire_event_maker;
extern const struct event_reader wire_event_reader;
