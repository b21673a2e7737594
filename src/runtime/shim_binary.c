/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim_binary.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/bootstrap.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/timestamp.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/any.h"
#include "os/child_run.h"
#include "runtime/shim_endpoint.h"
#include "wire/wire_map.h"

#define OUTPUT_MAX ((size_t)1 << 20)
#define INFO_MAX   ((size_t)4 << 20)

#define DELETE_TRIES 3

static char **make_args(const struct shim_binary *b, const char *action)
{
	bool is_delete = str_eq(action, "delete");
	char **argv = NULL;

	strv_add(&argv, b->path);
	strv_add(&argv, "-namespace");
	strv_add(&argv, b->ns);
	strv_add(&argv, "-address");
	strv_add(&argv, b->env->grpc_address);
	strv_add(&argv, "-publish-binary");
	strv_add(&argv, b->env->daemon_binary);
	strv_add(&argv, "-id");
	strv_add(&argv, b->id);
	if (is_delete) {
		strv_add(&argv, "-bundle");
		strv_add(&argv, b->bundle);
	}
	if (b->env->debug)
		strv_add(&argv, "-debug");
	strv_add(&argv, action);
	return argv;
}

/* Takes over "own_entry" in place of whatever has its name: of two, programs read the first. */
static void env_put(char ***env, char *own_entry)
{
	size_t name = strcspn(own_entry, "=") + 1;

	for (size_t i = 0; *env != NULL && (*env)[i] != NULL; i++)
		if (strncmp((*env)[i], own_entry, name) == 0) {
			free((*env)[i]);
			(*env)[i] = own_entry;
			return;
		}
	strv_add(env, own_entry);
	free(own_entry);
}

static char **make_environment(const struct shim_binary *b, bool is_start)
{
	char **env = strv_dup(environ);

	env_put(&env, xstrdup("GOMAXPROCS=2"));
	env_put(&env, xstrdup("MAX_SHIM_VERSION=2"));
	env_put(&env, xasprintf("TTRPC_ADDRESS=%s", b->env->ttrpc_address));
	env_put(&env, xasprintf("GRPC_ADDRESS=%s", b->env->grpc_address));
	env_put(&env, xasprintf("NAMESPACE=%s", b->ns));
	for (size_t i = 0; is_start && b->env->extra != NULL && b->env->extra[i] != NULL; i++)
		env_put(&env, xstrdup(b->env->extra[i]));
	return env;
}

/* BootstrapParams: what shims of 2.3 and later read, and those between 1.7 and 2.2 ignore. */
static const void *new_input(const struct shim_binary *b, const struct any *options,
		struct arena *a, size_t *ret_size)
{
	Bootstrap__BootstrapParams p = BOOTSTRAP__BOOTSTRAP_PARAMS__INIT;
	Bootstrap__Extension extension = BOOTSTRAP__EXTENSION__INIT, *list[] = { &extension };

	p.instance_id = b->id;
	p.namespace_ = b->ns;
	p.log_level = b->env->debug ? BOOTSTRAP__LOG_LEVEL__LOG_LEVEL_DEBUG
				    : BOOTSTRAP__LOG_LEVEL__LOG_LEVEL_INFO;
	p.containerd_version = b->env->daemon_version;
	p.containerd_ttrpc_address = b->env->ttrpc_address;
	p.containerd_grpc_address = b->env->grpc_address;
	p.containerd_binary = b->env->daemon_binary;
	if (!str_is_empty(b->env->socket_dir)) {
		p._socket_dir_case = BOOTSTRAP__BOOTSTRAP_PARAMS___SOCKET_DIR_SOCKET_DIR;
		p.socket_dir = b->env->socket_dir;
	}
	extension.value = wire_any_out(a, options);
	if (extension.value != NULL) {
		p.extensions = list;
		p.n_extensions = 1;
	}
	return pb_encode_arena(&p.base, a, ret_size);
}

/* Any(options): what shims before that read. */
static const void *old_input(const struct any *options, struct arena *a, size_t *ret_size)
{
	Google__Protobuf__Any *any = wire_any_out(a, options);

	*ret_size = 0;
	return any == NULL ? NULL : pb_encode_arena(&any->base, a, ret_size);
}

