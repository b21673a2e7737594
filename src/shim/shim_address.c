/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_address.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

/* Drops the last element of what is there; false if that is "..", or nothing. */
static bool drop_last(struct buf *out, size_t floor)
{
	size_t n = out->size;

	while (n > floor && out->data[n - 1] != '/')
		n--;
	if (out->size == floor || str_eq(out->data + n, ".."))
		return false;
	if (n > floor)
		n--;
	out->size = n;
	out->data[n] = '\0';
	return true;
}

static char *clean(const char *path)
{
	struct buf out = { .limit = SIZE_MAX };
	bool is_absolute = path[0] == '/';
	size_t floor = is_absolute ? 1 : 0;

	if (is_absolute)
		buf_add_byte(&out, '/');
	while (*path != '\0') {
		size_t n = strcspn(path, "/");
		bool is_up = n == 2 && path[0] == '.' && path[1] == '.';

		if (n > 0 && !(n == 1 && path[0] == '.') &&
				!(is_up && (drop_last(&out, floor) || is_absolute))) {
			if (out.size > floor)
				buf_add_byte(&out, '/');
			buf_add(&out, path, n);
		}
		path += n + (path[n] == '/');
	}
	if (out.size == 0)
		buf_add_byte(&out, '.');
	return buf_take_str(&out);
}

static char *join(const char *first, va_list more)
{
	AUTO_BUF struct buf all = { .limit = SIZE_MAX };

	for (const char *e = first; e != NULL; e = va_arg(more, const char *)) {
		if (e[0] == '\0')
			continue;
		if (all.size > 0)
			buf_add_byte(&all, '/');
		buf_add_str(&all, e);
	}
	return all.size == 0 ? xstrdup("") : clean(all.data);
}

char *shim_join(const char *first, ...)
{
	va_list more;
	char *path;

	va_start(more, first);
	path = join(first, more);
	va_end(more);
	return path;
}

static char *hashed(const char *dir, const char *name)
{
	char digest[DIGEST_TEXT_SIZE];

	digest_bytes(DIGEST_SHA256, name, strlen(name), digest);
	return xasprintf("%s/%s", dir, digest_hex(digest));
}

char *shim_socket_path(
		const char *dir, const char *grpc_address, const char *ns, const char *group)
{
	AUTO_FREE char *name = shim_join(grpc_address, ns, group, NULL);

	return hashed(dir, name);
}

char *shim_debug_socket_path(
		const char *dir, const char *grpc_address, const char *ns, const char *group)
{
	AUTO_FREE char *name = shim_join(grpc_address, ns, group, "debug", NULL);

	return hashed(dir, name);
}
