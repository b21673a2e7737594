/* SPDX-License-Identifier: Apache-2.0 */
/* ttrpc frames (reference 02 §1.1): a 10-byte header and at most 4 MiB of data. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "rpc/rpc_msg_priv.h"

struct buf;
struct err;

#define TTRPC_HEADER 10
#define TTRPC_MAX    ((size_t)4 << 20)

enum ttrpc_type {
	TTRPC_REQUEST = 1,
	TTRPC_RESPONSE = 2,
	TTRPC_DATA = 3,
};

enum ttrpc_flag {
	TTRPC_REMOTE_CLOSED = 1,
	TTRPC_REMOTE_OPEN = 2,
	TTRPC_NO_DATA = 4,
};

struct ttrpc_frame {
	uint32_t stream;
	uint8_t type, flags;
	size_t size;	  /* as the header says */
	const void *data; /* borrowed for the callback; NULL: over TTRPC_MAX, thrown away */
};

/* Zeroed is ready. */
struct ttrpc_reader {
	unsigned char header[TTRPC_HEADER];
	size_t header_have;
	struct rpc_msg *body; /* of a frame that came in pieces */
	size_t body_have, body_room;
};

typedef void (*ttrpc_on_frame)(void *arg, const struct ttrpc_frame *frame);

void ttrpc_read(struct ttrpc_reader *r, const void *data, size_t size, ttrpc_on_frame on_frame,
		void *arg);
/* Bytes that must come before the frame that has begun is whole. */
size_t ttrpc_reader_missing(const struct ttrpc_reader *r);
void ttrpc_reader_done(struct ttrpc_reader *r);

/* Puts the frame header in front of what the message holds already. */
void ttrpc_frame_message(struct rpc_msg *m, uint32_t stream, uint8_t type, uint8_t flags);
/* The Response envelope (with status if err is set, around the payload otherwise), framed. */
void ttrpc_frame_response(struct rpc_msg *m, uint32_t stream);
MUST_USE struct rpc_msg *ttrpc_frame_status(uint32_t stream, const struct err *err);

/* Frames waiting to be sent, cut into whatever pieces the socket takes. */
struct ttrpc_out {
	struct msgq frames;
	struct rpc_msg *current;
	size_t at;
};

void ttrpc_out_init(struct ttrpc_out *o);
void ttrpc_out_done(struct ttrpc_out *o);
/* Fills the room with what is being sent and then what "next" gives, until that is NULL. */
size_t ttrpc_out_fill(struct ttrpc_out *o, struct rpc_msg *(*next)(void *arg), void *arg,
		void *room, size_t size);
/* Moves bytes of current into the room; how many. Done with current when it is NULL again. */
size_t ttrpc_out_copy(struct ttrpc_out *o, void *room, size_t size);
