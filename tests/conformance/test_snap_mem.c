/* SPDX-License-Identifier: Apache-2.0 */
#include "conformance/snapshot_suite.h"

#include "snapshots/snap_mem.h"

static struct snapshotter *open_snapshotter(void)
{
	return snap_mem_new();
}

static void close_snapshotter(struct snapshotter *s)
{
	snapshotter_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { SNAPSHOT_SUITE };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
