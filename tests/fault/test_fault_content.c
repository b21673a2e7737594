/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs and ingests of the local store under faults. */
#include "fault/fault_run.h"

#include "base/ctx.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "content/content_local.h"
#include "core/content.h"

static struct ctx ctx;

/* More than one write, so that there is a middle. */
static const char text_a[] = "the first blob", text_b1[] = "the second blob, ",
		  text_b2[] = "in two sittings", text_d[] = "a blob that goes";

struct told {
	bool a, b, d;	  /* committed */
	bool d_is_gone;	  /* removed */
	int64_t b_offset; /* that many bytes of b are kept for later */
};

static int open_store(const char *root, void **ret_store, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/state/content", root);
	struct content_local_options options = { path, 0 };

	return content_local_new(&options, (struct content_store **)ret_store, err);
}

static void close_store(void *store)
{
	content_local_free(store);
}

static int write_rest(struct content_writer *w, const char *text, struct err *err)
{
	char digest[DIGEST_TEXT_SIZE];
	struct content_status s = { 0 };
	size_t size = strlen(text);
	int64_t at;

	if (content_writer_status(w, &s, digest, err) < 0)
		return -1;
	at = s.offset;
	content_status_done(&s);
	must(at >= 0 && (size_t)at <= size);
	/* In two, so that there is something between them. */
	if ((size_t)at < size / 2 &&
			content_write(w, text + at, size / 2 - (size_t)at, err) < 0)
		return -1;
	at = (size_t)at < size / 2 ? (int64_t)(size / 2) : at;
	return content_write(w, text + at, size - (size_t)at, err);
}

static int add(struct content_store *s, const char *ref, const char *text, struct err *err)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	char digest[DIGEST_TEXT_SIZE];
	int rc;

	digest_bytes(DIGEST_SHA256, text, strlen(text), digest);
	rc = content_writer_open(s, &ctx, ref, (int64_t)strlen(text), digest, &w, err);
	if (rc == 0)
		rc = write_rest(w, text, err);
	if (rc == 0)
		rc = content_commit(w, &ctx, (int64_t)strlen(text), digest, NULL, err);
	if (rc < 0 && err->kind == ERR_EXISTS) {
		err_clear(err);
		return 0;
	}
	return rc;
}

/* Leaves it half done. */
static int begin_b(struct content_store *s, struct told *told, struct err *err)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	char digest[DIGEST_TEXT_SIZE];
	struct content_status status = { 0 };
	int64_t at;

	if (content_writer_open(s, &ctx, "b", sizeof(text_b1) + sizeof(text_b2) - 2, NULL, &w,
			    err) < 0 ||
			content_writer_status(w, &status, digest, err) < 0)
		return -1;
	at = status.offset;
	content_status_done(&status);
	if (at > 0)
		return 0;
	if (content_write(w, text_b1, strlen(text_b1), err) < 0)
		return -1;
	told->b_offset = sizeof(text_b1) - 1;
	return 0;
}

static int tell(void *store, void *arg, struct err *err)
{
	AUTO_FREE char *b = xasprintf("%s%s", text_b1, text_b2);
	char d[DIGEST_TEXT_SIZE];
	struct told *told = arg;

	if (add(store, "a", text_a, err) < 0)
		return -1;
	told->a = true;
	if (!told->b && begin_b(store, told, err) < 0)
		return -1;
	if (add(store, "b", b, err) < 0)
		return -1;
	told->b = true;
	if (add(store, "another ref", text_a, err) < 0)
		return -1;
	told->d_is_gone = false;
	if (add(store, "d", text_d, err) < 0)
		return -1;
	told->d = true;
	digest_bytes(DIGEST_SHA256, text_d, strlen(text_d), d);
	told->d = false; /* from here on it may be gone */
	if (content_remove(store, &ctx, d, err) < 0)
		return -1;
	told->d_is_gone = true;
	{
		AUTO(content_writer_close) struct content_writer *w = NULL;

		if (content_writer_open(store, &ctx, "e", 0, NULL, &w, err) < 0 ||
				content_truncate(w, err) < 0 ||
				content_write(w, "x", 1, err) < 0)
			return -1;
	}
	return content_abort(store, &ctx, "e", err);
}

static bool has(struct content_store *s, const char *text)
{
	AUTO_ERR struct err err = { 0 };
	struct content_info info = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	digest_bytes(DIGEST_SHA256, text, strlen(text), digest);
	if (content_info(s, &ctx, digest, &info, &err) < 0) {
		must(err.kind == ERR_NOT_FOUND);
		return false;
	}
	content_info_done(&info);
	return true;
}

/* Whatever is there has the bytes that its name says. */
static int check_blob(void *arg, const struct content_info *i, struct err *err)
{
	AUTO(content_reader_close) struct content_reader *r = NULL;
	char bytes[256], digest[DIGEST_TEXT_SIZE];
	ssize_t n;

	must_ok(content_open(arg, &ctx, i->digest, &r, err), err);
	n = content_read_at(r, bytes, sizeof(bytes), 0, err);
	must(n == i->size);
	digest_bytes(DIGEST_SHA256, bytes, (size_t)n, digest);
	must(str_eq(digest, i->digest));
	return 0;
}

static int count(void *arg, const struct content_status *s, struct err *err)
{
	must(s->offset >= 0);
	return 0;
}

static void check(void *store, const void *arg)
{
	AUTO_FREE char *b = xasprintf("%s%s", text_b1, text_b2);
	const struct told *told = arg;
	AUTO_ERR struct err err = { 0 };

	must_ok(content_list(store, &ctx, NULL, check_blob, store, &err), &err);
	must_ok(content_status_list(store, &ctx, NULL, count, NULL, &err), &err);
	must(!told->a || has(store, text_a));
	must(!told->b || has(store, b));
	must(!told->d || has(store, text_d));
	/* What was removed may come back with the power, and what was begun may be lost: no
	 * record depends on either. */
	if (run_cut != CUT_NONE)
		return;
	must(!told->d_is_gone || !has(store, text_d));
	if (told->b_offset > 0 && !has(store, b)) {
		struct content_status s = { 0 };

		must_ok(content_status_get(store, &ctx, "b", &s, &err), &err);
		must(s.offset >= told->b_offset);
		content_status_done(&s);
	}
}

static const struct story content_story = { open_store, close_store, tell, check,
	sizeof(struct told) };

STORY_TESTS(content_story)
