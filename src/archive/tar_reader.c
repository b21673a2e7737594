/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tar_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "archive/tar_priv.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define SKIP_CHUNK 16384

struct tar_reader {
	struct tar_source *source;
	uint64_t offset;
	uint64_t left; /* of the current entry's data */
	uint64_t pad;  /* behind it */
	bool ended;
	unsigned char block[TAR_BLOCK];
	struct tar_header header;
	struct tar_entry entry;
	struct tar_pax pax;
	bool has_pax;
	struct buf body; /* of the last pax header */
	struct buf long_name, long_link;
	struct tar_extents extents;
};

struct tar_reader *tar_reader_new(struct tar_source *source)
{
	struct tar_reader *r = xzalloc(sizeof(*r));

	r->source = source;
	r->body.limit = r->long_name.limit = r->long_link.limit = TAR_MAX_SPECIAL;
	return r;
}

void tar_reader_free(struct tar_reader *r)
{
	if (r == NULL)
		return;
	tar_pax_done(&r->pax);
	tar_extents_done(&r->extents);
	buf_done(&r->body);
	buf_done(&r->long_name);
	buf_done(&r->long_link);
	free(r);
}

uint64_t tar_reader_offset(const struct tar_reader *r)
{
	return r->offset;
}

/* Bytes read, fewer than size only at the end of the stream. */
static ssize_t read_full(struct tar_reader *r, void *data, size_t size, struct err *err)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = r->source->read(r->source, (char *)data + got, size - got, err);

		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	r->offset += got;
	return (ssize_t)got;
}

static int64_t skip_some(struct tar_reader *r, uint64_t size, struct err *err)
{
	char chunk[SKIP_CHUNK];

	if (r->source->skip != NULL)
		return r->source->skip(r->source, size, err);
	return r->source->read(r->source, chunk,
			size < sizeof(chunk) ? (size_t)size : sizeof(chunk), err);
}

