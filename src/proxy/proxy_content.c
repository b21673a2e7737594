/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy_content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb/content.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/timestamp.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "proxy/proxy_content_priv.h"
#include "proxy/proxy_link.h"
#include "rpc/channel.h"
#include "wire/wire_content.h"
#include "wire/wire_map.h"

static int call(struct content_store *self, struct ctx *ctx, const char *method,
		const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
		struct arena *a, void *ret_response, struct err *err)
{
	return proxy_call(proxy_content_of(self)->link, ctx, CONTENT_SERVICE, method, request,
			response, a, ret_response, err);
}

/* For methods that answer nothing. */
static int tell(struct content_store *self, struct ctx *ctx, const char *method,
		const ProtobufCMessage *request, struct arena *a, struct err *err)
{
	Google__Protobuf__Empty *answer = NULL;

	return call(self, ctx, method, request, &google__protobuf__empty__descriptor, a,
			&answer, err);
}

/* Owned by the caller, unlike what wire/ makes. */
static int info_in(struct arena *a, const Content__Info *pb, const char *method,
		const char *digest, struct content_info *ret_info, struct err *err)
{
	struct content_info i = { 0 };

	if (pb == NULL)
		return proxy_bad_answer(method, digest, "no info", err);
	if (wire_content_info_in(a, pb, &i, err) < 0)
		return -1;
	if (i.size < 0)
		return proxy_bad_answer(method, digest, "negative size", err);
	*ret_info = i;
	ret_info->labels = (struct labels){ 0 };
	labels_copy(&ret_info->labels, &i.labels);
	return 0;
}

static int proxy_info(struct content_store *self, struct ctx *ctx, const char *digest,
		struct content_info *ret_info, struct err *err)
{
	Content__InfoRequest r = CONTENT__INFO_REQUEST__INIT;
	Content__InfoResponse *answer = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.digest = digest;
	if (call(self, ctx, "Info", &r.base, &content__info_response__descriptor, &a, &answer,
			    err) < 0)
		return -1;
	return info_in(&a, answer->info, "Info", digest, ret_info, err);
}

static int proxy_update(struct content_store *self, struct ctx *ctx,
		const struct content_info *info, char *const *fieldpaths,
		struct content_info *ret_info, struct err *err)
{
	Content__UpdateRequest r = CONTENT__UPDATE_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Content__UpdateResponse *answer = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.info = wire_content_info_out(&a, info);
	mask.paths = (char **)wire_strv_out(&a, fieldpaths, &mask.n_paths);
	if (mask.n_paths > 0)
		r.update_mask = &mask;
	if (call(self, ctx, "Update", &r.base, &content__update_response__descriptor, &a,
			    &answer, err) < 0)
		return -1;
	return info_in(&a, answer->info, "Update", info->digest, ret_info, err);
}

static int show(const Content__ListContentResponse *m, struct arena *a, content_info_each each,
		void *arg, struct err *err)
{
	for (size_t i = 0; i < m->n_info; i++) {
		struct content_info info;

		if (wire_content_info_in(a, m->info[i], &info, err) < 0 ||
				each(arg, &info, err) < 0)
			return -1;
	}
	return 0;
}

static int proxy_list(struct content_store *self, struct ctx *ctx, char *const *filters,
		content_info_each each, void *arg, struct err *err)
{
	Content__ListContentRequest r = CONTENT__LIST_CONTENT_REQUEST__INIT;
	AUTO(rpc_stream_free) struct rpc_stream *s = NULL;
	ProtobufCMessage *m = NULL;
	AUTO_ARENA struct arena a = { 0 };
	int more;

	arena_init(&a, PROXY_ANSWER_MAX);
	r.filters = wire_strv_out(&a, filters, &r.n_filters);
	if (proxy_ask(proxy_content_of(self)->link, ctx, CONTENT_SERVICE, "List", &r.base, &s,
			    err) < 0)
		return -1;
	arena_reset(&a);
	while ((more = rpc_stream_recv(s, &content__list_content_response__descriptor, &a, &m,
				err)) > 0) {
		if (show((const void *)m, &a, each, arg, err) < 0)
			return -1;
		arena_reset(&a);
	}
	return more;
}

static int proxy_remove(struct content_store *self, struct ctx *ctx, const char *digest,
		struct err *err)
{
	Content__DeleteContentRequest r = CONTENT__DELETE_CONTENT_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.digest = digest;
	return tell(self, ctx, "Delete", &r.base, &a, err);
}

/* --- ingests --- */

static int status_in(const Content__Status *pb, const char *method, const char *ref,
		struct content_status *ret_status, struct err *err)
{
	struct content_status s = {
		.offset = pb == NULL ? 0 : pb->offset,
		.total = pb == NULL ? 0 : pb->total,
	};

	if (pb == NULL)
		return proxy_bad_answer(method, ref, "no status", err);
	if (strlen(pb->expected) >= sizeof(s.expected))
		return proxy_bad_answer(method, ref, "expected digest too long", err);
	memcpy(s.expected, pb->expected, strlen(pb->expected) + 1);
	s.started_ns = timestamp_ns(pb->started_at);
	s.updated_ns = timestamp_ns(pb->updated_at);
	s.ref = xstrdup(pb->ref);
	*ret_status = s;
	return 0;
}

static int proxy_status(struct content_store *self, struct ctx *ctx, const char *ref,
		struct content_status *ret_status, struct err *err)
{
	Content__StatusRequest r = CONTENT__STATUS_REQUEST__INIT;
	Content__StatusResponse *answer = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.ref = ref;
	if (call(self, ctx, "Status", &r.base, &content__status_response__descriptor, &a,
			    &answer, err) < 0)
		return -1;
	return status_in(answer->status, "Status", ref, ret_status, err);
}

