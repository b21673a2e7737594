/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points at which a program can be killed or refused: every system call that changes a file, in
 * our code and in the libraries linked with it. They are put in at link time, so sources know
 * nothing of them (docs/design/031-fault-points.md).
 */
#pragma once

#include <stdbool.h>

enum fault_mode {
	FAULT_OFF,
	FAULT_KILL_BEFORE, /* SIGKILL instead of the call */
	FAULT_KILL_AFTER,  /* SIGKILL once it is done */
	FAULT_KILL_TORN,   /* half of a write, then SIGKILL; as BEFORE for other calls */
	FAULT_FAIL_ONE,	   /* the call fails with EIO, later ones work */
	FAULT_DISK_FULL,   /* this and all later calls that need room fail with ENOSPC */
};

/* Counts from now on, and acts at the "at"-th point (from 1). For the whole process. */
void fault_arm(enum fault_mode mode, unsigned long at);
/* No more faults. Returns how many points were passed. */
unsigned long fault_disarm(void);
/* Which call it was; NULL if the point was not reached. */
const char *fault_hit(void);

/*
 * Power cuts. From fault_watch() on, whatever is synced below root is noted in "shadow" (a
 * directory). Once the process is dead, fault_cut() makes at "to" what a disk would have that
 * kept only this: of files what was synced of them, of directories the entries they had when
 * they were synced; or, with all_names, every name there was, which a file system may also have
 * written before the data.
 */
void fault_watch(const char *root, const char *shadow);
void fault_cut(const char *root, const char *shadow, bool all_names, const char *to);
