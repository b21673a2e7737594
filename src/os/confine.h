/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up everything that a program which looks at hostile bytes does not need. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct sandbox {
	uid_t uid; /* -1, or nobody else to become: stays who it is */
	gid_t gid;
	uint64_t memory_bytes; /* of address space; 0: no limit */
	uint64_t cpu_seconds;  /* 0: no limit */
	const int *syscalls;   /* those that stay; mmap never makes anything executable */
	size_t syscall_count;
};

/* For good: supplementary groups, ids, capabilities, new privileges, core dumps, new
 * descriptors, files and processes, and all other system calls, which kill. 0 or -errno of what
 * could not be given up; the caller must end then. Single-threaded programs only. */
MUST_USE int sandbox_enter(const struct sandbox *s);
