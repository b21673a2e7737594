/* SPDX-License-Identifier: Apache-2.0 */
/* All tasks and sandboxes of the daemon, by namespace and id. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/map.h"
#include "base/mutex.h"

struct err;
struct shim;

struct shim_table {
	struct mutex lock;
	struct map shims; /* "ns/id" to struct shim, one reference each */
};

void shim_table_init(struct shim_table *t);
void shim_table_done(struct shim_table *t);

/* Takes the place for a shim that is about to be started; nobody finds it before
 * shim_table_show(). EXISTS when the place is taken. */
ANY_THREAD MUST_USE int shim_table_reserve(
		struct shim_table *t, struct shim *s, struct err *err);
ANY_THREAD void shim_table_show(struct shim_table *t, struct shim *s);

/* False if somebody else has removed this very shim, or it was never there. */
ANY_THREAD bool shim_table_remove(struct shim_table *t, struct shim *s);

/* A reference, or NULL. */
ANY_THREAD MUST_USE struct shim *shim_table_find(
		struct shim_table *t, const char *ns, const char *id);

/* True also for what is reserved only. */
ANY_THREAD bool shim_table_has(struct shim_table *t, const char *ns, const char *id);

/* References to all tasks of a namespace (NULL: to all there is, sandboxes, too), sorted by id;
 * owned array of *ret_count. */
ANY_THREAD MUST_USE struct shim **shim_table_list(
		struct shim_table *t, const char *ns, size_t *ret_count);
void shim_list_free(struct shim **list, size_t count);

/* True if another task is reached at the same address: they share one process. */
ANY_THREAD bool shim_table_is_shared(struct shim_table *t, const struct shim *s);
