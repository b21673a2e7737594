/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "os/pipe.h"
#include "shim/shim_console.h"
#include "shim/shim_reaper.h"
#include "shim_test.h"
#include "support/tempdir.h"

struct fixture {
	struct loop *loop;
	struct stdio_env env;
	struct tempdir dir;
	struct stdio *io;
	bool terminal;
	int opened;
	char error[256];
	bool closed, drained;
};

static void make(struct fixture *f)
{
	*f = (struct fixture){ .loop = loop_new() };
	f->env = (struct stdio_env){ .loop = f->loop,
		.reaper = reaper_new(f->loop),
		.hub = console_hub_new(f->loop),
		.ns = "ns" };
	tempdir_make(&f->dir);
}

static void end(struct fixture *f)
{
	stdio_close(f->io, set_flag, &f->closed);
	run_until(f->loop, f->closed);
	tempdir_remove(&f->dir);
	console_hub_free(f->env.hub);
	reaper_free(f->env.reaper);
	loop_free(f->loop);
}

static void on_opened(void *arg, const struct err *err)
{
	struct fixture *f = arg;

	f->opened++;
	if (err != NULL)
		(void)snprintf(f->error, sizeof(f->error), "%s", err_text(err));
}

static void open_io(struct fixture *f, const char *in, const char *out, const char *err)
{
	struct stdio_names names = {
		.in = in, .out = out, .err = err, .id = "c1", .terminal = f->terminal
	};

	f->io = stdio_new(&f->env);
	stdio_open(f->io, &names, on_opened, f);
	run_until(f->loop, f->opened == 1);
}

static char *path_in(struct fixture *f, const char *name)
{
	return xasprintf("%s/%s", f->dir.path, name);
}

static char *make_fifo(struct fixture *f, const char *name)
{
	char *path = path_in(f, name);

	assert_int_equal(fifo_make(path, 0600), 0);
	return path;
}

static void no_names_give_nothing(void **state)
{
	struct fixture f;
	int fds[3];

	make(&f);
	open_io(&f, "", "", "");
	assert_string_equal(f.error, "");
	assert_true(stdio_child_fds(f.io, fds));
	assert_true(fds[0] == -1 && fds[1] == -1 && fds[2] == -1);
	end(&f);
}

static void a_client_may_leave_and_another_come(void **state)
{
	struct fixture f;
	AUTO_FREE char *out = NULL;
	AUTO_CLOSE int process = -1;
	AUTO_CLOSE int client = -1;
	char text[8];
	int fds[3];

	make(&f);
	out = make_fifo(&f, "out");
	open_io(&f, "", out, "");
	assert_string_equal(f.error, ""); /* without a reader: it does not wait for one */
	assert_true(stdio_child_fds(f.io, fds));
	process = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
	stdio_spawned(f.io);
	client = fifo_open(out, FIFO_READ);
	assert_int_equal(write(process, "one", 3), 3);
	run_until(f.loop, read(client, text, sizeof(text)) == 3);
	close_fd(&client);
	assert_int_equal(write(process, "two", 3), 3);
	for (int i = 0; i < 5; i++)
		loop_run_once(f.loop, 1);
	client = fifo_open(out, FIFO_READ);
	run_until(f.loop, read(client, text, sizeof(text)) == 3);
	assert_memory_equal(text, "two", 3);
	assert_false(stdio_is_drained(f.io));
	stdio_on_drained(f.io, set_flag, &f.drained);
	close_fd(&process);
	run_until(f.loop, f.drained);
	assert_int_equal(read(client, text, sizeof(text)), 0); /* the end reaches the client */
	end(&f);
}

static void input_ends_only_when_we_close_it_too(void **state)
{
	struct fixture f;
	AUTO_FREE char *in = NULL;
	AUTO_CLOSE int process = -1;
	AUTO_CLOSE int client = -1;
	char text[8];
	int fds[3];

	make(&f);
	in = make_fifo(&f, "in");
	open_io(&f, in, "", "");
	assert_true(stdio_child_fds(f.io, fds));
	process = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
	assert_int_equal(fd_set_nonblocking(process, true), 0);
	stdio_spawned(f.io);
	client = fifo_open(in, FIFO_WRITE);
	assert_true(client >= 0);
	assert_int_equal(write(client, "hi", 2), 2);
	run_until(f.loop, read(process, text, sizeof(text)) == 2);
	close_fd(&client);
	for (int i = 0; i < 5; i++)
		loop_run_once(f.loop, 1);
	assert_int_equal(read(process, text, sizeof(text)), -1);
	assert_int_equal(errno, EAGAIN);
	stdio_close_input(f.io);
	run_until(f.loop, read(process, text, sizeof(text)) == 0);
	end(&f);
}

