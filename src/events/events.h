/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exchange: every event published reaches every subscriber whose filters match, in one
 * order for all. Publishing never waits for a subscriber (docs/design/014-events.md).
 */
#pragma once

#include "base/attr.h"
#include "base/auto.h"

struct event_bus;
struct event_reader;

/* The reader (borrowed; NULL: none) answers the filter fields event.*. */
MUST_USE struct event_bus *event_exchange_new(const struct event_reader *reader);

/* Ends what subscriptions are left. Nobody may publish any more. NULL is fine. */
void event_exchange_free(struct event_bus *bus);
DEFINE_AUTO(struct event_bus *, event_exchange_free)
