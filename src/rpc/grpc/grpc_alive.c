/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc/grpc_alive_priv.h"

#include "base/auto.h"
#include "base/clock.h"
#include "loop/loop.h"
#include "rpc/grpc/grpc_h2_priv.h"

static const uint8_t question[8] = { 'a', 'l', 'i', 'v', 'e', '?', 0, 0 };

static void sleep_until(struct grpc_alive *a, int64_t at_ns, int64_t now)
{
	int64_t left = (at_ns - now + NS_PER_MS - 1) / NS_PER_MS;

	loop_timer_set(a->timer, left > 0 ? left : 0);
}

static void ask(struct grpc_alive *a, int64_t now)
{
	a->pinged_ns = now;
	(void)nghttp2_submit_ping(a->h2->session, NGHTTP2_FLAG_NONE, question);
	sleep_until(a, now + a->timeout_ms * NS_PER_MS, now);
	a->ops->kick(a->conn);
}

static void on_timer(void *arg)
{
	struct grpc_alive *a = arg;
	int64_t now = clock_mono_ns();
	int64_t silent_until = a->heard_ns + a->silence_ms * NS_PER_MS;

	a->awake = a->ops->is_wanted(a->conn);
	if (!a->awake)
		return;
	if (a->pinged_ns != 0)
		a->ops->lost(a->conn);
	else if (silent_until <= now)
		ask(a, now);
	else
		sleep_until(a, silent_until, now);
}

void grpc_alive_init(struct grpc_alive *a, struct loop *loop, struct h2_conn *h2,
		const struct grpc_alive_ops *ops, void *conn)
{
	a->ops = ops;
	a->conn = conn;
	a->h2 = h2;
	a->loop = loop;
	a->timer = loop_timer_new(loop, on_timer, a);
}

void grpc_alive_done(struct grpc_alive *a)
{
	loop_timer_free(take_ptr(a->timer));
}

/* For each block that comes: the loop has just looked at the clock. */
void grpc_alive_heard(struct grpc_alive *a)
{
	if (a->loop != NULL)
		a->heard_ns = loop_now_ns(a->loop);
	a->pinged_ns = 0;
}

void grpc_alive_wake(struct grpc_alive *a)
{
	if (a->awake)
		return;
	a->awake = true;
	a->heard_ns = clock_mono_ns();
	a->pinged_ns = 0;
	sleep_until(a, a->heard_ns + a->silence_ms * NS_PER_MS, a->heard_ns);
}
