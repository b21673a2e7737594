/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the restart labels of a container ask for (reference 02 §8.2). Only labels of container
 * records come here: what an image says about itself must never start anything
 * (CVE-2026-53488).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/task.h"

struct err;
struct labels;

#define RESTART_LABEL_STATUS   "containerd.io/restart.status"
#define RESTART_LABEL_POLICY   "containerd.io/restart.policy"
#define RESTART_LABEL_COUNT    "containerd.io/restart.count"
#define RESTART_LABEL_LOG_URI  "containerd.io/restart.loguri"
#define RESTART_LABEL_LOG_PATH "containerd.io/restart.logpath" /* of old: without effect */
#define RESTART_LABEL_EXPLICIT "containerd.io/restart.explicitly-stopped"

enum restart_kind {
	RESTART_ALWAYS,
	RESTART_NO,
	RESTART_ON_FAILURE,
	RESTART_UNLESS_STOPPED,
};

struct restart_policy {
	enum restart_kind kind;
	int64_t max; /* of ON_FAILURE; 0: no limit */
};

/* INVALID names what is not understood. */
MUST_USE int restart_policy_parse(
		const char *text, struct restart_policy *ret_policy, struct err *err);

enum restart_action {
	RESTART_NOTHING,
	RESTART_START,
	RESTART_STOP,
};

/* What a container's task is like; TASK_UNKNOWN: there is none. */
struct restart_state {
	enum task_status status;
	uint32_t exit_status;
};

/* What is to be done so that the task is as the labels want it; INVALID as above. */
MUST_USE int restart_decide(const struct labels *labels, const struct restart_state *state,
		enum restart_action *ret_action, struct err *err);

/* How often it was restarted so far; 0 for text that is no number. */
int64_t restart_count(const struct labels *labels);
