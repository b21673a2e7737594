/* SPDX-License-Identifier: Apache-2.0 */
/* The default seccomp profile: all that is not listed fails with EPERM (reference 02 §10). */
#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"
#include "oci/spec.h"

/* Before this kernel a tracer could change a call behind the filter's back. */
#define SECCOMP_PTRACE_IS_SAFE "4.8"
#define SECCOMP_ALWAYS	       "always"

/* What makes namespaces; shells and threads do without. */
#define CLONE_NAMESPACES                                                                       \
	((uint64_t)(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
			CLONE_NEWNET | CLONE_NEWCGROUP))

struct calls {
	const char *when, *names;
};

static const struct calls calls[] = {
#define CALLS(when, names) { when, names },
#include "oci/seccomp_calls.def"
#undef CALLS
};

/* What the runtime is to filter where, for it may run programs for several kinds. */
static const struct calls architectures[] = {
	{ "amd64", "SCMP_ARCH_X86_64 SCMP_ARCH_X86 SCMP_ARCH_X32" },
	{ "arm64", "SCMP_ARCH_ARM SCMP_ARCH_AARCH64" },
	{ "loong64", "SCMP_ARCH_LOONGARCH64" },
	{ "loongarch64", "SCMP_ARCH_LOONGARCH64" },
	{ "mips64", "SCMP_ARCH_MIPS SCMP_ARCH_MIPS64 SCMP_ARCH_MIPS64N32" },
	{ "riscv64", "SCMP_ARCH_RISCV64" },
	{ "s390x", "SCMP_ARCH_S390 SCMP_ARCH_S390X" },
};

/* A filter of one argument: several in one rule are alternatives to some runtimes. */
struct check {
	const char *name;
	uint32_t index;
	uint64_t value;
	const char *op;
};

static const struct check checks[] = {
	/* Every family but AF_ALG and AF_VSOCK. */
	{ "socket", 0, AF_ALG, "SCMP_CMP_LT" },
	{ "socket", 0, AF_ALG + 1, "SCMP_CMP_EQ" },
	{ "socket", 0, AF_VSOCK, "SCMP_CMP_GT" },
	/* As is, 32 bits wide, with an old kernel's name, both; the last only asks. */
	{ "personality", 0, 0, "SCMP_CMP_EQ" },
	{ "personality", 0, 0x8, "SCMP_CMP_EQ" },
	{ "personality", 0, 0x20000, "SCMP_CMP_EQ" },
	{ "personality", 0, 0x20008, "SCMP_CMP_EQ" },
	{ "personality", 0, 0xffffffff, "SCMP_CMP_EQ" },
};

_Static_assert(AF_ALG + 2 == AF_VSOCK, "one family is between those that are refused");

static struct jnode *words(const char *text)
{
	AUTO_STRV char **v = strv_split(text, ' ');

	return jnode_strv(v);
}

static const char *find(const struct calls *list, size_t count, const char *when)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].when, when) == 0)
			return list[i].names;
	return NULL;
}

static struct jnode *add_rule(struct jnode *rules, const char *names, const char *action)
{
	struct jnode *rule = jnode_object();

	jnode_set(rule, "names", words(names));
	jnode_set_str(rule, "action", action);
	jnode_append(rules, rule);
	return rule;
}

/* Nothing if the table has no calls for it. */
static void allow(struct jnode *rules, const char *when)
{
	const char *names = find(calls, ARRAY_LEN(calls), when);

	if (names != NULL)
		add_rule(rules, names, "SCMP_ACT_ALLOW");
}

static void allow_checked(struct jnode *rules, const struct check *check)
{
	struct jnode *rule = add_rule(rules, check->name, "SCMP_ACT_ALLOW");
	struct jnode *arg = jnode_object();

	jnode_set(arg, "index", jnode_u64(check->index));
	jnode_set(arg, "value", jnode_u64(check->value));
	jnode_set_str(arg, "op", check->op);
	jnode_append(jnode_need_array(rule, "args"), arg);
}

static void allow_clone_without_namespaces(struct jnode *rules, const char *arch)
{
	struct check check = { "clone", strcmp(arch, "s390x") == 0 ? 1 : 0, CLONE_NAMESPACES,
		"SCMP_CMP_MASKED_EQ" };
	struct jnode *rule;

	allow_checked(rules, &check);
	/* Its flags are in memory, where no filter looks: programs are to fall back on clone.
	 */
	rule = add_rule(rules, "clone3", "SCMP_ACT_ERRNO");
	jnode_set(rule, "errnoRet", jnode_u64(ENOSYS));
}

static void allow_by_capabilities(
		struct jnode *rules, const struct jnode *bounding, const char *arch)
{
	bool admin = false;

	for (size_t i = 0; i < jnode_count(bounding); i++) {
		const char *name = str_or(jnode_str(jnode_item(bounding, i)), "");

		if (str_starts(name, "CAP_"))
			allow(rules, name);
		admin = admin || strcmp(name, "CAP_SYS_ADMIN") == 0;
	}
	if (!admin)
		allow_clone_without_namespaces(rules, arch);
}

static bool ptrace_is_safe(const char *kernel)
{
	unsigned int have[2], need[2];

	if (sscanf(kernel, "%u.%u", &have[0], &have[1]) != 2 ||
			sscanf(SECCOMP_PTRACE_IS_SAFE, "%u.%u", &need[0], &need[1]) != 2)
		return false;
	return have[0] > need[0] || (have[0] == need[0] && have[1] >= need[1]);
}

void spec_set_default_seccomp(struct jnode *spec, const char *arch, const char *kernel)
{
	const struct jnode *caps = jnode_get(spec_process(spec), "capabilities");
	const char *kinds = find(architectures, ARRAY_LEN(architectures), arch);
	struct jnode *profile = jnode_object(), *rules = jnode_array();

	jnode_set_str(profile, "defaultAction", "SCMP_ACT_ERRNO");
	if (kinds != NULL)
		jnode_set(profile, "architectures", words(kinds));
	allow(rules, SECCOMP_ALWAYS);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		allow_checked(rules, &checks[i]);
	if (ptrace_is_safe(kernel))
		allow(rules, SECCOMP_PTRACE_IS_SAFE);
	allow(rules, arch);
	allow_by_capabilities(rules, jnode_get(caps, "bounding"), arch);
	jnode_set(profile, "syscalls", rules);
	jnode_set(spec_linux(spec), "seccomp", profile);
}
