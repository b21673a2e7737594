/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks.Create: reference 02 §6.3 and §2.12. */
#include <stdlib.h>
#include <string.h>

#include "api/pb.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/typeurl.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/container.h"
#include "core/image.h"
#include "core/sandbox.h"
#include "os/cgroup.h"
#include "runtime/checkpoint.h"
#include "runtime/runtime_priv.h"
#include "runtime/shim_log.h"
#include "runtime/shim_name.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"

struct creation {
	struct runtime *rt;
	struct ctx *ctx;
	const struct task_create *r;
	const char *ns;
	struct container *container;
	struct arena arena;
	const char *runtime_name;
	const struct any *options; /* of the runtime; may be not set */
	const char *checkpoint;	   /* directory, or "" */
	char *unpacked;		   /* the one that we made for it */
	const char *api_address;   /* of a shim to join, or "" */
	unsigned api_version;
	struct activation made;	     /* of the root file system */
	const struct mounts *rootfs; /* for the shim to mount */
	struct shim *shim;
};

static void creation_done(struct creation *c)
{
	container_free(c->container);
	free(c->unpacked);
	arena_done(&c->arena);
	activation_done(&c->made);
	shim_unref(c->shim);
}

/* An option without a value counts as none (reference 02 §2.12). */
static bool has_value(const struct any *any)
{
	return any != NULL && any->is_set && any->size > 0;
}

static int read_runc_options(struct creation *c, struct err *err)
{
	AUTO_ERR struct err cause = { 0 };
	Google__Protobuf__Any *any = wire_any_out(&c->arena, c->r->options);
	ProtobufCMessage *message = NULL;
	const Runc__Options *options = NULL;
	const char *slash = any == NULL ? NULL : strrchr(any->type_url, '/');

	if (slash != NULL) /* a prefix means nothing */
		any = any_wrap(&c->arena, slash + 1, any->value.data, any->value.len);
	if (any_unpack(any, &runc__options__descriptor, &c->arena, NULL, &message, &cause) < 0)
		return err_plain(err, ERR_INVALID, "invalid task create option for %s",
				c->runtime_name);
	options = (const Runc__Options *)message;
	c->checkpoint = options->criu_image_path;
	if (str_is_empty(c->api_address) && !str_is_empty(options->task_api_address)) {
		c->api_address = options->task_api_address;
		c->api_version = options->task_api_version;
	}
	return 0;
}

/* Reads the request together with the container's record. */
static int understand(struct creation *c, struct err *err)
{
	const struct task_create *r = c->r;

	c->ns = ctx_namespace(c->ctx, err);
	if (c->ns == NULL)
		return -1;
	if (container_get(c->rt->containers, c->ctx, r->id, &c->container, err) < 0)
		return -1;
	if (r->spec != NULL)
		any_set(&c->container->spec, r->spec->type_url, r->spec->value, r->spec->size);
	c->runtime_name = str_or(r->runtime_path, str_or(c->container->runtime_name, ""));
	c->options = has_value(r->options) ? r->options : &c->container->runtime_options;
	c->checkpoint = "";
	c->api_address = str_or(r->api_address, "");
	c->api_version = r->api_version;
	if (has_value(r->options) && read_runc_options(c, err) < 0)
		return -1;
	return 0;
}

/* Takes the id, so that there is one creation of it at a time. The claim keeps everybody else
 * from cleaning up what we are still building. */
static int reserve(struct creation *c, struct err *err)
{
	AUTO_FREE char *bundle = bundle_path(&c->rt->dirs, c->ns, c->r->id);
	AUTO(shim_unref) struct shim *s = shim_new(c->ns, c->r->id, bundle);

	free(s->sandbox);
	s->sandbox = xstrdup(str_or(c->container->sandbox, ""));
	s->runtime = xstrdup(c->runtime_name);
	(void)shim_claim(s);
	if (shim_table_reserve(&c->rt->table, s, err) < 0)
		return -1;
	c->shim = take_ptr(s);
	return 0;
}

static int make_bundle(struct creation *c, struct err *err)
{
	if (shim_find_binary(c->runtime_name, getenv("PATH"), &c->shim->binary, err) < 0)
		return err_wrap(err, "failed to start shim: failed to resolve runtime path");
	if (task_check_features(c->rt, c->ctx, c->shim->binary, &c->container->spec, c->options,
			    err) < 0)
		return -1;
	return bundle_create(&c->rt->dirs, c->ns, c->r->id, &c->container->spec,
			c->shim->binary, err);
}

