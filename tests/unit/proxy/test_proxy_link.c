/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that are not there, go, come back, or talk something else. */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/thread.h"
#include "core/snapshot.h"
#include "proxy/proxy_link.h"
#include "proxy/proxy_snapshots.h"
#include "services/services.h"
#include "snapshots/snap_mem.h"
#include "support/proxied.h"

static struct ctx ctx = { .ns = "ns" };
static struct snapshotter *behind, *sn;
static struct named_snapshotter named;
static struct snapshots_service service;
static struct proxied_service services[2];
static struct proxied *p;

static int setup(void **state)
{
	behind = snap_mem_new();
	named = (struct named_snapshotter){ "mem", behind };
	service = (struct snapshots_service){ &named, 1 };
	services[0] = (struct proxied_service){ &snapshots_service, &service };
	p = proxied_start(NULL);
	sn = proxy_snapshotter_new(p->link, "mem", NULL);
	return 0;
}

static int teardown(void **state)
{
	snapshotter_free(sn);
	proxied_free(p);
	snapshotter_free(behind);
	return 0;
}

static int prepare(const char *key, struct err *err)
{
	struct mounts m AUTO_MOUNTS = { 0 };

	return snapshot_prepare(sn, &ctx, key, NULL, NULL, &m, err);
}

static void one_that_is_not_there_is_unavailable_and_named(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(prepare("a", &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err_text(&err), p->socket));
}

static void it_is_found_when_it_comes(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_fails(prepare("a", &err), &err, ERR_UNAVAILABLE);
	proxied_start_server(p, services);
	assert_ok(prepare("a", &err), &err);
}

static void it_may_go_and_come_back(void **state)
{
	AUTO_ERR struct err err = { 0 };

	for (int i = 0; i < 3; i++) {
		AUTO_FREE char *key = xasprintf("key-%d", i);

		proxied_start_server(p, services);
		assert_ok(prepare(key, &err), &err);
		proxied_stop_server(p);
		assert_fails(prepare("x", &err), &err, ERR_UNAVAILABLE);
	}
}

static void errors_keep_their_kind_and_text(void **state)
{
	AUTO_ERR struct err err = { 0 };

	proxied_start_server(p, services);
	assert_ok(prepare("a", &err), &err);
	assert_int_equal(prepare("a", &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
	assert_string_equal(err_text(&err), "snapshot a: already exists");
}

/* --- what travels along --- */

static int tell_headers(
		struct snapshotter *self, struct ctx *c, const char *key, struct err *err)
{
	return err_set(err, ERR_ABORTED, "namespace %s, lease %s", c->ns,
			c->lease == NULL ? "none" : c->lease);
}

static int tell_headers_of_walk(struct snapshotter *self, struct ctx *c, char *const *filters,
		snapshot_each each, void *arg, struct err *err)
{
	return tell_headers(self, c, "", err);
}

static int no_info(void *arg, const struct snapshot_info *info, struct err *err)
{
	return 0;
}

/* Leases are the daemon's own: the other process would not find it, and refuse. */
static void the_namespace_travels_along_and_the_lease_does_not(void **state)
{
	static const struct snapshotter_ops ops = {
		.name = "teller", .remove = tell_headers, .walk = tell_headers_of_walk
	};
	struct snapshotter teller = { .ops = &ops };
	struct ctx leased = { .ns = "ns", .lease = "ours" };
	AUTO_ERR struct err err = { 0 };

	named.snapshotter = &teller;
	proxied_start_server(p, services);
	assert_int_equal(snapshot_remove(sn, &leased, "a", &err), -1);
	assert_non_null(strstr(err_text(&err), "namespace ns, lease none"));
	err_clear(&err);
	assert_int_equal(snapshot_walk(sn, &leased, NULL, no_info, NULL, &err), -1);
	assert_non_null(strstr(err_text(&err), "namespace ns, lease none"));
}

/* --- something that is no gRPC server --- */

static void *babble(void *arg)
{
	int fd = accept(*(int *)arg, NULL, NULL);
	char bytes[4096];

	memset(bytes, 'x', sizeof(bytes));
	(void)!write(fd, bytes, sizeof(bytes));
	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
	close_fd(&fd);
	return NULL;
}

static int listen_here(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sun.sun_path, p->socket, strlen(p->socket));
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void rubbish_fails_the_call_and_not_the_program(void **state)
{
	AUTO_CLOSE int fd = listen_here();
	AUTO_ERR struct err err = { 0 };
	unsigned long thread;

	assert_int_equal(thread_start(&thread, babble, &fd, "babble"), 0);
	assert_int_equal(prepare("a", &err), -1);
	assert_true(err.kind == ERR_UNAVAILABLE || err.kind == ERR_INTERNAL);
	thread_join(thread);
	(void)unlink(p->socket);
}

/* The queue of a listener that never accepts gets full: connecting must not wait for ever. */
static void a_deadline_holds_while_connecting(void **state)
{
	struct ctx short_ctx = { .ns = "ns" };
	AUTO_CLOSE int fd = listen_here();
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };
	int64_t start = clock_mono_ns();

	for (int i = 0; i < 4; i++) {
		struct proxy_link *l = proxy_link_new(p->client_loop, p->socket);
		struct snapshotter *s = proxy_snapshotter_new(l, "mem", NULL);

		short_ctx.deadline_ns = clock_mono_ns() + 50 * NS_PER_MS;
		assert_int_equal(
				snapshot_prepare(s, &short_ctx, "a", NULL, NULL, &m, &err), -1);
		assert_true(err.kind == ERR_DEADLINE || err.kind == ERR_UNAVAILABLE);
		err_clear(&err);
		snapshotter_free(s);
		proxy_link_unref(l);
	}
	assert_true(clock_mono_ns() - start < 4 * NS_PER_S);
	(void)unlink(p->socket);
}

static void *prepare_many(void *arg)
{
	for (int i = 0; i < 50; i++) {
		AUTO_FREE char *key = xasprintf("%s-%d", (const char *)arg, i);
		AUTO_ERR struct err err = { 0 };

		if (prepare(key, &err) < 0)
			return NULL;
	}
	return arg;
}

static int count(void *arg, const struct snapshot_info *i, struct err *err)
{
	++*(int *)arg;
	return 0;
}

static void many_threads_share_one_connection(void **state)
{
	static char names[8][2] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	AUTO_ERR struct err err = { 0 };
	unsigned long threads[8];
	int n = 0;

	proxied_start_server(p, services);
	for (int i = 0; i < 8; i++)
		assert_int_equal(thread_start(&threads[i], prepare_many, names[i], "t"), 0);
	for (int i = 0; i < 8; i++)
		thread_join(threads[i]);
	assert_ok(snapshot_walk(sn, &ctx, NULL, count, &n, &err), &err);
	assert_int_equal(n, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(one_that_is_not_there_is_unavailable_and_named),
		T(it_is_found_when_it_comes),
		T(it_may_go_and_come_back),
		T(errors_keep_their_kind_and_text),
		T(the_namespace_travels_along_and_the_lease_does_not),
		T(rubbish_fails_the_call_and_not_the_program),
		T(a_deadline_holds_while_connecting),
		T(many_threads_share_one_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
