/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/extract.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/extract_priv.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/fs.h"

static bool has_entries(int root)
{
	AUTO_CLOSE int fd = fs_open_dir(root, ".");
	AUTO_FREE struct fs_dir *d = xmalloc(sizeof(*d));
	struct fs_dirent e;

	d->fd = fd;
	d->at = d->size = 0;
	return fd < 0 || fs_dir_next(d, &e) != 0;
}

struct extract *extract_new(int root, const struct extract_options *options, struct ctx *ctx)
{
	struct extract *x = xzalloc(sizeof(*x));
	struct extract_options *o = &x->options;

	x->root = root;
	x->ctx = ctx;
	x->file = x->parent.fd = -1;
	*o = *options;
	if (o->max_entries == 0)
		o->max_entries = EXTRACT_MAX_ENTRIES;
	if (o->max_bytes == 0)
		o->max_bytes = EXTRACT_MAX_BYTES;
	if (o->max_depth == 0)
		o->max_depth = EXTRACT_MAX_DEPTH;
	x->is_tracking = !o->is_overlay && has_entries(root);
	spool_init(&x->dir_times);
	if (o->write_soon)
		x->flusher = flusher_new(root);
	return x;
}

void extract_free(struct extract *x)
{
	if (x == NULL)
		return;
	extract_forget_parent(x);
	close_fd(&x->file);
	free(x->place.path);
	path_set_done(&x->paths);
	spool_done(&x->dir_times);
	flusher_free(x->flusher);
	free(x);
}

uint64_t extract_bytes(const struct extract *x)
{
	return x->bytes;
}

static int count_entry(struct extract *x, const struct tar_entry *e, struct err *err)
{
	uint64_t size = e->type == TAR_FILE ? e->size : 0;

	if (++x->entries > x->options.max_entries)
		return err_set(err, ERR_EXHAUSTED, "layer has over %llu entries",
				(unsigned long long)x->options.max_entries);
	if (size > x->options.max_bytes || x->bytes > x->options.max_bytes - size)
		return err_set(err, ERR_EXHAUSTED, "files of the layer are over %llu bytes",
				(unsigned long long)x->options.max_bytes);
	x->bytes += size;
	return 0;
}

static bool is_left_out(struct extract *x, const struct tar_entry *e)
{
	if (e->type == TAR_GLOBAL)
		return true;
	if (x->options.wants != NULL && !x->options.wants(x->options.arg, e, x->place.path))
		return true;
	if (x->options.in_userns && (e->type == TAR_CHAR || e->type == TAR_BLOCK_DEVICE)) {
		extract_warn_once(x, WARNED_DEVICE, "device",
				"archive may not be supported on system");
		return true;
	}
	return *x->place.path == '\0'; /* the root itself is the snapshotter's */
}

static bool is_known(int type)
{
	return type >= TAR_FILE && type <= TAR_FIFO;
}

int extract_begin(struct extract *x, const struct tar_entry *e, struct err *err)
{
	int rc;

	assert(x->entry == NULL && x->file < 0);
	if (ctx_done(x->ctx, err) || count_entry(x, e, err) < 0)
		return -1;
	free(take_ptr(x->place.path));
	if (extract_clean(e->path, x->options.max_depth, &x->place.path, err) < 0)
		return err_wrap(err, "%.100s", e->path);
	if (is_left_out(x, e))
		return 0;
	x->entry = e;
	x->data_left = e->type == TAR_FILE ? e->data_size : 0;
	rc = extract_find_place(x, err);
	if (rc == 0)
		rc = extract_whiteout(x, err);
	if (rc != 0) {
		x->entry = NULL;
		return rc < 0 ? -1 : 0;
	}
	if (!is_known(e->type))
		return err_plain(err, ERR_UNKNOWN, "unhandled tar header type %d", e->type);
	return extract_make(x, err);
}

bool extract_wants_data(const struct extract *x)
{
	return x->file >= 0;
}

int extract_data(struct extract *x, uint64_t at, const void *data, size_t size, struct err *err)
{
	const char *p = data;

	if (x->file < 0)
		return 0;
	if (size > x->data_left || at > x->entry->size || size > x->entry->size - at)
		return err_plain(err, ERR_UNKNOWN, "%s: more data than announced",
				x->place.path);
	x->data_left -= size;
	if (x->flusher != NULL)
		flusher_note(x->flusher, 0, size);
	while (size > 0) {
		ssize_t n = pwrite(x->file, p, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "write %s", x->place.path);
		p += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

static int end_file(struct extract *x, struct err *err)
{
	if (x->data_left > 0)
		return err_plain(err, ERR_UNKNOWN, "%s: less data than announced",
				x->place.path);
	if (x->entry->is_sparse && ftruncate(x->file, (off_t)x->entry->size) < 0)
		return err_sys(err, errno, "truncate %s", x->place.path);
	if (extract_describe(x, x->file, err) < 0)
		return -1;
	close_fd(&x->file);
	if (x->flusher != NULL)
		flusher_note(x->flusher, 1, 0);
	return 0;
}

/* The times are set at the end: what is put into a directory changes them. */
struct dir_time {
	struct timespec times[2];
	char path[];
};

static int keep_dir_times(struct extract *x, struct err *err)
{
	size_t size = sizeof(struct dir_time) + strlen(x->place.path) + 1;
	AUTO_FREE struct dir_time *t = xzalloc(size);
	int rc;

	extract_times(x->entry, t->times);
	memcpy(t->path, x->place.path, strlen(x->place.path));
	rc = spool_add(&x->dir_times, x->options.temp_dir, t, size);
	if (rc < 0)
		return err_sys(err, -rc, "keep times of directories in %s",
				str_or(x->options.temp_dir, "memory"));
	return 0;
}

static int end_dir(struct extract *x, struct err *err)
{
	AUTO_CLOSE int fd = openat(x->place.dir, x->place.name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open %s", x->place.path);
	if (x->replaced_one && extract_hide_lower(x, fd, err) < 0)
		return -1;
	if (extract_describe(x, fd, err) < 0)
		return -1;
	return keep_dir_times(x, err);
}

int extract_end(struct extract *x, struct err *err)
{
	int rc;

	if (x->entry == NULL)
		return 0;
	if (x->entry->type == TAR_FILE)
		rc = end_file(x, err);
	else if (x->entry->type == TAR_DIR)
		rc = end_dir(x, err);
	else
		rc = extract_describe(x, -1, err);
	if (rc < 0)
		return -1;
	if (x->is_tracking)
		path_set_add(&x->paths, PATH_IS_OURS, x->place.dir_path, x->place.name);
	if (x->has_removed)
		extract_forget_parent(x);
	x->has_removed = false;
	x->entry = NULL;
	return 0;
}

/* What is no directory any more, or gone, has no times to be set. */
static int set_dir_times(struct extract *x, const struct dir_time *t, struct err *err)
{
	AUTO_CLOSE int fd = fs_open_in(x->root, t->path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);

	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0)
		return err_sys(err, -fd, "open %s", t->path);
	if (utimensat(fd, "", t->times, AT_EMPTY_PATH) < 0)
		return err_sys(err, errno, "set times of %s", t->path);
	return 0;
}

int extract_finish(struct extract *x, struct err *err)
{
	AUTO_FREE char *record = xmalloc(SPOOL_MAX_RECORD);
	ssize_t n;

	assert(x->entry == NULL);
	while ((n = spool_next(&x->dir_times, record)) > 0)
		if (set_dir_times(x, (const struct dir_time *)(const void *)record, err) < 0)
			return -1;
	if (n < 0)
		return err_sys(err, (int)-n, "read times of directories");
	return 0;
}
