/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels and other small text-to-text maps that travel and are stored: a sorted vector of
 * pairs, so that equal sets have equal bytes. Zeroed is empty.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct err;

struct label {
	char *key, *value;
};

struct labels {
	struct label *items; /* sorted by key */
	size_t count;
};

#define AUTO_LABELS __attribute__((cleanup(labels_done)))

void labels_done(struct labels *l);
const char *labels_find(const struct labels *l, const char *key);      /* NULL if absent */
void labels_set(struct labels *l, const char *key, const char *value); /* copies, replaces */
void labels_remove(struct labels *l, const char *key);
void labels_copy(struct labels *to, const struct labels *from); /* "to" must be empty */
/* An empty value means delete (reference 01 §2.5). */
void labels_drop_empty(struct labels *l);
bool labels_equal(const struct labels *a, const struct labels *b);

/* containerd's rule: key and value together at most 4096 bytes. INVALID otherwise. */
#define LABEL_MAX 4096
MUST_USE int labels_check(const struct labels *l, struct err *err);
MUST_USE int label_check(const char *key, const char *value, struct err *err);
