/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "nri/nri_frame.h"
#include "nri/nri_mux.h"

struct setting {
	struct loop *loop;
	struct nri_mux *mux;
	int peer, plugin, runtime;
	bool has_ended;
};

static void note_end(void *arg)
{
	((struct setting *)arg)->has_ended = true;
}

static struct setting set_up(void)
{
	return (struct setting){ .loop = loop_new(), .peer = -1, .plugin = -1, .runtime = -1 };
}

static void start(struct setting *s)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	s->peer = fds[1];
	assert_int_equal(nri_mux_new(s->loop, fds[0], note_end, s, &s->mux, &s->plugin,
					 &s->runtime),
			0);
}

static void tear_down(struct setting *s)
{
	nri_mux_free(s->mux);
	close_fd(&s->peer);
	close_fd(&s->plugin);
	close_fd(&s->runtime);
	loop_free(s->loop);
}

static void write_all(int fd, const void *data, size_t size)
{
	assert_int_equal(write(fd, data, size), size);
}

/* Turns the loop until "want" bytes have come. */
static void read_all(struct setting *s, int fd, void *room, size_t want)
{
	size_t have = 0;

	for (int rounds = 0; have < want && rounds < 100000; rounds++) {
		ssize_t n = recv(fd, (char *)room + have, want - have, MSG_DONTWAIT);

		if (n > 0)
			have += (size_t)n;
		else
			loop_run_once(s->loop, 10);
	}
	assert_int_equal(have, want);
}

static void run_until_ended(struct setting *s)
{
	for (int rounds = 0; !s->has_ended && rounds < 1000; rounds++)
		loop_run_once(s->loop, 10);
	assert_true(s->has_ended);
}

static void what_the_peer_sends_comes_out_where_it_belongs(void **state)
{
	struct setting s = set_up();
	char room[8];

	start(&s);
	write_all(s.peer, "\0\0\0\1\0\0\0\2ab\0\0\0\2\0\0\0\3cde\0\0\0\7\0\0\0\1x", 30);
	read_all(&s, s.plugin, room, 2);
	assert_memory_equal(room, "ab", 2);
	read_all(&s, s.runtime, room, 3);
	assert_memory_equal(room, "cde", 3);
	assert_false(s.has_ended);
	tear_down(&s);
}

static void what_we_send_has_a_header(void **state)
{
	struct setting s = set_up();
	char room[16];

	start(&s);
	write_all(s.runtime, "hello", 5);
	read_all(&s, s.peer, room, 13);
	assert_memory_equal(room, "\0\0\0\2\0\0\0\5hello", 13);
	write_all(s.plugin, "x", 1);
	read_all(&s, s.peer, room, 9);
	assert_memory_equal(room, "\0\0\0\1\0\0\0\1x", 9);
	tear_down(&s);
}

/* Go's peers cannot take longer ones. */
static void no_piece_of_ours_is_longer_than_4096_bytes(void **state)
{
	struct setting s = set_up();
	AUTO_FREE char *big = xzalloc(20000);
	unsigned char header[NRI_FRAME_HEADER];
	size_t have = 0, n;

	start(&s);
	write_all(s.plugin, big, 20000);
	while (have < 20000) {
		read_all(&s, s.peer, header, sizeof(header));
		n = (size_t)header[6] << 8 | header[7];
		assert_in_range(n, 1, NRI_FRAME_OURS);
		assert_memory_equal(header, "\0\0\0\1\0\0", 6);
		read_all(&s, s.peer, big, n);
		have += n;
	}
	tear_down(&s);
}

/* Nobody reads on our side: the rest waits with the peer, and nothing is lost. */
static void what_nobody_takes_stays_with_the_peer(void **state)
{
	struct setting s = set_up();
	enum {
		size = 4 << 20,
	};
	AUTO_FREE unsigned char *sent = xzalloc(size + NRI_FRAME_HEADER);
	AUTO_FREE unsigned char *got = xzalloc(size);
	size_t out = 0, in = 0;

	start(&s);
	for (size_t i = 0; i < size; i++)
		sent[NRI_FRAME_HEADER + i] = (unsigned char)(i * 7 + i / 251);
	nri_frame_header(sent, NRI_CONN_RUNTIME, size);
	for (int idle = 0; idle < 20;) {
		ssize_t n = send(s.peer, sent + out, size + NRI_FRAME_HEADER - out,
				MSG_DONTWAIT);

		out += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		loop_run_once(s.loop, 0);
	}
	assert_in_range(out, 1, size - 1);
	for (int rounds = 0; in < size && rounds < 100000; rounds++) {
		ssize_t n = send(s.peer, sent + out, size + NRI_FRAME_HEADER - out,
				MSG_DONTWAIT | MSG_NOSIGNAL);

		out += n > 0 ? (size_t)n : 0;
		n = recv(s.runtime, got + in, size - in, MSG_DONTWAIT);
		in += n > 0 ? (size_t)n : 0;
		loop_run_once(s.loop, 0);
	}
	assert_int_equal(in, size);
	assert_memory_equal(got, sent + NRI_FRAME_HEADER, size);
	tear_down(&s);
}

static void it_ends_with_the_peer(void **state)
{
	struct setting s = set_up();
	char room[4];

	start(&s);
	write_all(s.peer, "\0\0\0\1\0\0\0\1x", 9);
	close_fd(&s.peer);
	read_all(&s, s.plugin, room, 1);
	run_until_ended(&s);
	tear_down(&s);
}

static void it_ends_when_we_close_one_of_the_two(void **state)
{
	struct setting s = set_up();

	start(&s);
	close_fd(&s.plugin);
	run_until_ended(&s);
	tear_down(&s);
}

static void it_ends_with_a_piece_that_is_too_long(void **state)
{
	struct setting s = set_up();

	start(&s);
	write_all(s.peer, "\0\0\0\1\x7f\xff\xff\xff", 8);
	run_until_ended(&s);
	tear_down(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_the_peer_sends_comes_out_where_it_belongs),
		TEST(what_we_send_has_a_header),
		TEST(no_piece_of_ours_is_longer_than_4096_bytes),
		TEST(what_nobody_takes_stays_with_the_peer),
		TEST(it_ends_with_the_peer),
		TEST(it_ends_when_we_close_one_of_the_two),
		TEST(it_ends_with_a_piece_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
