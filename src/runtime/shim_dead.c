/* SPDX-License-Identifier: Apache-2.0 */
/* What to do when a shim has gone: reference 02 §2.13. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/pb/empty.pb-c.h"
#include "api/pb/event.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/timestamp.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event.h"
#include "os/cgroup.h"
#include "os/unix_socket.h"
#include "runtime/runtime_priv.h"
#include "runtime/shim_name.h"
#include "text/json.h"
#include "text/json_span.h"
#include "wire/wire_event.h"

#define SPEC_MAX	   ((size_t)16 << 20)
#define DEFAULT_SOCKET_DIR "/run/containerd/s"
#define CGROUP_TRIES	   20
#define CGROUP_WAIT_MS	   10
#define SOCKET_TRIES	   20
#define SOCKET_WAIT_MS	   10
#define STATUS_UNKNOWN	   255 /* told when nobody knows the exit status */

void runtime_run_delete(struct runtime *rt, struct shim *shim, struct shim_exit *ret_exit)
{
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = runtime_ctx(shim->ns, rt->timeouts.cleanup, "shim delete");
	struct shim_binary b = { shim->binary, shim->ns, shim->id, shim->bundle, &rt->env };

	*ret_exit = (struct shim_exit){ 0, STATUS_UNKNOWN, clock_wall_ns() };
	if (shim->binary == NULL)
		return;
	if (shim_binary_delete(&b, &ctx, ret_exit, &err) < 0)
		log_warn(&ctx, "clean up after shim of %s: %s (ignored)", shim->id,
				err_text(&err));
}

void runtime_remove_bundle(struct runtime *rt, const struct shim *shim)
{
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = runtime_ctx(shim->ns, rt->timeouts.cleanup, "bundle");

	if (bundle_remove(dirs_of(rt, shim), &ctx, shim->ns, shim->id, &err) < 0)
		log_warn(&ctx, "remove bundle of %s: %s (ignored)", shim->id, err_text(&err));
}

static void tell_of(struct runtime *rt, const char *ns, const char *topic,
		const ProtobufCMessage *message)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_ANY struct any payload = { 0 };
	struct ctx ctx = { .ns = ns };

	wire_payload(message, &payload);
	if (event_publish(rt->events, &ctx, topic, &payload, &err) < 0)
		log_warn(&ctx, "publish %s: %s (ignored)", topic, err_text(&err));
}

static void tell_end(struct runtime *rt, const struct shim *shim, const struct shim_exit *exit)
{
	Google__Protobuf__Timestamp when = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Event__TaskExit ended = EVENT__TASK_EXIT__INIT;
	Event__TaskDelete deleted = EVENT__TASK_DELETE__INIT;

	timestamp_set(&when, exit->exited_ns);
	ended.container_id = ended.id = deleted.container_id = shim->id;
	ended.pid = deleted.pid = exit->pid;
	ended.exit_status = deleted.exit_status = exit->status;
	ended.exited_at = deleted.exited_at = &when;
	tell_of(rt, shim->ns, "/tasks/exit", &ended.base);
	tell_of(rt, shim->ns, "/tasks/delete", &deleted.base);
}

struct burial {
	struct job job;
	struct runtime *rt;
	struct shim *shim;
	bool tell;
};

/* Clients are told last: they may create the same task again at once. */
static void bury(struct job *job)
{
	struct burial *b = container_of(job, struct burial, job);
	struct shim_exit exit;

	runtime_run_delete(b->rt, b->shim, &exit);
	runtime_stop_orphan(b->rt, b->shim);
	runtime_remove_cgroup(b->rt, b->shim);
	runtime_remove_bundle(b->rt, b->shim);
	if (shim_table_remove(&b->rt->table, b->shim) && b->tell)
		tell_end(b->rt, b->shim, &exit);
	shim_unref(b->shim);
	free(b);
}

void runtime_bury(struct runtime *rt, struct shim *own_shim, bool tell)
{
	struct burial *b = xzalloc(sizeof(*b));

	*b = (struct burial){ { .run = bury }, rt, own_shim, tell };
	if (runtime_submit(rt, &b->job))
		return;
	shim_unref(own_shim);
	free(b);
}

