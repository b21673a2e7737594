/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_states.h"

#include "unit/unit.h"

static void a_container_starts_once(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(proc_check_init(PROC_CREATED, PROC_OP_START, &err), &err);
	assert_ok(proc_check_init(PROC_CREATED_CHECKPOINT, PROC_OP_START, &err), &err);
	assert_int_equal(proc_check_init(PROC_RUNNING, PROC_OP_START, &err), -1);
	assert_string_equal(err_text(&err), "cannot start a running process");
	assert_int_equal(err.kind, ERR_UNKNOWN);
	err_clear(&err);
	assert_fails(proc_check_init(PROC_STOPPED, PROC_OP_START, &err), &err, ERR_UNKNOWN);
	assert_fails(proc_check_exec(PROC_RUNNING, PROC_OP_START, &err), &err, ERR_UNKNOWN);
}

static void what_is_deleted_is_not_found(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(proc_check_init(PROC_DELETED, PROC_OP_DELETE, &err), -1);
	assert_string_equal(err_text(&err), "cannot delete a deleted process: not found");
	err_clear(&err);
	assert_fails(proc_check_init(PROC_DELETED, PROC_OP_KILL, &err), &err, ERR_NOT_FOUND);
	assert_fails(proc_check_exec(PROC_DELETED, PROC_OP_DELETE, &err), &err, ERR_NOT_FOUND);
	assert_fails(proc_check_init(PROC_DELETED, PROC_OP_PAUSE, &err), &err, ERR_UNKNOWN);
}

static void what_runs_is_not_deleted(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(proc_check_init(PROC_CREATED, PROC_OP_DELETE, &err), &err);
	assert_ok(proc_check_init(PROC_STOPPED, PROC_OP_DELETE, &err), &err);
	assert_fails(proc_check_init(PROC_RUNNING, PROC_OP_DELETE, &err), &err, ERR_UNKNOWN);
	assert_fails(proc_check_init(PROC_PAUSED, PROC_OP_DELETE, &err), &err, ERR_UNKNOWN);
	assert_fails(proc_check_exec(PROC_RUNNING, PROC_OP_DELETE, &err), &err, ERR_UNKNOWN);
}

static void pause_and_resume_are_each_others_condition(void **state)
{
	AUTO_ERR struct err err = { 0 };

	for (enum proc_state s = 0; s < PROC_STATES; s++) {
		int pause = proc_check_init(s, PROC_OP_PAUSE, &err);

		err_clear(&err);
		assert_int_equal(pause, s == PROC_RUNNING ? 0 : -1);
		pause = proc_check_init(s, PROC_OP_RESUME, &err);
		err_clear(&err);
		assert_int_equal(pause, s == PROC_PAUSED ? 0 : -1);
	}
}

static void killing_is_left_to_the_runtime_until_the_end(void **state)
{
	AUTO_ERR struct err err = { 0 };

	for (enum proc_state s = 0; s < PROC_DELETED; s++)
		assert_ok(proc_check_init(s, PROC_OP_KILL, &err), &err);
}

static void execs_need_a_container_that_is_there(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(proc_check_init(PROC_CREATED, PROC_OP_EXEC, &err), &err);
	assert_ok(proc_check_init(PROC_RUNNING, PROC_OP_EXEC, &err), &err);
	assert_int_equal(proc_check_init(PROC_PAUSED, PROC_OP_EXEC, &err), -1);
	assert_string_equal(err_text(&err), "cannot exec in a paused state");
	err_clear(&err);
	assert_fails(proc_check_init(PROC_STOPPED, PROC_OP_EXEC, &err), &err, ERR_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_container_starts_once),
		TEST(what_is_deleted_is_not_found),
		TEST(what_runs_is_not_deleted),
		TEST(pause_and_resume_are_each_others_condition),
		TEST(killing_is_left_to_the_runtime_until_the_end),
		TEST(execs_need_a_container_that_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
