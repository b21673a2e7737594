/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer from its blob into a directory. Decompressing and parsing are done by two helper
 * processes; what is between them, the hash over exactly the bytes that are parsed, and what
 * comes after them, the writing, is done here, all at the same time and in a few megabytes.
 * docs/design/032-unpacking.md has the picture.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "archive/extract.h"
#include "base/attr.h"
#include "base/digest.h"

struct ctx;
struct err;

struct unpack_source {
	int fd;	      /* the blob's file, which others may read meanwhile, or a pipe */
	int64_t size; /* of the blob, for its limits; -1: not known */
	/* It is tar whatever it looks like; otherwise its first bytes tell. */
	bool is_tar;
	/* Someone else makes the bytes meanwhile, and may take any time for it. */
	bool is_slow;
};

struct unpack_options {
	const char *helper; /* path; NULL: layer_helper_find() */
	uid_t uid;	    /* for the helpers; 0: nobody */
	gid_t gid;
	struct extract_options extract;
	/* A layer may unpack to so many times its size, or to floor if that is more. 0: the
	 * defaults below. */
	uint64_t max_ratio, ratio_floor;
	int window_log_max; /* of zstd; 0: the default */
	int64_t stall_ns;   /* a helper that says nothing for so long is stuck */
};
#define UNPACK_MAX_RATIO   200
#define UNPACK_RATIO_FLOOR (UINT64_C(1) << 30)
/* 128 MiB, what "zstd --long" makes and takes. Windows over 8 MiB are kept in a file in
 * extract.temp_dir; without that they are refused. */
#define UNPACK_WINDOW_LOG_MAX 27
#define UNPACK_STALL_NS	      (INT64_C(60) * 1000000000)

struct unpack_result {
	char digest[DIGEST_TEXT_SIZE]; /* of the tar: the diff id */
	int64_t size;		       /* of the tar */
	uint64_t file_bytes;
};

/* Whatever goes wrong, both helpers are gone afterwards; what was written so far stays.
 * EXHAUSTED for bombs, INTERNAL when a helper dies, DEADLINE when one is stuck. */
MAY_BLOCK MUST_USE int unpack_layer(const struct unpack_source *source, int root,
		const struct unpack_options *options, struct ctx *ctx,
		struct unpack_result *ret_result, struct err *err);
