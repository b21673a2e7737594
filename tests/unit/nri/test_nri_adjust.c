/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "nri/nri_adjust.h"
#include "nri/nri_spec.h"
#include "nri/nri_values.h"
#include "text/jnode.h"

static struct arena arena;
static const struct nri_adjust_options options;

static struct jnode *parse(const char *text)
{
	AUTO_ERR struct err err = { 0 };
	struct jnode *n = NULL;

	assert_ok(jnode_parse(text, strlen(text), &n, &err), &err);
	return n;
}

static void assert_adjusted(
		const char *spec, const Nri__ContainerAdjustment *a, const char *want)
{
	AUTO(jnode_free) struct jnode *n = parse(spec);
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *text = NULL;

	assert_ok(nri_adjust_spec(n, a, &options, &err), &err);
	text = jnode_to_text(n, NULL);
	assert_string_equal(text, want);
}

static Nri__ContainerAdjustment *wish(void)
{
	Nri__ContainerAdjustment *a =
			ARENA_NEW(&arena, Nri__ContainerAdjustment, nri__container_adjustment);

	a->linux = ARENA_NEW(
			&arena, Nri__LinuxContainerAdjustment, nri__linux_container_adjustment);
	return a;
}

static void add_env(Nri__ContainerAdjustment *a, const char *key, const char *value)
{
	Nri__KeyValue *kv = ARENA_NEW(&arena, Nri__KeyValue, nri__key_value);

	kv->key = key;
	kv->value = value;
	nri_add(&arena, &a->n_env, &a->env, kv);
}

