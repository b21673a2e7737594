/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ctr/cmd_images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_out.h"

typedef struct images_import_args args_type;

static int check(const args_type *args)
{
	if (args->discard && !args->local)
		return out_fail("\"--discard-unpacked-layers\" requires \"--local\" flag");
	if (args->discard && args->no_unpack)
		return out_fail("\"--discard-unpacked-layers\" and \"--no-unpack\" are "
				"incompatible options");
	if (args->discard)
		return out_fail("discarding unpacked layers: not implemented");
	if (args->skip_digest_for_named && !args->digests)
		return out_fail("--skip-digest-for-named must be specified with --digests "
				"option");
	return 0;
}

static int open_archive(const char *name, int *ret_fd)
{
	if (strcmp(name, "-") == 0) {
		*ret_fd = STDIN_FILENO;
		return 0;
	}
	*ret_fd = open(name, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? out_fail("open %s: %s", name, errno_text(errno)) : 0;
}

static int unpack(struct ctrd_client *client, const struct ctrd_images *images,
		const args_type *args)
{
	struct ctrd_error *error = NULL;

	for (size_t i = 0; i < ctrd_images_count(images); i++) {
		const struct ctrd_image *image = ctrd_images_at(images, i);

		printf("unpacking %s (%s)...", ctrd_image_name(image),
				ctrd_image_digest(image));
		fflush(stdout);
		if (ctrd_image_unpack(client, image, args->platform, args->snapshotter,
				    &error) < 0)
			return out_error(error);
		printf("done\n");
	}
	return 0;
}

int run_images_import(struct cx *cx)
{
	const args_type *args = cx->args;
	struct ctrd_import_options options = CTRD_IMPORT_OPTIONS_INIT;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_images_free) struct ctrd_images *images = NULL;
	AUTO(ctrd_labels_free)
	struct ctrd_labels *labels = labels_of_args(args->labels, "true");
	struct ctrd_error *error = NULL;
	int status = check(args), fd = -1, rc;

	options.base_name = str_is_empty(args->base_name) ? NULL : args->base_name;
	options.base_name_only = options.base_name != NULL;
	options.digests = args->digests;
	options.skip_digest_for_named = args->skip_digest_for_named;
	options.index_name = str_is_empty(args->index_name) ? NULL : args->index_name;
	options.platform = str_is_empty(args->platform) ? NULL : args->platform;
	options.all_platforms = args->all_platforms;
	options.compress = args->compress;
	options.labels = ctrd_labels_count(labels) == 0 ? NULL : labels;
	if (status == 0)
		status = cx_connect(cx, &client);
	if (status == 0)
		status = open_archive(cx_arg(cx, 0), &fd);
	if (status != 0)
		return status;
	rc = ctrd_images_import(client, fd, &options, &images, &error);
	if (fd != STDIN_FILENO)
		close_fd(&fd);
	if (rc < 0)
		return out_error(error);
	return args->no_unpack ? 0 : unpack(client, images, args);
}

const struct flag images_import_flags[] = {
	FLAG("base-name", FLAG_TEXT, offsetof(args_type, base_name),
			"name for images that have only a tag; others under it are kept"),
	FLAG("digests", FLAG_SWITCH, offsetof(args_type, digests),
			"make names with digests, too"),
	FLAG("skip-digest-for-named", FLAG_SWITCH, offsetof(args_type, skip_digest_for_named),
			"but not for images that have another name"),
	FLAG("index-name", FLAG_TEXT, offsetof(args_type, index_name),
			"name for the archive's index"),
	FLAG("all-platforms", FLAG_SWITCH, offsetof(args_type, all_platforms),
			"import content of all platforms"),
	FLAG("platform", FLAG_TEXT, offsetof(args_type, platform),
			"import content of this platform"),
	FLAG("no-unpack", FLAG_SWITCH, offsetof(args_type, no_unpack), "make no snapshots"),
	FLAG("local", FLAG_SWITCH, offsetof(args_type, local),
			"work from this side rather than in the daemon"),
	FLAG("compress-blobs", FLAG_SWITCH, offsetof(args_type, compress),
			"compress layers of docker archives"),
	FLAG("discard-unpacked-layers", FLAG_SWITCH, offsetof(args_type, discard),
			"let layers go once they are unpacked"),
	FLAG("sync-fs", FLAG_SWITCH, offsetof(args_type, sync_fs),
			"flush each layer's file system"),
	FLAG("snapshotter", FLAG_TEXT, offsetof(args_type, snapshotter), SNAPSHOTTER_HELP,
			.env = "CONTAINERD_SNAPSHOTTER"),
	FLAG("label", FLAG_LIST, offsetof(args_type, labels), "label for the images (k=v)"),
	{ 0 },
};
