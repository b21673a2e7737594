/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_spec.h"

#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "text/json.h"
#include "text/json_scan.h"
#include "text/json_span.h"

/* The decoded text; NULL if it is no string. */
static char *span_text(const struct json_span *span)
{
	AUTO(json_free) struct json *j = NULL;
	AUTO_ERR struct err err = { 0 };

	if (span->size == 0 || span->data[0] != '"')
		return NULL;
	if (memchr(span->data, '\\', span->size) == NULL)
		return xstrndup(span->data + 1, span->size - 2);
	if (json_parse(span->data, span->size, &j, &err) < 0)
		return NULL;
	return xstrdup(json_text(j));
}

int runc_spec_group(const void *data, size_t size, char **ret_group, struct err *err)
{
	static const char *const keys[] = { "io.containerd.runc.v2.group",
		"io.kubernetes.cri.sandbox-id" };

	*ret_group = NULL;
	for (size_t i = 0; i < ARRAY_LEN(keys) && *ret_group == NULL; i++) {
		const char *const path[] = { "annotations", keys[i], NULL };
		struct json_span span;
		int rc = json_span_find(data, size, path, &span, err);

		if (rc < 0)
			return -1;
		if (rc > 0)
			*ret_group = span_text(&span);
	}
	return 0;
}

char *runc_spec_cgroup(const void *data, size_t size)
{
	static const char *const path[] = { "linux", "cgroupsPath", NULL };
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *text = NULL;
	struct json_span span;

	if (json_span_find(data, size, path, &span, &err) <= 0)
		return NULL;
	text = span_text(&span);
	return text != NULL && text[0] == '/' ? take_ptr(text)
					      : NULL; /* systemd's are no paths */
}

static bool member_is(const struct json_span *object, const char *key, const char *want)
{
	const char *const path[] = { key, NULL };
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *text = NULL;
	struct json_span span;
	int rc = json_span_find(object->data, object->size, path, &span, &err);

	if (rc < 0)
		return false;
	text = rc == 0 ? xstrdup("") : span_text(&span);
	return str_eq(text, want);
}

bool runc_spec_has_own_pids(const void *data, size_t size)
{
	static const char *const path[] = { "linux", "namespaces", NULL };
	AUTO_ERR struct err err = { 0 };
	struct json_span list, item;
	size_t at = 0;

	if (json_span_find(data, size, path, &list, &err) <= 0)
		return false;
	if (list.size == 0 || list.data[0] != '[')
		return false;
	while (json_span_next(&list, &at, &item, &err) > 0)
		if (member_is(&item, "type", "pid") && member_is(&item, "path", ""))
			return true;
	return false;
}

/* Go takes any spelling of a key, and the last one counts: only the one that we set may stay.
 */
static int drop_spellings(struct buf *doc, struct err *err)
{
	struct json_scan s = { .data = doc->data, .size = doc->size };
	size_t from;

	if (!json_scan_take(&s, '{') || json_scan_take(&s, '}'))
		return 0;
	do {
		bool hit;

		from = s.at;
		if (json_scan_string(&s, err) < 0)
			return -1;
		hit = s.at - from == 10 &&
		      strncasecmp(s.data + from, "\"terminal\"", 10) == 0 &&
		      memcmp(s.data + from, "\"terminal\"", 10) != 0;
		if (!json_scan_take(&s, ':') || json_scan_value(&s, err) < 0)
			return err->kind == ERR_NONE ? json_scan_fail(&s, err, "':' expected")
						     : -1;
		if (hit)
			memset(doc->data + from + 1, 't', 8); /* a name that means nothing */
	} while (json_scan_take(&s, ','));
	return 0;
}

int runc_spec_set_terminal(
		const void *data, size_t size, bool terminal, struct buf *out, struct err *err)
{
	static const char *const path[] = { "terminal", NULL };
	AUTO_BUF struct buf copy = { .limit = JSON_MAX_BYTES };

	buf_add(&copy, data, size);
	if (copy.overflowed)
		return err_set(err, ERR_EXHAUSTED, "process of %zu bytes", size);
	if (size == 0)
		return err_plain(err, ERR_UNKNOWN, "unexpected end of JSON input");
	if (json_check_bounds(copy.data, copy.size, err) < 0 || drop_spellings(&copy, err) < 0)
		return -1;
	return json_span_set(copy.data, copy.size, path, terminal ? "true" : "false", out, err);
}
