/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a shim can be reached: what "shim start" prints, in three generations of forms, and
 * what we note in the bundle as bootstrap.json (reference 02 §2.4-2.7).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/* Start prints an address; more than this is not one. */
#define SHIM_ANSWER_MAX ((size_t)64 * 1024)

struct shim_endpoint {
	int version;   /* of the task API: 2 or 3 */
	char *address; /* "unix:///path", or the name of an abstract socket */
	bool is_grpc;  /* else ttrpc */
};
#define AUTO_ENDPOINT __attribute__((cleanup(shim_endpoint_done)))

void shim_endpoint_done(struct shim_endpoint *e);

/* Binary BootstrapResult, JSON, or just the address; also reads bootstrap.json and the file
 * "address" of older shims. UNIMPLEMENTED for a version we do not speak. */
MUST_USE int shim_endpoint_parse(const void *data, size_t size,
		struct shim_endpoint *ret_endpoint, struct err *err);

/* "<protocol>+<address>", as sandboxes hand it to clients. INVALID if it is not of that form.
 */
MUST_USE int shim_endpoint_parse_url(const char *url, unsigned version,
		struct shim_endpoint *ret_endpoint, struct err *err);

/* The content of bootstrap.json. */
void shim_endpoint_write(const struct shim_endpoint *e, struct buf *out);

/* What channel_open_ttrpc() and its like take: the path, or "@name" of an abstract socket;
 * owned. INVALID for transports we do not have. */
MUST_USE int shim_endpoint_socket(
		const struct shim_endpoint *e, char **ret_socket, struct err *err);
