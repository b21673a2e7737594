/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "rpc/rpc_sock_priv.h"
#include "rpc/server_priv.h"

#define STATUS_UNKNOWN 2 /* gRPC's number */

#define DEFAULT_MESSAGE	    ((size_t)16 << 20)
#define DEFAULT_CONNECTIONS 4096
#define DEFAULT_STREAMS	    10000
/* grpc-go's. */
#define KEEPALIVE_MS	     (INT64_C(2) * 3600 * 1000)
#define KEEPALIVE_TIMEOUT_MS (INT64_C(20) * 1000)

/* accept() failures that pass: 1 ms, 2 ms … 1 s until it works again. */
#define BACKOFF_MAX_MS 1000

struct entry {
	const struct rpc_service *service;
	void *self;
	struct rpc_stats *stats; /* one per method; NULL: not counted */
};

static void entry_free(void *entry)
{
	struct entry *e = entry;

	free(e->stats);
	free(e);
}

struct listener {
	struct list node;
	struct rpc_server *server;
	struct loop_watch *watch;
	struct loop_timer *retry;
	int64_t backoff_ms;
	int fd;
	bool same_user_only;
	rpc_accepted accepted;
};

static size_t or_default(size_t value, size_t fallback)
{
	return value == 0 ? fallback : value;
}

struct rpc_server *rpc_server_new(struct loop *loop, struct pool *workers, struct pool *data,
		const struct rpc_limits *limits)
{
	struct rpc_server *s = xzalloc(sizeof(*s));

	s->loop = loop;
	s->workers = workers;
	s->data = data;
	if (limits != NULL)
		s->limits = *limits;
	s->limits.max_recv_message = or_default(s->limits.max_recv_message, DEFAULT_MESSAGE);
	s->limits.max_send_message = or_default(s->limits.max_send_message, DEFAULT_MESSAGE);
	s->limits.max_connections = or_default(s->limits.max_connections, DEFAULT_CONNECTIONS);
	s->limits.max_streams = or_default(s->limits.max_streams, DEFAULT_STREAMS);
	s->keepalive_ms = KEEPALIVE_MS;
	s->keepalive_timeout_ms = KEEPALIVE_TIMEOUT_MS;
	map_init(&s->grpc);
	map_init(&s->ttrpc);
	list_init(&s->listeners);
	list_init(&s->conns);
	list_init(&s->calls);
	return s;
}

static void measure(struct entry *e)
{
	if (e->stats == NULL)
		e->stats = xcalloc(e->service->count, sizeof(*e->stats));
}

static void add_to(struct rpc_server *s, struct map *m, const struct rpc_service *service,
		void *self)
{
	struct entry *e = xzalloc(sizeof(*e));

	e->service = service;
	e->self = self;
	if (s->measures)
		measure(e);
	assert(map_find(m, service->name) == NULL);
	(void)map_put(m, service->name, e);
}

void rpc_server_add(struct rpc_server *s, int transports, const struct rpc_service *service,
		void *self)
{
	if (transports & RPC_GRPC)
		add_to(s, &s->grpc, service, self);
	if (transports & RPC_TTRPC)
		add_to(s, &s->ttrpc, service, self);
}

enum route_result rpc_server_route(const struct rpc_server *s, enum rpc_transport transport,
		const char *service, const char *method, struct rpc_route *ret_route)
{
	const struct entry *e = map_find(transport == RPC_GRPC ? &s->grpc : &s->ttrpc, service);

	if (e == NULL)
		return ROUTE_NO_SERVICE;
	for (size_t i = 0; i < e->service->count; i++) {
		const struct rpc_method *m = &e->service->methods[i];

		if (strcmp(m->name, method) != 0)
			continue;
		*ret_route = (struct rpc_route){ e->service, m, e->self,
			e->stats == NULL ? NULL : &e->stats[i] };
		return ROUTE_FOUND;
	}
	return ROUTE_NO_METHOD;
}

/* Full: connections wait in the kernel's queue until one ends. */
static bool may_accept(const struct rpc_server *s)
{
	return s->conn_count < s->limits.max_connections && !s->stopping &&
	       s->hold != RPC_HOLD_ALL;
}

void rpc_server_watch_listeners(struct rpc_server *s)
{
	list_for_each (it, &s->listeners) {
		struct listener *l = list_entry(it, struct listener, node);

		loop_watch_set(l->watch, may_accept(s) && l->retry == NULL ? LOOP_READ : 0);
	}
}

static void retry_accept(void *arg)
{
	struct listener *l = arg;

	loop_timer_free(take_ptr(l->retry));
	rpc_server_watch_listeners(l->server);
}

