/* SPDX-License-Identifier: Apache-2.0 */
/* One helper process (src/cmd/decode) for one stage of one layer: start it, tell it positions,
 * hear its records, and be rid of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "archive/layer_record.h"
#include "base/attr.h"
#include "os/memring.h"

struct err;
struct layer_told;

#define LAYER_HELPER_NAME "containerd-layer-helper"

/* Owned path of the helper: beside our own executable, else where it is installed. */
MUST_USE char *layer_helper_find(void);

struct layer_helper_setup {
	const char *path;
	const char *mode;  /* "unpack", "parse", "gzip", "zstd" */
	size_t ring_bytes; /* the helper writes to it, unless it parses */
	int input;	   /* borrowed; -1: none */
	uid_t uid;
	gid_t gid;
	uint64_t memory_bytes, cpu_seconds;
	int window_log_max;
	int window; /* a file to keep windows over CODEC_SMALL_WINDOW in, borrowed; 0: none */
};

struct layer_helper {
	const char *mode; /* NULL: not started */
	pid_t pid;
	int pidfd, records, told_event; /* the pipe does not block */
	struct layer_told *told;
	struct memring ring;
	struct layer_parser parser;
	char *buffer; /* records as they came */
	size_t at, size, room;
};

#define LAYER_HELPER_INIT                                                                      \
	{                                                                                      \
		.pidfd = -1, .records = -1, .told_event = -1                                   \
	}

MAY_BLOCK MUST_USE int layer_helper_start(struct layer_helper *h,
		const struct layer_helper_setup *setup, struct err *err);

/* Kills it if it is still there, waits for it, and gives everything back. */
MAY_BLOCK void layer_helper_stop(struct layer_helper *h);

/* Never waits. */
void layer_helper_tell(struct layer_helper *h, uint64_t position, bool is_last);

/* The next record of those that have come: 1 and its bytes, valid until the next call of this
 * or of layer_helper_receive(); 0 if there is none; -1 if it is malformed. */
MUST_USE int layer_helper_next(struct layer_helper *h, struct layer_record *ret_record,
		const char **ret_bytes, size_t *ret_size, struct err *err);

/* Takes what is in the pipe, without waiting: 1 if there was something, 0 if not. -1 when the
 * helper has ended, with how it did. */
MUST_USE int layer_helper_receive(struct layer_helper *h, struct err *err);

/* The error that a LAYER_FAILED record tells, made fit to be shown. Returns -1. */
int layer_helper_failure(const struct layer_record *r, struct err *err);
