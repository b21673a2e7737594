/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Labels: a small set of names with values, sorted by name. Also used for other such sets.
 */
#ifndef CTRD_LABELS_H
#define CTRD_LABELS_H

#include <ctrd/base.h>

CTRD_BEGIN

struct ctrd_labels;

CTRD_API struct ctrd_labels *ctrd_labels_new(void);
CTRD_API void ctrd_labels_free(struct ctrd_labels *labels);
CTRD_API struct ctrd_labels *ctrd_labels_copy(const struct ctrd_labels *labels);

/** Adds or replaces. */
CTRD_API void ctrd_labels_set(struct ctrd_labels *labels, const char *key, const char *value);
CTRD_API void ctrd_labels_remove(struct ctrd_labels *labels, const char *key);

/** These take NULL as an empty set. Past the end, and for what is not there: NULL. */
CTRD_API size_t ctrd_labels_count(const struct ctrd_labels *labels);
CTRD_API const char *ctrd_labels_key(const struct ctrd_labels *labels, size_t i);
CTRD_API const char *ctrd_labels_value(const struct ctrd_labels *labels, size_t i);
CTRD_API const char *ctrd_labels_get(const struct ctrd_labels *labels, const char *key);

CTRD_END

#endif
