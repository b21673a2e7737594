/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/restart_policy.h"

#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/mem.h"
#include "base/str.h"

static const struct {
	const char *name;
	enum restart_kind kind;
} policies[] = {
	{ "", RESTART_ALWAYS },
	{ "always", RESTART_ALWAYS },
	{ "no", RESTART_NO },
	{ "on-failure", RESTART_ON_FAILURE },
	{ "unless-stopped", RESTART_UNLESS_STOPPED },
};

static bool find_kind(const char *name, enum restart_kind *ret_kind)
{
	for (size_t i = 0; i < ARRAY_LEN(policies); i++)
		if (str_eq(policies[i].name, name)) {
			*ret_kind = policies[i].kind;
			return true;
		}
	return false;
}

int restart_policy_parse(const char *text, struct restart_policy *ret_policy, struct err *err)
{
	AUTO_STRV char **parts = strv_split(str_or(text, ""), ':');
	const char *name = strv_len(parts) > 0 ? parts[0] : "";
	const char *max = strv_len(parts) > 1 ? parts[1] : NULL;
	struct restart_policy p = { 0 };

	if (!find_kind(name, &p.kind))
		return err_plain(err, ERR_INVALID, "restart policy \"%s\" not supported", name);
	if (max != NULL && p.kind != RESTART_ON_FAILURE)
		return err_plain(err, ERR_INVALID,
				"restart policy \"%s\" not support max retry count", name);
	if (max != NULL && !str_i64(max, &p.max))
		return err_plain(err, ERR_INVALID, "invalid max retry count: %s", max);
	*ret_policy = p;
	return 0;
}

int64_t restart_count(const struct labels *labels)
{
	const char *text = labels_find(labels, RESTART_LABEL_COUNT);
	int64_t count = 0;

	return text != NULL && str_i64(text, &count) ? count : 0;
}

/* As Go's strconv.ParseBool; what it refuses is not true. */
static bool is_true(const char *text)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };

	for (size_t i = 0; text != NULL && i < ARRAY_LEN(yes); i++)
		if (str_eq(text, yes[i]))
			return true;
	return false;
}

static bool may_try_again(const struct labels *labels, const struct restart_policy *p)
{
	const char *text = labels_find(labels, RESTART_LABEL_COUNT);
	int64_t count = 0;

	if (!str_is_empty(text) && !str_i64(text, &count))
		return false;
	return p->max == 0 || count < p->max;
}

static bool is_due(const struct labels *labels, const struct restart_policy *p,
		const struct restart_state *state)
{
	switch (p->kind) {
	case RESTART_ALWAYS:
		return true;
	case RESTART_NO:
		return false;
	case RESTART_UNLESS_STOPPED:
		return !is_true(labels_find(labels, RESTART_LABEL_EXPLICIT));
	case RESTART_ON_FAILURE:
		return state->exit_status != 0 && may_try_again(labels, p);
	}
	return false;
}

int restart_decide(const struct labels *labels, const struct restart_state *state,
		enum restart_action *ret_action, struct err *err)
{
	const char *want = str_or(labels_find(labels, RESTART_LABEL_STATUS), "");
	struct restart_policy policy;

	*ret_action = RESTART_NOTHING;
	if (str_eq(want, "stopped")) {
		if (state->status != TASK_STOPPED && state->status != TASK_UNKNOWN)
			*ret_action = RESTART_STOP;
		return 0;
	}
	if (!str_eq(want, "running") || state->status == TASK_RUNNING ||
			state->status == TASK_PAUSED || state->status == TASK_PAUSING)
		return 0;
	if (restart_policy_parse(labels_find(labels, RESTART_LABEL_POLICY), &policy, err) < 0)
		return -1;
	if (is_due(labels, &policy, state))
		*ret_action = RESTART_START;
	return 0;
}
