/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/any.h"
#include "core/content.h"
#include "core/diff.h"
#include "oci/media.h"
#include "os/fs.h"
#include "runtime/runtime_priv.h"
#include "wire/wire_map.h"

#define MEDIA_IMAGES "application/vnd.containerd.container.criu.checkpoint.criu.tar"
#define MEDIA_SPEC   "application/vnd.containerd.container.checkpoint.config.v1+proto"
#define FROM_PATH    "RestoreFromPath"

int checkpoint_make_dir(const struct checkpoint_place *p, char **ret_path, struct err *err)
{
	AUTO_FREE char *path = xasprintf(
			"%s/%s/%s/ctrd-checkpointXXXXXX", p->rt->dirs.root, p->ns, p->id);

	ASSERT_MAY_BLOCK();
	if (mkdtemp(path) == NULL)
		return err_sys(err, errno, "make a directory for the checkpoint of %s", p->id);
	*ret_path = take_ptr(path);
	return 0;
}

void checkpoint_remove_dir(const struct checkpoint_place *p, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	AUTO_FREE char *work = xasprintf("%s/%s", p->ns, p->id);
	AUTO_CLOSE int fd = fs_open_dir(p->rt->dirs.root_fd, work);

	/* What stays goes with the task. */
	if (fd >= 0)
		IGNORE(fs_remove_all(fd, name));
}

static void bind_of(const char *path, struct mounts *ret_mounts)
{
	strv_add(&mounts_add(ret_mounts, "bind", path, "")->options, "bind");
}

static const char *path_of(const struct descriptor *image)
{
	return str_or(labels_find(&image->annotations, FROM_PATH), "");
}

bool checkpoint_starts_at_once(const struct descriptor *image)
{
	return image != NULL && !str_is_empty(path_of(image));
}

static int unpack_into(const struct checkpoint_place *p, const struct descriptor *image,
		const char *path, struct err *err)
{
	AUTO_MOUNTS struct mounts mounts = { 0 };
	struct diff_apply_options options = { 0 };
	struct descriptor layer = *image, applied = { 0 };
	AUTO_FREE char *plain = xstrdup(MEDIA_OCI_LAYER);

	layer.media_type = plain;
	bind_of(path, &mounts);
	if (diff_apply(p->rt->differ, p->ctx, &layer, &mounts, &options, &applied, err) < 0)
		return err_wrap(err, "checkpoint %s", image->digest);
	descriptor_done(&applied);
	return 0;
}

int checkpoint_unpack(const struct checkpoint_place *p, const struct descriptor *image,
		char **ret_path, struct err *err)
{
	AUTO_FREE char *path = NULL;

	if (checkpoint_starts_at_once(image)) {
		*ret_path = xstrdup(path_of(image));
		return 0;
	}
	if (!str_eq(image->media_type, MEDIA_IMAGES))
		return err_set(err, ERR_UNKNOWN, "unsupported checkpoint type \"%s\"",
				image->media_type);
	if (p->rt->differ == NULL)
		return err_set(err, ERR_UNIMPLEMENTED, "checkpoints need a differ");
	if (checkpoint_make_dir(p, &path, err) < 0)
		return -1;
	if (unpack_into(p, image, path, err) < 0) {
		checkpoint_remove_dir(p, path);
		return -1;
	}
	*ret_path = take_ptr(path);
	return 0;
}

static int pack_images(const struct checkpoint_place *p, const char *path,
		struct descriptor *ret_blob, struct err *err)
{
	AUTO_MOUNTS struct mounts nothing = { 0 };
	AUTO_MOUNTS struct mounts mounts = { 0 };
	struct diff_create_options options = { .media_type = MEDIA_OCI_LAYER, .ref = path };

	bind_of(path, &mounts);
	if (diff_compare(p->rt->differ, p->ctx, &nothing, &mounts, &options, ret_blob, err) < 0)
		return -1;
	free(ret_blob->media_type);
	ret_blob->media_type = xstrdup(MEDIA_IMAGES);
	return 0;
}

static int write_blob(const struct checkpoint_place *p, const char *ref, const void *data,
		size_t size, const char *digest, struct err *err)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;

	if (content_writer_open(p->rt->content, p->ctx, ref, (int64_t)size, digest, &w, err) <
					0 ||
			content_truncate(w, err) < 0 || content_write(w, data, size, err) < 0 ||
			content_commit(w, p->ctx, (int64_t)size, digest, NULL, err) < 0) {
		if (err->kind != ERR_EXISTS)
			return -1;
		err_clear(err);
	}
	return 0;
}

/* The spec as the record has it, type and value. */
static int pack_spec(const struct checkpoint_place *p, const char *path, const struct any *spec,
		struct descriptor *ret_blob, struct err *err)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_FREE char *ref = xasprintf("%s/spec", path);
	char digest[DIGEST_TEXT_SIZE];
	const void *data = NULL;
	size_t size = 0;

	arena_init(&a, SIZE_MAX);
	data = pb_encode_arena(&wire_any_out(&a, spec)->base, &a, &size);
	digest_bytes(DIGEST_SHA256, data, size, digest);
	if (write_blob(p, ref, data, size, digest, err) < 0)
		return -1;
	*ret_blob = (struct descriptor){ .media_type = xstrdup(MEDIA_SPEC),
		.digest = xstrdup(digest),
		.size = (int64_t)size };
	return 0;
}

int checkpoint_pack(const struct checkpoint_place *p, const char *path, const struct any *spec,
		struct descriptor ret_blobs[2], struct err *err)
{
	struct descriptor blobs[2] = { 0 };

	if (p->rt->differ == NULL || p->rt->content == NULL)
		return err_set(err, ERR_UNIMPLEMENTED, "checkpoints need a differ");
	if (pack_images(p, path, &blobs[0], err) < 0 ||
			pack_spec(p, path, spec, &blobs[1], err) < 0) {
		descriptor_done(&blobs[0]);
		return -1;
	}
	ret_blobs[0] = blobs[0];
	ret_blobs[1] = blobs[1];
	return 0;
}
