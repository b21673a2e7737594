/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <string.h>

#include "api/arena.h"
#include "base/auto.h"
#include "base/mem.h"
#include "nri/nri_owners.h"
#include "nri/nri_validate.h"
#include "nri/nri_values.h"

#define LONG_NAME ((size_t)70 << 10)

struct setting {
	struct arena arena;
	struct nri_owners owners;
	Nri__PodSandbox pod;
	Nri__Container container;
	Nri__ValidateContainerAdjustmentRequest request;
};

static void set_up(struct setting *s)
{
	arena_init(&s->arena, SIZE_MAX);
	nri_owners_init(&s->owners, &s->arena);
	nri__pod_sandbox__init(&s->pod);
	nri__container__init(&s->container);
	nri__validate_container_adjustment_request__init(&s->request);
	s->container.id = "c1";
	s->container.name = "web";
	s->request.pod = &s->pod;
	s->request.container = &s->container;
}

static void tear_down(struct setting *s)
{
	nri_owners_done(&s->owners);
	arena_done(&s->arena);
}

static void annotate(struct setting *s, const char *key, const char *value)
{
	const struct nri_map m =
			NRI_MAP(&s->pod, annotations, nri__pod_sandbox__annotations_entry);

	nri_map_set(&s->arena, &m, key, value);
}

static void assert_refused(struct setting *s, const struct nri_validator *v, const char *want)
{
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(nri_validate(v, &s->request, &s->owners, &err), -1);
	assert_string_equal(err_text(&err), want);
}

static void assert_fine(struct setting *s, const struct nri_validator *v)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(nri_validate(v, &s->request, &s->owners, &err), &err);
}

static void hooks_are_refused_with_the_names_of_who_added_them(void **state)
{
	const struct nri_validator strict = { .reject_hooks = true }, lax = { 0 };
	struct setting s;

	set_up(&s);
	assert_fine(&s, &strict);
	nri_claim_also(&s.owners, "c1", NRI__FIELD__OciHooks, "00-a");
	assert_fine(&s, &lax);
	assert_refused(&s, &strict,
			"validation error: plugin \"00-a\" attempted restricted OCI hook "
			"injection");
	nri_claim_also(&s.owners, "c1", NRI__FIELD__OciHooks, "10-b");
	assert_refused(&s, &strict,
			"validation error: plugins \"00-a,10-b\" attempted restricted OCI hook "
			"injection");
	tear_down(&s);
}

static void a_seccomp_policy_is_judged_by_what_it_replaces(void **state)
{
	const struct nri_validator strict = { .reject_unconfined_seccomp = true },
				   other = { .reject_custom_seccomp = true };
	struct setting s;
	AUTO_ERR struct err err = { 0 };

	set_up(&s);
	assert_ok(nri_claim(&s.owners, "c1", NRI__FIELD__SeccompPolicy, NULL, "00-a", &err),
			&err);
	assert_fine(&s, &other);
	assert_refused(&s, &strict,
			"validation error: plugin 00-a attempted restricted  unconfined "
			"seccomp "
			"policy adjustment");
	tear_down(&s);
}

static void namespaces_and_sysctls_are_refused(void **state)
{
	const struct nri_validator ns = { .reject_namespaces = true },
				   sysctl = { .reject_sysctls = true };
	struct setting s;
	AUTO_ERR struct err err = { 0 };

	set_up(&s);
	assert_fine(&s, &ns);
	assert_ok(nri_claim(&s.owners, "c1", NRI__FIELD__Namespace, "ipc", "00-a", &err), &err);
	assert_ok(nri_claim(&s.owners, "c1", NRI__FIELD__Sysctl, "x", "10-b", &err), &err);
	assert_refused(&s, &ns,
			"validation error: attempted restricted namespace adjustment by "
			"plugin(s) \"00-a\" (namespace \"ipc\")");
	assert_refused(&s, &sysctl,
			"validation error: attempted restricted sysctl adjustment by plugin(s) "
			"10-b");
	tear_down(&s);
}

/* A name that is too long to be told is no way around. */
static void long_names_are_refused_too(void **state)
{
	const struct nri_validator ns = { .reject_namespaces = true },
				   sysctl = { .reject_sysctls = true };
	AUTO_FREE char *name = xmalloc(LONG_NAME + 1);
	struct setting s;
	AUTO_ERR struct err err = { 0 };

	memset(name, 'x', LONG_NAME);
	name[LONG_NAME] = '\0';
	set_up(&s);
	assert_ok(nri_claim(&s.owners, "c1", NRI__FIELD__Namespace, "ipc", name, &err), &err);
	assert_ok(nri_claim(&s.owners, "c1", NRI__FIELD__Sysctl, "x", name, &err), &err);
	assert_int_equal(nri_validate(&ns, &s.request, &s.owners, &err), -1);
	err_clear(&err);
	assert_int_equal(nri_validate(&sysctl, &s.request, &s.owners, &err), -1);
	tear_down(&s);
}

static void required_plugins_must_have_been_asked(void **state)
{
	static char a[] = "a", b[] = "10-b";
	char *required[] = { a, b, NULL };
	const struct nri_validator v = { .required = required, .tolerate = "ok" };
	struct setting s;
	Nri__PluginInstance there = NRI__PLUGIN_INSTANCE__INIT;
	Nri__PluginInstance *plugins[] = { &there };

	set_up(&s);
	assert_refused(&s, &v, "validation error: required plugins \"a,10-b\" not present");
	there.name = "a";
	there.index = "33";
	s.request.plugins = plugins;
	s.request.n_plugins = 1;
	assert_refused(&s, &v, "validation error: required plugin \"10-b\" not present");
	annotate(&s, "ok/container.web", "true");
	assert_fine(&s, &v);
	annotate(&s, "ok/container.web", "maybe");
	assert_refused(&s, &v,
			"invalid ok annotation \"maybe\": strconv.ParseBool: parsing "
			"\"maybe\": "
			"invalid syntax");
	tear_down(&s);
}

static void a_pod_may_require_plugins_itself(void **state)
{
	const struct nri_validator v = { .is_enabled = true };
	struct setting s;

	set_up(&s);
	annotate(&s, "required-plugins.noderesource.dev/pod", "[ x ]");
	assert_refused(&s, &v, "validation error: required plugin \"x\" not present");
	annotate(&s, "required-plugins.noderesource.dev/container.web", "[]");
	assert_fine(&s, &v);
	tear_down(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hooks_are_refused_with_the_names_of_who_added_them),
		TEST(a_seccomp_policy_is_judged_by_what_it_replaces),
		TEST(namespaces_and_sysctls_are_refused),
		TEST(long_names_are_refused_too),
		TEST(required_plugins_must_have_been_asked),
		TEST(a_pod_may_require_plugins_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
