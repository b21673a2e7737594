/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns as Go's text/tabwriter makes them. A cell is text ended by a tab; what follows the
 * last tab of a line is no cell. A column is a run of lines that all have a cell there, and is
 * as wide as the widest of them plus the padding.
 */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

struct tabwriter {
	size_t min_width, tab_width, padding;
	char pad; /* ' ', or '\t': widths are then multiples of tab_width */
	struct buf text;
};

#define AUTO_TABWRITER __attribute__((cleanup(tabwriter_done)))

/* Widths in characters; "tab_width" counts only if the pad is a tab. */
void tabwriter_init(struct tabwriter *t, size_t min_width, size_t tab_width, size_t padding,
		char pad);
void tabwriter_done(struct tabwriter *t);
/* Copied: cells and ends of lines as they come, in pieces of any size. */
void tabwriter_add(struct tabwriter *t, const char *text);
void tabwriter_addf(struct tabwriter *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Appends everything so far, aligned, to "out" and starts over. */
void tabwriter_flush(struct tabwriter *t, struct buf *out);

/* Characters in UTF-8 text. */
size_t tabwriter_width(const char *text, size_t size);
