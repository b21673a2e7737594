/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts, vectors of texts and small maps, both ways.
 *
 * The rule of all wire_*_in(): the core value is a view whose memory is the arena's (or the
 * message's own); it is read, never ended with its _done(). The rule of all wire_*_out(): the
 * message and everything in it is copied into the arena, so the core value may go at once.
 */
#pragma once

#include <stddef.h>

#include "base/labels.h"
#include "core/any.h"

#include "api/pb/any.pb-c.h"
#include "api/pb/field_mask.pb-c.h"

struct arena;

/* A NULL-terminated vector over the message's own texts. */
char **wire_strv_in(struct arena *a, size_t n, const char **texts);
/* *ret_n counts them; NULL for none. */
const char **wire_strv_out(struct arena *a, char *const *v, size_t *ret_n);

/* The paths of a mask; NULL if it is absent or has none, which means "everything". */
char **wire_mask_in(struct arena *a, const Google__Protobuf__FieldMask *mask);

/* map<string, string>: "entries" is the message's array of pointers to entries. The last one of
 * two equal keys counts. */
struct labels wire_labels_in(struct arena *a, size_t n, const void *entries);
/* Returns an array for messages of type "entry"; *ret_n counts them. */
void *wire_labels_out(struct arena *a, const struct labels *labels,
		const ProtobufCMessageDescriptor *entry, size_t *ret_n);

/* An absent message is not set; an Any of nothing is. */
struct any wire_any_in(const Google__Protobuf__Any *pb);
/* NULL if it is not set. The view borrows: the core value must outlive it. */
Google__Protobuf__Any *wire_any_view(struct arena *a, const struct any *any);
Google__Protobuf__Any *wire_any_out(struct arena *a, const struct any *any);

/* map<string, Any>, as for labels; an entry without a value is an Any of nothing. */
struct anys wire_anys_in(struct arena *a, size_t n, const void *entries);
void *wire_anys_out(struct arena *a, const struct anys *anys,
		const ProtobufCMessageDescriptor *entry, size_t *ret_n);
