/* SPDX-License-Identifier: Apache-2.0 */
/* Reading every blob again (docs/design/033-verify.md). */
#include "content/content_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "content/content_local.h"
#include "core/finding.h"
#include "os/fs.h"

struct scrub {
	struct content_local *store;
	struct ctx *ctx;
	const struct finding_sink *sink;
};

static int leftover(const struct scrub *s, const char *dir, const char *name, const char *why,
		struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);

	return finding_tell(s->sink, FINDING_LEFTOVER, "file", path, err, "%s", why);
}

static int damaged(const struct scrub *s, const char *digest, const char *why, struct err *err)
{
	return finding_tell(s->sink, FINDING_DAMAGED, "blob", digest, err, "%s", why);
}

/* What cannot be read is damaged; only the caller's end of time is a failure. */
static int scrub_bytes(const struct scrub *s, const char *digest, enum digest_alg alg, int fd,
		struct err *err)
{
	AUTO(digester_free) struct digester *d = digester_new(alg);
	AUTO_ERR struct err unread = { 0 };
	char actual[DIGEST_TEXT_SIZE];
	int64_t size;
	int rc;

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	rc = hash_file(fd, d, &size, s->ctx, &unread);
	/* A scrub of everything is no reason to forget what is in use. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (rc < 0 && ctx_done(s->ctx, err))
		return -1;
	if (rc < 0)
		return damaged(s, digest, err_text(&unread), err);
	digester_text(d, actual);
	if (str_eq(actual, digest))
		return 0;
	return finding_tell(s->sink, FINDING_DAMAGED, "blob", digest, err,
			"its %lld bytes have the digest %s", (long long)size, actual);
}

static int scrub_blob(const struct scrub *s, const char *dir, int dir_fd, const char *digest,
		struct err *err)
{
	const char *hex = digest_hex(digest);
	AUTO_ERR struct err none = { 0 };
	enum digest_alg alg;
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (digest_check(digest, &alg, &none) < 0)
		return leftover(s, dir, hex, "no name that a blob has", err);
	fd = openat(dir_fd, hex, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return 0; /* removed meanwhile */
	if (fd < 0 && errno != ELOOP && errno != ENXIO)
		return damaged(s, digest, errno_text(errno), err);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return damaged(s, digest, "is not a file", err);
	return scrub_bytes(s, digest, alg, fd, err);
}

static bool is_algorithm(const char *name)
{
	for (int alg = DIGEST_SHA256; alg <= DIGEST_SHA512; alg++)
		if (str_eq(name, digest_alg_name((enum digest_alg)alg)))
			return true;
	return false;
}

static int scrub_algorithm(const struct scrub *s, const char *name, struct err *err)
{
	AUTO_FREE char *dir = xasprintf("blobs/%s", name);
	AUTO_CLOSE int dir_fd = fs_open_dir(s->store->root_fd, dir);
	AUTO_STRV char **names = NULL;
	int rc;

	if (dir_fd < 0 || !is_algorithm(name))
		return leftover(s, "blobs", name, "no directory of blobs", err);
	rc = fs_list(dir_fd, ".", &names);
	if (rc < 0)
		return err_sys(err, -rc, "list %s", dir);
	for (size_t i = 0; i < strv_len(names); i++) {
		AUTO_FREE char *digest = xasprintf("%s:%s", name, names[i]);

		if (ctx_done(s->ctx, err) || scrub_blob(s, dir, dir_fd, digest, err) < 0)
			return -1;
	}
	return 0;
}

static int look_at_ingests(const struct scrub *s, struct err *err)
{
	AUTO_STRV char **names = NULL;
	int rc = fs_list(s->store->root_fd, "ingest", &names);

	if (rc < 0)
		return rc == -ENOENT ? 0 : err_sys(err, -rc, "list ingests");
	for (size_t i = 0; i < strv_len(names); i++)
		if (ingest_probe(s->store, names[i]) < 0 &&
				leftover(s, "ingest", names[i], "no ingest, or half of one",
						err) < 0)
			return -1;
	return 0;
}

int content_local_verify(struct content_store *base, struct ctx *ctx,
		const struct finding_sink *sink, struct err *err)
{
	struct scrub s = { container_of(base, struct content_local, base), ctx, sink };
	AUTO_STRV char **names = NULL;
	int rc;

	ASSERT_MAY_BLOCK();
	rc = fs_list(s.store->root_fd, "blobs", &names);
	if (rc < 0 && rc != -ENOENT)
		return err_sys(err, -rc, "list blobs");
	for (size_t i = 0; i < strv_len(names); i++)
		if (scrub_algorithm(&s, names[i], err) < 0)
			return -1;
	return look_at_ingests(&s, err);
}
