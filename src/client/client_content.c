/* SPDX-License-Identifier: Apache-2.0 */
/* Records of blobs and ingests. */
#include "client/client_content_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "core/content.h"
#include "wire/wire_content.h"
#include "wire/wire_map.h"

#include "api/pb/content.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/timestamp.h"

/* A list is a chain of messages that came one by one, all in one arena. */
struct ctrd_blob {
	struct content_info info;
	struct ctrd_blobs *owner;
};

struct ctrd_blobs {
	struct arena arena;
	struct ctrd_blob *items;
	size_t count;
};

void ctrd_blobs_free(struct ctrd_blobs *l)
{
	if (l == NULL)
		return;
	arena_done(&l->arena);
	free(l->items);
	free(l);
}
DEFINE_AUTO(struct ctrd_blobs *, ctrd_blobs_free)

static int add_blobs(
		struct ctrd_blobs *l, size_t n, Content__Info *const *infos, struct err *err)
{
	l->items = xreallocarray(l->items, l->count + n + 1, sizeof(*l->items));
	for (size_t i = 0; i < n; i++) {
		struct ctrd_blob *b = &l->items[l->count];

		*b = (struct ctrd_blob){ .owner = l };
		if (wire_content_info_in(&l->arena, infos[i], &b->info, err) < 0)
			return -1;
		l->count++;
	}
	return 0;
}

static int list_blobs(struct ctrd_client *c, const char *const *filters, struct ctrd_blobs *l,
		struct err *err)
{
	Content__ListContentRequest request = CONTENT__LIST_CONTENT_REQUEST__INIT;
	__attribute__((cleanup(client_stream_close))) struct client_stream s = { 0 };
	const void *message = NULL;
	int rc;

	request.filters = wire_strv_out(&l->arena, (char *const *)filters, &request.n_filters);
	if (client_stream_open(c, CLIENT_CONTENT_List, &request.base, &s, err) < 0)
		return -1;
	while ((rc = client_stream_recv(&s, &l->arena, &message, err)) > 0) {
		const Content__ListContentResponse *pb = message;

		if (add_blobs(l, pb->n_info, pb->info, err) < 0)
			return -1;
	}
	return rc;
}

int ctrd_blobs_list(struct ctrd_client *c, const char *const *filters,
		struct ctrd_blobs **ret_blobs, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_blobs_free) struct ctrd_blobs *l = xzalloc(sizeof(*l));

	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	if (list_blobs(c, filters, l, &err) < 0)
		return api_result(-1, &err, ret_error);
	*ret_blobs = take_ptr(l);
	return 0;
}

size_t ctrd_blobs_count(const struct ctrd_blobs *l)
{
	return l->count;
}

const struct ctrd_blob *ctrd_blobs_at(const struct ctrd_blobs *l, size_t i)
{
	return i < l->count ? &l->items[i] : NULL;
}

int client_digest_check(const char *digest, struct err *err)
{
	static const char class_text[] = ": invalid argument";
	AUTO_ERR struct err why = { 0 };
	size_t n;

	if (digest_check(digest, NULL, &why) == 0)
		return 0;
	n = strlen(err_text(&why));
	if (str_ends(err_text(&why), class_text))
		n -= strlen(class_text);
	return err_plain(err, ERR_INVALID, "%.*s", (int)n, err_text(&why));
}

/* --- one blob ----------------------------------------------------------------------------- */

void ctrd_blob_free(struct ctrd_blob *b)
{
	if (b != NULL)
		ctrd_blobs_free(b->owner);
}

static int take_blob(struct ctrd_blobs **own_list, Content__Info *pb, struct ctrd_blob **ret,
		struct err *err)
{
	if (pb == NULL)
		return err_set(err, ERR_INTERNAL, "answer without content info");
	if (add_blobs(*own_list, 1, &pb, err) < 0)
		return -1;
	*ret = &take_ptr(*own_list)->items[0];
	return 0;
}

int client_blob_get(struct ctrd_client *c, const char *digest, struct ctrd_blob **ret_blob,
		struct err *err)
{
	Content__InfoRequest request = CONTENT__INFO_REQUEST__INIT;
	AUTO(ctrd_blobs_free) struct ctrd_blobs *l = xzalloc(sizeof(*l));
	const Content__InfoResponse *pb;

	if (client_digest_check(digest, err) < 0)
		return -1;
	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	request.digest = digest;
	pb = client_call(c, CLIENT_CONTENT_Info, &request.base, &l->arena, err);
	return pb == NULL ? -1 : take_blob(&l, pb->info, ret_blob, err);
}

int ctrd_blob_get(struct ctrd_client *c, const char *digest, struct ctrd_blob **ret_blob,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_blob_get(c, digest, ret_blob, &err), &err, ret_error);
}

const char *ctrd_blob_digest(const struct ctrd_blob *b)
{
	return b->info.digest;
}

int64_t ctrd_blob_size(const struct ctrd_blob *b)
{
	return b->info.size;
}

int64_t ctrd_blob_created(const struct ctrd_blob *b)
{
	return b->info.created_ns;
}

