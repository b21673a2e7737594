/* SPDX-License-Identifier: Apache-2.0 */
#include "text/toml.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct toml_item {
	char *key; /* NULL in arrays */
	struct toml_value *value;
};

struct toml_value {
	enum toml_kind kind;
	uint32_t line, column;
	const char *file;
	union {
		char *text;
		int64_t integer;
		double real;
		bool flag;
		struct {
			struct toml_item *items;
			uint32_t *by_key; /* indices of items in byte order; tables only */
			uint32_t count, room;
		} list;
	} u;
};

static struct toml_value *new_value(enum toml_kind kind)
{
	struct toml_value *v = xzalloc(sizeof(*v));

	v->kind = kind;
	return v;
}

struct toml_value *toml_new_table(void)
{
	return new_value(TOML_TABLE);
}

struct toml_value *toml_new_array(void)
{
	return new_value(TOML_ARRAY);
}

struct toml_value *toml_new_text(const char *text)
{
	struct toml_value *v = new_value(TOML_TEXT);

	v->u.text = xstrdup(text);
	return v;
}

struct toml_value *toml_new_time(const char *text)
{
	struct toml_value *v = new_value(TOML_TIME);

	v->u.text = xstrdup(text);
	return v;
}

struct toml_value *toml_new_int(int64_t n)
{
	struct toml_value *v = new_value(TOML_INT);

	v->u.integer = n;
	return v;
}

struct toml_value *toml_new_float(double n)
{
	struct toml_value *v = new_value(TOML_FLOAT);

	v->u.real = n;
	return v;
}

struct toml_value *toml_new_bool(bool b)
{
	struct toml_value *v = new_value(TOML_BOOL);

	v->u.flag = b;
	return v;
}

static bool is_list(const struct toml_value *v)
{
	return v != NULL && (v->kind == TOML_TABLE || v->kind == TOML_ARRAY);
}

void toml_free(struct toml_value *v)
{
	if (v == NULL)
		return;
	if (is_list(v)) {
		for (uint32_t i = 0; i < v->u.list.count; i++) {
			free(v->u.list.items[i].key);
			toml_free(v->u.list.items[i].value);
		}
		free(v->u.list.items);
		free(v->u.list.by_key);
	} else if (v->kind == TOML_TEXT || v->kind == TOML_TIME) {
		free(v->u.text);
	}
	free(v);
}

struct toml_value *toml_copy(const struct toml_value *v)
{
	struct toml_value *copy = new_value(v->kind);

	if (is_list(v)) {
		for (uint32_t i = 0; i < v->u.list.count; i++) {
			struct toml_value *item = toml_copy(v->u.list.items[i].value);

			if (v->kind == TOML_TABLE)
				toml_put(copy, v->u.list.items[i].key, item);
			else
				toml_append(copy, item);
		}
	} else if (v->kind == TOML_TEXT || v->kind == TOML_TIME) {
		copy->u.text = xstrdup(v->u.text);
	} else {
		copy->u = v->u;
	}
	toml_set_place(copy, v->file, v->line, v->column);
	return copy;
}

void toml_set_place(struct toml_value *v, const char *file, uint32_t line, uint32_t column)
{
	v->file = file;
	v->line = line;
	v->column = column;
}

const char *toml_file(const struct toml_value *v)
{
	return v->file;
}

uint32_t toml_line(const struct toml_value *v)
{
	return v->line;
}

uint32_t toml_column(const struct toml_value *v)
{
	return v->column;
}

enum toml_kind toml_kind(const struct toml_value *v)
{
	return v->kind;
}

bool toml_is(const struct toml_value *v, enum toml_kind kind)
{
	return v != NULL && v->kind == kind;
}

const char *toml_kind_name(enum toml_kind kind)
{
	static const char *const names[] = {
		[TOML_TABLE] = "a table",
		[TOML_ARRAY] = "an array",
		[TOML_TEXT] = "a string",
		[TOML_INT] = "an integer",
		[TOML_FLOAT] = "a float",
		[TOML_BOOL] = "a boolean",
		[TOML_TIME] = "a date or time",
	};

	return names[kind];
}

const char *toml_text(const struct toml_value *v)
{
	assert(v->kind == TOML_TEXT || v->kind == TOML_TIME);
	return v->u.text;
}

int64_t toml_int(const struct toml_value *v)
{
	assert(v->kind == TOML_INT);
	return v->u.integer;
}

double toml_float(const struct toml_value *v)
{
	assert(v->kind == TOML_FLOAT || v->kind == TOML_INT);
	return v->kind == TOML_INT ? (double)v->u.integer : v->u.real;
}

bool toml_bool(const struct toml_value *v)
{
	assert(v->kind == TOML_BOOL);
	return v->u.flag;
}

size_t toml_count(const struct toml_value *v)
{
	return is_list(v) ? v->u.list.count : 0;
}

struct toml_value *toml_at(const struct toml_value *v, size_t i)
{
	assert(i < toml_count(v));
	return v->u.list.items[i].value;
}

const char *toml_key_at(const struct toml_value *table, size_t i)
{
	assert(table->kind == TOML_TABLE && i < table->u.list.count);
	return table->u.list.items[i].key;
}

