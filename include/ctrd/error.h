/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Why something failed. Act on the code, show the text.
 */
#ifndef CTRD_ERROR_H
#define CTRD_ERROR_H

#include <ctrd/base.h>

CTRD_BEGIN

/** Codes; more may come. The numbers are those of gRPC statuses. */
#define CTRD_OK		     0
#define CTRD_CANCELED	     1
#define CTRD_UNKNOWN	     2
#define CTRD_INVALID	     3
#define CTRD_DEADLINE	     4
#define CTRD_NOT_FOUND	     5
#define CTRD_EXISTS	     6
#define CTRD_PERMISSION	     7
#define CTRD_EXHAUSTED	     8
#define CTRD_PRECONDITION    9
#define CTRD_ABORTED	     10
#define CTRD_OUT_OF_RANGE    11
#define CTRD_UNIMPLEMENTED   12
#define CTRD_INTERNAL	     13
#define CTRD_UNAVAILABLE     14
#define CTRD_DATA_LOSS	     15
#define CTRD_UNAUTHENTICATED 16

struct ctrd_error;

/** CTRD_OK for NULL. */
CTRD_API int ctrd_error_code(const struct ctrd_error *error);
/** "" for NULL. */
CTRD_API const char *ctrd_error_text(const struct ctrd_error *error);
CTRD_API void ctrd_error_free(struct ctrd_error *error);

CTRD_END

#endif
