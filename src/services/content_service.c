/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "core/content.h"
#include "services/content_priv.h"
#include "services/services_priv.h"
#include "wire/wire_content.h"
#include "wire/wire_map.h"

#define LIST_BATCH 100
#define READ_CHUNK ((int64_t)1 << 20)

static struct content_store *store_of(void *self)
{
	return ((struct content_service *)self)->store;
}

static enum call_fate info(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Content__InfoRequest *r = (const void *)request;
	Content__InfoResponse answer = CONTENT__INFO_RESPONSE__INIT;
	struct content_info i = { 0 };

	if (content_info(store_of(self), ctx_of(call), r->digest, &i, err) < 0)
		return CALL_FAILED;
	answer.info = wire_content_info_out(call_arena(call), &i);
	content_info_done(&i);
	return call_answer(call, &answer.base, err);
}

static enum call_fate update(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Content__UpdateRequest *r = (const void *)request;
	Content__UpdateResponse answer = CONTENT__UPDATE_RESPONSE__INIT;
	struct content_info i, made = { 0 };

	if (r->info == NULL)
		return refuse_absent("info", err);
	if (wire_content_info_in(call_arena(call), r->info, &i, err) < 0 ||
			content_update(store_of(self), ctx_of(call), &i,
					wire_mask_in(call_arena(call), r->update_mask), &made,
					err) < 0)
		return CALL_FAILED;
	answer.info = wire_content_info_out(call_arena(call), &made);
	content_info_done(&made);
	return call_answer(call, &answer.base, err);
}

static int gather_info(void *arg, const struct content_info *i, struct err *err)
{
	struct gather *g = arg;

	return gather_add(g, &wire_content_info_out(g->arena, i)->base, err);
}

static enum call_fate list(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Content__ListContentRequest *r = (const void *)request;
	struct gather g = { .arena = call_arena(call) };
	char **filters = wire_strv_in(g.arena, r->n_filters, r->filters);

	if (content_list(store_of(self), ctx_of(call), filters, gather_info, &g, err) < 0)
		return CALL_FAILED;
	for (size_t i = 0; i < g.count; i += LIST_BATCH) {
		Content__ListContentResponse m = CONTENT__LIST_CONTENT_RESPONSE__INIT;

		m.info = (Content__Info **)g.items + i;
		m.n_info = g.count - i < LIST_BATCH ? g.count - i : LIST_BATCH;
		if (call_send(call, &m.base, err) < 0)
			return CALL_FAILED;
	}
	return CALL_OK;
}

static enum call_fate delete (struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err) {
	const Content__DeleteContentRequest *r = (const void *)request;

	return answer_done(call, content_remove(store_of(self), ctx_of(call), r->digest, err),
			err);
}

/* The offset in the answers counts from the start of this read, not of the blob. */
static int send_range(struct call *call, struct content_reader *reader, int64_t start,
		int64_t size, int64_t *sent_so_far, struct err *err)
{
	AUTO_FREE void *chunk = xmalloc((size_t)(size < READ_CHUNK ? size : READ_CHUNK) + 1);

	for (int64_t sent = *sent_so_far; sent < size; *sent_so_far = sent) {
		Content__ReadContentResponse m = CONTENT__READ_CONTENT_RESPONSE__INIT;
		int64_t want = size - sent < READ_CHUNK ? size - sent : READ_CHUNK;
		ssize_t n = content_read_at(reader, chunk, (size_t)want, start + sent, err);

		if (n < 0)
			return -1;
		if (n == 0)
			return err_plain(err, ERR_UNKNOWN, "unexpected EOF");
		m.offset = sent;
		m.data.data = chunk;
		m.data.len = (size_t)n;
		if (call_send(call, &m.base, err) < 0)
			return -1;
		sent += n;
	}
	return 0;
}

