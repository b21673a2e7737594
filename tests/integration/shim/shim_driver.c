/* SPDX-License-Identifier: Apache-2.0 */
/* The shim as a daemon meets it: lives of containers. Usage: shim_driver [NAME OF A TEST] */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/bootstrap.pb-c.h"
#include "api/pb/cgroups_v1.pb-c.h"
#include "api/pb/cgroups_v2.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/task.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/cgroup.h"
#include "os/pipe.h"
#include "os/unix_socket.h"
#include "shim_lives.h"
#include "shim_tests.h"

static bool shim_is_gone(void *arg)
{
	return box_is_gone(*(pid_t *)arg);
}

void a_container_lives_and_dies_in_order(void **state)
{
	struct box b;
	pid_t shim;
	int pid;

	make(&b, "c1", sleeper);
	shim = box_shim_pid(&b);
	pid = box_create(&b, "c1", "", "", "");
	assert_true(pid > 0);
	assert_int_equal(box_status(&b, "c1", ""), TASK__STATUS__CREATED);
	assert_int_equal(box_begin(&b, "c1", ""), pid);
	assert_int_equal(box_status(&b, "c1", ""), TASK__STATUS__RUNNING);
	assert_int_equal(box_begin(&b, "c1", ""), -1);
	assert_string_equal(err_text(&b.err), "cannot start a running process");
	assert_int_equal(box_delete(&b, "c1", ""), -1);
	assert_done(&b, box_kill(&b, "c1", "", SIGTERM, false));
	assert_done(&b, box_kill(&b, "c1", "", SIGKILL, false));
	assert_int_equal(box_wait(&b, "c1", ""), 137);
	assert_int_equal(box_status(&b, "c1", ""), TASK__STATUS__STOPPED);
	assert_int_equal(box_kill(&b, "c1", "", SIGKILL, false), -1);
	assert_int_equal(b.err.kind, ERR_NOT_FOUND);
	assert_int_equal(box_delete(&b, "c1", ""), 137);
	assert_int_equal(box_status(&b, "c1", ""), -1);
	assert_string_equal(err_text(&b.err), "container not created: not found");
	assert_topics(&b, 4, "create start exit delete");
	assert_int_equal(b.log[2].pid, pid);
	assert_int_equal(b.log[3].status, 137);
	assert_done(&b, box_simple(&b, "Shutdown", "c1"));
	assert_true(box_eventually(shim_is_gone, &shim));
	box_close(&b);
}

struct noted {
	const struct box *b;
	int pid;
};

static bool pid_is_noted(void *arg)
{
	const struct noted *n = arg;
	AUTO_FREE char *want = xasprintf("%d", n->pid);
	AUTO_FREE char *text = is_there(n->b->dir.fd, "bundles/c1/init.pid")
					       ? get_file(n->b->dir.fd, "bundles/c1/init.pid")
					       : NULL;

	return text != NULL && str_eq(text, want);
}

/* Wherever the runtime writes it: "delete" reads it there, after the shim's own end. */
void the_pid_and_options_of_a_container_stand_in_its_bundle(void **state)
{
	struct noted n;
	struct box b;

	make(&b, "c1", sleeper);
	n = (struct noted){ &b, box_create(&b, "c1", "", "", "") };
	assert_true(n.pid > 0);
	assert_true(box_eventually(pid_is_noted, &n));
	assert_true(is_there(b.dir.fd, "bundles/c1/options.json"));
	assert_true(is_there(b.dir.fd, "bundles/c1/runtime"));
	assert_true(box_begin(&b, "c1", "") > 0);
	finish(&b, "c1");
}

void both_task_api_versions_are_served(void **state)
{
	struct box b;

	make(&b, "c1", sleeper);
	b.service = "containerd.task.v2.Task";
	assert_true(box_create(&b, "c1", "", "", "") > 0);
	b.service = "containerd.task.v3.Task";
	assert_true(box_begin(&b, "c1", "") > 0);
	b.service = "containerd.task.v4.Task";
	assert_int_equal(box_status(&b, "c1", ""), -1);
	assert_int_equal(b.err.kind, ERR_UNIMPLEMENTED);
	b.service = "containerd.task.v2.Task";
	finish(&b, "c1");
}

