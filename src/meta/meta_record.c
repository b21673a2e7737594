/* SPDX-License-Identifier: Apache-2.0 */
#include "meta/meta_record_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/labels.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/any.h"

static void add_varint(struct buf *b, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		buf_add_byte(b, (unsigned char)(n | 0x80));
	buf_add_byte(b, (unsigned char)n);
}

static size_t varint_size(uint64_t n)
{
	size_t size = 1;

	for (; n >= 0x80; n >>= 7)
		size++;
	return size;
}

static void add_head(struct buf *b, uint8_t tag, size_t size)
{
	buf_add_byte(b, tag);
	add_varint(b, size);
}

void rec_start(struct buf *b)
{
	buf_add_byte(b, RECORD_VERSION);
}

void rec_text(struct buf *b, uint8_t tag, const char *text)
{
	if (str_is_empty(text))
		return;
	add_head(b, tag, strlen(text));
	buf_add_str(b, text);
}

void rec_int(struct buf *b, uint8_t tag, int64_t n)
{
	uint64_t zigzag = (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0);

	if (n == 0)
		return;
	add_head(b, tag, varint_size(zigzag));
	add_varint(b, zigzag);
}

/* A text that is followed by something: its size, then it. */
static size_t inner_size(const char *text)
{
	return varint_size(strlen(text)) + strlen(text);
}

static void add_inner(struct buf *b, const char *text)
{
	add_varint(b, strlen(text));
	buf_add_str(b, text);
}

void rec_labels(struct buf *b, uint8_t tag, const struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		const struct label *l = &labels->items[i];

		add_head(b, tag, inner_size(l->key) + strlen(l->value));
		add_inner(b, l->key);
		buf_add_str(b, l->value);
	}
}

static size_t any_size(const struct any *any)
{
	return inner_size(str_or(any->type_url, "")) + any->size;
}

static void add_any(struct buf *b, const struct any *any)
{
	add_inner(b, str_or(any->type_url, ""));
	if (any->size > 0)
		buf_add(b, any->value, any->size);
}

void rec_any(struct buf *b, uint8_t tag, const struct any *any)
{
	if (!any->is_set)
		return;
	add_head(b, tag, any_size(any));
	add_any(b, any);
}

void rec_anys(struct buf *b, uint8_t tag, const struct anys *anys)
{
	for (size_t i = 0; i < anys->count; i++) {
		const struct named_any *n = &anys->items[i];

		add_head(b, tag, inner_size(n->key) + any_size(&n->any));
		add_inner(b, n->key);
		add_any(b, &n->any);
	}
}

/* Moves *p behind the number. */
static bool take_varint(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	uint64_t n = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte;

		if (*p == end)
			return false;
		byte = *(*p)++;
		n |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = n;
			return shift < 63 || byte < 2;
		}
	}
	return false;
}

static bool take_bytes(const uint8_t **p, const uint8_t *end, struct kv_bytes *ret)
{
	uint64_t size;

	if (!take_varint(p, end, &size) || size > (size_t)(end - *p))
		return false;
	*ret = (struct kv_bytes){ *p, (size_t)size };
	*p += size;
	return true;
}

bool rec_open(struct rec *r, struct kv_bytes bytes)
{
	*r = (struct rec){ bytes.data, (const uint8_t *)bytes.data + bytes.size };
	return bytes.size > 0 && *r->p++ == RECORD_VERSION;
}

int rec_next(struct rec *r, struct rec_field *ret_field)
{
	struct kv_bytes bytes;

	if (r->p == r->end)
		return 0;
	ret_field->tag = *r->p++;
	if (!take_bytes(&r->p, r->end, &bytes))
		return -1;
	ret_field->data = bytes.data;
	ret_field->size = bytes.size;
	return 1;
}

bool rec_has_nul(struct kv_bytes bytes)
{
	return bytes.size > 0 && memchr(bytes.data, '\0', bytes.size) != NULL;
}

static bool to_text(struct kv_bytes bytes, char **ret_text)
{
	if (rec_has_nul(bytes))
		return false;
	free(*ret_text);
	*ret_text = xstrndup(bytes.data, bytes.size);
	return true;
}

bool rec_get_text(const struct rec_field *f, char **ret_text)
{
	return to_text((struct kv_bytes){ f->data, f->size }, ret_text);
}

bool rec_get_int(const struct rec_field *f, int64_t *ret)
{
	const uint8_t *p = f->data;
	uint64_t zigzag;

	if (!take_varint(&p, f->data + f->size, &zigzag) || p != f->data + f->size)
		return false;
	*ret = (int64_t)(zigzag >> 1 ^ (zigzag & 1 ? UINT64_MAX : 0));
	return true;
}

bool rec_peek_label(const struct rec_field *f, struct kv_bytes *key, struct kv_bytes *value)
{
	const uint8_t *p = f->data, *end = f->data + f->size;

	if (!take_bytes(&p, end, key))
		return false;
	*value = (struct kv_bytes){ p, (size_t)(end - p) };
	return !rec_has_nul(*key) && !rec_has_nul(*value);
}

bool rec_get_label(const struct rec_field *f, struct labels *labels)
{
	AUTO_FREE char *key = NULL;
	AUTO_FREE char *value = NULL;
	struct kv_bytes k, v;

	if (!rec_peek_label(f, &k, &v) || !to_text(k, &key) || !to_text(v, &value))
		return false;
	labels_set(labels, key, value);
	return true;
}

bool rec_peek_any(const struct rec_field *f, struct kv_bytes *url, struct kv_bytes *value)
{
	const uint8_t *p = f->data, *end = f->data + f->size;

	if (!take_bytes(&p, end, url))
		return false;
	*value = (struct kv_bytes){ p, (size_t)(end - p) };
	return !rec_has_nul(*url);
}

bool rec_peek_named_any(const struct rec_field *f, struct kv_bytes *key, struct rec_field *rest)
{
	const uint8_t *p = f->data, *end = f->data + f->size;

	if (!take_bytes(&p, end, key))
		return false;
	*rest = (struct rec_field){ f->tag, p, (size_t)(end - p) };
	return !rec_has_nul(*key);
}

bool rec_get_any(const struct rec_field *f, struct any *any)
{
	AUTO_FREE char *url = NULL;
	struct kv_bytes text, value;

	if (!rec_peek_any(f, &text, &value) || !to_text(text, &url))
		return false;
	any_set(any, url, value.data, value.size);
	return true;
}

bool rec_get_named_any(const struct rec_field *f, struct anys *anys)
{
	AUTO_FREE char *key = NULL;
	AUTO_ANY struct any any = { 0 };
	struct rec_field rest;
	struct kv_bytes text;

	if (!rec_peek_named_any(f, &text, &rest) || !to_text(text, &key) ||
			!rec_get_any(&rest, &any))
		return false;
	anys_set(anys, key, &any);
	return true;
}
