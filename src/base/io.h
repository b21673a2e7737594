/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes on descriptors. Results are -errno, without text (see err.h). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct buf;

/* Retries EINTR and short writes. 0 or -errno. */
MAY_BLOCK MUST_USE int io_write_all(int fd, const void *data, size_t size);

/* Bytes read, fewer than "size" only at the end; or -errno. */
MAY_BLOCK MUST_USE ssize_t io_read_full(int fd, void *data, size_t size);
MAY_BLOCK MUST_USE ssize_t io_pread_full(int fd, void *data, size_t size, uint64_t offset);

/* Appends everything up to the end; -EFBIG if that is over the buffer's limit. */
MAY_BLOCK MUST_USE int io_read_all(int fd, struct buf *out);

/* Reads a file below dirfd without following a final symlink. 0 or -errno. */
MAY_BLOCK MUST_USE int io_read_file(int dirfd, const char *name, struct buf *out);

/* Replaces "name" below dirfd so that a crash leaves the old or the new content: writes a
 * temporary sibling, syncs it, renames it, syncs the directory. 0 or -errno. */
MAY_BLOCK MUST_USE int io_replace_file(
		int dirfd, const char *name, const void *data, size_t size, mode_t mode);
