/* SPDX-License-Identifier: Apache-2.0 */
/* Tar archives made block by block, so that tests can make wrong ones, too. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "archive/tar.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"

#define TARBALL_INIT                                                                           \
	{                                                                                      \
		.limit = SIZE_MAX                                                              \
	}

/* What goes into a block; what is zero gets a sensible value. */
struct tarball_header {
	char type;
	const char *name, *link;
	unsigned short mode;
	long long uid, gid, size, mtime;
	unsigned short major, minor;
	bool gnu, v7;
};

static inline void tarball_sum(unsigned char *block)
{
	unsigned sum = 0;

	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += block[i];
	(void)snprintf((char *)block + 148, 8, "%06o", sum);
}

/* The block just added, to be damaged. */
static inline unsigned char *tarball_last_block(struct buf *t)
{
	return (unsigned char *)t->data + t->size - TAR_BLOCK;
}

static inline void tarball_octal(char *field, size_t size, unsigned long long value)
{
	for (field += size - 1; size-- > 1; value >>= 3)
		*--field = (char)('0' + (value & 7));
}

static inline void tarball_header(struct buf *t, const struct tarball_header *h)
{
	char block[TAR_BLOCK] = { 0 };
	size_t name = strlen(h->name);

	memcpy(block, h->name, name < 100 ? name : 100);
	tarball_octal(block + 100, 8, h->mode != 0 ? h->mode : 0644);
	tarball_octal(block + 108, 8, (unsigned long long)h->uid);
	tarball_octal(block + 116, 8, (unsigned long long)h->gid);
	tarball_octal(block + 124, 12, (unsigned long long)h->size);
	tarball_octal(block + 136, 12, (unsigned long long)h->mtime);
	block[156] = h->type;
	if (h->link != NULL)
		memcpy(block + 157, h->link, strlen(h->link) < 100 ? strlen(h->link) : 100);
	if (!h->v7)
		memcpy(block + 257, h->gnu ? "ustar  \0" : "ustar\00000", 8);
	if (!h->v7 && (h->type == '3' || h->type == '4')) {
		tarball_octal(block + 329, 8, h->major);
		tarball_octal(block + 337, 8, h->minor);
	}
	tarball_sum((unsigned char *)block);
	buf_add(t, block, TAR_BLOCK);
}

static inline void tarball_pad(struct buf *t)
{
	static const char zeros[TAR_BLOCK];

	buf_add(t, zeros, -t->size & (TAR_BLOCK - 1));
}

static inline void tarball_data(struct buf *t, const void *data, size_t size)
{
	buf_add(t, data, size);
	tarball_pad(t);
}

static inline void tarball_file(struct buf *t, const char *name, const char *text)
{
	struct tarball_header h = {
		.type = '0', .name = name, .size = (long long)strlen(text)
	};

	tarball_header(t, &h);
	tarball_data(t, text, strlen(text));
}

static inline void tarball_dir(struct buf *t, const char *name)
{
	struct tarball_header h = { .type = '5', .name = name, .mode = 0755 };

	tarball_header(t, &h);
}

static inline void tarball_link(struct buf *t, char type, const char *name, const char *target)
{
	struct tarball_header h = { .type = type, .name = name, .link = target, .mode = 0777 };

	tarball_header(t, &h);
}

/* A special entry ('x', 'g', 'L', 'K') with this body. */
static inline void tarball_special(struct buf *t, char type, const void *body, size_t size)
{
	struct tarball_header h = { .type = type, .name = "special", .size = (long long)size };

	h.gnu = type == 'L' || type == 'K';
	tarball_header(t, &h);
	tarball_data(t, body, size);
}

/* Adds one pax record to a body. */
static inline void tarball_record(
		struct buf *body, const char *key, const void *value, size_t size)
{
	size_t rest = strlen(key) + size + 3, total = rest + 1;

	while (total != rest + (size_t)snprintf(NULL, 0, "%zu", total))
		total = rest + (size_t)snprintf(NULL, 0, "%zu", total);
	buf_addf(body, "%zu %s=", total, key);
	buf_add(body, value, size);
	buf_add_byte(body, '\n');
}

/* A pax header with one record. */
static inline void tarball_pax(struct buf *t, const char *key, const char *value)
{
	struct buf body = { .limit = SIZE_MAX };

	tarball_record(&body, key, value, strlen(value));
	tarball_special(t, 'x', body.data, body.size);
	buf_done(&body);
}

static inline void tarball_end(struct buf *t)
{
	static const char zeros[2 * TAR_BLOCK];

	buf_add(t, zeros, sizeof(zeros));
}
