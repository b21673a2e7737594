/* SPDX-License-Identifier: Apache-2.0 */
/* Records of images. */
#include "client/client_images_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/client_content_priv.h"
#include "oci/reference.h"
#include "wire/wire_image.h"
#include "wire/wire_map.h"

#include "api/pb/empty.pb-c.h"
#include "api/pb/images.pb-c.h"

void ctrd_images_free(struct ctrd_images *l)
{
	if (l == NULL)
		return;
	arena_done(&l->arena);
	free(l->items);
	free(l);
}

struct ctrd_images *client_images_new(void)
{
	struct ctrd_images *l = xzalloc(sizeof(*l));

	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	return l;
}

static void add_image(struct ctrd_images *l, const Images__Image *pb)
{
	l->items = xreallocarray(l->items, l->count + 1, sizeof(*l->items));
	l->items[l->count++] = (struct ctrd_image){ wire_image_in(&l->arena, pb), l };
}

void client_images_add_copy(struct ctrd_images *l, const struct image *image)
{
	add_image(l, wire_image_out(&l->arena, image));
}

int ctrd_images_list(struct ctrd_client *c, const char *const *filters,
		struct ctrd_images **ret_images, struct ctrd_error **ret_error)
{
	Images__ListImagesRequest request = IMAGES__LIST_IMAGES_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_images_free) struct ctrd_images *l = client_images_new();
	const Images__ListImagesResponse *pb;

	request.filters = wire_strv_out(&l->arena, (char *const *)filters, &request.n_filters);
	pb = client_call(c, CLIENT_IMAGES_List, &request.base, &l->arena, &err);
	if (pb == NULL)
		return api_result(-1, &err, ret_error);
	for (size_t i = 0; i < pb->n_images; i++)
		add_image(l, pb->images[i]);
	*ret_images = take_ptr(l);
	return 0;
}

size_t ctrd_images_count(const struct ctrd_images *l)
{
	return l->count;
}

const struct ctrd_image *ctrd_images_at(const struct ctrd_images *l, size_t i)
{
	return i < l->count ? &l->items[i] : NULL;
}

/* --- one image ---------------------------------------------------------------------------- */

void ctrd_image_free(struct ctrd_image *i)
{
	if (i != NULL)
		ctrd_images_free(i->owner);
}

static int take_image(struct ctrd_images **own_list, const Images__Image *pb,
		struct ctrd_image **ret, struct err *err)
{
	if (pb == NULL)
		return err_set(err, ERR_INTERNAL, "answer without image");
	add_image(*own_list, pb);
	*ret = &take_ptr(*own_list)->items[0];
	return 0;
}

int client_image_get(struct ctrd_client *c, const char *name, struct ctrd_image **ret_image,
		struct err *err)
{
	Images__GetImageRequest request = IMAGES__GET_IMAGE_REQUEST__INIT;
	AUTO(ctrd_images_free) struct ctrd_images *l = client_images_new();
	const Images__GetImageResponse *pb;

	request.name = name;
	pb = client_call(c, CLIENT_IMAGES_Get, &request.base, &l->arena, err);
	return pb == NULL ? -1 : take_image(&l, pb->image, ret_image, err);
}

int ctrd_image_get(struct ctrd_client *c, const char *name, struct ctrd_image **ret_image,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_image_get(c, name, ret_image, &err), &err, ret_error);
}

const char *ctrd_image_name(const struct ctrd_image *i)
{
	return i->v.name;
}

const char *ctrd_image_digest(const struct ctrd_image *i)
{
	return str_or(i->v.target.digest, "");
}

const char *ctrd_image_media_type(const struct ctrd_image *i)
{
	return str_or(i->v.target.media_type, "");
}

int64_t ctrd_image_target_size(const struct ctrd_image *i)
{
	return i->v.target.size;
}

int64_t ctrd_image_created(const struct ctrd_image *i)
{
	return i->v.created_ns;
}

