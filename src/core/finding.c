/* SPDX-License-Identifier: Apache-2.0 */
#include "core/finding.h"

#include <stdarg.h>

#include "base/auto.h"
#include "base/mem.h"

int finding_tell(const struct finding_sink *sink, enum finding_kind kind, const char *what,
		const char *name, struct err *err, const char *fmt, ...)
{
	AUTO_FREE char *why = NULL;
	va_list args;

	va_start(args, fmt);
	why = xvasprintf(fmt, args);
	va_end(args);
	return sink->each(sink->arg, &(struct finding){ kind, what, name, why }, err);
}
