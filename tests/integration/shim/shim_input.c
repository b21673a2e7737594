/* SPDX-License-Identifier: Apache-2.0 */
/* Input that no honest daemon, client or runtime gives: specs, options, stdin, pids. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/bootstrap.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/task.pb-c.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "os/spawn.h"
#include "os/unix_socket.h"
#include "shim_lives.h"
#include "shim_tests.h"

static void open_with_bundle(struct box *b, bool host_pids)
{
	AUTO_FREE char *bundle = NULL;

	box_open(b);
	bundle = box_bundle(
			b, "c1", &(struct box_spec){ .args = sleeper, .host_pids = host_pids });
}

static void end_container(struct box *b)
{
	assert_done(b, box_kill(b, "c1", "", SIGKILL, false));
	assert_int_equal(box_wait(b, "c1", ""), 137);
	assert_done(b, box_delete(b, "c1", ""));
	assert_done(b, box_simple(b, "Shutdown", "c1"));
	box_close(b);
}

static size_t sockets(void)
{
	DIR *d = opendir("/run/containerd/s");
	size_t n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		(void)closedir(d);
	return n;
}

static void assert_start_refused(struct box *b, const void *input, size_t size)
{
	int status;
	AUTO_FREE char *said = box_run(b, "c1", "start", input, size, &status, NULL);

	if (status == 0)
		fail_msg("started at %s", said);
	assert_true(status < 128); /* it ended by itself */
	assert_true(strlen(said) > 0 && strlen(said) < 2000);
}

/* What a helper reads from its daemon: garbage of any size, and an end too early. */
void bad_stdin_of_start_is_refused_and_leaves_nothing(void **state)
{
	static char foreign[] = "some.other.Type", garbage[] = "\x0a\xff\xff\xff\xff\x7f";
	static char options[] = "containerd.runc.v1.Options";
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	AUTO_BUF struct buf input = { .limit = 1 << 20 };
	const size_t huge = 11 << 20;
	AUTO_FREE char *much = xzalloc(huge);
	size_t before;
	struct box b;

	open_with_bundle(&b, false);
	before = sockets();
	assert_start_refused(&b, garbage, sizeof(garbage) - 1);
	any.type_url = foreign;
	pb_encode(&any.base, &input);
	assert_start_refused(&b, input.data, input.size);
	buf_clear(&input);
	any.type_url = options;
	any.value.data = (uint8_t *)garbage;
	any.value.len = sizeof(garbage) - 1;
	pb_encode(&any.base, &input);
	assert_start_refused(&b, input.data, input.size);
	for (size_t cut = 1; cut < input.size; cut += 5)
		assert_start_refused(&b, input.data, cut);
	memset(much, '\x0a', huge);
	assert_start_refused(&b, much, huge);
	assert_int_equal(sockets(), before);
	box_close(&b);
}

static char *deep(size_t levels)
{
	char *text = xzalloc(levels + 1);

	memset(text, '[', levels);
	return text;
}

/* Either "start" says so, or the runtime does; never a shim that dies or stays. */
static void assert_spec_refused(const char *spec)
{
	AUTO_FREE char *said = NULL;
	int status;
	struct box b;

	open_with_bundle(&b, false);
	put_file(b.dir.fd, "bundles/c1/config.json", spec);
	said = box_run(&b, "c1", "start", NULL, 0, &status, NULL);
	if (status == 0) {
		(void)snprintf(b.address, sizeof(b.address), "%s", said);
		box_connect(&b);
		if (box_create(&b, "c1", "", "", "") >= 0)
			fail_msg("made a container of %.40s", spec);
		assert_true(box_shim_pid(&b) > 0);
		assert_done(&b, box_simple(&b, "Shutdown", "c1"));
		assert_int_equal(unix_probe(b.address + strlen("unix://")), -ENOENT);
	}
	assert_true(status < 128 && strlen(said) < 2000);
	box_close(&b);
}

