/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling that the kernel killed a process of a group for want of memory. A watch is a
 * descriptor that becomes readable when something happened, and a way to find out what.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct cgroup;

struct oom_watch {
	int fd;	     /* wait for this one; -1 when not watching */
	int control; /* version 1: kept open as long as fd */
	char *path;  /* of the memory controller's directory */
	bool unified;
	uint64_t kills; /* version 2: known so far */
};

/* 0 or -errno; -ENOENT without a memory controller. */
MUST_USE int oom_watch_open(struct oom_watch *w, const struct cgroup *cg);
/* New kills since the last call (version 1 knows only "some": 1); 0 if it was something else,
 * or the group is gone. Never waits. */
uint64_t oom_watch_fetch(struct oom_watch *w);
/* Fine on one that is not open. */
void oom_watch_close(struct oom_watch *w);
