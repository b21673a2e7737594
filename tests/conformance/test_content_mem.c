/* SPDX-License-Identifier: Apache-2.0 */
#include "conformance/content_suite.h"

#include "content/content_mem.h"

static struct content_store *open_store(void)
{
	return content_mem_new();
}

static void close_store(struct content_store *s)
{
	content_mem_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { CONTENT_SUITE };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
