/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP/1.1 server for those who watch the daemon: GET, one answer per connection, few
 * connections at once, no wake-up without one.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct buf;
struct http_server;
struct loop;
struct pool;

/* Fills the body for a path; NULL, and nothing in "body", where there is none (404); else the
 * content type. Runs on a worker; may block for a while. */
typedef const char *(*http_page)(void *arg, const char *path, struct buf *body);

/* Takes over a listening, non-blocking socket. */
ON_LOOP MUST_USE struct http_server *http_server_new(struct loop *loop, struct pool *pool,
		int own_listener, http_page page, void *arg);
/* Ends connections and waits for pages being made. The loop must run. NULL is fine. */
MAY_BLOCK /* Accepts nothing while paused. */
		MAY_BLOCK void
		http_server_pause(struct http_server *s, bool on);
void http_server_free(struct http_server *s);
