/* SPDX-License-Identifier: Apache-2.0 */
/* What a checkpointed container had changed in its root (reference 02 §6.3 step 11): a tar
 * beside the images. It is unpacked as layers are, by the differ, and so becomes a blob first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/content.h"
#include "core/diff.h"
#include "oci/media.h"
#include "runtime/checkpoint.h"
#include "runtime/runtime_priv.h"

#define PIECE (1024 * 1024)

/* 1 and the file, or 0 if there is none. */
static int open_diff(const char *path, int *ret_fd, int64_t *ret_size, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "%s is not a regular file", path);
	*ret_size = st.st_size;
	*ret_fd = take_fd(&fd);
	return 1;
}

static const char *media_of(int fd)
{
	unsigned char start[4] = { 0 };

	if (pread(fd, start, sizeof(start), 0) == sizeof(start)) {
		if (start[0] == 0x1f && start[1] == 0x8b)
			return MEDIA_OCI_LAYER_GZIP;
		if (memcmp(start, "\x28\xb5\x2f\xfd", 4) == 0)
			return MEDIA_OCI_LAYER_ZSTD;
	}
	return MEDIA_OCI_LAYER;
}

static int copy_in(int fd, struct content_writer *w, struct digester *d, struct err *err)
{
	AUTO_FREE char *piece = xmalloc(PIECE);
	ssize_t n;

	while ((n = read(fd, piece, PIECE)) > 0) {
		digester_add(d, piece, (size_t)n);
		if (content_write(w, piece, (size_t)n, err) < 0)
			return -1;
	}
	return n < 0 ? err_sys(err, errno, "read") : 0;
}

/* Kept from the collector by a label: nothing else refers to it. */
static int store(const struct checkpoint_place *p, int fd, int64_t size, struct descriptor *ret,
		struct err *err)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO(digester_free) struct digester *d = digester_new(DIGEST_SHA256);
	AUTO_LABELS struct labels labels = { 0 };
	AUTO_FREE char *ref = xasprintf("rootfs-diff-%s", p->id);
	char digest[DIGEST_TEXT_SIZE];

	labels_set(&labels, "containerd.io/gc.root", "restore");
	if (content_writer_open(p->rt->content, p->ctx, ref, size, "", &w, err) < 0 ||
			content_truncate(w, err) < 0 || copy_in(fd, w, d, err) < 0)
		return -1;
	digester_text(d, digest);
	if (content_commit(w, p->ctx, size, digest, &labels, err) < 0 &&
			err->kind != ERR_EXISTS)
		return -1;
	*ret = (struct descriptor){
		.media_type = xstrdup(media_of(fd)), .digest = xstrdup(digest), .size = size
	};
	return 0;
}

static int apply(const struct checkpoint_place *p, const struct descriptor *layer,
		const char *rootfs, struct err *err)
{
	AUTO_MOUNTS struct mounts mounts = { 0 };
	struct diff_apply_options options = { 0 };
	struct descriptor applied = { 0 };

	strv_add(&mounts_add(&mounts, "bind", rootfs, "")->options, "bind");
	if (diff_apply(p->rt->differ, p->ctx, layer, &mounts, &options, &applied, err) < 0)
		return -1;
	descriptor_done(&applied);
	return 0;
}

int checkpoint_restore_rootfs(const struct checkpoint_place *p, const char *images,
		const char *rootfs, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/../rootfs-diff.tar", images);
	AUTO_ERR struct err ignored = { 0 };
	struct descriptor layer = { 0 };
	AUTO_CLOSE int fd = -1;
	int64_t size = 0;
	bool is_new;
	int rc;

	ASSERT_MAY_BLOCK();
	rc = open_diff(path, &fd, &size, err);
	if (rc <= 0)
		return rc;
	if (p->rt->differ == NULL || p->rt->content == NULL)
		return err_set(err, ERR_UNIMPLEMENTED, "checkpoints need a differ");
	rc = store(p, fd, size, &layer, err);
	is_new = rc == 0 && err->kind == ERR_NONE;
	if (rc == 0)
		err_clear(err);
	if (rc == 0)
		rc = apply(p, &layer, rootfs, err);
	if (is_new)
		IGNORE(content_remove(p->rt->content, p->ctx, layer.digest,
				&ignored)); /* of no use */
	descriptor_done(&layer);
	if (rc < 0)
		return err_wrap(err, "unpacking of rootfs-diff archive %s into %s failed", path,
				rootfs);
	return 0;
}