static int run_start(const struct shim_binary *b, struct ctx *ctx, const void *input,
		size_t size, struct buf *out, struct err *err)
{
	AUTO_STRV char **argv = make_args(b, "start");
	AUTO_STRV char **env = make_environment(b, true);
	struct child_run run = { .path = b->path,
		.argv = argv,
		.envp = env,
		.cwd = b->bundle,
		.input = input,
		.input_size = size,
		.out = out,
		.err_out = out,
		.dies_with_us = true };

	return child_run(&run, ctx, err);
}

/* Shims of 1.6 take the new message for an Any, whose type they do not know. Nothing has
 * happened then but a stray file "address". */
static bool is_too_old(const struct shim_binary *b, const struct buf *out)
{
	AUTO_FREE char *complaint = xasprintf("type with url %s: not found", b->id);

	return out->data != NULL && strstr(out->data, complaint) != NULL;
}

int shim_binary_start(const struct shim_binary *b, struct ctx *ctx, const struct any *options,
		struct shim_endpoint *ret_endpoint, struct err *err)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_BUF struct buf out = { .limit = OUTPUT_MAX };
	const void *input;
	size_t size;
	int status;

	arena_init(&a, SIZE_MAX);
	input = new_input(b, options, &a, &size);
	status = run_start(b, ctx, input, size, &out, err);
	if (status > 0 && is_too_old(b, &out)) {
		buf_clear(&out);
		input = old_input(options, &a, &size);
		status = run_start(b, ctx, input, size, &out, err);
	}
	if (status < 0)
		return -1;
	if (status > 0)
		return err_plain(err, ERR_UNKNOWN, "%s: exit status %d", str_or(out.data, ""),
				status);
	return shim_endpoint_parse(out.data, out.size, ret_endpoint, err);
}

static int parse_delete(const struct buf *out, struct shim_exit *ret_exit, struct err *err)
{
	AUTO_ARENA struct arena a = { 0 };
	ProtobufCMessage *message = NULL;
	const TaskV3__DeleteResponse *r = NULL;

	arena_init(&a, SIZE_MAX);
	if (pb_decode(&task_v3__delete_response__descriptor, out->data, out->size, &a,
			    &pb_limits_reply, &message, err) < 0)
		return -1;
	r = (const TaskV3__DeleteResponse *)message;
	/* Go's shim prints -1 for the pid of a container that never had one. */
	ret_exit->pid = r->pid == UINT32_MAX ? 0 : r->pid;
	ret_exit->status = r->exit_status;
	ret_exit->exited_ns = timestamp_ns(r->exited_at);
	return 0;
}

int shim_binary_delete(const struct shim_binary *b, struct ctx *ctx, struct shim_exit *ret_exit,
		struct err *err)
{
	AUTO_STRV char **argv = make_args(b, "delete");
	AUTO_STRV char **env = make_environment(b, false);
	AUTO_BUF struct buf out = { .limit = OUTPUT_MAX }, warnings = { .limit = OUTPUT_MAX };
	struct child_run run = { .path = b->path,
		.argv = argv,
		.envp = env,
		.cwd = b->bundle,
		.out = &out,
		.err_out = &warnings };
	int status = child_run(&run, ctx, err);

	/* Nothing else would clear away what it was to: one that was killed is started anew. */
	for (int i = 1; status > 128 && i < DELETE_TRIES; i++) {
		log_warn(ctx, "%s delete: killed by signal %d", b->path, status - 128);
		buf_clear(&out);
		status = child_run(&run, ctx, err);
	}
	if (status < 0)
		return -1;
	if (warnings.size > 0)
		log_warn(ctx, "cleanup warnings %s", warnings.data);
	if (status > 0)
		return err_plain(err, ERR_UNKNOWN, "%s: exit status %d",
				str_or(warnings.data, ""), status);
	return parse_delete(&out, ret_exit, err);
}

int shim_binary_info(const char *path, struct ctx *ctx, const struct any *options,
		struct buf *out, struct err *err)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_BUF struct buf complaint = { .limit = OUTPUT_MAX };
	char *const argv[] = { (char *)path, (char *)"-info", NULL };
	struct child_run run = {
		.path = path, .argv = argv, .out = out, .err_out = &complaint
	};
	int status;

	arena_init(&a, SIZE_MAX);
	out->limit = INFO_MAX;
	run.input = old_input(options, &a, &run.input_size);
	status = child_run(&run, ctx, err);
	if (status < 0)
		return -1;
	if (status > 0)
		return err_plain(err, ERR_UNKNOWN,
				"failed to run %s -info: exit status %d (stderr: %s)", path,
				status, str_or(complaint.data, ""));
	return 0;
}
