/* SPDX-License-Identifier: Apache-2.0 */
/* The gRPC services: each gets what it works on, and is added to the server. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/version.h"
#include "cmd/containerd/plugins.h"
#include "plugin/plugin_set.h"
#include "rpc/server.h"
#include "services/services.h"

static void serve(struct plugin_env *env, const struct rpc_service *service, void *self)
{
	rpc_server_add(plugin_host(env)->server, RPC_GRPC, service, self);
}

int plugin_version_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	static const struct version_service self = { CTRD_FULL_VERSION, CTRD_REVISION };

	serve(env, &version_service, (void *)(uintptr_t)&self);
	*ret_instance = NULL;
	return 0;
}

int plugin_health_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	serve(env, &health_service, NULL);
	*ret_instance = NULL;
	return 0;
}

/* --- introspection --- */

struct introspection {
	struct introspection_service service;
	char *uuid, *uuid_fault;
};

#define UUID_LEN 36

static void make_uuid(char out[UUID_LEN + 1])
{
	unsigned char b[16];
	char hex[33];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		abort();
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	hex_encode(b, sizeof(b), hex);
	(void)snprintf(out, UUID_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
			hex + 16, hex + 20);
}

static bool is_uuid(const char *text)
{
	if (strlen(text) != UUID_LEN)
		return false;
	for (size_t i = 0; i < UUID_LEN; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? text[i] != '-'
			    : strchr("0123456789abcdefABCDEF", text[i]) == NULL)
			return false;
	}
	return true;
}

/* The name of this root, made once. What cannot be read is told to whoever asks for it. */
static int read_uuid(const char *dir, char **ret_uuid, struct err *err)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_BUF struct buf b = { .limit = 256 };
	char uuid[UUID_LEN + 1];
	int rc;

	if (fd < 0)
		return err_sys(err, errno, "open %s", dir);
	rc = io_read_file(fd, "uuid", &b);
	if (rc == -ENOENT) {
		make_uuid(uuid);
		rc = io_replace_file(fd, "uuid", uuid, UUID_LEN, 0644);
		buf_add_str(&b, uuid);
	}
	if (rc < 0)
		return err_sys(err, -rc, "uuid in %s", dir);
	if (b.size == 0 || !is_uuid(b.data))
		return err_set(err, ERR_INVALID, "uuid in %s", dir);
	*ret_uuid = buf_take_str(&b);
	return 0;
}

static uint64_t pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) < 0 ? 0 : st.st_ino;
}

int plugin_introspection_service_init(
		struct plugin_env *env, void **ret_instance, struct err *err)
{
	static const char dir_name[] = "io.containerd.grpc.v1.introspection";
	AUTO_FREE char *dir = xasprintf("%s/%s", plugin_host(env)->root, dir_name);
	AUTO_ERR struct err fault = { 0 };
	struct introspection *in;
	void *warnings = NULL;

	if (plugin_get(env, TYPE_WARNING, NULL, &warnings, err) < 0)
		return -1;
	in = xzalloc(sizeof(*in));
	if (plugin_make_dir(dir, 0700, &fault) < 0 || read_uuid(dir, &in->uuid, &fault) < 0)
		in->uuid_fault = xstrdup(err_text(&fault));
	in->service = (struct introspection_service){
		.plugins = plugin_host(env)->plugins,
		.uuid = in->uuid,
		.uuid_fault = in->uuid_fault,
		.pid_namespace = pid_namespace(),
		.deprecations = warnings,
	};
	*ret_instance = in;
	return 0;
}

void plugin_introspection_service_fini(void *instance)
{
	struct introspection *in = instance;

	free(in->uuid);
	free(in->uuid_fault);
	free(in);
}

int plugin_introspection_init(struct plugin_env *env, void **ret_instance, struct err *err)
{
	AUTO_ERR struct err fault = { 0 };
	struct introspection *in;
	void *found = NULL, *tasks = NULL;

	if (plugin_get(env, TYPE_SERVICE, "introspection-service", &found, err) < 0)
		return -1;
	in = found;
	/* Without tasks there is nothing to ask about runtimes, but all the rest. */
	if (plugin_get(env, TYPE_SERVICE, "tasks-service", &tasks, &fault) == 0)
		in->service.tasks = tasks;
	serve(env, &introspection_service, &in->service);
	*ret_instance = NULL;
	return 0;
}
