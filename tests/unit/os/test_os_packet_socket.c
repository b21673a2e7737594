/* SPDX-License-Identifier: Apache-2.0 */
#include "os/packet_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "unit/unit.h"

static int64_t soon(void)
{
	return clock_mono_ns() + 10 * NS_PER_S;
}

static void packets_stay_apart_and_carry_descriptors(void **state)
{
	int pair[2], fds[PACKET_MAX_FDS], got[PACKET_MAX_FDS];
	char text[16];

	assert_int_equal(packet_pair(pair), 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(packet_send(pair[0], "one", 3, fds, 2, soon()), 0);
	assert_int_equal(packet_send(pair[0], "two!", 4, NULL, 0, soon()), 0);
	assert_int_equal(packet_receive(pair[1], text, sizeof(text), got, 2, soon()), 3);
	assert_memory_equal(text, "one", 3);
	assert_int_equal(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(got[1], "x", 1), 1);
	assert_int_equal(read(fds[0], text, 1), 1);
	for (int i = 0; i < 2; i++) {
		close_fd(&got[i]);
		close_fd(&fds[i]);
	}
	assert_int_equal(packet_receive(pair[1], text, sizeof(text), got, 2, soon()), 4);
	assert_int_equal(got[0], -1);
	close_fd(&pair[0]);
	assert_int_equal(packet_receive(pair[1], text, sizeof(text), got, 2, soon()), 0);
	assert_int_equal(packet_send(pair[1], "x", 1, NULL, 0, soon()), -EPIPE);
	close_fd(&pair[1]);
}

static void what_is_too_much_is_refused(void **state)
{
	int pair[2], fds[PACKET_MAX_FDS] = { 0, 0 }, got[1];
	char text[4];

	assert_int_equal(packet_pair(pair), 0);
	assert_int_equal(packet_send(pair[0], "x", 1, fds, 2, soon()), 0);
	assert_int_equal(packet_receive(pair[1], text, sizeof(text), got, 1, soon()), -EPROTO);
	assert_int_equal(got[0], -1);
	assert_int_equal(packet_send(pair[0], "too long", 8, NULL, 0, soon()), 0);
	assert_int_equal(packet_receive(pair[1], text, sizeof(text), got, 1, soon()), -EPROTO);
	assert_int_equal(packet_receive(pair[1], text, sizeof(text), got, 1, clock_mono_ns()),
			-ETIMEDOUT);
	close_fd(&pair[0]);
	close_fd(&pair[1]);
}

static void a_visitor_is_known_by_its_process(void **state)
{
	char dir[] = "/tmp/ctrd-packet-XXXXXX", path[64];
	int listener, here, there;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	assert_int_equal(packet_connect(path), -ENOENT);
	listener = packet_listen(path);
	assert_true(listener >= 0);
	assert_int_equal(packet_accept(listener, clock_mono_ns()), -ETIMEDOUT);
	there = packet_connect(path);
	here = packet_accept(listener, soon());
	assert_true(there >= 0 && here >= 0);
	assert_int_equal(packet_peer(here), getpid());
	close_fd(&here);
	close_fd(&there);
	close_fd(&listener);
	assert_int_equal(packet_connect(path), -ECONNREFUSED);
	(void)unlink(path);
	(void)rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(packets_stay_apart_and_carry_descriptors),
		TEST(what_is_too_much_is_refused),
		TEST(a_visitor_is_known_by_its_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
