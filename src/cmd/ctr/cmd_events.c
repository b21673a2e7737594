/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"

static void print_event(const struct ctrd_event *e)
{
	AUTO_ERROR struct ctrd_error *error = NULL;
	char *json = NULL;
	char when[GO_TIME_SIZE];

	if (ctrd_event_type(e)[0] != '\0' && ctrd_event_json(e, &json, &error) < 0) {
		out_log("warning", error, "cannot unmarshal an event from Any");
		return;
	}
	go_time_text(ctrd_event_time(e), when);
	printf("%s %s %s %s\n", when, ctrd_event_namespace(e), ctrd_event_topic(e),
			json == NULL ? "" : json);
	fflush(stdout); /* whoever reads along wants it now */
	ctrd_free(json);
}

int run_events(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_events_close) struct ctrd_events *events = NULL;
	const struct ctrd_event *event = NULL;
	struct ctrd_error *error = NULL;
	int status = cx_connect(cx, &client), rc;

	if (status != 0)
		return status;
	if (ctrd_events_open(client, (const char *const *)cx->argv, &events, &error) < 0)
		return out_error(error);
	while ((rc = ctrd_events_next(events, &event, &error)) > 0)
		print_event(event);
	return rc < 0 ? out_error(error) : 0;
}
