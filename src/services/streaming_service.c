/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams that other calls use by name (reference 01 §10.2). A thread is held only until the
 * client has said the name; then the call is parked.
 */
#include <string.h>

#include "api/pb/streaming.pb-c.h"
#include "api/typeurl.h"
#include "services/services_priv.h"
#include "services/streaming_table.h"

/* Clients make them of about 30. */
#define ID_MAX 4096

static int read_init(struct call *call, const char **ret_id, struct err *err)
{
	struct ProtobufCMessage *first = NULL, *init = NULL;
	int rc = call_recv(call, &first, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, ERR_INVALID, "stream ended before it was named");
	if (any_unpack((const Google__Protobuf__Any *)first,
			    &streaming__stream_init__descriptor, call_arena(call), NULL, &init,
			    err) < 0) {
		err->kind = ERR_INVALID;
		return -1;
	}
	*ret_id = ((const Streaming__StreamInit *)init)->id;
	if (strlen(*ret_id) > ID_MAX)
		return err_set(err, ERR_INVALID, "stream id is longer than %d bytes", ID_MAX);
	return 0;
}

/* The client waits for this before it tells anybody the name. */
static int acknowledge(struct call *call, struct err *err)
{
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;

	return call_send(call, &any_pack(call_arena(call), &empty.base)->base, err);
}

static enum call_fate stream(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	struct streaming_service *s = self;
	const char *id = NULL;

	if (read_init(call, &id, err) < 0)
		return CALL_FAILED;
	if (streaming_table_add(s->table, call, id, err) < 0)
		return CALL_FAILED;
	/* It fails only when the call has ended, which the table notices as well. */
	return acknowledge(call, err) < 0 ? CALL_FAILED : CALL_PARKED;
}

static const struct rpc_method methods[] = {
	METHOD("Stream", RPC_BIDI, RPC_ON_DATA, google__protobuf__any, google__protobuf__any,
			stream),
};

const struct rpc_service streaming_service = { "containerd.services.streaming.v1.Streaming",
	methods, ARRAY_LEN(methods) };
