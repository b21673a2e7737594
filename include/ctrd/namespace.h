/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Namespaces of a daemon. None of these calls concerns the client's own.
 */
#ifndef CTRD_NAMESPACE_H
#define CTRD_NAMESPACE_H

#include <ctrd/client.h>

CTRD_BEGIN

struct ctrd_namespaces;

CTRD_API int ctrd_namespaces_list(struct ctrd_client *client,
		struct ctrd_namespaces **ret_namespaces, struct ctrd_error **ret_error);
CTRD_API void ctrd_namespaces_free(struct ctrd_namespaces *namespaces);
CTRD_API size_t ctrd_namespaces_count(const struct ctrd_namespaces *namespaces);
CTRD_API const char *ctrd_namespaces_name(const struct ctrd_namespaces *namespaces, size_t i);
CTRD_API const struct ctrd_labels *ctrd_namespaces_labels(
		const struct ctrd_namespaces *namespaces, size_t i);

/** labels may be NULL. */
CTRD_API int ctrd_namespace_create(struct ctrd_client *client, const char *name,
		const struct ctrd_labels *labels, struct ctrd_error **ret_error);
CTRD_API int ctrd_namespace_remove(
		struct ctrd_client *client, const char *name, struct ctrd_error **ret_error);
/** A value of "" removes the label. */
CTRD_API int ctrd_namespace_set_label(struct ctrd_client *client, const char *name,
		const char *key, const char *value, struct ctrd_error **ret_error);

CTRD_END

#endif
