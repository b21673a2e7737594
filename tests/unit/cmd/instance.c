/* SPDX-License-Identifier: Apache-2.0 */
#include "instance.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cmd/containerd/daemon_flags.h"
#include "os/fs.h"

void instance_block_signals(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		(void)sigaddset(&set, numbers[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static void write_config(const char *path, const char *dir)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	AUTO_FREE char *text = xasprintf("version = 4\n[debug]\nlevel = 'error'\n"
					 "[plugins.'io.containerd.internal.v1.opt']\n"
					 "path = '%s/opt'\n",
			dir);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

void instance_boot(struct instance *it)
{
	struct daemon_flags flags = { 0 };

	it->d = (struct daemon)DAEMON_INIT;
	it->dir = xstrdup("/tmp/ctrd-two-XXXXXX");
	assert_non_null(mkdtemp(it->dir));
	it->root = xasprintf("%s/root", it->dir);
	it->state = xasprintf("%s/state", it->dir);
	it->address = xasprintf("%s/c.sock", it->dir);
	it->config = xasprintf("%s/config.toml", it->dir);
	write_config(it->config, it->dir);
	flags.config = it->config;
	flags.root = it->root;
	flags.state = it->state;
	flags.address = it->address;
	if (daemon_boot(&flags, &it->d, &it->err) < 0)
		fail_msg("%s", err_text(&it->err));
}

static void *serve(void *arg)
{
	struct instance *it = arg;

	(void)!daemon_serve(&it->d, &it->err);
	return NULL;
}

void instance_serve(struct instance *it)
{
	assert_int_equal(thread_start(&it->thread, serve, it, "instance"), 0);
}

static void stop(struct loop_task *task)
{
	daemon_stop(&container_of(task, struct instance, stop)->d);
}

void instance_drop(struct instance *it)
{
	daemon_done(&it->d);
	assert_int_equal(fs_remove_all(AT_FDCWD, it->dir), 0);
	free(it->dir);
	free(it->root);
	free(it->state);
	free(it->address);
	free(it->config);
}

void instance_end(struct instance *it)
{
	it->stop.run = stop;
	loop_post(it->d.host.loop, &it->stop);
	thread_join(it->thread);
	assert_int_equal(it->err.kind, ERR_NONE);
	assert_int_equal(access(it->address, F_OK), -1);
	instance_drop(it);
}
