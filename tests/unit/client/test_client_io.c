/* SPDX-License-Identifier: Apache-2.0 */
/* The test is the other side of the pipes: what a shim does. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"
#include "ctrd/ctrd.h"
#include "os/pipe.h"
#include "support/tempdir.h"
#include "unit/unit.h"

struct fixture {
	struct tempdir dir;
	int out_read, out_write, in_read, in_write;
};

static int set_up(void **state)
{
	static struct fixture f;

	tempdir_make(&f.dir);
	assert_int_equal(pipe_make(&f.out_read, &f.out_write), 0);
	assert_int_equal(pipe_make(&f.in_read, &f.in_write), 0);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	close_fd(&f->out_read);
	close_fd(&f->out_write);
	close_fd(&f->in_read);
	close_fd(&f->in_write);
	tempdir_remove(&f->dir);
	return 0;
}

static struct ctrd_io *make_io(struct fixture *f, int terminal)
{
	struct ctrd_io *io = NULL;

	assert_int_equal(ctrd_io_fifos(f->dir.path, "id", terminal, &io, NULL), 0);
	return io;
}

static void output_is_copied_until_its_writers_have_gone(void **state)
{
	struct fixture *f = *state;
	struct ctrd_io *io = make_io(f, 0);
	char got[16] = "";
	int fd;

	assert_int_equal(ctrd_io_start(io, -1, f->out_write, -1, NULL, NULL, NULL), 0);
	fd = open(ctrd_io_stdout(io), O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "hello", 5), 5);
	assert_int_equal(io_read_full(f->out_read, got, 5), 5);
	assert_string_equal(got, "hello");
	assert_int_equal(write(fd, "bye", 3), 3);
	close(fd);
	ctrd_io_wait(io);
	assert_int_equal(io_read_full(f->out_read, got, 3), 3);
	ctrd_io_free(io, 0);
}

static void waiting_ends_where_nobody_ever_wrote(void **state)
{
	struct fixture *f = *state;
	struct ctrd_io *io = make_io(f, 0);

	assert_int_equal(
			ctrd_io_start(io, -1, f->out_write, f->out_write, NULL, NULL, NULL), 0);
	ctrd_io_wait(io);
	ctrd_io_free(io, 0);
}

static void count_end(void *arg)
{
	uint64_t one = 1;

	assert_int_equal(write(*(int *)arg, &one, sizeof(one)), sizeof(one));
}

static void input_reaches_a_reader_that_comes_late_and_its_end_is_told(void **state)
{
	struct fixture *f = *state;
	struct ctrd_io *io = make_io(f, 0);
	AUTO_CLOSE int ended = eventfd(0, EFD_CLOEXEC);
	AUTO_CLOSE int fd = -1;
	AUTO_BUF struct buf b = { .limit = 100 };
	uint64_t count = 0;

	assert_int_equal(ctrd_io_start(io, f->in_read, -1, -1, count_end, &ended, NULL), 0);
	assert_int_equal(write(f->in_write, "input", 5), 5);
	close_fd(&f->in_write);
	fd = open(ctrd_io_stdin(io), O_RDONLY | O_CLOEXEC);
	assert_int_equal(io_read_all(fd, &b), 0);
	assert_string_equal(b.data, "input");
	assert_int_equal(read(ended, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	ctrd_io_free(io, 0);
}

static void freeing_ends_threads_that_wait_for_the_other_side(void **state)
{
	struct fixture *f = *state;
	struct ctrd_io *io = make_io(f, 0);

	assert_int_equal(ctrd_io_start(io, f->in_read, f->out_write, f->out_write, NULL, NULL,
					 NULL),
			0);
	ctrd_io_free(io, 0);
}

static void freeing_ends_a_copy_that_is_going_on(void **state)
{
	struct fixture *f = *state;
	struct ctrd_io *io = make_io(f, 0);
	AUTO_CLOSE int in = -1, out = -1;
	char got[4] = "";

	assert_int_equal(ctrd_io_start(io, f->in_read, f->out_write, -1, NULL, NULL, NULL), 0);
	in = open(ctrd_io_stdin(io), O_RDONLY | O_CLOEXEC);
	out = open(ctrd_io_stdout(io), O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(out, "abc", 3), 3);
	assert_int_equal(io_read_full(f->out_read, got, 3), 3);
	ctrd_io_free(io, 0);
}

static void pipes_are_private_and_removed_unless_they_are_kept(void **state)
{
	struct fixture *f = *state;
	struct ctrd_io *io = make_io(f, 0);
	char path[256];
	struct stat st;

	assert_int_equal(ctrd_io_start(io, -1, f->out_write, -1, NULL, NULL, NULL), 0);
	snprintf(path, sizeof(path), "%s", ctrd_io_stdout(io));
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(st.st_mode & 077, 0);
	ctrd_io_free(io, 1);
	assert_int_equal(stat(path, &st), 0);
	io = make_io(f, 0);
	assert_int_equal(ctrd_io_start(io, -1, f->out_write, -1, NULL, NULL, NULL), 0);
	snprintf(path, sizeof(path), "%s", ctrd_io_stdout(io));
	ctrd_io_free(io, 0);
	assert_int_equal(stat(path, &st), -1);
}

static void a_terminal_has_no_stderr_and_ids_are_no_paths(void **state)
{
	struct fixture *f = *state;
	struct ctrd_io *io = make_io(f, 1);

	assert_string_equal(ctrd_io_stderr(io), "");
	ctrd_io_free(io, 0);
	assert_int_equal(ctrd_io_fifos(f->dir.path, "../x", 0, &io, NULL), -1);
	assert_int_equal(ctrd_io_fifos(f->dir.path, "", 0, &io, NULL), -1);
}

static void log_uris_name_what_takes_the_output(void **state)
{
	struct ctrd_io *io = NULL;

	assert_int_equal(ctrd_io_uri("file:///tmp/x", &io, NULL), 0);
	assert_string_equal(ctrd_io_stdout(io), "file:///tmp/x");
	assert_string_equal(ctrd_io_stderr(io), "file:///tmp/x");
	assert_string_equal(ctrd_io_stdin(io), "");
	assert_int_equal(ctrd_io_start(io, 0, 1, 2, NULL, NULL, NULL), 0);
	ctrd_io_free(io, 0);
	assert_int_equal(ctrd_io_uri("http://x", &io, NULL), -1);
}

#define IO_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IO_TEST(output_is_copied_until_its_writers_have_gone),
		IO_TEST(waiting_ends_where_nobody_ever_wrote),
		IO_TEST(input_reaches_a_reader_that_comes_late_and_its_end_is_told),
		IO_TEST(freeing_ends_threads_that_wait_for_the_other_side),
		IO_TEST(freeing_ends_a_copy_that_is_going_on),
		IO_TEST(pipes_are_private_and_removed_unless_they_are_kept),
		IO_TEST(a_terminal_has_no_stderr_and_ids_are_no_paths),
		IO_TEST(log_uris_name_what_takes_the_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
