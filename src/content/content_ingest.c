/* SPDX-License-Identifier: Apache-2.0 */
/* Writers: bytes on their way into the store, kept under a ref until their digest is known. */
#include "content/content_priv.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/thread.h"
#include "os/fs.h"
#include "os/fsverity.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* From this size on a hop to another thread is worth it. */
#define BESIDE_MIN ((size_t)256 << 10)

struct ingest {
	struct content_writer base;
	struct content_local *store;
	struct content_status status;
	int dir_fd, fd;
	struct digester *digester; /* of the bytes so far, sha256 */
	bool locked;
	bool ended; /* committed, or a commit failed */
};

static void ingest_free(struct ingest *in)
{
	if (in == NULL)
		return;
	if (in->locked)
		ref_unlock(&in->store->locks, in->status.ref);
	close_fd(&in->fd);
	close_fd(&in->dir_fd);
	digester_free(in->digester);
	content_status_done(&in->status);
	free(in);
}
DEFINE_AUTO(struct ingest *, ingest_free)

static int check_open(const struct ingest *in, struct err *err)
{
	if (in->ended)
		return err_set(err, ERR_PRECONDITION, "ingest %s: writer is closed",
				in->status.ref);
	return 0;
}

/* Some bytes on their way into the file. */
struct piece {
	struct job job;
	int fd;
	const char *data;
	size_t size, written;
	int64_t at;
	int failed; /* errno, or 0 */
	sem_t done;
};

static void write_piece(struct piece *p)
{
	while (p->written < p->size) {
		ssize_t n = pwrite(p->fd, p->data + p->written, p->size - p->written,
				p->at + (int64_t)p->written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			p->failed = errno;
			return;
		}
		p->written += (size_t)n;
	}
}

static void run_piece(struct job *job)
{
	struct piece *p = container_of(job, struct piece, job);

	write_piece(p);
	(void)sem_post(&p->done);
}

/* Writing and hashing take about as long, where writing is to memory: large blocks go through
 * both at a time. False if there is no thread to be had. */
static bool write_beside(struct ingest *in, struct piece *p)
{
	struct pool *pool = in->store->writers;

	if (p->size < BESIDE_MIN || pool_busy(pool) >= BESIDE_THREADS)
		return false;
	p->job.run = run_piece;
	(void)sem_init(&p->done, 0, 0);
	if (!pool_submit(pool, &p->job)) {
		(void)sem_destroy(&p->done);
		return false;
	}
	digester_add(in->digester, p->data, p->size);
	while (sem_wait(&p->done) < 0)
		continue; /* a signal handler ran */
	(void)sem_destroy(&p->done);
	return true;
}

static void restart_digest(struct ingest *in)
{
	digester_free(in->digester);
	in->digester = digester_new(DIGEST_SHA256);
}

/* Bytes were hashed that did not get into the file. */
static void hash_again(struct ingest *in)
{
	struct ctx ctx = { 0 };
	AUTO_ERR struct err ignored = { 0 };
	int64_t size = 0;

	restart_digest(in);
	if (hash_file(in->fd, in->digester, &size, &ctx, &ignored) < 0 ||
			size != in->status.offset)
		in->ended = true;
}

static int ingest_append(
		struct content_writer *self, const void *data, size_t size, struct err *err)
{
	struct ingest *in = container_of(self, struct ingest, base);
	struct piece p = { .fd = in->fd, .data = data, .size = size, .at = in->status.offset };
	bool is_hashed;

	if (check_open(in, err) < 0)
		return -1;
	is_hashed = write_beside(in, &p);
	if (!is_hashed) {
		write_piece(&p);
		digester_add(in->digester, data, p.written);
	}
	in->status.offset += (int64_t)p.written;
	if (is_hashed && p.failed != 0)
		hash_again(in);
	if (p.failed != 0)
		return err_sys(err, p.failed, "write ingest %s", in->status.ref);
	in->status.updated_ns = clock_wall_ns();
	return 0;
}

static int ingest_truncate(struct content_writer *self, struct err *err)
{
	struct ingest *in = container_of(self, struct ingest, base);

	if (check_open(in, err) < 0)
		return -1;
	if (ftruncate(in->fd, 0) < 0)
		return err_sys(err, errno, "truncate ingest %s", in->status.ref);
	in->status.offset = 0;
	in->status.updated_ns = clock_wall_ns();
	restart_digest(in);
	return 0;
}

