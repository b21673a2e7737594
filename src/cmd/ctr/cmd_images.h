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

extern const struct flag images_export_flags[];
int run_images_export(struct cx *cx);
extern const struct flag images_import_flags[];
int run_images_import(struct cx *cx);
