/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Standard streams of a process in a container: named pipes on its side, descriptors on ours.
 */
#ifndef CTRD_IO_H
#define CTRD_IO_H

#include <ctrd/base.h>
#include <ctrd/error.h>

CTRD_BEGIN

struct ctrd_io;

#define CTRD_DEFAULT_FIFO_DIR "/run/containerd/fifo"

/** Names pipes for a process in a new directory below dir (NULL: the usual place). With a
 * terminal there is no stderr. */
CTRD_API int ctrd_io_fifos(const char *dir, const char *id, int terminal,
		struct ctrd_io **ret_io, struct ctrd_error **ret_error);
/** Pipes that somebody else made. They are not removed. */
CTRD_API struct ctrd_io *ctrd_io_paths(
		const char *in, const char *out, const char *err, int terminal);
/** Nothing at all. */
CTRD_API struct ctrd_io *ctrd_io_null(void);
/** Output goes to "binary://…", "file://…" or "fifo://…". */
CTRD_API int ctrd_io_uri(
		const char *uri, struct ctrd_io **ret_io, struct ctrd_error **ret_error);

/** "" where there is none. */
CTRD_API const char *ctrd_io_stdin(const struct ctrd_io *io);
CTRD_API const char *ctrd_io_stdout(const struct ctrd_io *io);
CTRD_API const char *ctrd_io_stderr(const struct ctrd_io *io);
CTRD_API int ctrd_io_terminal(const struct ctrd_io *io);

/**
 * Starts copying, with one thread per stream: in_fd to the process, from the process to out_fd
 * and err_fd (-1: that stream is left alone). Descriptors are borrowed until ctrd_io_free().
 * Call it before the process is created: its output may be copied at once, its input is when
 * somebody opens the other end.
 *
 * @param stdin_ended  called on the copying thread when in_fd is at its end; or NULL
 */
CTRD_API int ctrd_io_start(struct ctrd_io *io, int in_fd, int out_fd, int err_fd,
		void (*stdin_ended)(void *arg), void *arg, struct ctrd_error **ret_error);
/** Waits until all output was copied and its writers have gone. Once the process has ended. */
CTRD_API void ctrd_io_wait(struct ctrd_io *io);
/** Gives up on output that has not come. */
CTRD_API void ctrd_io_cancel(struct ctrd_io *io);
/** Cancels, ends the threads and removes the pipes (unless keep). NULL is fine. */
CTRD_API void ctrd_io_free(struct ctrd_io *io, int keep);

/** A terminal of ours in raw mode. */
struct ctrd_console;

/** CTRD_PRECONDITION if fd is none. */
CTRD_API int ctrd_console_raw(
		int fd, struct ctrd_console **ret_console, struct ctrd_error **ret_error);
/** Puts it back as it was, and ends it. NULL is fine. */
CTRD_API void ctrd_console_restore(struct ctrd_console *console);
CTRD_API int ctrd_console_size(int fd, uint32_t *ret_width, uint32_t *ret_height,
		struct ctrd_error **ret_error);

CTRD_END

#endif
