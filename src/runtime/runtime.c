/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runtime.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/pb.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/timestamp.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/any.h"
#include "runtime/runtime_priv.h"
#include "runtime/shim_name.h"

/* Threads for clean-up. Each waits for a child or a shim most of the time, and is bounded. */
#define POOL_THREADS   16
#define POOL_QUEUE     SIZE_MAX
#define SETTLE_STEP_MS 1

static int runtime_info(struct task_service *self, struct ctx *ctx, const char *runtime_path,
		const struct any *options, struct any *ret_info, struct err *err)
{
	struct runtime *rt = runtime_of(self);
	struct ctx bounded = runtime_bounded(ctx, rt->timeouts.start);
	AUTO_FREE char *binary = NULL;
	AUTO_BUF struct buf out = { 0 };

	if (shim_find_binary(runtime_path, getenv("PATH"), &binary, err) < 0)
		return err_wrap(err, "failed to resolve runtime path");
	if (shim_binary_info(binary, &bounded, options, &out, err) < 0)
		return -1;
	any_set(ret_info, "containerd.types.RuntimeInfo", out.data, out.size);
	return 0;
}

static const struct task_service_ops service_ops = {
	.create = runtime_create,
	.call = runtime_call,
	.runtime_info = runtime_info,
};

static char *own_binary(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n < 0 ? 0 : n] = '\0';
	return xstrdup(self);
}

static void fill_env(struct shim_env *env, const struct runtime_options *o)
{
	*env = (struct shim_env){
		.grpc_address = xstrdup(str_or(o->grpc_address, "")),
		.ttrpc_address = xstrdup(str_or(o->ttrpc_address, "")),
		.daemon_binary = str_is_empty(o->daemon_binary) ? own_binary()
								: xstrdup(o->daemon_binary),
		.daemon_version = xstrdup(str_or(o->daemon_version, "")),
		.socket_dir = xstrdup(str_or(o->socket_dir, "")),
		.extra = strv_dup(o->shim_env),
		.debug = o->debug,
	};
}

static int64_t or_default(int64_t ns, int64_t seconds)
{
	return ns > 0 ? ns : seconds * NS_PER_S;
}

int runtime_new(const struct runtime_options *o, struct runtime **ret_runtime, struct err *err)
{
	struct bundle_dirs dirs = { 0 };
	struct runtime *rt = NULL;

	ASSERT_MAY_BLOCK();
	if (bundle_dirs_open(o->state_dir, o->root_dir, &dirs, err) < 0)
		return -1;
	rt = xzalloc(sizeof(*rt));
	rt->service.ops = &service_ops;
	rt->loop = o->loop;
	rt->containers = o->containers;
	rt->sandboxes = o->sandboxes;
	rt->mounts = o->mounts;
	rt->events = o->events;
	rt->dirs = dirs;
	rt->timeouts = (struct runtime_timeouts){
		.start = or_default(o->timeouts.start, 100),
		.cleanup = or_default(o->timeouts.cleanup, 5),
		.shutdown = or_default(o->timeouts.shutdown, 3),
		.state = or_default(o->timeouts.state, 2),
		.stats = or_default(o->timeouts.stats, 2),
	};
	fill_env(&rt->env, o);
	shim_table_init(&rt->table);
	mutex_init(&rt->lock, RANK_task);
	atomic_init(&rt->refs, 1);
	rt->pool = pool_new("runtime", POOL_THREADS, POOL_QUEUE);
	*ret_runtime = rt;
	return 0;
}

void runtime_use_content(
		struct runtime *rt, struct content_store *content, struct differ *differ)
{
	rt->content = content;
	rt->differ = differ;
}

struct task_service *runtime_tasks(struct runtime *rt)
{
	return &rt->service;
}

static void free_env(struct shim_env *env)
{
	free((char *)env->grpc_address);
	free((char *)env->ttrpc_address);
	free((char *)env->daemon_binary);
	free((char *)env->daemon_version);
	free((char *)env->socket_dir);
	strv_free((char **)env->extra);
}

struct runtime *runtime_ref(struct runtime *rt)
{
	atomic_fetch_add(&rt->refs, 1);
	return rt;
}

void runtime_unref(struct runtime *rt)
{
	if (atomic_fetch_sub(&rt->refs, 1) > 1)
		return;
	shim_table_done(&rt->table);
	mutex_done(&rt->lock);
	free_env(&rt->env);
	free(rt);
}