static enum call_fate read_blob(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Content__ReadContentRequest *r = (const void *)request;
	AUTO(content_reader_close) struct content_reader *reader = NULL;
	int64_t start = r->offset < 0 ? 0 : r->offset;
	int64_t size = r->size, sent = 0;
	size_t state_size = 0;
	const void *state = call_resumed(call, &state_size);

	if (state_size == sizeof(sent))
		memcpy(&sent, state, sizeof(sent));
	if (content_open(store_of(self), ctx_of(call), r->digest, &reader, err) < 0)
		return CALL_FAILED;
	if (start > reader->size) {
		(void)err_plain(err, ERR_OUT_OF_RANGE,
				"read past object length %" PRId64 " bytes", reader->size);
		return CALL_FAILED;
	}
	if (size <= 0 || size > reader->size - start)
		size = reader->size - start;
	if (send_range(call, reader, start, size, &sent, err) == 0)
		return CALL_OK;
	return call_is_suspended(call) ? call_suspend(call, &sent, sizeof(sent), err)
				       : CALL_FAILED;
}

static enum call_fate status(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Content__StatusRequest *r = (const void *)request;
	Content__StatusResponse answer = CONTENT__STATUS_RESPONSE__INIT;
	AUTO_FREE char *quoted = NULL;
	struct content_status s = { 0 };

	if (content_status_get(store_of(self), ctx_of(call), r->ref, &s, err) < 0) {
		quoted = str_quote(r->ref);
		(void)err_wrap(err, "could not get status for ref %s", quoted);
		return CALL_FAILED;
	}
	answer.status = wire_content_status_out(call_arena(call), &s);
	content_status_done(&s);
	return call_answer(call, &answer.base, err);
}

static int gather_status(void *arg, const struct content_status *s, struct err *err)
{
	struct gather *g = arg;

	return gather_add(g, &wire_content_status_out(g->arena, s)->base, err);
}

static enum call_fate list_statuses(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Content__ListStatusesRequest *r = (const void *)request;
	Content__ListStatusesResponse answer = CONTENT__LIST_STATUSES_RESPONSE__INIT;
	struct gather g = { .arena = call_arena(call) };
	char **filters = wire_strv_in(g.arena, r->n_filters, r->filters);

	if (content_status_list(store_of(self), ctx_of(call), filters, gather_status, &g, err) <
			0)
		return CALL_FAILED;
	answer.statuses = (Content__Status **)g.items;
	answer.n_statuses = g.count;
	return call_answer(call, &answer.base, err);
}

static enum call_fate abort_ingest(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Content__AbortRequest *r = (const void *)request;

	return answer_done(call, content_abort(store_of(self), ctx_of(call), r->ref, err), err);
}

/* Each of them on the pool of the store. */
#define MOVABLE(handler)                                                                       \
	static enum call_fate movable_##handler(struct call *call, void *self,                 \
			const struct ProtobufCMessage *request, struct err *err)               \
	{                                                                                      \
		return on_pool(call, store_of(self)->pool, handler, self, request, err);       \
	}
MOVABLE(info)
MOVABLE(update)
MOVABLE(list)
MOVABLE(delete)
MOVABLE(read_blob)
MOVABLE(status)
MOVABLE(list_statuses)
MOVABLE(content_write_stream)
MOVABLE(abort_ingest)

static const struct rpc_method methods[] = {
	UNARY("Info", RPC_ON_LOOP, content__info_request, content__info_response, movable_info),
	UNARY("Update", RPC_ON_WORKER, content__update_request, content__update_response,
			movable_update),
	SERVER_STREAM("List", RPC_ON_WORKER, content__list_content_request,
			content__list_content_response, movable_list),
	TO_EMPTY("Delete", RPC_ON_WORKER, content__delete_content_request, movable_delete),
	SERVER_STREAM("Read", RPC_ON_DATA | RPC_RESUMABLE, content__read_content_request,
			content__read_content_response, movable_read_blob),
	UNARY("Status", RPC_ON_WORKER, content__status_request, content__status_response,
			movable_status),
	UNARY("ListStatuses", RPC_ON_WORKER, content__list_statuses_request,
			content__list_statuses_response, movable_list_statuses),
	METHOD("Write", RPC_BIDI, RPC_ON_DATA | RPC_RESUMABLE, content__write_content_request,
			content__write_content_response, movable_content_write_stream),
	TO_EMPTY("Abort", RPC_ON_WORKER, content__abort_request, movable_abort_ingest),
};

const struct rpc_service content_service = { "containerd.services.content.v1.Content", methods,
	ARRAY_LEN(methods) };
