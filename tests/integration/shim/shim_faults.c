/* SPDX-License-Identifier: Apache-2.0 */
/* What clients and runtimes do wrong: the shim says so, and goes on. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "api/pb/any.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/task.pb-c.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/str.h"
#include "os/pipe.h"
#include "shim_lives.h"
#include "shim_tests.h"

#define assert_said(b, call, text)                                                             \
	do {                                                                                   \
		if ((call) >= 0)                                                               \
			fail_msg("%s succeeded", #call);                                       \
		assert_string_equal(err_text(&(b)->err), text);                                \
	} while (0)

static void still_serves(struct box *b)
{
	TaskV3__ConnectRequest r = TASK_V3__CONNECT_REQUEST__INIT;
	const TaskV3__ConnectResponse *a;

	r.id = "c1";
	a = (const TaskV3__ConnectResponse *)box_call(
			b, "Connect", &r.base, &task_v3__connect_response__descriptor);
	if (a == NULL)
		fail_msg("%s", err_text(&b->err));
	assert_int_equal(a->shim_pid, box_shim_pid(b));
}

static void end(struct box *b)
{
	assert_done(b, box_simple(b, "Shutdown", "c1"));
	box_close(b);
}

static void end_container(struct box *b)
{
	if (box_status(b, "c1", "") != TASK__STATUS__STOPPED) {
		assert_done(b, box_kill(b, "c1", "", SIGKILL, false));
		assert_int_equal(box_wait(b, "c1", ""), 137);
	}
	assert_done(b, box_delete(b, "c1", ""));
	end(b);
}

void unknown_things_are_refused_in_the_originals_words(void **state)
{
	struct box b;

	make(&b, "c1", sleeper);
	assert_said(&b, box_status(&b, "c1", ""), "container not created: not found");
	assert_said(&b, box_begin(&b, "c1", ""), "container not created: not found");
	assert_said(&b, box_simple(&b, "Pause", "c1"), "container not created: not found");
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_said(&b, box_status(&b, "c1", "e"), "process does not exist e: not found");
	assert_said(&b, box_kill(&b, "c1", "e", 9, false),
			"process does not exist e: not found");
	assert_said(&b, box_delete(&b, "c1", "e"), "process does not exist e: not found");
	assert_said(&b, box_begin(&b, "c1", "e"), "process does not exist e: not found");
	assert_done(&b, box_kill(&b, "c1", "", SIGKILL, false));
	assert_int_equal(box_wait(&b, "c1", ""), 137);
	assert_said(&b, box_begin(&b, "c1", "e"), "process does not exist e: not found");
	end_container(&b);
}

void incomplete_requests_do_not_end_the_shim(void **state)
{
	static char foreign[] = "runtimeoptions.v1.Options", garbage[] = "\xff\xff";
	TaskV3__CreateTaskRequest create = TASK_V3__CREATE_TASK_REQUEST__INIT;
	TaskV3__UpdateTaskRequest update = TASK_V3__UPDATE_TASK_REQUEST__INIT;
	TaskV3__ExecProcessRequest exec = TASK_V3__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct box b;

	make(&b, "c1", sleeper);
	assert_null(box_call(&b, "Create", &create.base, &google__protobuf__empty__descriptor));
	assert_int_equal(b.err.kind, ERR_INVALID);
	create.id = "../x";
	create.bundle = "/tmp";
	assert_null(box_call(&b, "Create", &create.base, &google__protobuf__empty__descriptor));
	assert_int_equal(b.err.kind, ERR_INVALID);
	create.id = "c1";
	create.bundle = arena_printf(&b.arena, "%s/bundles/c1", b.dir.path);
	create.options = &any;
	any.type_url = foreign;
	any.value.data = (uint8_t *)garbage;
	any.value.len = 2;
	assert_null(box_call(&b, "Create", &create.base, &google__protobuf__empty__descriptor));
	assert_int_equal(b.err.kind, ERR_INVALID);
	create.options = NULL;
	create.bundle = "/nowhere/c1";
	assert_null(box_call(&b, "Create", &create.base, &google__protobuf__empty__descriptor));
	assert_string_equal(err_text(&b.err),
			"open /nowhere/c1/options.json: no such file or directory");
	assert_int_equal(b.err.kind, ERR_NOT_FOUND);
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_begin(&b, "c1", ""));
	update.id = exec.id = "c1";
	assert_null(box_call(&b, "Update", &update.base, &google__protobuf__empty__descriptor));
	assert_int_equal(b.err.kind, ERR_INVALID);
	exec.exec_id = "e1";
	assert_null(box_call(&b, "Exec", &exec.base, &google__protobuf__empty__descriptor));
	assert_int_equal(b.err.kind, ERR_INVALID);
	exec.spec = &any;
	assert_null(box_call(&b, "Exec", &exec.base, &google__protobuf__empty__descriptor));
	exec.exec_id = "a/b";
	assert_null(box_call(&b, "Exec", &exec.base, &google__protobuf__empty__descriptor));
	assert_int_equal(b.err.kind, ERR_INVALID);
	still_serves(&b);
	end_container(&b);
}

void streams_that_are_no_fifos_are_refused_and_leave_nothing(void **state)
{
	struct box b;

	make(&b, "c1", sleeper);
	assert_int_equal(box_create(&b, "c1", "", "/nowhere/out", ""), -1);
	assert_non_null(strstr(err_text(&b.err), "opening file \"/nowhere/out\" failed"));
	assert_int_equal(box_create(&b, "c1", "", "/tmp", ""), -1);
	assert_int_equal(box_create(&b, "c1", "/tmp", "", ""), -1);
	assert_int_equal(box_create(&b, "c1", "", "mailto://x", ""), -1);
	assert_string_equal(err_text(&b.err),
			"failed to create init process I/O: unknown STDIO scheme "
			"mailto");
	assert_int_equal(b.count, 0); /* a creation that failed is no event */
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	end_container(&b);
}

