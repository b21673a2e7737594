/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jnode.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "text/json_out.h"
#include "text/json_scan.h"

struct jmember {
	char *key; /* NULL in an array */
	struct jnode *value;
};

struct jnode {
	enum json_kind kind;
	bool truth;
	char *text; /* of a string, decoded; of a number, as written */
	struct jmember *items;
	size_t count, room;
};

static struct jnode *node_new(enum json_kind kind)
{
	struct jnode *n = xzalloc(sizeof(*n));

	n->kind = kind;
	return n;
}

void jnode_free(struct jnode *n)
{
	if (n == NULL)
		return;
	for (size_t i = 0; i < n->count; i++) {
		free(n->items[i].key);
		jnode_free(n->items[i].value);
	}
	free(n->items);
	free(n->text);
	free(n);
}

static void node_add(struct jnode *n, size_t at, char *own_key, struct jnode *own_value)
{
	if (n->count == n->room) {
		n->room = n->room == 0 ? 4 : n->room * 2;
		n->items = xreallocarray(n->items, n->room, sizeof(*n->items));
	}
	memmove(n->items + at + 1, n->items + at, (n->count - at) * sizeof(*n->items));
	n->items[at] = (struct jmember){ own_key, own_value };
	n->count++;
}

/* --- reading ------------------------------------------------------------------------------ */

static int hex4(const char *p)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value * 16 + ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return value;
}

static void add_rune(struct buf *b, uint32_t rune)
{
	if (rune < 0x80) {
		buf_add_byte(b, (unsigned char)rune);
		return;
	}
	if (rune < 0x800) {
		buf_add_byte(b, (unsigned char)(0xc0 | rune >> 6));
	} else {
		if (rune < 0x10000) {
			buf_add_byte(b, (unsigned char)(0xe0 | rune >> 12));
		} else {
			buf_add_byte(b, (unsigned char)(0xf0 | rune >> 18));
			buf_add_byte(b, (unsigned char)(0x80 | (rune >> 12 & 0x3f)));
		}
		buf_add_byte(b, (unsigned char)(0x80 | (rune >> 6 & 0x3f)));
	}
	buf_add_byte(b, (unsigned char)(0x80 | (rune & 0x3f)));
}

/* p stands behind "\u". Lone surrogates become U+FFFD, as in Go. Returns bytes used, 0 if bad.
 */
static size_t add_unicode_escape(struct buf *b, const char *p, size_t left)
{
	int high = left < 4 ? -1 : hex4(p);
	int low = -1;

	if (high <= 0)
		return 0;
	if (high < 0xd800 || high > 0xdfff) {
		add_rune(b, (uint32_t)high);
		return 4;
	}
	if (high < 0xdc00 && left >= 10 && p[4] == '\\' && p[5] == 'u')
		low = hex4(p + 6);
	if (low < 0xdc00 || low > 0xdfff) {
		add_rune(b, 0xfffd);
		return 4;
	}
	add_rune(b, 0x10000 + (((uint32_t)high - 0xd800) << 10) + ((uint32_t)low - 0xdc00));
	return 10;
}

/* What stands between the quotes, decoded; NULL for a bad escape (or an escaped NUL). */
static char *decode_string(const char *p, size_t size)
{
	static const char plain[] = "\"\\/bfnrt";
	static const char meant[] = "\"\\/\b\f\n\r\t";
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };

	for (size_t i = 0; i < size; i++) {
		const char *which;
		size_t used;

		if (p[i] != '\\') {
			buf_add_byte(&out, (unsigned char)p[i]);
			continue;
		}
		if (++i == size)
			return NULL;
		if (p[i] == 'u') {
			used = add_unicode_escape(&out, p + i + 1, size - i - 1);
			if (used == 0)
				return NULL;
			i += used;
			continue;
		}
		which = memchr(plain, p[i], sizeof(plain) - 1);
		if (which == NULL)
			return NULL;
		buf_add_byte(&out, (unsigned char)meant[which - plain]);
	}
	return buf_take_str(&out);
}

