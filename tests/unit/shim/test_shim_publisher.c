/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_publisher.h"

#include <string.h>

#include "api/pb/empty.pb-c.h"
#include "api/pb/event.pb-c.h"
#include "api/pb/ttrpc_events.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "os/unix_socket.h"
#include "rpc/server.h"
#include "shim_test.h"
#include "support/tempdir.h"

struct daemon {
	struct loop *loop;
	struct tempdir dir;
	char address[96];
	struct rpc_server *server;
	char topics[256];
	int count;
	bool refuse;
	bool stopped;
};

static enum call_fate on_forward(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Types__Envelope *e = ((const TtrpcEvents__ForwardRequest *)request)->envelope;
	struct daemon *d = self;

	d->count++;
	if (d->refuse) {
		(void)err_set(err, ERR_INVALID, "no such topic");
		return CALL_FAILED;
	}
	assert_string_equal(e->namespace_, "ns");
	assert_true(e->timestamp->seconds > 0);
	assert_string_equal(e->event->type_url, "containerd.events.TaskOOM");
	(void)strncat(d->topics, e->topic, sizeof(d->topics) - strlen(d->topics) - 1);
	return call_answer_empty(call, err);
}

static const struct rpc_method methods[] = {
	{ "Forward", &ttrpc_events__forward_request__descriptor,
			&google__protobuf__empty__descriptor, RPC_UNARY, RPC_ON_LOOP,
			on_forward },
};
static const struct rpc_service service = { "containerd.services.events.ttrpc.v1.Events",
	methods, 1 };

static void start(struct daemon *d)
{
	AUTO_ERR struct err err = { 0 };
	int fd = unix_listen(d->address, 0600);

	assert_true(fd >= 0);
	d->server = rpc_server_new(d->loop, NULL, NULL, &(struct rpc_limits){ 0 });
	rpc_server_add(d->server, RPC_TTRPC, &service, d);
	assert_ok(ttrpc_listen(d->server, fd, true, &err), &err);
}

static void stop(struct daemon *d)
{
	d->stopped = false;
	rpc_server_stop(d->server, 0, set_flag, &d->stopped);
	run_until(d->loop, d->stopped);
	rpc_server_free(d->server);
	d->server = NULL;
	(void)unlink(d->address);
}

static void make(struct daemon *d)
{
	*d = (struct daemon){ .loop = loop_new() };
	tempdir_make(&d->dir);
	(void)snprintf(d->address, sizeof(d->address), "%s/s", d->dir.path);
}

static void end(struct daemon *d)
{
	stop(d);
	tempdir_remove(&d->dir);
	loop_free(d->loop);
}

static void send(struct publisher *p, const char *topic)
{
	Event__TaskOOM e = EVENT__TASK_OOM__INIT;

	e.container_id = "c1";
	publisher_send(p, topic, &e.base);
}

static void events_arrive_in_order_and_a_flush_waits_for_them(void **state)
{
	struct publisher *p;
	struct daemon d;
	bool flushed = false;

	make(&d);
	start(&d);
	p = publisher_new(d.loop, "ns", d.address);
	send(p, "/a");
	send(p, "/b");
	send(p, "/c");
	publisher_flush(p, SHIM_TEST_MS, set_flag, &flushed);
	run_until(d.loop, flushed);
	assert_string_equal(d.topics, "/a/b/c");
	publisher_free(p);
	end(&d);
}

static void events_wait_for_a_daemon_that_comes_back(void **state)
{
	struct publisher *p;
	struct daemon d;

	make(&d);
	start(&d);
	p = publisher_new(d.loop, "ns", d.address);
	send(p, "/a");
	run_until(d.loop, d.count == 1);
	stop(&d);
	send(p, "/b");
	send(p, "/c");
	for (int i = 0; i < 5; i++)
		loop_run_once(d.loop, 1);
	start(&d);
	run_until(d.loop, d.count == 3);
	assert_string_equal(d.topics, "/a/b/c");
	publisher_free(p);
	end(&d);
}

static void a_daemon_that_is_heard_of_gets_each_event_once(void **state)
{
	struct publisher *p;
	struct daemon d;

	make(&d);
	p = publisher_new(d.loop, "ns", d.address);
	send(p, "/a");
	send(p, "/b");
	publisher_wake(p); /* not there yet */
	start(&d);
	publisher_wake(p);
	publisher_wake(p); /* on its way */
	run_until(d.loop, d.count == 2);
	publisher_wake(p); /* nothing to send */
	assert_string_equal(d.topics, "/a/b");
	publisher_free(p);
	end(&d);
}

static void an_event_that_is_refused_does_not_stop_the_others(void **state)
{
	struct publisher *p;
	struct daemon d;

	make(&d);
	d.refuse = true;
	start(&d);
	p = publisher_new(d.loop, "ns", d.address);
	send(p, "/a");
	run_until(d.loop, d.count == 1);
	d.refuse = false;
	send(p, "/b");
	run_until(d.loop, d.count == 2);
	assert_string_equal(d.topics, "/b");
	publisher_free(p);
	end(&d);
}

static void without_a_daemon_a_flush_gives_up(void **state)
{
	struct loop *l = loop_new();
	struct publisher *p = publisher_new(l, "ns", "/nowhere/s");
	bool flushed = false;

	send(p, "/a");
	publisher_flush(p, 10, set_flag, &flushed);
	run_until(l, flushed);
	publisher_free(p);
	p = publisher_new(l, "ns", "");
	flushed = false;
	send(p, "/a"); /* nobody to send to: nothing waits */
	publisher_flush(p, SHIM_TEST_MS, set_flag, &flushed);
	run_until(l, flushed);
	publisher_free(p);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_arrive_in_order_and_a_flush_waits_for_them),
		TEST(events_wait_for_a_daemon_that_comes_back),
		TEST(a_daemon_that_is_heard_of_gets_each_event_once),
		TEST(an_event_that_is_refused_does_not_stop_the_others),
		TEST(without_a_daemon_a_flush_gives_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
