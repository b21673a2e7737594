/* SPDX-License-Identifier: Apache-2.0 */
#include "text/json.h"

#include <jansson.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "text/json_scan.h"

static json_t *inner(const struct json *j)
{
	return (json_t *)(uintptr_t)j;
}

static struct json *outer(json_t *j)
{
	return (struct json *)j;
}

int json_parse(const void *data, size_t size, struct json **ret_json, struct err *err)
{
	json_error_t fault;
	json_t *root;

	/* Jansson spends up to 90 bytes per byte of input and recurses: look before it leaps.
	 */
	if (json_check_bounds(data, size, err) < 0)
		return -1;
	root = json_loadb(data, size, JSON_DECODE_ANY, &fault);
	if (root == NULL)
		return err_set(err, ERR_INVALID, "JSON line %d column %d: %s", fault.line,
				fault.column, fault.text);
	*ret_json = outer(root);
	return 0;
}

void json_free(struct json *j)
{
	json_decref(inner(j));
}

enum json_kind json_kind(const struct json *j)
{
	if (j == NULL)
		return JSON_KIND_NULL;
	switch (json_typeof(inner(j))) {
	case JSON_OBJECT:
		return JSON_KIND_OBJECT;
	case JSON_ARRAY:
		return JSON_KIND_ARRAY;
	case JSON_STRING:
		return JSON_KIND_TEXT;
	case JSON_INTEGER:
		return JSON_KIND_INT;
	case JSON_REAL:
		return JSON_KIND_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return JSON_KIND_BOOL;
	case JSON_NULL:
		break;
	}
	return JSON_KIND_NULL;
}

bool json_is(const struct json *j, enum json_kind kind)
{
	return j != NULL && json_kind(j) == kind;
}

const struct json *json_get(const struct json *object, const char *key)
{
	return outer(json_object_get(inner(object), key));
}

size_t json_count(const struct json *j)
{
	return json_is(j, JSON_KIND_OBJECT) ? json_object_size(inner(j))
					    : json_array_size(inner(j));
}

const struct json *json_item(const struct json *array, size_t i)
{
	return outer(json_array_get(inner(array), i));
}

bool json_next(const struct json *object, struct json_member *m)
{
	json_t *o = inner(object);

	m->at = m->at == NULL ? json_object_iter(o) : json_object_iter_next(o, m->at);
	if (m->at == NULL)
		return false;
	m->key = json_object_iter_key(m->at);
	m->value = outer(json_object_iter_value(m->at));
	return true;
}

const char *json_text(const struct json *j)
{
	return json_string_value(inner(j));
}

bool json_i64(const struct json *j, int64_t *ret)
{
	if (!json_is(j, JSON_KIND_INT))
		return false;
	*ret = json_integer_value(inner(j));
	return true;
}

bool json_u32(const struct json *j, uint32_t *ret)
{
	int64_t n = 0;

	if (!json_i64(j, &n) || n < 0 || n > UINT32_MAX)
		return false;
	*ret = (uint32_t)n;
	return true;
}

bool json_bool(const struct json *j)
{
	return json_is_true(inner(j));
}

const char *json_get_text(const struct json *object, const char *key)
{
	return json_text(json_get(object, key));
}

char **json_strv(const struct json *array)
{
	char **v = NULL;

	for (size_t i = 0; i < json_count(array); i++) {
		const char *text = json_text(json_item(array, i));

		if (text != NULL)
			strv_add(&v, text);
	}
	return v;
}
