/* SPDX-License-Identifier: Apache-2.0 */
/* What clients ask for reaches the runtime and the system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/process.h"
#include "shim_lives.h"
#include "shim_tests.h"

static char options_type[] = "containerd.runc.v1.Options";
void options_reach_the_runtime(void **state)
{
	TaskV3__CreateTaskRequest r = TASK_V3__CREATE_TASK_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Runc__Options o = RUNC__OPTIONS__INIT;
	AUTO_FREE char *args = NULL;
	AUTO_FREE char *want = NULL;
	struct box b;

	make(&b, "c1", sleeper);
	fake_runtime(&b, "echo \"$*\" >>$DIR/args; exit 1");
	o.binary_name = b.runtime;
	o.root = "/run/other";
	o.systemd_cgroup = o.no_pivot_root = o.no_new_keyring = 1;
	any.type_url = options_type;
	any.value.data = (uint8_t *)(uintptr_t)pb_encode_arena(
			&o.base, &b.arena, &any.value.len);
	r.id = "c1";
	r.bundle = arena_printf(&b.arena, "%s/bundles/c1", b.dir.path);
	r.options = &any;
	assert_null(box_call(
			&b, "Create", &r.base, &task_v3__create_task_response__descriptor));
	args = get_file(b.dir.fd, "args");
	want = xasprintf(
			"--root /run/other/box --log %s/log.json --log-format json "
			"--systemd-cgroup create --bundle %s --pid-file %s/init.pid --no-pivot "
			"--no-new-keyring c1\n",
			r.bundle, r.bundle, r.bundle);
	assert_memory_equal(args, want, strlen(want) + 1);
	assert_done(&b, box_simple(&b, "Shutdown", "c1"));
	box_close(&b);
}

/* The kernel takes a container's shim before the daemon. */
void a_shim_is_one_more_expendable_than_its_daemon(void **state)
{
	int ours, shims;
	struct box b;

	make(&b, "c1", sleeper);
	assert_int_equal(process_oom_score(getpid(), &ours), 0);
	assert_int_equal(process_oom_score(box_shim_pid(&b), &shims), 0);
	assert_int_equal(shims, ours < 1000 ? ours + 1 : 1000);
	assert_done(&b, box_simple(&b, "Shutdown", "c1"));
	box_close(&b);
}
