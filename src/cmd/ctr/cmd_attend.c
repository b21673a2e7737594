/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ctr/cmd_attend.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_out.h"

/* --- streams ------------------------------------------------------------------------------ */

/* The first of ours that is a terminal, errors first. */
static int find_console(void)
{
	for (int fd = STDERR_FILENO; fd >= STDIN_FILENO; fd--)
		if (isatty(fd))
			return fd;
	return -1;
}

int attend_open(struct attend *a, struct ctrd_client *client, const char *container,
		const char *exec_id, bool terminal)
{
	struct ctrd_error *error = NULL;

	*a = (struct attend){ .client = client,
		.container = container,
		.exec_id = exec_id,
		.console_fd = -1,
		.wake_fd = -1,
		.signal_fd = -1 };
	if (!terminal)
		return 0;
	a->console_fd = find_console();
	if (ctrd_console_raw(a->console_fd, &a->console, &error) < 0)
		return out_error(error);
	return 0;
}

int attend_make_io(struct attend *a, const char *id, bool null_io, const char *log_uri,
		const char *fifo_dir, bool terminal)
{
	struct ctrd_error *error = NULL;

	if (null_io && terminal)
		return out_fail("tty and null-io cannot be used together");
	if (null_io) {
		a->io = ctrd_io_null();
		return 0;
	}
	if (!str_is_empty(log_uri)) {
		if (ctrd_io_uri(log_uri, &a->io, &error) < 0)
			return out_error(error);
		return 0;
	}
	if (ctrd_io_fifos(str_is_empty(fifo_dir) ? NULL : fifo_dir, id, terminal, &a->io,
			    &error) < 0)
		return out_error(error);
	return 0;
}

/* On the thread that copied stdin. If the process has ended meanwhile, it does not matter. */
static void stdin_ended(void *arg)
{
	struct attend *a = arg;

	atomic_store(&a->input_ended, true);
	(void)!ctrd_task_close_stdin(a->client, a->container, a->exec_id, NULL);
}

/* Short input ends while the task is still being made, when nobody can be told yet. */
void attend_started(struct attend *a)
{
	if (atomic_load(&a->input_ended))
		(void)!ctrd_task_close_stdin(a->client, a->container, a->exec_id, NULL);
}

int attend_copy(struct attend *a, bool with_input)
{
	bool terminal = a->console != NULL;
	int in = terminal ? a->console_fd : STDIN_FILENO;
	struct ctrd_error *error = NULL;

	if (ctrd_io_start(a->io, with_input ? in : -1, terminal ? a->console_fd : STDOUT_FILENO,
			    terminal ? -1 : STDERR_FILENO, stdin_ended, a, &error) < 0)
		return out_error(error);
	return 0;
}

/* --- waiting ------------------------------------------------------------------------------ */

static void *wait_for_end(void *arg)
{
	struct attend *a = arg;
	struct ctrd_error *error = NULL;
	uint64_t one = 1;

	if (ctrd_task_wait(a->client, a->container, a->exec_id, &a->status, NULL, &error) < 0) {
		a->wait_error = xstrdup(ctrd_error_text(error));
		ctrd_error_free(error);
	}
	(void)!write(a->wake_fd, &one, sizeof(one));
	return NULL;
}

/* With a terminal the keys make the signals inside; only its size is news. */
static void choose_signals(const struct attend *a, sigset_t *set)
{
	sigemptyset(set);
	if (a->console == NULL) {
		sigfillset(set);
		sigdelset(set, SIGURG);
		/* Ours if anything is: a fault here is not the container's. */
		sigdelset(set, SIGSEGV);
		sigdelset(set, SIGBUS);
		sigdelset(set, SIGFPE);
		sigdelset(set, SIGILL);
		sigdelset(set, SIGABRT);
	}
	sigaddset(set, SIGWINCH);
}

int attend_prepare(struct attend *a)
{
	int rc;

	choose_signals(a, &a->signals);
	pthread_sigmask(SIG_BLOCK, &a->signals, &a->before);
	a->signal_fd = signalfd(-1, &a->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	a->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (a->signal_fd < 0 || a->wake_fd < 0)
		return out_fail("signalfd: %s", errno_text(errno));
	rc = thread_start(&a->waiter, wait_for_end, a, "ctr-wait");
	if (rc < 0)
		return out_fail("start thread: %s", errno_text(-rc));
	a->is_waiting = true;
	return 0;
}

static void resize(struct attend *a)
{
	AUTO_ERROR struct ctrd_error *error = NULL;
	uint32_t width = 0, height = 0;

	if (ctrd_console_size(a->console_fd, &width, &height, &error) < 0 ||
			ctrd_task_resize(a->client, a->container, a->exec_id, width, height,
					&error) < 0)
		out_log("error", error, "resize pty");
}

/* False when there is nobody left to be told. */
static bool forward(struct attend *a, uint32_t signal)
{
	AUTO_ERROR struct ctrd_error *error = NULL;

	if (ctrd_task_kill(a->client, a->container, a->exec_id, signal, 0, &error) == 0)
		return true;
	if (ctrd_error_code(error) == CTRD_NOT_FOUND)
		return false;
	out_log("error", error, "forward signal %s", strsignal((int)signal));
	return true;
}

static bool take_signals(struct attend *a)
{
	struct signalfd_siginfo info;

	while (read(a->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (a->console != NULL)
			resize(a);
		else if (!forward(a, info.ssi_signo))
			return false;
	}
	return true;
}

int attend_wait(struct attend *a, uint32_t *ret_status)
{
	struct pollfd fds[] = { { a->wake_fd, POLLIN, 0 }, { a->signal_fd, POLLIN, 0 } };

	if (a->console != NULL)
		resize(a);
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return out_fail("poll: %s", errno_text(errno));
		if (fds[0].revents != 0)
			break;
		if (fds[1].revents != 0 && !take_signals(a))
			fds[1].fd = -1;
	}
	a->has_ended = true;
	if (a->wait_error != NULL)
		return out_fail("%s", a->wait_error);
	*ret_status = a->status;
	return 0;
}

bool attend_close(struct attend *a, bool keep_io)
{
	bool cancel = a->is_waiting && !a->has_ended;

	ctrd_io_free(a->io, keep_io);
	a->io = NULL;
	ctrd_console_restore(a->console);
	a->console = NULL;
	if (cancel)
		ctrd_client_cancel(a->client);
	if (a->is_waiting)
		thread_join(a->waiter);
	close_fd(&a->wake_fd);
	close_fd(&a->signal_fd);
	free(a->wait_error);
	return cancel;
}
