/* SPDX-License-Identifier: Apache-2.0 */
/* Serving, and the way out: reference 03 §4.6. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/thread.h"
#include "cmd/containerd/daemon.h"
#include "cmd/containerd/heritage.h"
#include "cmd/containerd/plugins.h"
#include "cmd/containerd/takeover.h"
#include "loop/loop.h"
#include "os/notify.h"
#include "os/rest.h"
#include "plugin/plugin_set.h"
#include "rpc/handover.h"
#include "rpc/server.h"

/* Calls that are being answered get this long when the daemon ends; those that only wait are
 * cancelled at the end of it. */
#define STOP_GRACE_MS 250

/* Longer than threads without work live (base/pool.c), so that they are gone. */
#define REST_MS 11000

void daemon_notify(const char *state)
{
	int rc = notify_send(state);
	const char *const fields[] = { "notified", rc > 0 ? "true" : "false", "state", state,
		NULL };

	if (rc < 0)
		log_warn(NULL, "sd notification failed: %s (ignored)", errno_text(-rc));
	else if (log_is_on(LOG_DEBUG))
		log_fields(NULL, LOG_DEBUG, fields, "sd notification");
}

/* --- start --- */

static int serve(struct daemon *d, const char *id, struct err *err)
{
	struct api_listener *l = plugin_set_find(d->host.plugins, TYPE_SERVER, id);
	const char *fields[] = { "address", NULL, NULL };
	int fd;

	if (l == NULL)
		return 0;
	fields[1] = l->address;
	fd = take_fd(&l->fd);
	if (l->is_ttrpc ? ttrpc_listen(d->host.server, fd, true, err) < 0
			: grpc_listen(d->host.server, fd, err) < 0) {
		l->fd = fd;
		return err_wrap(err, "serve %s", l->address);
	}
	log_fields(NULL, LOG_INFO, fields, "serving...");
	return 0;
}

static void got_signal(void *arg, int signo)
{
	const char *const fields[] = { "signal", signo == SIGTERM ? "terminated" : "interrupt",
		NULL };

	if (log_is_on(LOG_DEBUG))
		log_fields(NULL, LOG_DEBUG, fields, "received signal");
	daemon_stop(arg);
}

static void got_dump_signal(void *arg, int signo)
{
	daemon_dump(arg);
}

static void got_takeover_signal(void *arg, int signo)
{
	takeover_begin(arg);
}

struct release {
	struct loop_task task;
	struct rpc_server *server;
};

static int watch_signals(struct daemon *d, struct err *err)
{
	struct loop *l = d->host.loop;
	int rc = loop_signal(l, SIGTERM, got_signal, d);

	if (rc == 0)
		rc = loop_signal(l, SIGINT, got_signal, d);
	if (rc == 0)
		rc = loop_signal(l, SIGUSR1, got_dump_signal, d);
	if (rc == 0)
		rc = loop_signal(l, SIGUSR2, got_takeover_signal, d);
	return rc < 0 ? err_sys(err, -rc, "watch signals") : 0;
}

/* Runs on the loop, which handlers expect. */
static void release_calls(struct loop_task *task)
{
	struct release *r = container_of(task, struct release, task);

	rpc_server_hold(r->server, RPC_HOLD_NONE);
}

/* From the word on we are the daemon, and the other one is not. */
static int replace_other(struct daemon *d, struct release *r, struct err *err)
{
	if (d->heritage == NULL)
		return 0;
	if (heritage_confirm(d->heritage, err) < 0)
		return -1;
	heritage_free(take_ptr(d->heritage));
	r->task.run = release_calls;
	r->server = d->host.server;
	loop_post(d->host.loop, &r->task);
	return 0;
}

static void rest(void *arg)
{
	struct daemon *d = arg;

	rpc_server_rest(d->host.server);
	process_rest();
}

int daemon_serve(struct daemon *d, struct err *err)
{
	struct release release;
	int64_t took;

	if (watch_signals(d, err) < 0 || serve(d, "ttrpc", err) < 0 ||
			serve(d, "grpc", err) < 0 || replace_other(d, &release, err) < 0)
		return -1;
	nri_serve(d->host.plugins);
	daemon_notify("READY=1");
	took = clock_mono_ns() - d->start_ns;
	log_info(NULL, "containerd successfully booted in %lld.%06llds",
			(long long)(took / NS_PER_S), (long long)(took % NS_PER_S / NS_PER_US));
	loop_on_rest(d->host.loop, REST_MS, rest, d);
	loop_run(d->host.loop);
	if (d->has_stopper)
		thread_join(d->stopper);
	return 0;
}

/* --- stop --- */

/* Plugins may wait for what only the loop can bring, so they end while it runs. */
static void *stop_plugins(void *arg)
{
	struct daemon *d = arg;

	nri_silence(d->host.plugins);
	plugin_set_stop(d->host.plugins);
	loop_stop(d->host.loop);
	return NULL;
}

static void start_stopper(struct daemon *d)
{
	int rc = thread_start(&d->stopper, stop_plugins, d, "stop");

	d->has_stopper = rc == 0;
	if (rc == 0)
		return;
	log_error(NULL, "start the thread that ends plugins: %s", errno_text(-rc));
	loop_stop(d->host.loop);
}

void daemon_end(struct daemon *d)
{
	start_stopper(d);
}

static void server_stopped(void *arg)
{
	daemon_end(arg);
}

void daemon_end_plugins(struct daemon *d)
{
	if (d->host.plugins == NULL || d->has_stopper)
		return;
	start_stopper(d);
	loop_run(d->host.loop);
	if (d->has_stopper)
		thread_join(d->stopper);
}

static void unlink_socket(struct daemon *d, const char *id)
{
	const struct api_listener *l = plugin_set_find(d->host.plugins, TYPE_SERVER, id);

	if (l != NULL && unlink(l->address) < 0)
		log_warn(NULL, "remove %s: %s (ignored)", l->address, errno_text(errno));
}

void daemon_stop(struct daemon *d)
{
	ASSERT_LOOP();
	if (d->is_stopping || !takeover_give_way(d))
		return;
	d->is_stopping = true;
	daemon_notify("STOPPING=1");
	unlink_socket(d, "grpc");
	unlink_socket(d, "ttrpc");
	rpc_server_stop(d->host.server, STOP_GRACE_MS, server_stopped, d);
}
