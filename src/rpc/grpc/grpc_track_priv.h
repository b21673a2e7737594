/* SPDX-License-Identifier: Apache-2.0 */
/* Where a stream of HTTP/2 bytes stands: nghttp2 does not tell. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Zeroed is the beginning of a client's bytes. */
struct h2_track {
	unsigned char head[9];
	size_t head_have;
	size_t body_left;
	size_t preface_have;
	bool in_headers; /* a CONTINUATION must follow */
};

void h2_track(struct h2_track *t, const void *data, size_t size);
/* Bytes that must come before a frame, or a row of header frames, is whole; 0 if it is. */
size_t h2_track_missing(const struct h2_track *t);
/* No byte has come yet. */
bool h2_track_is_new(const struct h2_track *t);
