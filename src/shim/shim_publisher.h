/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events on their way to the daemon, one after the other in the order of publishing. While the
 * daemon is away they wait, within bounds of number and age; what is lost is logged.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct ProtobufCMessage;
struct loop;
struct publisher;

/* The daemon's ttrpc socket; "" drops all events. */
MUST_USE struct publisher *publisher_new(
		struct loop *l, const char *ns, const char *ttrpc_address);
void publisher_free(struct publisher *p);
DEFINE_AUTO(struct publisher *, publisher_free)

/* Connects ahead of the first event, while there is nothing else to do. */
void publisher_prepare(struct publisher *p);

/* Copies the event. Topic as "/tasks/create". */
void publisher_send(
		struct publisher *p, const char *topic, const struct ProtobufCMessage *event);

/* The daemon has been heard of: it is tried now, and soon again. */
void publisher_wake(struct publisher *p);

/* Calls back, once and from the loop, when everything has been sent, or given up after
 * timeout_ms. */
void publisher_flush(
		struct publisher *p, int64_t timeout_ms, void (*flushed)(void *arg), void *arg);
