/* SPDX-License-Identifier: Apache-2.0 */
#include "text/yaml_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define MAX_MEMBERS 4096

struct reader {
	yaml_parser_t parser;
	size_t depth, values;
};

#define AUTO_EVENT __attribute__((cleanup(yaml_event_delete)))

static int bad(const struct reader *r, struct err *err, const char *why)
{
	return err_set(err, ERR_INVALID, "yaml: line %zu: %s", r->parser.mark.line + 1, why);
}

static int next(struct reader *r, yaml_event_t *ret_event, struct err *err)
{
	if (yaml_parser_parse(&r->parser, ret_event) == 0)
		return err_set(err, ERR_INVALID, "yaml: line %zu: %s",
				r->parser.problem_mark.line + 1,
				r->parser.problem == NULL ? "no YAML" : r->parser.problem);
	return 0;
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* Digits of the base, and at least one. */
static bool are_digits(const char *text, const char *digits)
{
	return text[0] != '\0' && strspn(text, digits) == strlen(text);
}

static struct jnode *integer(const char *text)
{
	const char *digits = text[0] == '-' || text[0] == '+' ? text + 1 : text;
	unsigned long long n;
	int base = 10;

	if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') &&
			are_digits(digits + 2, "0123456789abcdefABCDEF"))
		base = 16;
	else if (digits[0] == '0' && digits[1] == 'o' && are_digits(digits + 2, "01234567"))
		digits += 2, base = 8;
	else if (digits[0] == '0' && are_digits(digits, "01234567"))
		base = 8;
	else if (!are_digits(digits, "0123456789"))
		return NULL;
	errno = 0;
	n = strtoull(digits, NULL, base);
	if (errno != 0 || (text[0] == '-' && n > (unsigned long long)INT64_MAX))
		return NULL;
	return text[0] == '-' ? jnode_i64(-(int64_t)n) : jnode_u64(n);
}

/* JSON's own spelling is the only one of reals that our readers need. */
static struct jnode *real(const char *text)
{
	AUTO_ERR struct err ignored = { 0 };
	struct jnode *n = NULL;

	if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
		return NULL;
	return jnode_parse(text, strlen(text), &n, &ignored) < 0 ? NULL : n;
}

static struct jnode *plain(const char *text)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const yes[] = { "y", "Y", "yes", "Yes", "YES", "on", "On", "ON",
		"true", "True", "TRUE", NULL };
	static const char *const no[] = { "n", "N", "no", "No", "NO", "off", "Off", "OFF",
		"false", "False", "FALSE", NULL };
	struct jnode *n;

	if (is_one_of(text, nulls))
		return jnode_text(NULL);
	if (is_one_of(text, yes) || is_one_of(text, no))
		return jnode_bool(is_one_of(text, yes));
	n = integer(text);
	if (n == NULL)
		n = real(text);
	return n == NULL ? jnode_text(text) : n;
}

static int read_scalar(struct reader *r, const yaml_event_t *e, struct jnode **ret_node,
		struct err *err)
{
	const char *text = (const char *)e->data.scalar.value;

	if (e->data.scalar.anchor != NULL || e->data.scalar.tag != NULL)
		return bad(r, err, "anchors and tags are not accepted");
	if (memchr(text, '\0', e->data.scalar.length) != NULL)
		return bad(r, err, "a text holds a NUL");
	*ret_node = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain(text)
								    : jnode_text(text);
	return 0;
}

static int read_value(struct reader *r, const yaml_event_t *e, struct jnode **ret_node,
		struct err *err);

