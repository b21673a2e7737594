/* SPDX-License-Identifier: Apache-2.0 */
/* api_socket.h, dirs.h, environment.h and notify.h: what the daemon does before it serves. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/mem.h"
#include "os/api_socket.h"
#include "os/dirs.h"
#include "os/environment.h"
#include "os/fs.h"
#include "os/notify.h"
#include "os/unix_socket.h"

static int setup(void **state)
{
	char *dir = xstrdup("/tmp/ctrd-os-XXXXXX");

	(void)umask(022);
	assert_non_null(mkdtemp(dir));
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	char *dir = *state;

	assert_int_equal(fs_remove_all(AT_FDCWD, dir), 0);
	free(dir);
	return 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void directories_are_made_with_all_parents(void **state)
{
	AUTO_FREE char *path = xasprintf("%s/a/b/c", (char *)*state);

	assert_int_equal(dir_make_own(path, 0711), 0);
	assert_int_equal(mode_of(path), 0711);
}

static void older_wider_directories_are_tightened_never_widened(void **state)
{
	AUTO_FREE char *wide = xasprintf("%s/wide", (char *)*state);
	AUTO_FREE char *narrow = xasprintf("%s/narrow", (char *)*state);

	assert_int_equal(mkdir(wide, 0755), 0);
	assert_int_equal(mkdir(narrow, 0700), 0);
	assert_int_equal(dir_make_own(wide, 0711), 0);
	assert_int_equal(mode_of(wide), 0711);
	assert_int_equal(dir_make_own(wide, 0700), 0);
	assert_int_equal(mode_of(wide), 0700);
	assert_int_equal(dir_make_own(narrow, 0711), 0);
	assert_int_equal(mode_of(narrow), 0700);
}

static void directories_of_others_become_ours(void **state)
{
	AUTO_FREE char *path = xasprintf("%s/other", (char *)*state);
	struct stat st;

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(chown(path, 12345, 12345), 0);
	assert_int_equal(dir_make_own(path, 0711), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
}

static void a_directory_has_one_owner_at_a_time(void **state)
{
	const char *path = *state;
	int fd = dir_lock(path);

	assert_true(fd >= 0);
	assert_int_equal(dir_lock(path), -EWOULDBLOCK);
	close_fd(&fd);
	fd = dir_lock(path);
	assert_true(fd >= 0);
	close_fd(&fd);
	assert_int_equal(dir_lock("/none"), -ENOENT);
}

static void a_file_in_the_way_is_an_error(void **state)
{
	AUTO_FREE char *path = xasprintf("%s/file", (char *)*state);
	AUTO_FREE char *below = xasprintf("%s/below", path);
	AUTO_CLOSE int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(dir_make_own(path, 0700), -ENOTDIR);
	assert_int_equal(dir_make_own(below, 0700), -ENOTDIR);
	assert_int_equal(dir_make_own("", 0700), -ENOENT);
}

static void sockets_get_their_directory_mode_and_owner(void **state)
{
	AUTO_FREE char *dir = xasprintf("%s/run", (char *)*state);
	AUTO_FREE char *path = xasprintf("%s/x.sock", dir);
	uid_t uid = geteuid() == 0 ? 12345 : geteuid();
	gid_t gid = geteuid() == 0 ? 54321 : getegid();
	AUTO_CLOSE int fd = api_socket_listen(path, uid, gid);
	AUTO_CLOSE int client = -1;
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_gid, gid);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_gid, gid);
	client = unix_connect(path);
	assert_true(client >= 0);
}

static void a_dead_socket_is_replaced_a_live_one_is_not(void **state)
{
	AUTO_FREE char *path = xasprintf("%s/x.sock", (char *)*state);
	int fd = api_socket_listen(path, geteuid(), getegid());

	assert_true(fd >= 0);
	assert_int_equal(api_socket_listen(path, geteuid(), getegid()), -EADDRINUSE);
	close_fd(&fd);
	fd = api_socket_listen(path, geteuid(), getegid());
	assert_true(fd >= 0);
	close_fd(&fd);
}

static void what_is_no_socket_is_left_alone(void **state)
{
	AUTO_FREE char *path = xasprintf("%s/file", (char *)*state);
	AUTO_CLOSE int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(api_socket_listen(path, geteuid(), getegid()), -EADDRINUSE);
	assert_int_equal(mode_of(path), 0600);
}

static void long_socket_paths_are_refused(void **state)
{
	char path[API_SOCKET_PATH_MAX + 2];

	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(api_socket_listen(path, 0, 0), -ENAMETOOLONG);
}

static void variables_are_set_and_replaced(void **state)
{
	environment_set("CTRD_TEST_A", "1");
	environment_set("CTRD_TEST_A", "2");
	environment_prepend("CTRD_TEST_A", "x");
	environment_prepend("CTRD_TEST_B", "y");
	assert_string_equal(getenv("CTRD_TEST_A"), "x:2");
	assert_string_equal(getenv("CTRD_TEST_B"), "y");
}

static void the_service_manager_is_told_if_there_is_one(void **state)
{
	AUTO_FREE char *path = xasprintf("%s/n", (char *)*state);
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char text[32] = "";

	environment_set("NOTIFY_SOCKET", "");
	assert_int_equal(notify_send("READY=1"), 0);
	memcpy(sa.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	environment_set("NOTIFY_SOCKET", path);
	assert_int_equal(notify_send("READY=1"), 1);
	assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), 7);
	assert_string_equal(text, "READY=1");
	environment_set("NOTIFY_SOCKET", "relative");
	assert_int_equal(notify_send("READY=1"), -EINVAL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(directories_are_made_with_all_parents),
		CASE(older_wider_directories_are_tightened_never_widened),
		CASE(directories_of_others_become_ours),
		CASE(a_directory_has_one_owner_at_a_time),
		CASE(a_file_in_the_way_is_an_error),
		CASE(sockets_get_their_directory_mode_and_owner),
		CASE(a_dead_socket_is_replaced_a_live_one_is_not),
		CASE(what_is_no_socket_is_left_alone),
		CASE(long_socket_paths_are_refused),
		CASE(variables_are_set_and_replaced),
		CASE(the_service_manager_is_told_if_there_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
