/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_console.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/auto.h"
#include "os/pipe.h"
#include "shim_test.h"

struct fixture {
	struct loop *loop;
	struct console_hub *hub;
	struct console *console;
	int slave;
	int in, out; /* written and read by the client */
	bool done;
	char text[65536];
	size_t size;
};

static void make(struct fixture *f)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), from, to;
	struct termios raw;

	*f = (struct fixture){ .loop = loop_new() };
	f->hub = console_hub_new(f->loop);
	assert_true(master >= 0);
	assert_int_equal(unlockpt(master), 0);
	f->slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(f->slave >= 0);
	assert_int_equal(tcgetattr(f->slave, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(f->slave, TCSANOW, &raw), 0);
	assert_int_equal(pipe_make(&from, &f->in), 0);
	assert_int_equal(pipe_make(&f->out, &to), 0);
	assert_int_equal(fd_set_nonblocking(f->out, true), 0);
	assert_int_equal(console_start(f->hub, master, from, to, set_flag, &f->done,
					 &f->console),
			0);
}

static void end(struct fixture *f)
{
	console_free(f->console);
	console_hub_free(f->hub);
	close_fd(&f->in);
	close_fd(&f->out);
	close_fd(&f->slave);
	loop_free(f->loop);
}

static bool has_read(struct fixture *f, size_t size)
{
	ssize_t n = read(f->out, f->text + f->size, sizeof(f->text) - f->size);

	f->size += n > 0 ? (size_t)n : 0;
	return f->size >= size;
}

static void both_directions_pass(void **state)
{
	struct fixture f;
	char text[8];

	make(&f);
	assert_int_equal(write(f.slave, "out", 3), 3);
	run_until(f.loop, has_read(&f, 3));
	assert_memory_equal(f.text, "out", 3);
	assert_int_equal(write(f.in, "in", 2), 2);
	assert_int_equal(fd_set_nonblocking(f.slave, true), 0);
	run_until(f.loop, read(f.slave, text, sizeof(text)) == 2);
	assert_memory_equal(text, "in", 2);
	end(&f);
}

/* A container's init may close its terminal and open it again (systemd does). */
static void nobody_at_the_other_side_is_not_the_end(void **state)
{
	struct fixture f;
	char name[64];

	make(&f);
	assert_int_equal(ttyname_r(f.slave, name, sizeof(name)), 0);
	close_fd(&f.slave);
	for (int i = 0; i < 10; i++)
		loop_run_once(f.loop, 10);
	assert_false(f.done);
	f.slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(f.slave >= 0);
	assert_int_equal(write(f.slave, "back", 4), 4);
	run_until(f.loop, has_read(&f, 4));
	end(&f);
}

static void after_shutdown_the_rest_comes_and_then_the_end(void **state)
{
	struct fixture f;
	char chunk[1000];

	make(&f);
	memset(chunk, 'x', sizeof(chunk));
	assert_int_equal(write(f.slave, chunk, sizeof(chunk)), sizeof(chunk));
	console_shutdown(f.console);
	run_until(f.loop, f.done);
	assert_true(has_read(&f, sizeof(chunk)));
	assert_int_equal(read(f.out, chunk, 1), 0);
	assert_int_equal(console_resize(f.console, 80, 24), 0); /* nothing left to resize */
	end(&f);
}

static void a_client_that_reads_late_loses_nothing(void **state)
{
	struct fixture f;
	char chunk[1024];
	size_t sent = 0;

	make(&f);
	assert_int_equal(fcntl(f.out, F_SETPIPE_SZ, 4096), 4096);
	memset(chunk, 'y', sizeof(chunk));
	assert_int_equal(fd_set_nonblocking(f.slave, true), 0);
	for (int quiet = 0; quiet < 20 && sent < 30000;) {
		ssize_t n = write(f.slave, chunk, sizeof(chunk));

		sent += n > 0 ? (size_t)n : 0;
		quiet = n > 0 ? 0 : quiet + 1;
		loop_run_once(f.loop, 1);
	}
	assert_true(sent > 4096);
	console_shutdown(f.console);
	run_until(f.loop, has_read(&f, sent) && f.done);
	assert_int_equal(f.size, sent);
	end(&f);
}

static void the_end_of_the_input_ends_the_terminal(void **state)
{
	struct fixture f;

	make(&f);
	close_fd(&f.in);
	run_until(f.loop, f.done);
	assert_int_equal(write(f.slave, "x", 1), -1); /* hung up */
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_directions_pass),
		TEST(nobody_at_the_other_side_is_not_the_end),
		TEST(after_shutdown_the_rest_comes_and_then_the_end),
		TEST(a_client_that_reads_late_loses_nothing),
		TEST(the_end_of_the_input_ends_the_terminal),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
