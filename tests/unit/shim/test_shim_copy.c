/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "os/pipe.h"
#include "shim_test.h"
#include "support/tempdir.h"

struct two_pipes {
	struct loop *loop;
	int in, from, to, out; /* written at "in", read at "out" */
	bool done;
	struct copy *copy;
};

static void make(struct two_pipes *t)
{
	*t = (struct two_pipes){ .loop = loop_new() };
	assert_int_equal(pipe_make(&t->from, &t->in), 0);
	assert_int_equal(pipe_make(&t->out, &t->to), 0);
	assert_int_equal(fd_set_nonblocking(t->in, true), 0);
	assert_int_equal(fd_set_nonblocking(t->out, true), 0);
	t->copy = copy_start(t->loop, t->from, t->to, set_flag, &t->done);
	assert_non_null(t->copy);
}

static void end(struct two_pipes *t)
{
	copy_free(t->copy);
	close_fd(&t->in);
	close_fd(&t->out);
	loop_free(t->loop);
}

static void bytes_and_the_end_pass_through(void **state)
{
	struct two_pipes t;
	char text[16];

	make(&t);
	assert_int_equal(write(t.in, "hello", 5), 5);
	close_fd(&t.in);
	run_until(t.loop, t.done);
	assert_int_equal(read(t.out, text, sizeof(text)), 5);
	assert_int_equal(read(t.out, text, sizeof(text)), 0); /* closed before done was told */
	end(&t);
}

static void a_target_that_stalls_stops_the_source_and_loses_nothing(void **state)
{
	static char chunk[65536];
	struct two_pipes t;
	size_t sent = 0, got = 0;
	ssize_t n;

	make(&t);
	for (int quiet = 0; quiet < 50;) { /* until both pipes are full */
		n = write(t.in, chunk, sizeof(chunk));
		sent += n > 0 ? (size_t)n : 0;
		quiet = n > 0 ? 0 : quiet + 1;
		loop_run_once(t.loop, 0);
	}
	assert_true(sent >= 2 * COPY_PIPE_SIZE);
	close_fd(&t.in);
	while (!t.done || got < sent) {
		n = read(t.out, chunk, sizeof(chunk));
		got += n > 0 ? (size_t)n : 0;
		loop_run_once(t.loop, n > 0 || t.done ? 0 : 100);
		assert_true(n != 0 || got == sent);
	}
	end(&t);
}

static void a_target_that_is_gone_ends_the_copy(void **state)
{
	struct two_pipes t;

	make(&t);
	close_fd(&t.out);
	assert_int_equal(write(t.in, "x", 1), 1);
	run_until(t.loop, t.done);
	end(&t);
}

static void a_file_can_be_the_target(void **state)
{
	struct loop *l = loop_new();
	AUTO_FREE char *text = NULL;
	struct tempdir dir;
	struct copy *c;
	bool done = false;
	int from, in, to;

	tempdir_make(&dir);
	put_file(dir.fd, "log", "old\n");
	to = openat(dir.fd, "log", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(pipe_make(&from, &in), 0);
	assert_int_equal(fd_set_nonblocking(from, true), 0);
	c = copy_start(l, from, to, set_flag, &done);
	assert_non_null(c);
	assert_int_equal(write(in, "new\n", 4), 4);
	close_fd(&in);
	run_until(l, done);
	text = get_file(dir.fd, "log");
	assert_string_equal(text, "old\nnew\n");
	copy_free(c);
	tempdir_remove(&dir);
	loop_free(l);
}

static void a_file_can_be_the_source(void **state)
{
	struct loop *l = loop_new();
	struct tempdir dir;
	struct copy *c;
	bool done = false;
	char text[16];
	int out, to;

	tempdir_make(&dir);
	put_file(dir.fd, "in", "content");
	assert_int_equal(pipe_make(&out, &to), 0);
	c = copy_start(l, openat(dir.fd, "in", O_RDONLY | O_CLOEXEC), to, set_flag, &done);
	assert_non_null(c);
	run_until(l, done);
	assert_int_equal(read(out, text, sizeof(text)), 7);
	assert_int_equal(read(out, text, sizeof(text)), 0);
	close_fd(&out);
	copy_free(c);
	tempdir_remove(&dir);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_and_the_end_pass_through),
		TEST(a_target_that_stalls_stops_the_source_and_loses_nothing),
		TEST(a_target_that_is_gone_ends_the_copy),
		TEST(a_file_can_be_the_target),
		TEST(a_file_can_be_the_source),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
