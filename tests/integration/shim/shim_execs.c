/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that are put into a container later. */
#include "shim_tests.h"
#include "unit/unit.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>

#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/task.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "base/mem.h"
#include "base/str.h"
#include "shim_lives.h"

void execs_have_their_own_life(void **state)
{
	static const char *const seven[] = { "sh", "-c", "exit 7", NULL };
	static const char *const nothing[] = { "/no/such/program", NULL };
	struct box b;
	int pid;

	make(&b, "c1", sleeper);
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_done(&b, box_add_exec(&b, "c1", "e1", seven, ""));
	assert_int_equal(box_add_exec(&b, "c1", "e1", seven, ""), -1);
	assert_string_equal(err_text(&b.err), "id e1: already exists");
	assert_int_equal(box_status(&b, "c1", "e1"), TASK__STATUS__CREATED);
	assert_int_equal(box_kill(&b, "c1", "e1", SIGKILL, false), -1);
	assert_string_equal(err_text(&b.err), "process not created: failed precondition");
	pid = box_begin(&b, "c1", "e1");
	assert_true(pid > 0);
	assert_int_equal(box_wait(&b, "c1", "e1"), 7);
	assert_int_equal(box_status(&b, "c1", "e1"), TASK__STATUS__STOPPED);
	assert_int_equal(box_kill(&b, "c1", "e1", SIGKILL, false), -1);
	assert_string_equal(err_text(&b.err), "process already finished: not found");
	assert_int_equal(box_delete(&b, "c1", "e1"), 7);
	assert_false(is_there(b.dir.fd, "bundles/c1/e1.pid"));
	assert_done(&b, box_add_exec(&b, "c1", "e2", sleeper, ""));
	assert_done(&b, box_begin(&b, "c1", "e2"));
	assert_done(&b, box_kill(&b, "c1", "e2", SIGKILL, false));
	assert_int_equal(box_wait(&b, "c1", "e2"), 137);
	assert_int_equal(box_delete(&b, "c1", "e2"), 137);
	/* One that cannot run stays as it was, and can be deleted. */
	assert_done(&b, box_add_exec(&b, "c1", "e3", nothing, ""));
	assert_int_equal(box_begin(&b, "c1", "e3"), -1);
	assert_non_null(strstr(err_text(&b.err), "OCI runtime exec failed: "));
	assert_int_equal(box_begin(&b, "c1", "e3"), -1);
	assert_int_equal(box_status(&b, "c1", "e3"), TASK__STATUS__CREATED);
	assert_int_equal(box_delete(&b, "c1", "e3"), 0);
	assert_topics(&b, 9,
			"create start exec-added:e1 exec-started:e1 exit:e1 exec-added:e2 "
			"exec-started:e2 exit:e2 exec-added:e3");
	finish(&b, "c1");
}

void pids_name_their_execs(void **state)
{
	TaskV3__PidsRequest r = TASK_V3__PIDS_REQUEST__INIT;
	const TaskV3__PidsResponse *a;
	ProtobufCMessage *m;
	int init, exec;
	struct box b;

	make(&b, "c1", sleeper);
	init = box_create(&b, "c1", "", "", "");
	assert_done(&b, box_begin(&b, "c1", ""));
	assert_done(&b, box_add_exec(&b, "c1", "e1", sleeper, ""));
	exec = box_begin(&b, "c1", "e1");
	r.id = "c1";
	a = (const TaskV3__PidsResponse *)box_call(
			&b, "Pids", &r.base, &task_v3__pids_response__descriptor);
	assert_non_null(a);
	assert_int_equal(a->n_processes, 2);
	for (size_t i = 0; i < 2; i++) {
		if ((int)a->processes[i]->pid == init) {
			assert_null(a->processes[i]->info);
			continue;
		}
		assert_int_equal(a->processes[i]->pid, exec);
		assert_string_equal(a->processes[i]->info->type_url,
				"containerd.runc.v1.ProcessDetails");
		assert_done(&b, pb_decode(&runc__process_details__descriptor,
						a->processes[i]->info->value.data,
						a->processes[i]->info->value.len, &b.arena,
						NULL, &m, &b.err));
		assert_string_equal(((Runc__ProcessDetails *)m)->exec_id, "e1");
	}
	finish(&b, "c1");
}

static int count_fds(pid_t pid)
{
	AUTO_FREE char *path = xasprintf("/proc/%d/fd", (int)pid);
	AUTO_STRV char **names = NULL;

	assert_int_equal(fs_list(AT_FDCWD, path, &names), 0);
	return (int)strv_len(names);
}

void execs_leave_nothing_behind(void **state)
{
	static const char *const args[] = { "echo", "x", NULL };
	static const char *const bad[] = { "/no/such", NULL };
	const char *out;
	struct box b;
	int before, after;

	make(&b, "c1", sleeper);
	out = fifo_in(&b, "out");
	assert_done(&b, box_create(&b, "c1", "", "", ""));
	assert_done(&b, box_begin(&b, "c1", ""));
	before = count_fds(box_shim_pid(&b));
	for (int i = 0; i < 40; i++) {
		assert_done(&b, box_add_exec(&b, "c1", "e", i % 4 == 3 ? bad : args, out));
		if (box_begin(&b, "c1", "e") > 0)
			assert_int_equal(box_wait(&b, "c1", "e"), 0);
		assert_done(&b, box_delete(&b, "c1", "e"));
	}
	after = count_fds(box_shim_pid(&b));
	assert_int_equal(after, before);
	finish(&b, "c1");
}
