/* SPDX-License-Identifier: Apache-2.0 */
#include "shim_lives.h"

#include "unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api/pb/task.pb-c.h"
#include "base/mem.h"
#include "os/pipe.h"
#include "os/unix_socket.h"

const char *const sleeper[] = { "sleep", "100000", NULL };

void assert_topics(struct box *b, size_t count, const char *want)
{
	AUTO_FREE char *got = box_topics(b, count);

	assert_string_equal(got, want);
}

void make(struct box *b, const char *id, const char *const *args)
{
	AUTO_FREE char *bundle = NULL;

	box_open(b);
	bundle = box_bundle(b, id, &(struct box_spec){ .args = args });
	box_start(b, id);
}

void finish(struct box *b, const char *id)
{
	if (box_status(b, id, "") != TASK__STATUS__STOPPED) {
		assert_done(b, box_kill(b, id, "", SIGKILL, false));
		assert_int_equal(box_wait(b, id, ""), 137);
	}
	assert_done(b, box_delete(b, id, ""));
	assert_done(b, box_simple(b, "Shutdown", id));
	assert_int_equal(unix_probe(b->address + strlen("unix://")), -ENOENT);
	box_close(b);
}

void fake_runtime(struct box *b, const char *script)
{
	AUTO_FREE char *text =
			xasprintf("#!/bin/sh\nREAL=runc\nDIR=%s\n%s\nexec $REAL \"$@\"\n",
					b->dir.path, script);

	put_file(b->dir.fd, "fake", text);
	assert_int_equal(fchmodat(b->dir.fd, "fake", 0755, 0), 0);
	b->runtime = arena_printf(&b->arena, "%s/fake", b->dir.path);
}

bool fake_is_gone(void *box)
{
	const struct box *b = box;
	AUTO_FREE char *pid = get_file(b->dir.fd, "fake.pid");

	return pid != NULL && box_is_gone((pid_t)strtol(pid, NULL, 10));
}

char *fifo_in(struct box *b, const char *name)
{
	char *path = arena_printf(&b->arena, "%s/%s", b->dir.path, name);

	assert_int_equal(fifo_make(path, 0600), 0);
	return path;
}
