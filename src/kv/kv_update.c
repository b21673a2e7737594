/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grouped commits without a thread of their own: the first caller becomes the leader, runs its
 * operation and all that wait in one transaction, syncs once, and hands the lead to the next
 * that came meanwhile. A lone caller so commits on its own thread.
 */
#include <assert.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/thread.h"
#include "kv/kv_priv.h"

#define MAX_GROUP 256

/* Room behind the last page: how little makes more, and how much (docs/design/011-kv.md). */
#define ROOM_LOW   ((off_t)128 << 10)
#define ROOM_FIRST ((off_t)256 << 10)
#define ROOM_MOST  ((off_t)4 << 20)
/* A file with so few commits may never see more. */
#define ROOM_AFTER 4

struct op {
	struct list node;
	kv_update_fn fn;
	void *arg;
	struct err *err;
	bool failed;   /* err is set, and it takes no part any more */
	bool is_done;  /* the caller may return */
	bool is_chief; /* the caller must lead the next group */
	sem_t wake;    /* posted when either is set; without the lock, which all would want */
};

enum outcome {
	GROUP_DONE,
	GROUP_AGAIN,
};

static void fail_rest(struct list *group, struct kv *kv, int rc, const char *what)
{
	list_for_each (node, group) {
		struct op *op = container_of(node, struct op, node);

		if (op->failed)
			continue;
		op->failed = true;
		kv_fail(kv, rc, what, op->err);
	}
}

static void fail_rest_with(struct list *group, const struct err *why)
{
	list_for_each (node, group) {
		struct op *op = container_of(node, struct op, node);

		if (op->failed)
			continue;
		op->failed = true;
		err_plain(op->err, why->kind, "%s", err_text(why));
		op->err->sys = why->sys;
	}
}

/* False if the transaction is spoilt: the rest must be run again in a new one. */
static bool run_op(struct kv_txn *txn, struct op *op)
{
	uint64_t before = txn->writes;

	if (op->fn(txn, op->arg, op->err) == 0)
		return !txn->is_full;
	if (txn->is_full) {
		err_clear(op->err);
		return false;
	}
	op->failed = true;
	return txn->writes == before; /* else its writes must go, and the others' come again */
}

static enum outcome grow_or_fail(struct kv *kv, struct list *group)
{
	AUTO_ERR struct err err = { 0 };

	if (kv_grow(kv, &err) == 0)
		return GROUP_AGAIN;
	fail_rest_with(group, &err);
	return GROUP_DONE;
}

/* A failed write of its head page makes LMDB refuse the file, for readers too. */
static void revive(struct kv *kv)
{
	AUTO_ERR struct err ignored = { 0 }; /* the next update tries again, and tells */
	MDB_txn *txn = NULL;
	int rc = mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn);

	if (rc == 0)
		mdb_txn_abort(txn);
	if (rc == MDB_PANIC)
		IGNORE(kv_reopen(kv, &ignored));
}

static enum outcome commit(struct kv *kv, struct kv_txn *txn, struct list *group)
{
	int rc;

	if (txn->writes == 0) {
		mdb_txn_abort(txn->txn);
		return GROUP_DONE;
	}
	rc = mdb_txn_commit(txn->txn);
	if (rc == MDB_MAP_FULL)
		return grow_or_fail(kv, group);
	if (rc != 0) {
		fail_rest(group, kv, rc, "write");
		revive(kv);
	}
	return GROUP_DONE;
}

static int begin(struct kv *kv, struct kv_txn *txn, struct err *err)
{
	int rc = kv->env == NULL ? MDB_PANIC : mdb_txn_begin(kv->env, NULL, 0, &txn->txn);

	if (rc == MDB_PANIC) {
		if (kv_reopen(kv, err) < 0)
			return -1;
		rc = mdb_txn_begin(kv->env, NULL, 0, &txn->txn);
	}
	return rc == 0 ? 0 : kv_fail(kv, rc, "write", err);
}

static enum outcome try_group(struct kv *kv, struct list *group)
{
	struct kv_txn txn = { .kv = kv, .is_write = true };
	AUTO_ERR struct err err = { 0 };

	if (begin(kv, &txn, &err) < 0) {
		fail_rest_with(group, &err);
		return GROUP_DONE;
	}
	list_for_each (node, group) {
		struct op *op = container_of(node, struct op, node);

		if (op->failed || run_op(&txn, op))
			continue;
		mdb_txn_abort(txn.txn);
		return txn.is_full ? grow_or_fail(kv, group) : GROUP_AGAIN;
	}
	kv_count_touched(kv, txn.touched);
	return commit(kv, &txn, group);
}

