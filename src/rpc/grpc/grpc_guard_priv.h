/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits on cheap frames that nghttp2 does not have: empty DATA, PRIORITY, WINDOW_UPDATE, PING
 * and SETTINGS cost us work and their sender nothing. A connection has a purse that fills with
 * time, with requests and with what we sent (which honest window updates answer to).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nghttp2/nghttp2.h>

struct grpc_guard {
	int64_t purse; /* frames */
	int64_t filled_ns;
	size_t sent;	   /* bytes not yet turned into frames */
	bool sent_since;   /* anything since the last ping */
	int64_t pinged_ns; /* last ping of the peer; 0: none */
	int strikes;
};

void grpc_guard_init(struct grpc_guard *g);
void grpc_guard_sent(struct grpc_guard *g, size_t bytes);
/* False when the peer floods us. */
bool grpc_guard_frame(struct grpc_guard *g, const nghttp2_frame_hd *hd);
/* False at the third ping too many (reference 01 §2.3). */
bool grpc_guard_ping(struct grpc_guard *g, size_t open_streams);
