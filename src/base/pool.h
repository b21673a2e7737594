/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker threads for jobs that may block. Threads start on demand up to a limit and end after
 * a while without work, so that an idle daemon pays for none of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/list.h"

struct pool;

struct job {
	struct list node; /* the pool's while queued */
	/* Runs once on a worker. The job may free itself here. */
	void (*run)(struct job *job);
};

/* max_queued bounds the jobs that wait for a thread. */
MUST_USE struct pool *pool_new(const char *name, size_t max_threads, size_t max_queued);

/* Runs what is queued, then ends all threads. Nobody may submit any more. NULL is fine. */
MAY_BLOCK void pool_free(struct pool *p);

/* False, and the job untouched, when the queue is full. */
ANY_THREAD MUST_USE bool pool_submit(struct pool *p, struct job *job);

/* Jobs queued or running now. */
ANY_THREAD size_t pool_busy(struct pool *p);