static int read_string(struct json_scan *s, char **ret_text, struct err *err)
{
	size_t from = s->at + 1;
	char *text;

	if (json_scan_string(s, err) < 0)
		return -1;
	text = decode_string(s->data + from, s->at - 1 - from);
	if (text == NULL)
		return json_scan_fail(s, err, "bad escape in string");
	*ret_text = text;
	return 0;
}

static int read_value(struct json_scan *s, size_t depth, struct jnode **ret, struct err *err);

/* Keys of a big object that is being read: without it duplicates would cost quadratic time. */
struct seen {
	struct map index; /* key to place + 1 */
	bool on;
};

#define MAX_LINEAR 64

static void seen_done(struct seen *seen)
{
	if (seen->on)
		map_done(&seen->index, NULL);
}

static void seen_start(struct seen *seen, const struct jnode *n)
{
	map_init(&seen->index);
	seen->on = true;
	for (size_t i = 0; i < n->count; i++)
		map_put(&seen->index, n->items[i].key, (void *)(uintptr_t)(i + 1));
}

/* The last of equal keys counts, at the place of the first. */
static void add_member(struct jnode *n, struct seen *seen, const char *key, struct jnode *own)
{
	uintptr_t at;

	if (!seen->on && n->count >= MAX_LINEAR)
		seen_start(seen, n);
	if (!seen->on) {
		jnode_set(n, key, own);
		return;
	}
	at = (uintptr_t)map_find(&seen->index, key);
	if (at == 0) {
		node_add(n, n->count, xstrdup(key), own);
		map_put(&seen->index, key, (void *)(uintptr_t)n->count);
		return;
	}
	jnode_free(n->items[at - 1].value);
	n->items[at - 1].value = own;
}

static int read_items(struct json_scan *s, size_t depth, struct jnode *n, struct err *err)
{
	__attribute__((cleanup(seen_done))) struct seen seen = { .on = false };
	bool is_object = n->kind == JSON_KIND_OBJECT;
	char end = is_object ? '}' : ']';

	s->at++;
	json_scan_space(s);
	if (json_scan_take(s, end))
		return 0;
	for (;;) {
		AUTO_FREE char *key = NULL;
		struct jnode *value = NULL;

		if (is_object) {
			if (read_string(s, &key, err) < 0)
				return -1;
			if (!json_scan_take(s, ':'))
				return json_scan_fail(s, err, "':' expected");
		}
		if (read_value(s, depth + 1, &value, err) < 0)
			return -1;
		if (is_object)
			add_member(n, &seen, key, value);
		else
			node_add(n, n->count, NULL, value);
		json_scan_space(s);
		if (json_scan_take(s, end))
			return 0;
		if (!json_scan_take(s, ','))
			return json_scan_fail(s, err, "',' expected");
	}
}

static int read_scalar(struct json_scan *s, struct jnode *n, struct err *err)
{
	size_t from = s->at;

	if (n->kind == JSON_KIND_TEXT)
		return read_string(s, &n->text, err);
	if (json_scan_value(s, err) < 0)
		return -1;
	n->truth = s->data[from] == 't';
	if (n->kind != JSON_KIND_INT)
		return 0;
	n->text = xstrndup(s->data + from, s->at - from);
	n->text[strcspn(n->text, " \t\r\n")] = '\0';
	if (strpbrk(n->text, ".eE") != NULL)
		n->kind = JSON_KIND_REAL;
	return 0;
}

static enum json_kind kind_at(const struct json_scan *s)
{
	switch (json_scan_peek(s)) {
	case '{':
		return JSON_KIND_OBJECT;
	case '[':
		return JSON_KIND_ARRAY;
	case '"':
		return JSON_KIND_TEXT;
	case 't':
	case 'f':
		return JSON_KIND_BOOL;
	case 'n':
		return JSON_KIND_NULL;
	default:
		return JSON_KIND_INT;
	}
}

/* Recursion is bounded: the document's depth was checked before. */
static int read_value(struct json_scan *s, size_t depth, struct jnode **ret, struct err *err)
{
	AUTO(jnode_free) struct jnode *n = node_new(kind_at(s));
	bool nested = n->kind == JSON_KIND_OBJECT || n->kind == JSON_KIND_ARRAY;

	assert(depth <= JSON_MAX_DEPTH);
	if ((nested ? read_items(s, depth, n, err) : read_scalar(s, n, err)) < 0)
		return -1;
	*ret = take_ptr(n);
	return 0;
}

