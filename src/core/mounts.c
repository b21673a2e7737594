/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mount.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

void mounts_done(struct mounts *m)
{
	int saved = errno;

	for (size_t i = 0; i < m->count; i++) {
		free(m->items[i].type);
		free(m->items[i].source);
		free(m->items[i].target);
		strv_free(m->items[i].options);
	}
	free(m->items);
	*m = (struct mounts){ 0 };
	errno = saved;
}

struct mount_spec *mounts_add(
		struct mounts *m, const char *type, const char *source, const char *target)
{
	struct mount_spec *spec;

	m->items = xreallocarray(m->items, m->count + 1, sizeof(*m->items));
	spec = &m->items[m->count++];
	*spec = (struct mount_spec){ xstrdup(str_or(type, "")), xstrdup(str_or(source, "")),
		xstrdup(str_or(target, "")), NULL };
	return spec;
}

void mounts_copy(struct mounts *to, const struct mounts *from)
{
	*to = (struct mounts){ 0 };
	for (size_t i = 0; i < from->count; i++) {
		const struct mount_spec *s = &from->items[i];

		mounts_add(to, s->type, s->source, s->target)->options = strv_dup(s->options);
	}
}
