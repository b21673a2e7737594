/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The low-level SHA functions of libcrypto: 22 KiB of code with hardware instructions, where
 * the EVP interface would link all providers (stack notes §3).
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

struct digester {
	enum digest_alg alg;
	union {
		SHA256_CTX sha256;
		SHA512_CTX sha512;
	};
};

static const struct {
	const char *name;
	size_t bytes;
} algs[] = {
	[DIGEST_SHA256] = { "sha256", 32 },
	[DIGEST_SHA384] = { "sha384", 48 },
	[DIGEST_SHA512] = { "sha512", 64 },
};

const char *digest_alg_name(enum digest_alg alg)
{
	return algs[alg].name;
}

const char *digest_hex(const char *digest)
{
	return strchr(digest, ':') + 1;
}

static bool is_alnum_lower(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The shape of any digest, whatever its algorithm: alg(sep alg)*:[a-zA-Z0-9=_-]+ */
static bool has_digest_shape(const char *digest)
{
	const char *p = digest;

	for (;;) {
		if (!is_alnum_lower(*p))
			return false;
		while (is_alnum_lower(*p))
			p++;
		if (*p == ':')
			break;
		if (*p == '\0' || strchr(".+_-", *p) == NULL)
			return false;
		p++;
	}
	for (p++; *p != '\0'; p++)
		if (!is_alnum_lower(*p) && !(*p >= 'A' && *p <= 'Z') &&
				strchr("=_-", *p) == NULL)
			return false;
	return p[-1] != ':';
}

static int check_hex(const char *hex, size_t bytes, struct err *err)
{
	size_t n = strlen(hex);

	if (n != 2 * bytes)
		return err_set(err, ERR_INVALID, "invalid checksum digest length");
	for (size_t i = 0; i < n; i++)
		if (!(hex[i] >= '0' && hex[i] <= '9') && !(hex[i] >= 'a' && hex[i] <= 'f'))
			return err_set(err, ERR_INVALID, "invalid checksum digest format");
	return 0;
}

int digest_check(const char *digest, enum digest_alg *ret_alg, struct err *err)
{
	const char *colon = strchr(digest, ':');

	if (colon == NULL || colon == digest || colon[1] == '\0')
		return err_set(err, ERR_INVALID, "invalid checksum digest format");
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		if (strlen(algs[i].name) != (size_t)(colon - digest) ||
				!str_starts(digest, algs[i].name))
			continue;
		if (check_hex(colon + 1, algs[i].bytes, err) < 0)
			return -1;
		if (ret_alg != NULL)
			*ret_alg = (enum digest_alg)i;
		return 0;
	}
	if (has_digest_shape(digest))
		return err_set(err, ERR_INVALID, "unsupported digest algorithm");
	return err_set(err, ERR_INVALID, "invalid checksum digest format");
}

struct digester *digester_new(enum digest_alg alg)
{
	struct digester *d = xzalloc(sizeof(*d));

	d->alg = alg;
	if (alg == DIGEST_SHA256)
		(void)SHA256_Init(&d->sha256);
	else if (alg == DIGEST_SHA384)
		(void)SHA384_Init(&d->sha512);
	else
		(void)SHA512_Init(&d->sha512);
	return d;
}

void digester_free(struct digester *d)
{
	free(d);
}

void digester_add(struct digester *d, const void *data, size_t size)
{
	if (d->alg == DIGEST_SHA256)
		(void)SHA256_Update(&d->sha256, data, size);
	else if (d->alg == DIGEST_SHA384)
		(void)SHA384_Update(&d->sha512, data, size);
	else
		(void)SHA512_Update(&d->sha512, data, size);
}

void digester_text(const struct digester *d, char out[DIGEST_TEXT_SIZE])
{
	struct digester copy = *d;
	unsigned char sum[64];
	size_t n = strlen(algs[d->alg].name);

	if (d->alg == DIGEST_SHA256)
		(void)SHA256_Final(sum, &copy.sha256);
	else if (d->alg == DIGEST_SHA384)
		(void)SHA384_Final(sum, &copy.sha512);
	else
		(void)SHA512_Final(sum, &copy.sha512);
	memcpy(out, algs[d->alg].name, n);
	out[n] = ':';
	hex_encode(sum, algs[d->alg].bytes, out + n + 1);
}

void digest_bytes(
		enum digest_alg alg, const void *data, size_t size, char out[DIGEST_TEXT_SIZE])
{
	AUTO(digester_free) struct digester *d = digester_new(alg);

	digester_add(d, data, size);
	digester_text(d, out);
}
