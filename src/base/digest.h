/* SPDX-License-Identifier: Apache-2.0 */
/* Content digests: "sha256:<hex>", sha384 and sha512 (reference 01 §2.6). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/auto.h"

struct err;

enum digest_alg {
	DIGEST_SHA256,
	DIGEST_SHA384,
	DIGEST_SHA512,
};

/* "sha512:" and 128 hex characters, and the 0. */
#define DIGEST_TEXT_SIZE (7 + 128 + 1)

/* Checks the form; the algorithm goes to ret_alg unless that is NULL. INVALID in Go's words. */
MUST_USE int digest_check(const char *digest, enum digest_alg *ret_alg, struct err *err);

const char *digest_alg_name(enum digest_alg alg);
const char *digest_hex(const char *digest); /* behind the colon; the digest must be valid */

struct digester;
MUST_USE struct digester *digester_new(enum digest_alg alg);
void digester_free(struct digester *d);
DEFINE_AUTO(struct digester *, digester_free)
void digester_add(struct digester *d, const void *data, size_t size);
/* The digest of everything added so far; more may be added afterwards. */
void digester_text(const struct digester *d, char out[DIGEST_TEXT_SIZE]);

void digest_bytes(
		enum digest_alg alg, const void *data, size_t size, char out[DIGEST_TEXT_SIZE]);
