/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and values. A key of up to KV_PLAIN_MAX bytes is LMDB's key. A longer one is stored
 * under its first KV_KEY_ORDERED bytes and the SHA-256 of all, 511 bytes together, which no
 * plain key has; the value then begins with the key's size (4 bytes) and the key itself.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "kv/kv_priv.h"

#define STORED_MAX (KV_KEY_ORDERED + KV_HASH_SIZE)
_Static_assert(STORED_MAX == KV_PLAIN_MAX + 1, "the length tells the two kinds apart");

/* What one step down the tree reads at least. */
#define PAGE 4096

struct stored_key {
	unsigned char bytes[STORED_MAX];
	MDB_val val;
};

static bool is_long(struct kv_bytes key)
{
	return key.size > KV_PLAIN_MAX;
}

static int digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void hash_key(struct kv_bytes key, unsigned char out[KV_HASH_SIZE])
{
	char text[DIGEST_TEXT_SIZE];
	const char *hex;

	digest_bytes(DIGEST_SHA256, key.data, key.size, text);
	hex = digest_hex(text);
	for (size_t i = 0; i < KV_HASH_SIZE; i++)
		out[i] = (unsigned char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
}

static int store_key(struct kv_bytes key, struct stored_key *out, struct err *err)
{
	if (key.size == 0)
		return err_set(err, ERR_INVALID, "key required");
	if (key.size > KV_KEY_MAX)
		return err_set(err, ERR_INVALID, "key too large");
	if (!is_long(key)) {
		out->val = (MDB_val){ key.size, (void *)key.data };
		return 0;
	}
	memcpy(out->bytes, key.data, KV_KEY_ORDERED);
	hash_key(key, out->bytes + KV_KEY_ORDERED);
	out->val = (MDB_val){ STORED_MAX, out->bytes };
	return 0;
}

/* Splits a stored pair into the owner's key and value. */
static int load(struct kv *kv, MDB_val k, MDB_val v, struct kv_bytes *key,
		struct kv_bytes *value, struct err *err)
{
	const unsigned char *p = v.mv_data;
	uint32_t size;

	if (k.mv_size != STORED_MAX) {
		*key = (struct kv_bytes){ k.mv_data, k.mv_size };
		*value = (struct kv_bytes){ v.mv_data, v.mv_size };
		return 0;
	}
	if (v.mv_size < sizeof(size))
		return kv_fail(kv, MDB_CORRUPTED, "long key", err);
	memcpy(&size, p, sizeof(size));
	if (size <= KV_PLAIN_MAX || size > v.mv_size - sizeof(size))
		return kv_fail(kv, MDB_CORRUPTED, "long key", err);
	*key = (struct kv_bytes){ p + sizeof(size), size };
	*value = (struct kv_bytes){ p + sizeof(size) + size, v.mv_size - sizeof(size) - size };
	return 0;
}

int kv_get(struct kv_txn *txn, struct kv_bytes key, struct kv_bytes *ret_value, struct err *err)
{
	struct stored_key stored;
	struct kv_bytes found;
	MDB_val v;
	int rc;

	if (store_key(key, &stored, err) < 0)
		return -1;
	rc = mdb_get(txn->txn, txn->kv->dbi, &stored.val, &v);
	txn->touched += PAGE;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return kv_fail(txn->kv, rc, "read", err);
	txn->touched += v.mv_size;
	if (load(txn->kv, stored.val, v, &found, ret_value, err) < 0)
		return -1;
	return found.size == key.size && memcmp(found.data, key.data, key.size) == 0;
}

static int write_result(struct kv_txn *txn, int rc, struct err *err)
{
	txn->writes++;
	txn->touched += PAGE;
	if (rc == 0)
		return 0;
	txn->is_full = txn->is_full || rc == MDB_MAP_FULL;
	return kv_fail(txn->kv, rc, "write", err);
}

int kv_put(struct kv_txn *txn, struct kv_bytes key, struct kv_bytes value, struct err *err)
{
	struct stored_key stored;
	uint32_t size = (uint32_t)key.size;
	MDB_val v = { value.size, (void *)value.data };
	unsigned char *p;
	int rc;

	assert(txn->is_write);
	if (store_key(key, &stored, err) < 0)
		return -1;
	if (!is_long(key))
		return write_result(
				txn, mdb_put(txn->txn, txn->kv->dbi, &stored.val, &v, 0), err);
	v = (MDB_val){ sizeof(size) + key.size + value.size, NULL };
	rc = mdb_put(txn->txn, txn->kv->dbi, &stored.val, &v, MDB_RESERVE);
	if (rc == 0) {
		p = v.mv_data;
		memcpy(p, &size, sizeof(size));
		memcpy(p + sizeof(size), key.data, key.size);
		memcpy(p + sizeof(size) + key.size, value.data, value.size);
	}
	return write_result(txn, rc, err);
}

int kv_del(struct kv_txn *txn, struct kv_bytes key, struct err *err)
{
	struct stored_key stored;
	int rc;

	assert(txn->is_write);
	if (store_key(key, &stored, err) < 0)
		return -1;
	rc = mdb_del(txn->txn, txn->kv->dbi, &stored.val, NULL);
	if (rc == MDB_NOTFOUND)
		return 0;
	return write_result(txn, rc, err) < 0 ? -1 : 1;
}

struct kv_iter {
	struct kv_txn *txn;
	MDB_cursor *cursor;
	bool started;
	size_t prefix_size, start_size;
	unsigned char *start; /* the first key wanted; it begins with the prefix */
};

int kv_iter_new(struct kv_txn *txn, struct kv_bytes prefix, struct kv_bytes from,
		struct kv_iter **ret_iter, struct err *err)
{
	struct kv_iter *it;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn->txn, txn->kv->dbi, &cursor);

	if (rc != 0)
		return kv_fail(txn->kv, rc, "read", err);
	it = xzalloc(sizeof(*it));
	it->txn = txn;
	it->cursor = cursor;
	it->prefix_size = prefix.size;
	if (from.data == NULL || from.size < prefix.size)
		from = prefix;
	assert(from.size == 0 || memcmp(from.data, prefix.data, prefix.size) == 0);
	it->start_size = from.size;
	it->start = xmemdup(from.data == NULL ? "" : from.data, from.size);
	*ret_iter = it;
	return 0;
}

