/* SPDX-License-Identifier: Apache-2.0 */
#include "content/content_local.h"

#include "content/content_priv.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"
#include "core/filter.h"
#include "os/fs.h"
#include "os/fsverity.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

static void fill_info(struct content_info *i, const char *digest, const struct stat *st)
{
	*i = (struct content_info){ 0 };
	(void)snprintf(i->digest, sizeof(i->digest), "%s", digest);
	i->size = st->st_size;
	i->created_ns = st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
	i->updated_ns = st->st_atim.tv_sec * NS_PER_S + st->st_atim.tv_nsec;
}

static int local_info(struct content_store *self, struct ctx *ctx, const char *digest,
		struct content_info *ret_info, struct err *err)
{
	struct content_local *store = container_of(self, struct content_local, base);
	AUTO_FREE char *path = blob_path(digest);
	struct stat st;

	if (fstatat(store->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return err_set(err, ERR_NOT_FOUND, "content %s", digest);
		return err_sys(err, errno, "content %s", digest);
	}
	fill_info(ret_info, digest, &st);
	return 0;
}

struct listing {
	struct content_local *store;
	struct ctx *ctx;
	struct filter *filter;
	content_info_each each;
	void *arg;
};

static int show_blob(const struct listing *l, const char *alg, int dir_fd, const char *name,
		struct err *err)
{
	AUTO_FREE char *digest = xasprintf("%s:%s", alg, name);
	AUTO_ERR struct err ignored = { 0 };
	struct content_info info;
	struct stat st;

	if (digest_check(digest, NULL, &ignored) < 0)
		return 0;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	fill_info(&info, digest, &st);
	if (filter_match(l->filter, content_info_field, &info, err))
		return l->each(l->arg, &info, err);
	return err->kind == ERR_NONE ? 0 : -1;
}

static int list_algorithm(const struct listing *l, const char *alg, struct err *err)
{
	AUTO_FREE char *path = xasprintf("blobs/%s", alg);
	AUTO_CLOSE int dir_fd = fs_open_dir(l->store->root_fd, path);
	AUTO_STRV char **names = NULL;
	int rc = dir_fd < 0 ? dir_fd : fs_list(dir_fd, ".", &names);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return err_sys(err, -rc, "list %s", path);
	for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
		if (ctx_done(l->ctx, err) || show_blob(l, alg, dir_fd, names[i], err) < 0)
			return -1;
	}
	return 0;
}

static int local_list(struct content_store *self, struct ctx *ctx, char *const *filters,
		content_info_each each, void *arg, struct err *err)
{
	AUTO(filter_free) struct filter *filter = NULL;
	struct listing l = { container_of(self, struct content_local, base), ctx, NULL, each,
		arg };

	if (filter_parse(filters, &filter, err) < 0)
		return -1;
	l.filter = filter;
	for (int alg = DIGEST_SHA256; alg <= DIGEST_SHA512; alg++)
		if (list_algorithm(&l, digest_alg_name((enum digest_alg)alg), err) < 0)
			return -1;
	return 0;
}

static int local_remove(struct content_store *self, struct ctx *ctx, const char *digest,
		struct err *err)
{
	struct content_local *store = container_of(self, struct content_local, base);
	AUTO_FREE char *path = blob_path(digest);

	if (unlinkat(store->root_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove content %s", digest);
	return 0;
}

static ssize_t blob_read_at(struct content_reader *self, void *data, size_t size,
		int64_t offset, struct err *err)
{
	ssize_t n;

	if (offset < 0)
		return err_set(err, ERR_OUT_OF_RANGE, "read at %lld", (long long)offset);
	n = io_pread_full(self->fd, data, size, (uint64_t)offset);
	if (n < 0)
		return err_sys(err, (int)-n, "read blob at %lld", (long long)offset);
	return n;
}

static void blob_close(struct content_reader *self)
{
	close_fd(&self->fd);
	free(self);
}

static const struct content_reader_ops blob_ops = {
	.read_at = blob_read_at,
	.close = blob_close,
};

static int local_open(struct content_store *self, struct ctx *ctx, const char *digest,
		struct content_reader **ret_reader, struct err *err)
{
	struct content_local *store = container_of(self, struct content_local, base);
	AUTO_FREE char *path = blob_path(digest);
	/* Not waiting: a stranger may have put a fifo there. */
	AUTO_CLOSE int fd = openat(
			store->root_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct content_reader *r;
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "content %s", digest);
	if ((fd < 0 && errno != ELOOP && errno != ENXIO) || (fd >= 0 && fstat(fd, &st) < 0))
		return err_sys(err, errno, "open content %s", digest);
	if (fd < 0 || !S_ISREG(st.st_mode))
		return err_set(err, ERR_DATA_LOSS, "content %s is not a file", digest);
	r = xzalloc(sizeof(*r));
	*r = (struct content_reader){ &blob_ops, st.st_size, take_fd(&fd) };
	*ret_reader = r;
	return 0;
}

static const struct content_store_ops local_ops = {
	.info = local_info,
	.update = content_refuse_update,
	.list = local_list,
	.remove = local_remove,
	.open = local_open,
	.status = local_status,
	.statuses = local_statuses,
	.abort = local_abort,
	.writer = local_writer,
};

/* Their journals commit sizes and extents of what was written no later than a rename after it.
 */
static bool is_ordered(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 &&
	       (st.f_type == EXT4_SUPER_MAGIC || st.f_type == XFS_SUPER_MAGIC);
}

int content_local_new(const struct content_local_options *options,
		struct content_store **ret_store, struct err *err)
{
	struct content_local *store;
	int fd, rc;

	ASSERT_MAY_BLOCK();
	rc = fs_make_dirs_durable(options->root, 0755);
	fd = rc < 0 ? rc : open(options->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, rc < 0 ? -rc : errno, "content store %s", options->root);
	store = xzalloc(sizeof(*store));
	store->base.ops = &local_ops;
	store->root_fd = fd;
	store->verity = fsverity_works_in(fd);
	store->is_ordered = is_ordered(fd);
	ref_locks_init(&store->locks, options->lock_wait_ns);
	store->writers = pool_new("write", BESIDE_THREADS, BESIDE_THREADS);
	*ret_store = &store->base;
	return 0;
}

void content_local_free(struct content_store *base)
{
	struct content_local *store;

	if (base == NULL)
		return;
	store = container_of(base, struct content_local, base);
	pool_free(store->writers);
	ref_locks_done(&store->locks);
	close_fd(&store->root_fd);
	free(store);
}
