/* SPDX-License-Identifier: Apache-2.0 */
/* The 512-byte block in front of every entry. */
#include <stdio.h>
#include <string.h>

#include "archive/tar_priv.h"
#include "base/err.h"

/* Where things stand in a block. */
#define AT_NAME	      0
#define AT_MODE	      100
#define AT_UID	      108
#define AT_GID	      116
#define AT_SIZE	      124
#define AT_MTIME      136
#define AT_CHECKSUM   148
#define AT_TYPE	      156
#define AT_LINK	      157
#define AT_MAGIC      257
#define AT_MAJOR      329
#define AT_MINOR      337
#define AT_PREFIX     345
#define AT_STAR_ATIME 476
#define AT_TRAILER    508

#define PREFIX_SIZE	 155
#define STAR_PREFIX_SIZE 131

int tar_err_invalid(struct err *err)
{
	return err_plain(err, ERR_UNKNOWN, TAR_TEXT_INVALID);
}

int tar_err_truncated(struct err *err)
{
	return err_plain(err, ERR_UNKNOWN, TAR_TEXT_TRUNCATED);
}

bool tar_block_is_zero(const unsigned char *block)
{
	return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

/* The first byte's high bit is set; the next one is the sign of a two's complement number. */
static bool parse_base256(const unsigned char *field, size_t size, int64_t *ret)
{
	unsigned char invert = (field[0] & 0x40) != 0 ? 0xff : 0;
	uint64_t x = 0;

	for (size_t i = 0; i < size; i++) {
		unsigned char c = field[i] ^ invert;

		if (i == 0)
			c &= 0x7f;
		if (x >> 56 != 0)
			return false;
		x = x << 8 | c;
	}
	if (x >> 63 != 0)
		return false;
	*ret = invert != 0 ? (int64_t)~x : (int64_t)x;
	return true;
}

static bool is_padding(unsigned char c)
{
	return c == ' ' || c == '\0';
}

static bool parse_octal(const unsigned char *field, size_t size, int64_t *ret)
{
	uint64_t x = 0;

	while (size > 0 && is_padding(field[0]))
		field++, size--;
	while (size > 0 && is_padding(field[size - 1]))
		size--;
	for (size_t i = 0; i < size && field[i] != '\0'; i++) {
		if (field[i] < '0' || field[i] > '7' || x >> 60 != 0)
			return false;
		x = x << 3 | (uint64_t)(field[i] - '0');
	}
	*ret = (int64_t)x;
	return true;
}

bool tar_number_parse(const unsigned char *field, size_t size, int64_t *ret)
{
	if ((field[0] & 0x80) != 0)
		return parse_base256(field, size, ret);
	return parse_octal(field, size, ret);
}

static bool checksum_is_right(const unsigned char *block)
{
	int64_t want, plain = 0, with_sign = 0;

	if (!tar_number_parse(block + AT_CHECKSUM, 8, &want))
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		bool blank = i >= AT_CHECKSUM && i < AT_CHECKSUM + 8;

		plain += blank ? ' ' : block[i];
		with_sign += blank ? ' ' : (signed char)block[i];
	}
	return want == plain || want == with_sign;
}

static enum tar_dialect dialect_of(const unsigned char *block)
{
	if (memcmp(block + AT_MAGIC, "ustar\0", 6) == 0)
		return memcmp(block + AT_TRAILER, "tar\0", 4) == 0 ? TAR_STAR : TAR_USTAR;
	if (memcmp(block + AT_MAGIC, "ustar  \0", 8) == 0)
		return TAR_GNU;
	return TAR_V7;
}

/* GNU keeps times where others keep a prefix. Old writers put one there all the same. */
static bool has_gnu_times(const unsigned char *block, struct tar_header *h)
{
	int64_t changed;

	if (block[AT_PREFIX] != '\0' && !tar_number_parse(block + AT_PREFIX, 12, &h->atime))
		return false;
	if (block[AT_PREFIX + 12] != '\0' &&
			!tar_number_parse(block + AT_PREFIX + 12, 12, &changed))
		return false;
	h->has_atime = block[AT_PREFIX] != '\0';
	return true;
}

static bool is_ascii(const unsigned char *text, size_t size)
{
	for (size_t i = 0; i < size && text[i] != '\0'; i++)
		if (text[i] >= 0x80)
			return false;
	return true;
}

static bool parse_star_times(const unsigned char *block, struct tar_header *h)
{
	int64_t changed;

	h->has_atime = true;
	return tar_number_parse(block + AT_STAR_ATIME, 12, &h->atime) &&
	       tar_number_parse(block + AT_STAR_ATIME + 12, 12, &changed);
}

/* What of the block is different in each dialect; the size of the prefix, or -1. */
static int parse_dialect(const unsigned char *block, struct tar_header *h)
{
	if (h->dialect == TAR_V7)
		return 0;
	if (!tar_number_parse(block + AT_MAJOR, 8, &h->major) ||
			!tar_number_parse(block + AT_MINOR, 8, &h->minor))
		return -1;
	if (h->dialect == TAR_USTAR)
		return PREFIX_SIZE;
	if (h->dialect == TAR_STAR)
		return parse_star_times(block, h) ? STAR_PREFIX_SIZE : -1;
	if (has_gnu_times(block, h))
		return 0;
	h->atime = 0;
	return is_ascii(block + AT_PREFIX, PREFIX_SIZE) ? PREFIX_SIZE : 0;
}

bool tar_header_parse(const unsigned char *block, struct tar_header *ret_header)
{
	struct tar_header h = { .type = (char)block[AT_TYPE], .dialect = dialect_of(block) };
	int prefix;

	if (!checksum_is_right(block) || !tar_number_parse(block + AT_MODE, 8, &h.mode) ||
			!tar_number_parse(block + AT_UID, 8, &h.uid) ||
			!tar_number_parse(block + AT_GID, 8, &h.gid) ||
			!tar_number_parse(block + AT_SIZE, 12, &h.size) ||
			!tar_number_parse(block + AT_MTIME, 12, &h.mtime))
		return false;
	prefix = parse_dialect(block, &h);
	if (prefix < 0)
		return false;
	if (prefix > 0 && block[AT_PREFIX] != '\0')
		(void)snprintf(h.name, sizeof(h.name), "%.*s/%.100s", prefix,
				(const char *)block + AT_PREFIX, (const char *)block + AT_NAME);
	else
		(void)snprintf(h.name, sizeof(h.name), "%.100s", (const char *)block + AT_NAME);
	(void)snprintf(h.link, sizeof(h.link), "%.100s", (const char *)block + AT_LINK);
	*ret_header = h;
	return true;
}
