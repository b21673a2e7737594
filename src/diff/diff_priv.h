/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/auto.h"
#include "core/diff.h"
#include "diff/diff_walking.h"

struct any;
struct content_reader;
struct mount_spec;
struct temp_mount;
struct unpack_source;

struct diff_walking {
	struct differ base;
	struct content_store *content;
	struct mount_manager *mounts;
	char *temp_root, *helper;
	uid_t helper_uid;
	gid_t helper_gid;
	bool is_durable, is_walking_all;
	int zstd_window_log_max;
	struct diff_processor *processors;
	size_t processor_count;
};

int diff_walking_apply(struct differ *self, struct ctx *ctx, const struct descriptor *layer,
		const struct mounts *mounts, const struct diff_apply_options *options,
		struct descriptor *ret_applied, struct err *err);
int diff_walking_compare(struct differ *self, struct ctx *ctx, const struct mounts *lower,
		const struct mounts *upper, const struct diff_create_options *options,
		struct descriptor *ret_diff, struct err *err);

/* --- media types --- */

enum diff_packing {
	DIFF_IS_UNKNOWN, /* no layer that we know */
	DIFF_IS_TAR,	 /* as it is */
	DIFF_IS_PACKED,	 /* its first bytes tell how */
};
enum diff_packing diff_packing(const char *media_type);

/* Value of "key=value" among the options, borrowed; NULL: not there. */
const char *diff_option(const struct mount_spec *m, const char *key);

/* --- where a layer goes --- */

struct diff_target {
	int root;
	bool is_overlay, user_xattr;
	int *lowers; /* of the overlay */
	size_t lower_count;
	struct temp_mount *temp; /* NULL: the directory itself was opened */
};

#define DIFF_TARGET_INIT                                                                       \
	{                                                                                      \
		.root = -1                                                                     \
	}

MAY_BLOCK MUST_USE int diff_target_open(struct diff_target *t, const struct mounts *mounts,
		const char *temp_root, struct ctx *ctx, struct err *err);
/* With a failure to unmount, if nothing else failed before. */
MAY_BLOCK MUST_USE int diff_target_close(
		struct diff_target *t, struct ctx *ctx, struct err *err);
/* The same on the way out with another error. */
MAY_BLOCK void diff_target_drop(struct diff_target *t);

/* --- where its bytes come from --- */

/* Carries what is no file into a pipe. */
struct diff_feeder {
	struct content_reader *reader;
	int to;
	unsigned long thread;
	bool runs;
	char *failure; /* owned; NULL: none */
};

struct diff_process {
	const struct diff_processor *processor;
	pid_t pid;
	int pidfd, stderr_file;
};

#define DIFF_MAX_PROCESSES 8

/* A blob, and the programs it passes through. */
struct diff_stream {
	struct content_reader *reader;
	int fd; /* what comes out: the blob's file, or a pipe */
	bool is_file, is_tar;
	struct diff_feeder feeder;
	struct diff_process processes[DIFF_MAX_PROCESSES];
	size_t process_count;
};

#define DIFF_STREAM_INIT                                                                       \
	{                                                                                      \
		.fd = -1, .feeder = {.to = -1 }                                                \
	}

/* UNIMPLEMENTED when no program and not we ourselves know the media type. */
MAY_BLOCK MUST_USE int diff_stream_open(struct diff_stream *s, struct diff_walking *d,
		const struct descriptor *layer, const struct anys *payloads, struct ctx *ctx,
		struct err *err);

/* After everything was read: waits for the programs and hears how they fared. With "failed"
 * set they may be stuck, and are ended; an error of theirs then replaces what is in err, which
 * only followed from it. */
MAY_BLOCK MUST_USE int diff_stream_close(
		struct diff_stream *s, bool failed, struct ctx *ctx, struct err *err);
