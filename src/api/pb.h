/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes <-> messages. protobuf-c trusts its input: it has no limit on depth, count or memory,
 * takes any bytes for text and merges repeated messages wrongly (stack notes §1). So bytes from
 * outside are looked over by pb_scan() before it sees them; pb_decode() does both.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/attr.h"

struct arena;
struct buf;
struct err;

struct pb_limits {
	unsigned depth;	      /* messages in messages; the outermost is 1 */
	size_t elements;      /* fields and packed elements, in all messages together */
	size_t memory_base;   /* the decoded form may take memory_base + */
	size_t memory_factor; /* memory_factor x size of the bytes */
};

/* What a server accepts of a client. */
extern const struct pb_limits pb_limits_request;
/* What we accept of a server we called, of a shim, and of our own files: long lists. */
extern const struct pb_limits pb_limits_reply;

enum pb_fault {
	PB_OK,
#define PB_FAULT(name, kind, text) PB_##name,
#include "api/pb_faults.def"
#undef PB_FAULT
};

/* What the scan found; also after a failure (then: up to there). */
struct pb_scan {
	enum pb_fault fault;
	const ProtobufCMessageDescriptor *in;  /* where the fault is */
	const ProtobufCFieldDescriptor *field; /* NULL if not in a known field */
	size_t elements;
	size_t unknown; /* fields we do not know; kept by protobuf-c, counted here */
	size_t memory;	/* bytes that decoding will take; never less than it does */
};

/* 0 if protobuf_c_message_unpack() may have these bytes. Without limits (NULL): those of a
 * request. */
MUST_USE int pb_scan(const ProtobufCMessageDescriptor *type, const void *data, size_t size,
		const struct pb_limits *limits, struct pb_scan *ret_scan);

/* Scans and unpacks into the arena. INTERNAL for what is no such message, EXHAUSTED for one
 * beyond limits or the arena's budget; the text is "proto: <why>: <message>.<field>". */
MUST_USE int pb_decode(const ProtobufCMessageDescriptor *type, const void *data, size_t size,
		struct arena *arena, const struct pb_limits *limits,
		ProtobufCMessage **ret_message, struct err *err);

/* Appends; a message over the buffer's limit leaves it "overflowed". */
void pb_encode(const ProtobufCMessage *message, struct buf *buf);

/* The bytes in the arena; ret_size may be 0. */
MUST_USE const void *pb_encode_arena(
		const ProtobufCMessage *message, struct arena *arena, size_t *ret_size);