int jnode_parse(const void *data, size_t size, struct jnode **ret_node, struct err *err)
{
	struct json_scan s = { .data = data, .size = size };
	AUTO(jnode_free) struct jnode *n = NULL;

	if (json_check_bounds(data, size, err) < 0)
		return -1;
	json_scan_space(&s);
	if (read_value(&s, 1, &n, err) < 0)
		return -1;
	json_scan_space(&s);
	if (s.at != s.size)
		return json_scan_fail(&s, err, "text behind the end");
	*ret_node = take_ptr(n);
	return 0;
}

/* --- making ------------------------------------------------------------------------------- */

struct jnode *jnode_copy(const struct jnode *n)
{
	struct jnode *copy;

	if (n == NULL)
		return NULL;
	copy = node_new(n->kind);
	copy->truth = n->truth;
	copy->text = xstrdup(n->text);
	for (size_t i = 0; i < n->count; i++)
		node_add(copy, i, xstrdup(n->items[i].key), jnode_copy(n->items[i].value));
	return copy;
}

struct jnode *jnode_object(void)
{
	return node_new(JSON_KIND_OBJECT);
}

struct jnode *jnode_array(void)
{
	return node_new(JSON_KIND_ARRAY);
}

struct jnode *jnode_text(const char *text)
{
	struct jnode *n = node_new(text == NULL ? JSON_KIND_NULL : JSON_KIND_TEXT);

	n->text = xstrdup(text);
	return n;
}

struct jnode *jnode_i64(int64_t number)
{
	struct jnode *n = node_new(JSON_KIND_INT);

	n->text = xasprintf("%" PRId64, number);
	return n;
}

struct jnode *jnode_u64(uint64_t number)
{
	struct jnode *n = node_new(JSON_KIND_INT);

	n->text = xasprintf("%" PRIu64, number);
	return n;
}

struct jnode *jnode_bool(bool b)
{
	struct jnode *n = node_new(JSON_KIND_BOOL);

	n->truth = b;
	return n;
}

struct jnode *jnode_strv(char *const *v)
{
	struct jnode *n = jnode_array();

	for (; v != NULL && *v != NULL; v++)
		jnode_append_str(n, *v);
	return n;
}

/* --- asking ------------------------------------------------------------------------------- */

bool jnode_is(const struct jnode *n, enum json_kind kind)
{
	return n != NULL && n->kind == kind;
}

size_t jnode_count(const struct jnode *n)
{
	return n == NULL ? 0 : n->count;
}

static size_t find_key(const struct jnode *object, const char *key)
{
	for (size_t i = 0; jnode_is(object, JSON_KIND_OBJECT) && i < object->count; i++)
		if (strcmp(object->items[i].key, key) == 0)
			return i;
	return SIZE_MAX;
}

struct jnode *jnode_get(const struct jnode *object, const char *key)
{
	size_t i = find_key(object, key);

	return i == SIZE_MAX ? NULL : object->items[i].value;
}

struct jnode *jnode_item(const struct jnode *n, size_t i)
{
	return i < jnode_count(n) ? n->items[i].value : NULL;
}

const char *jnode_key(const struct jnode *object, size_t i)
{
	return i < jnode_count(object) ? object->items[i].key : NULL;
}

const char *jnode_str(const struct jnode *n)
{
	return jnode_is(n, JSON_KIND_TEXT) ? n->text : NULL;
}

const char *jnode_get_str(const struct jnode *object, const char *key)
{
	return jnode_str(jnode_get(object, key));
}

bool jnode_get_i64(const struct jnode *object, const char *key, int64_t *ret)
{
	const struct jnode *n = jnode_get(object, key);

	return jnode_is(n, JSON_KIND_INT) && str_i64(n->text, ret);
}

bool jnode_is_true(const struct jnode *n)
{
	return jnode_is(n, JSON_KIND_BOOL) && n->truth;
}

