/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields of event payloads, for filters such as event.container_id==x. Found through the
 * message descriptors instead of a function per message: texts, truth values, labels and
 * messages in messages can be asked for; numbers, times and Anys cannot (reference 01 §8.4).
 */
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/event.pb-c.h"
#include "api/pb/timestamp.pb-c.h"
#include "api/typeurl.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/wire_event.h"

/* A payload bigger than this is some tool's own; no event of ours comes near it. */
#define DECODED_MAX ((size_t)4 << 20)

struct view {
	struct arena arena;
	ProtobufCMessage *message;
	struct buf joined; /* "a.b" for the label asked for last */
};

static void view_close(void *arg)
{
	struct view *v = arg;

	if (v == NULL)
		return;
	arena_done(&v->arena);
	buf_done(&v->joined);
	free(v);
}

/* Only types whose names stand in the list of events: a filter must not make us decode, say,
 * a recursive google.protobuf.Struct. */
static bool is_event_type(const ProtobufCMessageDescriptor *type)
{
	return str_starts(type->name, "containerd.events.") ||
	       str_starts(type->name, "containerd.services.images.v1.");
}

static void *view_open(const struct any *payload)
{
	AUTO_ERR struct err err = { 0 };
	const ProtobufCMessageDescriptor *type = typeurl_find(str_or(payload->type_url, ""));
	struct view *v = NULL;

	if (type == NULL || !is_event_type(type))
		return NULL;
	v = xzalloc(sizeof(*v));
	arena_init(&v->arena, DECODED_MAX);
	v->joined.limit = SIZE_MAX;
	if (pb_decode(type, payload->value, payload->size, &v->arena, NULL, &v->message, &err) <
			0) {
		view_close(v);
		return NULL;
	}
	return v;
}

static bool is_map_of_text(const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *entry = f->descriptor;

	return f->label == PROTOBUF_C_LABEL_REPEATED && f->type == PROTOBUF_C_TYPE_MESSAGE &&
	       entry->n_fields == 2 && str_eq(entry->fields[0].name, "key") &&
	       str_eq(entry->fields[1].name, "value") &&
	       entry->fields[1].type == PROTOBUF_C_TYPE_STRING;
}

/* The last entry wins, as when the map is read whole. */
static bool map_value(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
		const char *key, const char **ret_value)
{
	const ProtobufCMessageDescriptor *entry = f->descriptor;
	size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);
	const char *const *list = *(const char *const *const *)((const char *)m + f->offset);

	while (n-- > 0) {
		if (!str_eq(*(const char *const *)(list[n] + entry->fields[0].offset), key))
			continue;
		*ret_value = *(const char *const *)(list[n] + entry->fields[1].offset);
		return true;
	}
	return false;
}

static const char *join(struct view *v, char *const *path, size_t n)
{
	buf_clear(&v->joined);
	for (size_t i = 0; i < n; i++) {
		buf_add_str(&v->joined, i > 0 ? "." : "");
		buf_add_str(&v->joined, path[i]);
	}
	return str_or(v->joined.data, "");
}

static bool field_of(struct view *v, const ProtobufCMessage *m, char *const *path, size_t n,
		const char **ret_value);

/* A field that stands once: text, truth value or a message to look into. */
static bool single(struct view *v, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
		char *const *rest, size_t n, const char **ret_value)
{
	const char *at = (const char *)m + f->offset;
	const ProtobufCMessage *child = NULL;

	if (f->type == PROTOBUF_C_TYPE_STRING && n == 0) {
		*ret_value = *(const char *const *)at;
		return !str_is_empty(*ret_value);
	}
	if (f->type == PROTOBUF_C_TYPE_BOOL && n == 0) {
		*ret_value = *(const protobuf_c_boolean *)at ? "true" : "false";
		return true;
	}
	if (f->type != PROTOBUF_C_TYPE_MESSAGE || n == 0 ||
			f->descriptor == &google__protobuf__any__descriptor ||
			f->descriptor == &google__protobuf__timestamp__descriptor)
		return false;
	child = *(const ProtobufCMessage *const *)at;
	return child != NULL && field_of(v, child, rest, n, ret_value);
}

static bool field_of(struct view *v, const ProtobufCMessage *m, char *const *path, size_t n,
		const char **ret_value)
{
	const ProtobufCFieldDescriptor *f =
			protobuf_c_message_descriptor_get_field_by_name(m->descriptor, path[0]);

	if (f == NULL)
		return false;
	if (f->label != PROTOBUF_C_LABEL_REPEATED)
		return single(v, m, f, path + 1, n - 1, ret_value);
	if (n < 2 || !is_map_of_text(f))
		return false;
	return map_value(m, f, join(v, path + 1, n - 1), ret_value);
}

static bool view_field(void *arg, char *const *path, size_t n, const char **ret_value)
{
	struct view *v = arg;

	*ret_value = "";
	return n > 0 && field_of(v, v->message, path, n, ret_value);
}

const struct event_reader wire_event_reader = {
	.open = view_open,
	.field = view_field,
	.close = view_close,
};
