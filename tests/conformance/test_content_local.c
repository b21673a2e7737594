/* SPDX-License-Identifier: Apache-2.0 */
#include "conformance/content_suite.h"

#include "content/content_local.h"
#include "support/tempdir.h"

static struct tempdir dir;

static struct content_store *open_store(void)
{
	AUTO_ERR struct err err = { 0 };
	struct content_local_options options = { 0 };
	struct content_store *s = NULL;

	tempdir_make(&dir);
	options.root = dir.path;
	assert_ok(content_local_new(&options, &s, &err), &err);
	return s;
}

static void close_store(struct content_store *s)
{
	content_local_free(s);
	tempdir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { CONTENT_SUITE };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
