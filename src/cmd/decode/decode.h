/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program that looks at hostile bytes, with no right to anything but its descriptors. The
 * daemon starts it (archive/layer_helper.h) and tells it how far it may go; it answers with
 * records (archive/layer_record.h). The bytes lie in a ring that both see.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "os/memring.h"

struct err;
struct layer_told;

struct codec_window;

struct decode {
	struct memring ring;
	const struct layer_told *told; /* the daemon writes there */
	uint64_t position;	       /* what it has told so far */
	bool is_last;		       /* there will be no other */
	struct buf records;
};

/* Packed bytes from the input into the ring. */
enum decode_codec { DECODE_UNPACK, DECODE_GZIP, DECODE_ZSTD };
MUST_USE int decode_bytes(struct decode *d, enum decode_codec codec, int window_log_max,
		const struct codec_window *window, struct err *err);

/* Tar in the ring into records. */
MUST_USE int decode_tar(struct decode *d, struct err *err);

/* Sends the records so far. Ends the process when nobody listens. */
void decode_flush(struct decode *d);

/* Sends the records, then waits until the daemon has told a new position. */
void decode_wait(struct decode *d);