void a_runtime_that_is_missing_is_named(void **state)
{
	struct box b;

	make(&b, "c1", sleeper);
	b.runtime = "no-runc";
	assert_int_equal(box_create(&b, "c1", "", "", ""), -1);
	assert_non_null(strstr(err_text(&b.err),
			"exec: \"no-runc\": executable file not found in $PATH"));
	assert_true(str_starts(err_text(&b.err), "OCI runtime create failed: "));
	b.runtime = "/nowhere/runc";
	assert_int_equal(box_create(&b, "c1", "", "", ""), -1);
	assert_non_null(strstr(err_text(&b.err),
			"fork/exec /nowhere/runc: no such file or directory"));
	end(&b);
}

void a_runtime_that_fails_is_quoted(void **state)
{
	struct box b;

	make(&b, "c1", sleeper);
	put_file(b.dir.fd, "bundles/c1/config.json", "{\"ociVersion\":\"1.0.2\"}");
	assert_int_equal(box_create(&b, "c1", "", "", ""), -1);
	assert_true(str_starts(err_text(&b.err), "OCI runtime create failed: "));
	fake_runtime(&b, "echo 'it broke' >&2; exit 42");
	put_file(b.dir.fd, "bundles/c1/log.json", "");
	assert_int_equal(box_create(&b, "c1", "", "", ""), -1);
	/* Without a terminal the runtime's own output is the container's. */
	assert_non_null(strstr(
			err_text(&b.err), "did not terminate successfully: exit status 42"));
	end(&b);
}

void a_runtime_that_hangs_ends_with_its_request(void **state)
{
	TaskV3__KillRequest r = TASK_V3__KILL_REQUEST__INIT;
	struct ctx soon = { 0 };
	ProtobufCMessage *m;
	struct box b;

	make(&b, "c1", sleeper);
	fake_runtime(&b, "case \" $* \" in *' kill '*) [ -e $DIR/hang ] && { echo $$ "
			 ">$DIR/fake.pid; "
			 "exec sleep 1000; };; esac");
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_begin(&b, "c1", ""));
	put_file(b.dir.fd, "hang", "");
	r.id = "c1";
	r.signal = SIGTERM;
	soon.deadline_ns = clock_mono_ns() + 300 * NS_PER_MS;
	assert_int_equal(channel_call(b.channel, &soon, b.service, "Kill", &r.base,
					 &google__protobuf__empty__descriptor, &b.arena, &m,
					 &b.err),
			-1);
	assert_int_equal(b.err.kind, ERR_DEADLINE);
	still_serves(&b);
	assert_true(box_eventually(fake_is_gone, &b));
	assert_int_equal(box_status(&b, "c1", ""), TASK__STATUS__RUNNING);
	assert_int_equal(unlinkat(b.dir.fd, "hang", 0), 0);
	end_container(&b);
}

