/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP/1 request, of which only method and path count. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define HTTP_MAX_HEAD 8192
#define HTTP_MAX_PATH 1024

struct http_request {
	bool is_head;		      /* HEAD instead of GET */
	char path[HTTP_MAX_PATH + 1]; /* starts with "/", without the query */
};

/* 0: more bytes are needed. Else the status to answer with: 200 when the request is understood,
 * 400, 405, 414, 431 or 505 when it is not. */
int http_request_parse(const char *data, size_t size, struct http_request *ret_request);

const char *http_reason(int status);
