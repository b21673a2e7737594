/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams that clients have open, by namespace and id, until their call ends or whoever
 * took them closes them. Those opened under a lease end with it.
 */
#pragma once

#include "base/attr.h"
#include "base/auto.h"

struct call;
struct err;
struct gc_resources;
struct streams;
struct streaming_table;

MUST_USE struct streaming_table *streaming_table_new(void);
/* No call may be served any more, and no stream be taken. */
void streaming_table_free(struct streaming_table *t);
DEFINE_AUTO(struct streaming_table *, streaming_table_free)

struct streams *streaming_table_streams(struct streaming_table *t);
struct gc_resources *streaming_table_resources(struct streaming_table *t);

/* Gives the call a name. It is to be parked then. EXISTS, or CANCELED when it has ended. */
ANY_THREAD MUST_USE int streaming_table_add(
		struct streaming_table *t, struct call *call, const char *id, struct err *err);