static void read_spec(struct runtime *rt, const struct shim *shim, struct buf *spec)
{
	if (bundle_read(dirs_of(rt, shim), shim->ns, shim->id, "config.json", spec) < 0)
		buf_clear(spec);
}

bool runtime_has_no_socket(const struct shim *shim)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *socket = NULL;

	return shim->endpoint.address != NULL &&
	       shim_endpoint_socket(&shim->endpoint, &socket, &err) == 0 && socket[0] == '/' &&
	       access(socket, F_OK) < 0 && errno == ENOENT;
}

/* Ends it if it has no task. False if it ended without an answer, which says nothing of its
 * socket. */
static bool shut_down_at(struct runtime *rt, const struct shim *shim, const char *socket)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_ARENA struct arena a = { 0 };
	AUTO(shim_unref) struct shim *orphan = shim_new(shim->ns, shim->id, shim->bundle);
	AUTO_ENDPOINT struct shim_endpoint endpoint = { 3, xasprintf("unix://%s", socket),
		false };
	struct ctx ctx = runtime_ctx(shim->ns, rt->timeouts.shutdown, "orphan");
	TaskV3__ShutdownRequest request = TASK_V3__SHUTDOWN_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;

	arena_init(&a, SIZE_MAX);
	request.id = shim->id;
	request.now = 1;
	return (runtime_connect(rt, orphan, &ctx, &endpoint, &err) == 0 &&
			       shim_call(orphan, &ctx, "Shutdown", &request.base,
					       &google__protobuf__empty__descriptor, &a, &reply,
					       &err) == 0) ||
	       err.kind != ERR_UNAVAILABLE;
}

/* A process that is just being killed still takes connections. */
static void stop_at(struct runtime *rt, const struct shim *shim, const char *socket)
{
	for (int i = 0; i < SOCKET_TRIES; i++) {
		int rc = unix_probe(socket);

		if (rc == -ECONNREFUSED)
			(void)unlink(socket); /* what a helper left that was killed */
		if (rc < 0 || shut_down_at(rt, shim, socket))
			return;
		(void)poll(NULL, 0, SOCKET_WAIT_MS);
	}
}

/* Shims older than 2.3 have their socket in the usual place, wherever we want it. */
void runtime_stop_orphan(struct runtime *rt, const struct shim *shim)
{
	const char *dirs[] = { str_or(rt->env.socket_dir, DEFAULT_SOCKET_DIR),
		DEFAULT_SOCKET_DIR };
	AUTO_BUF struct buf spec = { .limit = SPEC_MAX };
	AUTO_FREE char *group = NULL;

	read_spec(rt, shim, &spec);
	group = shim_group_of(spec.data, spec.size, shim->id);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		AUTO_FREE char *socket = shim_socket_path(
				dirs[i], rt->env.grpc_address, shim->ns, group);

		stop_at(rt, shim, socket);
	}
}

/* The text at linux.cgroupsPath; owned, NULL if there is none. */
static char *cgroup_of(const struct buf *spec)
{
	static const char *const path[] = { "linux", "cgroupsPath", NULL };
	AUTO_ERR struct err err = { 0 };
	AUTO(json_free) struct json *value = NULL;
	struct json_span span;

	if (spec->size == 0 || json_span_find(spec->data, spec->size, path, &span, &err) <= 0 ||
			json_parse(span.data, span.size, &value, &err) < 0)
		return NULL;
	return xstrdup(json_text(value));
}

void runtime_remove_cgroup(struct runtime *rt, const struct shim *shim)
{
	AUTO_BUF struct buf spec = { .limit = SPEC_MAX };
	AUTO_FREE char *group = NULL;

	read_spec(rt, shim, &spec);
	group = cgroup_of(&spec);
	if (group == NULL)
		return;
	/* Who was killed may still be leaving. */
	for (int tries = 0; cgroup_remove(group) == -EBUSY && tries < CGROUP_TRIES; tries++)
		(void)poll(NULL, 0, CGROUP_WAIT_MS);
}