static int skip(struct tar_reader *r, uint64_t size, struct err *err)
{
	while (size > 0) {
		int64_t n = skip_some(r, size, err);

		if (n < 0)
			return -1;
		if (n == 0)
			return tar_err_truncated(err);
		r->offset += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return 0;
}

ssize_t tar_reader_data(struct tar_reader *r, void *data, size_t size, struct err *err)
{
	size_t want = size < r->left ? size : (size_t)r->left;
	ssize_t n;

	if (want == 0)
		return 0;
	n = read_full(r, data, want, err);
	if (n < 0)
		return -1;
	if ((size_t)n < want)
		return tar_err_truncated(err);
	r->left -= want;
	return n;
}

int tar_reader_skip_data(struct tar_reader *r, struct err *err)
{
	uint64_t left = r->left;

	r->left = 0;
	return skip(r, left, err);
}

/* 1 and a header block, 0 at the end of the archive. */
static int read_block(struct tar_reader *r, struct err *err)
{
	ssize_t n = read_full(r, r->block, TAR_BLOCK, err);

	if (n < 0)
		return -1;
	if (n == 0)
		return 0;
	return n == TAR_BLOCK ? 1 : tar_err_truncated(err);
}

/* The archive ends with two empty blocks; or with one, or none, and then the stream ends too.
 */
static int read_header(struct tar_reader *r, struct err *err)
{
	int rc = read_block(r, err);

	if (rc <= 0)
		return rc;
	if (tar_block_is_zero(r->block)) {
		rc = read_block(r, err);
		if (rc <= 0 || tar_block_is_zero(r->block))
			return rc < 0 ? -1 : 0;
		return tar_err_invalid(err);
	}
	return tar_header_parse(r->block, &r->header) ? 1 : tar_err_invalid(err);
}

/* Where the data of this header ends, and its padding. */
static int set_data(struct tar_reader *r, int64_t size, struct err *err)
{
	if (size < 0 || (uint64_t)size > INT64_MAX - r->offset - TAR_BLOCK)
		return tar_err_invalid(err);
	r->left = (uint64_t)size;
	r->pad = (uint64_t)-size & (TAR_BLOCK - 1);
	return 0;
}

static int read_special(struct tar_reader *r, struct buf *body, struct err *err)
{
	char *room;
	ssize_t n;

	buf_clear(body);
	if (set_data(r, r->header.size, err) < 0)
		return -1;
	if (r->left > TAR_MAX_SPECIAL)
		return err_plain(err, ERR_EXHAUSTED, TAR_TEXT_TOO_LONG);
	room = buf_reserve(body, (size_t)r->left);
	n = read_full(r, room, (size_t)r->left, err);
	if (n < 0)
		return -1;
	if ((uint64_t)n < r->left)
		return tar_err_truncated(err);
	buf_commit(body, (size_t)n);
	r->left = 0;
	return 0;
}

static int read_pax(struct tar_reader *r, struct err *err)
{
	if (read_special(r, &r->body, err) < 0)
		return -1;
	if (tar_pax_parse(&r->pax, r->body.data, r->body.size, err) < 0)
		return -1;
	r->has_pax = true;
	return 0;
}

/* Files have data; of other kinds the size says nothing about the stream. */
static bool has_data(int type)
{
	return type < TAR_HARDLINK || type > TAR_FIFO;
}

static int use_number(const char *text, int64_t *number, struct err *err)
{
	if (!str_is_empty(text) && !tar_pax_number(text, number))
		return tar_err_invalid(err);
	return 0;
}

static int use_time(const char *text, struct timespec *time, struct err *err)
{
	if (!str_is_empty(text) && !tar_pax_time(text, time))
		return tar_err_invalid(err);
	return 0;
}

/* An id that does not fit would become another one: 0, or "do not change". */
static int use_id(int64_t id, const char *what, uint32_t *ret, struct err *err)
{
	if (id < 0 || id >= UINT32_MAX)
		return err_plain(err, ERR_UNKNOWN, "archive/tar: %s %lld out of range", what,
				(long long)id);
	*ret = (uint32_t)id;
	return 0;
}

static int use_name(const char *name, const char **ret, struct err *err)
{
	if (strlen(name) > TAR_MAX_PATH)
		return err_sys(err, ENAMETOOLONG, "archive entry");
	*ret = name;
	return 0;
}

/* Pax records win over the block; empty ones mean "not set". */
static int use_records(struct tar_reader *r, struct err *err)
{
	struct tar_header *h = &r->header;
	struct tar_entry *e = &r->entry;
	const struct tar_pax *p = &r->pax;

	e->path = str_or(p->path, h->name);
	e->link = str_or(p->link, h->link);
	e->mtime.tv_sec = h->mtime;
	e->atime.tv_sec = h->atime;
	if (use_number(p->size, &h->size, err) < 0 || use_number(p->uid, &h->uid, err) < 0 ||
			use_number(p->gid, &h->gid, err) < 0 ||
			use_time(p->mtime, &e->mtime, err) < 0 ||
			use_time(p->atime, &e->atime, err) < 0)
		return -1;
	e->has_atime = h->has_atime || !str_is_empty(p->atime);
	e->xattrs = p->xattrs;
	e->xattr_count = p->xattr_count;
	return 0;
}

static int old_gnu_map(struct tar_reader *r, struct err *err)
{
	int64_t real_size;
	bool goes_on = r->block[482] != 0;

	if (r->header.dialect != TAR_GNU || !tar_number_parse(r->block + 483, 12, &real_size) ||
			real_size < 0)
		return tar_err_invalid(err);
	r->entry.size = (uint64_t)real_size;
	if (tar_extents_from_block(&r->extents, r->block + 386, 4, err) < 0)
		return -1;
	while (goes_on) {
		int rc = read_block(r, err);

		if (rc <= 0)
			return rc < 0 ? -1 : tar_err_truncated(err);
		if (tar_extents_from_block(&r->extents, r->block, 21, err) < 0)
			return -1;
		goes_on = r->block[504] != 0;
	}
	return 0;
}

/* Version 1.0 keeps the map in front of the data: numbers in lines, in whole blocks. */
struct map_lines {
	size_t at; /* in the reader's block */
};

static int next_byte(struct tar_reader *r, struct map_lines *l, char *ret, struct err *err)
{
	if (l->at == TAR_BLOCK) {
		if (r->left < TAR_BLOCK)
			return tar_err_invalid(err);
		if (tar_reader_data(r, r->block, TAR_BLOCK, err) < 0)
			return -1;
		l->at = 0;
	}
	*ret = (char)r->block[l->at++];
	return 0;
}

static int next_line(struct tar_reader *r, struct map_lines *l, int64_t *ret, struct err *err)
{
	char text[24];

	for (size_t n = 0; n < sizeof(text); n++) {
		if (next_byte(r, l, &text[n], err) < 0)
			return -1;
		if (text[n] != '\n')
			continue;
		text[n] = '\0';
		return tar_pax_number(text, ret) ? 0 : tar_err_invalid(err);
	}
	return tar_err_invalid(err);
}

static int map_in_data(struct tar_reader *r, struct err *err)
{
	struct map_lines lines = { TAR_BLOCK };
	int64_t count, at, size;

	if (next_line(r, &lines, &count, err) < 0)
		return -1;
	if (count < 0)
		return tar_err_invalid(err);
	for (int64_t i = 0; i < count; i++)
		if (next_line(r, &lines, &at, err) < 0 ||
				next_line(r, &lines, &size, err) < 0 ||
				tar_extents_add(&r->extents, at, size, err) < 0)
			return -1;
	return 0;
}

static bool is_version(const struct tar_pax *p, const char *major, const char *minor)
{
	return str_eq(p->sparse_major, major) && str_eq(p->sparse_minor, minor);
}

static int pax_map(struct tar_reader *r, struct err *err)
{
	const struct tar_pax *p = &r->pax;
	const char *size = str_or(p->sparse_size, p->sparse_real_size);
	bool in_data = is_version(p, "1", "0");
	int64_t real_size = (int64_t)r->left;

	if (!in_data && !is_version(p, "0", "0") && !is_version(p, "0", "1") &&
			(!str_is_empty(p->sparse_major) || !str_is_empty(p->sparse_minor) ||
					str_is_empty(p->sparse_map)))
		return 0;
	r->entry.is_sparse = true;
	r->entry.path = str_or(p->sparse_name, r->entry.path);
	if (use_number(size, &real_size, err) < 0)
		return -1;
	if (real_size < 0)
		return tar_err_invalid(err);
	r->entry.size = (uint64_t)real_size;
	if (in_data)
		return map_in_data(r, err);
	return tar_extents_from_text(&r->extents, str_or(p->sparse_map, ""),
			str_or(p->sparse_count, ""), err);
}

static int find_extents(struct tar_reader *r, struct err *err)
{
	struct tar_entry *e = &r->entry;

	r->extents.count = 0;
	if (e->type == TAR_OLD_GNU_SPARSE) {
		e->is_sparse = true;
		if (old_gnu_map(r, err) < 0)
			return -1;
	} else if (r->has_pax && pax_map(r, err) < 0) {
		return -1;
	}
	if (!e->is_sparse)
		return 0;
	if (!has_data(e->type))
		return tar_err_invalid(err);
	if (e->type == TAR_OLD_GNU_SPARSE)
		e->type = TAR_FILE;
	e->extents = r->extents.items;
	e->extent_count = r->extents.count;
	return tar_extents_check(&r->extents, e->size, r->left, err);
}

/* The block's type flag; archives from before ustar mark directories by their names. */
static int type_of(const struct tar_entry *e, char flag)
{
	if (flag != '\0')
		return (unsigned char)flag;
	return str_ends(e->path, "/") ? TAR_DIR : TAR_FILE;
}

static int make_entry(struct tar_reader *r, struct err *err)
{
	struct tar_header *h = &r->header;
	struct tar_entry *e = &r->entry;

	*e = (struct tar_entry){ 0 };
	if (use_records(r, err) < 0)
		return -1;
	e->path = str_or(r->long_name.size > 0 ? r->long_name.data : NULL, e->path);
	e->link = str_or(r->long_link.size > 0 ? r->long_link.data : NULL, e->link);
	e->type = type_of(e, h->type);
	if (use_id(h->uid, "uid", &e->uid, err) < 0 || use_id(h->gid, "gid", &e->gid, err) < 0)
		return -1;
	if (h->size < 0)
		return tar_err_invalid(err);
	if (set_data(r, has_data(e->type) ? h->size : 0, err) < 0)
		return -1;
	e->size = r->left;
	e->mode = (uint32_t)(h->mode & 07777);
	e->major = (uint32_t)h->major;
	e->minor = (uint32_t)h->minor;
	if (find_extents(r, err) < 0)
		return -1;
	e->data_size = r->left;
	e->offset = r->offset;
	if (use_name(e->path, &e->path, err) < 0 || use_name(e->link, &e->link, err) < 0)
		return -1;
	return 1;
}

/* Passes over what is left of the last entry: 1, or 0 if the stream ends in its padding, which
 * is as good as an end. */
static int finish_entry(struct tar_reader *r, struct err *err)
{
	ssize_t n;

	if (tar_reader_skip_data(r, err) < 0)
		return -1;
	n = read_full(r, r->block, (size_t)r->pad, err);
	if (n < 0)
		return -1;
	if ((uint64_t)n < r->pad)
		return 0;
	r->pad = 0;
	return 1;
}

static int make_global(struct tar_reader *r, struct err *err)
{
	if (read_pax(r, err) < 0)
		return -1;
	r->entry = (struct tar_entry){ .type = TAR_GLOBAL, .path = r->header.name, .link = "" };
	return 1;
}

/* 1 and a header; 0 at the end of the archive. */
static int next_header(struct tar_reader *r, struct err *err)
{
	int rc = finish_entry(r, err);

	if (rc > 0)
		rc = read_header(r, err);
	r->ended = rc <= 0;
	return rc;
}

/* 1 when the header is of an entry, 0 when it said something about the next one. */
static int use_header(struct tar_reader *r, struct err *err)
{
	switch (r->header.type) {
	case 'x':
		return read_pax(r, err);
	case 'L':
		return read_special(r, &r->long_name, err);
	case 'K':
		return read_special(r, &r->long_link, err);
	case TAR_GLOBAL:
		return make_global(r, err);
	default:
		return make_entry(r, err);
	}
}

int tar_reader_next(struct tar_reader *r, const struct tar_entry **ret_entry, struct err *err)
{
	int rc = 0;

	if (r->ended)
		return 0;
	r->has_pax = false;
	tar_pax_clear(&r->pax);
	buf_clear(&r->long_name);
	buf_clear(&r->long_link);
	while (rc == 0) {
		rc = next_header(r, err);
		if (rc <= 0)
			return rc;
		rc = use_header(r, err);
	}
	r->ended = rc < 0;
	if (rc > 0)
		*ret_entry = &r->entry;
	return rc;
}
