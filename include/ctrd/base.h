/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * What every header of libctrd shares.
 *
 * Functions that can fail return 0, or -1 and set *ret_error (which may be NULL if nobody wants
 * to know why); outputs are written on success only. Strings and structs passed in are borrowed
 * for the call. What comes back under a ret_ name is the caller's; what a getter returns is
 * borrowed as long as the object. Option structs start with their size, set by an initializer;
 * fields are only ever added at the end. Times are nanoseconds since 1970, or CTRD_NO_TIME.
 *
 * The library prints nothing, leaves signal handlers alone, and starts a thread only where a
 * function says so. Without memory for a small object it calls abort().
 */
#ifndef CTRD_BASE_H
#define CTRD_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define CTRD_API __attribute__((visibility("default")))
#else
#define CTRD_API
#endif

#ifdef __cplusplus
#define CTRD_BEGIN extern "C" {
#define CTRD_END   }
#else
#define CTRD_BEGIN
#define CTRD_END
#endif

CTRD_BEGIN

/** A time that was never set. */
#define CTRD_NO_TIME INT64_MIN

/** Ends what a function returned as char * or void *. NULL is fine. */
CTRD_API void ctrd_free(void *memory);

/** "2.3.4+ctrd.…": the release of containerd this library speaks like, and its own. */
CTRD_API const char *ctrd_version(void);
CTRD_API const char *ctrd_revision(void);

CTRD_END

#endif
