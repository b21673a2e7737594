/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/filter.h"
#include "meta/meta_priv.h"

struct kv_bytes meta_key(struct buf *b, enum table table, ...)
{
	const char *part;
	va_list parts;
	bool first = true;

	buf_clear(b);
	buf_add_byte(b, (unsigned char)table);
	va_start(parts, table);
	while ((part = va_arg(parts, const char *)) != NULL) {
		if (!first)
			buf_add_byte(b, '\0');
		buf_add_str(b, part);
		first = false;
	}
	va_end(parts);
	return (struct kv_bytes){ b->data, b->size };
}

size_t meta_key_split(struct kv_bytes key, struct kv_bytes *parts, size_t max)
{
	const char *p = (const char *)key.data + 1, *end = (const char *)key.data + key.size;
	size_t n = 0;

	while (n + 1 < max) {
		const char *nul = memchr(p, '\0', (size_t)(end - p));

		if (nul == NULL)
			break;
		parts[n++] = (struct kv_bytes){ p, (size_t)(nul - p) };
		p = nul + 1;
	}
	parts[n++] = (struct kv_bytes){ p, (size_t)(end - p) };
	return n;
}

char *meta_bytes_text(struct kv_bytes bytes)
{
	return xstrndup(bytes.data, bytes.size);
}

const char *meta_path_key(const char *path, const char *prefix)
{
	return str_starts(path, prefix) ? path + strlen(prefix) : NULL;
}

void meta_label_apply(struct labels *to, const struct labels *from, const char *key)
{
	const char *value = labels_find(from, key);

	if (str_is_empty(value))
		labels_remove(to, key);
	else
		labels_set(to, key, value);
}

void meta_labels_replace(struct labels *to, const struct labels *from)
{
	labels_done(to);
	labels_copy(to, from);
	labels_drop_empty(to);
}

int meta_labels_check(const struct labels *labels, const char *what, struct err *err)
{
	if (!str_is_empty(labels_find(labels, ""))) /* without a value it is not stored */
		return err_set(err, ERR_INVALID, "%s: key required", what);
	if (labels_check(labels, err) < 0)
		return err_wrap(err, "%s", what);
	return 0;
}

int meta_filter(char *const *filters, bool is_twice, struct filter **ret_filter,
		struct err *err)
{
	AUTO_ERR struct err inner = { 0 };

	if (filter_parse(filters, ret_filter, &inner) == 0)
		return 0;
	if (!is_twice)
		return err_move(err, &inner);
	return err_set(err, ERR_INVALID, "%s", err_text(&inner));
}

/* Records between two looks at the clock. */
#define WALK_STEP 4

int meta_walk(struct kv_txn *txn, const struct ctx *ctx, struct kv_bytes prefix,
		meta_visit visit, void *arg, struct err *err)
{
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value;
	size_t n = 0;
	int rc;

	if (kv_iter_new(txn, prefix, (struct kv_bytes){ 0 }, &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0)
		if ((++n % WALK_STEP == 0 && ctx_done(ctx, err)) ||
				visit(arg, key, value, err) < 0)
			return -1;
	return rc;
}
