/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "os/pipe.h"

static char dir[] = "/tmp/ctrd-pipe-XXXXXX";
static char path[64];

static int make_dir(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/fifo", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)unlink(path);
	return rmdir(dir);
}

static void both_sides_need_no_peer(void **state)
{
	AUTO_CLOSE int both = -1;
	AUTO_CLOSE int writer = -1;
	char c;

	assert_int_equal(fifo_make(path, 0700), 0);
	assert_int_equal(fifo_make(path, 0700), 0); /* exists: fine */
	assert_int_equal(fifo_open(path, FIFO_WRITE), -ENXIO);
	both = fifo_open(path, FIFO_BOTH);
	assert_true(both >= 0);
	assert_int_equal(fcntl(both, F_GETFD), FD_CLOEXEC);
	writer = fifo_open(path, FIFO_WRITE);
	assert_true(writer >= 0);
	assert_int_equal(write(writer, "x", 1), 1);
	close_fd(&writer);
	assert_int_equal(read(both, &c, 1), 1); /* survives its writer */
	assert_int_equal(read(both, &c, 1), -1);
	assert_int_equal(errno, EAGAIN);
}

static void only_a_pipe_is_opened(void **state)
{
	assert_int_equal(fifo_open("/etc/passwd", FIFO_READ), -EPROTOTYPE);
	assert_int_equal(fifo_open("/tmp", FIFO_READ), -EPROTOTYPE);
	assert_int_equal(fifo_open("/nowhere/fifo", FIFO_READ), -ENOENT);
}

static void enlarging_keeps_what_is_larger(void **state)
{
	AUTO_CLOSE int r = -1;
	AUTO_CLOSE int w = -1;

	assert_int_equal(pipe_make(&r, &w), 0);
	pipe_enlarge(w, 128 * 1024);
	assert_int_equal(fcntl(r, F_GETPIPE_SZ), 128 * 1024);
	pipe_enlarge(r, 4096);
	assert_int_equal(fcntl(r, F_GETPIPE_SZ), 128 * 1024);
	assert_int_equal(fd_set_nonblocking(r, true), 0);
	assert_true(fcntl(r, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_nonblocking(r, false), 0);
	assert_false(fcntl(r, F_GETFL) & O_NONBLOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_need_no_peer),
		cmocka_unit_test(only_a_pipe_is_opened),
		cmocka_unit_test(enlarging_keeps_what_is_larger),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
