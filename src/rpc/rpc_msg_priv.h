/* SPDX-License-Identifier: Apache-2.0 */
/* One message on its way between a call and its connection, with room in front of the payload
 * for the transport's header, so that it is never copied to be framed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/auto.h"
#include "base/list.h"

struct err;
struct ProtobufCMessage;

#define RPC_HEADROOM 24

struct rpc_msg {
	struct list node;
	size_t size;	       /* of the payload */
	size_t room;	       /* of the memory; the payload may be shorter */
	size_t front;	       /* bytes of header that stand right before the payload */
	bool packed;	       /* the payload is in its call's codec */
	unsigned char bytes[]; /* RPC_HEADROOM, then the payload */
};

MUST_USE struct rpc_msg *rpc_msg_new(const void *payload, size_t size); /* NULL: not set */
MUST_USE struct rpc_msg *rpc_msg_pack(const struct ProtobufCMessage *message);
void rpc_msg_free(struct rpc_msg *m);
/* Room for a payload of that many bytes; its size stays. *m may move, and is made, empty, if it
 * is NULL. Before anything is prepended or queued. */
void rpc_msg_reserve(struct rpc_msg **m, size_t size);
DEFINE_AUTO(struct rpc_msg *, rpc_msg_free)

static inline unsigned char *rpc_msg_payload(struct rpc_msg *m)
{
	return m->bytes + RPC_HEADROOM;
}

/* Puts header bytes before the payload and what already stands there. */
void rpc_msg_prepend(struct rpc_msg *m, const void *header, size_t size);

/* What goes on the wire: header and payload. */
static inline const unsigned char *rpc_msg_wire(const struct rpc_msg *m)
{
	return m->bytes + RPC_HEADROOM - m->front;
}

static inline size_t rpc_msg_wire_size(const struct rpc_msg *m)
{
	return m->front + m->size;
}

/* How the payloads of a call are compressed, when the client does so (gRPC only). */
struct rpc_codec {
	/* Puts the plain message in its place; EXHAUSTED if that has more than limit bytes. */
	int (*unpack)(struct rpc_msg **m, size_t limit, struct err *err);
	void (*pack)(struct rpc_msg **m);
};

struct msgq {
	struct list list;
	size_t bytes; /* payloads, and a fixed cost for each so that empty ones count */
};

#define RPC_MSG_COST 64

void msgq_init(struct msgq *q);
void msgq_done(struct msgq *q);
void msgq_push(struct msgq *q, struct rpc_msg *own_m);
struct rpc_msg *msgq_first(const struct msgq *q);  /* NULL if empty */
MUST_USE struct rpc_msg *msgq_pop(struct msgq *q); /* NULL if empty */