static int proxy_statuses(struct content_store *self, struct ctx *ctx, char *const *filters,
		content_status_each each, void *arg, struct err *err)
{
	Content__ListStatusesRequest r = CONTENT__LIST_STATUSES_REQUEST__INIT;
	Content__ListStatusesResponse *answer = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.filters = wire_strv_out(&a, filters, &r.n_filters);
	if (call(self, ctx, "ListStatuses", &r.base,
			    &content__list_statuses_response__descriptor, &a, &answer, err) < 0)
		return -1;
	for (size_t i = 0; i < answer->n_statuses; i++) {
		struct content_status s = { 0 };
		int rc = status_in(answer->statuses[i], "ListStatuses", NULL, &s, err);

		if (rc == 0)
			rc = each(arg, &s, err);
		content_status_done(&s);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int proxy_abort(
		struct content_store *self, struct ctx *ctx, const char *ref, struct err *err)
{
	Content__AbortRequest r = CONTENT__ABORT_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.ref = ref;
	return tell(self, ctx, "Abort", &r.base, &a, err);
}

/* --- reading: a stream per range --- */

struct proxy_reader {
	struct content_reader base;
	struct proxy_content *store;
	char digest[DIGEST_TEXT_SIZE];
	char *ns;
	struct cancel *cancel;
};

static int copy_out(const struct proxy_reader *r, const Content__ReadContentResponse *m,
		char *data, size_t size, size_t *done, struct err *err)
{
	if (m->data.len > size - *done)
		return proxy_bad_answer("Read", r->digest, "more than was asked for", err);
	if (m->data.len > 0)
		memcpy(data + *done, m->data.data, m->data.len);
	*done += m->data.len;
	return 0;
}

static ssize_t receive(const struct proxy_reader *r, struct rpc_stream *s, void *data,
		size_t size, struct err *err)
{
	ProtobufCMessage *m = NULL;
	AUTO_ARENA struct arena a = { 0 };
	size_t done = 0;
	int more;

	arena_init(&a, PROXY_ANSWER_MAX);
	while ((more = rpc_stream_recv(s, &content__read_content_response__descriptor, &a, &m,
				err)) > 0) {
		if (copy_out(r, (const void *)m, data, size, &done, err) < 0)
			return -1;
		arena_reset(&a);
	}
	if (more == 0 && done < size)
		return proxy_bad_answer("Read", r->digest, "less than was asked for", err);
	return more < 0 ? -1 : (ssize_t)done;
}

static ssize_t reader_read_at(struct content_reader *self, void *data, size_t size,
		int64_t offset, struct err *err)
{
	struct proxy_reader *r = container_of(self, struct proxy_reader, base);
	Content__ReadContentRequest request = CONTENT__READ_CONTENT_REQUEST__INIT;
	struct ctx ctx = { .ns = r->ns, .cancel = r->cancel, .what = "read" };
	AUTO(rpc_stream_free) struct rpc_stream *s = NULL;
	int64_t left = self->size - offset;

	if (offset < 0)
		return err_set(err, ERR_OUT_OF_RANGE, "read at %lld", (long long)offset);
	if (left <= 0 || size == 0)
		return 0;
	size = (uint64_t)left < size ? (size_t)left : size;
	request.digest = r->digest;
	request.offset = offset;
	request.size = (int64_t)size;
	if (proxy_ask(r->store->link, &ctx, CONTENT_SERVICE, "Read", &request.base, &s, err) <
			0)
		return -1;
	return receive(r, s, data, size, err);
}

static void reader_close(struct content_reader *self)
{
	struct proxy_reader *r = container_of(self, struct proxy_reader, base);

	cancel_unref(r->cancel);
	free(r->ns);
	free(r);
}

static const struct content_reader_ops reader_ops = {
	.read_at = reader_read_at,
	.close = reader_close,
};

static int proxy_open(struct content_store *self, struct ctx *ctx, const char *digest,
		struct content_reader **ret_reader, struct err *err)
{
	struct content_info info = { 0 };
	struct proxy_reader *r;

	if (proxy_info(self, ctx, digest, &info, err) < 0)
		return -1;
	r = xzalloc(sizeof(*r));
	r->base = (struct content_reader){ &reader_ops, info.size, -1 };
	r->store = proxy_content_of(self);
	(void)snprintf(r->digest, sizeof(r->digest), "%s", digest);
	r->ns = xstrdup(ctx->ns);
	r->cancel = ctx->cancel == NULL ? NULL : cancel_ref(ctx->cancel);
	content_info_done(&info);
	*ret_reader = &r->base;
	return 0;
}

static const struct content_store_ops proxy_ops = {
	.info = proxy_info,
	.update = proxy_update,
	.list = proxy_list,
	.remove = proxy_remove,
	.open = proxy_open,
	.status = proxy_status,
	.statuses = proxy_statuses,
	.abort = proxy_abort,
	.writer = proxy_content_writer,
};

struct content_store *proxy_content_new(struct proxy_link *link, struct pool *pool)
{
	struct proxy_content *p = xzalloc(sizeof(*p));

	p->base.ops = &proxy_ops;
	p->base.pool = pool;
	p->link = proxy_link_ref(link);
	return &p->base;
}

void proxy_content_free(struct content_store *store)
{
	if (store == NULL)
		return;
	proxy_link_unref(proxy_content_of(store)->link);
	free(proxy_content_of(store));
}
