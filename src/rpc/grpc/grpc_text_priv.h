/* SPDX-License-Identifier: Apache-2.0 */
/* The textual parts of gRPC: grpc-message, grpc-status-details-bin and grpc-timeout. */
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

struct err;

/* google.rpc.Status in base64, its texts at most max_text bytes long each. Caller frees. */
MUST_USE char *grpc_details_encode(const struct err *err, size_t max_text);
/*
 * What a peer's status amounts to, in the words of Go's client: the message of the details
 * counts more than the other, details that are no Status are as none (a peer may use the name
 * for something of its own), and a code that differs from theirs is an INTERNAL error.
 * "message" is decoded already, "details" NULL if there are none. Leaves err empty if all went
 * well.
 */
void grpc_status_read(int code, const char *message, const char *details, struct err *err);

/* "699958u"; rounds up, at most eight digits. */
void grpc_timeout_format(int64_t timeout_ns, char out[GRPC_TIMEOUT_SIZE]);
/* False if malformed; what is too long for 64 bits is INT64_MAX. */
MUST_USE bool grpc_timeout_parse(const char *text, int64_t *ret_ns);