void a_runtime_that_writes_garbage_is_survived(void **state)
{
	TaskV3__PidsRequest r = TASK_V3__PIDS_REQUEST__INIT;
	struct box b;

	make(&b, "c1", sleeper);
	fake_runtime(&b,
			"case \" $* \" in\n"
			"*' ps '*) head -c 3000000 /dev/zero | tr '\\0' '['; exit 0;;\n"
			"*' pause '*) echo '{\"level\":' >>$DIR/bundles/c1/log.json; exit 1;;\n"
			"esac");
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_begin(&b, "c1", ""));
	r.id = "c1";
	assert_null(box_call(&b, "Pids", &r.base, &task_v3__pids_response__descriptor));
	assert_true(strlen(err_text(&b.err)) < 1000);
	assert_int_equal(box_simple(&b, "Pause", "c1"), -1);
	assert_non_null(strstr(err_text(&b.err), "unable to retrieve OCI runtime error"));
	assert_int_equal(box_status(&b, "c1", ""), TASK__STATUS__RUNNING);
	end_container(&b);
}

void a_runtime_that_lies_about_the_pid_is_survived(void **state)
{
	struct box b;

	make(&b, "c1", sleeper);
	fake_runtime(&b, "case \" $* \" in *' create '*) printf 12x4 "
			 ">$DIR/bundles/c1/init.pid; exit 0;; "
			 "esac");
	assert_int_equal(box_create(&b, "c1", "", "", ""), -1);
	assert_non_null(strstr(
			err_text(&b.err), "failed to retrieve OCI runtime container pid"));
	/* Somebody else's process: its end would never be told to us as a child's. */
	fake_runtime(&b, "case \" $* \" in *' create '*) sleep 1000 & echo $! >$DIR/victim; "
			 "printf 1 >$DIR/bundles/c1/init.pid; exit 0;; *' delete '*) exit 0;; "
			 "esac");
	assert_int_equal(box_create(&b, "c1", "", "", ""), 1);
	still_serves(&b);
	assert_int_equal(box_status(&b, "c1", ""), TASK__STATUS__CREATED);
	{
		AUTO_FREE char *victim = get_file(b.dir.fd, "victim");

		assert_int_equal(kill((pid_t)strtol(victim, NULL, 10), SIGKILL), 0);
	}
	box_close(&b);
}

static bool fake_is_at_work(void *arg)
{
	return is_there(((const struct box *)arg)->dir.fd, "fake.pid");
}

/* Or the next daemon would start it once more. */
void a_start_goes_on_when_its_daemon_dies(void **state)
{
	static const char *const args[] = { "sh", "-c", "exit 6", NULL };
	struct box b;
	int status;
	pid_t pid;

	make(&b, "c1", sleeper);
	fake_runtime(&b, "case \" $* \" in *' exec '*) echo $$ >$DIR/fake.pid; "
			 "until [ -e $DIR/go ]; do sleep 0.01; done;; esac");
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_done(&b, box_add_exec(&b, "c1", "e1", args, ""));
	pid = fork();
	if (pid == 0) {
		box_connect(&b);
		(void)box_begin(&b, "c1", "e1");
		_exit(0);
	}
	box_connect(&b); /* the old one has become the child's as well */
	assert_true(box_eventually(fake_is_at_work, &b));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	still_serves(&b);
	still_serves(&b);
	put_file(b.dir.fd, "go", "");
	assert_int_equal(box_wait(&b, "c1", "e1"), 6);
	assert_int_equal(box_delete(&b, "c1", "e1"), 6);
	end_container(&b);
}

