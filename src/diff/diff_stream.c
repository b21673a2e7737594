/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a layer, from its blob through the programs that the configuration names for its
 * media type, until it is tar or something that a layer helper unpacks.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/any.h"
#include "core/content.h"
#include "diff/diff_priv.h"
#include "oci/media.h"
#include "os/pipe.h"
#include "os/process.h"
#include "os/spawn.h"

#define FEED_CHUNK	262144
#define MAX_STDERR	65536
#define PAYLOAD_FD	3
#define FAILED_GRACE_MS 200 /* for who is failing anyway to say why */
#define POLL_MS		200

/* --- feeder --- */

static void *feed(void *arg)
{
	struct diff_feeder *f = arg;
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *chunk = xmalloc(FEED_CHUNK);
	int64_t at = 0;
	ssize_t n;

	while ((n = content_read_at(f->reader, chunk, FEED_CHUNK, at, &err)) > 0) {
		/* Whoever closes the other end has a reason, and tells it. */
		if (io_write_all(f->to, chunk, (size_t)n) < 0)
			break;
		at += n;
	}
	if (n < 0)
		f->failure = xstrdup(err_text(&err));
	close_fd(&f->to);
	return NULL;
}

static int start_feeder(struct diff_stream *s, struct err *err)
{
	struct diff_feeder *f = &s->feeder;
	int rc = pipe_make(&s->fd, &f->to);

	if (rc == 0) {
		pipe_enlarge(f->to, FEED_CHUNK);
		f->reader = s->reader;
		rc = thread_start(&f->thread, feed, f, "diff-feed");
	}
	if (rc < 0) {
		close_fd(&f->to);
		return err_sys(err, -rc, "feed layer");
	}
	f->runs = true;
	return 0;
}

/* --- programs --- */

/* An Any as protobuf writes it: field 1 the type, field 2 the value. */
static void put_field(struct buf *out, unsigned char tag, const void *data, size_t size)
{
	if (size == 0)
		return;
	buf_add_byte(out, tag);
	for (size_t n = size;; n >>= 7) {
		buf_add_byte(out, (unsigned char)((n & 0x7f) | (n > 0x7f ? 0x80 : 0)));
		if (n <= 0x7f)
			break;
	}
	buf_add(out, data, size);
}

/* A file in memory that can be read from its start; or -errno. */
static int memory_file(const void *data, size_t size)
{
	AUTO_CLOSE int fd = memfd_create("stream-processor", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = io_write_all(fd, data, size);
	if (rc < 0)
		return rc;
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : take_fd(&fd);
}

static int payload_file(const struct any *payload)
{
	struct buf out AUTO_BUF = { .limit = SIZE_MAX };

	put_field(&out, 0x0a, payload->type_url, strlen(str_or(payload->type_url, "")));
	put_field(&out, 0x12, payload->value, payload->size);
	return memory_file(out.data, out.size);
}

/* A file for what it complains about; it cannot grow. */
static int complaints_file(void)
{
	AUTO_CLOSE int fd = memfd_create("stderr", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, MAX_STDERR) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0)
		return -errno;
	return take_fd(&fd);
}

static char **make_environment(const struct diff_processor *p, const char *media_type)
{
	char **env = strv_dup(environ);

	for (size_t i = 0; i < strv_len(p->env); i++)
		strv_add(&env, p->env[i]);
	strv_addf(&env, "STREAM_PROCESSOR_MEDIATYPE=%s", media_type);
	return env;
}

static int spawn_process(
		struct diff_process *c, int in, int out, int payload, const char *media_type)
{
	const struct diff_processor *p = c->processor;
	AUTO_FREE char *path = NULL;
	AUTO_STRV char **argv = NULL, **env = make_environment(p, media_type);
	int rc = spawn_find(p->path, getenv("PATH"), &path);

	if (rc < 0)
		return rc;
	strv_add(&argv, p->path);
	for (size_t i = 0; i < strv_len(p->args); i++)
		strv_add(&argv, p->args[i]);
	return spawn_child(
			&(struct spawn){ .path = path,
					.argv = argv,
					.envp = env,
					.fds = { in, out, c->stderr_file, payload },
					.fd_count = payload < 0 ? PAYLOAD_FD : PAYLOAD_FD + 1,
					.death_signal = SIGKILL },
			&c->pid, &c->pidfd);
}

/* Reading the blob's file moves its offset, and others read it, too. */
static int own_offset(struct diff_stream *s)
{
	char path[64];
	int fd;

	if (!s->is_file)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close_fd(&s->fd);
	s->fd = fd;
	return 0;
}

static int start_process(struct diff_stream *s, const struct diff_processor *p,
		const char *media_type, const struct any *payload, struct err *err)
{
	struct diff_process *c = &s->processes[s->process_count];
	AUTO_CLOSE int from = -1, to = -1, payload_fd = -1;
	int rc = own_offset(s);

	*c = (struct diff_process){ .processor = p, .pidfd = -1, .stderr_file = -1 };
	if (rc == 0)
		rc = pipe_make(&from, &to);
	if (rc == 0)
		rc = c->stderr_file = complaints_file();
	if (rc >= 0 && payload != NULL)
		rc = payload_fd = payload_file(payload);
	if (rc >= 0)
		rc = spawn_process(c, s->fd, to, payload_fd, media_type);
	if (rc < 0) {
		close_fd(&c->stderr_file);
		return err_sys(err, -rc, "start stream processor %s", p->path);
	}
	s->process_count++;
	close_fd(&s->fd);
	s->fd = take_fd(&from);
	s->is_file = false;
	return 0;
}

