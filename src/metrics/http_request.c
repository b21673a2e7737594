/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/http_request.h"

#include <string.h>

#include "base/mem.h"

static bool is(const char *text, size_t size, const char *want)
{
	return size == strlen(want) && memcmp(text, want, size) == 0;
}

static bool is_path(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] <= ' ' || text[i] == 0x7f)
			return false;
	return size > 0 && text[0] == '/';
}

/* "GET /path HTTP/1.1", without the end of the line. */
static int parse_line(const char *line, size_t size, struct http_request *r)
{
	const char *target = memchr(line, ' ', size), *version, *query;
	size_t target_size, method_size;

	if (target == NULL)
		return 400;
	method_size = (size_t)(target - line);
	target++;
	version = memchr(target, ' ', size - method_size - 1);
	if (version == NULL)
		return 400;
	target_size = (size_t)(version - target);
	version++;
	query = memchr(target, '?', target_size);
	if (!is(version, size - (size_t)(version - line), "HTTP/1.1") &&
			!is(version, size - (size_t)(version - line), "HTTP/1.0"))
		return 505;
	r->is_head = is(line, method_size, "HEAD");
	if (!r->is_head && !is(line, method_size, "GET"))
		return 405;
	if (query != NULL)
		target_size = (size_t)(query - target);
	if (target_size > HTTP_MAX_PATH)
		return 414;
	if (!is_path(target, target_size))
		return 400;
	memcpy(r->path, target, target_size);
	r->path[target_size] = '\0';
	return 200;
}

int http_request_parse(const char *data, size_t size, struct http_request *ret_request)
{
	size_t seen = size < HTTP_MAX_HEAD ? size : HTTP_MAX_HEAD, line_size;
	const char *line_end, *end;

	if (data == NULL || seen == 0)
		return 0;
	end = memmem(data, seen, "\r\n\r\n", 4);
	if (end == NULL)
		return size >= HTTP_MAX_HEAD ? 431 : 0;
	line_end = memmem(data, seen, "\r\n", 2);
	line_size = (size_t)(line_end - data);
	return parse_line(data, line_size, ret_request);
}

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 414, "URI Too Long" },
		{ 431, "Request Header Fields Too Large" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].status == status)
			return rows[i].text;
	return "Error";
}
