/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mutex.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

#include "base/clock.h"

/* One bit per rank this thread holds: enough, since no two locks of one rank are held at once.
 */
static _Thread_local uint64_t held;

_Static_assert(RANK_COUNT <= 64, "held is one word");

void mutex_init(struct mutex *m, enum lock_rank rank)
{
	(void)pthread_mutex_init(&m->lock, NULL);
	m->rank = rank;
}

void mutex_done(struct mutex *m)
{
	(void)pthread_mutex_destroy(&m->lock);
}

static uint64_t bit(const struct mutex *m)
{
	assert(m->rank > RANK_NONE && m->rank < RANK_COUNT);
	return UINT64_C(1) << m->rank;
}

void mutex_lock(struct mutex *m)
{
	/* Everything held must stand above: that is, be a smaller bit. */
	assert(held < bit(m));
	if (pthread_mutex_lock(&m->lock) != 0)
		assert(!"mutex is not usable");
	held |= bit(m);
}

void mutex_unlock(struct mutex *m)
{
	assert(held & bit(m));
	held &= ~bit(m);
	(void)pthread_mutex_unlock(&m->lock);
}

void mutex_assert_held(const struct mutex *m)
{
	assert(held & bit(m));
}

void cond_init(struct cond *c)
{
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&c->cond, &attr);
	(void)pthread_condattr_destroy(&attr);
}

void cond_done(struct cond *c)
{
	(void)pthread_cond_destroy(&c->cond);
}

void cond_wait(struct cond *c, struct mutex *m)
{
	/* Waiting with a second lock held would hold that one for as long. */
	assert(held == bit(m));
	(void)pthread_cond_wait(&c->cond, &m->lock);
}

bool cond_wait_until(struct cond *c, struct mutex *m, int64_t mono_deadline_ns)
{
	struct timespec ts = { mono_deadline_ns / NS_PER_S, mono_deadline_ns % NS_PER_S };

	assert(held == bit(m));
	return pthread_cond_timedwait(&c->cond, &m->lock, &ts) != ETIMEDOUT;
}

void cond_signal(struct cond *c)
{
	(void)pthread_cond_signal(&c->cond);
}

void cond_broadcast(struct cond *c)
{
	(void)pthread_cond_broadcast(&c->cond);
}