/* What a program that ended with a failure complained about; owned. NULL: it did not fail. */
static char *hear_process(struct diff_process *c, bool was_killed)
{
	siginfo_t info = { 0 };
	char *text;
	ssize_t n;

	while (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return NULL;
	if (was_killed || (info.si_code == CLD_EXITED && info.si_status == 0))
		return NULL;
	text = xzalloc(MAX_STDERR + 1);
	n = io_pread_full(c->stderr_file, text, MAX_STDERR, 0);
	if (n > 0 && *text != '\0')
		return text;
	free(text);
	return xasprintf("%s: %s %d", c->processor->path,
			info.si_code == CLD_EXITED ? "exit status" : "signal", info.si_status);
}

/* True once it has ended by itself. */
static bool wait_process(struct diff_process *c, bool failed, struct ctx *ctx)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };
	AUTO_ERR struct err ignored = { 0 };

	if (failed)
		return poll(&p, 1, FAILED_GRACE_MS) > 0;
	while (!ctx_done(ctx, &ignored))
		if (poll(&p, 1, POLL_MS) > 0)
			return true;
	return false;
}

static char *end_process(struct diff_process *c, bool failed, struct ctx *ctx)
{
	bool ended = wait_process(c, failed, ctx);
	char *failure;

	if (!ended)
		IGNORE(pidfd_signal(c->pidfd, SIGKILL));
	failure = hear_process(c, !ended);
	close_fd(&c->pidfd);
	close_fd(&c->stderr_file);
	return failure;
}

/* --- stream --- */

/* The last one in the list is asked first. */
static const struct diff_processor *find_processor(
		const struct diff_walking *d, const char *media_type)
{
	for (size_t i = d->processor_count; i-- > 0;)
		if (strv_has(d->processors[i].accepts, media_type))
			return &d->processors[i];
	return NULL;
}

static int open_blob(struct diff_stream *s, struct diff_walking *d,
		const struct descriptor *layer, struct ctx *ctx, struct err *err)
{
	if (content_open(d->content, ctx, layer->digest, &s->reader, err) < 0)
		return err_wrap(err, "failed to get reader from content store");
	if (s->reader->fd < 0)
		return start_feeder(s, err);
	s->is_file = true;
	s->fd = fcntl(s->reader->fd, F_DUPFD_CLOEXEC, 0);
	return s->fd < 0 ? err_sys(err, errno, "open layer") : 0;
}

static int no_processor(const char *media_type, struct err *err)
{
	return err_plain(err, ERR_UNIMPLEMENTED,
			"failed to get stream processor for %s: no processor for media-type",
			media_type);
}

static int pass_through(struct diff_stream *s, struct diff_walking *d,
		const struct descriptor *layer, const struct anys *payloads, struct err *err)
{
	const char *type = layer->media_type;
	const struct diff_processor *p;

	while ((p = find_processor(d, type)) != NULL) {
		const struct any *payload =
				payloads == NULL ? NULL : anys_find(payloads, p->id);

		if (s->process_count == DIFF_MAX_PROCESSES)
			return err_set(err, ERR_INVALID, "%s: stream processors go in circles",
					layer->media_type);
		if (start_process(s, p, type, payload, err) < 0)
			return -1;
		type = p->returns;
		if (str_eq(type, MEDIA_OCI_LAYER))
			break;
	}
	if (diff_packing(type) == DIFF_IS_UNKNOWN)
		return no_processor(layer->media_type, err);
	s->is_tar = diff_packing(type) == DIFF_IS_TAR;
	return 0;
}

int diff_stream_open(struct diff_stream *s, struct diff_walking *d,
		const struct descriptor *layer, const struct anys *payloads, struct ctx *ctx,
		struct err *err)
{
	const char *type = str_or(layer->media_type, "");

	if (find_processor(d, type) == NULL && diff_packing(type) == DIFF_IS_UNKNOWN)
		return no_processor(type, err);
	if (open_blob(s, d, layer, ctx, err) < 0)
		return -1;
	return pass_through(s, d, layer, payloads, err);
}

/* The first that failed is the reason for all that follow. */
static char *end_all(struct diff_stream *s, bool failed, struct ctx *ctx)
{
	char *failure = NULL;

	for (size_t i = 0; i < s->process_count; i++) {
		char *one = end_process(&s->processes[i], failed, ctx);

		if (failure == NULL)
			failure = one;
		else
			free(one);
	}
	if (s->feeder.runs)
		thread_join(s->feeder.thread);
	if (s->feeder.failure == NULL)
		return failure;
	free(failure);
	return take_ptr(s->feeder.failure);
}

int diff_stream_close(struct diff_stream *s, bool failed, struct ctx *ctx, struct err *err)
{
	AUTO_FREE char *failure = NULL;

	close_fd(&s->fd); /* ends who still writes */
	failure = end_all(s, failed, ctx);
	if (s->reader != NULL)
		content_reader_close(s->reader);
	*s = (struct diff_stream)DIFF_STREAM_INIT;
	if (failure == NULL)
		return failed ? -1 : 0;
	err_clear(err);
	return err_plain(err, ERR_UNKNOWN, "%s", failure);
}
