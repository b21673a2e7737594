/* SPDX-License-Identifier: Apache-2.0 */
/* A typed blob that is stored and relayed verbatim (reference 01 §1.5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* Owns what it points to. */
struct any {
	bool is_set; /* an Any with empty type and value is set, too */
	char *type_url;
	void *value;
	size_t size;
};

#define AUTO_ANY __attribute__((cleanup(any_done)))

/* Both are copied; what was there is freed. */
void any_set(struct any *a, const char *type_url, const void *value, size_t size);
void any_copy(struct any *to, const struct any *from); /* "to" must be empty */
void any_done(struct any *a);

/* Named blobs: extensions of containers and sandboxes; sorted by key. */
struct named_any {
	char *key;
	struct any any;
};

struct anys {
	struct named_any *items;
	size_t count;
};

void anys_done(struct anys *a);
void anys_copy(struct anys *to, const struct anys *from); /* "to" must be empty */
/* Borrowed until the next change; NULL if there is none. */
const struct any *anys_find(const struct anys *a, const char *key);
/* A copy, in place of one of the same key. */
void anys_set(struct anys *a, const char *key, const struct any *any);
void anys_remove(struct anys *a, const char *key);
