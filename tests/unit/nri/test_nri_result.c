/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include "api/arena.h"
#include "base/str.h"
#include "nri/nri_result.h"
#include "nri/nri_values.h"

static struct arena arena;

static Nri__Mount *mount(const char *destination, const char *source)
{
	Nri__Mount *m = ARENA_NEW(&arena, Nri__Mount, nri__mount);

	m->destination = destination;
	m->source = source;
	return m;
}

static Nri__KeyValue *env(const char *key, const char *value)
{
	Nri__KeyValue *kv = ARENA_NEW(&arena, Nri__KeyValue, nri__key_value);

	kv->key = key;
	kv->value = value;
	return kv;
}

static Nri__Container *container(void)
{
	Nri__Container *c = ARENA_NEW(&arena, Nri__Container, nri__container);
	static const char *variables[] = { "PATH=/bin", "A=1" };

	c->id = "c1";
	c->env = variables;
	c->n_env = 2;
	nri_add(&arena, &c->n_mounts, &c->mounts, mount("/proc", "proc"));
	nri_add(&arena, &c->n_mounts, &c->mounts, mount("/data", "/old"));
	return c;
}

static Nri__ContainerAdjustment *wish(void)
{
	return ARENA_NEW(&arena, Nri__ContainerAdjustment, nri__container_adjustment);
}

static void annotate(Nri__ContainerAdjustment *a, const char *key, const char *value)
{
	const struct nri_map m =
			NRI_MAP(a, annotations, nri__container_adjustment__annotations_entry);

	nri_map_put(&arena, &m, key, value);
}

static Nri__LinuxResources *limits(int64_t memory, uint64_t shares)
{
	Nri__LinuxResources *r = ARENA_NEW(&arena, Nri__LinuxResources, nri__linux_resources);

	if (memory != 0) {
		r->memory = ARENA_NEW(&arena, Nri__LinuxMemory, nri__linux_memory);
		r->memory->limit = ARENA_NEW(&arena, Nri__OptionalInt64, nri__optional_int64);
		r->memory->limit->value = memory;
	}
	if (shares != 0) {
		r->cpu = ARENA_NEW(&arena, Nri__LinuxCPU, nri__linux_cpu);
		r->cpu->shares = ARENA_NEW(&arena, Nri__OptionalUInt64, nri__optional_uint64);
		r->cpu->shares->value = shares;
	}
	return r;
}

static Nri__LinuxResources *with_pids(Nri__LinuxResources *r, int64_t limit)
{
	r->pids = ARENA_NEW(&arena, Nri__LinuxPids, nri__linux_pids);
	r->pids->limit = limit;
	return r;
}

static void set_unified(Nri__LinuxResources *r, const char *key, const char *value)
{
	const struct nri_map m = NRI_MAP(r, unified, nri__linux_resources__unified_entry);

	nri_map_set(&arena, &m, key, value);
}

static Nri__ContainerUpdate *update(const char *id, Nri__LinuxResources *r)
{
	Nri__ContainerUpdate *u =
			ARENA_NEW(&arena, Nri__ContainerUpdate, nri__container_update);

	u->container_id = id;
	u->linux = ARENA_NEW(&arena, Nri__LinuxContainerUpdate, nri__linux_container_update);
	u->linux->resources = r;
	return u;
}

static const char *annotation(const Nri__ContainerAdjustment *a, const char *key)
{
	for (size_t i = 0; i < a->n_annotations; i++)
		if (str_eq(a->annotations[i]->key, key))
			return a->annotations[i]->value;
	return NULL;
}

static int start(void **state)
{
	arena_init(&arena, SIZE_MAX);
	return 0;
}

static int end(void **state)
{
	arena_done(&arena);
	return 0;
}

static void plugins_that_set_different_things_add_up(void **state)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO_ERR struct err err = { 0 };
	Nri__ContainerAdjustment *a = wish(), *b = wish();

	nri_result_of_create(&r, &arena, container());
	annotate(a, "x", "1");
	nri_add(&arena, &a->n_env, &a->env, env("B", "2"));
	annotate(b, "y", "2");
	nri_add(&arena, &b->n_mounts, &b->mounts, mount("/new", "/src"));
	assert_ok(nri_result_adjust(&r, a, "00-a", &err), &err);
	assert_int_equal(r.created->n_env, 3); /* the next one sees it */
	assert_string_equal(r.created->env[2], "B=2");
	assert_ok(nri_result_adjust(&r, b, "10-b", &err), &err);
	assert_string_equal(annotation(r.adjust, "x"), "1");
	assert_string_equal(annotation(r.adjust, "y"), "2");
	assert_int_equal(r.adjust->n_mounts, 1);
	assert_int_equal(r.created->n_mounts, 3);
}

