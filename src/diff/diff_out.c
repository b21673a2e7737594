/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/diff_out.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/content.h"
#include "diff/diff_priv.h"
#include "os/pipe.h"
#include "os/process.h"

#define RING	      2097152
#define PIPE_BYTES    262144
#define HELPER_MEMORY (UINT64_C(128) << 20)
#define NOBODY	      65534

static int hear(struct layer_helper *h, struct layer_record *r, struct err *err)
{
	int rc;

	while ((rc = layer_helper_next(h, r, NULL, NULL, err)) == 0) {
		struct pollfd p = { .fd = h->records, .events = POLLIN };

		rc = layer_helper_receive(h, err);
		if (rc == 0 && poll(&p, 1, -1) < 0 && errno != EINTR)
			rc = err_sys(err, errno, "poll");
		if (rc < 0)
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

static int take_packed(struct diff_out *o, struct err *err)
{
	uint64_t taken = 0;
	struct layer_record r;

	do {
		if (hear(&o->helper, &r, err) < 0)
			return -1;
		if (r.type == LAYER_FAILED)
			return layer_helper_failure(&r, err);
		if ((r.type != LAYER_POSITION && r.type != LAYER_END) || r.offset < taken ||
				r.offset - taken > RING)
			return err_set(err, ERR_INTERNAL, "layer helper: senseless record");
		if (content_write(o->writer, memring_at(&o->helper.ring, taken),
				    (size_t)(r.offset - taken), err) < 0)
			return -1;
		taken = r.offset;
		layer_helper_tell(&o->helper, taken, false);
	} while (r.type != LAYER_END);
	return 0;
}

static void *drain(void *arg)
{
	struct diff_out *o = arg;

	/* Killing it ends the wait of whoever writes to it. */
	if (take_packed(o, &o->failure) < 0 && o->helper.pidfd >= 0)
		IGNORE(pidfd_signal(o->helper.pidfd, SIGKILL));
	return NULL;
}

static int start_packer(
		struct diff_out *o, struct diff_walking *d, const char *mode, struct err *err)
{
	AUTO_FREE char *found = d->helper == NULL ? layer_helper_find() : NULL;
	AUTO_CLOSE int from = -1;
	struct layer_helper_setup setup = {
		.path = found != NULL ? found : d->helper,
		.mode = mode,
		.ring_bytes = RING,
		.uid = d->helper_uid != 0 ? d->helper_uid : NOBODY,
		.gid = d->helper_uid != 0 ? d->helper_gid : NOBODY,
		.memory_bytes = HELPER_MEMORY,
	};
	int rc = pipe_make(&from, &o->to_helper);

	if (rc < 0)
		return err_sys(err, -rc, "pipe");
	pipe_enlarge(from, PIPE_BYTES);
	setup.input = from;
	if (layer_helper_start(&o->helper, &setup, err) < 0)
		return -1;
	rc = thread_start(&o->thread, drain, o, "diff-pack");
	if (rc < 0)
		return err_sys(err, -rc, "start thread");
	o->is_packed = true;
	return 0;
}

int diff_out_open(struct diff_out *o, struct diff_walking *d, struct content_writer *writer,
		const char *mode, struct err *err)
{
	o->writer = writer;
	o->digester = digester_new(DIGEST_SHA256);
	return mode == NULL ? 0 : start_packer(o, d, mode, err);
}

/* The thread's reason, if it has one, is the better one. */
static int fail(struct diff_out *o, int rc, struct err *err)
{
	thread_join(o->thread);
	o->is_packed = false;
	if (o->failure.kind != ERR_NONE)
		return err_move(err, &o->failure);
	return err_sys(err, -rc, "write to layer helper");
}

int diff_out_write(struct diff_out *o, const void *data, size_t size, struct err *err)
{
	int rc;

	digester_add(o->digester, data, size);
	if (!o->is_packed)
		return content_write(o->writer, data, size, err);
	rc = io_write_all(o->to_helper, data, size);
	return rc < 0 ? fail(o, rc, err) : 0;
}

int diff_out_finish(struct diff_out *o, struct err *err)
{
	if (!o->is_packed)
		return 0;
	close_fd(&o->to_helper);
	thread_join(o->thread);
	o->is_packed = false;
	return o->failure.kind != ERR_NONE ? err_move(err, &o->failure) : 0;
}

void diff_out_drop(struct diff_out *o)
{
	close_fd(&o->to_helper);
	if (o->is_packed) {
		IGNORE(pidfd_signal(o->helper.pidfd, SIGKILL));
		thread_join(o->thread);
	}
	layer_helper_stop(&o->helper);
	digester_free(o->digester);
	err_clear(&o->failure);
}
