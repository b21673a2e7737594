/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages of a file, before the library trusts them: it has no checksums, and what a page
 * says of itself it takes as true, up to an assertion or a wild pointer. Layout of LMDB 0.9,
 * 64-bit little endian.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "kv/kv_priv.h"

#define MAGIC	   0xbeefc0deu
#define NO_PAGE	   UINT64_MAX
#define MAX_DEPTH  32
#define FIRST_PAGE 2 /* behind the two head pages */
/* The last pages of a transaction need not have been written if it freed them again: as many as
 * the library lets one have. */
#define MAX_UNWRITTEN (1u << 17)

enum {
	PAGE_BRANCH = 1,
	PAGE_LEAF = 2,
	PAGE_OVERFLOW = 4,
	PAGE_META = 8,
	PAGE_KINDS = 0x6f, /* with kinds that we never make */
};

#define NODE_BIG 1 /* its data is in pages of its own */

struct page_head {
	uint64_t number;
	uint16_t pad, flags;
	union {
		struct {
			uint16_t lower, upper;
		};
		uint32_t overflow_pages;
	};
};

struct tree {
	uint32_t page_size; /* of the first tree: of the file's pages */
	uint16_t flags, depth;
	uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};

struct meta_head {
	struct page_head page;
	uint32_t magic, version;
	uint64_t address, map_size;
	struct tree trees[2]; /* of free pages, and ours */
	uint64_t last_page, txn;
};

struct node_head {
	uint16_t low, high, flags, key_size;
};

struct check {
	const char *path;
	int fd;
	uint64_t last_page, page_size, file_size;
	unsigned char *seen; /* a bit per page */
};

static int bad(const struct check *c, uint64_t page, const char *why, struct err *err)
{
	return err_set(err, ERR_DATA_LOSS, "%s: page %llu is damaged: %s", c->path,
			(unsigned long long)page, why);
}

static int read_page(
		const struct check *c, uint64_t page, void *data, size_t size, struct err *err)
{
	ssize_t n;

	if (page < FIRST_PAGE || page > c->last_page)
		return bad(c, page, "out of range", err);
	n = io_pread_full(c->fd, data, size, page * c->page_size);
	if (n < 0)
		return err_sys(err, (int)-n, "%s: read page %llu", c->path,
				(unsigned long long)page);
	if ((size_t)n < size)
		return bad(c, page, "behind the end of the file", err);
	return 0;
}

/* Each page belongs to one place only. */
static int see(struct check *c, uint64_t page, struct err *err)
{
	if ((c->seen[page / 8] >> (page % 8) & 1) != 0)
		return bad(c, page, "used twice", err);
	c->seen[page / 8] |= (unsigned char)(1 << (page % 8));
	return 0;
}

static int check_overflow(struct check *c, uint64_t page, uint64_t size, struct err *err)
{
	struct page_head h;
	uint64_t need = (sizeof(h) + size + c->page_size - 1) / c->page_size;

	if (read_page(c, page, &h, sizeof(h), err) < 0)
		return -1;
	if (h.number != page || (h.flags & PAGE_KINDS) != PAGE_OVERFLOW ||
			h.overflow_pages < need || h.overflow_pages > c->last_page - page + 1)
		return bad(c, page, "no page of a large value", err);
	if ((page + need) * c->page_size > c->file_size)
		return bad(c, page, "behind the end of the file", err);
	for (uint64_t i = 0; i < h.overflow_pages; i++)
		if (see(c, page + i, err) < 0)
			return -1;
	return 0;
}

/* "room" bytes are left of the page behind the key. */
static int check_value(struct check *c, uint64_t page, const struct node_head *n,
		const unsigned char *value, size_t room, struct err *err)
{
	uint64_t size = n->low | (uint64_t)n->high << 16, at;

	if ((n->flags & ~NODE_BIG) != 0)
		return bad(c, page, "strange entry", err);
	if ((n->flags & NODE_BIG) == 0)
		return size <= room ? 0 : bad(c, page, "an entry is too long", err);
	if (room < sizeof(at))
		return bad(c, page, "an entry is too long", err);
	memcpy(&at, value, sizeof(at));
	return check_overflow(c, at, size, err);
}

static int check_page(struct check *c, uint64_t page, unsigned level, struct err *err);

