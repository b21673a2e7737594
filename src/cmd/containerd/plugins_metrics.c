/* SPDX-License-Identifier: Apache-2.0 */
/* Where /v1/metrics is served (reference 03 §4.8), and what is counted for it here. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/version.h"
#include "cmd/containerd/http_serve.h"
#include "cmd/containerd/listeners.h"
#include "cmd/containerd/metrics_calls.h"
#include "cmd/containerd/metrics_tasks.h"
#include "cmd/containerd/plugins.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "os/fs.h"
#include "rpc/server.h"
#include "text/toml.h"

#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics_plugin {
	struct metrics *metrics; /* borrowed */
	struct rpc_server *rpc;
	bool with_times;
	struct http_server *http;
	void *namespaces, *tasks; /* stores; NULL: no figures of tasks */
	double start_s;		  /* wall time */
	atomic_ulong scrapes;
};

/* --- the process --- */

static void add_gauge(struct buf *out, const char *name, const char *help, double value)
{
	metrics_text_head(out, name, METRIC_GAUGE, help);
	metrics_text_line(out, name, "", value);
}

static void add_memory(struct buf *out, int self)
{
	AUTO_BUF struct buf b = { .limit = 4096 };
	unsigned long long size, resident;
	double page = (double)sysconf(_SC_PAGESIZE);

	if (io_read_file(self, "statm", &b) < 0 || b.size == 0 ||
			sscanf(b.data, "%llu %llu", &size, &resident) != 2)
		return;
	add_gauge(out, "process_resident_memory_bytes", "Resident memory.",
			page * (double)resident);
	add_gauge(out, "process_virtual_memory_bytes", "Virtual memory.", page * (double)size);
}

static void add_limit(
		struct buf *out, __rlimit_resource_t which, const char *name, const char *help)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) == 0)
		add_gauge(out, name, help, (double)limit.rlim_cur);
}

static void add_counter(struct buf *out, const char *name, const char *help, double value)
{
	metrics_text_head(out, name, METRIC_COUNTER, help);
	metrics_text_line(out, name, "", value);
}

/* Two lines belong together: "IpExt: <names>" and "IpExt: <values>", as many. */
static void add_network(struct buf *out, int self)
{
	AUTO_BUF struct buf b = { .limit = 64 * 1024 };
	char *names = NULL, *values = NULL, *rest = NULL, *more = NULL;

	if (io_read_file(self, "net/netstat", &b) < 0 || b.size == 0)
		return;
	for (char *l = strtok_r(b.data, "\n", &rest); l != NULL && values == NULL;
			l = strtok_r(NULL, "\n", &rest)) {
		if (!str_starts(l, "IpExt:"))
			continue;
		values = names == NULL ? NULL : l;
		names = names == NULL ? l : names;
	}
	if (values == NULL)
		return;
	names = strtok_r(names, " ", &rest);
	values = strtok_r(values, " ", &more);
	for (; names != NULL && values != NULL; names = strtok_r(NULL, " ", &rest),
						values = strtok_r(NULL, " ", &more)) {
		if (str_eq(names, "InOctets"))
			add_counter(out, "process_network_receive_bytes_total",
					"Bytes that came in by the network.",
					strtod(values, NULL));
		else if (str_eq(names, "OutOctets"))
			add_counter(out, "process_network_transmit_bytes_total",
					"Bytes that went out by the network.",
					strtod(values, NULL));
	}
}