static int read_items(struct reader *r, struct jnode *array, struct err *err)
{
	for (;;) {
		AUTO_EVENT yaml_event_t e = { 0 };
		struct jnode *item = NULL;

		if (next(r, &e, err) < 0)
			return -1;
		if (e.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (read_value(r, &e, &item, err) < 0)
			return -1;
		jnode_append(array, item);
	}
}

static int read_member(struct reader *r, const yaml_event_t *key, struct jnode *object,
		struct err *err)
{
	AUTO_EVENT yaml_event_t e = { 0 };
	struct jnode *value = NULL;
	const char *name = (const char *)key->data.scalar.value;

	if (key->type != YAML_SCALAR_EVENT || key->data.scalar.anchor != NULL ||
			strlen(name) != key->data.scalar.length)
		return bad(r, err, "a key is no text");
	if (jnode_get(object, name) != NULL)
		return bad(r, err, "a key stands twice");
	if (jnode_count(object) >= MAX_MEMBERS) /* looked through for each key */
		return err_set(err, ERR_EXHAUSTED, "yaml: too many keys in one mapping");
	if (next(r, &e, err) < 0 || read_value(r, &e, &value, err) < 0)
		return -1;
	jnode_set(object, name, value);
	return 0;
}

static int read_members(struct reader *r, struct jnode *object, struct err *err)
{
	for (;;) {
		AUTO_EVENT yaml_event_t key = { 0 };

		if (next(r, &key, err) < 0)
			return -1;
		if (key.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (read_member(r, &key, object, err) < 0)
			return -1;
	}
}

static int read_collection(struct reader *r, const yaml_event_t *e, struct jnode **ret_node,
		struct err *err)
{
	bool is_list = e->type == YAML_SEQUENCE_START_EVENT;
	const void *anchor =
			is_list ? e->data.sequence_start.anchor : e->data.mapping_start.anchor;
	const void *tag = is_list ? e->data.sequence_start.tag : e->data.mapping_start.tag;
	AUTO(jnode_free) struct jnode *n = is_list ? jnode_array() : jnode_object();
	int rc;

	if (anchor != NULL || tag != NULL)
		return bad(r, err, "anchors and tags are not accepted");
	if (++r->depth > JSON_MAX_DEPTH)
		return err_set(err, ERR_EXHAUSTED, "yaml: nested too deep");
	rc = is_list ? read_items(r, n, err) : read_members(r, n, err);
	r->depth--;
	if (rc == 0)
		*ret_node = take_ptr(n);
	return rc;
}

static int read_value(struct reader *r, const yaml_event_t *e, struct jnode **ret_node,
		struct err *err)
{
	if (++r->values > JSON_MAX_VALUES)
		return err_set(err, ERR_EXHAUSTED, "yaml: too many values");
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(r, e, ret_node, err);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return read_collection(r, e, ret_node, err);
	default:
		return bad(r, err, "aliases are not accepted");
	}
}

static int read_document(struct reader *r, struct jnode **ret_node, struct err *err)
{
	AUTO(jnode_free) struct jnode *n = NULL;

	for (;;) {
		AUTO_EVENT yaml_event_t e = { 0 };

		if (next(r, &e, err) < 0)
			return -1;
		if (e.type == YAML_STREAM_END_EVENT)
			break;
		if (e.type == YAML_STREAM_START_EVENT || e.type == YAML_DOCUMENT_START_EVENT ||
				e.type == YAML_DOCUMENT_END_EVENT)
			continue;
		if (n != NULL)
			return bad(r, err, "more than one document");
		if (read_value(r, &e, &n, err) < 0)
			return -1;
	}
	*ret_node = n == NULL ? jnode_text(NULL) : take_ptr(n);
	return 0;
}

int yaml_parse(const void *data, size_t size, struct jnode **ret_node, struct err *err)
{
	struct reader r = { 0 };
	int rc;

	if (size > JSON_MAX_BYTES)
		return err_set(err, ERR_EXHAUSTED, "yaml: more than %d bytes", JSON_MAX_BYTES);
	if (yaml_parser_initialize(&r.parser) == 0)
		return err_set(err, ERR_EXHAUSTED, "yaml: no memory");
	yaml_parser_set_input_string(&r.parser, data, size);
	rc = read_document(&r, ret_node, err);
	yaml_parser_delete(&r.parser);
	return rc;
}
