/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps tasks as the restart labels of their containers want them (reference 02 §8.2): looks at
 * all of them every "interval", but only while there are containers with such labels; and soon
 * after a task has ended, but starts none more than once in an interval that way. Where nobody
 * uses the labels it costs a subscription and no wake-up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct container_store;
struct err;
struct event_bus;
struct loop;
struct namespace_store;
struct restart_monitor;
struct snapshotter;
struct task_service;

/* All borrowed for the monitor's life. */
struct restart_options {
	struct loop *loop;
	struct namespace_store *namespaces;
	struct container_store *containers;
	struct task_service *tasks;
	struct event_bus *events;
	struct snapshotter *(*snapshotter)(void *arg, const char *name); /* NULL if unknown */
	void *snapshotter_arg;
	int64_t interval_ns; /* 0: 10 s */
};

/* The first look is taken as soon as the loop runs. */
ON_LOOP MUST_USE int restart_monitor_new(const struct restart_options *o,
		struct restart_monitor **ret_monitor, struct err *err);
/* Waits for what it is doing, and begins nothing more until restart_monitor_resume(). False
 * when the deadline passes first; then it is to be resumed, too. */
MAY_BLOCK MUST_USE bool restart_monitor_pause(
		struct restart_monitor *m, int64_t mono_deadline_ns);
ANY_THREAD void restart_monitor_resume(struct restart_monitor *m);
/* Gives up what it is doing, and waits for that. The loop must run, or be freed later. NULL is
 * fine. */
MAY_BLOCK void restart_monitor_free(struct restart_monitor *m);
DEFINE_AUTO(struct restart_monitor *, restart_monitor_free)
