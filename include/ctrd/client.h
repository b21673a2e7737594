/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Connections to a containerd daemon.
 *
 * A client may be used by several threads at once: each call that would have to wait for
 * another's opens a connection of its own. It holds a namespace, and optionally a lease, that
 * all its calls carry.
 */
#ifndef CTRD_CLIENT_H
#define CTRD_CLIENT_H

#include <ctrd/base.h>
#include <ctrd/error.h>
#include <ctrd/labels.h>

CTRD_BEGIN

struct ctrd_client;

struct ctrd_client_options {
	size_t size;
	const char *address;	    /**< path of the socket; NULL: the usual place */
	const char *ns;		    /**< namespace; NULL: "default" */
	int64_t connect_timeout_ms; /**< 0: ten seconds */
	int64_t timeout_ms;	    /**< for everything this client does; 0: none */
};

#define CTRD_CLIENT_OPTIONS_INIT                                                               \
	{                                                                                      \
		sizeof(struct ctrd_client_options), NULL, NULL, 0, 0                           \
	}

#define CTRD_DEFAULT_ADDRESS "/run/containerd/containerd.sock"

/** Connects. options may be NULL. */
CTRD_API int ctrd_client_open(const struct ctrd_client_options *options,
		struct ctrd_client **ret_client, struct ctrd_error **ret_error);

/** Ends a client that no thread uses any more. What was got from it stays usable. */
CTRD_API void ctrd_client_close(struct ctrd_client *client);

/** Makes all calls, present and future, fail with CTRD_CANCELED. From any thread. */
CTRD_API void ctrd_client_cancel(struct ctrd_client *client);

CTRD_API const char *ctrd_client_namespace(const struct ctrd_client *client);

/** Whatever is created from now on is recorded under this lease; NULL: under none. Not while
 * another thread uses the client. */
CTRD_API void ctrd_client_use_lease(struct ctrd_client *client, const char *lease);

/** The daemon's version and revision; end both with ctrd_free(). */
CTRD_API int ctrd_client_version(struct ctrd_client *client, char **ret_version,
		char **ret_revision, struct ctrd_error **ret_error);

/** What the daemon says about itself. */
struct ctrd_server;

CTRD_API int ctrd_client_server(struct ctrd_client *client, struct ctrd_server **ret_server,
		struct ctrd_error **ret_error);
CTRD_API void ctrd_server_free(struct ctrd_server *server);
CTRD_API const char *ctrd_server_uuid(const struct ctrd_server *server);
CTRD_API uint64_t ctrd_server_pid(const struct ctrd_server *server);
CTRD_API uint64_t ctrd_server_pidns(const struct ctrd_server *server);
CTRD_API size_t ctrd_server_deprecations(const struct ctrd_server *server);
CTRD_API const char *ctrd_server_deprecation_id(const struct ctrd_server *server, size_t i);
CTRD_API const char *ctrd_server_deprecation_text(const struct ctrd_server *server, size_t i);
CTRD_API int64_t ctrd_server_deprecation_time(const struct ctrd_server *server, size_t i);

/** Plugins of the daemon, in the order they were started. */
struct ctrd_plugin;
struct ctrd_plugins;

CTRD_API int ctrd_plugins_list(struct ctrd_client *client, const char *const *filters,
		struct ctrd_plugins **ret_plugins, struct ctrd_error **ret_error);
CTRD_API void ctrd_plugins_free(struct ctrd_plugins *plugins);
CTRD_API size_t ctrd_plugins_count(const struct ctrd_plugins *plugins);
CTRD_API const struct ctrd_plugin *ctrd_plugins_at(
		const struct ctrd_plugins *plugins, size_t i);

CTRD_API const char *ctrd_plugin_type(const struct ctrd_plugin *plugin);
CTRD_API const char *ctrd_plugin_id(const struct ctrd_plugin *plugin);
/** Items of lists; NULL past the end. */
CTRD_API const char *ctrd_plugin_require(const struct ctrd_plugin *plugin, size_t i);
CTRD_API const char *ctrd_plugin_platform(const struct ctrd_plugin *plugin, size_t i);
CTRD_API const char *ctrd_plugin_capability(const struct ctrd_plugin *plugin, size_t i);
CTRD_API const struct ctrd_labels *ctrd_plugin_exports(const struct ctrd_plugin *plugin);
/** Why it did not start: CTRD_OK and "" if it did. */
CTRD_API int ctrd_plugin_error_code(const struct ctrd_plugin *plugin);
CTRD_API const char *ctrd_plugin_error_text(const struct ctrd_plugin *plugin);

CTRD_END

#endif
