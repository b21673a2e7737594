/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What happens in a daemon, in all its namespaces.
 */
#ifndef CTRD_EVENT_H
#define CTRD_EVENT_H

#include <ctrd/client.h>

CTRD_BEGIN

struct ctrd_event;
struct ctrd_events;

/** Subscribes: events from now on can be fetched. One thread at a time. */
CTRD_API int ctrd_events_open(struct ctrd_client *client, const char *const *filters,
		struct ctrd_events **ret_events, struct ctrd_error **ret_error);
/** Waits for the next one: 1, 0 when the daemon has ended the subscription, -1 on failure. The
 * event is borrowed until the next call. */
CTRD_API int ctrd_events_next(struct ctrd_events *events, const struct ctrd_event **ret_event,
		struct ctrd_error **ret_error);
CTRD_API void ctrd_events_close(struct ctrd_events *events);

CTRD_API int64_t ctrd_event_time(const struct ctrd_event *event);
CTRD_API const char *ctrd_event_namespace(const struct ctrd_event *event);
CTRD_API const char *ctrd_event_topic(const struct ctrd_event *event);
/** "" without a payload. */
CTRD_API const char *ctrd_event_type(const struct ctrd_event *event);
/** The payload as one line of JSON; end it with ctrd_free(). Fails for unknown types. */
CTRD_API int ctrd_event_json(
		const struct ctrd_event *event, char **ret_json, struct ctrd_error **ret_error);

CTRD_END

#endif
