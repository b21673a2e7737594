/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope-bound ownership. A variable that owns something says so where it is declared, and
 * gives it up only through take_ptr() or take_fd(). Every cleanup keeps errno.
 */
#pragma once

#include <stddef.h>

#define AUTO(fn)   __attribute__((cleanup(auto_##fn)))
#define AUTO_FREE  __attribute__((cleanup(auto_mem)))
#define AUTO_CLOSE __attribute__((cleanup(auto_fd)))
#define AUTO_STRV  __attribute__((cleanup(auto_strv)))

/* Lets AUTO(fn) own a "type"; fn must accept NULL. Stands right under fn's prototype. */
#define DEFINE_AUTO(type, fn)                                                                  \
	static inline void auto_##fn(type *slot)                                               \
	{                                                                                      \
		fn(*slot);                                                                     \
	}

#define take_ptr(slot)                                                                         \
	({                                                                                     \
		__typeof__(slot) taken_ = (slot);                                              \
		(slot) = NULL;                                                                 \
		taken_;                                                                        \
	})

void auto_mem(void *slot);
void auto_fd(int *slot);
void auto_strv(char ***slot);

/* Gives up the descriptor in *fd, which becomes -1. */
int take_fd(int *fd);

/* Closes *fd if it is open and sets it to -1; keeps errno. */
void close_fd(int *fd);
