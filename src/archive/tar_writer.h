/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of tar entries as Go's archive/tar writes them: ustar, and pax records only for what
 * does not fit. The same entry gives the same bytes. */
#pragma once

#include "archive/tar.h"
#include "base/buf.h"

/* Appends the header of an entry; its data (e->size bytes, then tar_put_padding()) follows. Of
 * the times only the seconds of mtime are kept. */
void tar_put_header(struct buf *out, const struct tar_entry *e);
void tar_put_padding(struct buf *out, uint64_t size);
void tar_put_end(struct buf *out);
