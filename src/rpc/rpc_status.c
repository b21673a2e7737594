/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/rpc_status_priv.h"

#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/typeurl.h"
#include "base/auto.h"
#include "base/err_details.h"
#include "rpc/rpc_text_priv.h"

/* As Go's library writes it. */
#define STATUS_URL "type.googleapis.com/google.rpc.Status"
/* Statuses in statuses; nobody sends any. */
#define MAX_DEPTH    4
#define ARENA_BUDGET ((size_t)4 << 20)

static char *text_out(const char *text, size_t max, struct arena *arena)
{
	AUTO_FREE char *utf8 = rpc_text_utf8(text);
	char *copy = arena_strdup(arena, utf8);
	size_t size = strlen(copy);

	if (size <= max)
		return copy;
	for (size = max; size > 0 && (copy[size] & 0xc0) == 0x80; size--)
		continue;
	copy[size] = '\0';
	return copy;
}

static Google__Protobuf__Any *detail_out(
		const struct err_detail *d, size_t max_text, struct arena *arena)
{
	const struct err error = { .kind = d->kind };
	Rpc__Status status = RPC__STATUS__INIT;
	size_t size;
	const void *bytes;

	if (d->type_url != NULL)
		return any_wrap(arena, text_out(d->type_url, max_text, arena), d->data,
				d->size);
	status.code = err_grpc_status(&error);
	status.message = text_out(d->text, max_text, arena);
	bytes = pb_encode_arena(&status.base, arena, &size);
	return any_wrap(arena, STATUS_URL, bytes, size);
}

Rpc__Status *rpc_status_out(const struct err *err, size_t max_text, struct arena *arena)
{
	Rpc__Status *status = ARENA_NEW(arena, Rpc__Status, rpc__status);

	status->code = err_grpc_status(err);
	status->message = text_out(err_text(err), max_text, arena);
	status->n_details = err_detail_count(err);
	status->details =
			arena_calloc(arena, status->n_details, sizeof(Google__Protobuf__Any *));
	for (size_t i = 0; i < status->n_details; i++)
		status->details[i] = detail_out(err_detail_at(err, i), max_text, arena);
	return status;
}

static void read_status(const Rpc__Status *status, struct err *err, unsigned depth);

/* False if it is no error after all. */
static bool read_joined(const Google__Protobuf__Any *any, struct err *ret, unsigned depth)
{
	AUTO_ARENA struct arena arena;
	AUTO_ERR struct err ignored = { 0 };
	ProtobufCMessage *m;

	arena_init(&arena, ARENA_BUDGET);
	if (pb_decode(&rpc__status__descriptor, any->value.data, any->value.len, &arena,
			    &pb_limits_reply, &m, &ignored) < 0)
		return false;
	if (((const Rpc__Status *)m)->code == 0)
		return false;
	read_status((const Rpc__Status *)m, ret, depth);
	return true;
}

static void read_detail(const Google__Protobuf__Any *any, struct err *err, unsigned depth)
{
	AUTO_ERR struct err joined = { 0 };

	if (!typeurl_names(any->type_url, &rpc__status__descriptor))
		err_add_detail(err, any->type_url, any->value.data, any->value.len);
	else if (depth < MAX_DEPTH && read_joined(any, &joined, depth + 1))
		(void)err_join(err, &joined);
}

static void read_status(const Rpc__Status *status, struct err *err, unsigned depth)
{
	(void)err_plain(err, err_kind_of_grpc(status->code, status->message), "%s",
			status->message);
	for (size_t i = 0; i < status->n_details && i < ERR_DETAILS_MAX; i++)
		read_detail(status->details[i], err, depth);
}

void rpc_status_in(const Rpc__Status *status, struct err *err)
{
	read_status(status, err, 1);
}
