/* SPDX-License-Identifier: Apache-2.0 */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/str.h"

#ifndef PR_SCHED_CORE /* linux/prctl.h of 5.14 */
#define PR_SCHED_CORE	     62
#define PR_SCHED_CORE_CREATE 1
#endif
#define SCHED_CORE_GROUP 2

#define OOM_SCORE_MIN -1000
#define OOM_SCORE_MAX 1000

int pidfd_of(pid_t pid)
{
	int fd = pidfd_open(pid, 0);

	return fd < 0 ? -errno : fd;
}

int pidfd_signal(int pidfd, int signo)
{
	return pidfd_send_signal(pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

bool pidfd_is_child(int pidfd)
{
	siginfo_t info;

	return waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int process_be_subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
}

pid_t process_reap(int *ret_status)
{
	int status;
	pid_t pid;

	do {
		pid = waitpid(-1, &status, WNOHANG);
	} while (pid < 0 && errno == EINTR);
	if (pid < 0)
		return -errno;
	if (pid > 0)
		*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
						  : WEXITSTATUS(status);
	return pid;
}

static int open_oom_score(pid_t pid, int flags)
{
	char path[64];
	int fd;

	if (pid == 0)
		(void)snprintf(path, sizeof(path), "/proc/self/oom_score_adj");
	else
		(void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int process_oom_score(pid_t pid, int *ret_score)
{
	AUTO_CLOSE int fd = open_oom_score(pid, O_RDONLY);
	char text[32] = { 0 };
	int64_t value;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = io_read_full(fd, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[strcspn(text, "\n")] = '\0';
	if (!str_i64(text, &value) || value < OOM_SCORE_MIN || value > OOM_SCORE_MAX)
		return -EINVAL;
	*ret_score = (int)value;
	return 0;
}

int process_set_oom_score(pid_t pid, int score)
{
	AUTO_CLOSE int fd = open_oom_score(pid, O_WRONLY);
	char text[16];
	int n;

	if (fd < 0)
		return fd;
	if (score < OOM_SCORE_MIN)
		score = OOM_SCORE_MIN;
	if (score > OOM_SCORE_MAX)
		score = OOM_SCORE_MAX;
	n = snprintf(text, sizeof(text), "%d", score);
	return io_write_all(fd, text, (size_t)n);
}

/* The first user namespace maps every id to itself, in one line. */
bool process_in_userns(void)
{
	AUTO_CLOSE int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	unsigned inside, outside, count;
	char text[256] = { 0 };

	if (fd < 0 || io_read_full(fd, text, sizeof(text) - 1) <= 0)
		return false;
	if (sscanf(text, "%u %u %u", &inside, &outside, &count) != 3)
		return false;
	return inside != 0 || outside != 0 || count != 4294967295U;
}

int process_sched_core(void)
{
	if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, SCHED_CORE_GROUP, 0) < 0)
		return -errno;
	return 0;
}

int process_be_idle(void)
{
	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
			    IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)) < 0)
		return -errno;
	return 0;
}
