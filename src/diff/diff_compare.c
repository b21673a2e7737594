/* SPDX-License-Identifier: Apache-2.0 */
/* A layer out of the difference between two mounts (reference 03 §2.5). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "archive/tar_writer.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/content.h"
#include "diff/diff_changes.h"
#include "diff/diff_out.h"
#include "diff/diff_priv.h"
#include "diff/diff_upper.h"
#include "mount/mount_temp.h"
#include "oci/media.h"

#define UNCOMPRESSED "containerd.io/uncompressed"

struct comparison {
	struct diff_walking *d;
	const struct diff_create_options *options;
	const char *media_type, *mode; /* how to pack; NULL: not at all */
	char *ref;
	bool is_own_ref;
	struct content_writer *writer;
	struct diff_out out;
	char tar_digest[DIGEST_TEXT_SIZE], digest[DIGEST_TEXT_SIZE];
	int64_t size;
};

static int choose_packing(struct comparison *c, struct err *err)
{
	c->media_type = str_or(c->options->media_type, MEDIA_OCI_LAYER_GZIP);
	if (str_eq(c->media_type, MEDIA_OCI_LAYER_GZIP))
		c->mode = "gzip";
	else if (str_eq(c->media_type, MEDIA_OCI_LAYER_ZSTD))
		c->mode = "zstd";
	else if (!str_eq(c->media_type, MEDIA_OCI_LAYER))
		return err_set(err, ERR_UNIMPLEMENTED, "unsupported diff media type: %s",
				c->media_type);
	return 0;
}

static void choose_ref(struct comparison *c)
{
	uint32_t random = 0;

	c->is_own_ref = str_is_empty(c->options->ref);
	IGNORE(getrandom(&random, sizeof(random), GRND_NONBLOCK));
	c->ref = c->is_own_ref ? xasprintf("%lld-%08x", (long long)clock_wall_ns(), random)
			       : xstrdup(c->options->ref);
}

static int open_writer(struct comparison *c, struct ctx *ctx, struct err *err)
{
	struct content_status status = { 0 };

	if (content_writer_open(c->d->content, ctx, c->ref, 0, "", &c->writer, err) < 0)
		return err_wrap(err, "failed to open writer");
	if (c->is_own_ref)
		return 0;
	if (content_writer_status(c->writer, &status, c->digest, err) < 0)
		return -1;
	content_status_done(&status);
	return content_truncate(c->writer, err);
}

/* The blob may have been there before, without the label. */
static int label_existing(struct comparison *c, struct ctx *ctx, struct err *err)
{
	char *const fields[] = { (char *)(uintptr_t) "labels." UNCOMPRESSED, NULL };
	struct content_info info = { 0 }, after = { 0 };
	int rc = content_info(c->d->content, ctx, c->digest, &info, err);

	if (rc == 0 && c->mode != NULL && labels_find(&info.labels, UNCOMPRESSED) == NULL) {
		labels_set(&info.labels, UNCOMPRESSED, c->tar_digest);
		rc = content_update(c->d->content, ctx, &info, fields, &after, err);
	}
	content_info_done(&info);
	content_info_done(&after);
	return rc;
}

static int commit(struct comparison *c, struct ctx *ctx, struct err *err)
{
	struct content_status status = { 0 };
	struct labels labels AUTO_LABELS = { 0 };
	int rc;

	digester_text(c->out.digester, c->tar_digest);
	if (content_writer_status(c->writer, &status, c->digest, err) < 0)
		return -1;
	c->size = status.offset;
	content_status_done(&status);
	if (c->options->labels != NULL)
		labels_copy(&labels, c->options->labels);
	if (c->mode != NULL)
		labels_set(&labels, UNCOMPRESSED, c->tar_digest);
	rc = content_commit(c->writer, ctx, 0, NULL, &labels, err);
	if (rc == 0)
		return 0;
	if (err->kind != ERR_EXISTS)
		return err_wrap(err, "failed to commit");
	err_clear(err);
	return label_existing(c, ctx, err);
}

static int write_changes(struct comparison *c, const char *lower, const char *upper,
		int changed, struct ctx *ctx, struct err *err)
{
	AUTO_CLOSE int lower_fd = open(lower, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int upper_fd = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (lower_fd < 0 || upper_fd < 0)
		return err_sys(err, errno, "open mounts to compare");
	if (diff_out_open(&c->out, c->d, c->writer, c->mode, err) < 0)
		return -1;
	if (diff_changes_write(lower_fd, upper_fd, changed, c->options->source_date_epoch_ns,
			    &c->out, ctx, err) < 0)
		return -1;
	return diff_out_finish(&c->out, err);
}

static int with_mounts(struct comparison *c, const struct mounts *lower,
		const struct mounts *upper, struct ctx *ctx, struct err *err)
{
	AUTO(temp_mount_drop) struct temp_mount *l = NULL;
	AUTO(temp_mount_drop) struct temp_mount *u = NULL;
	AUTO_CLOSE int changed = c->d->is_walking_all ? -1 : diff_upper_open(lower, upper);

	if (temp_mount_open(c->d->temp_root, lower, true, ctx, &l, err) < 0 ||
			temp_mount_open(c->d->temp_root, upper, true, ctx, &u, err) < 0)
		return -1;
	return write_changes(c, temp_mount_path(l), temp_mount_path(u), changed, ctx, err);
}

int diff_walking_compare(struct differ *self, struct ctx *ctx, const struct mounts *lower,
		const struct mounts *upper, const struct diff_create_options *options,
		struct descriptor *ret_diff, struct err *err)
{
	struct comparison c = {
		.d = (struct diff_walking *)self, .options = options, .out = DIFF_OUT_INIT
	};
	AUTO_ERR struct err ignored = { 0 };
	int rc;

	if (choose_packing(&c, err) < 0)
		return -1;
	choose_ref(&c);
	rc = open_writer(&c, ctx, err);
	if (rc == 0)
		rc = with_mounts(&c, lower, upper, ctx, err);
	if (rc == 0)
		rc = commit(&c, ctx, err);
	diff_out_drop(&c.out);
	content_writer_close(c.writer);
	if (rc < 0 && c.is_own_ref && c.writer != NULL)
		IGNORE(content_abort(c.d->content, ctx, c.ref, &ignored));
	if (rc == 0)
		*ret_diff = (struct descriptor){ .media_type = xstrdup(c.media_type),
			.digest = xstrdup(c.digest),
			.size = c.size };
	free(c.ref);
	return rc;
}
