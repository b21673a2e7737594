/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/layer_record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"

#define MAGIC 0x4c52 /* of every frame */

struct frame {
	uint16_t magic, type;
	uint32_t size; /* of the body */
};

struct entry_body {
	uint32_t type, mode, uid, gid, major, minor;
	uint32_t has_atime, is_sparse;
	int64_t mtime_s, atime_s;
	uint32_t mtime_ns, atime_ns;
	uint64_t size, data_size;
	/* Then path and link, each with its 0, then so many attributes. */
	uint32_t path_size, link_size, xattr_count, unused;
};

struct xattr_body {
	uint32_t name_size, value_size; /* then the name with its 0, then the value */
};

struct range_body {
	uint64_t at, offset, size;
};

struct failure_body {
	uint32_t kind; /* then the text with its 0 */
};

/* Starts a frame; its size is filled in at the end. */
static size_t begin(struct buf *out, enum layer_record_type type)
{
	struct frame f = { .magic = MAGIC, .type = (uint16_t)type };
	size_t start = out->size;

	buf_add(out, &f, sizeof(f));
	return start;
}

static void finish(struct buf *out, size_t start)
{
	uint32_t size = (uint32_t)(out->size - start - sizeof(struct frame));

	if (!out->overflowed)
		memcpy(out->data + start + offsetof(struct frame, size), &size, sizeof(size));
}

static void put_xattr(struct buf *out, const struct tar_xattr *a)
{
	struct xattr_body x = { (uint32_t)strlen(a->name), (uint32_t)a->size };

	buf_add(out, &x, sizeof(x));
	buf_add(out, a->name, x.name_size + 1);
	buf_add(out, a->value, x.value_size);
}

void layer_put_entry(struct buf *out, const struct tar_entry *e)
{
	struct entry_body b = {
		.type = (uint32_t)e->type,
		.mode = e->mode,
		.uid = e->uid,
		.gid = e->gid,
		.major = e->major,
		.minor = e->minor,
		.has_atime = e->has_atime,
		.is_sparse = e->is_sparse,
		.mtime_s = e->mtime.tv_sec,
		.mtime_ns = (uint32_t)e->mtime.tv_nsec,
		.atime_s = e->atime.tv_sec,
		.atime_ns = (uint32_t)e->atime.tv_nsec,
		.size = e->size,
		.data_size = e->data_size,
		.path_size = (uint32_t)strlen(e->path),
		.link_size = (uint32_t)strlen(e->link),
		.xattr_count = (uint32_t)e->xattr_count,
	};
	size_t start = begin(out, LAYER_ENTRY);

	buf_add(out, &b, sizeof(b));
	buf_add(out, e->path, b.path_size + 1);
	buf_add(out, e->link, b.link_size + 1);
	for (size_t i = 0; i < e->xattr_count; i++)
		put_xattr(out, &e->xattrs[i]);
	finish(out, start);
}

static void put_range(struct buf *out, enum layer_record_type type, uint64_t at,
		uint64_t offset, uint64_t size)
{
	struct range_body b = { at, offset, size };
	size_t start = begin(out, type);

	buf_add(out, &b, sizeof(b));
	finish(out, start);
}

void layer_put_extent(struct buf *out, uint64_t at, uint64_t offset, uint64_t size)
{
	put_range(out, LAYER_EXTENT, at, offset, size);
}

void layer_put_position(struct buf *out, uint64_t offset)
{
	put_range(out, LAYER_POSITION, 0, offset, 0);
}

void layer_put_end(struct buf *out, uint64_t offset)
{
	put_range(out, LAYER_END, 0, offset, 0);
}

void layer_put_failure(struct buf *out, const struct err *err)
{
	struct failure_body b = { (uint32_t)err->kind };
	const char *text = err_text(err);
	size_t start = begin(out, LAYER_FAILED), size = strnlen(text, LAYER_MAX_FAILURE);

	buf_add(out, &b, sizeof(b));
	buf_add(out, text, size);
	buf_add_byte(out, '\0');
	finish(out, start);
}

void layer_parser_done(struct layer_parser *p)
{
	free(p->xattrs);
	p->xattrs = NULL;
}

/* Bytes still to be taken from a body. */
struct rest {
	const char *at;
	size_t size;
};

static bool take(struct rest *r, void *to, size_t size)
{
	if (size > r->size)
		return false;
	memcpy(to, r->at, size);
	r->at += size;
	r->size -= size;
	return true;
}

/* A text of exactly that length, and its 0. */
static bool take_text(struct rest *r, size_t size, size_t max, const char **ret)
{
	if (size > max || size >= r->size || memchr(r->at, '\0', size) != NULL ||
			r->at[size] != '\0')
		return false;
	*ret = r->at;
	r->at += size + 1;
	r->size -= size + 1;
	return true;
}

