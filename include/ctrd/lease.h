/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Leases keep what was created under them from garbage collection.
 */
#ifndef CTRD_LEASE_H
#define CTRD_LEASE_H

#include <ctrd/client.h>

CTRD_BEGIN

struct ctrd_leases;

CTRD_API int ctrd_leases_list(struct ctrd_client *client, const char *const *filters,
		struct ctrd_leases **ret_leases, struct ctrd_error **ret_error);
CTRD_API void ctrd_leases_free(struct ctrd_leases *leases);
CTRD_API size_t ctrd_leases_count(const struct ctrd_leases *leases);
CTRD_API const char *ctrd_leases_id(const struct ctrd_leases *leases, size_t i);
CTRD_API int64_t ctrd_leases_created(const struct ctrd_leases *leases, size_t i);
CTRD_API const struct ctrd_labels *ctrd_leases_labels(
		const struct ctrd_leases *leases, size_t i);

/**
 * @param id          NULL or "": the library makes one
 * @param expires_ns  how long it lives; 0: until it is removed
 * @param ret_id      end it with ctrd_free()
 */
CTRD_API int ctrd_lease_create(struct ctrd_client *client, const char *id, int64_t expires_ns,
		const struct ctrd_labels *labels, char **ret_id, struct ctrd_error **ret_error);
/** "sync": returns after a garbage collection. */
CTRD_API int ctrd_lease_remove(struct ctrd_client *client, const char *id, int sync,
		struct ctrd_error **ret_error);

CTRD_END

#endif
