/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cmd/ctr/ctr_command.h"

#define SNAPSHOTTER_HELP "snapshotter; the namespace's default if empty"

struct images_import_args {
	const char *snapshotter, *base_name, *index_name, *platform;
	char **labels;
	bool digests, skip_digest_for_named, all_platforms, no_unpack, local, compress, discard,
			sync_fs;
};

struct images_export_args {
	char **platforms;
	bool skip_manifest_json, skip_non_distributable, all_platforms, local;
};

struct images_mount_args {
	const char *snapshotter, *platform;
	char **labels;
	int64_t expiration_ns;
	bool rw, sync_fs;
};

struct images_unmount_args {
	const char *snapshotter;
	char **labels;
	bool remove;
};

extern const struct flag images_mount_flags[], images_unmount_flags[];
int run_images_mount(struct cx *cx);
int run_images_unmount(struct cx *cx);
extern const struct flag images_export_flags[];
int run_images_export(struct cx *cx);
extern const struct flag images_import_flags[];
int run_images_import(struct cx *cx);
