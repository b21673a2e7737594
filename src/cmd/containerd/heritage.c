/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd/heritage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cmd/containerd/takeover_wire.h"
#include "os/environment.h"
#include "os/packet_socket.h"
#include "os/process.h"
#include "os/unix_socket.h"
#include "rpc/handover.h"

#define MAX_LISTENERS 16

struct listener {
	char *name;
	int fd;
};

struct heritage {
	int control;
	struct listener listeners[MAX_LISTENERS];
	size_t count;
	bool elder_is_gone;
};

struct packet {
	char text[TAKEOVER_PACKET + 1]; /* with a 0 byte behind */
	ssize_t size;
	int fds[PACKET_MAX_FDS];
};

static int64_t in(int64_t ns)
{
	return clock_mono_ns() + ns;
}

/* --- finding the other one --- */

/* Set by the daemon that started us. */
static int inherited_control(void)
{
	const char *text = getenv(TAKEOVER_FD_VAR);
	uint64_t fd = 0;

	if (text == NULL || !str_u64(text, &fd) || fd > INT_MAX)
		return -1;
	environment_remove(TAKEOVER_FD_VAR);
	return (int)fd;
}

static int pid_of_server(const char *address, pid_t *ret_pid, struct err *err)
{
	AUTO_CLOSE int fd = unix_connect(address);

	if (fd < 0)
		return err_sys(err, -fd, "take over from the daemon at %s", address);
	*ret_pid = packet_peer(fd);
	if (*ret_pid < 0)
		return err_sys(err, -*ret_pid, "take over from the daemon at %s", address);
	return 0;
}

static int call_at(const char *path, pid_t pid, int *ret_control, struct err *err)
{
	AUTO_CLOSE int listener = packet_listen(path);
	int fd;

	if (listener < 0)
		return err_sys(err, -listener, "listen on %s", path);
	if (kill(pid, SIGUSR2) < 0)
		return err_sys(err, errno, "signal daemon %d", (int)pid);
	fd = packet_accept(listener, in(TAKEOVER_SETTLE_NS));
	if (fd < 0)
		return err_sys(err, -fd, "wait for daemon %d to call back", (int)pid);
	*ret_control = fd;
	if (packet_peer(fd) != pid)
		return err_set(err, ERR_PERMISSION, "somebody else than daemon %d called",
				(int)pid);
	return 0;
}

static int ask_server(
		const char *address, const char *state_dir, int *ret_control, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/" TAKEOVER_SOCKET, state_dir);
	pid_t pid = 0;
	int rc;

	if (pid_of_server(address, &pid, err) < 0)
		return -1;
	(void)unlink(path);
	rc = call_at(path, pid, ret_control, err);
	(void)unlink(path);
	return rc;
}

/* --- words --- */

static int receive(struct heritage *h, struct packet *p, int64_t until_ns, struct err *err)
{
	p->size = packet_receive(
			h->control, p->text, TAKEOVER_PACKET, p->fds, PACKET_MAX_FDS, until_ns);
	if (p->size < 0)
		return err_sys(err, (int)-p->size, "takeover: receive");
	if (p->size == 0)
		return err_set(err, ERR_UNAVAILABLE,
				"takeover: the daemon to be replaced has gone, or has changed "
				"its "
				"mind");
	p->text[p->size] = '\0';
	return 0;
}

static void drop_fds(struct packet *p)
{
	for (size_t i = 0; i < PACKET_MAX_FDS; i++)
		close_fd(&p->fds[i]);
}

static int say(struct heritage *h, const char *word, struct err *err)
{
	int rc = packet_send(h->control, word, strlen(word), NULL, 0, in(TAKEOVER_SWITCH_NS));

	return rc < 0 ? err_sys(err, -rc, "takeover: send") : 0;
}

static int unexpected(struct packet *p, struct err *err)
{
	drop_fds(p);
	return err_set(err, ERR_INVALID, "takeover: unexpected word %d", p->text[0]);
}

static int keep_listener(struct heritage *h, struct packet *p, struct err *err)
{
	if (h->count == MAX_LISTENERS || p->fds[0] < 0)
		return unexpected(p, err);
	h->listeners[h->count++] = (struct listener){ xstrdup(p->text + 1), p->fds[0] };
	p->fds[0] = -1;
	drop_fds(p);
	return 0;
}

