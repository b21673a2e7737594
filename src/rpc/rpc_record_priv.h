/* SPDX-License-Identifier: Apache-2.0 */
/* The records that rpc/handover.h is about: numbers and byte strings in a row. Whoever reads
 * one may read past its end or nonsense: it gets zeros, and "bad" is set. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct rpc_record {
	const unsigned char *at;
	size_t left;
	bool bad;
};

void record_put_u64(struct buf *b, uint64_t n);
void record_put_bytes(struct buf *b, const void *data, size_t size);
void record_put_text(struct buf *b, const char *text);

uint64_t record_u64(struct rpc_record *r);
/* Not above max. */
uint64_t record_number(struct rpc_record *r, uint64_t max);
/* Borrowed from the record. */
const void *record_bytes(struct rpc_record *r, size_t *ret_size);
/* Ends with a 0 byte, and has no other. */
const char *record_text(struct rpc_record *r);
