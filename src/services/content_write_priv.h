/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of Content.Write, decoded without copying their data: on this stream each message
 * holds up to 8 MiB of it. Everything else goes through pb_decode() and its limits.
 */
#pragma once

#include <stddef.h>

#include "api/pb/content.pb-c.h"
#include "base/attr.h"

struct arena;
struct err;

struct write_request {
	const Content__WriteContentRequest *message; /* its data field is empty */
	const void *data;			     /* in the bytes that were decoded */
	size_t size;
};

MUST_USE int write_request_decode(const void *bytes, size_t size, struct arena *a,
		struct write_request *ret_request, struct err *err);
