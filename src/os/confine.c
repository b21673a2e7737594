/* SPDX-License-Identifier: Apache-2.0 */
#include "os/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/process.h"

/* Sanitizers reserve terabytes of address space that they never touch. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ADDRESS_SPACE_SAYS_NOTHING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ADDRESS_SPACE_SAYS_NOTHING 1
#endif
#endif
#ifndef ADDRESS_SPACE_SAYS_NOTHING
#define ADDRESS_SPACE_SAYS_NOTHING 0
#endif

static int limit(int what, uint64_t value)
{
	struct rlimit l = { value, value };

	return setrlimit(what, &l) < 0 ? -errno : 0;
}

static int set_limits(const struct sandbox *s)
{
	static const int none[] = { RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_NPROC, RLIMIT_MSGQUEUE };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(none) / sizeof(none[0]); i++)
		rc = limit(none[i], 0);
	if (rc == 0)
		rc = limit(RLIMIT_NOFILE, 0);
	if (rc == 0 && s->cpu_seconds != 0)
		rc = limit(RLIMIT_CPU, s->cpu_seconds);
	if (rc == 0 && s->memory_bytes != 0 && !ADDRESS_SPACE_SAYS_NOTHING)
		rc = limit(RLIMIT_AS, s->memory_bytes);
	return rc;
}

/* Ids that this user namespace does not have cannot be taken; it has fewer rights anyway. */
static int may_stay(int error)
{
	return error == EINVAL && process_in_userns() ? 0 : -error;
}

static int change_ids(const struct sandbox *s)
{
	if (s->uid == (uid_t)-1 || geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 && !process_in_userns())
		return -errno;
	if (setresgid(s->gid, s->gid, s->gid) < 0)
		return may_stay(errno);
	if (setresuid(s->uid, s->uid, s->uid) < 0)
		return may_stay(errno);
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

static void drop_bounding_set(void)
{
	/* Without the right to, there is nothing that could come back either. */
	for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
}

static int filter_syscalls(const struct sandbox *s)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = filter == NULL ? -ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < s->syscall_count; i++) {
		int call = s->syscalls[i];

		if (call == SCMP_SYS(mmap) || call == SCMP_SYS(mprotect))
			rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
					SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		else
			rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
	}
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc;
}

int sandbox_enter(const struct sandbox *s)
{
	pid_t parent = getppid();
	int rc;

	drop_bounding_set();
	rc = change_ids(s);
	if (rc == 0)
		rc = drop_capabilities();
	if (rc == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		rc = -errno;
	/* A change of ids has cleared this. */
	if (rc == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		rc = -errno;
	if (rc == 0 && getppid() != parent)
		rc = -ESRCH;
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		rc = -errno;
	if (rc == 0)
		rc = set_limits(s);
	return rc == 0 ? filter_syscalls(s) : rc;
}
