/* SPDX-License-Identifier: Apache-2.0 */
/* What a prototype says about its callers; see docs/dev/threads.md for the thread tags. */
#pragma once

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_USE	       __attribute__((warn_unused_result))
#define NORETURN	       __attribute__((noreturn))
#define UNUSED		       __attribute__((unused))

/* Drops a result that must be used, on purpose: say why next to it. */
#define IGNORE(call)                                                                           \
	do {                                                                                   \
		__typeof__(call) ignored_ UNUSED = (call);                                     \
	} while (0)

/* Thread tags. ON_LOOP: only on a loop thread. MAY_BLOCK: anywhere but there. */
#define ON_LOOP
#define MAY_BLOCK
#define ANY_THREAD

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member)                                                        \
	((type *)((char *)(ptr) - __builtin_offsetof(type, member)))