int64_t ctrd_image_updated(const struct ctrd_image *i)
{
	return i->v.updated_ns;
}

const struct ctrd_labels *ctrd_image_labels(const struct ctrd_image *i)
{
	return public_labels(&i->v.labels);
}

/* --- changing ----------------------------------------------------------------------------- */

int client_image_create(struct ctrd_client *c, const struct image *image,
		struct ctrd_image **ret_image, struct err *err)
{
	Images__CreateImageRequest request = IMAGES__CREATE_IMAGE_REQUEST__INIT;
	AUTO(ctrd_images_free) struct ctrd_images *l = client_images_new();
	const Images__CreateImageResponse *pb;

	request.image = wire_image_out(&l->arena, image);
	pb = client_call(c, CLIENT_IMAGES_Create, &request.base, &l->arena, err);
	if (pb == NULL)
		return -1;
	return ret_image == NULL ? 0 : take_image(&l, pb->image, ret_image, err);
}

int client_image_update(struct ctrd_client *c, const struct image *image, char *const *paths,
		size_t path_count, struct ctrd_image **ret_image, struct err *err)
{
	Images__UpdateImageRequest request = IMAGES__UPDATE_IMAGE_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	AUTO(ctrd_images_free) struct ctrd_images *l = client_images_new();
	const Images__UpdateImageResponse *pb;

	request.image = wire_image_out(&l->arena, image);
	mask.paths = (char **)paths;
	mask.n_paths = path_count;
	if (path_count > 0)
		request.update_mask = &mask;
	pb = client_call(c, CLIENT_IMAGES_Update, &request.base, &l->arena, err);
	if (pb == NULL)
		return -1;
	return ret_image == NULL ? 0 : take_image(&l, pb->image, ret_image, err);
}

static int remove_image(struct ctrd_client *c, const char *name, bool sync, struct err *err)
{
	Images__DeleteImageRequest request = IMAGES__DELETE_IMAGE_REQUEST__INIT;

	request.name = name;
	request.sync = sync;
	return client_do(c, CLIENT_IMAGES_Delete, &request.base, err);
}

int ctrd_image_remove(struct ctrd_client *c, const char *name, int sync,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(remove_image(c, name, sync != 0, &err), &err, ret_error);
}

static int tag(struct ctrd_client *c, const struct ctrd_image *image, const char *name,
		bool replace, struct err *err)
{
	struct image renamed = image->v; /* a view of it under another name */

	renamed.name = (char *)name;
	if (client_image_create(c, &renamed, NULL, err) == 0)
		return 0;
	if (!replace || err->kind != ERR_EXISTS)
		return -1;
	err_clear(err);
	if (remove_image(c, name, false, err) < 0)
		return -1;
	return client_image_create(c, &renamed, NULL, err);
}

int ctrd_image_tag(struct ctrd_client *c, const struct ctrd_image *image, const char *name,
		int replace, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(tag(c, image, name, replace != 0, &err), &err, ret_error);
}

static int set_labels(struct ctrd_client *c, const char *name, const struct labels *labels,
		bool replace, struct ctrd_image **ret_image, struct err *err)
{
	static const char *const all[] = { "labels" };
	struct image image = { .name = (char *)name, .labels = *labels };
	AUTO_ARENA struct arena a = { 0 };
	size_t count = 1;
	char *const *paths = (char *const *)all;

	arena_init(&a, CLIENT_REPLY_BUDGET);
	if (!replace)
		paths = client_label_paths(&a, labels, &count);
	return client_image_update(c, &image, paths, count, ret_image, err);
}

int ctrd_image_set_labels(struct ctrd_client *c, const char *name,
		const struct ctrd_labels *labels, int replace, struct ctrd_image **ret_image,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(set_labels(c, name, inner_labels(labels), replace != 0, ret_image,
					  &err),
			&err, ret_error);
}

int ctrd_reference_check(const char *name, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(ref_any_check(name, &err), &err, ret_error);
}
