/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshots of a namespace, over a backend in memory. */
#include "conformance/snapshot_suite.h"

#include "content/content_mem.h"
#include "meta/meta.h"
#include "snapshots/snap_mem.h"
#include "support/tempdir.h"

static struct tempdir dir;
static struct content_store *content;
static struct snapshotter *backend;
static struct meta *meta;

static struct snapshotter *open_snapshotter(void)
{
	AUTO_ERR struct err err = { 0 };
	struct meta_options options = { 0 };
	struct meta_backend backends[1];
	AUTO_FREE char *path = NULL;

	tempdir_make(&dir);
	path = xasprintf("%s/meta.mdb", dir.path);
	content = content_mem_new();
	backend = snap_mem_new();
	backends[0] = (struct meta_backend){ "mem", backend };
	options.content = content;
	options.snapshotters = backends;
	options.snapshotter_count = 1;
	assert_ok(meta_open(path, &options, &meta, &err), &err);
	return meta_snapshotter(meta, "mem");
}

static void close_snapshotter(struct snapshotter *s)
{
	meta_close(meta);
	snapshotter_free(backend);
	content_mem_free(content);
	tempdir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { SNAPSHOT_COMMON_SUITE };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
