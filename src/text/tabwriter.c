/* SPDX-License-Identifier: Apache-2.0 */
#include "text/tabwriter.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"

/* Deeper columns are left unaligned; no table of ours comes near. */
#define MAX_COLUMNS 64

struct cell {
	const char *text;
	size_t size, width;
};

struct line {
	struct cell *cells; /* the last one has no tab behind it */
	size_t count;
};

struct layout {
	const struct tabwriter *t;
	struct line *lines;
	size_t count;
	size_t widths[MAX_COLUMNS];
	size_t columns;
	struct buf *out;
};

void tabwriter_init(struct tabwriter *t, size_t min_width, size_t tab_width, size_t padding,
		char pad)
{
	*t = (struct tabwriter){ min_width, tab_width, padding, pad, { .limit = SIZE_MAX } };
}

void tabwriter_done(struct tabwriter *t)
{
	buf_done(&t->text);
}

void tabwriter_add(struct tabwriter *t, const char *text)
{
	buf_add_str(&t->text, text);
}

void tabwriter_addf(struct tabwriter *t, const char *fmt, ...)
{
	AUTO_FREE char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	buf_add_str(&t->text, text);
}

size_t tabwriter_width(const char *text, size_t size)
{
	size_t width = 0;

	for (size_t i = 0; i < size; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

static size_t count_byte(const char *text, size_t size, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += text[i] == c;
	return n;
}

static void split_cells(struct line *line, const char *text, size_t size)
{
	const char *end = text + size;

	line->cells = xcalloc(count_byte(text, size, '\t') + 1, sizeof(*line->cells));
	line->count = 0;
	for (;;) {
		const char *tab = memchr(text, '\t', (size_t)(end - text));
		size_t n = (size_t)((tab == NULL ? end : tab) - text);

		line->cells[line->count++] = (struct cell){ text, n, tabwriter_width(text, n) };
		if (tab == NULL)
			return;
		text = tab + 1;
	}
}

static void split_lines(struct layout *l, const char *text, size_t size)
{
	const char *end = text + size;

	l->lines = xcalloc(count_byte(text, size, '\n') + 1, sizeof(*l->lines));
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((stop == NULL ? end : stop) - text);

		split_cells(&l->lines[l->count++], text, n);
		text += n + 1;
	}
}

static void add_padding(struct layout *l, size_t text_width, size_t cell_width)
{
	size_t tab = l->t->tab_width;
	size_t n = cell_width - text_width;

	if (l->t->pad == '\t') {
		if (tab == 0)
			return;
		cell_width = (cell_width + tab - 1) / tab * tab;
		n = (cell_width - text_width + tab - 1) / tab;
	}
	while (n-- > 0)
		buf_add_byte(l->out, (unsigned char)l->t->pad);
}

static void write_lines(struct layout *l, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct line *line = &l->lines[i];

		for (size_t j = 0; j < line->count; j++) {
			buf_add(l->out, line->cells[j].text, line->cells[j].size);
			if (j < l->columns)
				add_padding(l, line->cells[j].width, l->widths[j]);
		}
		buf_add_byte(l->out, '\n');
	}
}

static bool has_column(const struct layout *l, size_t line)
{
	return l->columns + 1 < l->lines[line].count && l->columns < MAX_COLUMNS;
}

/* Lays out lines from..to whose columns left of l->columns have their widths. */
static void layout_lines(struct layout *l, size_t from, size_t to)
{
	for (size_t at = from; at < to; at++) {
		size_t width = l->t->min_width;

		if (!has_column(l, at))
			continue;
		write_lines(l, from, at);
		from = at;
		for (; at < to && has_column(l, at); at++) {
			size_t w = l->lines[at].cells[l->columns].width + l->t->padding;

			width = w > width ? w : width;
		}
		l->widths[l->columns++] = width;
		layout_lines(l, from, at);
		l->columns--;
		from = at;
	}
	write_lines(l, from, to);
}

void tabwriter_flush(struct tabwriter *t, struct buf *out)
{
	struct layout l = { .t = t, .out = out };

	if (t->text.size > 0) {
		split_lines(&l, t->text.data, t->text.size);
		layout_lines(&l, 0, l.count);
		if (t->text.data[t->text.size - 1] != '\n')
			out->data[--out->size] = '\0';
	}
	for (size_t i = 0; i < l.count; i++)
		free(l.lines[i].cells);
	free(l.lines);
	buf_clear(&t->text);
}