void kv_iter_free(struct kv_iter *it)
{
	if (it == NULL)
		return;
	mdb_cursor_close(it->cursor);
	free(it->start);
	free(it);
}

/* The part of a key that LMDB sees and that orders long keys as well. */
static size_t ordered(size_t size)
{
	return size < KV_KEY_ORDERED ? size : KV_KEY_ORDERED;
}

static int step(struct kv_iter *it, MDB_val *k, MDB_val *v)
{
	if (it->started)
		return mdb_cursor_get(it->cursor, k, v, MDB_NEXT);
	it->started = true;
	if (it->start_size == 0)
		return mdb_cursor_get(it->cursor, k, v, MDB_FIRST);
	*k = (MDB_val){ ordered(it->start_size), it->start };
	return mdb_cursor_get(it->cursor, k, v, MDB_SET_RANGE);
}

static int compare(struct kv_bytes a, struct kv_bytes b)
{
	int rc = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);

	return rc != 0 ? rc : (a.size > b.size) - (a.size < b.size);
}

/* Keys past KV_KEY_ORDERED bytes come in any order, so each is looked at. */
static bool is_wanted(const struct kv_iter *it, struct kv_bytes key)
{
	struct kv_bytes start = { it->start, it->start_size };

	if (key.size >= 2 && memcmp(key.data, "\0\0", 2) == 0)
		return false; /* this module's own */
	return key.size >= it->prefix_size &&
	       memcmp(key.data, it->start, it->prefix_size) == 0 && compare(key, start) >= 0;
}

int kv_iter_next(struct kv_iter *it, struct kv_bytes *ret_key, struct kv_bytes *ret_value,
		struct err *err)
{
	size_t common = ordered(it->prefix_size);
	MDB_val k, v;
	int rc;

	while ((rc = step(it, &k, &v)) == 0) {
		if (k.mv_size < common || memcmp(k.mv_data, it->start, common) != 0)
			return 0;
		it->txn->touched += k.mv_size + v.mv_size;
		if (load(it->txn->kv, k, v, ret_key, ret_value, err) < 0)
			return -1;
		if (is_wanted(it, *ret_key))
			return 1;
	}
	return rc == MDB_NOTFOUND ? 0 : kv_fail(it->txn->kv, rc, "read", err);
}

int kv_iter_del(struct kv_iter *it, struct err *err)
{
	assert(it->txn->is_write);
	return write_result(it->txn, mdb_cursor_del(it->cursor, 0), err);
}

int kv_has_prefix(struct kv_txn *txn, struct kv_bytes prefix, struct err *err)
{
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value;

	if (kv_iter_new(txn, prefix, (struct kv_bytes){ 0 }, &it, err) < 0)
		return -1;
	return kv_iter_next(it, &key, &value, err);
}

int kv_del_prefix(struct kv_txn *txn, struct kv_bytes prefix, struct err *err)
{
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value;
	int rc;

	if (kv_iter_new(txn, prefix, (struct kv_bytes){ 0 }, &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0)
		if (kv_iter_del(it, err) < 0)
			return -1;
	return rc;
}
