/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "oci/spec.h"
#include "unit/unit.h"

#define TEXTS(...)	((char *const *)(const char *const[]){ __VA_ARGS__, NULL })
#define ALLOW(names)	"{\"names\":[" names "],\"action\":\"SCMP_ACT_ALLOW\"}"
#define EQ(name, value) CHECK(name, "0", value, "SCMP_CMP_EQ")
#define CHECK(name, index, value, op)                                                          \
	"{\"names\":[\"" name "\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":" index  \
	",\"value\":" value ",\"op\":\"" op "\"}]}"
#define NO_CLONE3 "{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}"

/* All but the long rule, as a default container on a kernel of today has it. */
static const char golden[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":["
			     "\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"],"
			     "\"syscalls\":[" CHECK("socket", "0", "38", "SCMP_CMP_LT") "," //
		EQ("socket", "39") "," CHECK("socket", "0", "40", "SCMP_CMP_GT") ","	    //
		EQ("personality", "0") "," EQ("personality", "8") ","			    //
		EQ("personality", "131072") "," EQ("personality", "131080") ","		    //
		EQ("personality", "4294967295") ","					    //
		ALLOW("\"process_vm_readv\",\"process_vm_writev\",\"ptrace\"") ","	    //
		ALLOW("\"arch_prctl\",\"modify_ldt\"") "," ALLOW("\"chroot\"") ","	    //
		CHECK("clone", "0", "2114060288", "SCMP_CMP_MASKED_EQ") "," NO_CLONE3 "]}";

/* Owned. The rules of the profile are rules_of() it. */
static struct jnode *profiled(char *const *caps, const char *arch, const char *kernel)
{
	struct jnode *spec = spec_default("ns", "id");

	if (caps != NULL)
		spec_set_capabilities(spec, caps);
	spec_set_default_seccomp(spec, arch, kernel);
	spec_order(spec);
	return spec;
}

static struct jnode *profile_of(struct jnode *spec)
{
	return jnode_get(jnode_get(spec, "linux"), "seccomp");
}

static struct jnode *rules_of(struct jnode *spec)
{
	return jnode_get(profile_of(spec), "syscalls");
}

static bool names(const struct jnode *rule, const char *call)
{
	const struct jnode *list = jnode_get(rule, "names");

	for (size_t i = 0; i < jnode_count(list); i++)
		if (str_eq(jnode_str(jnode_item(list, i)), call))
			return true;
	return false;
}

/* In how many rules that allow it whatever its arguments. */
static int allowed(struct jnode *spec, const char *call)
{
	const struct jnode *rules = rules_of(spec);
	int n = 0;

	for (size_t i = 0; i < jnode_count(rules); i++) {
		const struct jnode *rule = jnode_item(rules, i);

		n += names(rule, call) && jnode_get(rule, "args") == NULL &&
		     str_eq(jnode_get_str(rule, "action"), "SCMP_ACT_ALLOW");
	}
	return n;
}

static void assert_rule(const struct jnode *rules, size_t i, const char *want)
{
	AUTO_FREE char *got = jnode_to_text(jnode_item(rules, i), NULL);

	assert_string_equal(got, want);
}

static void calls_of_the_table_are_sorted_and_come_once(void **state)
{
	static const char *const lists[] = {
#define CALLS(when, names) names,
#include "oci/seccomp_calls.def"
#undef CALLS
	};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		AUTO_STRV char **v = strv_split(lists[i], ' ');

		for (size_t k = 0; k + 1 < strv_len(v); k++)
			assert_true(strcmp(v[k], v[k + 1]) < 0);
		assert_true(v[0][0] != '\0');
	}
}

static void a_default_container_has_the_original_s_rules(void **state)
{
	AUTO(jnode_free) struct jnode *spec = profiled(NULL, "amd64", "6.1.0-13-amd64");
	AUTO_FREE char *rest = NULL;
	struct jnode *rules = rules_of(spec);

	assert_int_equal(jnode_count(rules), 14);
	assert_int_equal(jnode_count(jnode_get(jnode_item(rules, 0), "names")), 363);
	jnode_remove_at(rules, 0);
	rest = jnode_to_text(profile_of(spec), NULL);
	assert_string_equal(rest, golden);
}

static void what_is_not_for_containers_is_in_no_rule(void **state)
{
	static const char *const refused[] = { "add_key", "bpf", "clone", "clone3",
		"io_uring_setup", "kexec_load", "keyctl", "mount", "open_by_handle_at",
		"perf_event_open", "reboot", "request_key", "setns", "socket", "unshare",
		"userfaultfd" };
	AUTO(jnode_free) struct jnode *spec = profiled(NULL, "amd64", "6.1.0");

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_int_equal(allowed(spec, refused[i]), 0);
	assert_int_equal(allowed(spec, "openat"), 1);
}

