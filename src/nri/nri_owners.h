/* SPDX-License-Identifier: Apache-2.0 */
/* Who has set what: two plugins that set the same thing contradict each other. */
#pragma once

#include "api/pb/nri.pb-c.h"
#include "base/attr.h"
#include "base/map.h"

struct arena;
struct err;

struct nri_owners {
	struct arena *arena;
	struct map by_what;
	struct nri_owned *first, **last;
};

void nri_owners_init(struct nri_owners *o, struct arena *arena);
void nri_owners_done(struct nri_owners *o);

/* "key" of an entry of a list or map; NULL if the field is one value. "plugins "a" and "b" both
 * tried to set …" unless it is nobody's, or was cleared by the same plugin. */
MUST_USE int nri_claim(struct nri_owners *o, const char *id, Nri__Field field, const char *key,
		const char *plugin, struct err *err);
/* From now on this plugin, and no other, may claim it. */
void nri_unclaim(struct nri_owners *o, const char *id, Nri__Field field, const char *key,
		const char *plugin);
/* Several may share it. */
void nri_claim_also(struct nri_owners *o, const char *id, Nri__Field field, const char *plugin);

/* NULL: nobody. */
const char *nri_owner(
		const struct nri_owners *o, const char *id, Nri__Field field, const char *key);
/* "each" gets the key and the owner of every entry of a field. */
void nri_owners_each(const struct nri_owners *o, const char *id, Nri__Field field,
		void (*each)(void *arg, const char *key, const char *plugin), void *arg);
MUST_USE Nri__OwningPlugins *nri_owners_message(const struct nri_owners *o);
