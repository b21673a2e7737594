/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutexes with a rank. Taking one out of order is a bug that would deadlock some day, so it
 * ends the process the first time, in every build. Condition variables use the monotonic clock.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum lock_rank {
	RANK_NONE,
#define LOCK_RANK(name) RANK_##name,
#include "base/lock_ranks.def"
#undef LOCK_RANK
	RANK_COUNT
};

struct mutex {
	pthread_mutex_t lock;
	enum lock_rank rank;
};

struct cond {
	pthread_cond_t cond;
};

#define MUTEX_INIT(name)                                                                       \
	{                                                                                      \
		PTHREAD_MUTEX_INITIALIZER, RANK_##name                                         \
	}

void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_done(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);
/* Dies unless the calling thread holds a lock of this rank. */
void mutex_assert_held(const struct mutex *m);

void cond_init(struct cond *c);
void cond_done(struct cond *c);
MAY_BLOCK void cond_wait(struct cond *c, struct mutex *m);
/* False when mono_deadline_ns (clock_mono_ns() based) passed first. */
MAY_BLOCK bool cond_wait_until(struct cond *c, struct mutex *m, int64_t mono_deadline_ns);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

static inline void mutex_unlock_slot_(struct mutex **slot)
{
	mutex_unlock(*slot);
}

static inline struct mutex *mutex_lock_(struct mutex *m)
{
	mutex_lock(m);
	return m;
}

#define LOCKED_NAME2_(line) locked_##line
#define LOCKED_NAME_(line)  LOCKED_NAME2_(line)
/* Holds the lock until the end of the enclosing block. */
#define LOCKED(m)                                                                              \
	__attribute__((cleanup(mutex_unlock_slot_), unused)) struct mutex *LOCKED_NAME_(       \
			__LINE__) = mutex_lock_(m)