static void two_plugins_that_set_the_same_contradict_each_other(void **state)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO_ERR struct err err = { 0 };
	Nri__ContainerAdjustment *a = wish();

	nri_result_of_create(&r, &arena, container());
	annotate(a, "x", "1");
	a->linux = ARENA_NEW(
			&arena, Nri__LinuxContainerAdjustment, nri__linux_container_adjustment);
	a->linux->resources = limits(0, 7);
	assert_ok(nri_result_adjust(&r, a, "00-a", &err), &err);
	assert_int_equal(nri_result_adjust(&r, a, "10-b", &err), -1);
	assert_string_equal(err_text(&err),
			"plugins \"10-b\" and \"00-a\" both tried to set Annotations x");
	err_clear(&err);
	a->n_annotations = 0;
	assert_int_equal(nri_result_adjust(&r, a, "10-b", &err), -1);
	assert_string_equal(err_text(&err),
			"plugins \"10-b\" and \"00-a\" both tried to set CPUShares ");
}

static void what_is_removed_first_may_be_set_again(void **state)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO_ERR struct err err = { 0 };
	Nri__ContainerAdjustment *a = wish(), *b = wish();

	nri_result_of_create(&r, &arena, container());
	annotate(a, "x", "1");
	nri_add(&arena, &a->n_mounts, &a->mounts, mount("/m", "/a"));
	annotate(b, "-x", "");
	annotate(b, "x", "2");
	nri_add(&arena, &b->n_mounts, &b->mounts, mount("-/m", ""));
	nri_add(&arena, &b->n_mounts, &b->mounts, mount("/m", "/b"));
	assert_ok(nri_result_adjust(&r, a, "00-a", &err), &err);
	assert_ok(nri_result_adjust(&r, b, "10-b", &err), &err);
	assert_string_equal(annotation(r.adjust, "x"), "2");
	assert_int_equal(r.adjust->n_mounts, 1);
	assert_string_equal(r.adjust->mounts[0]->source, "/b");
	/* ... but by that plugin alone */
	assert_int_equal(nri_result_adjust(&r, a, "20-c", &err), -1);
}

static void a_mark_removes_what_the_container_had(void **state)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO_ERR struct err err = { 0 };
	Nri__ContainerAdjustment *a = wish();

	nri_result_of_create(&r, &arena, container());
	nri_add(&arena, &a->n_mounts, &a->mounts, mount("-/data", ""));
	nri_add(&arena, &a->n_env, &a->env, env("-A", ""));
	assert_ok(nri_result_adjust(&r, a, "00-a", &err), &err);
	assert_int_equal(r.created->n_mounts, 1);
	assert_int_equal(r.created->n_env, 1);
	assert_string_equal(r.adjust->mounts[0]->destination, "-/data");
	assert_string_equal(r.adjust->env[0]->key, "-A");
}

static void a_mount_takes_the_place_of_the_one_that_was_there(void **state)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO_ERR struct err err = { 0 };
	Nri__ContainerAdjustment *a = wish();

	nri_result_of_create(&r, &arena, container());
	nri_add(&arena, &a->n_mounts, &a->mounts, mount("/data", "/new"));
	assert_ok(nri_result_adjust(&r, a, "00-a", &err), &err);
	assert_int_equal(r.created->n_mounts, 2);
	assert_string_equal(r.created->mounts[1]->source, "/new");
}

static void hooks_may_be_added_by_all(void **state)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO_ERR struct err err = { 0 };
	Nri__ContainerAdjustment *a = wish();

	nri_result_of_create(&r, &arena, container());
	a->hooks = ARENA_NEW(&arena, Nri__Hooks, nri__hooks);
	nri_add(&arena, &a->hooks->n_prestart, &a->hooks->prestart,
			ARENA_NEW(&arena, Nri__Hook, nri__hook));
	assert_ok(nri_result_adjust(&r, a, "00-a", &err), &err);
	assert_ok(nri_result_adjust(&r, a, "10-b", &err), &err);
	assert_int_equal(r.adjust->hooks->n_prestart, 2);
	assert_string_equal(
			nri_owner(&r.owners, "c1", NRI__FIELD__OciHooks, NULL), "00-a,10-b");
}

static void nobody_updates_the_container_that_is_being_created(void **state)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO_ERR struct err err = { 0 };
	Nri__ContainerUpdate *u = update("c1", limits(1, 0));

	nri_result_of_create(&r, &arena, container());
	assert_int_equal(nri_result_update(&r, 1, &u, "00-a", &err), -1);
	assert_string_equal(err_text(&err),
			"plugin \"00-a\" asked update of \"c1\" during creation");
}

