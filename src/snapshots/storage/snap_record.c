/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots/storage/snap_record_priv.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define RECORD_VERSION 1
/* More than a request may carry. */
#define RECORD_MAX ((size_t)64 << 20)

enum tag {
	TAG_ID = 1,
	TAG_KIND,
	TAG_PARENT,
	TAG_PARENT_IDS,
	TAG_CREATED,
	TAG_UPDATED,
	TAG_SIZE,
	TAG_INODES,
	TAG_LABEL, /* size of the key, the key, the value; repeats */
};

void snap_record_done(struct snap_record *r)
{
	free(r->parents);
	snapshot_info_done(&r->info);
	*r = (struct snap_record){ 0 };
}

/* --- writing --- */

static size_t put_varint(unsigned char out[10], uint64_t n)
{
	size_t size = 0;

	for (; n >= 0x80; n >>= 7)
		out[size++] = (unsigned char)(n | 0x80);
	out[size++] = (unsigned char)n;
	return size;
}

static void add_varint(struct buf *b, uint64_t n)
{
	unsigned char bytes[10];

	buf_add(b, bytes, put_varint(bytes, n));
}

static void add_head(struct buf *b, enum tag tag, size_t size)
{
	buf_add_byte(b, (unsigned char)tag);
	add_varint(b, size);
}

static void add_number(struct buf *b, enum tag tag, int64_t n)
{
	uint64_t zigzag = (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0);
	unsigned char bytes[10];
	size_t size = put_varint(bytes, zigzag);

	if (n == 0)
		return;
	add_head(b, tag, size);
	buf_add(b, bytes, size);
}

static void add_text(struct buf *b, enum tag tag, const char *text)
{
	if (str_is_empty(text))
		return;
	add_head(b, tag, strlen(text));
	buf_add_str(b, text);
}

static void add_ids(struct buf *b, const uint64_t *ids, size_t count)
{
	AUTO_BUF struct buf inner = { .limit = SIZE_MAX };

	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		add_varint(&inner, ids[i]);
	add_head(b, TAG_PARENT_IDS, inner.size);
	buf_add(b, inner.data, inner.size);
}

static void add_labels(struct buf *b, const struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		const struct label *l = &labels->items[i];
		size_t key_size = strlen(l->key);
		unsigned char head[10];
		size_t head_size = put_varint(head, key_size);

		add_head(b, TAG_LABEL, head_size + key_size + strlen(l->value));
		buf_add(b, head, head_size);
		buf_add(b, l->key, key_size);
		buf_add_str(b, l->value);
	}
}

void snap_record_encode(const struct snap_record *r, struct buf *out)
{
	buf_add_byte(out, RECORD_VERSION);
	add_number(out, TAG_ID, (int64_t)r->id);
	add_number(out, TAG_KIND, (int64_t)r->info.kind);
	add_text(out, TAG_PARENT, r->info.parent);
	add_ids(out, r->parents, r->parent_count);
	add_number(out, TAG_CREATED, r->info.created_ns);
	add_number(out, TAG_UPDATED, r->info.updated_ns);
	add_number(out, TAG_SIZE, r->usage.size);
	add_number(out, TAG_INODES, r->usage.inodes);
	add_labels(out, &r->info.labels);
}

/* --- reading --- */

struct span {
	const unsigned char *p, *end;
};

static bool take_varint(struct span *s, uint64_t *ret)
{
	uint64_t n = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		unsigned char byte;

		if (s->p == s->end)
			return false;
		byte = *s->p++;
		n |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = n;
			return shift < 63 || byte < 2;
		}
	}
	return false;
}

static bool take_span(struct span *s, struct span *ret)
{
	uint64_t size;

	if (!take_varint(s, &size) || size > (uint64_t)(s->end - s->p))
		return false;
	*ret = (struct span){ s->p, s->p + size };
	s->p += size;
	return true;
}

static bool read_number(struct span field, int64_t *ret)
{
	uint64_t zigzag;

	if (!take_varint(&field, &zigzag) || field.p != field.end)
		return false;
	*ret = (int64_t)(zigzag >> 1 ^ (zigzag & 1 ? UINT64_MAX : 0));
	return true;
}

static bool read_text(struct span field, char **ret)
{
	size_t size = (size_t)(field.end - field.p);

	if (memchr(field.p, '\0', size) != NULL)
		return false;
	free(*ret);
	*ret = xstrndup((const char *)field.p, size);
	return true;
}

static bool read_kind(struct span field, struct snap_record *r)
{
	int64_t kind;

	if (!read_number(field, &kind) || kind < SNAPSHOT_VIEW || kind > SNAPSHOT_COMMITTED)
		return false;
	r->info.kind = (enum snapshot_kind)kind;
	return true;
}

/* An id takes a byte at least, so the field's size bounds their number. */
static bool read_ids(struct span field, struct snap_record *r)
{
	size_t room = (size_t)(field.end - field.p);

	free(r->parents);
	r->parents = xcalloc(room + 1, sizeof(*r->parents));
	r->parent_count = 0;
	while (field.p != field.end)
		if (!take_varint(&field, &r->parents[r->parent_count++]))
			return false;
	return true;
}

static bool read_label(struct span field, struct labels *labels)
{
	AUTO_FREE char *key = NULL;
	AUTO_FREE char *value = NULL;
	struct span inner;

	if (!take_span(&field, &inner) || !read_text(inner, &key) || !read_text(field, &value))
		return false;
	labels_set(labels, key, value);
	return true;
}

static bool read_field(unsigned char tag, struct span field, struct snap_record *r)
{
	int64_t id;

	switch (tag) {
	case TAG_ID:
		if (!read_number(field, &id))
			return false;
		r->id = (uint64_t)id;
		return true;
	case TAG_KIND:
		return read_kind(field, r);
	case TAG_PARENT:
		return read_text(field, &r->info.parent);
	case TAG_PARENT_IDS:
		return read_ids(field, r);
	case TAG_CREATED:
		return read_number(field, &r->info.created_ns);
	case TAG_UPDATED:
		return read_number(field, &r->info.updated_ns);
	case TAG_SIZE:
		return read_number(field, &r->usage.size);
	case TAG_INODES:
		return read_number(field, &r->usage.inodes);
	case TAG_LABEL:
		return read_label(field, &r->info.labels);
	default:
		return true; /* of a later writer that kept the version */
	}
}

static bool read_fields(struct span s, struct snap_record *r)
{
	while (s.p != s.end) {
		unsigned char tag = *s.p++;
		struct span field;

		if (!take_span(&s, &field) || !read_field(tag, field, r))
			return false;
	}
	/* What stands on something knows all of it. */
	return r->id != 0 && r->info.kind != SNAPSHOT_UNKNOWN &&
	       (*r->info.parent == '\0') == (r->parent_count == 0);
}

int snap_record_decode(const char *name, size_t name_size, const void *data, size_t size,
		struct snap_record *ret_record, struct err *err)
{
	const unsigned char *bytes = data;
	struct snap_record r = { 0 };

	r.info.name = xstrndup(name, name_size);
	r.info.parent = xstrdup("");
	if (size == 0 || size > RECORD_MAX || bytes[0] != RECORD_VERSION ||
			!read_fields((struct span){ bytes + 1, bytes + size }, &r)) {
		(void)err_set(err, ERR_DATA_LOSS, "snapshot %s: record is damaged",
				r.info.name);
		snap_record_done(&r);
		return -1;
	}
	*ret_record = r;
	return 0;
}
