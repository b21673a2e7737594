/* SPDX-License-Identifier: Apache-2.0 */
/* An event bus that notes the topics, for those who publish. */
#pragma once

#include "base/mutex.h"
#include "core/event.h"

struct topics_bus {
	struct event_bus base;
	struct mutex lock;
	struct cond changed;
	char **topics; /* under lock, in order; NULL: none */
};

void topics_bus_init(struct topics_bus *b);
void topics_bus_done(struct topics_bus *b);
/* Until the topic was published. */
void topics_bus_wait(struct topics_bus *b, const char *topic);
