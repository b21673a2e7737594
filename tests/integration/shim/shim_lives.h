/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the shim do all the time with a box's containers. */
#pragma once

#include "shim_box.h"

/* A program that ends when it is killed. */
extern const char *const sleeper[];

#define assert_done(b, call)                                                                   \
	do {                                                                                   \
		if ((call) < 0)                                                                \
			fail_msg("%s: %s", #call, err_text(&(b)->err));                        \
	} while (0)

void assert_topics(struct box *b, size_t count, const char *want);

/* Opens the box, and starts a shim with a bundle of this container. */
void make(struct box *b, const char *id, const char *const *args);
/* Kills, waits, deletes, ends the shim; it must be gone then, and its socket at once. */
void finish(struct box *b, const char *id);

/* A fifo in the box's directory; its path lives as long as the box. */
char *fifo_in(struct box *b, const char *name);

/* A runtime that does as the script says; "$REAL" is runc, "$DIR" the box's directory. Its
 * arguments begin with the global part. */
void fake_runtime(struct box *b, const char *script);
/* The one whose script wrote its pid to $DIR/fake.pid. For box_eventually(). */
bool fake_is_gone(void *box);
