/* SPDX-License-Identifier: Apache-2.0 */
/* Out-of-memory kills in a container's group become events, before its exit does. */
#include <errno.h>

#include "base/log.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "loop/loop.h"

static void report(struct container *c)
{
	if (oom_watch_fetch(&c->oom) > 0)
		publish_oom(c);
}

static void on_oom(void *arg, int events)
{
	report(arg);
}

void container_watch_oom(struct container *c)
{
	int rc;

	if (c->cgroup.unified) {
		rc = cgroup_enable_controllers(&c->cgroup);
		if (rc < 0)
			log_debug(NULL, "%s: enable cgroup controllers: %s (ignored)", c->id,
					errno_text(-rc));
	}
	rc = oom_watch_open(&c->oom, &c->cgroup);
	if (rc == 0)
		c->oom_ready = loop_watch_new(c->shim->loop, c->oom.fd, LOOP_READ, on_oom, c);
	if (rc < 0)
		log_debug(NULL, "%s: watch for oom: %s (ignored)", c->id, errno_text(-rc));
}

void container_end_oom(struct container *c)
{
	if (c->oom.fd < 0)
		return;
	report(c);
	loop_watch_free(c->oom_ready);
	c->oom_ready = NULL;
	oom_watch_close(&c->oom);
}
