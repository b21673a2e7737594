/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the security table: CVE-2023-25173, 2024-40635, 2026-46680, 2026-47262. */
#include "oci/user.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "oci/user_files.h"
#include "unit/unit.h"

struct files {
	const char *passwd, *group; /* NULL: not there */
};

static int open_text(void *arg, const char *path, int *ret_fd, struct err *err)
{
	const struct files *f = arg;
	const char *text = strcmp(path, "/etc/passwd") == 0 ? f->passwd : f->group;

	if (text == NULL)
		return 0;
	*ret_fd = memfd_create("users", MFD_CLOEXEC);
	assert_int_equal(io_write_all(*ret_fd, text, strlen(text)), 0);
	assert_int_equal(lseek(*ret_fd, 0, SEEK_SET), 0);
	return 1;
}

static struct files usual = {
	"root:x:0:0:root:/root:/bin/sh\n"
	"  \n"
	"bad:x:4294967296:1::\n"
	"www:x:33:34::/var/www:/bin/sh\n"
	"4000000000:x:0:0::/:/bin/sh\n"
	"last:x:7:8",
	"root:x:0:\n"
	"www:x:34:www\n"
	"video:x:44:root,www\n"
	"audio:x:63:www,last\n"
	"big:x:99999999999:www\n",
};

static void resolve(const char *user, uint32_t uid, uint32_t gid)
{
	AUTO_ERR struct err err = { 0 };
	struct user_source source = { open_text, &usual };
	struct user_ids u = { 0 };

	assert_ok(user_resolve(user, &source, &u, &err), &err);
	assert_int_equal(u.uid, uid);
	assert_int_equal(u.gid, gid);
	assert_int_equal(u.group_count, 1);
	assert_int_equal(u.groups[0], gid);
	user_ids_done(&u);
}

static void refuse(const char *user, struct files *files, const char *text)
{
	AUTO_ERR struct err err = { 0 };
	struct user_source source = { open_text, files };
	struct user_ids u = { 0 };

	assert_int_equal(user_resolve(user, &source, &u, &err), -1);
	assert_string_equal(err_text(&err), text);
	user_ids_done(&u);
}

static void users_are_names_numbers_or_pairs(void **state)
{
	resolve("www", 33, 34);
	resolve("33", 33, 34);
	resolve("1000", 1000, 0);
	resolve("last", 7, 8);
	resolve("www:video", 33, 44);
	resolve("1000:1001", 1000, 1001);
	resolve("1000:video", 1000, 44);
	resolve("www:5", 33, 5);
}

static void numbers_are_never_names(void **state)
{
	refuse("4000000000", &usual, "invalid USER value \"4000000000\": uid out of range");
	refuse("-1", &usual, "invalid USER value \"-1\": uid out of range");
	refuse("99999999999999999999", &usual,
			"invalid USER value \"99999999999999999999\": uid out of range");
	refuse("1:2147483648", &usual, "invalid USER value \"1:2147483648\": gid out of range");
	resolve("2147483647", 2147483647, 0);
}

static void unknown_and_malformed_users_are_refused(void **state)
{
	struct files none = { NULL, NULL };

	refuse("nobody", &usual, "no users found");
	refuse("www:nogroup", &usual, "no groups found");
	refuse("a:b:c", &usual, "invalid USER value a:b:c");
	refuse("root", &none, "no users found");
	refuse("", &usual, "no users found");
}

static void an_entry_whose_number_does_not_fit_fails_closed(void **state)
{
	refuse("bad", &usual, "/etc/passwd: user \"bad\" has a bad number: invalid argument");
}

static void supplementary_groups_list_the_user_and_start_with_the_primary(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct user_source source = { open_text, &usual };
	struct user_ids u = { 0 };

	assert_ok(user_resolve("www", &source, &u, &err), &err);
	assert_ok(user_add_groups("www", &source, &u, &err), &err);
	assert_int_equal(u.group_count, 3);
	assert_int_equal(u.groups[0], 34);
	assert_int_equal(u.groups[1], 44);
	assert_int_equal(u.groups[2], 63);
	assert_ok(user_add_groups("0", &source, &u, &err), &err);
	assert_int_equal(u.group_count, 2);
	assert_int_equal(u.groups[1], 44);
	user_ids_done(&u);
}

static void missing_files_give_no_groups(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct files none = { NULL, NULL };
	struct user_source source = { open_text, &none };
	struct user_ids u = { .gid = 5 };

	assert_ok(user_add_groups("root", &source, &u, &err), &err);
	assert_int_equal(u.group_count, 1);
	assert_int_equal(u.groups[0], 5);
	user_ids_done(&u);
}

static bool keep_going(void *arg, char *const fields[USER_FIELDS])
{
	return true;
}

static void files_beyond_the_bounds_are_refused(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_CLOSE int fd = memfd_create("sparse", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, INT64_C(10) << 30), 0);
	assert_fails(user_lines_read(fd, keep_going, NULL, &err), &err, ERR_EXHAUSTED);
	assert_int_equal(ftruncate(fd, 0), 0);
	for (int i = 0; i < USER_FILE_MAX / 1024 + 1; i++) {
		char line[1024];

		memset(line, ':', sizeof(line));
		line[sizeof(line) - 1] = '\n';
		assert_int_equal(io_write_all(fd, line, sizeof(line)), 0);
	}
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_fails(user_lines_read(fd, keep_going, NULL, &err), &err, ERR_EXHAUSTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(users_are_names_numbers_or_pairs),
		TEST(numbers_are_never_names),
		TEST(unknown_and_malformed_users_are_refused),
		TEST(an_entry_whose_number_does_not_fit_fails_closed),
		TEST(supplementary_groups_list_the_user_and_start_with_the_primary),
		TEST(missing_files_give_no_groups),
		TEST(files_beyond_the_bounds_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
