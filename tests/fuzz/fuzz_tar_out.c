/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input describes an entry: whatever a file in a container is called and says about itself,
 * the header we write of it must be read as the same entry, and nothing else.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "archive/tar_reader.h"
#include "archive/tar_writer.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "support/tar_memory.h"

#define MAX_DATA 5000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
	if (!holds)
		abort();
}

struct input {
	const uint8_t *at;
	size_t left;
};

static uint64_t number(struct input *in, size_t bytes)
{
	uint64_t n = 0;

	for (; bytes > 0 && in->left > 0; bytes--, in->left--)
		n = n << 8 | *in->at++;
	return n;
}

/* A name as the kernel allows it, of at least one byte; "room" is what is left for it. */
static char *name(struct input *in, size_t room)
{
	size_t n = number(in, 2) % room, i = 0;
	char *text = xzalloc(n + 2);

	for (; i < n && in->left > 0; i++)
		text[i] = (char)number(in, 1);
	for (size_t j = 0; j < i; j++)
		text[j] = text[j] == '\0' ? '/' : text[j];
	if (i == 0)
		text[0] = 'n';
	return text;
}

static void same_entry(const struct tar_entry *a, const struct tar_entry *b)
{
	need(a->type == b->type && a->mode == b->mode);
	need(a->uid == b->uid && a->gid == b->gid && a->size == b->size);
	need(a->mtime.tv_sec == b->mtime.tv_sec);
	need(str_eq(a->path, b->path) && str_eq(a->link, b->link));
	need(a->major == b->major && a->minor == b->minor);
	need(a->xattr_count == b->xattr_count);
	for (size_t i = 0; i < a->xattr_count; i++)
		need(a->xattrs[i].size == b->xattrs[i].size &&
				str_eq(a->xattrs[i].name, b->xattrs[i].name) &&
				memcmp(a->xattrs[i].value, b->xattrs[i].value,
						a->xattrs[i].size) == 0);
}

static void read_back(struct buf *tar, const struct tar_entry *e)
{
	AUTO_ERR struct err err = { 0 };
	struct tar_memory memory = tar_memory(tar->data, tar->size);
	AUTO(tar_reader_free) struct tar_reader *r = tar_reader_new(&memory.base);
	const struct tar_entry *got;

	need(tar_reader_next(r, &got, &err) == 1);
	same_entry(got, e);
	need(tar_reader_skip_data(r, &err) == 0);
	need(tar_reader_next(r, &got, &err) == 0);
}

static void fill_numbers(struct input *in, struct tar_entry *e)
{
	e->type = "0123456"[number(in, 1) % 7];
	e->mode = (uint32_t)number(in, 2) & 07777;
	e->uid = (uint32_t)number(in, 4) & INT32_MAX;
	e->gid = (uint32_t)number(in, 4) & INT32_MAX;
	e->mtime.tv_sec = (int64_t)number(in, 5) - (1 << 30);
	if (e->type == TAR_FILE)
		e->size = e->data_size = number(in, 2) % MAX_DATA;
	if (e->type == TAR_CHAR || e->type == TAR_BLOCK_DEVICE) {
		e->major = (uint32_t)number(in, 2) & 0xfff;
		e->minor = (uint32_t)number(in, 3) & 0xfffff;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct buf tar AUTO_BUF = { .limit = SIZE_MAX };
	AUTO_FREE char *path = NULL, *link = NULL, *value = NULL, *zeros = xzalloc(MAX_DATA);
	struct tar_xattr cap = { "security.capability", NULL, 0 };
	struct tar_entry e = { .xattrs = &cap, .link = "" };

	fill_numbers(&in, &e);
	value = name(&in, 256);
	cap.value = value;
	cap.size = strlen(value);
	e.xattr_count = number(&in, 1) & 1;
	path = name(&in, 4000);
	if (e.type == TAR_SYMLINK || e.type == TAR_HARDLINK)
		e.link = link = name(&in, 4000);
	/* As the differ writes them: no slash at the end but a directory's. */
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = '\0';
	e.path = path;
	tar_put_header(&tar, &e);
	need(tar.size % TAR_BLOCK == 0);
	buf_add(&tar, zeros, e.size);
	tar_put_padding(&tar, e.size);
	tar_put_end(&tar);
	read_back(&tar, &e);
	return 0;
}
