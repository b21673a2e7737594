/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads per layer. Intake takes the unpacked bytes, puts them into the tar ring, which
 * only we can write to, and hashes them there; the caller's thread takes the parser's records
 * and writes files from that same ring. They share two positions.
 */
#pragma once

#include "archive/layer_helper.h"
#include "archive/unpack.h"
#include "base/auto.h"
#include "base/cancel.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mutex.h"

#define UNPACK_RING 2097152 /* unpacked bytes on their way in */
#define TAR_RING    4194304 /* tar between hash, parser and writer */

struct unpack {
	const struct unpack_source *source;
	struct unpack_options options;
	struct ctx *ctx;
	struct layer_helper inflater, parser;
	bool has_inflater;

	struct cancel_hook cancel_hook;
	bool is_hooked;
	int cancel_event; /* readable once the caller's ctx is cancelled */
	int stop_event;	  /* readable once either thread must stop */

	struct mutex lock;
	struct cond moved;
	uint64_t head;	   /* the tar ring holds bytes up to here */
	uint64_t released; /* nobody needs what is before this */
	bool head_is_last;
	bool is_draining; /* the archive has ended; what follows is only hashed */
	bool is_stopped;
	struct err first; /* what went wrong first */

	/* intake's own */
	uint64_t taken; /* of the inflater's ring */
	uint64_t produced;
	bool produced_all;
	struct digester *digester;
	uint64_t max_bytes;

	/* the writer's own */
	struct extract *extract;
	struct buf entry_frame; /* the current entry, as long as it is needed */
	struct layer_parser entry_parser;
	struct layer_record entry;
};

/* Remembers what went wrong first and stops both threads. Takes what is in err. */
void unpack_fail(struct unpack *u, struct err *err);

/* Waits until fd is ready: 1, or 0 after some time without; -1 when all is to stop. */
MUST_USE int unpack_poll(struct unpack *u, int fd, short events, struct err *err);

/* The next record of a helper. */
MUST_USE int unpack_hear(struct unpack *u, struct layer_helper *h,
		struct layer_record *ret_record, const char **ret_bytes, size_t *ret_size,
		struct err *err);

int unpack_intake(struct unpack *u, struct err *err);
int unpack_write(struct unpack *u, struct err *err);
