/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_call.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_bundle.h"
#include "cmd/shim-runc/runc_options.h"
#include "os/spawn.h"

char *runc_log_path(const struct runc *r)
{
	return xasprintf("%s/log.json", r->bundle);
}

char **runc_argv(const struct runc *r, const char *verb)
{
	AUTO_FREE char *root = runc_options_root(r->options, r->ns);
	char **argv = NULL;

	strv_add(&argv, runc_options_binary(r->options));
	strv_add(&argv, "--root");
	strv_add(&argv, root);
	strv_add(&argv, "--log");
	strv_addf(&argv, "%s/log.json", r->bundle);
	strv_add(&argv, "--log-format");
	strv_add(&argv, "json");
	if (r->options->systemd_cgroup)
		strv_add(&argv, "--systemd-cgroup");
	strv_add(&argv, verb);
	return argv;
}

static int fail_start(const char *name, int errnum, struct err *err)
{
	if (strchr(name, '/') != NULL)
		return err_sys(err, errnum, "fork/exec %s", name);
	if (errnum == ENOENT)
		return err_plain(err, ERR_UNKNOWN,
				"exec: \"%s\": executable file not found in $PATH", name);
	return err_sys(err, errnum, "exec: \"%s\"", name);
}

int runc_run(const struct runc *r, char *const *argv, const int fds[3],
		void (*done)(void *arg, const struct runner_result *result), void *arg,
		struct runner **ret_runner, struct err *err)
{
	AUTO_FREE char *path = NULL;
	struct spawn s = { .argv = argv,
		.cwd = r->bundle,
		.fds = { fds[0], fds[1], fds[2] },
		.fd_count = 3,
		.death_signal = SIGKILL };
	int rc = spawn_find(argv[0], getenv("PATH"), &path);

	s.path = path;
	if (rc == 0)
		rc = runner_start(r->loop, r->reaper, &s, done, arg, ret_runner);
	return rc < 0 ? fail_start(argv[0], -rc, err) : 0;
}

void runc_explain(const char *name, const struct runner_result *result, struct err *err)
{
	size_t n = result->output_size;

	while (n > 0 && isspace((unsigned char)result->output[n - 1]))
		n--;
	if (n > 8192)
		n = 8192; /* a message, not a file */
	if (n == 0)
		(void)err_plain(err, ERR_UNKNOWN,
				"%s did not terminate successfully: exit status %d", name,
				result->status);
	else
		(void)err_plain(err, ERR_UNKNOWN,
				"%s did not terminate successfully: exit status %d: %.*s", name,
				result->status, (int)n, result->output);
}

void runc_fail(const struct runc *r, const char *prefix, const struct err *cause,
		struct err *err)
{
	AUTO_FREE char *log_path = runc_log_path(r);
	AUTO_FREE char *text = NULL;
	AUTO_ERR struct err log_err = { 0 };
	int rc = bundle_last_error(log_path, &text, &log_err);

	if (rc > 0)
		(void)err_plain(err, ERR_UNKNOWN, "%s: %s", prefix, text);
	else if (rc < 0)
		(void)err_plain(err, ERR_UNKNOWN,
				"%s: unable to retrieve OCI runtime error (%s): %s", prefix,
				err_text(&log_err), err_text(cause));
	else
		(void)err_plain(err, ERR_UNKNOWN, "%s: %s", prefix, err_text(cause));
}

void runc_fail_kill(const struct err *cause, struct err *err)
{
	const char *text = err_text(cause);

	if (strstr(text, "os: process already finished") != NULL ||
			strstr(text, "container not running") != NULL ||
			strcasestr(text, "no such process") != NULL)
		(void)err_set(err, ERR_NOT_FOUND, "process already finished");
	else if (strstr(text, "does not exist") != NULL)
		(void)err_set(err, ERR_NOT_FOUND, "no such container");
	else
		(void)err_plain(err, ERR_UNKNOWN, "unknown error after kill: %s", text);
}

bool runc_says_missing(const struct err *cause)
{
	return strstr(err_text(cause), "does not exist") != NULL;
}
