/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "os/tty.h"

static bool is_ready(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, wait_ms) == 1;
}

static void a_hangup_wakes_the_set_once(void **state)
{
	AUTO_CLOSE int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	AUTO_CLOSE int set = edge_set_new();
	AUTO_CLOSE int slave = -1;
	void *got[4];
	char text[8];
	int mark;

	if (master < 0)
		skip();
	assert_int_equal(unlockpt(master), 0);
	assert_int_equal(edge_set_add(set, master, &mark), 0);
	while (edge_set_fetch(set, got, 4) > 0)
		continue;
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	assert_int_equal(write(slave, "hi", 2), 2);
	assert_true(is_ready(set, 10000)); /* the terminal hands over in the background */
	assert_int_equal(edge_set_fetch(set, got, 4), 1);
	assert_ptr_equal(got[0], &mark);
	assert_int_equal(read(master, text, sizeof(text)), 2);
	close_fd(&slave);
	assert_true(is_ready(set, 10000));
	assert_int_equal(edge_set_fetch(set, got, 4), 1);
	/* Still hung up, but nothing new. */
	assert_false(is_ready(set, 0));
	assert_int_equal(edge_set_fetch(set, got, 4), 0);
	edge_set_remove(set, master);
}

static void resizing_reaches_the_other_side(void **state)
{
	AUTO_CLOSE int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	AUTO_CLOSE int slave = -1;
	struct winsize size;

	if (master < 0)
		skip();
	assert_int_equal(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(tty_is(slave));
	assert_int_equal(tty_resize(master, 132, 43), 0);
	assert_int_equal(ioctl(slave, TIOCGWINSZ, &size), 0);
	assert_int_equal(size.ws_col, 132);
	assert_int_equal(size.ws_row, 43);
	errno = 0;
	assert_false(tty_is(-1));
	assert_int_equal(errno, 0);
	assert_int_equal(tty_resize(-1, 1, 1), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hangup_wakes_the_set_once),
		cmocka_unit_test(resizing_reaches_the_other_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
