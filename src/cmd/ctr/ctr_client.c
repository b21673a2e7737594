/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ctr/ctr_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "cmd/ctr/ctr_command.h"
#include "cmd/ctr/ctr_out.h"

/* The environment may ask for silence, in any of Go's spellings of true. */
static bool is_silenced(void)
{
	const char *value = getenv("CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS");

	return value != NULL && value[0] != '\0' && strchr("1tT", value[0]) != NULL;
}

static void warn_deprecations(struct ctrd_client *client)
{
	AUTO_ERROR struct ctrd_error *error = NULL;
	AUTO(ctrd_server_free) struct ctrd_server *server = NULL;

	if (is_silenced())
		return;
	if (ctrd_client_server(client, &server, &error) < 0) {
		out_log("warning", error, "Failed to check deprecations");
		return;
	}
	for (size_t i = 0; i < ctrd_server_deprecations(server); i++)
		out_log("warning", NULL, "DEPRECATION: %s",
				ctrd_server_deprecation_text(server, i));
}

int cx_connect_ns(const struct cx *cx, const char *ns, struct ctrd_client **ret_client)
{
	const struct ctr_args *args = cx_top(cx)->args;
	struct ctrd_client_options options = CTRD_CLIENT_OPTIONS_INIT;
	struct ctrd_error *error = NULL;
	struct stat st;

	if (stat(args->address, &st) < 0)
		return out_fail("cannot access socket %s: stat %s: %s", args->address,
				args->address, errno_text(errno));
	options.address = args->address;
	options.ns = ns;
	/* Rounded up: a deadline that is asked for must not become none. */
	options.timeout_ms = (args->timeout_ns + NS_PER_MS - 1) / NS_PER_MS;
	options.connect_timeout_ms = (args->connect_timeout_ns + NS_PER_MS - 1) / NS_PER_MS;
	if (ctrd_client_open(&options, ret_client, &error) < 0)
		return out_error(error);
	return 0;
}

int cx_connect(const struct cx *cx, struct ctrd_client **ret_client)
{
	const struct ctr_args *args = cx_top(cx)->args;
	int status = cx_connect_ns(cx, args->ns, ret_client);

	if (status == 0)
		warn_deprecations(*ret_client);
	return status;
}
