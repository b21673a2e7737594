/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "archive/unpack.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/content.h"
#include "core/mount_manager.h"
#include "diff/diff_priv.h"
#include "mount/mount_temp.h"
#include "oci/media.h"
#include "os/fs.h"
#include "os/process.h"

static int unpack(struct diff_walking *d, struct diff_stream *s, const struct diff_target *t,
		struct ctx *ctx, struct unpack_result *ret_result, struct err *err)
{
	struct unpack_source source = {
		.fd = s->fd,
		.size = s->process_count == 0 ? s->reader->size : -1,
		.is_tar = s->is_tar,
		.is_slow = !s->is_file,
	};
	struct unpack_options options = {
		.helper = d->helper,
		.uid = d->helper_uid,
		.gid = d->helper_gid,
		.window_log_max = d->zstd_window_log_max,
		.extract = {
			.is_overlay = t->is_overlay,
			.user_xattr = t->user_xattr,
			.lowers = t->lowers,
			.lower_count = t->lower_count,
			.in_userns = process_in_userns(),
			.temp_dir = d->temp_root,
			.write_soon = d->is_durable,
		},
	};

	/* Nothing may have been mounted before this. */
	int rc = fs_make_dirs(AT_FDCWD, d->temp_root, 0700);

	if (rc < 0)
		return err_sys(err, -rc, "mkdir %s", d->temp_root);
	return unpack_layer(&source, t->root, &options, ctx, ret_result, err);
}

/* One barrier for the whole layer. */
static int sync_target(const struct diff_target *t, struct err *err)
{
	return syncfs(t->root) < 0 ? err_sys(err, errno, "sync layer") : 0;
}

static int unpack_to_target(struct diff_walking *d, struct diff_stream *s,
		const struct mounts *mounts, bool sync, struct ctx *ctx,
		struct unpack_result *ret_result, struct err *err)
{
	struct diff_target t = DIFF_TARGET_INIT;
	int rc = diff_target_open(&t, mounts, d->temp_root, ctx, err);

	if (rc == 0)
		rc = unpack(d, s, &t, ctx, ret_result, err);
	if (rc == 0 && sync)
		rc = sync_target(&t, err);
	if (rc == 0)
		return diff_target_close(&t, ctx, err);
	if (t.temp != NULL)
		IGNORE(err_wrap(err, "mount callback failed on %s", temp_mount_path(t.temp)));
	diff_target_drop(&t);
	return -1;
}

/* Names repeat in no process: the address is of a thread's own. */
static char *activation_name(const void *of_this_call)
{
	return xasprintf("fs-diffapply-%lld-%lx", (long long)(clock_mono_ns() % NS_PER_S),
			(unsigned long)(uintptr_t)of_this_call & 0xffffff);
}

/* Some lists of mounts only the mount manager can make. */
static int unpack_to_mounts(struct diff_walking *d, struct diff_stream *s,
		const struct mounts *mounts, bool sync, struct ctx *ctx,
		struct unpack_result *ret_result, struct err *err)
{
	AUTO_ACTIVATION struct activation made = { 0 };
	AUTO_FREE char *name = activation_name(&made);
	struct mount_activate r = { .name = name, .mounts = mounts, .is_held = true };
	struct ctx undo = { .ns = ctx->ns, .what = ctx->what };
	AUTO_ERR struct err late = { 0 };
	int rc;

	if (d->mounts == NULL || mounts->count < 2 ||
			!mount_manager_is_needed(d->mounts, mounts))
		return unpack_to_target(d, s, mounts, sync, ctx, ret_result, err);
	if (mount_manager_activate(d->mounts, ctx, &r, &made, err) < 0)
		return -1;
	rc = unpack_to_target(d, s, &made.system, sync, ctx, ret_result, err);
	if (mount_manager_deactivate(d->mounts, &undo, name, &late) < 0)
		log_warn(ctx, "deactivate %s: %s (ignored)", name, err_text(&late));
	return rc;
}

static void log_applied(
		struct ctx *ctx, const struct descriptor *layer, const struct unpack_result *r)
{
	AUTO_FREE char *size = xasprintf("%lld", (long long)r->size);
	const char *const fields[] = { "digest", r->digest, "media", layer->media_type, "size",
		size, NULL };

	if (log_is_on(LOG_DEBUG))
		log_fields(ctx, LOG_DEBUG, fields, "diff applied");
}

int diff_walking_apply(struct differ *self, struct ctx *ctx, const struct descriptor *layer,
		const struct mounts *mounts, const struct diff_apply_options *options,
		struct descriptor *ret_applied, struct err *err)
{
	struct diff_walking *d = (struct diff_walking *)self;
	struct diff_stream s = DIFF_STREAM_INIT;
	struct unpack_result r = { 0 };
	int rc = diff_stream_open(&s, d, layer, options->payloads, ctx, err);

	if (rc == 0)
		rc = unpack_to_mounts(
				d, &s, mounts, options->sync_fs || d->is_durable, ctx, &r, err);
	if (diff_stream_close(&s, rc < 0, ctx, err) < 0)
		return -1;
	log_applied(ctx, layer, &r);
	*ret_applied = (struct descriptor){
		.media_type = xstrdup(MEDIA_OCI_LAYER),
		.digest = xstrdup(r.digest),
		.size = r.size,
	};
	return 0;
}
