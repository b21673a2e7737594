/* SPDX-License-Identifier: Apache-2.0 */
/* Findings as lines: "damaged blob <name>: <why>". */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "core/finding.h"

struct findings {
	struct buf lines;
	struct finding_sink sink;
};

static int note_finding(void *arg, const struct finding *f, struct err *err)
{
	buf_addf(arg, "%s %s %s: %s\n", f->kind == FINDING_DAMAGED ? "damaged" : "leftover",
			f->what, f->name, f->why);
	return 0;
}

UNUSED static void findings_init(struct findings *f)
{
	*f = (struct findings){ .lines = { .limit = 1 << 20 } };
	f->sink = (struct finding_sink){ note_finding, &f->lines };
}

/* All of them, and forgets them. */
#define assert_findings(f, want)                                                               \
	do {                                                                                   \
		assert_string_equal((f)->lines.size == 0 ? "" : (f)->lines.data, want);        \
		buf_done(&(f)->lines);                                                         \
		findings_init(f);                                                              \
	} while (0)
