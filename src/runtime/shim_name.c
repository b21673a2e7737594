/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim_name.h"

#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/spawn.h"
#include "text/json.h"
#include "text/json_span.h"

static int bad_name(const char *runtime, struct err *err)
{
	return err_plain(err, ERR_UNKNOWN,
			"invalid runtime name %s, correct runtime name should be either format "
			"like `io.containerd.runc.v2` or a full path to the binary",
			runtime);
}

int shim_name_of_runtime(const char *runtime, char **ret_name, struct err *err)
{
	AUTO_STRV char **parts = NULL;
	size_t n;

	if (str_is_empty(runtime))
		return err_plain(err, ERR_UNKNOWN, "no runtime name");
	if (runtime[0] == '/') {
		*ret_name = xstrdup(runtime);
		return 0;
	}
	if (strchr(runtime, '/') != NULL)
		return bad_name(runtime, err);
	parts = strv_split(runtime, '.');
	n = strv_len(parts);
	if (n < 2 || parts[0][0] == '\0')
		return bad_name(runtime, err);
	*ret_name = xasprintf("containerd-shim-%s-%s", parts[n - 2], parts[n - 1]);
	return 0;
}

/* The folder of the program that runs now; owned, or NULL. */
static char *own_folder(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	return xstrdup(dirname(self));
}

int shim_find_binary(const char *runtime, const char *path, char **ret_binary, struct err *err)
{
	AUTO_FREE char *name = NULL, *folder = NULL, *found = NULL;
	int rc;

	if (shim_name_of_runtime(runtime, &name, err) < 0)
		return -1;
	if (name[0] == '/') {
		rc = spawn_find(name, NULL, ret_binary);
		return rc == 0 ? 0
			       : err_sys(err, -rc, "invalid custom binary path: stat %s", name);
	}
	/* What the working directory happens to hold (an empty or relative part of PATH) is not
	 * looked at: bundles are working directories, too. */
	if (spawn_find(name, path, &found) == 0 && found[0] == '/') {
		*ret_binary = take_ptr(found);
		return 0;
	}
	folder = own_folder();
	if (folder != NULL && spawn_find(name, folder, ret_binary) == 0)
		return 0;
	return err_plain(err, ERR_UNKNOWN,
			"runtime \"%s\" binary not installed \"%s\": file does not exist",
			runtime, name);
}

char *shim_socket_path(const char *socket_dir, const char *grpc_address, const char *ns,
		const char *group)
{
	AUTO_FREE char *what = xasprintf("%s/%s/%s", grpc_address, ns, group);
	char digest[DIGEST_TEXT_SIZE];

	digest_bytes(DIGEST_SHA256, what, strlen(what), digest);
	return xasprintf("%s/%s", socket_dir, digest_hex(digest));
}

static char *annotation(const void *spec, size_t size, const char *key)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(json_free) struct json *value = NULL;
	const char *const path[] = { "annotations", key, NULL };
	struct json_span span;

	if (json_span_find(spec, size, path, &span, &err) <= 0 ||
			json_parse(span.data, span.size, &value, &err) < 0)
		return NULL;
	return xstrdup(json_text(value));
}

char *shim_group_of(const void *spec, size_t size, const char *id)
{
	static const char *const keys[] = { "io.containerd.runc.v2.group",
		"io.kubernetes.cri.sandbox-id" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char *group = annotation(spec, size, keys[i]);

		if (group != NULL)
			return group;
	}
	return xstrdup(id);
}
