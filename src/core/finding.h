/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a look through everything that is stored finds (docs/design/033-verify.md). Each store
 * looks through its own; the program that asks decides what becomes of it.
 */
#pragma once

#include "base/attr.h"

struct err;

enum finding_kind {
	FINDING_DAMAGED,  /* something that somebody relies on is not what it was */
	FINDING_LEFTOVER, /* nobody relies on it; a crash leaves such things */
};

/* Texts are borrowed for the call. */
struct finding {
	enum finding_kind kind;
	const char *what; /* "blob" */
	const char *name; /* the digest */
	const char *why;
};

typedef int (*finding_each)(void *arg, const struct finding *f, struct err *err);

/* Where findings go. */
struct finding_sink {
	finding_each each;
	void *arg;
};

MUST_USE int finding_tell(const struct finding_sink *sink, enum finding_kind kind,
		const char *what, const char *name, struct err *err, const char *fmt, ...)
		PRINTF_LIKE(6, 7);