void an_old_daemon_gets_an_address_and_finds_it_again(void **state)
{
	AUTO_FREE char *file = NULL;
	struct stat st;
	struct box b;

	make(&b, "c1", sleeper);
	assert_true(str_starts(b.address, "unix:///run/containerd/s/"));
	assert_int_equal(stat(b.address + strlen("unix://"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	file = get_file(b.dir.fd, "bundles/c1/address");
	assert_string_equal(file, b.address);
	assert_done(&b, box_simple(&b, "Shutdown", "c1"));
	box_close(&b);
}

/* As a daemon of 2.3 does, with a socket directory of the test's own. */
static void start_new(struct box *b, const char *id, Bootstrap__LogLevel level)
{
	Bootstrap__BootstrapParams p = BOOTSTRAP__BOOTSTRAP_PARAMS__INIT;
	const Bootstrap__BootstrapResult *result;
	AUTO_BUF struct buf input = { .limit = 4096 };
	AUTO_FREE char *output = NULL;
	ProtobufCMessage *m;
	size_t size;
	int status;

	p.instance_id = id;
	p.namespace_ = "box";
	p.log_level = level;
	p.containerd_ttrpc_address = b->events;
	p.containerd_grpc_address = "/other/c.sock";
	p._socket_dir_case = BOOTSTRAP__BOOTSTRAP_PARAMS___SOCKET_DIR_SOCKET_DIR;
	p.socket_dir = arena_printf(&b->arena, "%s/s", b->dir.path);
	pb_encode(&p.base, &input);
	output = box_run(b, id, "start", input.data, input.size, &status, &size);
	assert_int_equal(status, 0);
	assert_done(b, pb_decode(&bootstrap__bootstrap_result__descriptor, output, size,
				       &b->arena, NULL, &m, &b->err));
	result = (const Bootstrap__BootstrapResult *)m;
	assert_int_equal(result->version, 3);
	assert_string_equal(result->protocol, "ttrpc");
	assert_true(str_starts(result->address + strlen("unix://"), p.socket_dir));
	(void)snprintf(b->address, sizeof(b->address), "%s", result->address);
	box_connect(b);
}

void a_new_daemon_gets_a_bootstrap_result(void **state)
{
	AUTO_FREE char *bundle = NULL;
	struct box b;

	box_open(&b);
	bundle = box_bundle(&b, "c1", &(struct box_spec){ .args = sleeper });
	start_new(&b, "c1", BOOTSTRAP__LOG_LEVEL__LOG_LEVEL_INFO);
	assert_false(is_there(b.dir.fd, "bundles/c1/address"));
	assert_true(is_there(b.dir.fd, "bundles/c1/s"));
	assert_true(box_create(&b, "c1", "", "", "") > 0);
	assert_topics(&b, 1, "create"); /* it found the events' address in the message */
	finish(&b, "c1");
}

void a_debug_socket_tells_what_goes_on(void **state)
{
	AUTO_STRV char **sockets = NULL;
	AUTO_FREE char *bundle = NULL;
	AUTO_FREE char *path = NULL;
	AUTO_CLOSE int fd = -1;
	char text[1024] = { 0 };
	struct box b;

	box_open(&b);
	bundle = box_bundle(&b, "c1", &(struct box_spec){ .args = sleeper });
	start_new(&b, "c1", BOOTSTRAP__LOG_LEVEL__LOG_LEVEL_DEBUG);
	assert_true(box_create(&b, "c1", "", "", "") > 0);
	assert_int_equal(fs_list(b.dir.fd, "s", &sockets), 0);
	assert_int_equal(strv_len(sockets), 2);
	path = xasprintf("%s/s/%s", b.dir.path,
			sockets[str_ends(b.address, sockets[0]) ? 1 : 0]);
	fd = unix_connect(path);
	assert_true(fd >= 0);
	assert_int_equal(fd_set_nonblocking(fd, false), 0);
	assert_true(io_read_full(fd, text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "init c1: created"));
	finish(&b, "c1");
}

void containers_of_a_group_share_a_shim(void **state)
{
	AUTO_FREE char *one = NULL;
	AUTO_FREE char *two = NULL;
	char first[256];
	struct box b;
	pid_t shim;

	box_open(&b);
	one = box_bundle(&b, "c1", &(struct box_spec){ .args = sleeper, .group = "pod" });
	two = box_bundle(&b, "c2", &(struct box_spec){ .args = sleeper, .group = "pod" });
	box_start(&b, "c1");
	shim = box_shim_pid(&b);
	(void)snprintf(first, sizeof(first), "%s", b.address);
	box_start(&b, "c2");
	assert_string_equal(b.address, first);
	assert_int_equal(box_shim_pid(&b), shim);
	assert_true(is_there(b.dir.fd, "bundles/c2/address"));
	assert_true(box_create(&b, "c1", "", "", "") > 0);
	assert_true(box_create(&b, "c2", "", "", "") > 0);
	assert_int_equal(box_create(&b, "c2", "", "", ""), -1);
	assert_int_equal(b.err.kind, ERR_EXISTS);
	assert_true(box_begin(&b, "c2", "") > 0);
	assert_done(&b, box_delete(&b, "c1", ""));
	assert_done(&b, box_simple(&b, "Shutdown", "c1")); /* not the last one */
	finish(&b, "c2");
}

/* Blocking end of a fifo that the shim has open. */
static int open_end(const char *path, enum fifo_mode mode)
{
	int fd = fifo_open(path, mode);

	assert_true(fd >= 0);
	assert_int_equal(fd_set_nonblocking(fd, false), 0);
	return fd;
}

static char *read_to_end(int fd)
{
	struct buf out = { .limit = 64 << 20 };

	assert_int_equal(io_read_all(fd, &out), 0);
	return buf_take_str(&out);
}

void output_and_input_pass_by_fifos(void **state)
{
	static const char *const args[] = { "sh", "-c", "cat; echo done >&2; exit 3", NULL };
	TaskV3__CloseIORequest r = TASK_V3__CLOSE_IOREQUEST__INIT;
	AUTO_CLOSE int in = -1, out = -1, err = -1;
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *errors = NULL;
	const char *names[3];
	struct box b;

	make(&b, "c1", args);
	names[0] = fifo_in(&b, "in");
	names[1] = fifo_in(&b, "out");
	names[2] = fifo_in(&b, "err");
	assert_done(&b, box_create(&b, "c1", names[0], names[1], names[2]));
	in = open_end(names[0], FIFO_WRITE);
	out = open_end(names[1], FIFO_READ);
	err = open_end(names[2], FIFO_READ);
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_int_equal(io_write_all(in, "hello\n", 6), 0);
	close_fd(&in);
	r.id = "c1";
	r.stdin = 1;
	assert_non_null(box_call(&b, "CloseIO", &r.base, &google__protobuf__empty__descriptor));
	text = read_to_end(out);
	errors = read_to_end(err);
	assert_string_equal(text, "hello\n");
	assert_string_equal(errors, "done\n");
	assert_int_equal(box_wait(&b, "c1", ""), 3);
	finish(&b, "c1");
}

void a_terminal_passes_both_ways_and_has_its_size(void **state)
{
	static const char *const args[] = { "sh", "-c",
		"stty size; stty -echo; read x; echo \"got $x\"", NULL };
	TaskV3__ResizePtyRequest r = TASK_V3__RESIZE_PTY_REQUEST__INIT;
	AUTO_CLOSE int in = -1, out = -1;
	AUTO_FREE char *bundle = NULL;
	AUTO_FREE char *text = NULL;
	const char *in_name, *out_name;
	struct box b;

	box_open(&b);
	bundle = box_bundle(&b, "c1", &(struct box_spec){ .args = args, .terminal = true });
	box_start(&b, "c1");
	in_name = fifo_in(&b, "in");
	out_name = fifo_in(&b, "out");
	assert_done(&b, box_create_terminal(&b, "c1", in_name, out_name));
	r.id = "c1";
	r.width = 132;
	r.height = 43;
	assert_non_null(box_call(
			&b, "ResizePty", &r.base, &google__protobuf__empty__descriptor));
	in = open_end(in_name, FIFO_WRITE);
	out = open_end(out_name, FIFO_READ);
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_int_equal(io_write_all(in, "word\n", 5), 0);
	text = read_to_end(out);
	assert_non_null(strstr(text, "43 132\r\n"));
	assert_non_null(strstr(text, "got word\r\n"));
	assert_int_equal(box_wait(&b, "c1", ""), 0);
	finish(&b, "c1");
}

void an_init_that_dies_before_its_start_is_told_after_its_creation(void **state)
{
	struct box b;
	int pid;

	make(&b, "c1", sleeper);
	pid = box_create(&b, "c1", "", "", "");
	assert_true(pid > 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(box_wait(&b, "c1", ""), 137);
	assert_int_equal(box_status(&b, "c1", ""), TASK__STATUS__STOPPED);
	assert_int_equal(box_begin(&b, "c1", ""), -1);
	assert_string_equal(err_text(&b.err), "cannot start a stopped process");
	assert_int_equal(box_delete(&b, "c1", ""), 137);
	assert_topics(&b, 3, "create exit delete");
	assert_done(&b, box_simple(&b, "Shutdown", "c1"));
	box_close(&b);
}

void a_short_life_is_told_in_order(void **state)
{
	static const char *const args[] = { "true", NULL };

	for (int i = 0; i < 5; i++) {
		struct box b;

		make(&b, "c1", args);
		assert_done(&b, box_create(&b, "c1", "", "", ""));
		assert_true(box_begin(&b, "c1", "") > 0);
		assert_int_equal(box_wait(&b, "c1", ""), 0);
		assert_int_equal(box_delete(&b, "c1", ""), 0);
		assert_topics(&b, 4, "create start exit delete");
		assert_done(&b, box_simple(&b, "Shutdown", "c1"));
		box_close(&b);
	}
}

void the_inits_exit_comes_last(void **state)
{
	struct box b;

	make(&b, "c1", sleeper);
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_done(&b, box_add_exec(&b, "c1", "e1", sleeper, ""));
	assert_done(&b, box_add_exec(&b, "c1", "e2", sleeper, ""));
	assert_done(&b, box_begin(&b, "c1", "e1"));
	assert_done(&b, box_begin(&b, "c1", "e2"));
	assert_done(&b, box_kill(&b, "c1", "", SIGKILL, false));
	assert_int_equal(box_wait(&b, "c1", ""), 137);
	assert_int_equal(box_status(&b, "c1", "e1"), TASK__STATUS__STOPPED);
	assert_int_equal(box_begin(&b, "c1", "e1"), -1);
	assert_string_equal(err_text(&b.err),
			"container c1 init process is not running: failed precondition");
	{
		AUTO_FREE char *topics = box_topics(&b, 9);

		assert_true(str_ends(topics, " exit"));
		assert_non_null(strstr(topics, "exit:e1"));
		assert_non_null(strstr(topics, "exit:e2"));
	}
	finish(&b, "c1");
}

void shared_pids_are_killed_with_the_init(void **state)
{
	AUTO_FREE char *bundle = NULL;
	struct box b;
	int exec_pid;

	box_open(&b);
	bundle = box_bundle(&b, "c1", &(struct box_spec){ .args = sleeper, .host_pids = true });
	box_start(&b, "c1");
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_done(&b, box_add_exec(&b, "c1", "e1", sleeper, ""));
	exec_pid = box_begin(&b, "c1", "e1");
	assert_true(exec_pid > 0);
	assert_done(&b, box_kill(&b, "c1", "", SIGKILL, false));
	assert_int_equal(box_wait(&b, "c1", ""), 137);
	assert_true(box_is_gone(exec_pid));
	finish(&b, "c1");
}

void pause_is_seen_and_refuses_what_it_must(void **state)
{
	struct box b;

	make(&b, "c1", sleeper);
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_int_equal(box_simple(&b, "Pause", "c1"), -1);
	assert_string_equal(err_text(&b.err), "cannot pause task in created state");
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_done(&b, box_simple(&b, "Pause", "c1"));
	assert_int_equal(box_status(&b, "c1", ""), TASK__STATUS__PAUSED);
	assert_int_equal(box_add_exec(&b, "c1", "e1", sleeper, ""), -1);
	assert_string_equal(err_text(&b.err), "cannot exec in a paused state");
	assert_int_equal(box_delete(&b, "c1", ""), -1);
	assert_done(&b, box_simple(&b, "Resume", "c1"));
	assert_int_equal(box_simple(&b, "Resume", "c1"), -1);
	assert_topics(&b, 4, "create start paused resumed");
	/* Killed while frozen, it ends when it is thawed for that. */
	assert_done(&b, box_simple(&b, "Pause", "c1"));
	assert_done(&b, box_kill(&b, "c1", "", SIGKILL, false));
	(void)box_simple(&b, "Resume", "c1"); /* runc 1.1 thaws by itself for that signal */
	assert_int_equal(box_wait(&b, "c1", ""), 137);
	finish(&b, "c1");
}

void a_created_container_can_be_deleted(void **state)
{
	struct box b;
	int pid;

	make(&b, "c1", sleeper);
	pid = box_create(&b, "c1", "", "", "");
	assert_true(pid > 0);
	assert_int_equal(box_delete(&b, "c1", ""), 137);
	assert_true(box_is_gone(pid));
	assert_topics(&b, 3, "create exit delete");
	assert_done(&b, box_simple(&b, "Shutdown", "c1"));
	box_close(&b);
}

void waiting_after_the_end_is_answered_at_once(void **state)
{
	static const char *const args[] = { "sh", "-c", "exit 5", NULL };
	struct box b;

	make(&b, "c1", args);
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_begin(&b, "c1", ""));
	for (int i = 0; i < 3; i++)
		assert_int_equal(box_wait(&b, "c1", ""), 5);
	finish(&b, "c1");
}

static const Google__Protobuf__Any *stats(struct box *b, const char *id)
{
	TaskV3__StatsRequest r = TASK_V3__STATS_REQUEST__INIT;
	const TaskV3__StatsResponse *a;

	r.id = id;
	a = (const TaskV3__StatsResponse *)box_call(
			b, "Stats", &r.base, &task_v3__stats_response__descriptor);
	if (a == NULL)
		fail_msg("%s", err_text(&b->err));
	return a->stats;
}

void stats_are_of_the_cgroup_version(void **state)
{
	const Google__Protobuf__Any *any;
	ProtobufCMessage *m;
	struct box b;

	make(&b, "c1", sleeper);
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	any = stats(&b, "c1");
	if (cgroup_mode() == CGROUP_UNIFIED) {
		assert_string_equal(any->type_url, "io.containerd.cgroups.v2.Metrics");
		assert_done(&b, pb_decode(&cgroups_v2__metrics__descriptor, any->value.data,
						any->value.len, &b.arena, NULL, &m, &b.err));
		/* The runtime's threads count, it has not made way for the process yet. */
		assert_true(((CgroupsV2__Metrics *)m)->pids->current >= 1);
		assert_true(((CgroupsV2__Metrics *)m)->memory->usage > 0);
	} else {
		assert_string_equal(any->type_url, "io.containerd.cgroups.v1.Metrics");
		assert_done(&b, pb_decode(&cgroups_v1__metrics__descriptor, any->value.data,
						any->value.len, &b.arena, NULL, &m, &b.err));
		assert_true(((CgroupsV1__Metrics *)m)->pids->current >= 1);
		assert_true(((CgroupsV1__Metrics *)m)->memory->usage->usage > 0);
	}
	finish(&b, "c1");
}

void limits_can_be_changed(void **state)
{
	static char json[] = "{\"pids\":{\"limit\":77},\"memory\":{\"limit\":67108864}}";
	TaskV3__UpdateTaskRequest r = TASK_V3__UPDATE_TASK_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	const Google__Protobuf__Any *got;
	ProtobufCMessage *m;
	struct box b;

	make(&b, "c1", sleeper);
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	any.value.data = (uint8_t *)json;
	any.value.len = sizeof(json) - 1;
	r.id = "c1";
	r.resources = &any;
	if (box_call(&b, "Update", &r.base, &google__protobuf__empty__descriptor) == NULL)
		fail_msg("%s", err_text(&b.err));
	got = stats(&b, "c1");
	if (cgroup_mode() == CGROUP_UNIFIED) {
		assert_done(&b, pb_decode(&cgroups_v2__metrics__descriptor, got->value.data,
						got->value.len, &b.arena, NULL, &m, &b.err));
		assert_int_equal(((CgroupsV2__Metrics *)m)->pids->limit, 77);
	} else {
		assert_done(&b, pb_decode(&cgroups_v1__metrics__descriptor, got->value.data,
						got->value.len, &b.arena, NULL, &m, &b.err));
		assert_int_equal(((CgroupsV1__Metrics *)m)->memory->usage->limit, 67108864);
	}
	finish(&b, "c1");
}

void running_out_of_memory_is_told_before_the_exit(void **state)
{
	static char json[] = "{\"memory\":{\"limit\":8388608,\"swap\":8388608}}";
	static const char *const eat[] = { "sh", "-c", "x=a; while true; do x=$x$x; done",
		NULL };
	TaskV3__UpdateTaskRequest r = TASK_V3__UPDATE_TASK_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	AUTO_FREE char *topics = NULL;
	struct box b;

	make(&b, "c1", eat);
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	any.value.data = (uint8_t *)json;
	any.value.len = sizeof(json) - 1;
	r.id = "c1";
	r.resources = &any;
	if (box_call(&b, "Update", &r.base, &google__protobuf__empty__descriptor) == NULL) {
		finish(&b, "c1");
		skip(); /* no swap accounting here */
	}
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_int_equal(box_wait(&b, "c1", ""), 137);
	topics = box_topics(&b, 4);
	/* A process can be that fast that its start is told after it. */
	assert_non_null(strstr(topics, " oom "));
	assert_true(str_ends(topics, " exit"));
	finish(&b, "c1");
}

void events_wait_for_a_daemon_that_is_away(void **state)
{
	struct box b;

	make(&b, "c1", sleeper);
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_topics(&b, 1, "create");
	box_events_stop(&b);
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_done(&b, box_kill(&b, "c1", "", SIGKILL, false));
	assert_int_equal(box_wait(&b, "c1", ""), 137);
	box_events_start(&b);
	assert_topics(&b, 3, "create start exit");
	finish(&b, "c1");
}

void shutdown_waits_for_the_last_container(void **state)
{
	struct box b;

	make(&b, "c1", sleeper);
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_simple(&b, "Shutdown", "c1"));
	assert_int_equal(unix_probe(b.address + strlen("unix://")), 0);
	assert_int_equal(box_status(&b, "c1", ""), TASK__STATUS__CREATED);
	finish(&b, "c1");
}

void delete_clears_away_after_a_killed_shim(void **state)
{
	const TaskV3__DeleteResponse *a;
	AUTO_FREE char *output = NULL;
	ProtobufCMessage *m;
	struct box b;
	pid_t shim;
	int pid, status;
	size_t size;

	make(&b, "c1", sleeper);
	shim = box_shim_pid(&b);
	pid = box_create(&b, "c1", "", "", "");
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_int_equal(kill(shim, SIGKILL), 0);
	assert_true(box_eventually(shim_is_gone, &shim));
	assert_false(box_is_gone(pid)); /* containers live on */
	output = box_run(&b, "c1", "delete", NULL, 0, &status, &size);
	assert_int_equal(status, 0);
	assert_done(&b, pb_decode(&task_v3__delete_response__descriptor, output, size, &b.arena,
					NULL, &m, &b.err));
	a = (const TaskV3__DeleteResponse *)m;
	assert_int_equal(a->pid, pid);
	assert_int_equal(a->exit_status, 137);
	assert_true(a->exited_at->seconds > 0);
	assert_true(box_is_gone(pid));
	box_close(&b);
}

void delete_of_nothing_succeeds(void **state)
{
	AUTO_FREE char *bundle = NULL;
	AUTO_FREE char *output = NULL;
	ProtobufCMessage *m;
	struct box b;
	int status;
	size_t size;

	box_open(&b);
	bundle = box_bundle(&b, "c1", &(struct box_spec){ .args = sleeper });
	output = box_run(&b, "c1", "delete", NULL, 0, &status, &size);
	assert_int_equal(status, 0);
	/* Only the answer: daemons read both outputs. */
	assert_done(&b, pb_decode(&task_v3__delete_response__descriptor, output, size, &b.arena,
					NULL, &m, &b.err));
	assert_int_equal(((TaskV3__DeleteResponse *)m)->pid, 0);
	box_close(&b);
}

void info_tells_features(void **state)
{
	const Types__RuntimeInfo *info;
	AUTO_FREE char *bundle = NULL;
	AUTO_FREE char *output = NULL;
	ProtobufCMessage *m;
	struct box b;
	int status;
	size_t size;

	box_open(&b);
	bundle = box_bundle(&b, "c1", &(struct box_spec){ .args = sleeper });
	output = box_run(&b, "c1", "-info", NULL, 0, &status, &size);
	assert_int_equal(status, 0);
	assert_done(&b, pb_decode(&types__runtime_info__descriptor, output, size, &b.arena,
					NULL, &m, &b.err));
	info = (const Types__RuntimeInfo *)m;
	assert_string_equal(info->name, "io.containerd.runc.v2");
	assert_non_null(info->features);
	assert_memory_equal(info->features->value.data, "{", 1);
	box_close(&b);
}

int main(int argc, char **argv)
{
#define SHIM_TEST_ROW(name) cmocka_unit_test(name),
	const struct CMUnitTest tests[] = { SHIM_TESTS(SHIM_TEST_ROW) };
#undef SHIM_TEST_ROW

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && str_eq(argv[1], "--list")) {
		for (size_t i = 0; i < ARRAY_LEN(tests); i++)
			puts(tests[i].name);
		return 0;
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