static void updates_of_one_container_are_put_together(void **state)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO_ERR struct err err = { 0 };
	Nri__ContainerUpdate *a = update("c2", limits(5, 0)), *b = update("c2", limits(0, 6));

	nri_result_of_create(&r, &arena, container());
	assert_ok(nri_result_update(&r, 1, &a, "00-a", &err), &err);
	assert_ok(nri_result_update(&r, 1, &b, "10-b", &err), &err);
	assert_int_equal(r.n_updates, 1);
	assert_int_equal(r.updates[0]->linux->resources->memory->limit->value, 5);
	assert_int_equal(r.updates[0]->linux->resources->cpu->shares->value, 6);
	assert_int_equal(nri_result_update(&r, 1, &b, "20-c", &err), -1);
}

static void an_update_that_may_fail_fails_alone(void **state)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO_ERR struct err err = { 0 };
	Nri__ContainerUpdate *a = update("c2", limits(5, 0)), *b = update("c2", limits(7, 0));

	nri_result_of_create(&r, &arena, container());
	b->ignore_failure = true;
	assert_ok(nri_result_update(&r, 1, &a, "00-a", &err), &err);
	assert_ok(nri_result_update(&r, 1, &b, "10-b", &err), &err);
	assert_int_equal(r.updates[0]->linux->resources->memory->limit->value, 5);
}

static void an_update_changes_what_was_asked_for(void **state)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO_ERR struct err err = { 0 };
	Nri__UpdateContainerRequest request = NRI__UPDATE_CONTAINER_REQUEST__INIT;
	Nri__ContainerUpdate *u = update("c1", limits(0, 9));

	request.container = container();
	request.linux_resources = limits(1000, 1);
	nri_result_of_update(&r, &arena, &request);
	assert_ok(nri_result_update(&r, 1, &u, "00-a", &err), &err);
	assert_int_equal(r.n_updates, 0);
	assert_int_equal(r.own->linux->resources->memory->limit->value, 1000);
	assert_int_equal(r.own->linux->resources->cpu->shares->value, 9);
	assert_int_equal(request.linux_resources->cpu->shares->value, 9);
}

/* What a refused update had set before it was refused does not stay either. */
static void a_refused_update_changes_nothing(void **state)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO_ERR struct err err = { 0 };
	Nri__UpdateContainerRequest request = NRI__UPDATE_CONTAINER_REQUEST__INIT;
	Nri__ContainerUpdate *a = update("c1", with_pids(limits(0, 0), 5));
	Nri__ContainerUpdate *b = update("c1", with_pids(limits(0, 0), 6));

	request.container = container();
	request.linux_resources = limits(1000, 1);
	set_unified(request.linux_resources, "x", "old");
	set_unified(b->linux->resources, "x", "new");
	b->ignore_failure = true;
	nri_result_of_update(&r, &arena, &request);
	assert_ok(nri_result_update(&r, 1, &a, "00-a", &err), &err);
	assert_ok(nri_result_update(&r, 1, &b, "10-b", &err), &err);
	assert_int_equal(r.own->linux->resources->pids->limit, 5);
	assert_string_equal(r.own->linux->resources->unified[0]->value, "old");
}

static void lists_have_an_end(void **state)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO_ERR struct err err = { 0 };
	Nri__ContainerAdjustment *a = wish();

	nri_result_of_create(&r, &arena, container());
	for (size_t i = 0; i <= NRI_ITEMS_MAX; i++)
		nri_add(&arena, &a->n_env, &a->env, env("B", "2"));
	assert_fails(nri_result_adjust(&r, a, "00-a", &err), &err, ERR_EXHAUSTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(plugins_that_set_different_things_add_up),
		TEST(two_plugins_that_set_the_same_contradict_each_other),
		TEST(what_is_removed_first_may_be_set_again),
		TEST(a_mark_removes_what_the_container_had),
		TEST(a_mount_takes_the_place_of_the_one_that_was_there),
		TEST(hooks_may_be_added_by_all),
		TEST(nobody_updates_the_container_that_is_being_created),
		TEST(updates_of_one_container_are_put_together),
		TEST(an_update_that_may_fail_fails_alone),
		TEST(an_update_changes_what_was_asked_for),
		TEST(a_refused_update_changes_nothing),
		TEST(lists_have_an_end),
	};

	return cmocka_run_group_tests(tests, start, end);
}
