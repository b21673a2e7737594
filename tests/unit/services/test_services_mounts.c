/* SPDX-License-Identifier: Apache-2.0 */
/* The Mounts service: what is asked of core, and what is told. */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "api/pb/empty.pb-c.h"
#include "api/pb/mounts.pb-c.h"
#include "api/timestamp.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/mount_manager.h"
#include "services/services.h"
#include "support/served.h"

#define MOUNTS "containerd.services.mounts.v1.Mounts"

static void sample(const char *name, struct activation *ret)
{
	struct mount_spec active = { (char *)"tmpfs", (char *)"src", (char *)"sub", NULL };

	*ret = (struct activation){ .name = xstrdup(name) };
	activation_add(ret, &active, "/t/1/1", 42);
	strv_add(&mounts_add(&ret->system, "bind", "/t/1/1", "")->options, "rbind");
	labels_set(&ret->labels, "k", "v");
}

static bool is_needed(struct mount_manager *self, const struct mounts *mounts)
{
	return true;
}

static int activate(struct mount_manager *self, struct ctx *ctx, const struct mount_activate *r,
		struct activation *ret, struct err *err)
{
	assert_string_equal(ctx->ns, "ns");
	assert_int_equal(r->mounts->count, 1);
	assert_string_equal(r->mounts->items[0].source, "given");
	assert_string_equal(labels_find(r->labels, "a"), "b");
	assert_true(r->temporary);
	assert_null(r->allowed);
	if (strcmp(r->name, "taken") == 0)
		return err_set(err, ERR_EXISTS, "mount taken");
	sample(r->name, ret);
	return 0;
}

static int deactivate(
		struct mount_manager *self, struct ctx *ctx, const char *name, struct err *err)
{
	return strcmp(name, "m") == 0 ? 0 : err_set(err, ERR_NOT_FOUND, "mount");
}

static int info(struct mount_manager *self, struct ctx *ctx, const char *name,
		struct activation *ret, struct err *err)
{
	sample(name, ret);
	return 0;
}

static int list(struct mount_manager *self, struct ctx *ctx, activation_each each, void *arg,
		struct err *err)
{
	static const char *const names[] = { "a", "b", "c" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		AUTO_ACTIVATION struct activation one = { 0 };

		sample(names[i], &one);
		if (each(arg, &one, err) < 0)
			return -1;
	}
	return 0;
}

static const struct mount_manager_ops ops = { is_needed, activate, deactivate, info, list };

struct world {
	struct mount_manager manager;
	struct mounts_service service;
	struct served *served;
	struct err err;
};

static int begin(void **state)
{
	struct world *w = xzalloc(sizeof(*w));

	w->manager.ops = &ops;
	w->service.manager = &w->manager;
	w->served = serve((struct served_service[]){
			{ &mounts_service, &w->service }, { NULL, NULL } });
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	served_free(w->served);
	err_clear(&w->err);
	free(w);
	return 0;
}

static void check(const Types__ActivationInfo *i, const char *name)
{
	assert_string_equal(i->name, name);
	assert_int_equal(i->n_active, 1);
	assert_string_equal(i->active[0]->mount->target, "sub");
	assert_string_equal(i->active[0]->mount_point, "/t/1/1");
	assert_int_equal(timestamp_ns(i->active[0]->mounted_at), 42);
	assert_int_equal(i->n_system, 1);
	assert_string_equal(i->system[0]->options[0], "rbind");
	assert_string_equal(i->labels[0]->value, "v");
}

#define CALL(method, request, response, ret)                                                   \
	served_call(w->served, MOUNTS, method, &(request).base, &response##__descriptor, ret,  \
			&w->err)

static void activations_travel_in_full(void **state)
{
	struct world *w = *state;
	Mounts__ActivateRequest r = MOUNTS__ACTIVATE_REQUEST__INIT;
	Mounts__ActivateRequest__LabelsEntry l = MOUNTS__ACTIVATE_REQUEST__LABELS_ENTRY__INIT;
	Mounts__ActivateRequest__LabelsEntry *labels[] = { &l };
	Types__Mount m = TYPES__MOUNT__INIT, *mounts[] = { &m };
	Mounts__ActivateResponse *made = NULL;

	r.name = "m";
	r.temporary = 1;
	m.source = "given";
	r.mounts = mounts;
	r.n_mounts = 1;
	l.key = "a";
	l.value = "b";
	r.labels = labels;
	r.n_labels = 1;
	assert_ok(CALL("Activate", r, mounts__activate_response, &made), &w->err);
	check(made->info, "m");
	r.name = "taken";
	assert_int_equal(CALL("Activate", r, mounts__activate_response, &made), -1);
	assert_int_equal(w->err.kind, ERR_EXISTS);
}

static void the_other_calls_reach_core(void **state)
{
	struct world *w = *state;
	Mounts__InfoRequest i = MOUNTS__INFO_REQUEST__INIT;
	Mounts__DeactivateRequest d = MOUNTS__DEACTIVATE_REQUEST__INIT;
	Mounts__UpdateRequest u = MOUNTS__UPDATE_REQUEST__INIT;
	Mounts__InfoResponse *found = NULL;

	i.name = "x";
	assert_ok(CALL("Info", i, mounts__info_response, &found), &w->err);
	check(found->info, "x");
	d.name = "m";
	assert_ok(CALL("Deactivate", d, google__protobuf__empty, NULL), &w->err);
	d.name = "n";
	assert_int_equal(CALL("Deactivate", d, google__protobuf__empty, NULL), -1);
	assert_int_equal(w->err.kind, ERR_NOT_FOUND);
	err_clear(&w->err);
	assert_int_equal(CALL("Update", u, mounts__update_response, NULL), -1);
	assert_int_equal(w->err.kind, ERR_UNIMPLEMENTED);
}

static void a_list_is_a_stream_of_one_each(void **state)
{
	static const char *const names[] = { "a", "b", "c" };
	struct world *w = *state;
	Mounts__ListRequest r = MOUNTS__LIST_REQUEST__INIT;
	AUTO(rpc_stream_free) struct rpc_stream *s = NULL;
	ProtobufCMessage *m = NULL;

	assert_ok(channel_stream(w->served->channel, &w->served->ctx, MOUNTS, "List", &s,
				  &w->err),
			&w->err);
	assert_ok(rpc_stream_send(s, &r.base, &w->err), &w->err);
	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(rpc_stream_recv(s, &mounts__list_message__descriptor,
						 &w->served->arena, &m, &w->err),
				1);
		check(((Mounts__ListMessage *)m)->info, names[i]);
	}
	assert_int_equal(rpc_stream_recv(s, &mounts__list_message__descriptor,
					 &w->served->arena, &m, &w->err),
			0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(activations_travel_in_full),
		T(the_other_calls_reach_core),
		T(a_list_is_a_stream_of_one_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
