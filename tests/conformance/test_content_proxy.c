/* SPDX-License-Identifier: Apache-2.0 */
/* Every content store behind a proxy. */
#include "conformance/content_suite.h"

#include "base/clock.h"
#include "content/content_local.h"
#include "content/content_mem.h"
#include "proxy/proxy_content.h"
#include "services/services.h"
#include "support/proxied.h"
#include "support/tempdir.h"

/* A writer that was closed is gone on the other side a moment later. */
#define LOCK_WAIT (2 * NS_PER_S)

static bool is_local; /* or in memory */
static struct tempdir dir;
static struct content_store *behind;
static struct content_service service;
static struct proxied *proxied;

static struct content_store *open_behind(void)
{
	struct content_local_options options = { dir.path, LOCK_WAIT };
	AUTO_ERR struct err err = { 0 };
	struct content_store *s = NULL;

	if (!is_local)
		return content_mem_new_waiting(LOCK_WAIT);
	assert_ok(content_local_new(&options, &s, &err), &err);
	return s;
}

static struct content_store *open_store(void)
{
	struct proxied_service services[] = { { &content_service, &service }, { 0 } };

	tempdir_make(&dir);
	behind = open_behind();
	service.store = behind;
	proxied = proxied_start(services);
	return proxy_content_new(proxied->link, NULL);
}

static void close_store(struct content_store *s)
{
	proxy_content_free(s);
	proxied_free(proxied);
	if (is_local)
		content_local_free(behind);
	else
		content_mem_free(behind);
	tempdir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { CONTENT_COMMON_SUITE };
	int failed = cmocka_run_group_tests_name("memory behind a proxy", tests, NULL, NULL);

	is_local = true;
	return failed + cmocka_run_group_tests_name("local behind a proxy", tests, NULL, NULL);
}
