/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc/grpc_track_priv.h"

#include <string.h>

#define PREFACE	     24
#define HEAD	     9
#define HEADERS	     1
#define CONTINUATION 9
#define END_HEADERS  4

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void head_complete(struct h2_track *t)
{
	const unsigned char *h = t->head;

	t->head_have = 0;
	t->body_left = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
	if (h[3] == HEADERS || h[3] == CONTINUATION)
		t->in_headers = (h[4] & END_HEADERS) == 0;
}

void h2_track(struct h2_track *t, const void *data, size_t size)
{
	const unsigned char *p = data;

	while (size > 0) {
		size_t n;

		if (t->preface_have < PREFACE) {
			n = min_size(size, PREFACE - t->preface_have);
			t->preface_have += n;
		} else if (t->body_left > 0) {
			n = min_size(size, t->body_left);
			t->body_left -= n;
		} else {
			n = min_size(size, HEAD - t->head_have);
			memcpy(t->head + t->head_have, p, n);
			t->head_have += n;
			if (t->head_have == HEAD)
				head_complete(t);
		}
		p += n;
		size -= n;
	}
}

size_t h2_track_missing(const struct h2_track *t)
{
	if (t->preface_have < PREFACE)
		return t->preface_have == 0 ? 0 : PREFACE - t->preface_have;
	if (t->body_left > 0)
		return t->body_left;
	if (t->head_have > 0 || t->in_headers)
		return HEAD - t->head_have;
	return 0;
}

bool h2_track_is_new(const struct h2_track *t)
{
	return t->preface_have == 0;
}
