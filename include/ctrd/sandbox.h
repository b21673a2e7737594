/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Sandboxes: what several containers share a shim in. A container is put into one by its
 * options (container.h).
 */
#ifndef CTRD_SANDBOX_H
#define CTRD_SANDBOX_H

#include <ctrd/client.h>
#include <ctrd/container.h>
#include <ctrd/spec.h>

CTRD_BEGIN

struct ctrd_sandbox;
struct ctrd_sandboxes;

struct ctrd_sandbox_options {
	size_t size;
	const char *sandboxer; /**< its controller; NULL: the namespace's default */
	const char *runtime;   /**< NULL: CTRD_RUNTIME_RUNC, which cannot run sandboxes */
	const struct ctrd_labels *labels;
	struct ctrd_spec *spec; /**< or NULL */
};

#define CTRD_SANDBOX_OPTIONS_INIT                                                              \
	{                                                                                      \
		sizeof(struct ctrd_sandbox_options), NULL, NULL, NULL, NULL                    \
	}

/** The record, and what its controller makes of it. On failure neither is left. */
CTRD_API int ctrd_sandbox_create(struct ctrd_client *client, const char *id,
		const struct ctrd_sandbox_options *options, struct ctrd_sandbox **ret_sandbox,
		struct ctrd_error **ret_error);
CTRD_API int ctrd_sandboxes_list(struct ctrd_client *client, const char *const *filters,
		struct ctrd_sandboxes **ret_sandboxes, struct ctrd_error **ret_error);
CTRD_API void ctrd_sandboxes_free(struct ctrd_sandboxes *sandboxes);
CTRD_API size_t ctrd_sandboxes_count(const struct ctrd_sandboxes *sandboxes);
CTRD_API const struct ctrd_sandbox *ctrd_sandboxes_at(
		const struct ctrd_sandboxes *sandboxes, size_t i);

CTRD_API int ctrd_sandbox_get(struct ctrd_client *client, const char *id,
		struct ctrd_sandbox **ret_sandbox, struct ctrd_error **ret_error);
CTRD_API void ctrd_sandbox_free(struct ctrd_sandbox *sandbox);
/** Texts are "" where there is nothing. */
CTRD_API const char *ctrd_sandbox_id(const struct ctrd_sandbox *sandbox);
CTRD_API const char *ctrd_sandbox_sandboxer(const struct ctrd_sandbox *sandbox);
CTRD_API const char *ctrd_sandbox_runtime(const struct ctrd_sandbox *sandbox);
CTRD_API const struct ctrd_any *ctrd_sandbox_runtime_options(
		const struct ctrd_sandbox *sandbox);
CTRD_API int64_t ctrd_sandbox_created(const struct ctrd_sandbox *sandbox);
CTRD_API int64_t ctrd_sandbox_updated(const struct ctrd_sandbox *sandbox);
CTRD_API const struct ctrd_labels *ctrd_sandbox_labels(const struct ctrd_sandbox *sandbox);
CTRD_API const struct ctrd_any *ctrd_sandbox_spec(const struct ctrd_sandbox *sandbox);
/** NULL past the end. */
CTRD_API const char *ctrd_sandbox_extension_key(const struct ctrd_sandbox *sandbox, size_t i);
CTRD_API const struct ctrd_any *ctrd_sandbox_extension(
		const struct ctrd_sandbox *sandbox, size_t i);

CTRD_API int ctrd_sandbox_start(struct ctrd_client *client, const struct ctrd_sandbox *sandbox,
		struct ctrd_error **ret_error);
CTRD_API int ctrd_sandbox_stop(struct ctrd_client *client, const struct ctrd_sandbox *sandbox,
		struct ctrd_error **ret_error);
/** Waits for its end. Either ret may be NULL. */
CTRD_API int ctrd_sandbox_wait(struct ctrd_client *client, const struct ctrd_sandbox *sandbox,
		uint32_t *ret_status, int64_t *ret_exited, struct ctrd_error **ret_error);
/** Ends it and removes the record. What is gone already is no failure. */
CTRD_API int ctrd_sandbox_shutdown(struct ctrd_client *client,
		const struct ctrd_sandbox *sandbox, struct ctrd_error **ret_error);

CTRD_END

#endif
