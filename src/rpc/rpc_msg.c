/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/rpc_msg_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <protobuf-c/protobuf-c.h>

#include "base/mem.h"

struct rpc_msg *rpc_msg_new(const void *payload, size_t size)
{
	struct rpc_msg *m = xmalloc(sizeof(*m) + RPC_HEADROOM + size);

	list_init(&m->node);
	m->size = m->room = size;
	m->front = 0;
	m->packed = false;
	if (payload != NULL && size > 0)
		memcpy(rpc_msg_payload(m), payload, size);
	return m;
}

struct rpc_msg *rpc_msg_pack(const struct ProtobufCMessage *message)
{
	struct rpc_msg *m = rpc_msg_new(NULL, protobuf_c_message_get_packed_size(message));

	(void)protobuf_c_message_pack(message, rpc_msg_payload(m));
	return m;
}

#define FIRST_ROOM ((size_t)512)

void rpc_msg_reserve(struct rpc_msg **m, size_t size)
{
	size_t room;

	if (*m == NULL) {
		*m = rpc_msg_new(NULL, FIRST_ROOM);
		(*m)->size = 0;
	}
	room = (*m)->room;
	while (room < size)
		room *= 2;
	if (room == (*m)->room)
		return;
	*m = xrealloc(*m, sizeof(**m) + RPC_HEADROOM + room);
	list_init(&(*m)->node);
	(*m)->room = room;
}

void rpc_msg_free(struct rpc_msg *m)
{
	free(m);
}

void rpc_msg_prepend(struct rpc_msg *m, const void *header, size_t size)
{
	assert(m->front + size <= RPC_HEADROOM);
	m->front += size;
	memcpy(m->bytes + RPC_HEADROOM - m->front, header, size);
}

void msgq_init(struct msgq *q)
{
	*q = (struct msgq){ 0 };
	list_init(&q->list);
}

void msgq_done(struct msgq *q)
{
	struct rpc_msg *m;

	while ((m = msgq_pop(q)) != NULL)
		rpc_msg_free(m);
}

void msgq_push(struct msgq *q, struct rpc_msg *own_m)
{
	list_append(&q->list, &own_m->node);
	q->bytes += own_m->size + RPC_MSG_COST;
}

struct rpc_msg *msgq_first(const struct msgq *q)
{
	return list_first(&q->list, struct rpc_msg, node);
}

struct rpc_msg *msgq_pop(struct msgq *q)
{
	struct rpc_msg *m = msgq_first(q);

	if (m == NULL)
		return NULL;
	list_remove(&m->node);
	q->bytes -= m->size + RPC_MSG_COST;
	return m;
}