void an_exec_that_failed_can_be_tried_again(void **state)
{
	static const char *const args[] = { "sh", "-c", "exit 6", NULL };
	struct box b;

	make(&b, "c1", sleeper);
	fake_runtime(&b, "case \" $* \" in *' exec '*) [ -e $DIR/fail ] && exit 9;; esac");
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_done(&b, box_add_exec(&b, "c1", "e1", args, ""));
	put_file(b.dir.fd, "fail", "");
	assert_int_equal(box_begin(&b, "c1", "e1"), -1);
	assert_int_equal(box_wait(&b, "c1", "e1"), 0); /* it is over, for now */
	assert_int_equal(unlinkat(b.dir.fd, "fail", 0), 0);
	assert_true(box_begin(&b, "c1", "e1") > 0);
	assert_int_equal(box_wait(&b, "c1", "e1"), 6);
	assert_int_equal(box_delete(&b, "c1", "e1"), 6);
	end_container(&b);
}

/* The model found it: an exec that outlives the init that a deletion has killed. */
void execs_of_a_created_container_end_before_it(void **state)
{
	AUTO_FREE char *bundle = NULL;
	AUTO_FREE char *topics = NULL;
	struct box b;

	box_open(&b);
	bundle = box_bundle(&b, "c1", &(struct box_spec){ .args = sleeper, .host_pids = true });
	box_start(&b, "c1");
	fake_runtime(&b,
			"B=$DIR/bundles/c1; case \" $* \" in *' delete '*) kill -9 $(cat "
			"$B/init.pid); (sleep 0.2; kill -9 $(cat $B/e1.pid); exec runc \"$@\") "
			">/dev/null 2>&1 & exit 0;; esac");
	assert_true(box_create(&b, "c1", "", "", "") > 0);
	assert_done(&b, box_add_exec(&b, "c1", "e1", sleeper, ""));
	assert_true(box_begin(&b, "c1", "e1") > 0);
	assert_done(&b, box_delete(&b, "c1", ""));
	topics = box_topics(&b, 6);
	assert_string_equal(topics, "create exec-added:e1 exec-started:e1 exit:e1 exit delete");
	end(&b);
}

static bool container_is_stopped(void *arg)
{
	return box_status(arg, "c1", "") == TASK__STATUS__STOPPED;
}

void a_client_that_never_reads_stops_nobody_else(void **state)
{
	const char *out;
	struct box b;

	make(&b, "c1", sleeper);
	out = arena_printf(&b.arena, "%s/out", b.dir.path);
	assert_int_equal(fifo_make(out, 0600), 0);
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_done(&b, box_add_exec(&b, "c1", "e1",
					(const char *const[]){ "sh", "-c",
							"while :; do echo y; done", NULL },
					out));
	assert_done(&b, box_begin(&b, "c1", "e1"));
	assert_done(&b, box_add_exec(&b, "c1", "e2", (const char *const[]){ "true", NULL },
					""));
	assert_done(&b, box_begin(&b, "c1", "e2"));
	assert_int_equal(box_wait(&b, "c1", "e2"), 0);
	assert_done(&b, box_kill(&b, "c1", "e1", SIGKILL, false));
	assert_int_equal(box_wait(&b, "c1", "e1"), 137);
	assert_done(&b, box_kill(&b, "c1", "", SIGKILL, false));
	assert_true(box_eventually(container_is_stopped, &b));
	end_container(&b);
}

void a_connection_that_breaks_drops_its_waits(void **state)
{
	TaskV3__WaitRequest r = TASK_V3__WAIT_REQUEST__INIT;
	ProtobufCMessage *m;
	struct box b;

	make(&b, "c1", sleeper);
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_begin(&b, "c1", ""));
	r.id = "c1";
	for (int i = 0; i < 50; i++) {
		struct ctx soon = { .deadline_ns = clock_mono_ns() + 2 * NS_PER_MS };

		assert_int_equal(channel_call(b.channel, &soon, b.service, "Wait", &r.base,
						 &task_v3__wait_response__descriptor, &b.arena,
						 &m, &b.err),
				-1);
		err_clear(&b.err);
		if (i % 5 == 0)
			box_connect(&b);
	}
	still_serves(&b);
	end_container(&b);
}