static void add_process(struct buf *out, double start_s)
{
	AUTO_CLOSE int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_STRV char **fds = NULL;
	struct timespec cpu;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
		add_counter(out, "process_cpu_seconds_total", "CPU time of user and system.",
				(double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
	if (self >= 0 && fs_list(self, "fd", &fds) == 0)
		add_gauge(out, "process_open_fds", "Open descriptors.", (double)strv_len(fds));
	if (self >= 0) {
		add_memory(out, self);
		add_network(out, self);
	}
	add_limit(out, RLIMIT_NOFILE, "process_max_fds", "Limit of open descriptors.");
	add_limit(out, RLIMIT_AS, "process_virtual_memory_max_bytes",
			"Limit of virtual memory.");
	add_gauge(out, "process_start_time_seconds", "When the process started.", start_s);
}

static void add_build(struct buf *out)
{
	AUTO_BUF struct buf labels = { .limit = 1024 };

	metrics_add_label(&labels, "revision", CTRD_REVISION);
	metrics_add_label(&labels, "version", CTRD_FULL_VERSION);
	metrics_text_head(out, "containerd_build_info_total", METRIC_COUNTER,
			"Version and revision of this build.");
	metrics_text_line(out, "containerd_build_info_total", labels.data, 1);
}

/* Of this endpoint itself: pages are made one at a time per connection, and none fails. */
static void add_scrapes(struct buf *out, unsigned long before)
{
	static const char name[] = "promhttp_metric_handler_requests_total";

	add_gauge(out, "promhttp_metric_handler_requests_in_flight", "Scrapes being answered.",
			1);
	metrics_text_head(out, name, METRIC_COUNTER, "Scrapes by status.");
	metrics_text_line(out, name, "code=\"200\"", (double)before);
	metrics_text_line(out, name, "code=\"500\"", 0);
	metrics_text_line(out, name, "code=\"503\"", 0);
}

static const char *page(void *arg, const char *path, struct buf *body)
{
	struct metrics_plugin *p = arg;

	if (!str_eq(path, "/v1/metrics"))
		return NULL;
	add_build(body);
	metrics_text(p->metrics, body);
	metrics_add_calls(p->rpc, p->with_times, body);
	if (p->namespaces != NULL && p->tasks != NULL)
		metrics_add_tasks(p->namespaces, p->tasks, body);
	add_process(body, p->start_s);
	add_scrapes(body, atomic_fetch_add(&p->scrapes, 1));
	return TEXT_TYPE;
}

/* --- the plugin --- */

/* The daemon's own figures are there without those of tasks. */
static void find_tasks(struct plugin_env *env, struct metrics_plugin *p)
{
	AUTO_ERR struct err ignored = { 0 }, ignored_too = { 0 }, fault = { 0 };
	const struct toml_value *monitor = NULL;

	if (config_section(plugin_host(env)->config, TYPE_TASK_MONITOR ".cgroups", &monitor,
			    &fault) < 0 ||
			toml_bool(toml_find(monitor, "no_prometheus")))
		return;
	if (plugin_get(env, TYPE_SERVICE, "namespaces-service", &p->namespaces, &ignored) < 0)
		p->namespaces = NULL;
	if (plugin_get(env, TYPE_SERVICE, "tasks-service", &p->tasks, &ignored_too) < 0)
		p->tasks = NULL;
}

static int suspend(void *arg, struct err *err)
{
	http_server_pause(((struct metrics_plugin *)arg)->http, true);
	return 0;
}

static int resume(void *arg, struct err *err)
{
	http_server_pause(((struct metrics_plugin *)arg)->http, false);
	return 0;
}

static const struct plugin_pause pause_ops = { .suspend = suspend, .resume = resume };

/* A key of another plugin, which has nothing else to do. */
static bool wants_times(struct config *config)
{
	const struct toml_value *section = NULL;
	AUTO_ERR struct err ignored = { 0 };

	return config_section(config, "io.containerd.metrics.v1.grpc-prometheus", &section,
			       &ignored) == 0 &&
	       toml_bool(toml_find(section, "grpc_histogram"));
}

int plugin_metrics_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	const struct plugin_host *host = plugin_host(env);
	const char *address = toml_text(toml_find(plugin_config(env), "address"));
	struct metrics_plugin *p;
	int fd;

	if (str_is_empty(address))
		return plugin_skip(env, err, "no metrics address configured");
	fd = listeners_open(host->listeners, "metrics", address, 0, 0);
	if (fd < 0)
		return err_sys(err, -fd, "failed to get listener for metrics endpoint: %s",
				address);
	p = xzalloc(sizeof(*p));
	p->metrics = host->metrics;
	p->start_s = (double)clock_wall_ns() / NS_PER_S;
	p->rpc = host->server;
	find_tasks(env, p);
	rpc_server_measure(host->server);
	p->with_times = wants_times(host->config);
	p->http = http_server_new(host->loop, host->data, fd, page, p);
	plugin_on_pause(env, &pause_ops, p);
	*ret_instance = p;
	return 0;
}

/* By now no call is served any more, so none is reported. */
void plugin_metrics_fini(void *instance)
{
	struct metrics_plugin *p = instance;

	http_server_free(p->http);
	free(p);
}