static int ingest_status(struct content_writer *self, struct content_status *ret_status,
		char digest[DIGEST_TEXT_SIZE], struct err *err)
{
	struct ingest *in = container_of(self, struct ingest, base);

	*ret_status = in->status;
	ret_status->ref = xstrdup(in->status.ref);
	digester_text(in->digester, digest);
	return 0;
}

int hash_file(int fd, struct digester *d, int64_t *ret_size, struct ctx *ctx, struct err *err)
{
	static const size_t block = 1 << 20;
	AUTO_FREE char *data = xmalloc(block);
	int64_t at = 0;

	for (;;) {
		ssize_t n;

		if (ctx_done(ctx, err))
			return -1;
		n = io_pread_full(fd, data, block, (uint64_t)at);
		if (n < 0)
			return err_sys(err, (int)-n, "read");
		digester_add(d, data, (size_t)n);
		at += n;
		if ((size_t)n < block)
			break;
	}
	*ret_size = at;
	return 0;
}

static int check_size(const struct ingest *in, int64_t size, struct err *err)
{
	struct stat st;

	if (fstat(in->fd, &st) < 0)
		return err_sys(err, errno, "stat ingest %s", in->status.ref);
	if (st.st_size != in->status.offset)
		return err_set(err, ERR_DATA_LOSS, "ingest %s has %lld bytes of %lld",
				in->status.ref, (long long)st.st_size,
				(long long)in->status.offset);
	if (size > 0 && st.st_size != size)
		return err_set(err, ERR_PRECONDITION,
				"unexpected commit size %lld, expected %lld",
				(long long)st.st_size, (long long)size);
	return 0;
}

/* The digest to store under: sha256, or what was expected in its own algorithm. */
static int check_sum(struct ingest *in, struct ctx *ctx, const char *expected,
		char digest[DIGEST_TEXT_SIZE], struct err *err)
{
	AUTO(digester_free) struct digester *other = NULL;
	enum digest_alg alg = DIGEST_SHA256;
	int64_t size;

	if (!str_is_empty(expected) && digest_check(expected, &alg, err) < 0)
		return -1;
	if (alg == DIGEST_SHA256) {
		digester_text(in->digester, digest);
	} else {
		other = digester_new(alg);
		if (hash_file(in->fd, other, &size, ctx, err) < 0)
			return err_wrap(err, "ingest %s", in->status.ref);
		digester_text(other, digest);
	}
	if (!str_is_empty(expected) && !str_eq(digest, expected))
		return err_set(err, ERR_PRECONDITION,
				"unexpected commit digest %s, expected %s", digest, expected);
	return 0;
}

/* A directory made a moment ago is no more durable than what is in it. Whoever made it may have
 * been killed before it was synced, so each process does that once. */
static int settle_dir(struct content_local *store, enum digest_alg alg)
{
	unsigned bit = 1u << alg;
	int rc;

	if ((atomic_load(&store->settled) & bit) != 0)
		return 0;
	rc = fs_sync_dir(store->root_fd, "blobs");
	if (rc == 0)
		rc = fs_sync_dir(store->root_fd, ".");
	if (rc == 0)
		atomic_fetch_or(&store->settled, bit);
	return rc;
}

