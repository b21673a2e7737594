/* SPDX-License-Identifier: Apache-2.0 */
/* From flags to a daemon that is about to serve: reference 03 §4.6. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/thread.h"
#include "base/version.h"
#include "cmd/containerd/daemon.h"
#include "cmd/containerd/daemon_flags.h"
#include "cmd/containerd/heritage.h"
#include "cmd/containerd/listeners.h"
#include "cmd/containerd/plugins.h"
#include "cmd/containerd/plugins_proxy.h"
#include "cmd/containerd/takeover.h"
#include "config/config.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "mount/mount_temp.h"
#include "os/cgroup.h"
#include "os/dirs.h"
#include "os/environment.h"
#include "os/process.h"
#include "plugin/plugin_set.h"
#include "rpc/handover.h"
#include "rpc/server.h"
#include "text/toml.h"

#define CALL_WORKERS  32
#define DATA_WORKERS  256
#define QUEUE_WORKERS 4096

/* --- configuration and log --- */

static char *absolute(const char *path)
{
	AUTO_FREE char *cwd = path[0] == '/' ? NULL : get_current_dir_name();

	return cwd == NULL ? xstrdup(path) : xasprintf("%s/%s", cwd, path);
}

int daemon_load_config(const struct daemon_flags *f, struct daemon *d, struct err *err)
{
	const char *path = str_or(f->config, CONFIG_DEFAULT_FILE);

	if (config_load(path, f->config != NULL, &d->config, err) < 0)
		return -1;
	if (f->address != NULL)
		config_set_address(d->config, f->address);
	if (f->root != NULL)
		config_set_text(d->config, "root", f->root);
	if (f->state != NULL)
		config_set_text(d->config, "state", f->state);
	d->root = absolute(config_text(d->config, "root"));
	d->state = absolute(config_text(d->config, "state"));
	return 0;
}

static int setup_log(const struct daemon *d, const struct daemon_flags *f, struct err *err)
{
	const struct toml_value *debug = config_get(d->config, "debug");
	const char *level_name = f->log_level;
	const char *format = toml_text(toml_find(debug, "format"));
	enum log_level level = LOG_INFO;

	if (level_name == NULL)
		level_name = toml_text(toml_find(debug, "level"));
	if (level_name[0] != '\0' && !log_level_parse(level_name, &level))
		return err_plain(err, ERR_INVALID, "not a valid logrus Level: \"%s\"",
				level_name);
	if (format[0] != '\0' && !str_eq(format, "text") && !str_eq(format, "json"))
		return err_plain(err, ERR_INVALID, "unknown log format: %s", format);
	log_setup(STDERR_FILENO, level, str_eq(format, "json"));
	return 0;
}

static void log_notes(const struct config *c, size_t from)
{
	for (size_t i = from; i < config_note_count(c); i++) {
		const struct config_note *note = config_note(c, i);

		log_fields(NULL, note->level, (const char *const *)note->fields, "%s",
				note->text);
	}
}

/* --- places --- */

static int make_dir(const char *path, mode_t mode, struct err *err)
{
	int rc = dir_make_own(path, mode);

	return rc < 0 ? err_sys(err, -rc, "mkdir %s", path) : 0;
}

static int make_dirs(const struct daemon *d, struct err *err)
{
	const char *temp = config_text(d->config, "temp");

	if (config_text(d->config, "root")[0] == '\0')
		return err_set(err, ERR_INVALID, "root must be specified");
	if (config_text(d->config, "state")[0] == '\0')
		return err_set(err, ERR_INVALID, "state must be specified");
	if (str_eq(d->root, d->state))
		return err_set(err, ERR_INVALID, "root and state must be different paths");
	if (make_dir(d->root, 0700, err) < 0 || make_dir(d->state, 0711, err) < 0)
		return -1;
	if (temp[0] == '\0')
		return 0;
	environment_set("TMPDIR", temp);
	return make_dir(temp, 0700, err);
}

/* Waits a while for another daemon to go; a signal to stop ends the wait. */
static int pause_for_lock(struct err *err)
{
	static const struct timespec pause = { 0, 50 * NS_PER_MS };
	sigset_t stop;

	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTERM);
	(void)sigaddset(&stop, SIGINT);
	if (sigtimedwait(&stop, NULL, &pause) > 0)
		return err_set(err, ERR_CANCELED, "%s", "");
	return 0;
}

static int lock_root(struct daemon *d, struct err *err)
{
	int64_t limit = config_duration_ns(
			config_get(d->config, "timeouts"), "io.containerd.timeout.bolt.open");
	int64_t start = clock_mono_ns();
	bool has_warned = false;

	while ((d->lock = dir_lock(d->root)) == -EWOULDBLOCK) {
		if (limit > 0 && clock_mono_ns() - start >= limit)
			return err_set(err, ERR_UNAVAILABLE, "another containerd uses %s",
					d->root);
		if (!has_warned)
			log_warn(NULL, "waiting for another containerd to leave %s", d->root);
		has_warned = true;
		if (pause_for_lock(err) < 0)
			return -1;
	}
	if (d->lock < 0)
		return err_sys(err, -d->lock, "lock %s", d->root);
	return 0;
}

static void clean_temp_mounts(const struct daemon *d)
{
	AUTO_FREE char *dir = xasprintf("%s/tmpmounts", d->root);
	struct ctx ctx = { .what = "start" };

	temp_mounts_clean(dir, &ctx);
}

/* --- the process --- */