static void a_file_takes_both_streams_in_order(void **state)
{
	struct fixture f;
	AUTO_FREE char *url = NULL;
	AUTO_FREE char *text = NULL;
	AUTO_CLOSE int out = -1;
	AUTO_CLOSE int err = -1;
	int fds[3];

	make(&f);
	url = xasprintf("file://%s/sub/dir/log", f.dir.path);
	open_io(&f, "", url, url);
	assert_string_equal(f.error, "");
	assert_true(stdio_child_fds(f.io, fds));
	out = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
	err = fcntl(fds[2], F_DUPFD_CLOEXEC, 3);
	stdio_spawned(f.io);
	stdio_on_drained(f.io, set_flag, &f.drained);
	assert_int_equal(write(out, "o", 1), 1);
	assert_int_equal(write(err, "e", 1), 1);
	close_fd(&out);
	close_fd(&err);
	run_until(f.loop, f.drained);
	text = get_file(f.dir.fd, "sub/dir/log");
	assert_int_equal(strlen(text), 2);
	end(&f);
}

static void a_logging_program_gets_what_it_was_promised(void **state)
{
	struct fixture f;
	AUTO_FREE char *script = path_in(&f, "");
	AUTO_FREE char *url = NULL;
	AUTO_FREE char *text = NULL;
	AUTO_CLOSE int out = -1;
	int fds[3];

	make(&f);
	free(script);
	script = path_in(&f, "logger");
	put_file(f.dir.fd, "logger",
			"#!/bin/sh\ntrap '' TERM\nexec >\"$2\"\necho \"$CONTAINER_ID "
			"$CONTAINER_NAMESPACE $1 "
			"$PATH\"\n"
			"exec 5>&-\ncat <&3\ncat <&4\n");
	assert_int_equal(chmod(script, 0755), 0);
	url = xasprintf("binary://%s?to=%s/log%%20file", script, f.dir.path);
	open_io(&f, "", url, "");
	assert_string_equal(f.error, "");
	assert_true(stdio_child_fds(f.io, fds));
	out = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
	stdio_spawned(f.io);
	assert_int_equal(write(out, "line\n", 5), 5);
	close_fd(&out);
	assert_true(stdio_is_drained(f.io)); /* it is not waited for, but at the close */
	stdio_close(f.io, set_flag, &f.closed);
	run_until(f.loop, f.closed);
	text = get_file(f.dir.fd, "log file");
	/* Without PATH in the environment the shell makes one up. */
	assert_memory_equal(text, "c1 ns to ", 9);
	assert_non_null(strstr(text, "\nline\n"));
	f.io = stdio_new(&f.env);
	f.closed = false;
	end(&f);
}

static void a_terminals_logging_program_ends_with_the_terminal(void **state)
{
	struct fixture f;
	AUTO_FREE char *script = NULL;
	AUTO_FREE char *url = NULL;
	AUTO_CLOSE int said = -1;
	int own, child;

	make(&f);
	script = path_in(&f, "logger");
	put_file(f.dir.fd, "logger",
			"#!/bin/sh\nexec 5>&-\ncat <&3 >\"$2\"\ncat <&4 >>\"$2\"\n"
			"mv \"$2\" \"$2\".whole\n");
	assert_int_equal(chmod(script, 0755), 0);
	url = xasprintf("binary://%s?to=%s/log", script, f.dir.path);
	f.terminal = true;
	open_io(&f, "", url, "");
	assert_string_equal(f.error, "");
	assert_int_equal(openpty(&own, &child, NULL, NULL, NULL), 0);
	assert_int_equal(stdio_attach_console(f.io, own), 0);
	assert_int_equal(write(child, "line\n", 5), 5);
	close_fd(&child);
	stdio_process_ended(f.io);
	/* Nothing but the program's end tells. */
	for (int i = 0; i < 500 && faccessat(f.dir.fd, "log.whole", F_OK, 0) < 0; i++)
		loop_run_once(f.loop, 10);
	assert_int_equal(faccessat(f.dir.fd, "log.whole", F_OK, 0), 0);
	end(&f);
}

