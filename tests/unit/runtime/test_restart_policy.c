/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 02 §8.2: what restart labels ask for. */
#include "unit/unit.h"

#include "base/labels.h"
#include "base/mem.h"
#include "runtime/restart_policy.h"

static enum restart_action decide(
		const char *const *pairs, enum task_status status, uint32_t exit_status)
{
	AUTO_LABELS struct labels labels = { 0 };
	AUTO_ERR struct err err = { 0 };
	struct restart_state state = { status, exit_status };
	enum restart_action action = RESTART_NOTHING;

	for (; *pairs != NULL; pairs += 2)
		labels_set(&labels, pairs[0], pairs[1]);
	assert_ok(restart_decide(&labels, &state, &action, &err), &err);
	return action;
}
#define DECIDE(status, exit_status, ...)                                                       \
	decide((const char *const[]){ __VA_ARGS__, NULL }, status, exit_status)
#define RUNNING RESTART_LABEL_STATUS, "running"
#define STOPPED RESTART_LABEL_STATUS, "stopped"
#define POLICY	RESTART_LABEL_POLICY

static void refuses(const char *text, const char *want)
{
	AUTO_ERR struct err err = { 0 };
	struct restart_policy p;

	assert_int_equal(restart_policy_parse(text, &p, &err), -1);
	assert_string_equal(err_text(&err), want);
}

static void policies_that_are_not_known_are_named(void **state)
{
	refuses("always:3", "restart policy \"always\" not support max retry count");
	refuses("on-failure:x", "invalid max retry count: x");
	refuses("on-failure:", "invalid max retry count: ");
	refuses("often", "restart policy \"often\" not supported");
	refuses("ALWAYS", "restart policy \"ALWAYS\" not supported");
}

static void no_policy_means_always(void **state)
{
	assert_int_equal(DECIDE(TASK_STOPPED, 0, RUNNING), RESTART_START);
	assert_int_equal(DECIDE(TASK_UNKNOWN, 0, RUNNING, POLICY, ""), RESTART_START);
	assert_int_equal(DECIDE(TASK_STOPPED, 1, RUNNING, POLICY, "no"), RESTART_NOTHING);
}

static void what_is_as_wanted_or_paused_is_left_alone(void **state)
{
	assert_int_equal(DECIDE(TASK_RUNNING, 0, RUNNING), RESTART_NOTHING);
	assert_int_equal(DECIDE(TASK_PAUSED, 0, RUNNING), RESTART_NOTHING);
	assert_int_equal(DECIDE(TASK_PAUSING, 0, RUNNING), RESTART_NOTHING);
	assert_int_equal(DECIDE(TASK_STOPPED, 0, STOPPED), RESTART_NOTHING);
	assert_int_equal(DECIDE(TASK_UNKNOWN, 0, STOPPED), RESTART_NOTHING);
	assert_int_equal(DECIDE(TASK_STOPPED, 0, RESTART_LABEL_STATUS, "maybe"),
			RESTART_NOTHING);
	assert_int_equal(DECIDE(TASK_STOPPED, 0, POLICY, "always"), RESTART_NOTHING);
}

static void wanted_stopped_ends_what_runs(void **state)
{
	assert_int_equal(DECIDE(TASK_RUNNING, 0, STOPPED), RESTART_STOP);
	assert_int_equal(DECIDE(TASK_PAUSED, 0, STOPPED, POLICY, "no"), RESTART_STOP);
}

static void on_failure_counts(void **state)
{
	assert_int_equal(DECIDE(TASK_STOPPED, 0, RUNNING, POLICY, "on-failure"),
			RESTART_NOTHING);
	assert_int_equal(DECIDE(TASK_UNKNOWN, 0, RUNNING, POLICY, "on-failure"),
			RESTART_NOTHING);
	assert_int_equal(DECIDE(TASK_STOPPED, 1, RUNNING, POLICY, "on-failure",
					 RESTART_LABEL_COUNT, "99"),
			RESTART_START);
	assert_int_equal(DECIDE(TASK_STOPPED, 1, RUNNING, POLICY, "on-failure:2",
					 RESTART_LABEL_COUNT, "1"),
			RESTART_START);
	assert_int_equal(DECIDE(TASK_STOPPED, 1, RUNNING, POLICY, "on-failure:2",
					 RESTART_LABEL_COUNT, "2"),
			RESTART_NOTHING);
	assert_int_equal(DECIDE(TASK_STOPPED, 1, RUNNING, POLICY, "on-failure",
					 RESTART_LABEL_COUNT, "two"),
			RESTART_NOTHING);
}

static void explicitly_stopped_is_a_go_bool(void **state)
{
	assert_int_equal(DECIDE(TASK_STOPPED, 0, RUNNING, POLICY, "unless-stopped",
					 RESTART_LABEL_EXPLICIT, "true"),
			RESTART_NOTHING);
	assert_int_equal(DECIDE(TASK_STOPPED, 0, RUNNING, POLICY, "unless-stopped",
					 RESTART_LABEL_EXPLICIT, "1"),
			RESTART_NOTHING);
	assert_int_equal(DECIDE(TASK_STOPPED, 0, RUNNING, POLICY, "unless-stopped",
					 RESTART_LABEL_EXPLICIT, "yes"),
			RESTART_START);
	assert_int_equal(DECIDE(TASK_STOPPED, 0, RUNNING, POLICY, "unless-stopped"),
			RESTART_START);
}

static void a_bad_policy_never_restarts(void **state)
{
	AUTO_LABELS struct labels labels = { 0 };
	AUTO_ERR struct err err = { 0 };
	struct restart_state stopped = { TASK_STOPPED, 1 };
	enum restart_action action = RESTART_START;

	labels_set(&labels, RESTART_LABEL_STATUS, "running");
	labels_set(&labels, RESTART_LABEL_POLICY, "on-failure:9223372036854775808");
	assert_fails(restart_decide(&labels, &stopped, &action, &err), &err, ERR_INVALID);
	assert_int_equal(action, RESTART_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(policies_that_are_not_known_are_named),
		TEST(no_policy_means_always),
		TEST(what_is_as_wanted_or_paused_is_left_alone),
		TEST(wanted_stopped_ends_what_runs),
		TEST(on_failure_counts),
		TEST(explicitly_stopped_is_a_go_bool),
		TEST(a_bad_policy_never_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
