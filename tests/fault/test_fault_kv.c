/* SPDX-License-Identifier: Apache-2.0 */
/* The key-value file under faults, in the library's own calls too. */
#include "fault/fault_run.h"

#include "base/mem.h"
#include "base/str.h"
#include "kv/kv.h"

#define ROUNDS 7     /* enough to make room ahead */
#define LARGE  20000 /* takes pages of its own */

struct told {
	uint32_t round; /* that many were answered */
};

static int open_kv(const char *root, void **ret_store, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/test.mdb", root);
	struct kv_options options = { "test", 1, false, 0 };

	return kv_open(path, &options, (struct kv **)ret_store, err);
}

static void close_kv(void *store)
{
	kv_close(store);
}

struct round {
	uint32_t number;
	char *large;
};

/* Three keys that always agree. */
static int put_round(struct kv_txn *txn, void *arg, struct err *err)
{
	struct round *r = arg;
	struct kv_bytes number = { &r->number, sizeof(r->number) };

	memset(r->large, (int)r->number, LARGE);
	if (kv_put(txn, kv_text("left"), number, err) < 0 ||
			kv_put(txn, kv_text("large"), (struct kv_bytes){ r->large, LARGE },
					err) < 0)
		return -1;
	return kv_put(txn, kv_text("right"), number, err);
}

static int tell(void *store, void *arg, struct err *err)
{
	AUTO_FREE char *large = xmalloc(LARGE);
	struct told *told = arg;

	for (uint32_t i = 1; i <= ROUNDS; i++) {
		struct round r = { told->round + 1, large };

		if (kv_update(store, put_round, &r, err) < 0)
			return -1;
		told->round = r.number;
	}
	return 0;
}

static uint32_t number_of(struct kv_txn *txn, const char *key)
{
	AUTO_ERR struct err err = { 0 };
	struct kv_bytes value;
	uint32_t number;
	int rc = kv_get(txn, kv_text(key), &value, &err);

	must_ok(rc, &err);
	if (rc == 0)
		return 0;
	must(value.size == sizeof(number));
	memcpy(&number, value.data, sizeof(number));
	return number;
}

static void check(void *store, const void *arg)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	const struct told *told = arg;
	AUTO_ERR struct err err = { 0 };
	struct kv_bytes value;
	uint32_t left;

	must_ok(kv_read(store, &txn, &err), &err);
	left = number_of(txn, "left");
	must(left == number_of(txn, "right"));
	/* One more may have been written and not answered. */
	must(left == told->round || left == told->round + 1);
	if (left == 0)
		return;
	must(kv_get(txn, kv_text("large"), &value, &err) == 1 && value.size == LARGE);
	for (size_t i = 0; i < LARGE; i++)
		must(((const unsigned char *)value.data)[i] == (unsigned char)left);
}

static const struct story kv_story = { open_kv, close_kv, tell, check, sizeof(struct told) };

STORY_TESTS(kv_story)
