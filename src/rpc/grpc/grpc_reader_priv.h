/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts the bytes of a gRPC stream into its messages: each has a flag and a length in front. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "rpc/rpc_msg_priv.h"

struct err;

#define GRPC_PREFIX 5

/* Zeroed but for the limit is ready. */
struct grpc_reader {
	size_t limit;	    /* bytes of one message */
	bool may_be_packed; /* else compressed messages are refused */
	unsigned char prefix[GRPC_PREFIX];
	size_t prefix_have;
	struct rpc_msg *body; /* of the message that is coming */
	size_t body_have;
	struct rpc_msg *spare; /* memory to use for the next large one; may be NULL */
	bool is_large;	       /* the last message was one that a spare would have helped */
};

/* Takes bytes off *data until a message is complete: 1 and the message, 0 when all was taken.
 * EXHAUSTED for a message over the limit, INTERNAL for one that is
 * compressed without may_be_packed. */
MUST_USE int grpc_read(struct grpc_reader *r, const unsigned char **data, size_t *size,
		struct rpc_msg **ret_m, struct err *err);
/* True in the middle of a message. */
bool grpc_reader_is_inside(const struct grpc_reader *r);
void grpc_reader_done(struct grpc_reader *r);

/* Puts the prefix in front of a message that is to be sent. */
void grpc_prefix(struct rpc_msg *m);