/* A path among the options counts before an image. */
static int unpack_checkpoint(struct creation *c, struct err *err)
{
	const struct checkpoint_place place = { c->rt, c->ctx, c->ns, c->r->id };

	if (c->r->checkpoint == NULL || !str_is_empty(c->checkpoint))
		return 0;
	if (checkpoint_unpack(&place, c->r->checkpoint, &c->unpacked, err) < 0) {
		runtime_remove_bundle(c->rt, c->shim);
		return -1;
	}
	c->checkpoint = c->unpacked;
	return 0;
}

/* 1 if there is a record of the container's sandbox. Pods of 1.x have none: their shims may
 * not be able to take another container. */
static int has_sandbox(struct creation *c, struct err *err)
{
	AUTO(sandbox_free) struct sandbox *sandbox = NULL;
	AUTO_ERR struct err cause = { 0 };

	if (str_is_empty(c->shim->sandbox))
		return 0;
	if (sandbox_get(c->rt->sandboxes, c->ctx, c->shim->sandbox, &sandbox, &cause) == 0)
		return 1;
	if (cause.kind != ERR_NOT_FOUND)
		return err_move(err, &cause);
	log_warn(c->ctx, "sandbox (id=%s) not found, maybe created from v1.x",
			c->shim->sandbox);
	return 0;
}

/* 1 if there is a shim that this task is to live in. */
static int find_sandbox_shim(
		struct creation *c, struct shim_endpoint *ret_endpoint, struct err *err)
{
	AUTO(shim_unref) struct shim *pod = NULL;
	int rc = has_sandbox(c, err);

	if (rc <= 0)
		return rc;
	if (!str_is_empty(c->api_address)) {
		if (c->api_version < 3)
			return 0;
		return shim_endpoint_parse_url(
				       c->api_address, c->api_version, ret_endpoint, err) < 0
				       ? -1
				       : 1;
	}
	pod = shim_table_find(&c->rt->table, c->ns, c->shim->sandbox);
	if (pod == NULL)
		return err_set(err, ERR_NOT_FOUND, "can't find shim for sandbox %s",
				c->shim->sandbox);
	if (atomic_load(&pod->version) < 3)
		return 0;
	*ret_endpoint = pod->endpoint;
	ret_endpoint->address = xstrdup(pod->endpoint.address);
	return 1;
}