static void add_mount(Nri__ContainerAdjustment *a, const char *destination, const char *source)
{
	Nri__Mount *m = ARENA_NEW(&arena, Nri__Mount, nri__mount);

	m->destination = destination;
	m->source = source;
	nri_add(&arena, &a->n_mounts, &a->mounts, m);
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

static void what_we_do_not_know_stays(void **state)
{
	static const char spec[] =
			"{\"ociVersion\":\"1.9\",\"x\":{\"big\":18446744073709551615,"
			"\"f\":1.50},\"process\":{\"new\":null}}";

	assert_adjusted(spec, wish(), spec);
}

static void variables_keep_their_place(void **state)
{
	Nri__ContainerAdjustment *a = wish();

	add_env(a, "B", "two");
	add_env(a, "-C", "");
	add_env(a, "D", "4");
	assert_adjusted("{\"process\":{\"env\":[\"A=1\",\"B=2\",\"C=3\"]}}", a,
			"{\"process\":{\"env\":[\"A=1\",\"B=two\",\"D=4\"]}}");
}

static void mounts_are_sorted_by_depth_and_name(void **state)
{
	Nri__ContainerAdjustment *a = wish();

	add_mount(a, "/a/b", "/s");
	add_mount(a, "-/gone", "");
	assert_adjusted("{\"mounts\":[{\"destination\":\"/a/b/c\"},{\"destination\":\"/z\"},"
			"{\"destination\":\"/gone\"},{\"destination\":\"/proc\"}]}",
			a,
			"{\"mounts\":[{\"destination\":\"/proc\"},{\"destination\":\"/z\"},"
			"{\"destination\":\"/a/b\",\"source\":\"/s\"},"
			"{\"destination\":\"/a/b/c\"}]}");
}

static void a_device_brings_its_rule(void **state)
{
	Nri__ContainerAdjustment *a = wish();
	Nri__LinuxDevice *d = ARENA_NEW(&arena, Nri__LinuxDevice, nri__linux_device);

	d->path = "/dev/x";
	d->type = "c";
	d->major = 31;
	d->minor = 41;
	d->file_mode = ARENA_NEW(&arena, Nri__OptionalFileMode, nri__optional_file_mode);
	d->file_mode->value = 0664;
	nri_add(&arena, &a->linux->n_devices, &a->linux->devices, d);
	assert_adjusted("{}", a,
			"{\"linux\":{\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\","
			"\"major\":31,\"minor\":41,\"fileMode\":436}],\"resources\":{"
			"\"devices\":"
			"[{\"allow\":true,\"type\":\"c\",\"major\":31,\"minor\":41,"
			"\"access\":\"rw\"}]}}}");
}

/* As the original has it: of memory only the limit, for swap too. */
static void resources_replace_those_that_were_there(void **state)
{
	Nri__ContainerAdjustment *a = wish();
	Nri__LinuxResources *r = ARENA_NEW(&arena, Nri__LinuxResources, nri__linux_resources);

	a->linux->resources = r;
	r->memory = ARENA_NEW(&arena, Nri__LinuxMemory, nri__linux_memory);
	r->memory->limit = ARENA_NEW(&arena, Nri__OptionalInt64, nri__optional_int64);
	r->memory->limit->value = 1000;
	r->cpu = ARENA_NEW(&arena, Nri__LinuxCPU, nri__linux_cpu);
	r->cpu->cpus = "0-1";
	r->pids = ARENA_NEW(&arena, Nri__LinuxPids, nri__linux_pids);
	r->pids->limit = 7;
	assert_adjusted("{\"linux\":{\"resources\":{\"memory\":{\"limit\":5,\"reservation\":4},"
			"\"cpu\":{\"shares\":2}}}}",
			a,
			"{\"linux\":{\"resources\":{\"memory\":{\"limit\":1000,\"reservation\":"
			"4,"
			"\"swap\":1000},\"cpu\":{\"shares\":2,\"cpus\":\"0-1\"},"
			"\"pids\":{\"limit\":7}}}}");
}

static void an_unknown_namespace_is_refused(void **state)
{
	AUTO(jnode_free) struct jnode *n = parse("{}");
	Nri__ContainerAdjustment *a = wish();
	Nri__LinuxNamespace *ns = ARENA_NEW(&arena, Nri__LinuxNamespace, nri__linux_namespace);
	AUTO_ERR struct err err = { 0 };

	ns->type = "-odd";
	nri_add(&arena, &a->linux->n_namespaces, &a->linux->namespaces, ns);
	assert_int_equal(nri_adjust_spec(n, a, &options, &err), -1);
	assert_string_equal(err_text(&err), "unrecognized namespace \"odd\"");
}

static void a_spec_reads_as_it_says(void **state)
{
	AUTO(jnode_free)
	struct jnode *n = parse(
			"{\"process\":{\"args\":[\"sh\"],\"user\":{\"uid\":7,"
			"\"additionalGids\":[8]},"
			"\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":18446744073709551615,"
			"\"soft\":1}],\"oomScoreAdj\":-5},\"annotations\":{\"a\":\"b\"},"
			"\"linux\":{\"resources\":{\"memory\":{\"limit\":9},\"cpu\":{\"quota\":"
			"-1}}}}");
	Nri__Container *c = ARENA_NEW(&arena, Nri__Container, nri__container);

	nri_container_of_spec(&arena, n, c);
	assert_string_equal(c->args[0], "sh");
	assert_int_equal(c->user->uid, 7);
	assert_int_equal(c->user->additional_gids[0], 8);
	assert_true(c->rlimits[0]->hard == UINT64_MAX);
	assert_int_equal(c->linux->oom_score_adj->value, -5);
	assert_string_equal(c->annotations[0]->value, "b");
	assert_int_equal(c->linux->resources->memory->limit->value, 9);
	assert_int_equal(c->linux->resources->cpu->quota->value, -1);
	assert_null(c->linux->resources->memory->swap);
}

/* Nothing in it is of the kind that it should be. */
static void an_odd_spec_reads_as_an_empty_one(void **state)
{
	AUTO(jnode_free)
	struct jnode *n = parse(
			"{\"process\":[1],\"mounts\":{\"a\":1},\"annotations\":[],\"hooks\":3,"
			"\"linux\":{\"resources\":[],\"devices\":\"x\",\"sysctl\":[null]}}");
	Nri__Container *c = ARENA_NEW(&arena, Nri__Container, nri__container);

	nri_container_of_spec(&arena, n, c);
	assert_int_equal(c->n_args, 0);
	assert_null(c->hooks);
	assert_null(c->linux->resources);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_we_do_not_know_stays),
		TEST(variables_keep_their_place),
		TEST(mounts_are_sorted_by_depth_and_name),
		TEST(a_device_brings_its_rule),
		TEST(resources_replace_those_that_were_there),
		TEST(an_unknown_namespace_is_refused),
		TEST(a_spec_reads_as_it_says),
		TEST(an_odd_spec_reads_as_an_empty_one),
	};

	return cmocka_run_group_tests(tests, start, end);
}
