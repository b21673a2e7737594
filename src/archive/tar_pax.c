/* SPDX-License-Identifier: Apache-2.0 */
/* Records of pax headers: "<length> <key>=<value>\n", the length counting all of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "archive/tar_priv.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define XATTR_PREFIX "SCHILY.xattr."

void tar_pax_clear(struct tar_pax *p)
{
	struct tar_pax keep = { .xattrs = p->xattrs,
		.xattr_room = p->xattr_room,
		.sparse_pairs = p->sparse_pairs };

	*p = keep;
	buf_clear(&p->sparse_pairs);
	p->sparse_pairs.limit = TAR_MAX_SPECIAL;
}

void tar_pax_done(struct tar_pax *p)
{
	free(p->xattrs);
	buf_done(&p->sparse_pairs);
}

bool tar_pax_number(const char *text, int64_t *ret)
{
	/* Go takes a sign in front; nobody writes one, but a layer must mean the same. */
	if (text[0] == '+')
		return text[1] != '-' && text[1] != '+' && str_i64(text + 1, ret);
	return str_i64(text, ret);
}

bool tar_pax_time(const char *text, struct timespec *ret)
{
	const char *dot = strchr(text, '.');
	AUTO_FREE char *whole =
			xstrndup(text, dot != NULL ? (size_t)(dot - text) : strlen(text));
	int64_t s, ns = 0;

	if (!tar_pax_number(whole, &s))
		return false;
	if (dot != NULL) {
		size_t digits = strspn(dot + 1, "0123456789");

		if (dot[1 + digits] != '\0')
			return false;
		for (size_t i = 0; i < 9; i++)
			ns = ns * 10 + (i < digits ? dot[1 + i] - '0' : 0);
	}
	if (text[0] == '-' && ns != 0) {
		if (s == INT64_MIN)
			return false;
		s--;
		ns = 1000000000 - ns;
	}
	*ret = (struct timespec){ .tv_sec = s, .tv_nsec = ns };
	return true;
}

static int add_xattr(struct tar_pax *p, const char *name, const char *value, size_t size,
		struct err *err)
{
	size_t i = 0;

	if (strlen(name) > TAR_MAX_XATTR_NAME || size > TAR_MAX_XATTR_VALUE)
		return err_set(err, ERR_EXHAUSTED, "extended attribute too long");
	while (i < p->xattr_count && !str_eq(p->xattrs[i].name, name))
		i++;
	if (i == TAR_MAX_XATTRS)
		return err_set(err, ERR_EXHAUSTED, "too many extended attributes");
	if (i == p->xattr_room) {
		p->xattr_room = i == 0 ? 8 : i * 2;
		p->xattrs = xreallocarray(p->xattrs, p->xattr_room, sizeof(*p->xattrs));
	}
	p->xattrs[i] = (struct tar_xattr){ name, value, size };
	if (i == p->xattr_count)
		p->xattr_count++;
	return 0;
}

/* Version 0.0 has one record per number; in turn an offset and a size. */
static int add_sparse_number(struct tar_pax *p, const char *key, const char *value, size_t size,
		unsigned *pairs, struct err *err)
{
	bool is_offset = str_eq(key, "GNU.sparse.offset");

	if (is_offset != (*pairs % 2 == 0) || strspn(value, "0123456789") != size)
		return tar_err_invalid(err);
	if (*pairs > 0)
		buf_add_byte(&p->sparse_pairs, ',');
	buf_add_str(&p->sparse_pairs, value);
	++*pairs;
	return 0;
}

static int take_record(struct tar_pax *p, const char *key, size_t key_size, const char *value,
		size_t size, unsigned *pairs, struct err *err)
{
	const char *ignored;
	const struct {
		const char *key, **slot;
	} slots[] = {
		{ "path", &p->path },
		{ "linkpath", &p->link },
		{ "uname", &ignored },
		{ "gname", &ignored },
		{ "size", &p->size },
		{ "uid", &p->uid },
		{ "gid", &p->gid },
		{ "mtime", &p->mtime },
		{ "atime", &p->atime },
		{ "GNU.sparse.major", &p->sparse_major },
		{ "GNU.sparse.minor", &p->sparse_minor },
		{ "GNU.sparse.name", &p->sparse_name },
		{ "GNU.sparse.size", &p->sparse_size },
		{ "GNU.sparse.realsize", &p->sparse_real_size },
		{ "GNU.sparse.numblocks", &p->sparse_count },
		{ "GNU.sparse.map", &p->sparse_map },
	};

	if (key_size == 0 || memchr(key, '\0', key_size) != NULL)
		return tar_err_invalid(err);
	if (str_starts(key, XATTR_PREFIX))
		return add_xattr(p, key + strlen(XATTR_PREFIX), value, size, err);
	if (str_eq(key, "GNU.sparse.offset") || str_eq(key, "GNU.sparse.numbytes"))
		return add_sparse_number(p, key, value, size, pairs, err);
	for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
		if (!str_eq(key, slots[i].key))
			continue;
		if (memchr(value, '\0', size) != NULL)
			return tar_err_invalid(err);
		*slots[i].slot = value;
	}
	return 0;
}

/* The length in front of a record; 0 if it is none or reaches over the body's end. */
static size_t record_length(const char *body, size_t size, size_t *ret_digits)
{
	size_t n = 0, digits = 0;

	while (digits < size && body[digits] >= '0' && body[digits] <= '9') {
		n = n * 10 + (size_t)(body[digits++] - '0');
		if (n > size)
			return 0;
	}
	if (digits == 0 || digits == size || body[digits] != ' ')
		return 0;
	*ret_digits = digits;
	return n;
}

static int take_next(
		struct tar_pax *p, char **body, size_t *size, unsigned *pairs, struct err *err)
{
	size_t digits = 0, n = record_length(*body, *size, &digits);
	char *key = *body + digits + 1, *end = *body + n - 1, *equals;

	if (n < digits + 3 || *end != '\n')
		return tar_err_invalid(err);
	equals = memchr(key, '=', (size_t)(end - key));
	if (equals == NULL)
		return tar_err_invalid(err);
	*equals = *end = '\0';
	*body += n;
	*size -= n;
	return take_record(p, key, (size_t)(equals - key), equals + 1,
			(size_t)(end - equals - 1), pairs, err);
}

int tar_pax_parse(struct tar_pax *p, char *body, size_t size, struct err *err)
{
	unsigned pairs = 0;

	tar_pax_clear(p);
	while (size > 0)
		if (take_next(p, &body, &size, &pairs, err) < 0)
			return -1;
	if (pairs > 0) {
		if (p->sparse_pairs.overflowed)
			return tar_err_invalid(err);
		p->sparse_map = p->sparse_pairs.data;
	}
	return 0;
}