static bool take_xattr(struct rest *r, struct tar_xattr *a)
{
	struct xattr_body x;

	if (!take(r, &x, sizeof(x)) ||
			!take_text(r, x.name_size, TAR_MAX_XATTR_NAME, &a->name) ||
			x.value_size > TAR_MAX_XATTR_VALUE || x.value_size > r->size)
		return false;
	a->value = r->at;
	a->size = x.value_size;
	r->at += x.value_size;
	r->size -= x.value_size;
	return true;
}

static bool is_sensible(const struct entry_body *b)
{
	return b->type <= 0xff && b->mode <= 07777 && b->uid != UINT32_MAX &&
	       b->gid != UINT32_MAX && b->has_atime <= 1 && b->is_sparse <= 1 &&
	       b->mtime_ns < 1000000000 && b->atime_ns < 1000000000 && b->size <= INT64_MAX &&
	       b->data_size <= b->size && (b->is_sparse || b->data_size == b->size) &&
	       b->xattr_count <= TAR_MAX_XATTRS;
}

static bool parse_entry(struct layer_parser *p, struct rest *r, struct tar_entry *e)
{
	struct entry_body b;

	if (!take(r, &b, sizeof(b)) || !is_sensible(&b))
		return false;
	*e = (struct tar_entry){
		.type = (int)b.type,
		.mode = b.mode,
		.uid = b.uid,
		.gid = b.gid,
		.major = b.major,
		.minor = b.minor,
		.has_atime = b.has_atime == 1,
		.is_sparse = b.is_sparse == 1,
		.mtime = { .tv_sec = b.mtime_s, .tv_nsec = b.mtime_ns },
		.atime = { .tv_sec = b.atime_s, .tv_nsec = b.atime_ns },
		.size = b.size,
		.data_size = b.data_size,
		.xattr_count = b.xattr_count,
	};
	if (!take_text(r, b.path_size, TAR_MAX_PATH, &e->path) ||
			!take_text(r, b.link_size, TAR_MAX_PATH, &e->link))
		return false;
	if (p->xattrs == NULL)
		p->xattrs = xcalloc(TAR_MAX_XATTRS, sizeof(*p->xattrs));
	e->xattrs = p->xattrs;
	for (size_t i = 0; i < e->xattr_count; i++)
		if (!take_xattr(r, &p->xattrs[i]))
			return false;
	return true;
}

static bool parse_range(struct rest *r, struct layer_record *rec)
{
	struct range_body b;

	if (!take(r, &b, sizeof(b)))
		return false;
	rec->at = b.at;
	rec->offset = b.offset;
	rec->size = b.size;
	return b.at <= INT64_MAX && b.size <= INT64_MAX && b.offset <= INT64_MAX &&
	       b.offset + b.size <= INT64_MAX;
}

static bool parse_failure(struct rest *r, struct layer_record *rec)
{
	struct failure_body b;

	if (!take(r, &b, sizeof(b)) || r->size == 0 ||
			!take_text(r, r->size - 1, LAYER_MAX_FAILURE, &rec->failure))
		return false;
	rec->fail_kind = (int)b.kind;
	return b.kind == ERR_UNKNOWN || b.kind == ERR_EXHAUSTED || b.kind == ERR_INTERNAL;
}

static bool parse_body(struct layer_parser *p, struct rest *r, struct layer_record *rec)
{
	bool is_right;

	switch (rec->type) {
	case LAYER_ENTRY:
		is_right = parse_entry(p, r, &rec->entry);
		break;
	case LAYER_EXTENT:
	case LAYER_POSITION:
	case LAYER_END:
		is_right = parse_range(r, rec);
		break;
	case LAYER_FAILED:
		is_right = parse_failure(r, rec);
		break;
	default:
		is_right = false;
	}
	return is_right && r->size == 0;
}

ssize_t layer_record_parse(struct layer_parser *p, const void *data, size_t size,
		struct layer_record *ret_record, struct err *err)
{
	struct layer_record rec = { 0 };
	struct rest r = { data, size };
	struct frame f;

	if (!take(&r, &f, sizeof(f)))
		return 0;
	if (f.magic != MAGIC || f.size > LAYER_MAX_BODY)
		return err_set(err, ERR_INTERNAL, "layer decoder: malformed record");
	if (r.size < f.size)
		return 0;
	r.size = f.size;
	rec.type = f.type;
	if (!parse_body(p, &r, &rec))
		return err_set(err, ERR_INTERNAL, "layer decoder: malformed record");
	*ret_record = rec;
	return (ssize_t)(sizeof(f) + f.size);
}
