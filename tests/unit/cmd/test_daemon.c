/* SPDX-License-Identifier: Apache-2.0 */
/* Daemons as objects: nothing of one is shared with another in the same process. */
#include "cmd/containerd/daemon.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/arena.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/introspection.pb-c.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/err_details.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cmd/containerd/daemon_flags.h"
#include "loop/loop.h"
#include "os/fs.h"
#include "rpc/channel.h"

struct instance {
	struct daemon d;
	char *dir, *root, *state, *address, *config;
	unsigned long thread;
	struct err err;
	struct loop_task stop;
};

static void write_config(const char *path, const char *dir)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	AUTO_FREE char *text = xasprintf("version = 4\n[debug]\nlevel = 'error'\n"
					 "[plugins.'io.containerd.internal.v1.opt']\n"
					 "path = '%s/opt'\n",
			dir);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void boot(struct instance *it)
{
	struct daemon_flags flags = { 0 };

	it->d = (struct daemon)DAEMON_INIT;
	it->dir = xstrdup("/tmp/ctrd-two-XXXXXX");
	assert_non_null(mkdtemp(it->dir));
	it->root = xasprintf("%s/root", it->dir);
	it->state = xasprintf("%s/state", it->dir);
	it->address = xasprintf("%s/c.sock", it->dir);
	it->config = xasprintf("%s/config.toml", it->dir);
	write_config(it->config, it->dir);
	flags.config = it->config;
	flags.root = it->root;
	flags.state = it->state;
	flags.address = it->address;
	if (daemon_boot(&flags, &it->d, &it->err) < 0)
		fail_msg("%s", err_text(&it->err));
}

static void *serve(void *arg)
{
	struct instance *it = arg;

	(void)!daemon_serve(&it->d, &it->err);
	return NULL;
}

static void stop(struct loop_task *task)
{
	daemon_stop(&container_of(task, struct instance, stop)->d);
}

static void end(struct instance *it)
{
	it->stop.run = stop;
	loop_post(it->d.host.loop, &it->stop);
	thread_join(it->thread);
	assert_int_equal(it->err.kind, ERR_NONE);
	assert_int_equal(access(it->address, F_OK), -1);
	daemon_done(&it->d);
	assert_int_equal(fs_remove_all(AT_FDCWD, it->dir), 0);
	free(it->dir);
	free(it->root);
	free(it->state);
	free(it->address);
	free(it->config);
}

/* The id that the daemon's root has. */
static char *ask_uuid(const struct instance *it)
{
	struct ctx ctx = { .deadline_ns = clock_mono_ns() + 20 * NS_PER_S };
	Google__Protobuf__Empty nothing = GOOGLE__PROTOBUF__EMPTY__INIT;
	AUTO(channel_unref) struct channel *c = NULL;
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	struct ProtobufCMessage *answer = NULL;

	arena_init(&a, 1 << 20);
	if (channel_open_grpc(NULL, it->address, &ctx, &c, &err) < 0 ||
			channel_call(c, &ctx,
					"containerd.services.introspection.v1.Introspection",
					"Server", &nothing.base,
					&introspection__server_response__descriptor, &a,
					&answer, &err) < 0)
		fail_msg("%s", err_text(&err));
	return xstrdup(((Introspection__ServerResponse *)answer)->uuid);
}

/* The one list whose filters fail with a detail, as in the original. */
static void a_bad_filter_tells_its_cause(void **state)
{
	Introspection__PluginsRequest request = INTROSPECTION__PLUGINS_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO_ARENA struct arena a = { 0 };
	struct channel *c;
	struct ctx ctx = { 0 };
	const char *filter = "id==";
	ProtobufCMessage *answer;
	struct instance it = { 0 };

	boot(&it);
	assert_int_equal(thread_start(&it.thread, serve, &it, "one"), 0);
	arena_init(&a, 1 << 20);
	request.n_filters = 1;
	request.filters = &filter;
	assert_int_equal(channel_open_grpc(NULL, it.address, &ctx, &c, &err), 0);
	assert_int_equal(channel_call(c, &ctx,
					 "containerd.services.introspection.v1.Introspection",
					 "Plugins", &request.base,
					 &introspection__plugins_response__descriptor, &a,
					 &answer, &err),
			-1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err_text(&err),
			"invalid argument: filters: parse error: [id==]: expected value or "
			"quoted: invalid argument\ninvalid argument");
	assert_int_equal(err_detail_count(&err), 1);
	channel_unref(c);
	end(&it);
}

static void two_daemons_live_in_one_process(void **state)
{
	struct instance one = { 0 }, two = { 0 };
	AUTO_FREE char *first = NULL;
	AUTO_FREE char *second = NULL;
	AUTO_FREE char *again = NULL;

	boot(&one);
	boot(&two);
	assert_int_equal(thread_start(&one.thread, serve, &one, "one"), 0);
	assert_int_equal(thread_start(&two.thread, serve, &two, "two"), 0);
	first = ask_uuid(&one);
	second = ask_uuid(&two);
	assert_string_not_equal(first, second);
	end(&one);
	again = ask_uuid(&two);
	assert_string_equal(second, again);
	end(&two);
}

static void a_daemon_that_never_served_leaves_nothing_behind(void **state)
{
	struct instance it = { 0 };

	boot(&it);
	it.thread = 0;
	daemon_done(&it.d);
	assert_int_equal(fs_remove_all(AT_FDCWD, it.dir), 0);
	free(it.dir);
	free(it.root);
	free(it.state);
	free(it.address);
	free(it.config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_filter_tells_its_cause),
		cmocka_unit_test(two_daemons_live_in_one_process),
		cmocka_unit_test(a_daemon_that_never_served_leaves_nothing_behind),
	};
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