static void back_off(struct listener *l)
{
	l->backoff_ms = l->backoff_ms == 0 ? 1 : l->backoff_ms * 2;
	if (l->backoff_ms > BACKOFF_MAX_MS)
		l->backoff_ms = BACKOFF_MAX_MS;
	l->retry = loop_timer_new(l->server->loop, retry_accept, l);
	loop_timer_set(l->retry, l->backoff_ms);
	rpc_server_watch_listeners(l->server);
}

static bool is_same_user(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	return peer.uid == geteuid() && peer.gid == getegid();
}

static void accept_ready(void *arg, int events)
{
	struct listener *l = arg;

	(void)events;
	while (may_accept(l->server)) {
		AUTO_CLOSE int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0 && errno != EAGAIN)
			back_off(l);
		if (fd < 0)
			return;
		l->backoff_ms = 0;
		if (l->same_user_only && !is_same_user(fd))
			log_warn(NULL, "a peer of another user was turned away");
		else
			l->accepted(l->server, take_fd(&fd));
	}
	rpc_server_watch_listeners(l->server);
}

int rpc_server_listen(struct rpc_server *s, int own_fd, bool same_user_only,
		rpc_accepted accepted, struct err *err)
{
	AUTO_FREE struct listener *l = xzalloc(sizeof(*l));

	l->server = s;
	l->fd = own_fd;
	l->same_user_only = same_user_only;
	l->accepted = accepted;
	l->watch = loop_watch_new(s->loop, own_fd, LOOP_READ, accept_ready, l);
	if (l->watch == NULL)
		return err_sys(err, errno, "listen");
	list_append(&s->listeners, &l->node);
	l = NULL;
	return 0;
}

void rpc_conn_add(struct rpc_server *s, struct rpc_conn *conn, const struct rpc_conn_ops *ops)
{
	conn->server = s;
	conn->ops = ops;
	list_append(&s->conns, &conn->node);
	s->conn_count++;
}

/* Told from the loop's queue: the owner may free the server there and then. */
struct stop_note {
	struct loop_task task;
	void (*stopped)(void *arg);
	void *arg;
};

static void tell_stopped(struct loop_task *task)
{
	AUTO_FREE struct stop_note *note = container_of(task, struct stop_note, task);

	note->stopped(note->arg);
}

static void check_stopped(struct rpc_server *s)
{
	struct stop_note *note;

	if (!s->stopping || s->stop_told || s->conn_count > 0 || s->running > 0)
		return;
	s->stop_told = true;
	loop_timer_free(take_ptr(s->stop_timer));
	if (s->stopped == NULL)
		return;
	note = xzalloc(sizeof(*note));
	note->task.run = tell_stopped;
	note->stopped = s->stopped;
	note->arg = s->stopped_arg;
	loop_post(s->loop, &note->task);
}

void rpc_conn_remove(struct rpc_conn *conn)
{
	struct rpc_server *s = conn->server;

	list_remove(&conn->node);
	s->conn_count--;
	rpc_server_watch_listeners(s);
	check_stopped(s);
}

static void measure_all(struct map *services)
{
	AUTO_STRV char **names = map_sorted_keys(services);

	for (char **name = names; name != NULL && *name != NULL; name++)
		measure(map_find(services, *name));
}

void rpc_server_measure(struct rpc_server *s)
{
	s->measures = true;
	measure_all(&s->grpc);
	measure_all(&s->ttrpc);
}

void rpc_server_stats(const struct rpc_server *s, enum rpc_transport transport,
		void (*each)(void *arg, const char *service, const struct rpc_method *method,
				const struct rpc_stats *stats),
		void *arg)
{
	const struct map *services = transport == RPC_GRPC ? &s->grpc : &s->ttrpc;
	AUTO_STRV char **names = map_sorted_keys(services);

	for (char **name = names; name != NULL && *name != NULL; name++) {
		const struct entry *e = map_find(services, *name);

		for (size_t i = 0; e->stats != NULL && i < e->service->count; i++)
			each(arg, *name, &e->service->methods[i], &e->stats[i]);
	}
}

static size_t bucket_of(int64_t ns)
{
	static const int64_t bounds_ms[RPC_BUCKETS - 1] = { 5, 10, 25, 50, 100, 250, 500, 1000,
		2500, 5000, 10000 };
	size_t i = 0;

	while (i < RPC_BUCKETS - 1 && ns > bounds_ms[i] * NS_PER_MS)
		i++;
	return i;
}

static void count(const struct rpc_call_report *r, struct rpc_stats *stats)
{
	bool is_known = r->status >= 0 && r->status < RPC_STATUSES;

	rpc_count(&stats->handled[is_known ? r->status : STATUS_UNKNOWN]);
	rpc_count(&stats->took[bucket_of(r->duration_ns)]);
	atomic_fetch_add_explicit(
			&stats->total_ns, (uint_least64_t)r->duration_ns, memory_order_relaxed);
}