static void set_oom_score(const struct daemon *d)
{
	int score = (int)toml_int(config_get(d->config, "oom_score"));
	int rc = score == 0 ? 0 : process_set_oom_score(0, score);

	if (rc < 0)
		log_error(NULL, "failed to change OOM score to %d: %s (ignored)", score,
				errno_text(-rc));
}

static int join_cgroup(const struct daemon *d, struct err *err)
{
	const char *path = toml_text(toml_find(config_get(d->config, "cgroup"), "path"));
	int rc = path[0] == '\0' ? 0 : cgroup_join(path, getpid());

	return rc < 0 ? err_sys(err, -rc, "join cgroup %s", path) : 0;
}

/* --- the parts --- */

/* Before anything of the daemon that we replace is touched. */
static int find_heritage(struct daemon *d, const struct daemon_flags *flags, struct err *err)
{
	const struct toml_value *grpc = NULL;

	if (config_section(d->config, TYPE_SERVER ".grpc", &grpc, err) < 0 ||
			heritage_begin(flags->takeover, toml_text(toml_find(grpc, "address")),
					d->state, &d->heritage, err) < 0)
		return -1;
	d->listeners = listeners_new(d->heritage);
	return 0;
}

static int make_server(struct daemon *d, struct err *err)
{
	const struct toml_value *grpc = NULL;
	struct rpc_limits limits = { 0 };

	if (config_section(d->config, TYPE_SERVER ".grpc", &grpc, err) < 0)
		return -1;
	limits.max_recv_message = (size_t)toml_int(toml_find(grpc, "max_recv_message_size"));
	limits.max_send_message = (size_t)toml_int(toml_find(grpc, "max_send_message_size"));
	d->host.metrics = metrics_new();
	d->host.loop = loop_new();
	d->host.workers = pool_new("call", CALL_WORKERS, QUEUE_WORKERS);
	d->host.data = pool_new("data", DATA_WORKERS, QUEUE_WORKERS);
	d->host.server = rpc_server_new(d->host.loop, d->host.workers, d->host.data, &limits);
	d->host.grpc_address = toml_text(toml_find(grpc, "address"));
	return 0;
}

/* Settings without effect: worth a line, so that nobody looks for it in vain. */
static void tell_unused(const struct daemon *d)
{
	const struct toml_value *plugins = config_get(d->config, "plugins");

	for (size_t i = 0; i < toml_count(plugins); i++)
		if (!plugin_set_has(d->host.plugins, toml_key_at(plugins, i)))
			log_info(NULL, "plugin %s is configured, but not part of this build",
					toml_key_at(plugins, i));
}

static int start_plugins(struct daemon *d, struct err *err)
{
	const struct toml_value *ttrpc = NULL;
	size_t notes = config_note_count(d->config);
	int rc;

	if (config_section(d->config, TYPE_SERVER ".ttrpc", &ttrpc, err) < 0)
		return -1;
	d->host.ttrpc_address = toml_text(toml_find(ttrpc, "address"));
	d->host.config = d->config;
	d->host.root = d->root;
	d->host.state = d->state;
	d->host.listeners = d->listeners;
	d->host.plugins = plugin_set_new();
	if (daemon_add_builtins(d->host.plugins, err) < 0 ||
			proxies_add(d->host.plugins, d->host.loop, d->config, &d->proxies,
					err) < 0)
		return -1;
	tell_unused(d);
	rc = plugin_set_start(d->host.plugins, &d->host, err);
	log_notes(d->config, notes);
	return rc;
}

static int open_listener(struct daemon *d, const char *id, struct err *err)
{
	struct api_listener *l = plugin_set_find(d->host.plugins, TYPE_SERVER, id);

	return l == NULL ? 0 : api_listener_open(l, d->listeners, err);
}

int daemon_boot(const struct daemon_flags *flags, struct daemon *d, struct err *err)
{
	static const char *const version[] = { "revision", CTRD_REVISION, "version",
		CTRD_FULL_VERSION, NULL };

	ASSERT_MAY_BLOCK();
	d->start_ns = clock_mono_ns();
	if (daemon_load_config(flags, d, err) < 0 || setup_log(d, flags, err) < 0)
		return -1;
	log_notes(d->config, 0);
	if (make_dirs(d, err) < 0 || find_heritage(d, flags, err) < 0 || lock_root(d, err) < 0)
		return -1;
	clean_temp_mounts(d);
	log_fields(NULL, LOG_INFO, version, "starting containerd");
	set_oom_score(d);
	if (join_cgroup(d, err) < 0)
		return -1;
	if (make_server(d, err) < 0 || start_plugins(d, err) < 0)
		return -1;
	if (open_listener(d, "ttrpc", err) < 0 || open_listener(d, "grpc", err) < 0)
		return -1;
	if (d->heritage == NULL)
		return 0;
	rpc_server_hold(d->host.server, RPC_HOLD_ALL);
	return heritage_adopt(d->heritage, d->host.server, err);
}

void daemon_done(struct daemon *d)
{
	daemon_end_plugins(d);
	takeover_free(d->takeover);
	heritage_free(d->heritage);
	plugin_set_free(d->host.plugins);
	proxies_free(d->proxies);
	rpc_server_free(d->host.server);
	pool_free(d->host.workers);
	pool_free(d->host.data);
	loop_free(d->host.loop);
	metrics_free(d->host.metrics);
	config_free(d->config);
	listeners_free(d->listeners);
	free(d->program);
	free(d->root);
	free(d->state);
	if (d->lock >= 0)
		close_fd(&d->lock);
}
