/* SPDX-License-Identifier: Apache-2.0 */
#include "text/json_out.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

/* Length of the UTF-8 sequence that starts at p, 0 if there is none. */
static size_t sequence_at(const unsigned char *p)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	return strnlen((const char *)p, len) == len && utf8_valid(p, len) ? len : 0;
}

static void add_escaped(struct buf *out, unsigned char c)
{
	static const char letters[] = "\"\\\b\f\n\r\t";
	static const char names[] = "\"\\bfnrt";
	const char *hit = strchr(letters, c);

	if (hit != NULL)
		buf_addf(out, "\\%c", names[hit - letters]);
	else if (c < 0x20 || strchr("<>&", c) != NULL)
		buf_addf(out, "\\u%04x", c);
	else
		buf_add_byte(out, c);
}

void json_add_quoted(struct buf *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	buf_add_byte(out, '"');
	while (*p != '\0') {
		size_t len = sequence_at(p);

		if (len == 0)
			buf_add_str(out, "\\ufffd");
		else if (len == 1)
			add_escaped(out, *p);
		else if (memcmp(p, "\xe2\x80\xa8", len) == 0 ||
				memcmp(p, "\xe2\x80\xa9", len) == 0)
			buf_addf(out, "\\u202%x", p[2] & 0xf);
		else
			buf_add(out, p, len);
		p += len == 0 ? 1 : len;
	}
	buf_add_byte(out, '"');
}

void json_out_init(struct json_out *o, struct buf *out, const char *indent)
{
	memset(o, 0, sizeof(*o));
	o->out = out;
	o->indent = indent;
}

static void add_line(struct json_out *o)
{
	if (o->indent == NULL)
		return;
	buf_add_byte(o->out, '\n');
	for (size_t i = 0; i < o->depth; i++)
		buf_add_str(o->out, o->indent);
}

/* Whatever must stand before the next item of the innermost level. */
static void before_item(struct json_out *o)
{
	if (o->after_key) {
		o->after_key = false;
		return;
	}
	if (o->depth == 0)
		return;
	if (o->has_items[o->depth - 1])
		buf_add_byte(o->out, ',');
	o->has_items[o->depth - 1] = true;
	add_line(o);
}

static void before_value(struct json_out *o)
{
	assert(o->depth == 0 || !o->is_object[o->depth - 1] || o->after_key);
	before_item(o);
}

static void open_level(struct json_out *o, bool is_object)
{
	before_value(o);
	assert(o->depth < JSON_OUT_DEPTH);
	o->has_items[o->depth] = false;
	o->is_object[o->depth++] = is_object;
	buf_add_byte(o->out, is_object ? '{' : '[');
}

void json_out_object(struct json_out *o)
{
	open_level(o, true);
}

void json_out_array(struct json_out *o)
{
	open_level(o, false);
}

void json_out_end(struct json_out *o)
{
	assert(o->depth > 0 && !o->after_key);
	o->depth--;
	if (o->has_items[o->depth])
		add_line(o);
	buf_add_byte(o->out, o->is_object[o->depth] ? '}' : ']');
}

void json_out_key(struct json_out *o, const char *key)
{
	assert(o->depth > 0 && o->is_object[o->depth - 1] && !o->after_key);
	before_item(o);
	json_add_quoted(o->out, key);
	buf_add_str(o->out, o->indent == NULL ? ":" : ": ");
	o->after_key = true;
}

void json_out_text(struct json_out *o, const char *text)
{
	if (text == NULL) {
		json_out_null(o);
		return;
	}
	before_value(o);
	json_add_quoted(o->out, text);
}

void json_out_i64(struct json_out *o, int64_t n)
{
	before_value(o);
	buf_addf(o->out, "%lld", (long long)n);
}

void json_out_u64(struct json_out *o, uint64_t n)
{
	before_value(o);
	buf_addf(o->out, "%llu", (unsigned long long)n);
}

void json_out_bool(struct json_out *o, bool b)
{
	before_value(o);
	buf_add_str(o->out, b ? "true" : "false");
}

void json_out_null(struct json_out *o)
{
	before_value(o);
	buf_add_str(o->out, "null");
}

void json_out_raw(struct json_out *o, const char *json, size_t size)
{
	before_value(o);
	buf_add(o->out, json, size);
}

void json_out_member(struct json_out *o, const char *key, const char *text)
{
	json_out_key(o, key);
	json_out_text(o, text);
}

void json_out_member_if(struct json_out *o, const char *key, const char *text)
{
	if (!str_is_empty(text))
		json_out_member(o, key, text);
}

void json_out_strv(struct json_out *o, char *const *v)
{
	json_out_array(o);
	for (; v != NULL && *v != NULL; v++)
		json_out_text(o, *v);
	json_out_end(o);
}
