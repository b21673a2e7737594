/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a stored value is written: a version byte, then fields of tag (1 byte), size (varint) and
 * bytes. Fields may repeat and are skipped when unknown. docs/design/012-metadata.md has the
 * tags.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "kv/kv.h"

struct any;
struct anys;
struct buf;
struct err;
struct labels;

#define RECORD_VERSION 1

void rec_start(struct buf *b);
/* Absent, empty and zero values are not written. */
void rec_text(struct buf *b, uint8_t tag, const char *text);
void rec_int(struct buf *b, uint8_t tag, int64_t n);
void rec_labels(struct buf *b, uint8_t tag, const struct labels *labels);
void rec_any(struct buf *b, uint8_t tag, const struct any *any);
void rec_anys(struct buf *b, uint8_t tag, const struct anys *anys);

/* Reading. Whatever the bytes, nothing outside them is touched. */
struct rec {
	const uint8_t *p, *end;
};

struct rec_field {
	uint8_t tag;
	const uint8_t *data;
	size_t size;
};

/* False if the version is not known. */
MUST_USE bool rec_open(struct rec *r, struct kv_bytes bytes);
/* 1, 0 at the end, -1 when damaged. */
MUST_USE int rec_next(struct rec *r, struct rec_field *ret_field);

/* Values of fields; false when damaged. Owned results replace what was there. */
MUST_USE bool rec_get_text(const struct rec_field *f, char **ret_text);
MUST_USE bool rec_get_int(const struct rec_field *f, int64_t *ret);
MUST_USE bool rec_get_label(const struct rec_field *f, struct labels *labels);
MUST_USE bool rec_get_any(const struct rec_field *f, struct any *any);
MUST_USE bool rec_get_named_any(const struct rec_field *f, struct anys *anys);
/* Key and value of a label field, borrowed from the record. */
MUST_USE bool rec_peek_label(
		const struct rec_field *f, struct kv_bytes *key, struct kv_bytes *value);
/* The same of an Any, and of a named one: "rest" is its Any. */
MUST_USE bool rec_peek_any(
		const struct rec_field *f, struct kv_bytes *url, struct kv_bytes *value);
MUST_USE bool rec_peek_named_any(
		const struct rec_field *f, struct kv_bytes *key, struct rec_field *rest);
bool rec_has_nul(struct kv_bytes bytes); /* so it is no text */