static int wait_for_go(struct heritage *h, struct err *err)
{
	struct packet p;
	int64_t until = in(2 * TAKEOVER_START_NS);

	for (;;) {
		if (receive(h, &p, until, err) < 0)
			return -1;
		if (p.text[0] == TAKEOVER_GO)
			return 0;
		if (p.text[0] != TAKEOVER_LISTENER)
			return unexpected(&p, err);
		if (keep_listener(h, &p, err) < 0)
			return -1;
	}
}

int heritage_begin(bool is_asked, const char *address, const char *state_dir,
		struct heritage **ret_heritage, struct err *err)
{
	static const char hello[] = { TAKEOVER_HELLO, TAKEOVER_VERSION, '\0' };
	int control = inherited_control();
	struct heritage *h;

	ASSERT_MAY_BLOCK();
	if (control < 0 && is_asked && ask_server(address, state_dir, &control, err) < 0) {
		close_fd(&control);
		return -1;
	}
	if (control < 0)
		return 0;
	(void)fcntl(control, F_SETFD, FD_CLOEXEC);
	h = xzalloc(sizeof(*h));
	h->control = control;
	if (say(h, hello, err) < 0 || wait_for_go(h, err) < 0) {
		heritage_free(h);
		return -1;
	}
	*ret_heritage = h;
	return 0;
}

int heritage_listener(struct heritage *h, const char *name)
{
	for (size_t i = 0; h != NULL && i < h->count; i++)
		if (str_eq(h->listeners[i].name, name))
			return take_fd(&h->listeners[i].fd);
	return -1;
}

/* --- connections --- */

static int adopt(struct rpc_server *s, char wire, int own_fd, int file, struct err *err)
{
	struct stat st;
	void *map;
	int rc;

	if (own_fd < 0 || file < 0 || fstat(file, &st) < 0 || st.st_size == 0)
		return err_set(err, ERR_INVALID, "takeover: connection");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	if (map == MAP_FAILED)
		return err_sys(err, errno, "takeover: map record");
	if (wire == RPC_WIRE_GRPC)
		rc = grpc_adopt(s, own_fd, map, (size_t)st.st_size, err);
	else if (wire == RPC_WIRE_TTRPC)
		rc = ttrpc_adopt(s, own_fd, map, (size_t)st.st_size, err);
	else
		rc = err_set(err, ERR_INVALID, "takeover: connection");
	(void)munmap(map, (size_t)st.st_size);
	return rc;
}

/* One that we do not understand is closed: its client begins anew. */
static void adopt_or_close(struct rpc_server *s, struct packet *p)
{
	AUTO_ERR struct err err = { 0 };

	if (adopt(s, p->text[1], p->fds[0], p->fds[1], &err) == 0)
		p->fds[0] = -1;
	else
		log_warn(NULL, "a connection is not taken over: %s (ignored)", err_text(&err));
	drop_fds(p);
}

int heritage_adopt(struct heritage *h, struct rpc_server *s, struct err *err)
{
	struct packet p;
	int64_t until = in(TAKEOVER_SWITCH_NS);

	for (;;) {
		if (receive(h, &p, until, err) < 0)
			return -1;
		if (p.text[0] == TAKEOVER_END)
			return 0;
		if (p.text[0] != TAKEOVER_CONN || p.size != 2)
			return unexpected(&p, err);
		adopt_or_close(s, &p);
	}
}

/* A daemon that changes its mind kills us first; so if it goes without a word it has died, and
 * all is ours. */
int heritage_confirm(struct heritage *h, struct err *err)
{
	static const char ready[] = { TAKEOVER_READY, '\0' };
	struct packet p;

	ASSERT_MAY_BLOCK();
	if (packet_send(h->control, ready, 1, NULL, 0, in(TAKEOVER_SWITCH_NS)) < 0)
		return 0;
	p.size = packet_receive(h->control, p.text, TAKEOVER_PACKET, p.fds, PACKET_MAX_FDS,
			in(2 * TAKEOVER_SWITCH_NS));
	if (p.size < 0)
		return err_sys(err, (int)-p.size, "takeover: wait for the last word");
	if (p.size > 0 && p.text[0] != TAKEOVER_COMMIT)
		return unexpected(&p, err);
	return 0;
}

void heritage_free(struct heritage *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->count; i++) {
		close_fd(&h->listeners[i].fd);
		free(h->listeners[i].name);
	}
	close_fd(&h->control);
	free(h);
}
