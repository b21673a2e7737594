/* SPDX-License-Identifier: Apache-2.0 */
/* Ingests as they lie on disk: their small files, looking at them, throwing them away. */
#include "content/content_local.h"
#include "content/content_priv.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/filter.h"
#include "os/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Refs are names that clients choose; the original sets no bound, we bound what we read. */
#define MAX_REF	 (1 << 20)
#define MAX_TEXT 256

static int read_text(int dirfd, const char *name, size_t limit, char **ret_text)
{
	struct buf text AUTO_BUF = { .limit = limit };
	int rc = io_read_file(dirfd, name, &text);

	if (rc < 0)
		return rc;
	if (text.size > 0 && strlen(text.data) != text.size)
		return -EINVAL;
	*ret_text = buf_take_str(&text);
	return 0;
}

static int read_time(int dirfd, const char *name, int64_t *ret_ns)
{
	AUTO_FREE char *text = NULL;
	int rc = read_text(dirfd, name, MAX_TEXT, &text);

	if (rc < 0)
		return rc;
	return clock_parse(text, ret_ns) ? 0 : -EINVAL;
}

static int read_total(int dirfd, int64_t *ret_total)
{
	AUTO_FREE char *text = NULL;
	int rc = read_text(dirfd, "total", MAX_TEXT, &text);

	*ret_total = 0;
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	return str_i64(text, ret_total) && *ret_total >= 0 ? 0 : -EINVAL;
}

