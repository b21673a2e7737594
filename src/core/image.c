/* SPDX-License-Identifier: Apache-2.0 */
#include "core/image.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

void descriptor_done(struct descriptor *d)
{
	free(d->media_type);
	free(d->digest);
	labels_done(&d->annotations);
	*d = (struct descriptor){ 0 };
}

void descriptor_copy(struct descriptor *to, const struct descriptor *from)
{
	*to = (struct descriptor){ xstrdup(from->media_type), xstrdup(from->digest), from->size,
		{ 0 } };
	labels_copy(&to->annotations, &from->annotations);
}

struct image *image_new(const char *name)
{
	struct image *i = xzalloc(sizeof(*i));

	i->name = xstrdup(name);
	return i;
}

void image_free(struct image *i)
{
	if (i == NULL)
		return;
	free(i->name);
	labels_done(&i->labels);
	descriptor_done(&i->target);
	free(i);
}

struct image *image_copy(const struct image *i)
{
	struct image *copy = image_new(i->name);

	labels_copy(&copy->labels, &i->labels);
	descriptor_copy(&copy->target, &i->target);
	copy->created_ns = i->created_ns;
	copy->updated_ns = i->updated_ns;
	return copy;
}

int image_get(struct image_store *s, struct ctx *ctx, const char *name,
		struct image **ret_image, struct err *err)
{
	return s->ops->get(s, ctx, name, ret_image, err);
}

int image_list(struct image_store *s, struct ctx *ctx, char *const *filters, image_each each,
		void *arg, struct err *err)
{
	return s->ops->list(s, ctx, filters, each, arg, err);
}

static int check_name(const char *name, struct err *err)
{
	if (str_is_empty(name))
		return err_plain(err, ERR_INVALID, "Image.Name required");
	return 0;
}

int image_create(struct image_store *s, struct ctx *ctx, const struct image *i,
		const int64_t *source_date_epoch_ns, struct image **ret_image, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (check_name(i->name, err) < 0)
		return -1;
	return s->ops->create(s, ctx, i, source_date_epoch_ns, ret_image, err);
}

int image_update(struct image_store *s, struct ctx *ctx, const struct image *i,
		char *const *fieldpaths, const int64_t *source_date_epoch_ns,
		struct image **ret_image, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (check_name(i->name, err) < 0)
		return -1;
	return s->ops->update(s, ctx, i, fieldpaths, source_date_epoch_ns, ret_image, err);
}

int image_remove(struct image_store *s, struct ctx *ctx, const char *name,
		const char *target_digest, bool sync, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->remove(s, ctx, name, target_digest, sync, err);
}
