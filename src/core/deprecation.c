/* SPDX-License-Identifier: Apache-2.0 */
#include "core/deprecation.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/mutex.h"

struct deprecations {
	struct mutex lock;
	int64_t last_ns[DEPRECATION_COUNT]; /* 0: not seen */
};

static const struct {
	const char *id, *text;
} rows[] = {
#define DEPRECATION(name, id, text) { "io.containerd.deprecation/" id, text },
#include "core/deprecations.def"
#undef DEPRECATION
};

struct deprecations *deprecations_new(void)
{
	struct deprecations *d = xzalloc(sizeof(*d));

	mutex_init(&d->lock, RANK_deprecations);
	return d;
}

void deprecations_free(struct deprecations *d)
{
	if (d == NULL)
		return;
	mutex_done(&d->lock);
	free(d);
}

void deprecation_note(struct deprecations *d, enum deprecation what)
{
	LOCKED(&d->lock);
	d->last_ns[what] = clock_wall_ns();
}

size_t deprecations_seen(struct deprecations *d, struct deprecation_seen out[DEPRECATION_COUNT])
{
	size_t count = 0;

	LOCKED(&d->lock);
	for (size_t i = 0; i < DEPRECATION_COUNT; i++)
		if (d->last_ns[i] != 0)
			out[count++] = (struct deprecation_seen){ rows[i].id, rows[i].text,
				d->last_ns[i] };
	return count;
}
