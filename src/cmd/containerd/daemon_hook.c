/* SPDX-License-Identifier: Apache-2.0 */
/* "containerd oci-hook": runs a program as an OCI hook, its arguments and environment filled in
 * from the container's state (reference 02 §8.1). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/containerd/daemon_cli.h"
#include "cmd/containerd/daemon_flags.h"
#include "cmd/containerd/hook_template.h"
#include "text/json.h"

#define MAX_WORD (128 * 1024) /* the kernel takes no longer argument */

static int parse(const struct buf *bytes, const char *what, struct json **ret_json,
		struct err *err)
{
	if (json_parse(bytes->size > 0 ? bytes->data : "", bytes->size, ret_json, err) < 0)
		return err_wrap(err, "%s", what);
	return 0;
}

static int read_state(struct json **ret_json, struct err *err)
{
	AUTO_BUF struct buf bytes = { .limit = JSON_MAX_BYTES };
	int rc = io_read_all(STDIN_FILENO, &bytes);

	if (rc < 0)
		return err_sys(err, -rc, "read state");
	return parse(&bytes, "read state", ret_json, err);
}

static int read_spec(const char *bundle, struct json **ret_json, struct err *err)
{
	AUTO_BUF struct buf bytes = { .limit = JSON_MAX_BYTES };
	AUTO_FREE char *path = xasprintf("%s/config.json", bundle);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : io_read_all(fd, &bytes);

	if (rc < 0)
		return err_sys(err, -rc, "open %s", path);
	return parse(&bytes, path, ret_json, err);
}

static int find_rootfs(const char *bundle, char **ret_rootfs, struct err *err)
{
	AUTO(json_free) struct json *spec = NULL;
	const char *path;

	if (read_spec(bundle, &spec, err) < 0)
		return -1;
	path = json_get_text(json_get(spec, "root"), "path");
	if (path == NULL)
		return err_plain(err, ERR_INVALID, "%s/config.json names no root", bundle);
	*ret_rootfs = path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", bundle, path);
	return 0;
}

static const char *annotation(const void *arg, const char *key)
{
	return json_get_text(arg, key);
}

static int expand_all(char *const *from, const struct hook_state *state, char ***ret_to,
		struct err *err)
{
	for (; *from != NULL; from++) {
		AUTO_BUF struct buf word = { .limit = MAX_WORD };

		if (hook_template_expand(*from, strlen(*from), state, &word, err) < 0)
			return -1;
		strv_add(ret_to, word.size > 0 ? word.data : "");
	}
	return 0;
}

/* Comes back only if it failed. */
static int run_hook(char *const *words, struct err *err)
{
	AUTO(json_free) struct json *json = NULL;
	AUTO_FREE char *rootfs = NULL;
	AUTO_STRV char **args = NULL, **env = NULL;
	struct hook_state s = { .annotation = annotation };

	if (words[0] == NULL)
		return err_set(err, ERR_INVALID, "command required");
	if (read_state(&json, err) < 0)
		return -1;
	s.id = str_or(json_get_text(json, "id"), "");
	s.status = str_or(json_get_text(json, "status"), "");
	s.bundle = str_or(json_get_text(json, "bundle"), "");
	(void)json_i64(json_get(json, "pid"), &s.pid);
	s.arg = json_get(json, "annotations");
	if (find_rootfs(s.bundle, &rootfs, err) < 0)
		return -1;
	s.rootfs = rootfs;
	if (expand_all(words, &s, &args, err) < 0 || expand_all(environ, &s, &env, err) < 0)
		return -1;
	if (env == NULL)
		env = xzalloc(sizeof(*env));
	(void)execve(args[0], args, env);
	return err_sys(err, errno, "exec %s", args[0]);
}

int command_oci_hook(int argc, char **argv)
{
	AUTO_ERR struct err err = { 0 };

	if (argc > 0 && (str_eq(argv[0], "--help") || str_eq(argv[0], "-h"))) {
		daemon_help_oci_hook();
		return 0;
	}
	if (argc > 0 && str_eq(argv[0], "--")) {
		argc--;
		argv++;
	}
	return run_hook(argv, &err) < 0 ? command_fail(&err) : 0;
}