int64_t ctrd_blob_updated(const struct ctrd_blob *b)
{
	return b->info.updated_ns;
}

const struct ctrd_labels *ctrd_blob_labels(const struct ctrd_blob *b)
{
	return public_labels(&b->info.labels);
}

int client_blob_set_labels(struct ctrd_client *c, const char *digest,
		const struct labels *labels, struct ctrd_blob **ret_blob, struct err *err)
{
	Content__UpdateRequest request = CONTENT__UPDATE_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Content__Info info = CONTENT__INFO__INIT;
	AUTO(ctrd_blobs_free) struct ctrd_blobs *l = xzalloc(sizeof(*l));
	const Content__UpdateResponse *pb;

	if (client_digest_check(digest, err) < 0)
		return -1;
	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	info.digest = digest;
	info.labels = wire_labels_out(&l->arena, labels,
			&content__info__labels_entry__descriptor, &info.n_labels);
	mask.paths = client_label_paths(&l->arena, labels, &mask.n_paths);
	request.info = &info;
	request.update_mask = &mask;
	pb = client_call(c, CLIENT_CONTENT_Update, &request.base, &l->arena, err);
	if (pb == NULL)
		return -1;
	return ret_blob == NULL ? 0 : take_blob(&l, pb->info, ret_blob, err);
}

int ctrd_blob_set_labels(struct ctrd_client *c, const char *digest,
		const struct ctrd_labels *labels, struct ctrd_blob **ret_blob,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(
			client_blob_set_labels(c, digest, inner_labels(labels), ret_blob, &err),
			&err, ret_error);
}

int ctrd_blob_remove(struct ctrd_client *c, const char *digest, struct ctrd_error **ret_error)
{
	Content__DeleteContentRequest request = CONTENT__DELETE_CONTENT_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };

	if (client_digest_check(digest, &err) < 0)
		return api_result(-1, &err, ret_error);
	request.digest = digest;
	return api_result(client_do(c, CLIENT_CONTENT_Delete, &request.base, &err), &err,
			ret_error);
}

/* --- ingests ------------------------------------------------------------------------------ */

struct ctrd_ingests {
	struct arena arena;
	const Content__ListStatusesResponse *pb;
};

void ctrd_ingests_free(struct ctrd_ingests *l)
{
	if (l == NULL)
		return;
	arena_done(&l->arena);
	free(l);
}
DEFINE_AUTO(struct ctrd_ingests *, ctrd_ingests_free)

int ctrd_ingests_list(struct ctrd_client *c, const char *const *filters,
		struct ctrd_ingests **ret_ingests, struct ctrd_error **ret_error)
{
	Content__ListStatusesRequest request = CONTENT__LIST_STATUSES_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_ingests_free) struct ctrd_ingests *l = xzalloc(sizeof(*l));

	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	request.filters = wire_strv_out(&l->arena, (char *const *)filters, &request.n_filters);
	l->pb = client_call(c, CLIENT_CONTENT_ListStatuses, &request.base, &l->arena, &err);
	if (l->pb == NULL)
		return api_result(-1, &err, ret_error);
	*ret_ingests = take_ptr(l);
	return 0;
}

size_t ctrd_ingests_count(const struct ctrd_ingests *l)
{
	return l->pb->n_statuses;
}

const char *ctrd_ingests_ref(const struct ctrd_ingests *l, size_t i)
{
	return i < l->pb->n_statuses ? l->pb->statuses[i]->ref : NULL;
}

int64_t ctrd_ingests_offset(const struct ctrd_ingests *l, size_t i)
{
	return i < l->pb->n_statuses ? l->pb->statuses[i]->offset : 0;
}

int64_t ctrd_ingests_total(const struct ctrd_ingests *l, size_t i)
{
	return i < l->pb->n_statuses ? l->pb->statuses[i]->total : 0;
}

int64_t ctrd_ingests_started(const struct ctrd_ingests *l, size_t i)
{
	return i < l->pb->n_statuses ? timestamp_ns(l->pb->statuses[i]->started_at)
				     : CTRD_NO_TIME;
}

int64_t ctrd_ingests_updated(const struct ctrd_ingests *l, size_t i)
{
	return i < l->pb->n_statuses ? timestamp_ns(l->pb->statuses[i]->updated_at)
				     : CTRD_NO_TIME;
}

int ctrd_ingest_abort(struct ctrd_client *c, const char *ref, struct ctrd_error **ret_error)
{
	Content__AbortRequest request = CONTENT__ABORT_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };

	request.ref = ref;
	return api_result(client_do(c, CLIENT_CONTENT_Abort, &request.base, &err), &err,
			ret_error);
}

/* "labels.<key>" for each of them. */
char **client_label_paths(struct arena *a, const struct labels *labels, size_t *ret_n)
{
	char **paths = arena_calloc(a, labels->count + 1, sizeof(*paths));

	for (size_t i = 0; i < labels->count; i++)
		paths[i] = arena_printf(a, "labels.%s", labels->items[i].key);
	*ret_n = labels->count;
	return paths;
}
