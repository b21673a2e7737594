/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack_bench plain|durable DIRECTORY LAYER…: applies layers one after the other as overlay
 * snapshots below DIRECTORY and prints the milliseconds it took, each layer and all.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "content/content_local.h"
#include "core/content.h"
#include "core/diff.h"
#include "diff/diff_walking.h"
#include "oci/media.h"
#include "os/fs.h"

struct place {
	const char *dir;
	struct content_store *content;
	struct differ *differ;
	struct ctx ctx;
	struct err err;
};

static void check(struct place *p, int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "unpack_bench: %s\n", err_text(&p->err));
	exit(1);
}

static void store(struct place *p, const char *file, char digest[DIGEST_TEXT_SIZE])
{
	struct buf data AUTO_BUF = { .limit = SIZE_MAX };
	struct content_writer *w = NULL;

	if (io_read_file(AT_FDCWD, file, &data) < 0) {
		fprintf(stderr, "unpack_bench: cannot read %s\n", file);
		exit(1);
	}
	digest_bytes(DIGEST_SHA256, data.data, data.size, digest);
	check(p, content_writer_open(p->content, &p->ctx, file, 0, digest, &w, &p->err));
	check(p, content_write(w, data.data, data.size, &p->err));
	check(p, content_commit(w, &p->ctx, 0, NULL, NULL, &p->err));
	content_writer_close(w);
}

/* Upper directory n over those before it, as the overlay snapshotter names them. */
static void make_mounts(struct place *p, int n, struct mounts *m)
{
	struct mount_spec *spec =
			mounts_add(m, n == 0 ? "bind" : "overlay", n == 0 ? "" : "overlay", "");
	AUTO_FREE char *upper = xasprintf("%s/%d/fs", p->dir, n);
	AUTO_FREE char *work = xasprintf("%s/%d/work", p->dir, n);
	struct buf lower = { .limit = SIZE_MAX };
	AUTO_FREE char *lowers = NULL;

	if (fs_make_dirs(AT_FDCWD, upper, 0755) < 0 || fs_make_dirs(AT_FDCWD, work, 0700) < 0)
		exit(1);
	if (n == 0) {
		free(spec->source);
		spec->source = xstrdup(upper);
		strv_add(&spec->options, "rw");
		strv_add(&spec->options, "rbind");
		return;
	}
	for (int i = n - 1; i >= 0; i--)
		buf_addf(&lower, "%s%s/%d/fs", lower.size > 0 ? ":" : "", p->dir, i);
	lowers = buf_take_str(&lower);
	strv_addf(&spec->options, "workdir=%s", work);
	strv_addf(&spec->options, "upperdir=%s", upper);
	strv_addf(&spec->options, "lowerdir=%s", lowers);
}

static double apply(struct place *p, int n, char *digest)
{
	const struct descriptor layer = { .media_type = (char *)(uintptr_t)MEDIA_OCI_LAYER_GZIP,
		.digest = digest };
	const struct diff_apply_options options = { 0 };
	struct descriptor applied = { 0 };
	struct mounts m = { 0 };
	int64_t start = clock_mono_ns();

	make_mounts(p, n, &m);
	check(p, diff_apply(p->differ, &p->ctx, &layer, &m, &options, &applied, &p->err));
	mounts_done(&m);
	descriptor_done(&applied);
	return (double)(clock_mono_ns() - start) / 1e6;
}

int main(int argc, char **argv)
{
	struct place p = { .ctx.what = "bench" };
	AUTO_FREE char *content = NULL;
	struct content_local_options stored = { 0 };
	struct diff_walking_options options = { 0 };
	char digests[64][DIGEST_TEXT_SIZE];
	double all = 0;

	if (argc < 4 || argc > 66) {
		fprintf(stderr, "usage: unpack_bench plain|durable DIRECTORY LAYER...\n");
		return 2;
	}
	p.dir = argv[2];
	content = xasprintf("%s/content", p.dir);
	stored.root = content;
	check(&p, content_local_new(&stored, &p.content, &p.err));
	options.content = p.content;
	options.temp_root = p.dir;
	options.helper = getenv("CTRD_LAYER_HELPER");
	options.not_durable = str_eq(argv[1], "plain");
	p.differ = diff_walking_new(&options);
	for (int i = 3; i < argc; i++)
		store(&p, argv[i], digests[i - 3]);
	sync();
	for (int i = 3; i < argc; i++) {
		double ms = apply(&p, i - 3, digests[i - 3]);

		printf("%.1f ", ms);
		all += ms;
	}
	printf("%.1f\n", all);
	differ_free(p.differ);
	content_local_free(p.content);
	return 0;
}