static int find_or_start(struct creation *c, struct ctx *ctx,
		struct shim_endpoint *ret_endpoint, struct err *err)
{
	struct shim_binary b = { c->shim->binary, c->ns, c->shim->id, c->shim->bundle,
		&c->rt->env };
	int rc = find_sandbox_shim(c, ret_endpoint, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return shim_binary_start(&b, ctx, c->options, ret_endpoint, err) < 0
				       ? err_wrap(err, "start failed")
				       : 0;
	c->shim->is_joined = true;
	rc = bundle_write(&c->rt->dirs, c->ns, c->shim->id, "sandbox", c->shim->sandbox,
			strlen(c->shim->sandbox), 0600);
	return rc < 0 ? err_sys(err, -rc, "write sandbox of %s", c->shim->id) : 0;
}

/* Durable before visible: once we have connected, a later daemon finds the shim as well. */
static int start_shim(struct creation *c, struct err *err)
{
	AUTO_ENDPOINT struct shim_endpoint endpoint = { 0 };
	AUTO_BUF struct buf json = { .limit = SHIM_ANSWER_MAX * 2 };
	struct ctx ctx = runtime_bounded(c->ctx, c->rt->timeouts.start);
	int rc = shim_log_open(c->rt->loop, c->shim->bundle, &c->shim->log);

	if (rc < 0)
		return err_sys(err, -rc, "open shim log pipe");
	if (find_or_start(c, &ctx, &endpoint, err) < 0)
		return -1;
	shim_endpoint_write(&endpoint, &json);
	rc = bundle_write(&c->rt->dirs, c->ns, c->shim->id, "bootstrap.json", json.data,
			json.size, 0644);
	if (rc < 0)
		return err_sys(err, -rc, "write bootstrap.json of %s", c->shim->id);
	return runtime_connect(c->rt, c->shim, &ctx, &endpoint, err);
}

static int create_in_shim(struct creation *c, uint32_t *ret_pid, struct err *err)
{
	const struct task_create *r = c->r;
	TaskV3__CreateTaskRequest request = TASK_V3__CREATE_TASK_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;

	request.id = r->id;
	request.bundle = c->shim->bundle;
	request.rootfs = wire_mounts_out(&c->arena, c->rootfs, &request.n_rootfs);
	request.terminal = r->stdio.terminal;
	request.stdin = r->stdio.in;
	request.stdout = r->stdio.out;
	request.stderr = r->stdio.err;
	request.checkpoint = c->checkpoint;
	request.options = wire_any_out(&c->arena, c->options);
	if (shim_call(c->shim, c->ctx, "Create", &request.base,
			    &task_v3__create_task_response__descriptor, &c->arena, &reply,
			    err) < 0)
		return err_wrap(err, "failed to create shim task");
	*ret_pid = ((const TaskV3__CreateTaskResponse *)reply)->pid;
	return 0;
}

/* Connect knows the pid where the answer to Create does not tell it. */
static int ask_pid(struct creation *c, uint32_t *ret_pid, struct err *err)
{
	TaskV3__ConnectRequest request = TASK_V3__CONNECT_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;

	if (*ret_pid != 0)
		return 0;
	request.id = c->r->id;
	if (shim_call(c->shim, c->ctx, "Connect", &request.base,
			    &task_v3__connect_response__descriptor, &c->arena, &reply, err) < 0)
		return err_wrap(err, "failed to get task pid");
	*ret_pid = ((const TaskV3__ConnectResponse *)reply)->task_pid;
	return 0;
}

/* What is restored from a path runs at once. */
static int start_if_asked(struct creation *c, uint32_t *ret_pid, struct err *err)
{
	const struct checkpoint_place place = { c->rt, c->ctx, c->ns, c->r->id };
	TaskV3__StartRequest request = TASK_V3__START_REQUEST__INIT;
	AUTO_FREE char *rootfs = NULL;
	ProtobufCMessage *reply = NULL;

	if (!checkpoint_starts_at_once(c->r->checkpoint))
		return 0;
	rootfs = xasprintf("%s/rootfs", c->shim->bundle);
	if (checkpoint_restore_rootfs(&place, c->checkpoint, rootfs, err) < 0)
		return err_wrap(err, "failed to create shim task");
	request.id = c->r->id;
	if (shim_call(c->shim, c->ctx, "Start", &request.base,
			    &task_v3__start_response__descriptor, &c->arena, &reply, err) < 0)
		return err_wrap(err, "failed to create shim task");
	*ret_pid = ((const TaskV3__StartResponse *)reply)->pid;
	return 0;
}

/* From now on the end of the connection is the end of the task; it may have ended already, when
 * nobody but us could notice. */
static void release(struct creation *c)
{
	atomic_store(&c->shim->is_claimed, false);
	if (channel_is_closed(c->shim->channel) && shim_claim(c->shim))
		runtime_bury(c->rt, shim_ref(c->shim), true);
}

static void expect_moves(struct job *job)
{
	struct moves *m = container_of(job, struct moves, job);

	cgroup_expect_moves();
	atomic_store(&m->is_busy, false);
}

/* The runtime moves the container's first process into its groups some milliseconds from now;
 * the kernel gets ready for it while the shim starts. */
static void warm_up(struct runtime *rt)
{
	if (atomic_exchange(&rt->moves.is_busy, true))
		return;
	rt->moves.job.run = expect_moves;
	if (!runtime_submit(rt, &rt->moves.job))
		atomic_store(&rt->moves.is_busy, false);
}

int runtime_create(struct task_service *self, struct ctx *ctx, const struct task_create *r,
		uint32_t *ret_pid, struct err *err)
{
	__attribute__((cleanup(creation_done))) struct creation c = {
		.rt = runtime_of(self), .ctx = ctx, .r = r
	};
	uint32_t pid = 0;

	ASSERT_MAY_BLOCK();
	arena_init(&c.arena, SIZE_MAX);
	if (understand(&c, err) < 0 || reserve(&c, err) < 0)
		return -1;
	warm_up(c.rt);
	if (make_bundle(&c, err) < 0 || unpack_checkpoint(&c, err) < 0) {
		(void)shim_table_remove(&c.rt->table, c.shim);
		return -1;
	}
	if (task_rootfs(c.rt, ctx, r->id, c.shim->binary, r->rootfs, &c.made, &c.rootfs, err) <
			0) {
		runtime_remove_bundle(c.rt, c.shim);
		(void)shim_table_remove(&c.rt->table, c.shim);
		return -1;
	}
	if (start_shim(&c, err) < 0) {
		(void)err_wrap(err, "failed to start shim");
		runtime_undo_create(c.rt, c.shim);
		return -1;
	}
	/* Before Create, because the event of it may reach clients before its answer us. */
	shim_table_show(&c.rt->table, c.shim);
	if (create_in_shim(&c, &pid, err) < 0 || start_if_asked(&c, &pid, err) < 0 ||
			ask_pid(&c, &pid, err) < 0) {
		runtime_undo_create(c.rt, c.shim);
		return -1;
	}
	release(&c);
	*ret_pid = pid;
	return 0;
}