static int open_target_dir(struct content_local *store, const char *digest, int *ret_fd)
{
	AUTO_FREE char *path = blob_path(digest);
	AUTO_ERR struct err impossible = { 0 };
	enum digest_alg alg;
	int fd, rc;

	IGNORE(digest_check(digest, &alg, &impossible)); /* its path was made of it */
	*strrchr(path, '/') = '\0';
	fd = fs_open_dir(store->root_fd, path);
	if (fd == -ENOENT) {
		rc = fs_make_dirs(store->root_fd, path, 0755);
		fd = rc < 0 ? rc : fs_open_dir(store->root_fd, path);
	}
	if (fd < 0)
		return fd;
	rc = settle_dir(store, alg);
	if (rc < 0) {
		close_fd(&fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

/* EXISTS, which counts as success, and so only once the blob is durable: the writer that named
 * it may not have come so far. */
static int tell_exists(int dir_fd, const char *digest, struct err *err)
{
	AUTO_CLOSE int fd = openat(dir_fd, digest_hex(digest),
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if ((fd >= 0 && fsync(fd) < 0) || fsync(dir_fd) < 0)
		return err_sys(err, errno, "sync %s", digest);
	return err_set(err, ERR_EXISTS, "content %s", digest);
}

/* Fails if the blob is there already. */
static int refuse_existing(struct content_local *store, const char *digest, struct err *err)
{
	AUTO_FREE char *path = blob_path(digest);
	AUTO_CLOSE int dir_fd = -1;
	int rc;

	if (faccessat(store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	rc = open_target_dir(store, digest, &dir_fd);
	if (rc < 0)
		return err_sys(err, -rc, "open directory of %s", digest);
	return tell_exists(dir_fd, digest, err);
}

/* Whether the blob is there already, and whole: a damaged one is to be replaced. */
static bool has_good_blob(int dir_fd, const char *digest, int64_t size, struct ctx *ctx)
{
	AUTO_CLOSE int fd = openat(dir_fd, digest_hex(digest),
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	AUTO(digester_free) struct digester *d = NULL;
	AUTO_ERR struct err ignored = { 0 };
	char actual[DIGEST_TEXT_SIZE];
	enum digest_alg alg;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != size)
		return false;
	if (digest_check(digest, &alg, &ignored) < 0)
		return false;
	d = digester_new(alg);
	if (hash_file(fd, d, &size, ctx, &ignored) < 0)
		return false;
	digester_text(d, actual);
	return str_eq(actual, digest);
}

static void remove_ingest(struct ingest *in)
{
	char path[INGEST_PATH_SIZE];

	/* A failure leaves garbage that a later writer of the ref, or an abort, removes. */
	ingest_path(in->status.ref, path);
	IGNORE(fs_remove_all(in->store->root_fd, path));
}

/* With the name or without it: to where no power cut takes it. */
static int sync_data(const struct ingest *in, struct err *err)
{
	if (fsync(in->fd) < 0)
		return err_sys(err, errno, "sync ingest %s", in->status.ref);
	return 0;
}

/* To the disk's cache only. What the journal then commits, name and size, it commits behind it.
 */
static int write_data(const struct ingest *in, struct err *err)
{
	static const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				    SYNC_FILE_RANGE_WAIT_AFTER;

	if (sync_file_range(in->fd, 0, 0, all) < 0)
		return err_sys(err, errno, "write ingest %s", in->status.ref);
	return 0;
}

/* Data first, then the name, then the directory: whoever sees the blob sees all of it. Where
 * the filesystem keeps that order by itself, one commit of its journal takes all three. */
static int publish(struct ingest *in, int dir_fd, const char *digest, struct err *err)
{
	const char *hex = digest_hex(digest);
	bool ordered = in->store->is_ordered;
	struct stat st;

	if (fstat(in->fd, &st) < 0 || fchmod(in->fd, st.st_mode & 0777 & ~0333u) < 0 ||
			futimens(in->fd, NULL) < 0)
		return err_sys(err, errno, "seal ingest %s", in->status.ref);
	if ((ordered ? write_data(in, err) : sync_data(in, err)) < 0)
		return -1;
	if (renameat(in->dir_fd, "data", dir_fd, hex) < 0) {
		if (errno == ENOENT)
			return err_set(err, ERR_NOT_FOUND, "ingest %s", in->status.ref);
		return err_sys(err, errno, "rename ingest %s to %s", in->status.ref, digest);
	}
	if (ordered && sync_data(in, err) < 0) {
		(void)unlinkat(dir_fd, hex, 0);
		return -1;
	}
	if (fsync(dir_fd) < 0)
		return err_sys(err, errno, "sync directory of %s", digest);
	return 0;
}

static void seal_with_verity(int dir_fd, const char *digest)
{
	AUTO_CLOSE int fd = openat(dir_fd, digest_hex(digest),
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	/* An extra: without it the blob is as good as on any other filesystem. */
	if (fd >= 0)
		IGNORE(fsverity_enable(fd));
}

static int commit_data(struct ingest *in, struct ctx *ctx, int64_t size, const char *expected,
		struct err *err)
{
	char digest[DIGEST_TEXT_SIZE];
	AUTO_CLOSE int dir_fd = -1;
	int rc;

	if (check_size(in, size, err) < 0 || check_sum(in, ctx, expected, digest, err) < 0)
		return -1;
	rc = open_target_dir(in->store, digest, &dir_fd);
	if (rc < 0)
		return err_sys(err, -rc, "make directory of %s", digest);
	if (has_good_blob(dir_fd, digest, in->status.offset, ctx)) {
		remove_ingest(in);
		return tell_exists(dir_fd, digest, err);
	}
	if (publish(in, dir_fd, digest, err) < 0)
		return -1;
	close_fd(&in->fd); /* nobody may have it open for writing when it is sealed */
	if (in->store->verity)
		seal_with_verity(dir_fd, digest);
	remove_ingest(in);
	return 0;
}

static int ingest_commit(struct content_writer *self, struct ctx *ctx, int64_t size,
		const char *expected, const struct labels *labels, struct err *err)
{
	struct ingest *in = container_of(self, struct ingest, base);
	int rc;

	if (check_open(in, err) < 0)
		return -1;
	rc = commit_data(in, ctx, size, expected, err);
	in->ended = true;
	ref_unlock(&in->store->locks, in->status.ref);
	in->locked = false;
	return rc;
}

static void ingest_close(struct content_writer *self)
{
	struct ingest *in = container_of(self, struct ingest, base);

	if (!in->ended) {
		(void)fdatasync(in->fd); /* what a client was told is there stays there */
		ingest_write_updated(in->dir_fd, in->status.updated_ns);
	}
	ingest_free(in);
}

static const struct content_writer_ops ingest_ops = {
	.write = ingest_append,
	.truncate = ingest_truncate,
	.status = ingest_status,
	.commit = ingest_commit,
	.close = ingest_close,
};

/* Takes up what an earlier writer left. False, with nothing changed, if it does not fit. */
static bool can_resume(struct ingest *in, const char *ref, int64_t total)
{
	struct content_status old = { 0 };

	if (ingest_read(in->dir_fd, &old) < 0)
		return false;
	if (!str_eq(old.ref, ref) || (total > 0 && old.total > 0 && total != old.total)) {
		content_status_done(&old);
		return false;
	}
	content_status_done(&in->status);
	in->status = old;
	if (in->status.total == 0)
		in->status.total = total;
	return true;
}

static int start_new(struct ingest *in, struct err *err)
{
	int64_t now = clock_wall_ns();
	int rc;

	in->status.started_ns = in->status.updated_ns = now;
	rc = ingest_write(in->dir_fd, &in->status);
	if (rc < 0)
		return err_sys(err, -rc, "write ingest %s", in->status.ref);
	in->fd = openat(in->dir_fd, "data", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0666);
	if (in->fd < 0)
		return err_sys(err, errno, "open ingest %s", in->status.ref);
	return 0;
}

static int resume(struct ingest *in, struct ctx *ctx, struct err *err)
{
	in->fd = openat(in->dir_fd, "data", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (in->fd < 0)
		return err_sys(err, errno, "open ingest %s", in->status.ref);
	if (hash_file(in->fd, in->digester, &in->status.offset, ctx, err) < 0)
		return err_wrap(err, "resume ingest %s", in->status.ref);
	return 0;
}

static int open_dir(struct ingest *in, bool *ret_is_new, struct err *err)
{
	int root = in->store->root_fd;
	char path[INGEST_PATH_SIZE];

	ingest_path(in->status.ref, path);
	if (mkdirat(root, path, 0755) == 0)
		*ret_is_new = true;
	else if (errno == ENOENT && (mkdirat(root, "ingest", 0777) == 0 || errno == EEXIST) &&
			mkdirat(root, path, 0755) == 0)
		*ret_is_new = true;
	else if (errno == EEXIST)
		*ret_is_new = false;
	else
		return err_sys(err, errno, "make ingest %s", in->status.ref);
	in->dir_fd = fs_open_dir(root, path);
	if (in->dir_fd < 0)
		return err_sys(err, -in->dir_fd, "open ingest %s", in->status.ref);
	return 0;
}

int local_writer(struct content_store *self, struct ctx *ctx, const char *ref, int64_t total,
		const char *expected, struct content_writer **ret_writer, struct err *err)
{
	struct content_local *store = container_of(self, struct content_local, base);
	AUTO(ingest_free) struct ingest *in = xzalloc(sizeof(*in));
	bool is_new = false;

	*in = (struct ingest){ .base.ops = &ingest_ops,
		.store = store,
		.dir_fd = -1,
		.fd = -1,
		.digester = digester_new(DIGEST_SHA256) };
	in->status.ref = xstrdup(ref);
	in->status.total = total > 0 ? total : 0;
	if (ref_lock(&store->locks, ctx, ref, err) < 0)
		return -1;
	in->locked = true;
	if (!str_is_empty(expected) && refuse_existing(store, expected, err) < 0)
		return -1;
	if (open_dir(in, &is_new, err) < 0)
		return -1;
	if (!is_new && can_resume(in, ref, in->status.total)) {
		if (resume(in, ctx, err) < 0)
			return -1;
	} else if (start_new(in, err) < 0) {
		return -1;
	}
	*ret_writer = &take_ptr(in)->base;
	return 0;
}
