/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime tells the pid of what it has made in a file, and runc writes that file with
 * O_SYNC: in a bundle on a disk this is a commit of the disk's journal, which the caller waits
 * for and nobody needs. So the file is put into memory, where it can be, and copied to the
 * bundle, where others look for it (docs/design/022).
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_bundle.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "loop/loop.h"
#include "os/mountsys.h"
#include "os/spawn.h"

#define NOTE_MS 1

static bool is_on_disk(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC;
}

/* A script may look into the bundle for what the runtime it wraps has written there, or lead
 * into another namespace, where our descriptors have no path. */
static bool is_program(const char *name)
{
	const char *base = strrchr(name, '/');
	AUTO_FREE char *path = NULL;
	AUTO_CLOSE int fd = -1;
	char magic[SELFMAG];

	base = base == NULL ? name : base + 1;
	if (!str_eq(base, "runc") && !str_eq(base, "crun"))
		return false;
	if (spawn_find(name, getenv("PATH"), &path) < 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && io_pread_full(fd, magic, sizeof(magic), 0) == SELFMAG &&
	       memcmp(magic, ELFMAG, SELFMAG) == 0;
}

static int pid_dir(struct shim *s)
{
	struct pid_dir *d = &s->pid_dir;

	if (!d->is_tried)
		d->fd = mountsys_memory_dir();
	d->is_tried = true;
	return d->fd;
}

static char *bundle_name(const struct op *op)
{
	return op->p->is_init ? xstrdup("init.pid") : xasprintf("%s.pid", op->p->id);
}

const char *op_pid_path(struct op *op)
{
	struct shim *s = op->c->shim;
	AUTO_FREE char *name = bundle_name(op);

	op_forget_pid_path(op);
	if (is_program(runc_options_binary(&op->c->options)) && is_on_disk(op->c->bundle) &&
			pid_dir(s) >= 0) {
		op->pid_path = xasprintf("/proc/%d/fd/%d/%u", getpid(), s->pid_dir.fd,
				s->pid_dir.count++);
		op->has_pid_in_memory = true;
	} else {
		op->pid_path = xasprintf("%s/%s", op->c->bundle, name);
	}
	return op->pid_path;
}

static void note_pid(const struct proc *p, const char *name)
{
	AUTO_FREE char *text = xasprintf("%d", p->pid);
	AUTO_ERR struct err err = { 0 };

	if (bundle_write(p->c->bundle, name, text, strlen(text), &err) < 0)
		log_warn(NULL, "%s: %s (ignored)", p->c->id, err_text(&err));
}

static void on_note_init(void *arg)
{
	struct container *c = arg;

	loop_timer_free(take_ptr(c->pid_note));
	if (c->init != NULL)
		note_pid(c->init, "init.pid");
}

/* The init's is of use to "delete" after our own end, and can wait until the client, who waits
 * for us, has been answered. An exec may be gone by then. */
static void copy_to_bundle(const struct op *op)
{
	AUTO_FREE char *name = bundle_name(op);
	struct container *c = op->c;

	if (!op->p->is_init) {
		note_pid(op->p, name);
		return;
	}
	loop_timer_free(c->pid_note);
	c->pid_note = loop_timer_new(c->shim->loop, on_note_init, c);
	loop_timer_set(c->pid_note, NOTE_MS);
}

int op_read_pid(struct op *op, struct err *err)
{
	if (bundle_read_pid(op->pid_path, &op->p->pid, err) < 0)
		return -1;
	if (op->has_pid_in_memory)
		copy_to_bundle(op);
	op_forget_pid_path(op);
	return 0;
}

void op_forget_pid_path(struct op *op)
{
	if (op->has_pid_in_memory)
		(void)unlink(op->pid_path);
	op->has_pid_in_memory = false;
	free(take_ptr(op->pid_path));
}