void malformed_specs_are_refused_and_leave_nothing(void **state)
{
	static const char *const specs[] = { "", "{", "null", "[1,2]", "{\"annotations\":7}",
		"{\"annotations\":{\"io.containerd.runc.v2.group\":[1]}}",
		"{\"linux\":{\"namespaces\":\"pid\",\"cgroupsPath\":9}}",
		"{\"linux\":{\"namespaces\":[{\"type\":\"pid\"}", "\xff\xfe{\"a\":1}" };
	AUTO_FREE char *nested = deep(100000);

	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		assert_spec_refused(specs[i]);
	assert_spec_refused(nested);
}

/* "delete" comes when everything else has failed: it must get on with what it finds. */
void delete_survives_a_bundle_of_garbage(void **state)
{
	static const char *const files[] = { "bundles/c1/config.json", "bundles/c1/init.pid",
		"bundles/c1/log.json" };
	AUTO_FREE char *nested = deep(100000);
	AUTO_FREE char *said = NULL, *refused = NULL;
	int status;
	struct box b;

	open_with_bundle(&b, false);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		put_file(b.dir.fd, files[i], nested);
	said = box_run(&b, "c1", "delete", NULL, 0, &status, NULL);
	assert_int_equal(status, 0);
	put_file(b.dir.fd, "bundles/c1/options.json", nested);
	refused = box_run(&b, "c1", "delete", NULL, 0, &status, NULL);
	assert_int_equal(status, 1); /* whose runtime, where: nobody knows */
	box_close(&b);
}

void a_runtime_that_hangs_in_create_is_ended_and_forgotten(void **state)
{
	TaskV3__CreateTaskRequest r = TASK_V3__CREATE_TASK_REQUEST__INIT;
	struct ctx soon = { 0 };
	ProtobufCMessage *m;
	struct box b;

	open_with_bundle(&b, false);
	box_start(&b, "c1");
	fake_runtime(&b, "case \" $* \" in *' create '*) [ -e $DIR/hang ] && { echo $$ "
			 ">$DIR/fake.pid; exec sleep 1000; };; esac");
	/* The first request of a container names its runtime; the one that hangs has the same.
	 */
	put_file(b.dir.fd, "hang", "");
	r.id = "c1";
	r.bundle = arena_printf(&b.arena, "%s/bundles/c1", b.dir.path);
	r.options = box_options(&b);
	soon.deadline_ns = clock_mono_ns() + 300 * NS_PER_MS;
	assert_int_equal(channel_call(b.channel, &soon, b.service, "Create", &r.base,
					 &task_v3__create_task_response__descriptor, &b.arena,
					 &m, &b.err),
			-1);
	assert_int_equal(b.err.kind, ERR_DEADLINE);
	assert_true(box_eventually(fake_is_gone, &b));
	assert_int_equal(unlinkat(b.dir.fd, "hang", 0), 0);
	assert_true(box_create(&b, "c1", "", "", "") > 0);
	assert_done(&b, box_begin(&b, "c1", ""));
	end_container(&b);
}

void a_runtime_that_is_killed_is_told(void **state)
{
	struct box b;

	open_with_bundle(&b, false);
	box_start(&b, "c1");
	fake_runtime(&b, "case \" $* \" in *' create '*) [ -e $DIR/die ] && kill -9 $$;; esac");
	put_file(b.dir.fd, "die", "");
	assert_int_equal(box_create(&b, "c1", "", "", ""), -1);
	assert_non_null(strstr(err_text(&b.err), "exit status 137"));
	assert_int_equal(unlinkat(b.dir.fd, "die", 0), 0);
	assert_true(box_create(&b, "c1", "", "", "") > 0);
	assert_done(&b, box_begin(&b, "c1", ""));
	end_container(&b);
}

