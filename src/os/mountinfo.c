/* SPDX-License-Identifier: Apache-2.0 */
#include "os/mountinfo.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"

#define FIELDS_BEFORE 6 /* id parent major:minor root target options, then optional ones */

int mountinfo_read(struct buf *out)
{
	return io_read_file(AT_FDCWD, "/proc/self/mountinfo", out);
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Blanks, tabs, newlines and backslashes come as three octal digits. */
static char *unescape(char *text)
{
	char *to = text;

	for (char *from = text; *from != '\0'; from++) {
		if (*from == '\\' && is_octal(from[1]) && is_octal(from[2]) &&
				is_octal(from[3])) {
			*to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + from[3] -
					'0');
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return text;
}

static bool parse_line(char *line, struct mountinfo *ret)
{
	char *before[FIELDS_BEFORE], *after[3], *field;
	bool is_shared = false, is_slave = false;

	for (size_t i = 0; i < FIELDS_BEFORE; i++)
		if ((before[i] = strsep(&line, " ")) == NULL)
			return false;
	while ((field = strsep(&line, " ")) != NULL && strcmp(field, "-") != 0) {
		is_shared = is_shared || strncmp(field, "shared:", 7) == 0;
		is_slave = is_slave || strncmp(field, "master:", 7) == 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(after); i++)
		if ((after[i] = strsep(&line, " ")) == NULL)
			return false;
	*ret = (struct mountinfo){ .root = unescape(before[3]),
		.target = unescape(before[4]),
		.fstype = after[0],
		.source = unescape(after[1]),
		.super_options = after[2],
		.is_shared = is_shared,
		.is_slave = is_slave };
	return true;
}

bool mountinfo_next(char **at, struct mountinfo *ret)
{
	char *line;

	while (*at != NULL && (line = strsep(at, "\n")) != NULL)
		if (parse_line(line, ret))
			return true;
	return false;
}
