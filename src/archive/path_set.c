/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/path_set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

void path_set_done(struct path_set *s)
{
	free(s->slots);
	*s = (struct path_set){ 0 };
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t mix_text(uint64_t h, const char *text, size_t size)
{
	while (size > 0) {
		size_t n = size < 8 ? size : 8;
		uint64_t word = 0;

		memcpy(&word, text, n);
		h = mix(h ^ word, UINT64_C(0x9e3779b97f4a7c15) ^ n);
		text += n;
		size -= n;
	}
	return h;
}

static uint64_t hash_of(
		const struct path_set *s, unsigned kind, const char *dir, const char *name)
{
	/* The same path must give the same bits however it is cut into dir and name. */
	char joined[8192];
	size_t d = strlen(dir), n = strlen(name);
	uint64_t h = mix(s->seed ^ kind, UINT64_C(0xe7037ed1a0b428db));

	if (d + n + 1 > sizeof(joined)) { /* too long for the kernel, too */
		h = mix_text(mix_text(h, dir, d), name, n);
	} else {
		memcpy(joined, dir, d);
		if (d > 0 && n > 0)
			joined[d++] = '/';
		memcpy(joined + d, name, n);
		h = mix_text(h, joined, d + n);
	}
	h = mix(h ^ s->seed, UINT64_C(0x8ebc6af09c88c6e3));
	return h == 0 ? 1 : h;
}

static void put(struct path_set *s, uint64_t h)
{
	size_t i = h & (s->room - 1);

	while (s->slots[i] != 0 && s->slots[i] != h)
		i = (i + 1) & (s->room - 1);
	s->count += s->slots[i] == 0;
	s->slots[i] = h;
}

static void grow(struct path_set *s)
{
	uint64_t *old = s->slots;
	size_t room = s->room;

	s->room = room == 0 ? 256 : room * 2;
	s->slots = xcalloc(s->room, sizeof(*s->slots));
	s->count = 0;
	for (size_t i = 0; i < room; i++)
		if (old[i] != 0)
			put(s, old[i]);
	free(old);
}

void path_set_add(struct path_set *s, unsigned kind, const char *dir, const char *name)
{
	if (s->seed == 0 &&
			getrandom(&s->seed, sizeof(s->seed), GRND_NONBLOCK) != sizeof(s->seed))
		s->seed = (uint64_t)(uintptr_t)s;
	if (s->count + s->count / 2 >= s->room)
		grow(s);
	put(s, hash_of(s, kind, dir, name));
}

bool path_set_has(const struct path_set *s, unsigned kind, const char *dir, const char *name)
{
	uint64_t h;

	if (s->count == 0)
		return false;
	h = hash_of(s, kind, dir, name);
	for (size_t i = h & (s->room - 1); s->slots[i] != 0; i = (i + 1) & (s->room - 1))
		if (s->slots[i] == h)
			return true;
	return false;
}
