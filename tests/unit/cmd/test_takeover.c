/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A takeover that comes to nothing where no thread can be started. The daemon runs in this
 * process; the one that is to take over is this program again (main()), which says hello and
 * ends when it is given something.
 */
#include "instance.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"
#include "cmd/containerd/takeover.h"
#include "cmd/containerd/takeover_wire.h"
#include "os/packet_socket.h"
#include "unit/unit.h"

#define HEIR_FD 3
#define WAIT_NS (60 * NS_PER_S)

enum when {
	NEVER,
	ALWAYS,
	WHILE_PAUSED,
};

/* What the functions below, which stand in place of the daemon's own, know of each other. */
static struct {
	struct mutex lock;
	struct cond changed;
	bool is_over;	   /* under lock */
	atomic_int refuse; /* enum when */
	atomic_bool is_paused;
	atomic_int quiesced;
} seen = { .lock = MUTEX_INIT(daemon) };

int __real_thread_start(
		unsigned long *ret_thread, void *(*run)(void *), void *arg, const char *name);
int __wrap_thread_start(
		unsigned long *ret_thread, void *(*run)(void *), void *arg, const char *name);
int __real_plugin_set_quiesce(struct plugin_set *s, int64_t mono_deadline_ns, struct err *err);
int __wrap_plugin_set_quiesce(struct plugin_set *s, int64_t mono_deadline_ns, struct err *err);
int __real_plugin_set_resume(struct plugin_set *s, struct err *err);
int __wrap_plugin_set_resume(struct plugin_set *s, struct err *err);
void __real_daemon_notify(const char *state);
void __wrap_daemon_notify(const char *state);

int __wrap_thread_start(
		unsigned long *ret_thread, void *(*run)(void *), void *arg, const char *name)
{
	int when = atomic_load(&seen.refuse);

	if (str_eq(name, "takeover") &&
			(when == ALWAYS ||
					(when == WHILE_PAUSED && atomic_load(&seen.is_paused))))
		return -EAGAIN;
	return __real_thread_start(ret_thread, run, arg, name);
}

int __wrap_plugin_set_quiesce(struct plugin_set *s, int64_t mono_deadline_ns, struct err *err)
{
	atomic_store(&seen.is_paused, true);
	atomic_fetch_add(&seen.quiesced, 1);
	return __real_plugin_set_quiesce(s, mono_deadline_ns, err);
}

int __wrap_plugin_set_resume(struct plugin_set *s, struct err *err)
{
	atomic_store(&seen.is_paused, false);
	return __real_plugin_set_resume(s, err);
}

/* From the takeover: it comes to nothing. */
void __wrap_daemon_notify(const char *state)
{
	__real_daemon_notify(state);
	LOCKED(&seen.lock);
	seen.is_over |= str_eq(state, "READY=1");
	cond_broadcast(&seen.changed);
}

struct beginning {
	struct loop_task task;
	struct daemon *d;
};

static void begin(struct loop_task *task)
{
	takeover_begin(container_of(task, struct beginning, task)->d);
}

static void wait_until_over(void)
{
	int64_t until = clock_mono_ns() + WAIT_NS;

	LOCKED(&seen.lock);
	while (!seen.is_over)
		assert_true(cond_wait_until(&seen.changed, &seen.lock, until));
}

static void fail_to_take_over(enum when refuse)
{
	static char name[] = "heir";
	static char *const argv[] = { name, NULL };
	struct instance it = { 0 };
	struct beginning b = { { .run = begin }, &it.d };

	seen.is_over = false;
	atomic_store(&seen.refuse, refuse);
	atomic_store(&seen.quiesced, 0);
	instance_boot(&it);
	it.d.program = xstrdup("/proc/self/exe");
	it.d.argv = argv;
	instance_serve(&it);
	loop_post(it.d.host.loop, &b.task);
	wait_until_over();
	instance_end(&it);
}

static void without_a_thread_nothing_is_paused(void **state)
{
	fail_to_take_over(ALWAYS);
	assert_int_equal(atomic_load(&seen.quiesced), 0);
}

static void what_is_paused_goes_on_without_a_further_thread(void **state)
{
	fail_to_take_over(WHILE_PAUSED);
	assert_int_equal(atomic_load(&seen.quiesced), 1);
	assert_false(atomic_load(&seen.is_paused));
}

static int heir(void)
{
	static const char hello[] = { TAKEOVER_HELLO, TAKEOVER_VERSION };
	int64_t until = clock_mono_ns() + WAIT_NS;
	char packet[TAKEOVER_PACKET];
	int fds[PACKET_MAX_FDS];

	return packet_send(HEIR_FD, hello, sizeof(hello), NULL, 0, until) < 0 ||
	       packet_receive(HEIR_FD, packet, sizeof(packet), fds, PACKET_MAX_FDS, until) < 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_thread_nothing_is_paused),
		TEST(what_is_paused_goes_on_without_a_further_thread),
	};

	if (str_eq(argv[0], "heir"))
		return heir();
	cond_init(&seen.changed);
	instance_block_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
