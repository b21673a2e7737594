/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that grow, up to a limit the owner names. Going over the limit is remembered, not
 * fatal: append as often as you like and look once, at the end.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf {
	char *data; /* owned; data[size] is always 0 once anything was added */
	size_t size;
	size_t limit; /* set by the owner; SIZE_MAX where the program itself bounds the text */
	size_t room;  /* private: bytes allocated */
	bool overflowed;
};

#define AUTO_BUF __attribute__((cleanup(buf_done)))

void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory and the limit */
void buf_add(struct buf *b, const void *data, size_t size);
void buf_add_str(struct buf *b, const char *text);
void buf_add_byte(struct buf *b, unsigned char byte);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Room for "size" more bytes at data + size, to be followed by buf_commit(); NULL (and
 * overflowed) if that goes over the limit. */
MUST_USE void *buf_reserve(struct buf *b, size_t size);
void buf_commit(struct buf *b, size_t size);

/* Drops the first "size" bytes. */
void buf_drop(struct buf *b, size_t size);

/* The text so far as an owned string ("" if nothing was added); the buffer is empty after. */
MUST_USE char *buf_take_str(struct buf *b);
