/* SPDX-License-Identifier: Apache-2.0 */
#include "core/content.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"

void content_info_done(struct content_info *i)
{
	labels_done(&i->labels);
	*i = (struct content_info){ 0 };
}

void content_status_done(struct content_status *s)
{
	free(s->ref);
	*s = (struct content_status){ 0 };
}

static int check_digest(const char *digest, struct err *err)
{
	AUTO_FREE char *quoted = NULL;

	if (digest_check(digest, NULL, err) == 0)
		return 0;
	quoted = str_quote(digest);
	return err_wrap(err, "%s failed validation", quoted);
}

int content_info(struct content_store *s, struct ctx *ctx, const char *digest,
		struct content_info *ret_info, struct err *err)
{
	if (check_digest(digest, err) < 0)
		return -1;
	return s->ops->info(s, ctx, digest, ret_info, err);
}

int content_update(struct content_store *s, struct ctx *ctx, const struct content_info *info,
		char *const *fieldpaths, struct content_info *ret_info, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (check_digest(info->digest, err) < 0)
		return -1;
	return s->ops->update(s, ctx, info, fieldpaths, ret_info, err);
}

int content_list(struct content_store *s, struct ctx *ctx, char *const *filters,
		content_info_each each, void *arg, struct err *err)
{
	return s->ops->list(s, ctx, filters, each, arg, err);
}

int content_remove(
		struct content_store *s, struct ctx *ctx, const char *digest, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (check_digest(digest, err) < 0)
		return -1;
	return s->ops->remove(s, ctx, digest, err);
}

int content_open(struct content_store *s, struct ctx *ctx, const char *digest,
		struct content_reader **ret_reader, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (check_digest(digest, err) < 0)
		return -1;
	return s->ops->open(s, ctx, digest, ret_reader, err);
}

int content_status_get(struct content_store *s, struct ctx *ctx, const char *ref,
		struct content_status *ret_status, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->status(s, ctx, ref, ret_status, err);
}

int content_status_list(struct content_store *s, struct ctx *ctx, char *const *filters,
		content_status_each each, void *arg, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->statuses(s, ctx, filters, each, arg, err);
}

int content_abort(struct content_store *s, struct ctx *ctx, const char *ref, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->abort(s, ctx, ref, err);
}

int content_writer_open(struct content_store *s, struct ctx *ctx, const char *ref,
		int64_t total, const char *expected, struct content_writer **ret_writer,
		struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (str_is_empty(ref))
		return err_set(err, ERR_INVALID, "ref must not be empty");
	if (!str_is_empty(expected) && check_digest(expected, err) < 0)
		return -1;
	return s->ops->writer(s, ctx, ref, total, expected, ret_writer, err);
}

int content_write(struct content_writer *w, const void *data, size_t size, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return w->ops->write(w, data, size, err);
}

int content_truncate(struct content_writer *w, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return w->ops->truncate(w, err);
}

int content_writer_status(struct content_writer *w, struct content_status *ret_status,
		char digest[DIGEST_TEXT_SIZE], struct err *err)
{
	return w->ops->status(w, ret_status, digest, err);
}

int content_commit(struct content_writer *w, struct ctx *ctx, int64_t size,
		const char *expected, const struct labels *labels, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (!str_is_empty(expected) && check_digest(expected, err) < 0)
		return -1;
	return w->ops->commit(w, ctx, size, expected, labels, err);
}

void content_writer_close(struct content_writer *w)
{
	if (w != NULL)
		w->ops->close(w);
}

ssize_t content_read_at(struct content_reader *r, void *data, size_t size, int64_t offset,
		struct err *err)
{
	return r->ops->read_at(r, data, size, offset, err);
}

void content_reader_close(struct content_reader *r)
{
	if (r != NULL)
		r->ops->close(r);
}
