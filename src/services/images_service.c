/* SPDX-License-Identifier: Apache-2.0 */
#include "api/timestamp.h"
#include "core/image.h"
#include "services/services_priv.h"
#include "wire/wire_image.h"
#include "wire/wire_map.h"

static struct image_store *store_of(void *self)
{
	return ((struct images_service *)self)->store;
}

static enum call_fate get(struct call *call, void *self, const struct ProtobufCMessage *request,
		struct err *err)
{
	const Images__GetImageRequest *r = (const void *)request;
	Images__GetImageResponse answer = IMAGES__GET_IMAGE_RESPONSE__INIT;
	AUTO(image_free) struct image *i = NULL;

	if (image_get(store_of(self), ctx_of(call), r->name, &i, err) < 0)
		return CALL_FAILED;
	answer.image = wire_image_out(call_arena(call), i);
	return call_answer(call, &answer.base, err);
}

static int pack_image(void *arg, const struct image *i, struct err *err)
{
	struct packing *p = arg;

	call_pack(p->call, 1, pb_put_message, wire_image_out(&p->scratch, i));
	arena_reset(&p->scratch);
	return 0;
}

static enum call_fate list(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Images__ListImagesRequest *r = (const void *)request;
	char **filters = wire_strv_in(call_arena(call), r->n_filters, r->filters);
	AUTO_PACKING struct packing p = { .call = call };
	struct ctx ctx;

	if (!walk_begin(call, filters, &ctx))
		return call_to_worker(call, list, self, request, err);
	packing_init(&p);
	if (image_list(store_of(self), &ctx, filters, pack_image, &p, err) < 0)
		return walk_failed(call, list, self, request, err);
	return call_answer_packed(call, err);
}

static const int64_t *epoch_of(const Google__Protobuf__Timestamp *ts, int64_t *at_ns)
{
	*at_ns = timestamp_ns(ts);
	return ts != NULL ? at_ns : NULL;
}

static enum call_fate create(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Images__CreateImageRequest *r = (const void *)request;
	Images__CreateImageResponse answer = IMAGES__CREATE_IMAGE_RESPONSE__INIT;
	AUTO(image_free) struct image *made = NULL;
	struct image i;
	int64_t at_ns;

	if (r->image == NULL)
		return refuse_absent("image", err);
	i = wire_image_in(call_arena(call), r->image);
	if (image_create(store_of(self), ctx_of(call), &i,
			    epoch_of(r->source_date_epoch, &at_ns), &made, err) < 0)
		return CALL_FAILED;
	answer.image = wire_image_out(call_arena(call), made);
	return call_answer(call, &answer.base, err);
}

static enum call_fate update(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Images__UpdateImageRequest *r = (const void *)request;
	Images__UpdateImageResponse answer = IMAGES__UPDATE_IMAGE_RESPONSE__INIT;
	AUTO(image_free) struct image *made = NULL;
	struct image i;
	int64_t at_ns;

	if (r->image == NULL)
		return refuse_absent("image", err);
	i = wire_image_in(call_arena(call), r->image);
	if (image_update(store_of(self), ctx_of(call), &i,
			    wire_mask_in(call_arena(call), r->update_mask),
			    epoch_of(r->source_date_epoch, &at_ns), &made, err) < 0)
		return CALL_FAILED;
	answer.image = wire_image_out(call_arena(call), made);
	return call_answer(call, &answer.base, err);
}

static enum call_fate delete (struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err) {
	const Images__DeleteImageRequest *r = (const void *)request;
	const char *digest = r->target == NULL ? NULL : r->target->digest;

	return answer_done(call,
			image_remove(store_of(self), ctx_of(call), r->name, digest, r->sync,
					err),
			err);
}

static const struct rpc_method methods[] = {
	UNARY("Get", RPC_ON_LOOP, images__get_image_request, images__get_image_response, get),
	UNARY("List", RPC_ON_LOOP, images__list_images_request, images__list_images_response,
			list),
	UNARY("Create", RPC_ON_WORKER, images__create_image_request,
			images__create_image_response, create),
	UNARY("Update", RPC_ON_WORKER, images__update_image_request,
			images__update_image_response, update),
	TO_EMPTY("Delete", RPC_ON_WORKER | RPC_SLOW, images__delete_image_request, delete),
};

const struct rpc_service images_service = { "containerd.services.images.v1.Images", methods,
	ARRAY_LEN(methods) };
