/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/thread.h"

/* Long enough to serve a burst with warm threads, short enough to be gone when idle. */
#define IDLE_NS (10 * NS_PER_S)

struct pool {
	struct mutex lock;
	struct cond work, ended;
	struct list queue;
	const char *name;
	size_t max_threads, max_queued;
	size_t threads, idle, queued, running;
	bool stopping;
};

struct pool *pool_new(const char *name, size_t max_threads, size_t max_queued)
{
	struct pool *p = xzalloc(sizeof(*p));

	mutex_init(&p->lock, RANK_pool);
	cond_init(&p->work);
	cond_init(&p->ended);
	list_init(&p->queue);
	p->name = name;
	p->max_threads = max_threads;
	p->max_queued = max_queued;
	return p;
}

/* Waits for work; NULL when this thread should end. */
static struct job *next_job_locked(struct pool *p)
{
	int64_t until = clock_mono_ns() + IDLE_NS;
	struct job *job;

	while (list_is_empty(&p->queue)) {
		bool on_time;

		if (p->stopping)
			return NULL;
		p->idle++;
		on_time = cond_wait_until(&p->work, &p->lock, until);
		p->idle--;
		if (!on_time && list_is_empty(&p->queue))
			return NULL;
	}
	job = list_first(&p->queue, struct job, node);
	list_remove(&job->node);
	p->queued--;
	p->running++;
	return job;
}

static void *worker(void *arg)
{
	struct pool *p = arg;
	struct job *job;

	mutex_lock(&p->lock);
	while ((job = next_job_locked(p)) != NULL) {
		mutex_unlock(&p->lock);
		job->run(job);
		mutex_lock(&p->lock);
		p->running--;
	}
	p->threads--;
	cond_broadcast(&p->ended);
	mutex_unlock(&p->lock);
	return NULL;
}

static void maybe_start_locked(struct pool *p)
{
	unsigned long thread;

	if (p->idle >= p->queued || p->threads >= p->max_threads)
		return;
	if (thread_start(&thread, worker, p, p->name) < 0) {
		/* Work goes on with the threads there are; without any there is no way on. */
		assert(p->threads > 0);
		return;
	}
	thread_detach(thread);
	p->threads++;
}

bool pool_submit(struct pool *p, struct job *job)
{
	LOCKED(&p->lock);
	assert(!p->stopping);
	if (p->queued >= p->max_queued)
		return false;
	list_append(&p->queue, &job->node);
	p->queued++;
	maybe_start_locked(p);
	cond_signal(&p->work);
	return true;
}

size_t pool_busy(struct pool *p)
{
	LOCKED(&p->lock);
	return p->queued + p->running;
}

void pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	mutex_lock(&p->lock);
	p->stopping = true;
	cond_broadcast(&p->work);
	while (p->threads > 0)
		cond_wait(&p->ended, &p->lock);
	mutex_unlock(&p->lock);
	cond_done(&p->work);
	cond_done(&p->ended);
	mutex_done(&p->lock);
	free(p);
}
