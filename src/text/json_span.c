/* SPDX-License-Identifier: Apache-2.0 */
#include "text/json_span.h"

#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "text/json.h"
#include "text/json_out.h"
#include "text/json_scan.h"

/* Where the search for a path ended. */
struct place {
	size_t found;	   /* keys of the path that exist */
	size_t start, end; /* the value of the last of them (the whole document for none) */
	bool has_members;  /* that value is an object with something in it */
};

static int check_size(size_t size, struct err *err)
{
	if (size <= JSON_MAX_BYTES)
		return 0;
	return err_set(err, ERR_EXHAUSTED, "JSON of %zu bytes is over the limit of %d", size,
			JSON_MAX_BYTES);
}

/* Keys with escapes are rare: only those are decoded, by the real parser. */
static bool key_is(const char *quoted, size_t size, const char *key)
{
	AUTO(json_free) struct json *j = NULL;
	AUTO_ERR struct err e = { 0 };

	if (memchr(quoted, '\\', size) == NULL)
		return size == strlen(key) + 2 && memcmp(quoted + 1, key, size - 2) == 0;
	if (json_parse(quoted, size, &j, &e) < 0)
		return false;
	return str_eq(json_text(j), key);
}

/* Looks for "key" in the object at s, which is walked to its end. */
static int find_member(struct json_scan *s, const char *key, struct place *p, bool *ret_found,
		struct err *err)
{
	if (!json_scan_take(s, '{'))
		return json_scan_fail(s, err, "object expected");
	p->has_members = false;
	if (json_scan_take(s, '}'))
		return 0;
	do {
		size_t from = s->at;
		bool hit;

		if (json_scan_string(s, err) < 0)
			return -1;
		hit = key_is(s->data + from, s->at - from, key);
		if (!json_scan_take(s, ':'))
			return json_scan_fail(s, err, "':' expected");
		from = s->at;
		if (json_scan_value(s, err) < 0)
			return -1;
		p->has_members = true;
		if (!hit)
			continue;
		p->start = from;
		p->end = s->at;
		*ret_found = true;
	} while (json_scan_take(s, ','));
	return json_scan_take(s, '}') ? 0 : json_scan_fail(s, err, "',' or '}' expected");
}

static int find_place(const char *data, size_t size, const char *const *path, struct place *p,
		struct err *err)
{
	struct json_scan s = { .data = data, .size = size };

	if (check_size(size, err) < 0)
		return -1;
	json_scan_space(&s);
	p->start = s.at;
	if (json_scan_value(&s, err) < 0)
		return -1;
	p->end = s.at;
	json_scan_space(&s);
	if (s.at != size)
		return json_scan_fail(&s, err, "end of document expected");
	for (; path[p->found] != NULL; p->found++) {
		bool found = false;

		s.at = p->start;
		s.size = p->end;
		s.values = 0;
		if (data[s.at] != '{')
			return 0;
		if (find_member(&s, path[p->found], p, &found, err) < 0)
			return -1;
		if (!found)
			return 0;
	}
	return 0;
}

int json_span_find(const void *data, size_t size, const char *const *path,
		struct json_span *ret_span, struct err *err)
{
	struct place p = { 0 };

	if (find_place(data, size, path, &p, err) < 0)
		return -1;
	if (path[p.found] != NULL)
		return 0;
	ret_span->data = (const char *)data + p.start;
	ret_span->size = p.end - p.start;
	return 1;
}

/* "a":{"b":<json>} for the keys that are missing. */
static void add_wrapped(struct buf *out, const char *const *keys, const char *json)
{
	size_t depth = 0;

	for (; keys[depth] != NULL; depth++) {
		buf_add_str(out, depth > 0 ? "{" : "");
		json_add_quoted(out, keys[depth]);
		buf_add_str(out, ":");
	}
	buf_add_str(out, json);
	for (; depth > 1; depth--)
		buf_add_str(out, "}");
}

int json_span_set(const void *data, size_t size, const char *const *path, const char *json,
		struct buf *out, struct err *err)
{
	const char *text = data;
	struct place p = { 0 };
	size_t cut;

	if (find_place(text, size, path, &p, err) < 0)
		return -1;
	if (path[p.found] == NULL) {
		buf_add(out, text, p.start);
		buf_add_str(out, json);
		buf_add(out, text + p.end, size - p.end);
	} else {
		if (text[p.start] != '{')
			return err_set(err, ERR_INVALID, "JSON: parent of %s is not an object",
					path[p.found]);
		cut = p.end - 1;
		while (strchr(" \t\r\n", text[cut - 1]) != NULL)
			cut--;
		buf_add(out, text, cut);
		buf_add_str(out, p.has_members ? "," : "");
		add_wrapped(out, path + p.found, json);
		buf_add(out, text + cut, size - cut);
	}
	if (out->overflowed)
		return err_set(err, ERR_EXHAUSTED, "JSON grows over %zu bytes", out->limit);
	return 0;
}

int json_span_next(const struct json_span *array, size_t *at, struct json_span *ret_item,
		struct err *err)
{
	struct json_scan s = { .data = array->data, .size = array->size, .at = *at };
	bool is_object = array->size > 0 && array->data[0] == '{';
	char end = is_object ? '}' : ']';
	size_t from;

	if (*at == 0) {
		if (!json_scan_take(&s, is_object ? '{' : '['))
			return json_scan_fail(&s, err, "array expected");
		if (json_scan_peek(&s) == end)
			return 0;
	} else if (!json_scan_take(&s, ',')) {
		return json_scan_take(&s, end) ? 0 : json_scan_fail(&s, err, "',' expected");
	}
	if (is_object && (json_scan_string(&s, err) < 0 || !json_scan_take(&s, ':')))
		return err->kind == ERR_NONE ? json_scan_fail(&s, err, "':' expected") : -1;
	from = s.at;
	if (json_scan_value(&s, err) < 0)
		return -1;
	*at = s.at;
	ret_item->data = array->data + from;
	ret_item->size = s.at - from;
	return 1;
}
