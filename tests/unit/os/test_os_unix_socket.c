/* SPDX-License-Identifier: Apache-2.0 */
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
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "os/unix_socket.h"

static char dir[] = "/tmp/ctrd-sock-XXXXXX";
static char path[64];

static int make_dir(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)unlink(path);
	return rmdir(dir);
}

static void listening_socket_has_its_mode_and_answers(void **state)
{
	AUTO_CLOSE int l = unix_listen(path, 0600);
	AUTO_CLOSE int c = -1;
	AUTO_CLOSE int s = -1;
	struct stat st;

	assert_true(l >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(unix_listen(path, 0600), -EADDRINUSE);
	assert_int_equal(unix_probe(path), 0);
	s = unix_accept(l); /* the probe's */
	assert_true(s >= 0);
	close_fd(&s);
	assert_int_equal(unix_accept(l), -EAGAIN);
	c = unix_connect(path);
	assert_true(c >= 0);
	s = unix_accept(l);
	assert_true(s >= 0);
	assert_int_equal(fcntl(s, F_GETFD), FD_CLOEXEC);
	close_fd(&l);
	assert_int_equal(unix_probe(path), -ECONNREFUSED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unix_probe(path), -ENOENT);
}

static void abstract_names_are_exact(void **state)
{
	AUTO_CLOSE int l = -1;
	char name[64];

	(void)snprintf(name, sizeof(name), "@ctrd-test-%d", (int)getpid());
	l = unix_listen(name, 0600);
	assert_true(l >= 0);
	assert_int_equal(unix_probe(name), 0);
	name[strlen(name) - 1] = '\0';
	assert_int_equal(unix_probe(name), -ECONNREFUSED);
}

static void too_long_a_path_is_refused(void **state)
{
	char name[UNIX_PATH_MAX_LEN + 2];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(unix_listen(name, 0600), -ENAMETOOLONG);
	assert_int_equal(unix_connect(name), -ENAMETOOLONG);
	assert_int_equal(unix_connect(""), -EINVAL);
}

static void send_fds(int sock, const int *fds, size_t count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = { 0 };
	char text[] = "/dev/pts/7";
	struct iovec iov = { .iov_base = text, .iov_len = strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count > 0) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &msg, 0), (ssize_t)strlen(text));
}

static int count_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void exactly_one_descriptor_is_taken(void **state)
{
	int pair[2], before, two[2] = { 0, 1 };
	AUTO_CLOSE int got = -1;
	char text[32];
	size_t size;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
					 pair),
			0);
	assert_int_equal(unix_recv_fd(pair[0], text, sizeof(text), &size, &got), -EAGAIN);
	send_fds(pair[1], two, 1);
	assert_int_equal(unix_recv_fd(pair[0], text, sizeof(text), &size, &got), 0);
	assert_int_equal(size, 10);
	assert_true(got >= 0);
	assert_int_equal(fcntl(got, F_GETFD), FD_CLOEXEC);
	before = count_fds();
	send_fds(pair[1], two, 2);
	assert_int_equal(unix_recv_fd(pair[0], text, sizeof(text), &size, &got), -EPROTO);
	send_fds(pair[1], two, 0);
	assert_int_equal(unix_recv_fd(pair[0], text, sizeof(text), &size, &got), -EPROTO);
	assert_int_equal(count_fds(), before); /* those not wanted were closed */
	close_fd(&pair[0]);
	close_fd(&pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listening_socket_has_its_mode_and_answers),
		cmocka_unit_test(abstract_names_are_exact),
		cmocka_unit_test(too_long_a_path_is_refused),
		cmocka_unit_test(exactly_one_descriptor_is_taken),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
