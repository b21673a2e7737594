/* SPDX-License-Identifier: Apache-2.0 */
/* The master side of a terminal, and waiting for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

bool tty_is(int fd);
MUST_USE int tty_resize(int fd, uint16_t columns, uint16_t rows); /* 0 or -errno */

/*
 * A master without anybody on its other side reports a hang-up for as long as that lasts, and a
 * level-triggered watch would spin. So masters are watched for changes only, in a set that is
 * itself a descriptor to watch: readable while a change has not been fetched.
 */
MUST_USE int edge_set_new(void); /* descriptor or -errno */
MUST_USE int edge_set_add(int set, int fd, void *arg);
void edge_set_remove(int set, int fd);
/* The arguments of descriptors that changed since the last call: how many, or -errno. */
MUST_USE int edge_set_fetch(int set, void **args, int room);
