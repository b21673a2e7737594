/* SPDX-License-Identifier: Apache-2.0 */
/* Processes other than their start (os/spawn.h): handles, reaping, and settings of our own. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"

/* A handle on the process that has this pid now; close-on-exec. -errno (-ESRCH: nobody). */
MUST_USE int pidfd_of(pid_t pid);
/* 0 or -errno; -ESRCH when it has ended. */
MUST_USE int pidfd_signal(int pidfd, int signo);
/* True if the process behind it is a child of ours that nobody has waited for. */
bool pidfd_is_child(int pidfd);

/* Orphans among our descendants become our children. 0 or -errno. */
MUST_USE int process_be_subreaper(void);

/* Takes one ended child away: its pid, 0 if none has ended, -ECHILD if there are no children.
 * The status is as a shell tells it: exit code, or 128 + signal. */
MUST_USE pid_t process_reap(int *ret_status);

/* /proc/<pid>/oom_score_adj; pid 0 is the caller. Setting clamps to what the kernel takes. */
MUST_USE int process_oom_score(pid_t pid, int *ret_score);
MUST_USE int process_set_oom_score(pid_t pid, int score);

/* True if we are in a user namespace that is not the first one. */
bool process_in_userns(void);

/* Disks are for this process when nobody else wants them. */
MUST_USE int process_be_idle(void);

/* A core scheduling cookie for the caller's process group, inherited by children. */
MUST_USE int process_sched_core(void);
