/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_debug.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/log.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "loop/loop.h"
#include "os/unix_socket.h"

#define MAX_DESCRIPTION (256 * 1024)

static void describe_proc(const struct proc *p, struct buf *out)
{
	buf_addf(out, "  %s %s: %s, pid %d%s%s%s%s\n", p->is_init ? "init" : "exec", p->id,
			proc_state_name(p->state), p->pid, p->terminal ? ", terminal" : "",
			p->has_exited ? ", exited" : "", p->turns.is_held ? ", busy" : "",
			p->io != NULL && !stdio_is_drained(p->io) ? ", streams open" : "");
}

static void describe_container(const struct container *c, struct buf *out)
{
	buf_addf(out, "container %s: bundle %s, runtime %s, %u live execs%s%s\n", c->id,
			c->bundle, runc_options_binary(&c->options), c->live_execs,
			c->is_made ? "" : ", being made", c->is_pausing ? ", pausing" : "");
	if (c->init != NULL)
		describe_proc(c->init, out);
	list_for_each (it, &c->execs)
		describe_proc(list_entry(it, struct proc, node), out);
}

void debug_describe(const struct shim *s, struct buf *out)
{
	AUTO_STRV char **ids = map_sorted_keys(&s->containers);

	buf_addf(out, "shim %d: namespace %s, %zu containers%s\n", getpid(), s->ns,
			s->containers.count, s->is_stopping ? ", stopping" : "");
	for (size_t i = 0; ids != NULL && ids[i] != NULL; i++)
		describe_container(map_find(&s->containers, ids[i]), out);
}

static void on_asked(void *arg, int events)
{
	struct shim *s = arg;
	AUTO_BUF struct buf text = { .limit = MAX_DESCRIPTION };
	AUTO_CLOSE int fd = unix_accept(s->debug_listener);

	if (fd < 0)
		return;
	debug_describe(s, &text);
	/* What does not fit its buffer is lost to the asker: nobody waits for him. */
	(void)!send(fd, text.data, text.size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void debug_serve(struct shim *s, int own_listener)
{
	s->debug_listener = own_listener;
	if (loop_watch_new(s->loop, own_listener, LOOP_READ, on_asked, s) == NULL)
		log_warn(NULL, "debug socket cannot be watched (ignored)");
}