/* --- changing ----------------------------------------------------------------------------- */

void jnode_set(struct jnode *object, const char *key, struct jnode *own_value)
{
	size_t i = find_key(object, key);

	assert(jnode_is(object, JSON_KIND_OBJECT));
	if (i == SIZE_MAX) {
		node_add(object, object->count, xstrdup(key), own_value);
		return;
	}
	jnode_free(object->items[i].value);
	object->items[i].value = own_value;
}

void jnode_set_str(struct jnode *object, const char *key, const char *text)
{
	jnode_set(object, key, jnode_text(text));
}

void jnode_remove_at(struct jnode *n, size_t i)
{
	assert(i < n->count);
	free(n->items[i].key);
	jnode_free(n->items[i].value);
	n->count--;
	memmove(n->items + i, n->items + i + 1, (n->count - i) * sizeof(*n->items));
}

void jnode_remove(struct jnode *object, const char *key)
{
	size_t i = find_key(object, key);

	if (i != SIZE_MAX)
		jnode_remove_at(object, i);
}

void jnode_insert(struct jnode *array, size_t at, struct jnode *own_item)
{
	assert(jnode_is(array, JSON_KIND_ARRAY) && at <= array->count);
	node_add(array, at, NULL, own_item);
}

void jnode_append(struct jnode *array, struct jnode *own_item)
{
	jnode_insert(array, array->count, own_item);
}

void jnode_append_str(struct jnode *array, const char *text)
{
	jnode_append(array, jnode_text(text));
}

static struct jnode *need(struct jnode *object, const char *key, enum json_kind kind)
{
	struct jnode *n = jnode_get(object, key);

	if (jnode_is(n, kind))
		return n;
	n = node_new(kind);
	jnode_set(object, key, n);
	return n;
}

struct jnode *jnode_need_object(struct jnode *object, const char *key)
{
	return need(object, key, JSON_KIND_OBJECT);
}

struct jnode *jnode_need_array(struct jnode *object, const char *key)
{
	return need(object, key, JSON_KIND_ARRAY);
}

struct sort_entry {
	struct jmember member;
	size_t at;
	const struct sort_rule {
		int (*compare)(const char *a, const char *b, const void *arg);
		const void *arg;
	} * rule;
};

static int compare_entries(const void *a, const void *b)
{
	const struct sort_entry *x = a, *y = b;
	int order = x->rule->compare(x->member.key, y->member.key, x->rule->arg);

	return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

void jnode_sort_members(struct jnode *object,
		int (*compare)(const char *a, const char *b, const void *arg), const void *arg)
{
	struct sort_rule rule = { compare, arg };
	AUTO_FREE struct sort_entry *entries = xcalloc(object->count + 1, sizeof(*entries));

	for (size_t i = 0; i < object->count; i++)
		entries[i] = (struct sort_entry){ object->items[i], i, &rule };
	qsort(entries, object->count, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < object->count; i++)
		object->items[i] = entries[i].member;
}

/* --- writing ------------------------------------------------------------------------------ */

void jnode_write(const struct jnode *n, struct json_out *out)
{
	switch (n->kind) {
	case JSON_KIND_NULL:
		json_out_null(out);
		return;
	case JSON_KIND_BOOL:
		json_out_bool(out, n->truth);
		return;
	case JSON_KIND_TEXT:
		json_out_text(out, n->text);
		return;
	case JSON_KIND_INT:
	case JSON_KIND_REAL:
		json_out_raw(out, n->text, strlen(n->text));
		return;
	case JSON_KIND_ARRAY:
		json_out_array(out);
		break;
	case JSON_KIND_OBJECT:
		json_out_object(out);
		break;
	}
	for (size_t i = 0; i < n->count; i++) {
		if (n->kind == JSON_KIND_OBJECT)
			json_out_key(out, n->items[i].key);
		jnode_write(n->items[i].value, out);
	}
	json_out_end(out);
}

char *jnode_to_text(const struct jnode *n, const char *indent)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	struct json_out out;

	json_out_init(&out, &b, indent);
	jnode_write(n, &out);
	return buf_take_str(&b);
}
