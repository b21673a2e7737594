/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"

void buf_done(struct buf *b)
{
	int saved = errno;

	free(b->data);
	*b = (struct buf){ .limit = b->limit };
	errno = saved;
}

void buf_clear(struct buf *b)
{
	b->size = 0;
	b->overflowed = false;
}

void *buf_reserve(struct buf *b, size_t size)
{
	size_t need;

	if (b->overflowed || size > b->limit || b->size > b->limit - size) {
		b->overflowed = true;
		return NULL;
	}
	need = b->size + size + 1;
	if (need > b->room) {
		size_t room = b->room < 64 ? 64 : b->room * 2;

		b->room = room < need ? need : room;
		b->data = xrealloc(b->data, b->room);
	}
	return b->data + b->size;
}

void buf_commit(struct buf *b, size_t size)
{
	assert(b->size + size < b->room);
	b->size += size;
	b->data[b->size] = '\0';
}

void buf_add(struct buf *b, const void *data, size_t size)
{
	void *room = buf_reserve(b, size);

	if (room == NULL)
		return;
	if (size > 0)
		memcpy(room, data, size);
	buf_commit(b, size);
}

void buf_add_str(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_add_byte(struct buf *b, unsigned char byte)
{
	buf_add(b, &byte, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	AUTO_FREE char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	buf_add_str(b, text);
}

void buf_drop(struct buf *b, size_t size)
{
	assert(size <= b->size);
	if (size == 0)
		return;
	memmove(b->data, b->data + size, b->size - size);
	b->size -= size;
	b->data[b->size] = '\0';
}

char *buf_take_str(struct buf *b)
{
	char *text = b->data == NULL ? xstrdup("") : b->data;

	*b = (struct buf){ .limit = b->limit };
	return text;
}
