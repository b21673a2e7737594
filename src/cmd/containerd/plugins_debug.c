/* SPDX-License-Identifier: Apache-2.0 */
/* The debug socket (reference 03 §4.8): what the daemon is and does, for people and scripts. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/pool.h"
#include "base/str.h"
#include "cmd/containerd/daemon.h"
#include "cmd/containerd/http_serve.h"
#include "cmd/containerd/listeners.h"
#include "cmd/containerd/plugins.h"
#include "loop/loop.h"
#include "rpc/server.h"
#include "text/json_out.h"
#include "text/toml.h"

struct debug_plugin {
	const struct plugin_host *host;
	struct http_server *http;
	char *socket; /* NULL: TCP */
	int64_t start_ns;
	bool is_given; /* to a successor */
};

/* --- asking the loop --- */

/* That it answers is news in itself; how long it took is, too. */
struct question {
	struct loop_task task;
	const struct plugin_host *host;
	struct mutex lock;
	struct cond changed;
	bool is_answered;
	size_t calls;
	int64_t took_ns;
};

static void answer(struct loop_task *task)
{
	struct question *q = container_of(task, struct question, task);

	LOCKED(&q->lock);
	q->calls = rpc_server_calls(q->host->server);
	q->is_answered = true;
	cond_signal(&q->changed);
}

static void ask_loop(const struct plugin_host *host, struct question *q)
{
	int64_t start = clock_mono_ns();

	*q = (struct question){ .task.run = answer, .host = host };
	mutex_init(&q->lock, RANK_metrics);
	cond_init(&q->changed);
	loop_post(host->loop, &q->task);
	mutex_lock(&q->lock);
	while (!q->is_answered)
		cond_wait(&q->changed, &q->lock);
	mutex_unlock(&q->lock);
	q->took_ns = clock_mono_ns() - start;
	cond_done(&q->changed);
	mutex_done(&q->lock);
}

/* --- pages --- */

static void add_command_line(struct json_out *o)
{
	AUTO_BUF struct buf b = { .limit = 64 * 1024 };
	AUTO_CLOSE int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	json_out_key(o, "cmdline");
	json_out_array(o);
	if (self >= 0 && io_read_file(self, "cmdline", &b) == 0)
		for (size_t at = 0; at < b.size; at += strlen(b.data + at) + 1)
			json_out_text(o, b.data + at);
	json_out_end(o);
}

static void add_number(struct json_out *o, const char *key, int64_t n)
{
	json_out_key(o, key);
	json_out_i64(o, n);
}

static void add_vars(const struct debug_plugin *d, struct buf *out)
{
	struct question q;
	struct json_out o;

	ask_loop(d->host, &q);
	json_out_init(&o, out, "  ");
	json_out_object(&o);
	add_command_line(&o);
	add_number(&o, "pid", getpid());
	add_number(&o, "uptime_ns", clock_mono_ns() - d->start_ns);
	add_number(&o, "open_calls", (int64_t)q.calls);
	add_number(&o, "call_jobs", (int64_t)pool_busy(d->host->workers));
	add_number(&o, "data_jobs", (int64_t)pool_busy(d->host->data));
	add_number(&o, "loop_answer_ns", q.took_ns);
	json_out_end(&o);
	buf_add_byte(out, '\n');
}

static void add_state(const struct debug_plugin *d, struct buf *out)
{
	struct question q;

	ask_loop(d->host, &q);
	daemon_add_state(d->host, clock_mono_ns() - d->start_ns, q.calls, out);
	buf_addf(out, "loop answered in: %lldns\n", (long long)q.took_ns);
	daemon_add_process(out);
}

static const char *page(void *arg, const char *path, struct buf *body)
{
	const struct debug_plugin *d = arg;

	if (str_eq(path, "/debug/vars")) {
		add_vars(d, body);
		return "application/json; charset=utf-8";
	}
	/* The second is where tools look for what the threads do. */
	if (!str_eq(path, "/debug/state") && !str_eq(path, "/debug/pprof/goroutine"))
		return NULL;
	add_state(d, body);
	return "text/plain; charset=utf-8";
}

/* --- the plugin --- */

static int open_listener(
		struct listeners *all, const struct toml_value *config, const char *address)
{
	return listeners_open(all, "debug", address, (uid_t)toml_int(toml_find(config, "uid")),
			(gid_t)toml_int(toml_find(config, "gid")));
}

/* The socket's name is the successor's from now on. */
static int suspend(void *arg, struct err *err)
{
	struct debug_plugin *d = arg;

	http_server_pause(d->http, true);
	d->is_given = true;
	return 0;
}

static int resume(void *arg, struct err *err)
{
	struct debug_plugin *d = arg;

	http_server_pause(d->http, false);
	d->is_given = false;
	return 0;
}

static const struct plugin_pause pause_ops = { .suspend = suspend, .resume = resume };

int plugin_debug_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const struct plugin_host *host = plugin_host(env);
	const struct toml_value *config = plugin_config(env);
	const char *address = toml_text(toml_find(config, "address"));
	struct debug_plugin *d;
	int fd;

	if (str_is_empty(address))
		return plugin_skip(env, err, "no debug address configured");
	fd = open_listener(host->listeners, config, address);
	if (fd < 0)
		return err_sys(err, -fd, "failed to get listener for debug endpoint: %s",
				address);
	d = xzalloc(sizeof(*d));
	d->host = host;
	d->start_ns = clock_mono_ns();
	d->socket = address[0] == '/' ? xstrdup(address) : NULL;
	d->http = http_server_new(host->loop, host->data, fd, page, d);
	plugin_on_pause(env, &pause_ops, d);
	*ret_instance = d;
	return 0;
}

void plugin_debug_fini(void *instance)
{
	struct debug_plugin *d = instance;

	http_server_free(d->http);
	if (d->socket != NULL && !d->is_given)
		(void)unlink(d->socket);
	free(d->socket);
	free(d);
}