static void an_administrator_may_clone_and_mount(void **state)
{
	char *const *caps = TEXTS("CAP_SYS_ADMIN");
	AUTO(jnode_free) struct jnode *spec = profiled(caps, "amd64", "6.1.0");
	struct jnode *rules = rules_of(spec);

	assert_int_equal(allowed(spec, "clone"), 1);
	assert_int_equal(allowed(spec, "clone3"), 1);
	assert_int_equal(allowed(spec, "mount"), 1);
	assert_true(names(jnode_item(rules, jnode_count(rules) - 1), "unshare"));
}

static void capabilities_give_their_rules_in_the_order_of_the_spec(void **state)
{
	char *const *caps = TEXTS("CAP_SYSLOG", "CAP_KILL", "CAP_BPF");
	AUTO(jnode_free) struct jnode *spec = profiled(caps, "amd64", "6.1.0");
	const struct jnode *rules = rules_of(spec);
	size_t n = jnode_count(rules);

	assert_rule(rules, n - 4, ALLOW("\"syslog\""));
	assert_rule(rules, n - 3, ALLOW("\"bpf\""));
	assert_rule(rules, n - 1, NO_CLONE3);
}

static void an_architecture_is_no_capability_and_none_is_fine(void **state)
{
	char *const *caps = TEXTS("amd64", "always", "4.8");
	AUTO(jnode_free) struct jnode *odd = profiled(caps, "s390x", "6.1.0");
	AUTO(jnode_free) struct jnode *bare = jnode_object();

	assert_int_equal(allowed(odd, "arch_prctl"), 0);
	assert_int_equal(allowed(odd, "read"), 1);
	assert_int_equal(allowed(odd, "ptrace"), 1);
	spec_set_default_seccomp(bare, "amd64", "6.1.0");
	assert_int_equal(allowed(bare, "chroot"), 0);
	assert_int_equal(allowed(bare, "read"), 1);
}

static void before_linux_4_8_nobody_traces_without_the_capability(void **state)
{
	static const struct {
		const char *kernel;
		int traces;
	} rows[] = { { "4.7.10", 0 }, { "3.16.0", 0 }, { "4.8", 1 }, { "4.19.0-20", 1 },
		{ "10.0", 1 }, { "", 0 }, { "new", 0 } };
	char *const *caps = TEXTS("CAP_SYS_PTRACE");
	AUTO(jnode_free) struct jnode *tracer = profiled(caps, "amd64", "4.7");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(jnode_free)
		struct jnode *spec = profiled(NULL, "amd64", rows[i].kernel);

		assert_int_equal(allowed(spec, "ptrace"), rows[i].traces);
	}
	assert_int_equal(allowed(tracer, "ptrace"), 1);
}

static void architectures_have_calls_of_their_own(void **state)
{
	AUTO(jnode_free) struct jnode *arm = profiled(NULL, "arm64", "6.1.0");
	AUTO(jnode_free) struct jnode *s390 = profiled(NULL, "s390x", "6.1.0");
	AUTO(jnode_free) struct jnode *other = profiled(NULL, "sparc64", "6.1.0");
	const struct jnode *rules = rules_of(s390);
	AUTO_FREE char *kinds =
			jnode_to_text(jnode_get(profile_of(arm), "architectures"), NULL);

	assert_string_equal(kinds, "[\"SCMP_ARCH_ARM\",\"SCMP_ARCH_AARCH64\"]");
	assert_int_equal(allowed(arm, "cacheflush"), 1);
	assert_int_equal(allowed(arm, "arch_prctl"), 0);
	/* The order of clone's arguments is another there. */
	assert_rule(rules, jnode_count(rules) - 2,
			CHECK("clone", "1", "2114060288", "SCMP_CMP_MASKED_EQ"));
	assert_null(jnode_get(profile_of(other), "architectures"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_of_the_table_are_sorted_and_come_once),
		TEST(a_default_container_has_the_original_s_rules),
		TEST(what_is_not_for_containers_is_in_no_rule),
		TEST(an_administrator_may_clone_and_mount),
		TEST(capabilities_give_their_rules_in_the_order_of_the_spec),
		TEST(an_architecture_is_no_capability_and_none_is_fine),
		TEST(before_linux_4_8_nobody_traces_without_the_capability),
		TEST(architectures_have_calls_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
