/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/flusher.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/thread.h"

/* Less is not worth a commit of the journal, more is what the barrier would have to wait for.
 */
#define PASS_FILES 500
#define PASS_BYTES (16 << 20)

struct flusher {
	int dir;
	/* of whoever notes */
	unsigned files;
	uint64_t bytes;
	bool runs;

	unsigned long thread;
	struct mutex lock;
	struct cond moved;
	bool is_wanted, is_stopped;
};

struct flusher *flusher_new(int dir)
{
	struct flusher *f = xzalloc(sizeof(*f));

	f->dir = dir;
	mutex_init(&f->lock, RANK_flusher);
	cond_init(&f->moved);
	return f;
}

static bool wait_for_pass(struct flusher *f)
{
	LOCKED(&f->lock);
	while (!f->is_wanted && !f->is_stopped)
		cond_wait(&f->moved, &f->lock);
	f->is_wanted = false;
	return !f->is_stopped;
}

static void *run(void *arg)
{
	struct flusher *f = arg;
	/* The kernel tells an open file once that writing failed: it must not be the one that
	 * the barrier asks. */
	AUTO_CLOSE int dir = openat(f->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (wait_for_pass(f))
		if (dir >= 0)
			IGNORE(syncfs(dir));
	return NULL;
}

static void want_pass(struct flusher *f)
{
	if (!f->runs && thread_start(&f->thread, run, f, "layer-flush") < 0)
		return; /* all the more for the barrier */
	f->runs = true;
	LOCKED(&f->lock);
	f->is_wanted = true;
	cond_signal(&f->moved);
}

void flusher_note(struct flusher *f, unsigned files, uint64_t bytes)
{
	f->files += files;
	f->bytes += bytes;
	if (f->files < PASS_FILES && f->bytes < PASS_BYTES)
		return;
	f->files = 0;
	f->bytes = 0;
	want_pass(f);
}

void flusher_free(struct flusher *f)
{
	if (f == NULL)
		return;
	mutex_lock(&f->lock);
	f->is_stopped = true;
	cond_signal(&f->moved);
	mutex_unlock(&f->lock);
	if (f->runs)
		thread_join(f->thread);
	cond_done(&f->moved);
	mutex_done(&f->lock);
	free(f);
}
