/* SPDX-License-Identifier: Apache-2.0 */
/* The textual parts of gRPC: grpc-message and grpc-timeout. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define GRPC_TIMEOUT_SIZE 24

/* Percent-encodes what is not printable ASCII; at most "limit" bytes come out, cut between
 * characters. Caller frees. */
MUST_USE char *grpc_message_encode(const char *text, size_t limit);
/* Lenient: what is no escape stays as it is. Caller frees. */
MUST_USE char *grpc_message_decode(const char *text, size_t size);

/* "699958u"; rounds up, at most eight digits. */
void grpc_timeout_format(int64_t timeout_ns, char out[GRPC_TIMEOUT_SIZE]);
/* False if malformed; what is too long for 64 bits is INT64_MAX. */
MUST_USE bool grpc_timeout_parse(const char *text, int64_t *ret_ns);