/* Where in by_key the key stands, or would have to be put. */
static uint32_t rank_of(const struct toml_value *table, const char *key, bool *ret_found)
{
	uint32_t low = 0, high = table->u.list.count;

	*ret_found = false;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = strcmp(table->u.list.items[table->u.list.by_key[mid]].key, key);

		if (order == 0) {
			*ret_found = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct toml_value *toml_find(const struct toml_value *table, const char *key)
{
	bool found = false;
	uint32_t rank;

	if (!toml_is(table, TOML_TABLE))
		return NULL;
	rank = rank_of(table, key, &found);
	return found ? table->u.list.items[table->u.list.by_key[rank]].value : NULL;
}

static struct toml_item *grow(struct toml_value *v)
{
	if (v->u.list.count == v->u.list.room) {
		v->u.list.room = v->u.list.room == 0 ? 4 : v->u.list.room * 2;
		v->u.list.items = xreallocarray(
				v->u.list.items, v->u.list.room, sizeof(*v->u.list.items));
		if (v->kind == TOML_TABLE)
			v->u.list.by_key = xreallocarray(v->u.list.by_key, v->u.list.room,
					sizeof(*v->u.list.by_key));
	}
	return &v->u.list.items[v->u.list.count++];
}

void toml_put(struct toml_value *table, const char *key, struct toml_value *own_value)
{
	bool found = false;
	uint32_t rank;

	assert(table->kind == TOML_TABLE);
	rank = rank_of(table, key, &found);
	if (found) {
		struct toml_item *item = &table->u.list.items[table->u.list.by_key[rank]];

		toml_free(item->value);
		item->value = own_value;
		return;
	}
	*grow(table) = (struct toml_item){ xstrdup(key), own_value };
	memmove(table->u.list.by_key + rank + 1, table->u.list.by_key + rank,
			(table->u.list.count - 1 - rank) * sizeof(*table->u.list.by_key));
	table->u.list.by_key[rank] = table->u.list.count - 1;
}

struct toml_value *toml_take(struct toml_value *table, const char *key)
{
	bool found = false;
	uint32_t rank, at;
	struct toml_value *value;

	if (!toml_is(table, TOML_TABLE))
		return NULL;
	rank = rank_of(table, key, &found);
	if (!found)
		return NULL;
	at = table->u.list.by_key[rank];
	value = table->u.list.items[at].value;
	free(table->u.list.items[at].key);
	table->u.list.count--;
	memmove(table->u.list.items + at, table->u.list.items + at + 1,
			(table->u.list.count - at) * sizeof(*table->u.list.items));
	memmove(table->u.list.by_key + rank, table->u.list.by_key + rank + 1,
			(table->u.list.count - rank) * sizeof(*table->u.list.by_key));
	for (uint32_t i = 0; i < table->u.list.count; i++)
		table->u.list.by_key[i] -= table->u.list.by_key[i] > at;
	return value;
}

void toml_remove(struct toml_value *table, const char *key)
{
	toml_free(toml_take(table, key));
}

void toml_append(struct toml_value *array, struct toml_value *own_value)
{
	assert(array->kind == TOML_ARRAY);
	*grow(array) = (struct toml_item){ NULL, own_value };
}

struct toml_value *toml_need_table(struct toml_value *table, const char *key)
{
	struct toml_value *inner = toml_find(table, key);

	if (inner == NULL) {
		inner = toml_new_table();
		toml_put(table, key, inner);
	}
	return inner->kind == TOML_TABLE ? inner : NULL;
}

struct toml_value *toml_dig(const struct toml_value *v, ...)
{
	struct toml_value *at = (struct toml_value *)(uintptr_t)v;
	const char *key;
	va_list keys;

	va_start(keys, v);
	while (at != NULL && (key = va_arg(keys, const char *)) != NULL)
		at = toml_find(at, key);
	va_end(keys);
	return at;
}

void toml_merge(struct toml_value *into, const struct toml_value *from)
{
	for (size_t i = 0; i < toml_count(from); i++) {
		struct toml_value *there = toml_find(into, toml_key_at(from, i));
		const struct toml_value *value = toml_at(from, i);

		if (toml_is(there, TOML_TABLE) && value->kind == TOML_TABLE)
			toml_merge(there, value);
		else
			toml_put(into, toml_key_at(from, i), toml_copy(value));
	}
}

static bool lists_equal(const struct toml_value *a, const struct toml_value *b)
{
	if (a->u.list.count != b->u.list.count)
		return false;
	for (uint32_t i = 0; i < a->u.list.count; i++) {
		const struct toml_value *other =
				a->kind == TOML_ARRAY ? b->u.list.items[i].value
						      : toml_find(b, a->u.list.items[i].key);

		if (other == NULL || !toml_equal(a->u.list.items[i].value, other))
			return false;
	}
	return true;
}

bool toml_equal(const struct toml_value *a, const struct toml_value *b)
{
	if (a == NULL || b == NULL || a->kind != b->kind)
		return a == b;
	switch (a->kind) {
	case TOML_TABLE:
	case TOML_ARRAY:
		return lists_equal(a, b);
	case TOML_TEXT:
	case TOML_TIME:
		return str_eq(a->u.text, b->u.text);
	case TOML_INT:
		return a->u.integer == b->u.integer;
	case TOML_FLOAT:
		return memcmp(&a->u.real, &b->u.real, sizeof(a->u.real)) == 0;
	case TOML_BOOL:
		return a->u.flag == b->u.flag;
	}
	return false;
}

char **toml_strv(const struct toml_value *array)
{
	char **v = NULL;

	for (size_t i = 0; i < toml_count(array); i++)
		if (toml_at(array, i)->kind == TOML_TEXT)
			strv_add(&v, toml_text(toml_at(array, i)));
	return v;
}

struct toml_value *toml_new_strv(char *const *v)
{
	struct toml_value *array = toml_new_array();

	for (; v != NULL && *v != NULL; v++)
		toml_append(array, toml_new_text(*v));
	return array;
}
