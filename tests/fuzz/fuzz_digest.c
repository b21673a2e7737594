/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text may come as a digest (CVE-2026-95839): it is refused with words, or it is one of the
 * three kinds, lower-case hex of their length, and can become a name in the content store.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same rule, said in another way. */
static bool is_digest(const char *text)
{
	static const struct {
		const char *prefix;
		size_t hex;
	} kinds[] = { { "sha256:", 64 }, { "sha384:", 96 }, { "sha512:", 128 } };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *hex = text + strlen(kinds[i].prefix);

		if (str_starts(text, kinds[i].prefix))
			return strlen(hex) == kinds[i].hex &&
			       strspn(hex, "0123456789abcdef") == kinds[i].hex;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xmemdup(data, size);
	AUTO_ERR struct err err = { 0 };
	enum digest_alg alg = DIGEST_SHA256;
	char made[DIGEST_TEXT_SIZE];
	bool fine = digest_check(text, &alg, &err) == 0;

	if (fine != is_digest(text) || fine != (err.kind == ERR_NONE))
		abort();
	if (!fine)
		return err.kind == ERR_INVALID ? 0 : (abort(), 0);
	if (!str_starts(text, digest_alg_name(alg)) || strchr(digest_hex(text), '/') != NULL ||
			strlen(text) >= DIGEST_TEXT_SIZE)
		abort();
	digest_bytes(alg, data, size, made);
	if (digest_check(made, &alg, &err) < 0)
		abort();
	return 0;
}