/* Takes what waits, up to a limit; "first" leads the queue. */
static size_t take_group_locked(struct kv *kv, struct list *group)
{
	size_t n = 0;

	mutex_assert_held(&kv->lock);
	list_init(group);
	for (; n < MAX_GROUP && !list_is_empty(&kv->queue); n++) {
		struct list *node = kv->queue.next;

		list_remove(node);
		list_append(group, node);
	}
	return n;
}

/* The next leader, or NULL. */
static struct op *finish_locked(struct kv *kv, size_t n)
{
	struct op *next = list_first(&kv->queue, struct op, node);

	kv->commits++;
	kv->operations += n;
	kv->has_leader = next != NULL;
	if (next != NULL)
		next->is_chief = true;
	return next;
}

/* Once it is woken an operation is gone: its caller's frame ends. */
static void wake(struct op *op)
{
	(void)sem_post(&op->wake);
}

static void tell_group(struct list *group, const struct op *mine)
{
	list_for_each (node, group) {
		struct op *op = container_of(node, struct op, node);

		list_remove(&op->node);
		op->is_done = true;
		if (op != mine)
			wake(op);
	}
}

static off_t used_bytes(struct kv *kv)
{
	MDB_envinfo info;
	MDB_stat stat;

	if (mdb_env_info(kv->env, &info) != 0 || mdb_env_stat(kv->env, &stat) != 0)
		return -1;
	return (off_t)(info.me_last_pgno + 1) * stat.ms_psize;
}

/* What does not fit is for the commit to say, if it needs it. */
static void write_zeros(int fd, off_t from, off_t to)
{
	static const char zeros[4096];
	struct iovec parts[32];

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		parts[i] = (struct iovec){ (void *)zeros, sizeof(zeros) };
	while (from < to) {
		ssize_t n = pwritev(fd, parts, (int)ARRAY_LEN(parts), from);

		if (n <= 0)
			return;
		from += n;
	}
}

/* A commit that makes the file longer waits for the file system's journal, too: twice the
 * flushes. Zeros in front of it, synced along with one commit, spare that to the next ones. */
static void make_room(struct kv *kv)
{
	off_t used, room;
	struct stat st;
	int fd;

	if (kv->env == NULL || kv->options.no_sync || kv->commits < ROOM_AFTER)
		return;
	used = used_bytes(kv);
	if (used < 0 || mdb_env_get_fd(kv->env, &fd) != 0 || fstat(fd, &st) < 0 ||
			st.st_size < used || st.st_size - used >= ROOM_LOW)
		return;
	room = used / 2 < ROOM_FIRST ? ROOM_FIRST : used / 2;
	write_zeros(fd, st.st_size, used + (room > ROOM_MOST ? ROOM_MOST : room));
}

static void lead(struct kv *kv, struct op *mine)
{
	struct list group;
	struct op *next;
	size_t n;

	mutex_lock(&kv->lock);
	n = take_group_locked(kv, &group);
	mutex_unlock(&kv->lock);
	make_room(kv);
	while (try_group(kv, &group) == GROUP_AGAIN)
		;
	mutex_lock(&kv->lock);
	next = finish_locked(kv, n);
	mutex_unlock(&kv->lock);
	if (next != NULL)
		wake(next);
	tell_group(&group, mine);
	kv_trim_if_much(kv);
	assert(mine->is_done);
}

enum turn {
	TURN_LEAD,
	TURN_WAIT,
	TURN_OVER, /* err is set */
};

static enum turn queue_up(struct kv *kv, struct op *op)
{
	LOCKED(&kv->lock);
	if (kv->is_suspended) {
		op->failed = true;
		err_set(op->err, ERR_UNAVAILABLE, "%s: another process has taken over",
				kv->path);
		return TURN_OVER;
	}
	list_append(&kv->queue, &op->node);
	if (kv->has_leader)
		return TURN_WAIT;
	kv->has_leader = true;
	return TURN_LEAD;
}

/* True if the caller is to lead, false if it is done. */
static bool wait_for_turn(struct op *op)
{
	while (sem_wait(&op->wake) < 0)
		continue; /* a signal handler ran */
	return op->is_chief && !op->is_done;
}

int kv_update(struct kv *kv, kv_update_fn fn, void *arg, struct err *err)
{
	struct op op = { .fn = fn, .arg = arg, .err = err };
	enum turn turn;

	ASSERT_MAY_BLOCK();
	(void)sem_init(&op.wake, 0, 0);
	turn = queue_up(kv, &op);
	if (turn == TURN_LEAD || (turn == TURN_WAIT && wait_for_turn(&op)))
		lead(kv, &op);
	(void)sem_destroy(&op.wake);
	return op.failed ? -1 : 0;
}
