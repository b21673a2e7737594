/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/handover.h"

#include <assert.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "rpc/rpc_record_priv.h"
#include "rpc/rpc_sock_priv.h"
#include "rpc/server_priv.h"

/* What one connection may have to tell: messages that wait, mostly. */
#define RECORD_MAX ((size_t)64 << 20)

bool rpc_server_holds(const struct rpc_server *s, const struct rpc_method *method)
{
	if (s->hold == RPC_HOLD_SLOW)
		return (method->where & RPC_SLOW) != 0;
	return s->hold == RPC_HOLD_ALL;
}

/* Handlers that wait for their peer come to an end; those that can will go on later. */
static void set_hurry(struct call *call, bool on)
{
	LOCKED(&call->pipe.lock);
	call->pipe.hurry = on;
	call->pipe.no_recv = on && call_has_trait(call, RPC_RESUMABLE);
	/* Only what it sends without being asked can wait: an answer belongs to what was
	 * received.
	 */
	call->pipe.no_send =
			call->pipe.no_recv && call->route.method->kind == RPC_SERVER_STREAM;
	rpc_pipe_changed_locked(&call->pipe);
}

static void continue_calls(struct rpc_server *s)
{
	struct list todo = LIST_INIT(todo);

	list_splice(&todo, &s->calls);
	while (!list_is_empty(&todo)) {
		struct call *call = list_first(&todo, struct call, node);

		list_remove(&call->node);
		list_append(&s->calls, &call->node);
		call_continue(call);
	}
}

static void tell_conns(struct rpc_server *s)
{
	struct list todo = LIST_INIT(todo);

	list_splice(&todo, &s->conns);
	while (!list_is_empty(&todo)) {
		struct rpc_conn *conn = list_first(&todo, struct rpc_conn, node);

		list_remove(&conn->node);
		list_append(&s->conns, &conn->node);
		if (s->hold != RPC_HOLD_ALL)
			conn->given = false;
		conn->ops->hold(conn);
	}
}

void rpc_server_hold(struct rpc_server *s, enum rpc_hold hold)
{
	enum rpc_hold before = s->hold;

	s->hold = hold;
	if (hold == RPC_HOLD_ALL || before == RPC_HOLD_ALL)
		list_for_each (it, &s->calls)
			set_hurry(list_entry(it, struct call, node), hold == RPC_HOLD_ALL);
	rpc_server_watch_listeners(s);
	if (before == RPC_HOLD_ALL)
		continue_calls(s);
	tell_conns(s);
}

size_t rpc_server_slow_calls(const struct rpc_server *s, int64_t max_age_ns)
{
	int64_t now = clock_mono_ns();
	size_t n = 0;

	list_for_each (it, &s->calls) {
		struct call *call = list_entry(it, struct call, node);

		LOCKED(&call->pipe.lock);
		n += call->phase != PHASE_OPEN && !call->done &&
		     call_has_trait(call, RPC_SLOW) && now - call->start_ns < max_age_ns;
	}
	return n;
}

enum rpc_quiet rpc_server_quiet(const struct rpc_server *s)
{
	if (s->running > 0)
		return RPC_BUSY;
	list_for_each (it, &s->conns) {
		struct rpc_conn *conn = list_entry(it, struct rpc_conn, node);

		if (conn->ops->readiness(conn) == RPC_SOON)
			return RPC_NEARLY;
	}
	return RPC_QUIET;
}

static void put_unsent(struct rpc_conn *conn, struct buf *record)
{
	size_t size;
	const void *data = rpc_sock_unsent(conn->sock, &size);

	record_put_bytes(record, data, size);
}

static void give_one(struct rpc_conn *conn, rpc_give give, void *arg)
{
	AUTO_BUF struct buf record = { .limit = RECORD_MAX };
	int fd;

	if (conn->ops->readiness(conn) != RPC_READY)
		return;
	rpc_sock_seal(conn->sock, true);
	put_unsent(conn, &record);
	conn->ops->describe(conn, &record);
	fd = record.overflowed ? -1 : rpc_sock_dup(conn->sock);
	conn->given = fd >= 0 && give(arg, conn->wire, fd, &record);
	if (!conn->given)
		rpc_sock_seal(conn->sock, false);
}

void rpc_server_give(struct rpc_server *s, rpc_give give, void *arg)
{
	assert(s->hold == RPC_HOLD_ALL && s->running == 0);
	list_for_each (it, &s->conns)
		give_one(list_entry(it, struct rpc_conn, node), give, arg);
}

static bool is_suspended(struct call *call)
{
	LOCKED(&call->pipe.lock);
	return call->suspended;
}

/* On connections that stay: nobody goes on with them. */
static void abort_suspended(struct rpc_server *s)
{
	AUTO_ERR struct err why = { 0 };
	struct list todo = LIST_INIT(todo);

	err_set(&why, ERR_UNAVAILABLE, "the daemon was replaced");
	list_splice(&todo, &s->calls);
	while (!list_is_empty(&todo)) {
		struct call *call = list_first(&todo, struct call, node);

		list_remove(&call->node);
		list_append(&s->calls, &call->node);
		if (is_suspended(call))
			call_abort(call, &why);
	}
}

void rpc_server_leave(
		struct rpc_server *s, int64_t grace_ms, void (*done)(void *arg), void *arg)
{
	rpc_server_drop_given(s);
	s->left = true;
	s->hold = RPC_HOLD_NONE;
	abort_suspended(s);
	tell_conns(s);
	rpc_server_stop(s, grace_ms, done, arg);
}
