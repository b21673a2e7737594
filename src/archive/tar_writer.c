/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tar_writer.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"

#define MAX_OCTAL_ID   07777777
#define MAX_OCTAL_SIZE 077777777777 /* times, too: until 2242 */
#define NAME_SIZE      100
#define PREFIX_SIZE    155

static const char zeros[2 * TAR_BLOCK];

static bool is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* Where a name can be cut into prefix and rest; NULL: nowhere. */
static const char *find_cut(const char *name)
{
	size_t size = strlen(name);
	size_t i = size > PREFIX_SIZE + 1 ? PREFIX_SIZE + 1 : size;

	if (i == size && i > 0) /* not at a slash that ends the name */
		i--;
	while (i-- > 1)
		if (name[i] == '/' && i <= PREFIX_SIZE)
			return size - i - 1 <= NAME_SIZE && size - i - 1 > 0 ? name + i : NULL;
	return NULL;
}

static bool name_fits(const char *name)
{
	return is_ascii(name) && (strlen(name) <= NAME_SIZE || find_cut(name) != NULL);
}

static bool time_fits(const struct tar_entry *e)
{
	return e->mtime.tv_sec >= 0 && e->mtime.tv_sec <= MAX_OCTAL_SIZE;
}

static void put_octal(char *field, size_t size, uint64_t value)
{
	for (field += size - 1; size-- > 1; value >>= 3)
		*--field = (char)('0' + (value & 7));
}

/* What of a text a reader without the record for it gets: its ASCII, as much as there is room
 * for; if that is not all, no slash at the end that would make a directory of it. */
static void put_text(char *field, const char *text, bool may_end_in_slash)
{
	size_t size = 0;

	for (; *text != '\0' && size < NAME_SIZE; text++)
		if ((unsigned char)*text < 0x80)
			field[size++] = *text;
	while ((unsigned char)*text >= 0x80)
		text++;
	if (may_end_in_slash && *text == '\0')
		return;
	while (size > 0 && field[size - 1] == '/')
		field[--size] = '\0';
}

static void put_name(char *block, const struct tar_entry *e, bool has_record)
{
	const char *name = e->path;
	const char *cut = strlen(name) > NAME_SIZE && !has_record ? find_cut(name) : NULL;

	if (cut != NULL) {
		memcpy(block + 345, name, (size_t)(cut - name));
		name = cut + 1;
	}
	put_text(block, name, e->type != 'x');
}

/* The bytes are those that Go's writer makes, so that the same tree has the same digest. */
static void put_block(struct buf *out, const struct tar_entry *e, bool has_records)
{
	char block[TAR_BLOCK] = { 0 };
	unsigned sum = 0;

	put_name(block, e, has_records);
	put_octal(block + 100, 8, e->mode);
	put_octal(block + 108, 8, e->uid <= MAX_OCTAL_ID ? e->uid : 0);
	put_octal(block + 116, 8, e->gid <= MAX_OCTAL_ID ? e->gid : 0);
	put_octal(block + 124, 12, e->size <= MAX_OCTAL_SIZE ? e->size : 0);
	put_octal(block + 136, 12, time_fits(e) ? (uint64_t)e->mtime.tv_sec : 0);
	memset(block + 148, ' ', 8);
	block[156] = (char)e->type;
	put_text(block + 157, e->link, true);
	memcpy(block + 257, "ustar\00000", 8);
	if (e->type != 'x') {
		put_octal(block + 329, 8, e->major);
		put_octal(block + 337, 8, e->minor);
	}
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)block[i];
	put_octal(block + 148, 7, sum);
	block[154] = '\0';
	buf_add(out, block, sizeof(block));
}

/* The length in front counts itself. */
static void put_record(struct buf *body, const char *key, const void *value, size_t size)
{
	size_t rest = strlen(key) + size + 3, total = rest + 1;

	for (size_t before = 0; before != total;) {
		before = total;
		total = rest + (size_t)snprintf(NULL, 0, "%zu", total);
	}
	buf_addf(body, "%zu %s=", total, key);
	buf_add(body, value, size);
	buf_add_byte(body, '\n');
}

static void put_number(struct buf *body, const char *key, int64_t value)
{
	AUTO_FREE char *text = xasprintf("%lld", (long long)value);

	put_record(body, key, text, strlen(text));
}

static bool needs_records(const struct tar_entry *e)
{
	return e->xattr_count > 0 || e->uid > MAX_OCTAL_ID || e->gid > MAX_OCTAL_ID ||
	       e->size > MAX_OCTAL_SIZE || !time_fits(e) || !name_fits(e->path) ||
	       strlen(e->link) > NAME_SIZE || !is_ascii(e->link);
}

/* In the order of their keys. */
static void put_records(struct buf *body, const struct tar_entry *e)
{
	for (size_t i = 0; i < e->xattr_count; i++) {
		AUTO_FREE char *key = xasprintf("SCHILY.xattr.%s", e->xattrs[i].name);

		put_record(body, key, e->xattrs[i].value, e->xattrs[i].size);
	}
	if (e->gid > MAX_OCTAL_ID)
		put_number(body, "gid", e->gid);
	if (strlen(e->link) > NAME_SIZE || !is_ascii(e->link))
		put_record(body, "linkpath", e->link, strlen(e->link));
	if (!time_fits(e))
		put_number(body, "mtime", e->mtime.tv_sec);
	if (strlen(e->path) > NAME_SIZE || !is_ascii(e->path))
		put_record(body, "path", e->path, strlen(e->path));
	if (e->size > MAX_OCTAL_SIZE)
		put_number(body, "size", (int64_t)e->size);
	if (e->uid > MAX_OCTAL_ID)
		put_number(body, "uid", e->uid);
}

/* "<directory>/PaxHeaders.0/<name>"; of a directory its own name is in front. */
static char *name_of_records(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xasprintf("PaxHeaders.0/%s", path);
	return xasprintf("%.*s/PaxHeaders.0%s", (int)(slash - path), path,
			slash[1] == '\0' ? "" : slash);
}

static void put_pax(struct buf *out, const struct tar_entry *e)
{
	struct buf body AUTO_BUF = { .limit = SIZE_MAX };
	AUTO_FREE char *name = name_of_records(e->path);
	struct tar_entry pax = { .type = 'x', .path = name, .link = "" };

	put_records(&body, e);
	pax.size = body.size;
	put_block(out, &pax, true);
	buf_add(out, body.data, body.size);
	tar_put_padding(out, body.size);
}

void tar_put_header(struct buf *out, const struct tar_entry *e)
{
	bool has_records = needs_records(e);

	if (has_records)
		put_pax(out, e);
	put_block(out, e, has_records);
}

void tar_put_padding(struct buf *out, uint64_t size)
{
	buf_add(out, zeros, -size & (TAR_BLOCK - 1));
}

void tar_put_end(struct buf *out)
{
	buf_add(out, zeros, sizeof(zeros));
}
