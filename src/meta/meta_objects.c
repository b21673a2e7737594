/* SPDX-License-Identifier: Apache-2.0 */
/* What the records of containers, images, leases and sandboxes have in common. */
#include "base/err.h"
#include "base/str.h"
#include "core/any.h"
#include "core/filter.h"
#include "meta/meta_priv.h"

int meta_refuse(struct err *err, enum err_kind kind, const char *what, const char *name)
{
	AUTO_FREE char *quoted = str_quote(str_or(name, ""));

	return err_set(err, kind, "%s %s", what, quoted);
}

int meta_find(struct kv_txn *txn, enum table table, const char *ns, const char *name,
		struct kv_bytes *ret_value, struct err *err)
{
	AUTO_KEY(key);

	if (str_is_empty(name))
		return 0;
	return kv_get(txn, meta_key(&key, table, ns, name, NULL), ret_value, err);
}

int meta_drop(struct kv_txn *txn, enum table table, const char *ns, const char *name,
		struct err *err)
{
	AUTO_KEY(key);

	if (str_is_empty(name))
		return 0;
	return kv_del(txn, meta_key(&key, table, ns, name, NULL), err);
}

struct looking {
	struct filter *filter;
	meta_look look;
	void *arg;
};

static int look_at(void *arg, struct kv_bytes key, struct kv_bytes value, struct err *err)
{
	const struct looking *l = arg;
	AUTO_FREE char *name = NULL;
	struct kv_bytes parts[2];

	(void)meta_key_split(key, parts, 2);
	name = meta_bytes_text(parts[1]);
	return l->look(l->arg, l->filter, name, value, err);
}

int meta_list(struct meta *m, const struct ctx *ctx, enum table table, const char *pin,
		char *const *filters, meta_look look, void *arg, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO(filter_free) struct filter *filter = NULL;
	const char *ns = ctx_namespace(ctx, err), *pinned;
	struct kv_bytes value;
	AUTO_KEY(prefix);
	int rc;

	if (ns == NULL || meta_filter(filters, true, &filter, err) < 0 ||
			kv_read(m->kv, &txn, err) < 0)
		return -1;
	pinned = filter_pinned(filter, pin);
	if (pinned == NULL)
		return meta_walk(txn, ctx, meta_key(&prefix, table, ns, "", NULL), look_at,
				&(struct looking){ filter, look, arg }, err);
	rc = meta_find(txn, table, ns, pinned, &value, err);
	return rc <= 0 ? rc : look(arg, filter, pinned, value, err);
}

void meta_any_replace(struct any *to, const struct any *from)
{
	if (from->is_set)
		any_set(to, from->type_url, from->value, from->size);
}

void meta_extension_apply(struct anys *to, const struct anys *from, const char *key)
{
	const struct any *value = anys_find(from, key);

	if (value == NULL)
		anys_remove(to, key);
	else
		anys_set(to, key, value);
}

void meta_extensions_replace(struct anys *to, const struct anys *from)
{
	anys_done(to);
	anys_copy(to, from);
}

int meta_apply_mask(char *const *paths, meta_apply_all all, meta_apply_path one, void *to,
		const void *from, struct err *err)
{
	if (strv_len(paths) == 0)
		return all(to, from, err);
	for (size_t i = 0; paths[i] != NULL; i++)
		if (one(to, from, paths[i], err) < 0)
			return -1;
	return 0;
}