static int check_node(struct check *c, uint64_t page, const unsigned char *data, size_t at,
		unsigned level, struct err *err)
{
	struct node_head n;
	size_t room;

	if (at + sizeof(n) > c->page_size)
		return bad(c, page, "an entry lies outside", err);
	memcpy(&n, data + at, sizeof(n));
	room = c->page_size - at - sizeof(n);
	if (n.key_size > room)
		return bad(c, page, "a key is too long", err);
	if (level > 1)
		return check_page(c, n.low | (uint64_t)n.high << 16 | (uint64_t)n.flags << 32,
				level - 1, err);
	return check_value(c, page, &n, data + at + sizeof(n) + n.key_size, room - n.key_size,
			err);
}

/* Level 1 is that of the leaves. */
static int check_page(struct check *c, uint64_t page, unsigned level, struct err *err)
{
	AUTO_FREE unsigned char *data = xmalloc(c->page_size);
	struct page_head h;
	size_t count;

	if (read_page(c, page, data, c->page_size, err) < 0 || see(c, page, err) < 0)
		return -1;
	memcpy(&h, data, sizeof(h));
	if (h.number != page || (h.flags & PAGE_KINDS) != (level > 1 ? PAGE_BRANCH : PAGE_LEAF))
		return bad(c, page, level > 1 ? "no branch" : "no leaf", err);
	if (h.lower < sizeof(h) + sizeof(uint16_t) || h.lower > h.upper ||
			h.upper > c->page_size || h.lower % 2 != 0)
		return bad(c, page, "its bounds are impossible", err);
	count = (h.lower - sizeof(h)) / sizeof(uint16_t);
	for (size_t i = 0; i < count; i++) {
		uint16_t at;

		memcpy(&at, data + sizeof(h) + i * sizeof(at), sizeof(at));
		if (at < h.upper)
			return bad(c, page, "an entry lies outside", err);
		if (check_node(c, page, data, at, level, err) < 0)
			return -1;
	}
	return 0;
}

static int check_tree(struct check *c, const struct tree *t, struct err *err)
{
	if (t->root == NO_PAGE)
		return 0;
	if (t->depth == 0 || t->depth > MAX_DEPTH)
		return bad(c, 0, "depth of a tree", err);
	return check_page(c, t->root, t->depth, err);
}

/* False if it is none, or of a version that the library refuses. */
static bool read_meta(int fd, uint64_t at, struct meta_head *ret)
{
	return io_pread_full(fd, ret, sizeof(*ret), at) == (ssize_t)sizeof(*ret) &&
	       ret->magic == MAGIC && (ret->page.flags & PAGE_META) != 0;
}

static bool is_page_size(uint32_t size)
{
	return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

/* The younger one, as the library chooses. */
static bool find_meta(int fd, struct meta_head *ret)
{
	struct meta_head first, second;
	uint32_t size;

	if (!read_meta(fd, 0, &first))
		return false;
	size = first.trees[0].page_size;
	if (!is_page_size(size))
		return false;
	*ret = first;
	if (read_meta(fd, size, &second) && second.txn > first.txn)
		*ret = second;
	ret->trees[0].page_size = size;
	return true;
}

/* What others write meanwhile does not matter: the size of pages never changes, and pages are
 * there before a head tells of them. */
int kv_check_heads(const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const struct check c = { .path = path };
	struct meta_head first, second, last;
	struct stat st;
	uint32_t size;

	if (fd < 0 || !read_meta(fd, 0, &first))
		return 0; /* the library says what it thinks of it */
	size = first.trees[0].page_size;
	if (!is_page_size(size))
		return bad(&c, 0, "size of pages", err);
	if (read_meta(fd, size, &second) && second.trees[0].page_size != size)
		return bad(&c, 1, "size of pages", err);
	if (find_meta(fd, &last) && fstat(fd, &st) == 0 &&
			last.last_page > (uint64_t)st.st_size / size + MAX_UNWRITTEN)
		return bad(&c, last.page.number, "number of pages", err);
	return 0;
}

int kv_check_pages(const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct check c = { .path = path, .fd = fd };
	AUTO_FREE unsigned char *seen = NULL;
	struct meta_head m;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open %s", path);
	if (!find_meta(fd, &m))
		return 0; /* the library says what it thinks of it */
	c.page_size = m.trees[0].page_size;
	c.last_page = m.last_page;
	c.file_size = (uint64_t)st.st_size;
	if (c.last_page > (uint64_t)st.st_size / c.page_size)
		return bad(&c, c.last_page, "behind the end of the file", err);
	seen = xzalloc(c.last_page / 8 + 1);
	c.seen = seen;
	if (check_tree(&c, &m.trees[0], err) < 0)
		return -1;
	return check_tree(&c, &m.trees[1], err);
}
