/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "os/mountinfo.h"

static void entries_are_cut_and_unescaped(void **state)
{
	char text[] = "22 1 0:20 / /a\\040b rw,nosuid shared:1 master:2 - tmpfs none "
		      "rw,size=1k\n"
		      "bad line\n"
		      "23 1 0:21 /sub\\134x /c rw -  ext4  rw\n"
		      "24 1 0:21 / /d rw - overlay  rw\n";
	struct mountinfo m;
	char *at = text;

	assert_true(mountinfo_next(&at, &m));
	assert_string_equal(m.target, "/a b");
	assert_string_equal(m.root, "/");
	assert_string_equal(m.fstype, "tmpfs");
	assert_string_equal(m.super_options, "rw,size=1k");
	assert_true(mountinfo_next(&at, &m)); /* two blanks: an empty field */
	assert_string_equal(m.root, "/sub\\x");
	assert_true(mountinfo_next(&at, &m)); /* no source is still a mount */
	assert_string_equal(m.target, "/d");
	assert_string_equal(m.source, "");
	assert_false(mountinfo_next(&at, &m));
	assert_false(mountinfo_next(&at, &m));
}

static void our_own_table_has_a_root(void **state)
{
	AUTO_BUF struct buf text = { .limit = 4 * 1024 * 1024 };
	struct mountinfo m;
	bool found = false;
	char *at;

	assert_int_equal(mountinfo_read(&text), 0);
	at = text.data;
	while (mountinfo_next(&at, &m))
		found |= strcmp(m.target, "/") == 0;
	assert_true(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_cut_and_unescaped),
		cmocka_unit_test(our_own_table_has_a_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
