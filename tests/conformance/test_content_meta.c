/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a namespace, over a backend in memory. */
#include "conformance/content_suite.h"

#include "content/content_mem.h"
#include "meta/meta.h"
#include "support/tempdir.h"

static struct tempdir dir;
static struct content_store *backend;
static struct meta *meta;

static struct content_store *open_store(void)
{
	AUTO_ERR struct err err = { 0 };
	struct meta_options options = { 0 };
	AUTO_FREE char *path = NULL;

	tempdir_make(&dir);
	path = xasprintf("%s/meta.mdb", dir.path);
	backend = content_mem_new();
	options.content = backend;
	assert_ok(meta_open(path, &options, &meta, &err), &err);
	return meta_content(meta);
}

static void close_store(struct content_store *s)
{
	meta_close(meta);
	content_mem_free(backend);
	tempdir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { CONTENT_SUITE };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
