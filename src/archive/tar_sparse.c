/* SPDX-License-Identifier: Apache-2.0 */
/* Maps of sparse files. */
#include <stdlib.h>
#include <string.h>

#include "archive/tar_priv.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"

#define GNU_PAIR 24

void tar_extents_done(struct tar_extents *e)
{
	free(e->items);
}

int tar_extents_add(struct tar_extents *e, int64_t at, int64_t size, struct err *err)
{
	if (at < 0 || size < 0 || at > INT64_MAX - size)
		return tar_err_invalid(err);
	if (e->count == TAR_MAX_EXTENTS)
		return err_set(err, ERR_EXHAUSTED, "sparse file in too many pieces");
	if (e->count == e->room) {
		e->room = e->room == 0 ? 16 : e->room * 2;
		e->items = xreallocarray(e->items, e->room, sizeof(*e->items));
	}
	e->items[e->count++] = (struct tar_extent){ (uint64_t)at, (uint64_t)size };
	return 0;
}

int tar_extents_check(const struct tar_extents *e, uint64_t file_size, uint64_t data_size,
		struct err *err)
{
	uint64_t end = 0, sum = 0;

	for (size_t i = 0; i < e->count; i++) {
		if (e->items[i].at < end || e->items[i].at + e->items[i].size > file_size)
			return tar_err_invalid(err);
		end = e->items[i].at + e->items[i].size;
		sum += e->items[i].size; /* cannot overflow: they do not overlap */
	}
	if (sum > data_size)
		return err_plain(err, ERR_UNKNOWN,
				"archive/tar: sparse file references non-existent data");
	if (sum < data_size)
		return err_plain(err, ERR_UNKNOWN,
				"archive/tar: sparse file contains unreferenced data");
	return 0;
}

/* The number up to the next comma; moves *text behind it, or to NULL at the end. */
static bool next_number(const char **text, int64_t *ret)
{
	const char *comma;
	AUTO_FREE char *one = NULL;

	if (*text == NULL)
		return false;
	comma = strchr(*text, ',');
	one = xstrndup(*text, comma != NULL ? (size_t)(comma - *text) : strlen(*text));
	*text = comma != NULL ? comma + 1 : NULL;
	return tar_pax_number(one, ret);
}

int tar_extents_from_text(
		struct tar_extents *e, const char *map, const char *count, struct err *err)
{
	int64_t want, at, size;

	if (!tar_pax_number(count, &want) || want < 0)
		return tar_err_invalid(err);
	if (want == 0 && *map == '\0')
		return 0;
	for (int64_t i = 0; i < want; i++) {
		if (!next_number(&map, &at) || !next_number(&map, &size))
			return tar_err_invalid(err);
		if (tar_extents_add(e, at, size, err) < 0)
			return -1;
	}
	return map == NULL ? 0 : tar_err_invalid(err);
}

int tar_extents_from_block(struct tar_extents *e, const unsigned char *pairs, size_t count,
		struct err *err)
{
	for (size_t i = 0; i < count; i++, pairs += GNU_PAIR) {
		int64_t at, size;

		if (pairs[0] == '\0')
			return 0;
		if (!tar_number_parse(pairs, 12, &at) ||
				!tar_number_parse(pairs + 12, 12, &size))
			return tar_err_invalid(err);
		if (tar_extents_add(e, at, size, err) < 0)
			return -1;
	}
	return 0;
}
