/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/io.h"
#include "os/cgroup.h"

static void version_2_has_one_directory(void **state)
{
	char text[] = "1:name=systemd:/x\n0::/kube/pod 1\n";
	AUTO_CGROUP struct cgroup cg = { 0 };

	assert_int_equal(cgroup_parse_v2(text, &cg), 0);
	assert_string_equal(cgroup_path(&cg, "memory"), "/sys/fs/cgroup/kube/pod 1");
	assert_string_equal(cgroup_path(&cg, ""), "/sys/fs/cgroup/kube/pod 1");
}

static void a_path_that_is_not_clean_is_not_followed(void **state)
{
	char text[] = "0::/../../etc\n0::relative\n";
	AUTO_CGROUP struct cgroup cg = { 0 };

	assert_int_equal(cgroup_parse_v2(text, &cg), -ENOENT);
}

static void version_1_has_one_directory_per_controller(void **state)
{
	char members[] = "12:cpu,cpuacct:/ns/id\n11:memory:/ns/id\n3:pids:/docker/abc/x\n"
			 "1:name=systemd:/ns/id\n0::/\n";
	char mounts[] = "30 1 0:5 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup "
			"rw,cpu,cpuacct\n"
			"31 1 0:6 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
			"32 1 0:7 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
			"33 1 0:8 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
	AUTO_CGROUP struct cgroup cg = { 0 };

	assert_int_equal(cgroup_parse_v1(members, mounts, &cg), 0);
	assert_string_equal(cgroup_path(&cg, "cpu"), "/sys/fs/cgroup/cpu,cpuacct/ns/id");
	assert_string_equal(cgroup_path(&cg, "cpuacct"), "/sys/fs/cgroup/cpu,cpuacct/ns/id");
	assert_string_equal(cgroup_path(&cg, "memory"), "/sys/fs/cgroup/memory/ns/id");
	/* Only a part of this hierarchy is mounted: the path is told from there. */
	assert_string_equal(cgroup_path(&cg, "pids"), "/sys/fs/cgroup/pids/x");
	assert_null(cgroup_path(&cg, "blkio"));
}

static void pairs_are_read_and_odd_lines_skipped(void **state)
{
	const char *at = "anon 12\nbroken\nlimit max\nneg -1\nbig 18446744073709551615\n"
			 "huge 18446744073709551616\nlast 7";
	struct cgroup_pair p;

	assert_true(cgroup_next_pair(&at, &p) && cgroup_pair_is(&p, "anon"));
	assert_int_equal(p.value, 12);
	assert_false(cgroup_pair_is(&p, "ano"));
	assert_true(cgroup_next_pair(&at, &p) && cgroup_pair_is(&p, "limit"));
	assert_true(p.value == UINT64_MAX);
	assert_true(cgroup_next_pair(&at, &p) && cgroup_pair_is(&p, "big"));
	assert_true(p.value == UINT64_MAX);
	assert_true(cgroup_next_pair(&at, &p) && cgroup_pair_is(&p, "last"));
	assert_false(cgroup_next_pair(&at, &p));
}

static void numbers_are_whole(void **state)
{
	uint64_t n;

	assert_true(cgroup_parse_number("42\n", &n) && n == 42);
	assert_true(cgroup_parse_number("max\n", &n) && n == UINT64_MAX);
	assert_false(cgroup_parse_number("", &n));
	assert_false(cgroup_parse_number("4x\n", &n));
}

static void mode_follows_what_is_mounted(void **state)
{
	assert_int_equal(cgroup_mode_of(true, false, true), CGROUP_UNIFIED);
	assert_int_equal(cgroup_mode_of(false, true, true), CGROUP_HYBRID);
	assert_int_equal(cgroup_mode_of(false, false, true), CGROUP_LEGACY);
	assert_int_equal(cgroup_mode_of(true, true, false), CGROUP_UNAVAILABLE);
}

static void groups_are_named_from_the_root(void **state)
{
	assert_int_equal(cgroup_remove("relative"), -EINVAL);
	assert_int_equal(cgroup_remove("/a/../b"), -EINVAL);
	assert_int_equal(cgroup_remove("/no/such/group/of/ours"), 0);
	assert_int_equal(cgroup_add_pid("relative", 1), -EINVAL);
	assert_int_equal(cgroup_join("a/../b", getpid()), -EINVAL);
	assert_int_equal(cgroup_join("/a/./b", getpid()), -EINVAL);
	assert_int_equal(cgroup_add_pid("/a/../b", 1), -EINVAL);
	assert_int_equal(cgroup_add_pid("/a//b", 1), -EINVAL);
	assert_int_equal(cgroup_add_pid("/a/", 1), -EINVAL);
	assert_int_equal(cgroup_add_pid("/no/such/group/of/ours", getpid()), -ENOENT);
}

static void read_own(struct buf *out)
{
	assert_int_equal(io_read_file(AT_FDCWD, "/proc/self/cgroup", out), 0);
}

static void expecting_moves_moves_nobody(void **state)
{
	AUTO_BUF struct buf before = { .limit = 65536 }, after = { .limit = 65536 };

	read_own(&before);
	cgroup_expect_moves();
	read_own(&after);
	assert_int_equal(before.size, after.size);
	assert_memory_equal(before.data, after.data, before.size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_2_has_one_directory),
		cmocka_unit_test(a_path_that_is_not_clean_is_not_followed),
		cmocka_unit_test(version_1_has_one_directory_per_controller),
		cmocka_unit_test(pairs_are_read_and_odd_lines_skipped),
		cmocka_unit_test(numbers_are_whole),
		cmocka_unit_test(mode_follows_what_is_mounted),
		cmocka_unit_test(groups_are_named_from_the_root),
		cmocka_unit_test(expecting_moves_moves_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