static int read_data(int dirfd, struct content_status *s)
{
	struct stat st;
	int64_t modified;

	if (fstatat(dirfd, "data", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	s->offset = st.st_size;
	modified = st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
	if (modified > s->updated_ns)
		s->updated_ns = modified;
	return 0;
}

int ingest_read(int dirfd, struct content_status *ret_status)
{
	struct content_status s = { 0 };
	int rc = read_text(dirfd, "ref", MAX_REF, &s.ref);

	if (rc == 0)
		rc = read_time(dirfd, "startedat", &s.started_ns);
	if (rc == 0)
		rc = read_time(dirfd, "updatedat", &s.updated_ns);
	if (rc == 0)
		rc = read_total(dirfd, &s.total);
	if (rc == 0)
		rc = read_data(dirfd, &s);
	if (rc < 0) {
		content_status_done(&s);
		return rc;
	}
	*ret_status = s;
	return 0;
}

/* Not synced: an ingest whose small files a crash spoiled starts anew. */
static int write_text(int dirfd, const char *name, const char *text)
{
	AUTO_CLOSE int fd = openat(dirfd, name,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);

	if (fd < 0)
		return -errno;
	return io_write_all(fd, text, strlen(text));
}

static int write_time(int dirfd, const char *name, int64_t ns)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format_short(ns, text);
	return write_text(dirfd, name, text);
}

int ingest_write(int dirfd, const struct content_status *s)
{
	char total[24];
	int rc = write_text(dirfd, "ref", s->ref);

	if (rc == 0)
		rc = write_time(dirfd, "startedat", s->started_ns);
	if (rc == 0)
		rc = write_time(dirfd, "updatedat", s->updated_ns);
	(void)snprintf(total, sizeof(total), "%lld", (long long)s->total);
	if (rc == 0 && s->total > 0)
		rc = write_text(dirfd, "total", total);
	else if (rc == 0 && unlinkat(dirfd, "total", 0) < 0 && errno != ENOENT)
		rc = -errno;
	return rc;
}

void ingest_write_updated(int dirfd, int64_t ns)
{
	/* A reader meanwhile sees the old or the new time, never half of it. */
	if (write_time(dirfd, "updatedat.tmp", ns) == 0)
		(void)renameat(dirfd, "updatedat.tmp", dirfd, "updatedat");
}

int local_status(struct content_store *self, struct ctx *ctx, const char *ref,
		struct content_status *ret_status, struct err *err)
{
	struct content_local *store = container_of(self, struct content_local, base);
	char path[INGEST_PATH_SIZE];
	AUTO_CLOSE int dirfd = -1;
	int rc;

	ingest_path(ref, path);
	dirfd = fs_open_dir(store->root_fd, path);
	rc = dirfd < 0 ? dirfd : ingest_read(dirfd, ret_status);
	if (rc == -ENOENT)
		return err_set(err, ERR_NOT_FOUND, "ingest %s", ref);
	if (rc < 0)
		return err_sys(err, -rc, "ingest %s", ref);
	return 0;
}

static bool status_field(void *object, char *const *path, size_t n, const char **ret_value)
{
	const struct content_status *s = object;

	if (n != 1 || !str_eq(path[0], "ref"))
		return false;
	*ret_value = s->ref;
	return true;
}

int ingest_probe(struct content_local *store, const char *name)
{
	AUTO_FREE char *path = xasprintf("ingest/%s", name);
	AUTO_CLOSE int dirfd = fs_open_dir(store->root_fd, path);
	struct content_status s = { 0 };
	int rc = dirfd < 0 ? dirfd : ingest_read(dirfd, &s);

	if (rc == 0)
		content_status_done(&s);
	return rc;
}

static bool is_ingest_name(const char *name)
{
	AUTO_FREE char *digest = xasprintf("sha256:%s", name);
	AUTO_ERR struct err no = { 0 };

	return digest_check(digest, NULL, &no) == 0;
}

static void remove_half_ingest(struct content_local *store, const char *name)
{
	AUTO_FREE char *path = xasprintf("ingest/%s", name);
	int rc = fs_remove_all(store->root_fd, path);

	if (rc < 0)
		log_warn(NULL, "remove half-written %s: %s (ignored)", path, errno_text(-rc));
	else
		log_info(NULL, "removed half-written %s", path);
}

int content_local_clean(struct content_store *base, struct err *err)
{
	struct content_local *store = container_of(base, struct content_local, base);
	AUTO_STRV char **names = NULL;
	int rc = fs_list(store->root_fd, "ingest", &names);

	if (rc < 0)
		return rc == -ENOENT ? 0 : err_sys(err, -rc, "list ingests");
	for (size_t i = 0; i < strv_len(names); i++) {
		rc = is_ingest_name(names[i]) ? ingest_probe(store, names[i]) : 0;
		if (rc == -ENOENT || rc == -EINVAL)
			remove_half_ingest(store, names[i]);
	}
	return 0;
}

/* What is not an ingest, or vanishes meanwhile, is passed over. */
static int show_status(struct content_local *store, const char *name, struct filter *filter,
		content_status_each each, void *arg, struct err *err)
{
	AUTO_FREE char *path = xasprintf("ingest/%s", name);
	AUTO_CLOSE int dirfd = fs_open_dir(store->root_fd, path);
	struct content_status s = { 0 };
	int rc = 0;

	if (dirfd < 0 || ingest_read(dirfd, &s) < 0)
		return 0;
	if (filter_match(filter, status_field, &s, err))
		rc = each(arg, &s, err);
	else if (err->kind != ERR_NONE)
		rc = -1;
	content_status_done(&s);
	return rc;
}

int local_statuses(struct content_store *self, struct ctx *ctx, char *const *filters,
		content_status_each each, void *arg, struct err *err)
{
	struct content_local *store = container_of(self, struct content_local, base);
	AUTO(filter_free) struct filter *filter = NULL;
	AUTO_STRV char **names = NULL;
	int rc;

	if (filter_parse(filters, &filter, err) < 0)
		return -1;
	rc = fs_list(store->root_fd, "ingest", &names);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return err_sys(err, -rc, "list ingests");
	for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
		if (ctx_done(ctx, err))
			return -1;
		if (show_status(store, names[i], filter, each, arg, err) < 0)
			return -1;
	}
	return 0;
}

/* Whoever writes to it keeps the ref locked and fails when committing. */
int local_abort(struct content_store *self, struct ctx *ctx, const char *ref, struct err *err)
{
	struct content_local *store = container_of(self, struct content_local, base);
	char path[INGEST_PATH_SIZE];
	int rc;

	ingest_path(ref, path);
	rc = fs_remove_all(store->root_fd, path);
	if (rc < 0)
		return err_sys(err, -rc, "abort ingest %s", ref);
	return 0;
}
