/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/unpack.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "archive/codec.h"
#include "archive/compression.h"
#include "archive/unpack_priv.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/thread.h"
#include "os/fs.h"

#define NOBODY		65534
#define HELPER_MEMORY	(UINT64_C(96) << 20) /* address space: libraries, stack, one record */
#define HELPER_CPU_S	60
#define CPU_BYTES_PER_S 4194304 /* packed ones; the slowest machine does more */
#define LOOKS_PER_STALL 20	/* how often it is asked whether a helper is stuck */

void unpack_fail(struct unpack *u, struct err *err)
{
	{
		LOCKED(&u->lock);
		if (!u->is_stopped)
			IGNORE(err_move(&u->first, err));
		u->is_stopped = true;
		cond_broadcast(&u->moved);
	}
	err_clear(err);
	IGNORE(eventfd_write(u->stop_event, 1));
}

static bool is_stopped(struct unpack *u)
{
	LOCKED(&u->lock);
	return u->is_stopped;
}

int unpack_poll(struct unpack *u, int fd, short events, struct err *err)
{
	struct pollfd p[] = { { .fd = fd, .events = events },
		{ .fd = u->stop_event, .events = POLLIN },
		{ .fd = u->cancel_event, .events = POLLIN } };
	int64_t left_ns = ctx_left_ns(u->ctx);
	int rc;

	if (left_ns > u->options.stall_ns / LOOKS_PER_STALL)
		left_ns = u->options.stall_ns / LOOKS_PER_STALL;
	do
		rc = poll(p, ARRAY_LEN(p), (int)(left_ns / NS_PER_MS + 1));
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(err, errno, "poll");
	if (ctx_done(u->ctx, err))
		return -1;
	if (is_stopped(u))
		return err_set(err, ERR_ABORTED, "stopped");
	return p[0].revents != 0;
}

/* True if it can be waiting for us or for others: the parser when it has given back all there
 * is, the inflater when its input comes from somebody slow. */
static bool has_nothing_to_do(struct unpack *u, const struct layer_helper *h)
{
	LOCKED(&u->lock);
	if (h == &u->inflater)
		return u->source->is_slow;
	return u->head == u->released && !u->head_is_last;
}

static int check_silence(
		struct unpack *u, const struct layer_helper *h, int64_t *since, struct err *err)
{
	int64_t now = clock_mono_ns();

	if (has_nothing_to_do(u, h))
		*since = now;
	if (now - *since < u->options.stall_ns)
		return 0;
	return err_set(err, ERR_DEADLINE, "layer helper (%s) does not go on", h->mode);
}

