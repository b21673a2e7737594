/* SPDX-License-Identifier: Apache-2.0 */
#include "support/runtime_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/thread.h"
#include "loop/loop.h"
#include "os/fs.h"
#include "runtime/runtime.h"

static void *loop_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

void start_daemon(struct world *w)
{
	AUTO_FREE char *state = xasprintf("%s/state", w->top);
	AUTO_FREE char *root = xasprintf("%s/root", w->top);
	struct runtime_options o = { .containers = &w->containers,
		.sandboxes = &w->sandboxes,
		.mounts = w->mounts,
		.events = &w->bus.base,
		.state_dir = state,
		.root_dir = root,
		.grpc_address = "/g",
		.ttrpc_address = "/t",
		.socket_dir = w->top,
		.daemon_binary = "/d",
		.timeouts = { .shutdown = 500 * NS_PER_MS,
				.state = 300 * NS_PER_MS,
				.stats = 300 * NS_PER_MS,
				.cleanup = 2 * NS_PER_S } };

	w->loop = o.loop = loop_new();
	if (runtime_new(&o, &w->rt, &w->err) < 0)
		fail_msg("%s", err_text(&w->err));
	w->tasks = runtime_tasks(w->rt);
	runtime_load(w->rt);
	if (w->opened != NULL)
		w->opened(w);
	assert_int_equal(thread_start(&w->thread, loop_thread, w->loop, "loop"), 0);
}

void stop_daemon(struct world *w)
{
	if (w->closing != NULL)
		w->closing(w);
	runtime_free(w->rt);
	loop_stop(w->loop);
	thread_join(w->thread);
	loop_free(w->loop);
}

void restart_shim(struct world *w)
{
	fake_shim_stop(&w->shim);
	fake_shim_start(&w->shim, w->socket);
}

void write_shim(struct world *w, const char *start, const char *delete)
{
	AUTO_FREE char *text = xasprintf("#!/bin/sh\n"
					 "for last; do :; done\n"
					 "echo $last >>%s/calls\n"
					 "case $last in\n"
					 "start) cat >/dev/null; %s;;\n"
					 "delete) %s;;\n"
					 "esac\n",
			w->top, start, delete);

	assert_int_equal(io_replace_file(w->top_fd, strrchr(w->shim_path, '/') + 1, text,
					 strlen(text), 0755),
			0);
}

void write_good_shim(struct world *w)
{
	AUTO_FREE char *start = NULL;

	if (w->shim.is_pod)
		start = xasprintf("printf '{\"version\":3,\"address\":\"unix://%s\","
				  "\"protocol\":\"ttrpc\"}'",
				w->socket);
	else
		start = xasprintf("printf unix://%s", w->socket);
	write_shim(w, start, "printf '\\010\\007\\020\\211\\001'");
}

struct world *world_new(const char *name)
{
	struct world *w = xzalloc(sizeof(*w));

	strcpy(w->top, "/tmp/ctrd-rt-XXXXXX");
	assert_non_null(mkdtemp(w->top));
	w->top_fd = open(w->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w->socket = xasprintf("%s/s", w->top);
	w->shim_path = xasprintf("%s/%s", w->top, name);
	fake_shim_init(&w->shim);
	topics_bus_init(&w->bus);
	w->ctx.ns = "ns";
	return w;
}

void world_begin(struct world *w)
{
	write_good_shim(w);
	fake_shim_start(&w->shim, w->socket);
	start_daemon(w);
}

void world_end(struct world *w)
{
	stop_daemon(w);
	fake_shim_done(&w->shim);
	assert_int_equal(fs_remove_all(AT_FDCWD, w->top), 0);
	topics_bus_done(&w->bus);
	close_fd(&w->top_fd);
	free(w->shim_path);
	free(w->socket);
	err_clear(&w->err);
	free(w);
}

bool is_there(struct world *w, const char *name)
{
	return faccessat(w->top_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

char *read_file(struct world *w, const char *name)
{
	struct buf b = { .limit = 100000 };

	if (io_read_file(w->top_fd, name, &b) < 0)
		return xstrdup("");
	return buf_take_str(&b);
}

size_t runs_of(struct world *w, const char *action)
{
	AUTO_FREE char *calls = read_file(w, "calls");
	size_t n = 0;

	for (char *p = calls; (p = strstr(p, action)) != NULL; p++)
		n++;
	return n;
}

void expect(struct world *w, int rc, enum err_kind kind, const char *text)
{
	assert_int_equal(rc, -1);
	if (w->err.kind != kind)
		fail_msg("kind %d: %s", w->err.kind, err_text(&w->err));
	if (text != NULL)
		assert_string_equal(err_text(&w->err), text);
	err_clear(&w->err);
}