static void a_strict_logging_program_must_say_that_it_is_ready(void **state)
{
	struct fixture f;

	make(&f);
	open_io(&f, "", "binary-v2:///bin/true", "");
	assert_string_equal(f.error, "failed to create init process I/O: logging binary did "
				     "not call ready (it may have crashed or "
				     "exited prematurely)");
	end(&f);
	make(&f);
	f.terminal = true;
	open_io(&f, "", "binary-v2:///bin/true", "");
	assert_string_equal(f.error, "failed to start console copy: logging binary did "
				     "not call ready (it may have crashed or "
				     "exited prematurely)");
	end(&f);
	make(&f);
	open_io(&f, "", "binary:///bin/true", "");
	assert_string_equal(f.error, "");
	end(&f);
	make(&f);
	open_io(&f, "", "binary:///nowhere/logger", "");
	assert_string_equal(f.error, "failed to create init process I/O: failed to start "
				     "binary process: fork/exec /nowhere/logger: "
				     "no such file or directory");
	end(&f);
}

static void names_that_are_no_streams_are_refused(void **state)
{
	struct fixture f;

	make(&f);
	open_io(&f, "", "gopher://x", "");
	assert_string_equal(f.error,
			"failed to create init process I/O: unknown STDIO scheme gopher");
	end(&f);
	make(&f);
	open_io(&f, "", "/nowhere/out", "");
	assert_string_equal(f.error,
			"failed to start io pipe copy: unable to copy pipes: "
			"containerd-shim: opening file \"/nowhere/out\" failed: open "
			"/nowhere/out: no such file or directory");
	end(&f);
	make(&f);
	open_io(&f, "", "/tmp", "");
	assert_non_null(strstr(f.error, "is a directory"));
	end(&f);
	make(&f);
	open_io(&f, "/nowhere/in", "", "");
	assert_string_equal(f.error,
			"failed to open stdin fifo /nowhere/in: open /nowhere/in: no "
			"such file or directory");
	end(&f);
}

static void urls_are_taken_apart(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct stdio_url u;

	assert_ok(stdio_url_parse("/plain?a%zz", &u, &err), &err);
	assert_int_equal(u.kind, STDIO_FIFO);
	assert_string_equal(u.path, "/plain?a%zz");
	stdio_url_done(&u);
	assert_ok(stdio_url_parse("binary-v2://host/bin/x%20y?k=v+w&flag&e=", &u, &err), &err);
	assert_int_equal(u.kind, STDIO_BINARY_STRICT);
	assert_string_equal(u.path, "/bin/x y");
	assert_int_equal(strv_len(u.args), 5);
	assert_string_equal(u.args[0], "k");
	assert_string_equal(u.args[1], "v w");
	assert_string_equal(u.args[2], "flag");
	assert_string_equal(u.args[3], "e");
	assert_string_equal(u.args[4], "");
	stdio_url_done(&u);
	assert_ok(stdio_url_parse("FILE:///a", &u, &err), &err);
	assert_int_equal(u.kind, STDIO_FILE);
	stdio_url_done(&u);
	assert_int_equal(stdio_url_parse("://x", &u, &err), -1);
	assert_string_equal(err_text(&err), "unable to parse stdout uri: parse \"://x\": "
					    "missing protocol scheme");
	err_clear(&err);
	assert_int_equal(stdio_url_parse("file://%zz/a", &u, &err), -1); /* in the host, too */
	err_clear(&err);
	assert_int_equal(stdio_url_parse("file:///a%00b", &u, &err), -1); /* hides the end */
	err_clear(&err);
	assert_int_equal(stdio_url_parse("file:///a%4", &u, &err), -1);
	err_clear(&err);
	assert_int_equal(stdio_url_parse("binary:///a?k=%", &u, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_names_give_nothing),
		TEST(a_client_may_leave_and_another_come),
		TEST(input_ends_only_when_we_close_it_too),
		TEST(a_file_takes_both_streams_in_order),
		TEST(a_logging_program_gets_what_it_was_promised),
		TEST(a_terminals_logging_program_ends_with_the_terminal),
		TEST(a_strict_logging_program_must_say_that_it_is_ready),
		TEST(names_that_are_no_streams_are_refused),
		TEST(urls_are_taken_apart),
	};

	block_sigchld();
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
