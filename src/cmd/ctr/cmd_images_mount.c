/* SPDX-License-Identifier: Apache-2.0 */
/* An image's files under a directory: the lease and the snapshot that keep them there have the
 * directory's name (reference 03 §1.17). */
#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"
#include "cmd/ctr/cmd_images.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_out.h"

typedef struct images_mount_args mount_args;
typedef struct images_unmount_args unmount_args;

#define DEFAULT_SNAPSHOTTER "overlayfs" /* not the namespace's: as the original */

/* One that is there already goes on; *ret_is_new says so of ours. */
static int take_lease(struct ctrd_client *client, const char *target, int64_t life_ns,
		bool *ret_is_new)
{
	struct ctrd_error *error = NULL;
	char *id = NULL;

	if (ctrd_lease_create(client, target, life_ns, NULL, &id, &error) < 0) {
		if (ctrd_error_code(error) != CTRD_EXISTS)
			return out_error(error);
		ctrd_error_free(error);
	}
	*ret_is_new = id != NULL;
	ctrd_free(id);
	ctrd_client_use_lease(client, target);
	return 0;
}

static int make_snapshot(struct ctrd_client *client, const mount_args *args,
		const char *snapshotter, const char *key, const char *parent,
		struct ctrd_mounts **ret_mounts)
{
	struct ctrd_error *error = NULL;
	int rc = args->rw ? ctrd_snapshot_prepare(client, snapshotter, key, parent, NULL,
					    ret_mounts, &error)
			  : ctrd_snapshot_view(client, snapshotter, key, parent, NULL,
					    ret_mounts, &error);

	if (rc < 0 && ctrd_error_code(error) == CTRD_EXISTS) {
		ctrd_error_free(error);
		error = NULL;
		rc = ctrd_snapshot_mounts(client, snapshotter, key, ret_mounts, &error);
	}
	return rc < 0 ? out_error(error) : 0;
}

static int mount_image(struct ctrd_client *client, const mount_args *args, const char *ref,
		const char *target)
{
	const char *snapshotter = str_or(args->snapshotter, DEFAULT_SNAPSHOTTER);
	const char *platform = str_is_empty(args->platform) ? NULL : args->platform;
	AUTO(ctrd_image_free) struct ctrd_image *image = NULL;
	AUTO(ctrd_strings_free) char **chain = NULL;
	AUTO(ctrd_mounts_free) struct ctrd_mounts *m = NULL;
	AUTO_ERROR struct ctrd_error *ignored = NULL;
	struct ctrd_error *error = NULL;

	if (ctrd_image_get(client, ref, &image, &error) < 0 ||
			ctrd_image_unpack(client, image, platform, snapshotter, &error) < 0 ||
			ctrd_image_chain(client, image, platform, &chain, &error) < 0)
		return out_error(error);
	if (chain == NULL || chain[0] == NULL)
		return out_fail("image %s has no layers", ref);
	if (make_snapshot(client, args, snapshotter, target, chain[0], &m) != 0)
		return STATUS_FAILED;
	if (ctrd_mounts_apply(m, target, &error) < 0) {
		(void)!ctrd_snapshot_remove(client, snapshotter, target, &ignored);
		return out_error(error);
	}
	printf("%s\n%s\n", chain[0], target);
	return 0;
}

int run_images_mount(struct cx *cx)
{
	const mount_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO_ERROR struct ctrd_error *ignored = NULL;
	bool is_new = false;
	int status;

	if (str_is_empty(cx_arg(cx, 0)))
		return out_fail("please provide an image reference to mount");
	if (str_is_empty(cx_arg(cx, 1)))
		return out_fail("please provide a target path to mount to");
	status = cx_connect(cx, &client);
	if (status == 0)
		status = take_lease(client, cx->argv[1], args->expiration_ns, &is_new);
	if (status == 0)
		status = mount_image(client, args, cx->argv[0], cx->argv[1]);
	if (status != 0 && is_new)
		(void)!ctrd_lease_remove(client, cx->argv[1], 0, &ignored);
	return status;
}

/* What is not there any more is fine. */
static int forget(struct ctrd_client *client, const char *snapshotter, const char *target)
{
	struct ctrd_error *error = NULL;

	if (ctrd_lease_remove(client, target, 0, &error) < 0) {
		if (ctrd_error_code(error) != CTRD_NOT_FOUND)
			return out_error_in("error deleting lease", error);
		ctrd_error_free(error);
		error = NULL;
	}
	if (ctrd_snapshot_remove(client, snapshotter, target, &error) < 0) {
		if (ctrd_error_code(error) != CTRD_NOT_FOUND)
			return out_error_in("error removing snapshot", error);
		ctrd_error_free(error);
	}
	return 0;
}

int run_images_unmount(struct cx *cx)
{
	const unmount_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	struct ctrd_error *error = NULL;
	int status;

	if (str_is_empty(cx_arg(cx, 0)))
		return out_fail("please provide a target path to unmount from");
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	if (ctrd_unmount(cx->argv[0], &error) < 0)
		return out_error(error);
	if (args->remove)
		status = forget(client, str_or(args->snapshotter, DEFAULT_SNAPSHOTTER),
				cx->argv[0]);
	if (status == 0)
		printf("%s\n", cx->argv[0]);
	return status;
}

#define SNAPSHOTTER_FLAG(args_type)                                                            \
	FLAG("snapshotter", FLAG_TEXT, offsetof(args_type, snapshotter),                       \
			"snapshotter (default: " DEFAULT_SNAPSHOTTER ")",                      \
			.env = "CONTAINERD_SNAPSHOTTER")

const struct flag images_mount_flags[] = {
	SNAPSHOTTER_FLAG(mount_args),
	FLAG("label", FLAG_LIST, offsetof(mount_args, labels), "(unused)"),
	FLAG("rw", FLAG_SWITCH, offsetof(mount_args, rw), "let it be written to"),
	FLAG("platform", FLAG_TEXT, offsetof(mount_args, platform),
			"mount content of this platform"),
	FLAG("sync-fs", FLAG_SWITCH, offsetof(mount_args, sync_fs),
			"flush each layer's file system"),
	FLAG("expiration, x", FLAG_DURATION, offsetof(mount_args, expiration_ns),
			"how long the files are kept", .fallback = "1h0m0s"),
	{ 0 },
};

const struct flag images_unmount_flags[] = {
	SNAPSHOTTER_FLAG(unmount_args),
	FLAG("label", FLAG_LIST, offsetof(unmount_args, labels), "(unused)"),
	FLAG("rm", FLAG_SWITCH, offsetof(unmount_args, remove), "remove the snapshot, too"),
	{ 0 },
};