int unpack_hear(struct unpack *u, struct layer_helper *h, struct layer_record *ret_record,
		const char **ret_bytes, size_t *ret_size, struct err *err)
{
	int64_t since = clock_mono_ns();
	int rc;

	while ((rc = layer_helper_next(h, ret_record, ret_bytes, ret_size, err)) == 0) {
		rc = layer_helper_receive(h, err);
		if (rc == 0)
			rc = unpack_poll(u, h->records, POLLIN, err);
		if (rc == 0)
			rc = check_silence(u, h, &since, err);
		if (rc < 0)
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

static void on_cancel(struct cancel_hook *hook)
{
	struct unpack *u = container_of(hook, struct unpack, cancel_hook);

	IGNORE(eventfd_write(u->cancel_event, 1));
}

/* A hook that is running just now still uses the descriptor: it writes before anyone can read,
 * so wait for that. */
static void unhook(struct unpack *u)
{
	eventfd_t count;

	if (u->is_hooked && !cancel_hook_remove(u->ctx->cancel, &u->cancel_hook))
		IGNORE(eventfd_read(u->cancel_event, &count));
}

static void fill_defaults(struct unpack *u)
{
	struct unpack_options *o = &u->options;

	if (o->uid == 0) {
		o->uid = NOBODY;
		o->gid = NOBODY;
	}
	if (o->max_ratio == 0)
		o->max_ratio = UNPACK_MAX_RATIO;
	if (o->ratio_floor == 0)
		o->ratio_floor = UNPACK_RATIO_FLOOR;
	if (o->window_log_max == 0)
		o->window_log_max = UNPACK_WINDOW_LOG_MAX;
	if (o->stall_ns == 0)
		o->stall_ns = UNPACK_STALL_NS;
}

static uint64_t most_bytes(const struct unpack *u)
{
	const struct unpack_options *o = &u->options;
	uint64_t size = u->source->size < 0 ? 0 : (uint64_t)u->source->size, most;

	if (u->source->size < 0 || __builtin_mul_overflow(size, o->max_ratio, &most))
		return INT64_MAX;
	return most > o->ratio_floor ? most : o->ratio_floor;
}

/* A file for a large window; -1 when there is no need or no place for one. */
static int make_window(struct unpack *u)
{
	const struct unpack_options *o = &u->options;
	AUTO_CLOSE int fd = -1;

	if (o->window_log_max <= CODEC_SMALL_WINDOW || o->extract.temp_dir == NULL)
		return -1;
	fd = fs_temp_file(o->extract.temp_dir);
	if (fd < 0 || ftruncate(fd, (off_t)CODEC_WINDOW_BYTES(o->window_log_max)) < 0)
		return -1;
	return take_fd(&fd);
}

static int start_helper(struct unpack *u, struct layer_helper *h, const char *mode, int input,
		struct err *err)
{
	const struct unpack_options *o = &u->options;
	AUTO_FREE char *found = o->helper == NULL ? layer_helper_find() : NULL;
	AUTO_CLOSE int window = input < 0 ? -1 : make_window(u);
	size_t ring = input < 0 ? TAR_RING : UNPACK_RING;
	struct layer_helper_setup setup = {
		.path = found != NULL ? found : o->helper,
		.mode = mode,
		.ring_bytes = ring,
		.input = input,
		.uid = o->uid,
		.gid = o->gid,
		.memory_bytes = HELPER_MEMORY + 2 * ring + (UINT64_C(1) << o->window_log_max),
		.window_log_max = o->window_log_max,
		.window = window,
	};

	if (u->source->size >= 0)
		setup.cpu_seconds = HELPER_CPU_S + (uint64_t)u->source->size / CPU_BYTES_PER_S;
	return layer_helper_start(h, &setup, err);
}

/* True if the bytes are tar as they are. A pipe cannot be looked at without taking from it:
 * the inflater will see. */
static int is_plain(const struct unpack_source *s, bool *ret, struct err *err)
{
	unsigned char head[COMPRESSION_HEAD];
	ssize_t n = s->is_tar ? 0 : io_pread_full(s->fd, head, sizeof(head), 0);

	if (n < 0 && n != -ESPIPE)
		return err_sys(err, (int)-n, "read layer");
	*ret = n >= 0 && compression_detect(head, (size_t)n) == COMPRESSION_NONE;
	return 0;
}

static int start_inflater(struct unpack *u, struct err *err)
{
	bool plain = true;

	if (is_plain(u->source, &plain, err) < 0)
		return -1;
	u->has_inflater = !plain;
	return plain ? 0 : start_helper(u, &u->inflater, "unpack", u->source->fd, err);
}

static void *intake(void *arg)
{
	AUTO_ERR struct err err = { 0 };
	struct unpack *u = arg;

	if (unpack_intake(u, &err) < 0)
		unpack_fail(u, &err);
	return NULL;
}

/* Both threads, until the stream is at its end. */
static void run(struct unpack *u, struct err *err)
{
	unsigned long thread;
	int rc = start_inflater(u, err);

	if (rc == 0)
		rc = start_helper(u, &u->parser, "parse", -1, err);
	if (rc == 0 && (rc = thread_start(&thread, intake, u, "unpack-intake")) < 0)
		(void)err_sys(err, -rc, "start thread");
	if (rc == 0) {
		if (unpack_write(u, err) < 0)
			unpack_fail(u, err);
		thread_join(thread);
	} else {
		unpack_fail(u, err);
	}
	layer_helper_stop(&u->inflater);
	layer_helper_stop(&u->parser);
}

static int set_up(struct unpack *u, const struct unpack_source *source, int root,
		const struct unpack_options *options, struct ctx *ctx, struct err *err)
{
	u->source = source;
	u->options = *options;
	u->ctx = ctx;
	u->inflater = u->parser = (struct layer_helper)LAYER_HELPER_INIT;
	u->cancel_hook.fired = on_cancel;
	mutex_init(&u->lock, RANK_unpack);
	cond_init(&u->moved);
	u->stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	u->cancel_event = eventfd(0, EFD_CLOEXEC);
	if (u->stop_event < 0 || u->cancel_event < 0)
		return err_sys(err, errno, "eventfd");
	fill_defaults(u);
	u->max_bytes = most_bytes(u);
	u->digester = digester_new(DIGEST_SHA256);
	u->entry_frame.limit = SIZE_MAX;
	u->extract = extract_new(root, &u->options.extract, ctx);
	return 0;
}

static void tear_down(struct unpack *u)
{
	extract_free(u->extract);
	layer_parser_done(&u->entry_parser);
	buf_done(&u->entry_frame);
	digester_free(u->digester);
	cond_done(&u->moved);
	mutex_done(&u->lock);
	close_fd(&u->stop_event);
	close_fd(&u->cancel_event);
	free(u);
}

static int end(struct unpack *u, struct unpack_result *ret_result, struct err *err)
{
	if (u->first.kind != ERR_NONE)
		return err_move(err, &u->first);
	digester_text(u->digester, ret_result->digest);
	ret_result->size = (int64_t)u->taken;
	ret_result->file_bytes = extract_bytes(u->extract);
	return 0;
}

int unpack_layer(const struct unpack_source *source, int root,
		const struct unpack_options *options, struct ctx *ctx,
		struct unpack_result *ret_result, struct err *err)
{
	struct unpack *u = xzalloc(sizeof(*u));
	int rc = set_up(u, source, root, options, ctx, err);

	ASSERT_MAY_BLOCK();
	if (rc == 0) {
		u->is_hooked = ctx->cancel != NULL &&
			       cancel_hook_add(ctx->cancel, &u->cancel_hook);
		run(u, err);
		unhook(u);
		rc = end(u, ret_result, err);
	}
	tear_down(u);
	return rc;
}
