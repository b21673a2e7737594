/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List and Metrics: every task of a namespace is asked at the same time, each for a bounded
 * while; those that do not answer are left out.
 */
#include <stdlib.h>

#include "api/pb.h"
#include "api/pb/task_v3.pb-c.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/filter.h"
#include "runtime/runtime_priv.h"
#include "wire/wire_map.h"

struct asked {
	struct shim_ask ask;
	struct gathering *all;
	struct arena arena; /* request and answer */
	bool is_there;
	struct task_process process;
	struct task_metric metric;
};

struct gathering {
	struct runtime *rt;
	enum task_verb verb;
	task_done done;
	void *arg;
	struct asked *list;
	size_t count;
	_Atomic size_t left; /* answers to come, and one while we are still asking */
};

static void gathering_free(struct gathering *g)
{
	for (size_t i = 0; i < g->count; i++) {
		shim_unref(g->list[i].ask.shim);
		arena_done(&g->list[i].arena);
	}
	runtime_unref(g->rt);
	free(g->list);
	free(g);
}

static void answer(struct gathering *g)
{
	AUTO_FREE struct task_process *processes = xcalloc(g->count + 1, sizeof(*processes));
	AUTO_FREE struct task_metric *metrics = xcalloc(g->count + 1, sizeof(*metrics));
	struct task_reply reply = { 0 };

	for (size_t i = 0; i < g->count; i++) {
		if (!g->list[i].is_there)
			continue;
		processes[reply.count] = g->list[i].process;
		metrics[reply.count++] = g->list[i].metric;
	}
	if (g->verb == TASK_LIST)
		reply.processes = processes;
	else
		reply.metrics = metrics;
	g->done(g->arg, &reply, NULL);
}

/* Whoever takes the last one away answers. */
static void one_less(struct gathering *g)
{
	if (atomic_fetch_sub(&g->left, 1) > 1)
		return;
	answer(g);
	gathering_free(g);
}

static void read_state(struct asked *a, const ProtobufCMessage *message)
{
	a->process = shim_state_in((const TaskV3__StateResponse *)message, a->ask.shim->id);
}

static void read_stats(struct asked *a, const ProtobufCMessage *message)
{
	const TaskV3__StatsResponse *m = (const TaskV3__StatsResponse *)message;

	a->metric = (struct task_metric){ .id = a->ask.shim->id,
		.runtime = a->ask.shim->runtime,
		.when_ns = clock_wall_ns(),
		.data = wire_any_in(m->stats) };
}

static void answered(struct shim_ask *ask, const struct rpc_answer *reply)
{
	struct asked *a = container_of(ask, struct asked, ask);
	bool is_list = a->all->verb == TASK_LIST;
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message = NULL;

	if (shim_answer(ask->shim, reply,
			    is_list ? &task_v3__state_response__descriptor
				    : &task_v3__stats_response__descriptor,
			    &a->arena, &message, &err) == 0) {
		(is_list ? read_state : read_stats)(a, message);
		a->is_there = true;
	} else if (err.kind != ERR_NOT_FOUND) {
		log_warn(&ask->ctx, "%s of task %s: %s (ignored)", ask->method, ask->shim->id,
				err_text(&err));
	}
	one_less(a->all);
}

static void make_state(struct asked *a)
{
	TaskV3__StateRequest *m =
			ARENA_NEW(&a->arena, TaskV3__StateRequest, task_v3__state_request);

	m->id = a->ask.shim->id;
	a->ask.request = &m->base;
	a->ask.method = "State";
	a->ask.ctx = runtime_bounded(&a->ask.ctx, a->all->rt->timeouts.state);
}

static void make_stats(struct asked *a)
{
	TaskV3__StatsRequest *m =
			ARENA_NEW(&a->arena, TaskV3__StatsRequest, task_v3__stats_request);

	m->id = a->ask.shim->id;
	a->ask.request = &m->base;
	a->ask.method = "Stats";
	a->ask.ctx = runtime_bounded(&a->ask.ctx, a->all->rt->timeouts.stats);
}

static bool field_of(void *object, char *const *path, size_t n, const char **ret_value)
{
	const struct shim *s = object;

	*ret_value = "";
	if (str_eq(path[0], "id"))
		*ret_value = s->id;
	else if (str_eq(path[0], "namespace"))
		*ret_value = s->ns;
	return (*ret_value)[0] != '\0';
}

/* Keeps the references of those that match, drops the others. */
static int select_shims(
		struct shim **list, size_t *count, char *const *filters, struct err *err)
{
	AUTO(filter_free) struct filter *filter = NULL;
	size_t kept = 0, i = 0;

	if (filter_parse(filters, &filter, err) < 0)
		return -1;
	for (; i < *count && err->kind == ERR_NONE; i++) {
		if (filter_match(filter, field_of, list[i], err))
			list[kept++] = list[i];
		else
			shim_unref(list[i]);
	}
	for (; i < *count; i++)
		shim_unref(list[i]);
	*count = kept;
	return err->kind == ERR_NONE ? 0 : -1;
}

static void ask_all(struct gathering *g, const struct ctx *ctx, struct shim **shims)
{
	atomic_init(&g->left, g->count + 1);
	for (size_t i = 0; i < g->count; i++) {
		struct asked *a = &g->list[i];

		a->all = g;
		arena_init(&a->arena, SIZE_MAX);
		a->ask.shim = shims[i];
		a->ask.ctx = *ctx;
		a->ask.done = answered;
		(g->verb == TASK_LIST ? make_state : make_stats)(a);
		shim_ask(&a->ask);
	}
	one_less(g);
}

void runtime_gather(struct runtime *rt, struct ctx *ctx, const struct task_request *r,
		task_done done, void *arg)
{
	AUTO_ERR struct err err = { 0 };
	const char *ns = ctx_namespace(ctx, &err);
	AUTO_FREE struct shim **shims = NULL;
	struct gathering *g = NULL;
	size_t count = 0;

	if (ns != NULL)
		shims = shim_table_list(&rt->table, ns, &count);
	if (ns == NULL || (r->verb == TASK_METRICS &&
					  select_shims(shims, &count, r->metrics.filters,
							  &err) < 0)) {
		for (size_t i = 0; i < count; i++)
			shim_unref(shims[i]);
		done(arg, NULL, &err);
		return;
	}
	g = xzalloc(sizeof(*g));
	g->rt = runtime_ref(rt);
	g->verb = r->verb;
	g->done = done;
	g->arg = arg;
	g->count = count;
	g->list = xcalloc(count + 1, sizeof(*g->list));
	ask_all(g, ctx, shims);
}
