/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong, on its way from the place that knows the cause to the place that answers
 * the client. A struct err lives in the caller's frame, starts zeroed, and is set once.
 *
 * Every setter returns -1, so that the failing line can end with "return err_...()".
 * docs/dev/errors.md has the rules.
 */
#pragma once

#include "base/attr.h"

enum err_kind {
	ERR_NONE,
#define ERR_KIND(name, grpc, text) ERR_##name,
#include "base/err_kinds.def"
#undef ERR_KIND
};

struct err {
	enum err_kind kind;
	int sys;		     /* errno behind it, 0 if none */
	char *text;		     /* owned; NULL only if nothing was set */
	struct err_details *details; /* owned; NULL: none (base/err_details.h) */
};

#define AUTO_ERR __attribute__((cleanup(err_clear)))

/* "<message>: <text of the kind>"; just "<message>" for UNKNOWN. An empty message gives the
 * bare text of the kind. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* "<message>" and nothing more: for texts that clients know in another form. */
int err_plain(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* "<message>: <text of errnum>" in Go's words; kind UNKNOWN, as clients expect of a bare
 * system error. */
int err_sys(struct err *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "<message>: " before what is there. Never changes the kind. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Moves what "from" holds into "err" (which must be empty) and empties "from". Returns -1. */
int err_move(struct err *err, struct err *from);

/* Into an empty "err". Returns -1. */
int err_copy(struct err *err, const struct err *from);

void err_clear(struct err *err);

/* Borrowed; valid until the next call on this err. Never NULL. */
const char *err_text(const struct err *err);

/* The gRPC status number to send for this error; 0 for none. */
int err_grpc_status(const struct err *err);

/* The kind for a status number and message received from a peer: CONFLICT and NOT_MODIFIED are
 * told from PRECONDITION by the message's end (reference 01 §3.1). Unknown numbers: UNKNOWN. */
enum err_kind err_kind_of_grpc(int status, const char *message);

/* The text of an errno as Go prints it ("no such file or directory"). Static. */
const char *errno_text(int errnum);