/* Closing our side of the connections ends their watchers, as soon as the loop gets to it. */
void runtime_free(struct runtime *rt)
{
	struct shim **list;
	size_t count;

	if (rt == NULL)
		return;
	ASSERT_MAY_BLOCK();
	mutex_lock(&rt->lock);
	rt->is_ending = true;
	mutex_unlock(&rt->lock);
	pool_free(rt->pool);
	list = shim_table_list(&rt->table, NULL, &count);
	for (size_t i = 0; i < count; i++) {
		shim_close(list[i]);
		(void)shim_table_remove(&rt->table, list[i]);
	}
	shim_list_free(list, count);
	bundle_dirs_close(&rt->dirs);
	if (rt->has_pods)
		bundle_dirs_close(&rt->pod_dirs);
	runtime_unref(rt);
}

bool runtime_submit(struct runtime *rt, struct job *job)
{
	LOCKED(&rt->lock);
	return !rt->is_ending && pool_submit(rt->pool, job);
}

/* Not our business (any more). */
static bool is_leaving(struct runtime *rt)
{
	LOCKED(&rt->lock);
	return rt->is_ending || rt->is_passive;
}

static void lost(void *arg, const char *ns, const char *id, const struct shim_link *link)
{
	struct runtime *rt = arg;
	struct shim *s = is_leaving(rt) ? NULL : shim_table_find(&rt->table, ns, id);

	if (s != NULL && s->link == link && shim_claim(s)) {
		log_info(&(struct ctx){ .ns = ns }, "shim disconnected, id %s", id);
		runtime_bury(rt, take_ptr(s), true);
	}
	shim_unref(s);
	runtime_unref(rt);
}

bool runtime_settle(struct runtime *rt, int64_t mono_deadline_ns)
{
	ASSERT_MAY_BLOCK();
	while (pool_busy(rt->pool) > 0) {
		if (clock_mono_ns() >= mono_deadline_ns)
			return false;
		(void)poll(NULL, 0, SETTLE_STEP_MS);
	}
	return true;
}

static void bury_lost(struct runtime *rt)
{
	size_t count;
	struct shim **list = shim_table_list(&rt->table, NULL, &count);

	for (size_t i = 0; i < count; i++)
		if (channel_is_closed(list[i]->channel) && shim_claim(list[i]))
			runtime_bury(rt, shim_ref(list[i]), true);
	shim_list_free(list, count);
}

void runtime_set_passive(struct runtime *rt, bool on)
{
	bool was_on;

	mutex_lock(&rt->lock);
	was_on = rt->is_passive;
	rt->is_passive = on;
	mutex_unlock(&rt->lock);
	if (was_on && !on)
		bury_lost(rt);
}

int runtime_connect(struct runtime *rt, struct shim *s, struct ctx *ctx,
		struct shim_endpoint *own_endpoint, struct err *err)
{
	if (shim_connect(s, rt->loop, ctx, own_endpoint, lost, runtime_ref(rt), err) == 0)
		return 0;
	runtime_unref(rt);
	return -1;
}

struct ctx runtime_ctx(const char *ns, int64_t timeout_ns, const char *what)
{
	return (struct ctx){
		.ns = ns, .deadline_ns = clock_mono_ns() + timeout_ns, .what = what
	};
}

struct ctx runtime_bounded(const struct ctx *ctx, int64_t timeout_ns)
{
	struct ctx bounded = *ctx;
	int64_t limit = clock_mono_ns() + timeout_ns;

	if (bounded.deadline_ns == 0 || bounded.deadline_ns > limit)
		bounded.deadline_ns = limit;
	return bounded;
}

int shim_answer(const struct shim *s, const struct rpc_answer *answer,
		const ProtobufCMessageDescriptor *type, struct arena *a,
		ProtobufCMessage **ret_message, struct err *err)
{
	if (answer->err != NULL) {
		shim_translate(s, answer->err, err);
		return -1;
	}
	return pb_decode(type, answer->data, answer->size, a, &pb_limits_reply, ret_message,
			err);
}

struct task_process shim_state_in(const TaskV3__StateResponse *m, const char *id)
{
	return (struct task_process){
		.id = id,
		.pid = m->pid,
		.status = (enum task_status)m->status,
		.stdio = { m->stdin, m->stdout, m->stderr, m->terminal },
		.exit_status = m->exit_status,
		.exited_ns = m->exited_at == NULL ? CLOCK_UNSET : timestamp_ns(m->exited_at),
	};
}
