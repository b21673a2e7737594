/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_message_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "text/json_out.h"

#include "api/pb/any.pb-c.h"

typedef const ProtobufCFieldDescriptor field_type;

static const void *slot(const ProtobufCMessage *m, field_type *f)
{
	return (const char *)m + f->offset;
}

static size_t item_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	default:
		return 4;
	}
}

/* --- values ------------------------------------------------------------------------------- */

static bool read_unsigned(ProtobufCType type, const void *at, uint64_t *ret)
{
	switch (type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		*ret = *(const uint32_t *)at;
		return true;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		*ret = *(const uint64_t *)at;
		return true;
	default:
		return false;
	}
}

static bool read_signed(ProtobufCType type, const void *at, int64_t *ret)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		*ret = *(const int32_t *)at;
		return true;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		*ret = *(const int64_t *)at;
		return true;
	default:
		return false;
	}
}

static void write_base64(struct json_out *o, const uint8_t *p, size_t size)
{
	AUTO_FREE char *digits = base64_encode(p, size, BASE64_PADDED);

	json_out_text(o, digits);
}

static void write_real(struct json_out *o, double value)
{
	AUTO_FREE char *text = NULL;

	/* The shortest form that reads back the same, as Go has it. */
	for (int precision = 1; precision <= 17; precision++) {
		free(text);
		text = xasprintf("%.*g", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	json_out_raw(o, text, strlen(text));
}

static void write_message(struct json_out *o, const ProtobufCMessage *m);

static void write_value(struct json_out *o, ProtobufCType type, const void *at)
{
	const ProtobufCBinaryData *bytes = at;
	uint64_t u;
	int64_t i;

	if (read_unsigned(type, at, &u))
		json_out_u64(o, u);
	else if (read_signed(type, at, &i))
		json_out_i64(o, i);
	else if (type == PROTOBUF_C_TYPE_BOOL)
		json_out_bool(o, *(const protobuf_c_boolean *)at != 0);
	else if (type == PROTOBUF_C_TYPE_STRING)
		json_out_text(o, str_or(*(const char *const *)at, ""));
	else if (type == PROTOBUF_C_TYPE_BYTES)
		write_base64(o, bytes->data, bytes->len);
	else if (type == PROTOBUF_C_TYPE_DOUBLE)
		write_real(o, *(const double *)at);
	else if (type == PROTOBUF_C_TYPE_FLOAT)
		write_real(o, (double)*(const float *)at);
	else
		write_message(o, *(const ProtobufCMessage *const *)at);
}

static bool is_empty(field_type *f, const void *at)
{
	const ProtobufCBinaryData *bytes = at;
	static const char zeros[8];

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		return str_is_empty(*(const char *const *)at);
	case PROTOBUF_C_TYPE_BYTES:
		return bytes->len == 0;
	case PROTOBUF_C_TYPE_MESSAGE:
		return *(const void *const *)at == NULL;
	default:
		return memcmp(at, zeros, item_size(f->type)) == 0;
	}
}

/* --- repeated fields and maps ------------------------------------------------------------- */

/* Entries of maps are messages of their own, named after the field. */
static bool is_map(field_type *f)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;

	return f->type == PROTOBUF_C_TYPE_MESSAGE && d->n_fields == 2 &&
	       str_ends(d->short_name, "Entry") && strcmp(d->fields[0].name, "key") == 0 &&
	       strcmp(d->fields[1].name, "value") == 0 &&
	       d->fields[0].type == PROTOBUF_C_TYPE_STRING;
}

static const char *entry_key(const ProtobufCMessage *entry)
{
	return str_or(*(const char *const *)slot(entry, &entry->descriptor->fields[0]), "");
}

static int by_key(const void *a, const void *b)
{
	return strcmp(entry_key(*(const ProtobufCMessage *const *)a),
			entry_key(*(const ProtobufCMessage *const *)b));
}

