/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>

static _Thread_local bool is_loop_thread;

void thread_mark_loop(bool is_loop)
{
	is_loop_thread = is_loop;
}

bool thread_is_loop(void)
{
	return is_loop_thread;
}

void thread_assert(bool want_loop)
{
	assert(is_loop_thread == want_loop);
}

int thread_start(unsigned long *ret_thread, void *(*run)(void *), void *arg, const char *name)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&thread, &attr, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	if (rc != 0)
		return -rc;
	(void)pthread_setname_np(thread, name);
	*ret_thread = thread;
	return 0;
}

void thread_join(unsigned long thread)
{
	(void)pthread_join(thread, NULL);
}

void thread_detach(unsigned long thread)
{
	(void)pthread_detach(thread);
}
