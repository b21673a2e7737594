/* SPDX-License-Identifier: Apache-2.0 */
/* The differ named "walking": applies layers through helper processes (archive/unpack.h), makes
 * them by comparing two mounts (reference 03 §2). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

struct content_store;
struct differ;
struct mount_manager;

/* A program that turns layers of one kind into another: "stream_processors" in the config. */
struct diff_processor {
	char *id;
	char **accepts; /* media types */
	char *returns;	/* media type */
	char *path;	/* looked up in PATH unless it has a slash */
	char **args, **env;
};

struct diff_walking_options {
	struct content_store *content; /* borrowed */
	struct mount_manager *mounts;  /* borrowed; NULL: layers go to plain mounts only */
	const char *temp_root;	       /* for temporary mounts and files */
	const char *helper; /* NULL: beside this program, else where it is installed */
	uid_t helper_uid;   /* 0: nobody */
	gid_t helper_gid;
	bool walk_all;		 /* reads no upper directories: to compare results */
	bool not_durable;	 /* layers are not synced unless Apply asks for it */
	int zstd_window_log_max; /* 0: the default of archive/unpack.h */
	const struct diff_processor *processors; /* copied */
	size_t processor_count;
};

MUST_USE struct differ *diff_walking_new(const struct diff_walking_options *options);
