/* SPDX-License-Identifier: Apache-2.0 */
#include "life_events.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/pb.h"
#include "api/pb/event.pb-c.h"
#include "api/pb/events.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "base/ctx.h"
#include "base/str.h"
#include "life.h"
#include "rpc/channel.h"

/* The fields of an event that are of interest, whatever its type. */
static bool read_event(struct life *l, const Types__Envelope *e, struct life_event *ret)
{
	static const ProtobufCMessageDescriptor *const types[] = {
		&event__task_create__descriptor, &event__task_start__descriptor,
		&event__task_exit__descriptor, &event__task_delete__descriptor,
		&event__task_exec_added__descriptor, &event__task_exec_started__descriptor
	};
	ProtobufCMessage *m = NULL;

	for (size_t i = 0; i < ARRAY_LEN(types) && m == NULL; i++)
		if (str_eq(types[i]->name, e->event->type_url) &&
				pb_decode(types[i], e->event->value.data, e->event->value.len,
						&l->arena, NULL, &m, &l->err) < 0)
			return false;
	if (m == NULL)
		return false;
	*ret = (struct life_event){ .what = e->topic + strlen("/tasks/"), .exec_id = "" };
	if (m->descriptor == types[0]) {
		ret->container = ((Event__TaskCreate *)m)->container_id;
		ret->pid = ((Event__TaskCreate *)m)->pid;
	} else if (m->descriptor == types[1]) {
		ret->container = ((Event__TaskStart *)m)->container_id;
		ret->pid = ((Event__TaskStart *)m)->pid;
	} else if (m->descriptor == types[2]) {
		const Event__TaskExit *x = (Event__TaskExit *)m;

		ret->container = x->container_id;
		ret->exec_id = str_eq(x->id, x->container_id) ? "" : x->id;
		ret->pid = x->pid;
		ret->status = x->exit_status;
	} else if (m->descriptor == types[3]) {
		ret->container = ((Event__TaskDelete *)m)->container_id;
		ret->pid = ((Event__TaskDelete *)m)->pid;
		ret->status = ((Event__TaskDelete *)m)->exit_status;
	} else if (m->descriptor == types[4]) {
		ret->container = ((Event__TaskExecAdded *)m)->container_id;
		ret->exec_id = ((Event__TaskExecAdded *)m)->exec_id;
	} else {
		ret->container = ((Event__TaskExecStarted *)m)->container_id;
		ret->exec_id = ((Event__TaskExecStarted *)m)->exec_id;
		ret->pid = ((Event__TaskExecStarted *)m)->pid;
	}
	return true;
}

static void die(const char *what, const struct err *err)
{
	(void)fprintf(stderr, "events: %s: %s\n", what, err_text(err));
	exit(1);
}

static void *run(void *arg)
{
	struct life_listener *e = arg;
	Events__SubscribeRequest request = EVENTS__SUBSCRIBE_REQUEST__INIT;
	const char *filter = "topic~=/tasks/";
	struct rpc_stream *stream;
	struct life l = { 0 };
	struct ctx ctx = { .ns = "life" };
	struct life_event event;
	ProtobufCMessage *m;

	if (life_open(&l, e->socket, NULL) < 0)
		die("connect", &l.err);
	request.filters = &filter;
	request.n_filters = 1;
	if (channel_stream(l.channel, &ctx, "containerd.services.events.v1.Events", "Subscribe",
			    &stream, &l.err) < 0 ||
			rpc_stream_send(stream, &request.base, &l.err) < 0 ||
			rpc_stream_close_send(stream, &l.err) < 0)
		die("subscribe", &l.err);
	e->hears = true;
	while (rpc_stream_recv(stream, &types__envelope__descriptor, &l.arena, &m, &l.err) >
			0) {
		if (read_event(&l, (Types__Envelope *)m, &event))
			e->heard(e->arg, &event);
		arena_reset(&l.arena);
	}
	die("end", &l.err);
	return NULL;
}

void life_listen(struct life_listener *l)
{
	if (pthread_create(&l->thread, NULL, run, l) != 0)
		abort();
	while (!l->hears)
		(void)poll(NULL, 0, 1);
}
