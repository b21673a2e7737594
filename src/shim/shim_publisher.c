/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_publisher.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/ttrpc_events.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "api/timestamp.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"
#include "os/unix_socket.h"
#include "rpc/channel.h"

#define SERVICE	    "containerd.services.events.ttrpc.v1.Events"
#define MAX_WAITING 2048
#define MAX_EVENT   (1024 * 1024)
/* A daemon that takes longer to come back has forgotten what these are about. */
#define MAX_AGE_NS (10 * 60 * NS_PER_S)
#define CALL_NS	   (5 * NS_PER_S)
/* Between tries. The first ones are short: a daemon that has just been started serves soon. */
#define MIN_WAIT_MS 50
#define MAX_WAIT_MS 5000

struct event {
	struct list node;
	const char *type; /* a descriptor's name: static */
	char *topic;
	void *data;
	size_t size;
	int64_t wall_ns, queued_ns;
};

struct publisher {
	struct loop *loop;
	char *ns, *address;
	struct list waiting; /* the first one may be on its way */
	size_t count;
	bool is_sending;
	bool is_orphaned; /* freed, but an answer is still to come */
	int failures;	  /* of the first one, in a row */
	struct channel *channel;
	struct loop_timer *retry;
	struct loop_timer *flush_limit;
	void (*flushed)(void *arg);
	void *flushed_arg;
};

static void send_first(struct publisher *p);

static void on_retry(void *arg)
{
	send_first(arg);
}

struct publisher *publisher_new(struct loop *l, const char *ns, const char *ttrpc_address)
{
	struct publisher *p = xzalloc(sizeof(*p));

	p->loop = l;
	p->ns = xstrdup(ns);
	p->address = xstrdup(ttrpc_address);
	list_init(&p->waiting);
	p->retry = loop_timer_new(l, on_retry, p);
	return p;
}

static void event_free(struct event *e)
{
	free(e->topic);
	free(e->data);
	free(e);
}

static void drop_first(struct publisher *p)
{
	struct event *e = list_first(&p->waiting, struct event, node);

	list_remove(&e->node);
	event_free(e);
	p->count--;
	p->failures = 0;
}

void publisher_free(struct publisher *p)
{
	if (p == NULL)
		return;
	while (p->count > 0)
		drop_first(p);
	channel_unref(take_ptr(p->channel));
	loop_timer_free(take_ptr(p->retry));
	loop_timer_free(take_ptr(p->flush_limit));
	p->is_orphaned = p->is_sending;
	if (p->is_orphaned)
		return;
	free(p->ns);
	free(p->address);
	free(p);
}

static void tell_flushed(struct publisher *p)
{
	void (*flushed)(void *arg) = p->flushed;

	if (flushed == NULL)
		return;
	p->flushed = NULL;
	loop_timer_set(p->flush_limit, -1);
	flushed(p->flushed_arg);
}

static void forget_old(struct publisher *p)
{
	int64_t now = clock_mono_ns();

	while (p->count > 0) {
		struct event *e = list_first(&p->waiting, struct event, node);

		if (p->count <= MAX_WAITING && now - e->queued_ns < MAX_AGE_NS)
			return;
		log_error(NULL, "forward event %s: evicted, the daemon did not take it",
				e->topic);
		drop_first(p);
	}
}

static void fail(struct publisher *p, const char *why)
{
	struct event *e = list_first(&p->waiting, struct event, node);
	int64_t wait_ms = MIN_WAIT_MS;

	for (int i = 0; i < p->failures && wait_ms < MAX_WAIT_MS; i++)
		wait_ms *= 2;
	p->failures++;
	log_debug(NULL, "forward event %s: %s (tried %d times)", e->topic, why, p->failures);
	loop_timer_set(p->retry, wait_ms < MAX_WAIT_MS ? wait_ms : MAX_WAIT_MS);
}

