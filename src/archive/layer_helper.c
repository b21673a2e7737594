/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/layer_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive/layer_told.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/fs.h"
#include "os/pipe.h"
#include "os/process.h"
#include "os/spawn.h"

#ifndef CTRD_LIBEXECDIR
#define CTRD_LIBEXECDIR "/usr/libexec/containerd"
#endif

#define FIRST_ROOM   65536
#define PIPE_BYTES   (256 * 1024)
#define CONTROL_SIZE 4096
/* A helper that has closed its pipe is about to be gone. */
#define LAST_BREATH_MS 200

char *layer_helper_find(void)
{
	AUTO_FREE char *self = NULL;
	AUTO_FREE char *path = NULL;
	char *slash;

	if (fs_read_link(AT_FDCWD, "/proc/self/exe", &self) == 0 &&
			(slash = strrchr(self, '/')) != NULL) {
		path = xasprintf("%.*s/" LAYER_HELPER_NAME, (int)(slash - self), self);
		if (access(path, X_OK) == 0)
			return take_ptr(path);
	}
	return xstrdup(CTRD_LIBEXECDIR "/" LAYER_HELPER_NAME);
}

/* Memory with the one number; the helper can only read it. */
static int make_told(struct layer_helper *h, int *ret_fd)
{
	AUTO_CLOSE int fd = memring_make(CONTROL_SIZE);
	void *told;
	int rc;

	if (fd < 0)
		return fd;
	told = mmap(NULL, CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (told == MAP_FAILED)
		return -errno;
	h->told = told;
	rc = memring_seal_writing(fd);
	if (rc < 0)
		return rc;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int make_ring(struct layer_helper *h, size_t size, bool for_parsing, int *ret_fd)
{
	AUTO_CLOSE int fd = memring_make(size);
	int rc = fd < 0 ? fd : memring_map(fd, size, for_parsing, &h->ring);

	if (rc == 0 && for_parsing)
		rc = memring_seal_writing(fd);
	if (rc < 0)
		return rc;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The helper's ends; ours are in the helper's struct. */
struct ends {
	int ring, control, records;
};

static void ends_done(struct ends *e)
{
	close_fd(&e->ring);
	close_fd(&e->control);
	close_fd(&e->records);
}

static int make_ends(struct layer_helper *h, const struct layer_helper_setup *s, struct ends *e)
{
	int rc = make_told(h, &e->control);

	if (rc == 0)
		rc = make_ring(h, s->ring_bytes, str_eq(s->mode, "parse"), &e->ring);
	if (rc == 0)
		rc = pipe_make(&h->records, &e->records);
	if (rc == 0) {
		pipe_enlarge(h->records, PIPE_BYTES);
		rc = fd_set_nonblocking(h->records, true);
	}
	h->told_event = eventfd(0, EFD_CLOEXEC);
	return rc == 0 && h->told_event < 0 ? -errno : rc;
}

static int spawn_it(struct layer_helper *h, const struct layer_helper_setup *s,
		const struct ends *e)
{
	static char *const no_environment[] = { NULL };
	AUTO_STRV char **argv = NULL;
	struct spawn child = {
		.path = s->path,
		.envp = no_environment,
		.cwd = "/",
		.fds = { -1, -1, -1, -1, -1, -1, -1, -1 },
		.fd_count = LAYER_FD_COUNT,
		.death_signal = SIGKILL,
	};

	child.fds[LAYER_FD_RECORDS] = e->records;
	child.fds[LAYER_FD_RING] = e->ring;
	child.fds[LAYER_FD_CONTROL] = e->control;
	child.fds[LAYER_FD_TOLD] = h->told_event;
	child.fds[LAYER_FD_INPUT] = s->input;
	if (s->window > 0)
		child.fds[LAYER_FD_WINDOW] = s->window;
	strv_add(&argv, LAYER_HELPER_NAME);
	strv_add(&argv, s->mode);
	strv_addf(&argv, "%zu", s->ring_bytes);
	strv_addf(&argv, "%u", s->uid);
	strv_addf(&argv, "%u", s->gid);
	strv_addf(&argv, "%llu", (unsigned long long)s->memory_bytes);
	strv_addf(&argv, "%llu", (unsigned long long)s->cpu_seconds);
	strv_addf(&argv, "%d", s->window_log_max);
	child.argv = argv;
	return spawn_child(&child, &h->pid, &h->pidfd);
}

int layer_helper_start(
		struct layer_helper *h, const struct layer_helper_setup *setup, struct err *err)
{
	__attribute__((cleanup(ends_done))) struct ends e = { -1, -1, -1 };
	int rc = make_ends(h, setup, &e);

	if (rc < 0)
		return err_sys(err, -rc, "share memory with layer helper");
	rc = spawn_it(h, setup, &e);
	if (rc < 0)
		return err_sys(err, -rc, "start %s", setup->path);
	h->mode = setup->mode;
	h->room = FIRST_ROOM;
	h->buffer = xmalloc(h->room);
	return 0;
}

/* Waits for its end; false if someone else was told how it was. */
static bool reap(struct layer_helper *h, siginfo_t *ret_info)
{
	*ret_info = (siginfo_t){ 0 };
	while (waitid(P_PIDFD, (id_t)h->pidfd, ret_info, WEXITED) < 0)
		if (errno != EINTR)
			return false;
	return true;
}

void layer_helper_stop(struct layer_helper *h)
{
	siginfo_t info;

	if (h->pidfd >= 0) {
		IGNORE(pidfd_signal(h->pidfd, SIGKILL)); /* it may be gone */
		(void)reap(h, &info);
	}
	close_fd(&h->pidfd);
	close_fd(&h->records);
	close_fd(&h->told_event);
	if (h->told != NULL)
		(void)munmap(h->told, CONTROL_SIZE);
	memring_unmap(&h->ring);
	layer_parser_done(&h->parser);
	free(h->buffer);
	*h = (struct layer_helper)LAYER_HELPER_INIT;
}

void layer_helper_tell(struct layer_helper *h, uint64_t position, bool is_last)
{
	atomic_store_explicit(&h->told->position, position | (is_last ? LAYER_TOLD_LAST : 0),
			memory_order_release);
	IGNORE(eventfd_write(h->told_event, 1)); /* fails only if it is told already */
}

int layer_helper_next(struct layer_helper *h, struct layer_record *ret_record,
		const char **ret_bytes, size_t *ret_size, struct err *err)
{
	ssize_t n = layer_record_parse(
			&h->parser, h->buffer + h->at, h->size - h->at, ret_record, err);

	if (n <= 0)
		return (int)n;
	if (ret_bytes != NULL) {
		*ret_bytes = h->buffer + h->at;
		*ret_size = (size_t)n;
	}
	h->at += (size_t)n;
	return 1;
}

/* Room for more behind what was not parsed yet. The parser refuses frames that are too large
 * as soon as it sees their head, so this ends. */
static void make_room(struct layer_helper *h)
{
	if (h->at > 0) {
		memmove(h->buffer, h->buffer + h->at, h->size - h->at);
		h->size -= h->at;
		h->at = 0;
	}
	if (h->size < h->room)
		return;
	h->room *= 2;
	h->buffer = xrealloc(h->buffer, h->room);
}

/* It has closed its end, before it said how it ended. */
static int tell_end(struct layer_helper *h, struct err *err)
{
	struct pollfd p = { .fd = h->pidfd, .events = POLLIN };
	siginfo_t info;
	bool known;

	if (poll(&p, 1, LAST_BREATH_MS) == 0)
		IGNORE(pidfd_signal(h->pidfd, SIGKILL));
	known = reap(h, &info);
	close_fd(&h->pidfd);
	if (known && info.si_code == CLD_EXITED)
		return err_set(err, ERR_INTERNAL, "layer helper (%s) exited with status %d",
				h->mode, info.si_status);
	if (known)
		return err_set(err, ERR_INTERNAL, "layer helper (%s) was killed by signal %d",
				h->mode, info.si_status);
	return err_set(err, ERR_INTERNAL, "layer helper (%s) ended", h->mode);
}

int layer_helper_receive(struct layer_helper *h, struct err *err)
{
	ssize_t n;

	make_room(h);
	n = read(h->records, h->buffer + h->size, h->room - h->size);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return err_sys(err, errno, "read from layer helper");
	if (n == 0)
		return tell_end(h, err);
	h->size += (size_t)n;
	return 1;
}

int layer_helper_failure(const struct layer_record *r, struct err *err)
{
	AUTO_FREE char *text = xstrdup(r->failure);

	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (!utf8_valid(text, strlen(text)))
		for (char *p = text; *p != '\0'; p++)
			if ((unsigned char)*p >= 0x80)
				*p = '?';
	return err_plain(err, (enum err_kind)r->fail_kind, "%s", text);
}
