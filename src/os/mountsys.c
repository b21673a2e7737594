/* SPDX-License-Identifier: Apache-2.0 */
#include "os/mountsys.h"

#include "base/auto.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int mountsys_mount(const char *source, const char *target, const char *type,
		unsigned long flags, const char *data)
{
	return mount(source, target, type, flags, data) < 0 ? -errno : 0;
}

struct mount_call {
	const char *dir, *source, *target, *type, *data;
	unsigned long flags;
	int rc;
};

static void *mount_in_dir(void *arg)
{
	struct mount_call *call = arg;

	if (unshare(CLONE_FS) < 0 || chdir(call->dir) < 0)
		call->rc = -errno;
	else
		call->rc = mountsys_mount(call->source, call->target, call->type, call->flags,
				call->data);
	return NULL;
}

int mountsys_mount_from(const char *dir, const char *source, const char *target,
		const char *type, unsigned long flags, const char *data)
{
	struct mount_call call = { dir, source, target, type, data, flags, 0 };
	unsigned long thread;
	int rc = thread_start(&thread, mount_in_dir, &call, "mount");

	if (rc < 0)
		return rc;
	thread_join(thread);
	return call.rc;
}

int mountsys_umount(const char *target, int flags)
{
	return umount2(target, flags) < 0 ? -errno : 0;
}

struct umount_call {
	const char *target;
	int flags, rc;
};

/* The copy keeps the file system in use until the process has ended, and keeps nobody from
 * seeing the mount itself busy. Without one this is an ordinary umount. */
SPAWN_IN_CHILD static int umount_in_child(void *arg)
{
	struct umount_call *call = arg;
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

	if ((call->flags & UMOUNT_NOFOLLOW) != 0)
		flags |= AT_SYMLINK_NOFOLLOW;
	(void)syscall(SYS_open_tree, AT_FDCWD, call->target, flags);
	call->rc = syscall(SYS_umount2, call->target, call->flags) < 0 ? -errno : 0;
	return 0;
}

int mountsys_umount_apart(const char *target, int flags)
{
	struct umount_call call = { target, flags, 0 };
	int rc = spawn_apart(umount_in_child, &call);

	return rc < 0 ? mountsys_umount(target, flags) : call.rc;
}

int mountsys_memory_dir(void)
{
	AUTO_CLOSE int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0700", 0) < 0 ||
			fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC,
			MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -errno : fd;
}

int mountsys_clone_tree(int dirfd, const char *path, bool recursive)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
	long fd;

	if (recursive)
		flags |= AT_RECURSIVE;
	fd = syscall(SYS_open_tree, dirfd, path, flags);
	return fd < 0 ? -errno : (int)fd;
}

int mountsys_set_idmap(int tree_fd, int userns_fd, bool read_only, bool recursive)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.propagation = MS_PRIVATE,
		.userns_fd = (uint64_t)userns_fd,
	};
	unsigned int flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	if (read_only)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (syscall(SYS_mount_setattr, tree_fd, "", flags, &attr, sizeof(attr)) < 0)
		return -errno;
	return 0;
}

int mountsys_attach(int tree_fd, int to_dirfd, const char *to)
{
	unsigned int flags =
			MOVE_MOUNT_F_EMPTY_PATH | (*to == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0);

	if (syscall(SYS_move_mount, tree_fd, "", to_dirfd, to, flags) < 0)
		return -errno;
	return 0;
}

int mountsys_flags(const char *path, unsigned long *ret_flags)
{
	/* statfs(2) reports them with the values of mount(2), except ST_RELATIME. */
	static const unsigned long same = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC |
					  MS_NOATIME | MS_NODIRATIME;
	static const unsigned long st_relatime = 4096;
	struct statfs st;

	if (statfs(path, &st) < 0)
		return -errno;
	*ret_flags = (unsigned long)st.f_flags & same;
	if ((unsigned long)st.f_flags & st_relatime)
		*ret_flags |= MS_RELATIME;
	return 0;
}

/*
 * The process that owns a new user namespace while its maps are written. It shares our memory
 * and does nothing but wait to be killed: no fork, no exec, nothing of libc.
 */
static int wait_to_be_killed(void *arg)
{
	(void)arg;
	for (;;)
		(void)syscall(SYS_pause);
	return 0;
}

static int write_proc(int proc_fd, const char *name, const char *text)
{
	AUTO_CLOSE int fd = openat(proc_fd, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return io_write_all(fd, text, strlen(text));
}

static int map_userns(pid_t pid, const char *uid_map, const char *gid_map)
{
	AUTO_FREE char *proc = xasprintf("/proc/%d", (int)pid);
	AUTO_CLOSE int fd = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc, ns;

	if (fd < 0)
		return -errno;
	rc = write_proc(fd, "uid_map", uid_map);
	if (rc == 0)
		rc = write_proc(fd, "gid_map", gid_map);
	if (rc < 0)
		return rc;
	ns = openat(fd, "ns/user", O_RDONLY | O_CLOEXEC);
	return ns < 0 ? -errno : ns;
}

int mountsys_make_userns(const char *uid_map, const char *gid_map)
{
	static const size_t stack_size = 16384;
	AUTO_FREE char *stack = xmalloc(stack_size);
	sigset_t all, old;
	pid_t pid;
	int rc;

	/* With every signal blocked, no handler of ours can ever run over there. */
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = clone(wait_to_be_killed, stack + stack_size, CLONE_VM | CLONE_NEWUSER | SIGCHLD,
			NULL);
	rc = pid < 0 ? -errno : 0;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc < 0)
		return rc;
	rc = map_userns(pid, uid_map, gid_map);
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		continue;
	return rc;
}

void mountsys_fd_path(int fd, char out[MOUNTSYS_FD_PATH])
{
	(void)snprintf(out, MOUNTSYS_FD_PATH, "/proc/self/fd/%d", fd);
}
