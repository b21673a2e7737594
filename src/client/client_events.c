/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_priv.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/client_message_priv.h"
#include "wire/wire_map.h"

#include "api/pb.h"
#include "api/pb/events.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "api/timestamp.h"
#include "api/typeurl.h"

#define EVENT_BUDGET (64u << 20)

struct ctrd_event {
	const Types__Envelope *pb;
};

struct ctrd_events {
	struct client_stream stream;
	struct arena arena; /* of the current event */
	struct ctrd_event event;
};

void ctrd_events_close(struct ctrd_events *e)
{
	if (e == NULL)
		return;
	client_stream_close(&e->stream);
	arena_done(&e->arena);
	free(e);
}
DEFINE_AUTO(struct ctrd_events *, ctrd_events_close)

int ctrd_events_open(struct ctrd_client *c, const char *const *filters,
		struct ctrd_events **ret_events, struct ctrd_error **ret_error)
{
	Events__SubscribeRequest request = EVENTS__SUBSCRIBE_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_events_close) struct ctrd_events *e = xzalloc(sizeof(*e));

	arena_init(&e->arena, EVENT_BUDGET);
	request.filters = wire_strv_out(&e->arena, (char *const *)filters, &request.n_filters);
	if (client_stream_open(c, CLIENT_EVENTS_Subscribe, &request.base, &e->stream, &err) < 0)
		return api_result(-1, &err, ret_error);
	*ret_events = take_ptr(e);
	return 0;
}

int ctrd_events_next(struct ctrd_events *e, const struct ctrd_event **ret_event,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	const void *message = NULL;
	int rc;

	arena_reset(&e->arena);
	rc = client_stream_recv(&e->stream, &e->arena, &message, &err);
	if (rc <= 0)
		return api_result(rc, &err, ret_error);
	e->event.pb = message;
	*ret_event = &e->event;
	return 1;
}

int64_t ctrd_event_time(const struct ctrd_event *e)
{
	return timestamp_ns(e->pb->timestamp);
}

const char *ctrd_event_namespace(const struct ctrd_event *e)
{
	return e->pb->namespace_;
}

const char *ctrd_event_topic(const struct ctrd_event *e)
{
	return e->pb->topic;
}

const char *ctrd_event_type(const struct ctrd_event *e)
{
	return e->pb->event == NULL ? "" : e->pb->event->type_url;
}

int ctrd_event_json(const struct ctrd_event *e, char **ret_json, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_ARENA struct arena a = { 0 };
	ProtobufCMessage *message = NULL;

	arena_init(&a, EVENT_BUDGET);
	if (e->pb->event == NULL)
		err_set(&err, ERR_NOT_FOUND, "event without payload");
	else if (any_unpack_known(e->pb->event, &a, &pb_limits_reply, &message, &err) == 0)
		*ret_json = message_json(message, NULL);
	return api_result(err.kind == ERR_NONE ? 0 : -1, &err, ret_error);
}
