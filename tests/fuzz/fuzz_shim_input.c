/* SPDX-License-Identifier: Apache-2.0 */
/* What a daemon writes to a shim's stdin, URLs of streams, and the kernel's tables: the first
 * byte chooses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "os/cgroup.h"
#include "os/mountinfo.h"
#include "shim/shim_bootstrap.h"
#include "shim/shim_flags.h"
#include "shim/shim_stdio.h"

static void bootstrap(const uint8_t *data, size_t size)
{
	const struct shim_flags flags = { .id = "a", .ns = "b", .address = "" };
	AUTO_ARENA struct arena arena = { 0 };
	AUTO_ERR struct err err = { 0 };
	struct shim_bootstrap boot;

	arena_init(&arena, 16 << 20);
	if (shim_bootstrap_read(data, size, &flags, &arena, &boot, &err) < 0 &&
			err.kind == ERR_NONE)
		abort();
}

static void url(const char *text)
{
	AUTO_ERR struct err err = { 0 };
	struct stdio_url u;

	if (stdio_url_parse(text, &u, &err) < 0 && err.kind == ERR_NONE)
		abort();
	stdio_url_done(&u);
}

static void tables(char *text)
{
	AUTO_FREE char *copy = xstrdup(text);
	AUTO_CGROUP struct cgroup v1 = { 0 };
	AUTO_CGROUP struct cgroup v2 = { 0 };
	struct cgroup_pair pair;
	struct mountinfo m;
	const char *lines = text;
	char *at = copy;
	char *half = strchr(text, '#');

	while (cgroup_next_pair(&lines, &pair))
		(void)cgroup_pair_is(&pair, "oom_kill");
	while (mountinfo_next(&at, &m))
		if (m.target == NULL || m.source == NULL || m.super_options == NULL)
			abort();
	if (half == NULL)
		return;
	*half++ = '\0';
	(void)!cgroup_parse_v1(text, half, &v1);
	(void)!cgroup_parse_v2(half, &v2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = NULL;

	if (size == 0)
		return 0;
	text = xmemdup(data + 1, size - 1);
	if (data[0] % 3 == 0)
		bootstrap(data + 1, size - 1);
	else if (data[0] % 3 == 1)
		url(text);
	else
		tables(text);
	return 0;
}