void rpc_server_settle(struct rpc_server *s, struct call *call, int status)
{
	struct rpc_call_report report = {
		.service = call->route.service->name,
		.method = call->route.method->name,
		.status = status,
		.duration_ns = clock_mono_ns() - call->start_ns,
		.kind = call->route.method->kind,
		.transport = call->transport,
	};

	list_remove(&call->node);
	s->call_count--;
	if (call->route.stats != NULL)
		count(&report, call->route.stats);
	if (s->report != NULL)
		s->report(s->report_arg, &report);
	call_unref(call);
}

void rpc_server_handler_back(struct rpc_server *s)
{
	s->running--;
	check_stopped(s);
}

size_t rpc_server_calls(const struct rpc_server *s)
{
	return s->call_count;
}

void rpc_server_observe(struct rpc_server *s,
		void (*report)(void *arg, const struct rpc_call_report *report), void *arg)
{
	s->report = report;
	s->report_arg = arg;
}

static void free_listeners(struct rpc_server *s)
{
	list_for_each (it, &s->listeners) {
		struct listener *l = list_entry(it, struct listener, node);

		list_remove(&l->node);
		loop_watch_free(l->watch);
		loop_timer_free(l->retry);
		close_fd(&l->fd);
		free(l);
	}
}

/* Closing and aborting run foreign code (hooks, reports) that may end other calls, so each
 * round starts over at the list's head. */
static void close_conns(struct rpc_server *s)
{
	struct list todo = LIST_INIT(todo);

	list_splice(&todo, &s->conns);
	while (!list_is_empty(&todo)) {
		struct rpc_conn *conn = list_first(&todo, struct rpc_conn, node);

		list_remove(&conn->node);
		list_append(&s->conns, &conn->node);
		rpc_sock_close(conn->sock);
	}
}

void rpc_server_drop_given(struct rpc_server *s)
{
	struct list given = LIST_INIT(given);

	list_for_each (it, &s->conns) {
		struct rpc_conn *conn = list_entry(it, struct rpc_conn, node);

		if (!conn->given)
			continue;
		list_remove(&conn->node);
		list_append(&given, &conn->node);
	}
	while (!list_is_empty(&given)) {
		struct rpc_conn *conn = list_first(&given, struct rpc_conn, node);

		list_remove(&conn->node);
		list_append(&s->conns, &conn->node);
		rpc_sock_close(conn->sock);
	}
}

static void grace_over(void *arg)
{
	struct rpc_server *s = arg;

	close_conns(s);
	check_stopped(s);
}

void rpc_server_stop(struct rpc_server *s, int64_t grace_ms, void (*done)(void *arg), void *arg)
{
	assert(!s->stopping);
	s->stopping = true;
	s->stopped = done;
	s->stopped_arg = arg;
	free_listeners(s);
	s->stop_timer = loop_timer_new(s->loop, grace_over, s);
	loop_timer_set(s->stop_timer, grace_ms);
	list_for_each (it, &s->conns) {
		struct rpc_conn *conn = list_entry(it, struct rpc_conn, node);

		conn->ops->shutdown(conn);
	}
	check_stopped(s);
}

static void orphan(struct call *call)
{
	list_remove(&call->node);
	call_leave_server(call);
	cancel_fire(call->ctx.cancel);
	call_unref(call);
}

struct rpc_msg *rpc_server_spare(struct rpc_server *s)
{
	return atomic_exchange(&s->spare, NULL);
}

void rpc_server_give_back(struct rpc_server *s, struct rpc_msg *own_m)
{
	if (own_m->room < RPC_SPARE_MIN || own_m->room > RPC_SPARE_MAX) {
		rpc_msg_free(own_m);
		return;
	}
	own_m->size = own_m->front = 0;
	own_m->packed = false;
	rpc_msg_free(atomic_exchange(&s->spare, own_m));
}

void rpc_server_rest(struct rpc_server *s)
{
	rpc_msg_free(rpc_server_spare(s));
}

void rpc_server_free(struct rpc_server *s)
{
	if (s == NULL)
		return;
	s->stopping = true;
	s->stop_told = true;
	free_listeners(s);
	close_conns(s);
	assert(s->running == 0);
	while (!list_is_empty(&s->calls))
		orphan(list_first(&s->calls, struct call, node));
	loop_timer_free(s->stop_timer);
	map_done(&s->grpc, entry_free);
	map_done(&s->ttrpc, entry_free);
	rpc_server_rest(s);
	free(s);
}
