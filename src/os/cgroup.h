/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading control groups of both versions. What is read was written by the kernel, but the
 * group may vanish at any moment: that is -ENOENT or -ENODEV, not a fault.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct buf;

enum cgroup_mode {
	CGROUP_UNAVAILABLE,
	CGROUP_LEGACY,
	CGROUP_HYBRID, /* version 1, and version 2 without controllers at …/unified */
	CGROUP_UNIFIED,
};

#define CGROUP_ROOT "/sys/fs/cgroup"

enum cgroup_mode cgroup_mode(void);

/* Where a process is. In version 2 there is one directory, under the name "". */
struct cgroup {
	bool unified;
	size_t count;
	struct cgroup_dir {
		char *controller, *path;
	} * dirs;
};

#define AUTO_CGROUP __attribute__((cleanup(cgroup_done)))

/* From /proc/<pid>/cgroup; "out" must be empty. -ENOENT if the process or its group is gone. */
MUST_USE int cgroup_of_pid(pid_t pid, struct cgroup *out);
void cgroup_done(struct cgroup *cg);
/* NULL if the controller is not there. Any name does in version 2. */
const char *cgroup_path(const struct cgroup *cg, const char *controller);

/* A small file of the group; what does not fit the buffer's limit is -EFBIG. */
MUST_USE int cgroup_read(const struct cgroup *cg, const char *controller, const char *file,
		struct buf *out);

/* Moves a process to a group that exists, below the root: version 2 in one place, version 1
 * under every controller that has it. -EINVAL for a path that is not absolute and clean. */
MUST_USE int cgroup_add_pid(const char *group, pid_t pid);

/* The same, but in version 1 the path may be relative, and a group that no controller has is
 * made under each of them. */
MAY_BLOCK MUST_USE int cgroup_join(const char *group, pid_t pid);

/*
 * Makes the next moves of processes, whoever makes them, fast. Moving one takes a lock of the
 * kernel's that every fork and exit reads, and if it was not taken a moment ago the kernel
 * first waits for each processor to have noticed: 5 to 10 ms. We wait for that, by moving
 * ourselves to where we are. What fails is left to the next one.
 */
MAY_BLOCK void cgroup_expect_moves(void);

/* Removes an empty group in every hierarchy; what is not there is fine. -EBUSY or -ENOTEMPTY if
 * something is in it still, -EINVAL for a path that is not absolute and clean. */
MAY_BLOCK MUST_USE int cgroup_remove(const char *group);

/* Makes every controller of the root available to the group's siblings, from the root down to
 * its parent. Version 2 only; the last level's failure is returned. */
MUST_USE int cgroup_enable_controllers(const struct cgroup *cg);

/* Lines "key value" of a flat file: moves *at on; false at the end. Lines without a number are
 * skipped; "max" is UINT64_MAX. */
struct cgroup_pair {
	const char *key;
	size_t key_size;
	uint64_t value;
};
bool cgroup_next_pair(const char **at, struct cgroup_pair *ret);
bool cgroup_pair_is(const struct cgroup_pair *p, const char *key);
/* The whole text is one number or "max". */
MUST_USE bool cgroup_parse_number(const char *text, uint64_t *ret);

/* Pure halves of the above, for tests. */
enum cgroup_mode cgroup_mode_of(bool root_is_v2, bool unified_is_v2, bool exists);
MUST_USE int cgroup_parse_v2(char *proc_cgroup, struct cgroup *out);
MUST_USE int cgroup_parse_v1(char *proc_cgroup, char *mountinfo, struct cgroup *out);