/* Directories, sockets, circles of links, nothing at all: for each stream of init and execs. */
void streams_that_cannot_be_are_refused_everywhere(void **state)
{
	const char *bad[5];
	struct box b;

	open_with_bundle(&b, false);
	box_start(&b, "c1");
	bad[0] = "/nowhere/fifo";
	bad[1] = b.dir.path;
	bad[2] = b.events;
	bad[3] = arena_printf(&b.arena, "%s/circle", b.dir.path);
	bad[4] = "relative/fifo";
	assert_int_equal(symlinkat("circle", b.dir.fd, "circle"), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(box_create(&b, "c1", bad[i], "", ""), -1);
		assert_int_equal(box_create(&b, "c1", "", bad[i], ""), -1);
		assert_int_equal(box_create(&b, "c1", "", "", bad[i]), -1);
		assert_int_equal(box_create_terminal(&b, "c1", "", bad[i]), -1);
		assert_int_equal(box_create_terminal(&b, "c1", bad[i], ""), -1);
	}
	assert_true(box_create(&b, "c1", "", "", "") > 0);
	assert_done(&b, box_begin(&b, "c1", ""));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO_FREE char *id = xasprintf("e%zu", i);

		assert_done(&b, box_add_exec(&b, "c1", id, sleeper, bad[i]));
		assert_int_equal(box_begin(&b, "c1", id), -1);
		assert_true(box_delete(&b, "c1", id) >= 0);
	}
	assert_done(&b, box_add_exec(&b, "c1", "e", (const char *const[]){ "true", NULL }, ""));
	assert_true(box_begin(&b, "c1", "e") > 0);
	assert_int_equal(box_wait(&b, "c1", "e"), 0);
	end_container(&b);
}

/* The file has what the runtime wrote: nothing that is no pid may become one. */
void numbers_that_are_no_pids_are_refused(void **state)
{
	static const char *const lies[] = { "", "0", "-1", "-9", "99999999999999999999", "0x10",
		"1 2", "4294967297" };
	struct box b;

	open_with_bundle(&b, false);
	box_start(&b, "c1");
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		AUTO_FREE char *script = xasprintf("case \" $* \" in *' create '*) printf %%s "
						   "'%s' >$DIR/bundles/c1/init.pid; exit 0;; "
						   "esac",
				lies[i]);

		fake_runtime(&b, script);
		if (box_create(&b, "c1", "", "", "") >= 0)
			fail_msg("took %s for a pid", lies[i]);
		assert_non_null(strstr(err_text(&b.err),
				"failed to retrieve OCI runtime container pid"));
	}
	assert_done(&b, box_simple(&b, "Shutdown", "c1"));
	box_close(&b);
}

/* A process that is not the shim's child is watched and killed by a descriptor: once it has
 * ended its number may be anybody's. */
void a_stranger_is_killed_by_its_descriptor(void **state)
{
	char *const args[] = { (char *)"/bin/sleep", (char *)"1000", NULL };
	struct spawn s = {
		.path = args[0], .argv = args, .fds = { -1, -1, -1 }, .fd_count = 3
	};
	AUTO_FREE char *script = NULL;
	int status;
	struct box b;
	pid_t pid;

	open_with_bundle(&b, false);
	box_start(&b, "c1");
	assert_int_equal(spawn_child(&s, &pid, NULL), 0);
	script = xasprintf("case \" $* \" in *' exec '*) printf %d >$DIR/bundles/c1/e1.pid; "
			   "exit 0;; esac",
			pid);
	fake_runtime(&b, script);
	assert_true(box_create(&b, "c1", "", "", "") > 0);
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_done(&b, box_add_exec(&b, "c1", "e1", sleeper, ""));
	assert_int_equal(box_begin(&b, "c1", "e1"), pid);
	assert_done(&b, box_kill(&b, "c1", "e1", SIGTERM, false));
	assert_int_equal(box_wait(&b, "c1", "e1"), 255); /* nobody but its parent can know */
	/* We have not waited for it: the number is still its own, and must not be used. */
	assert_int_equal(box_kill(&b, "c1", "e1", SIGKILL, false), -1);
	assert_int_equal(b.err.kind, ERR_NOT_FOUND);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_int_equal(box_delete(&b, "c1", "e1"), 255);
	end_container(&b);
}