static void on_answer(void *arg, const struct rpc_answer *answer)
{
	struct publisher *p = arg;

	p->is_sending = false;
	if (p->is_orphaned) {
		publisher_free(p);
		return;
	}
	if (answer->err == NULL) {
		drop_first(p);
		send_first(p);
		return;
	}
	if (answer->err->kind == ERR_UNAVAILABLE || channel_is_closed(p->channel)) {
		channel_unref(p->channel);
		p->channel = NULL;
		if (p->failures == 0) {
			p->failures = 1; /* the daemon may be a new one already */
			send_first(p);
			return;
		}
	} else if (answer->err->kind != ERR_DEADLINE && answer->err->kind != ERR_CANCELED) {
		/* It will say the same next time. */
		log_error(NULL, "forward event: %s", err_text(answer->err));
		drop_first(p);
		send_first(p);
		return;
	}
	fail(p, err_text(answer->err));
}

static int connect_daemon(struct publisher *p)
{
	int fd;

	if (p->channel != NULL && !channel_is_closed(p->channel))
		return 0;
	channel_unref(p->channel);
	p->channel = NULL;
	fd = unix_connect(p->address);
	if (fd < 0)
		return fd;
	p->channel = channel_adopt_ttrpc(p->loop, fd);
	return 0;
}

void publisher_prepare(struct publisher *p)
{
	if (p->address[0] != '\0')
		(void)connect_daemon(p); /* the first event will try again */
}

static void call_forward(struct publisher *p, const struct event *e)
{
	TtrpcEvents__ForwardRequest request = TTRPC_EVENTS__FORWARD_REQUEST__INIT;
	Types__Envelope envelope = TYPES__ENVELOPE__INIT;
	Google__Protobuf__Timestamp when = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct ctx ctx = {
		.ns = p->ns, .deadline_ns = clock_mono_ns() + CALL_NS, .what = "Forward"
	};

	timestamp_set(&when, e->wall_ns);
	any.type_url = (char *)(uintptr_t)e->type;
	any.value.data = e->data;
	any.value.len = e->size;
	envelope.timestamp = &when;
	envelope.namespace_ = p->ns;
	envelope.topic = e->topic;
	envelope.event = &any;
	request.envelope = &envelope;
	p->is_sending = true;
	channel_start(p->channel, &ctx, SERVICE, "Forward", &request.base, on_answer, p);
}

static void send_first(struct publisher *p)
{
	int rc;

	if (p->is_sending)
		return;
	forget_old(p);
	if (p->count == 0) {
		tell_flushed(p);
		return;
	}
	rc = connect_daemon(p);
	if (rc < 0)
		fail(p, errno_text(-rc));
	else
		call_forward(p, list_first(&p->waiting, struct event, node));
}

void publisher_send(
		struct publisher *p, const char *topic, const struct ProtobufCMessage *event)
{
	struct buf bytes = { .limit = MAX_EVENT };
	struct event *e;

	if (p->address[0] == '\0')
		return;
	e = xzalloc(sizeof(*e));
	pb_encode(event, &bytes);
	*e = (struct event){ .type = event->descriptor->name,
		.topic = xstrdup(topic),
		.size = bytes.size,
		.wall_ns = clock_wall_ns(),
		.queued_ns = clock_mono_ns() };
	e->data = buf_take_str(&bytes);
	list_append(&p->waiting, &e->node);
	p->count++;
	if (p->count == 1)
		send_first(p);
	else if (!p->is_sending)
		forget_old(p);
}

void publisher_wake(struct publisher *p)
{
	if (p->count == 0)
		return;
	p->failures = 0;
	send_first(p);
}

static void on_flush_limit(void *arg)
{
	tell_flushed(arg);
}

void publisher_flush(
		struct publisher *p, int64_t timeout_ms, void (*flushed)(void *arg), void *arg)
{
	p->flushed = flushed;
	p->flushed_arg = arg;
	if (p->flush_limit == NULL)
		p->flush_limit = loop_timer_new(p->loop, on_flush_limit, p);
	loop_timer_set(p->flush_limit, p->count == 0 ? 0 : timeout_ms);
	publisher_wake(p);
}