static void write_map(struct json_out *o, const void *array, size_t n)
{
	AUTO_FREE const ProtobufCMessage **entries =
			xmemdup(array, n * sizeof(const ProtobufCMessage *));

	qsort(entries, n, sizeof(*entries), by_key);
	json_out_object(o);
	for (size_t i = 0; i < n; i++) {
		field_type *value = &entries[i]->descriptor->fields[1];

		if (i + 1 < n && strcmp(entry_key(entries[i]), entry_key(entries[i + 1])) == 0)
			continue;
		json_out_key(o, entry_key(entries[i]));
		if (value->type == PROTOBUF_C_TYPE_MESSAGE &&
				is_empty(value, slot(entries[i], value)))
			json_out_null(o);
		else
			write_value(o, value->type, slot(entries[i], value));
	}
	json_out_end(o);
}

static void write_list(struct json_out *o, field_type *f, const char *array, size_t n)
{
	json_out_array(o);
	for (size_t i = 0; i < n; i++)
		write_value(o, f->type, array + i * item_size(f->type));
	json_out_end(o);
}

static size_t count_of(const ProtobufCMessage *m, field_type *f)
{
	return *(const size_t *)((const char *)m + f->quantifier_offset);
}

/* --- messages ----------------------------------------------------------------------------- */

static bool is_absent(const ProtobufCMessage *m, field_type *f)
{
	if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
		return *(const uint32_t *)((const char *)m + f->quantifier_offset) != f->id;
	return is_empty(f, slot(m, f));
}

static void write_field(struct json_out *o, const ProtobufCMessage *m, field_type *f)
{
	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		const char *array = *(const char *const *)slot(m, f);
		size_t n = count_of(m, f);

		if (n == 0)
			return;
		json_out_key(o, f->name);
		if (is_map(f))
			write_map(o, array, n);
		else
			write_list(o, f, array, n);
		return;
	}
	if (is_absent(m, f))
		return;
	json_out_key(o, f->name);
	write_value(o, f->type, slot(m, f));
}

/* Depth is bounded: what is shown was decoded within api/pb.h's limits. */
static void write_message(struct json_out *o, const ProtobufCMessage *m)
{
	json_out_object(o);
	for (unsigned i = 0; i < m->descriptor->n_fields; i++)
		write_field(o, m, &m->descriptor->fields[i]);
	json_out_end(o);
}

char *message_json(const ProtobufCMessage *message, const char *indent)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	struct json_out o;

	json_out_init(&o, &b, indent);
	write_message(&o, message);
	return buf_take_str(&b);
}

/* --- numbers by path ---------------------------------------------------------------------- */

static bool number_at(ProtobufCType type, const void *at, uint64_t *ret)
{
	int64_t i;

	if (read_unsigned(type, at, ret))
		return true;
	if (!read_signed(type, at, &i))
		return false;
	*ret = (uint64_t)i;
	return true;
}

static bool repeated_number(
		const ProtobufCMessage *m, field_type *f, const char *index, uint64_t *ret)
{
	const char *array = *(const char *const *)slot(m, f);
	uint64_t i;

	if (!str_u64(index, &i) || i >= count_of(m, f))
		return false;
	return number_at(f->type, array + i * item_size(f->type), ret);
}

bool message_number(const ProtobufCMessage *message, const char *path, uint64_t *ret_value)
{
	size_t n = strcspn(path, ".");
	AUTO_FREE char *name = xstrndup(path, n);
	const char *rest = path[n] == '.' ? path + n + 1 : "";
	field_type *f = protobuf_c_message_descriptor_get_field_by_name(
			message->descriptor, name);

	if (f == NULL)
		return false;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return repeated_number(message, f, rest, ret_value);
	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return rest[0] == '\0' && number_at(f->type, slot(message, f), ret_value);
	message = *(const ProtobufCMessage *const *)slot(message, f);
	if (message == NULL)
		return false;
	*ret_value = 0;
	return rest[0] == '\0' || message_number(message, rest, ret_value);
}
