/* SPDX-License-Identifier: Apache-2.0 */
/* A private directory with a kv file in it, for the tests of kv. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kv/kv.h"
#include "unit/unit.h"

struct kv_dir {
	char dir[64], path[96], lock[104];
};

static inline void kv_dir_make(struct kv_dir *d)
{
	(void)snprintf(d->dir, sizeof(d->dir), "/tmp/ctrd-kv-XXXXXX");
	assert_non_null(mkdtemp(d->dir));
	(void)snprintf(d->path, sizeof(d->path), "%s/test.mdb", d->dir);
	(void)snprintf(d->lock, sizeof(d->lock), "%s-lock", d->path);
}

static inline void kv_dir_remove(struct kv_dir *d)
{
	(void)unlink(d->path);
	(void)unlink(d->lock);
	assert_int_equal(rmdir(d->dir), 0);
}

static inline struct kv *kv_dir_open(struct kv_dir *d, size_t map_bytes)
{
	AUTO_ERR struct err err = { 0 };
	struct kv_options options = { "test", 1, false, map_bytes };
	struct kv *kv = NULL;

	assert_ok(kv_open(d->path, &options, &kv, &err), &err);
	return kv;
}

struct pair {
	const char *key, *value;
	bool fail;
};

static inline int put_pair(struct kv_txn *txn, void *arg, struct err *err)
{
	struct pair *p = arg;

	if (kv_put(txn, kv_text(p->key), kv_text(p->value), err) < 0)
		return -1;
	return p->fail ? err_set(err, ERR_CONFLICT, "on purpose") : 0;
}

static inline void put(struct kv *kv, const char *key, const char *value)
{
	AUTO_ERR struct err err = { 0 };
	struct pair p = { key, value, false };

	assert_ok(kv_update(kv, put_pair, &p, &err), &err);
}

/* The value as an owned string, or NULL. */
static inline char *get(struct kv *kv, const char *key)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO_ERR struct err err = { 0 };
	struct kv_bytes value;
	int rc;

	assert_ok(kv_read(kv, &txn, &err), &err);
	rc = kv_get(txn, kv_text(key), &value, &err);
	if (rc < 0)
		fail_msg("%s", err_text(&err));
	return rc == 0 ? NULL : xmemdup(value.data, value.size);
}
