/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/user_files.h"

#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/user.h"

#define CHUNK (64 * 1024)

static char *trim(char *from, char *end)
{
	while (from < end && strchr(" \t\r\v\f", *from) != NULL)
		from++;
	while (end > from && (end[-1] == '\0' || strchr(" \t\r\v\f", end[-1]) != NULL))
		end--;
	*end = '\0';
	return from;
}

/* "line" has a byte behind it that may be overwritten. */
static bool cut_line(char *line, size_t size, user_line_seen seen, void *arg)
{
	static char none[] = "";
	char *fields[USER_FIELDS];
	char *rest;

	if (memchr(line, '\0', size) != NULL)
		return true; /* no name can hold it: such a line means nobody */
	rest = trim(line, line + size);
	if (*rest == '\0')
		return true;
	for (size_t i = 0; i < USER_FIELDS; i++)
		fields[i] = rest == NULL ? none : strsep(&rest, ":");
	return seen(arg, fields);
}

void user_lines_cut(char *text, size_t size, user_line_seen seen, void *arg)
{
	char *end = text + size;

	while (text < end) {
		char *stop = memchr(text, '\n', (size_t)(end - text));

		if (stop == NULL)
			stop = end;
		if (!cut_line(text, (size_t)(stop - text), seen, arg))
			return;
		text = stop + 1;
	}
}

struct lines {
	char *data; /* CHUNK + 1 bytes */
	size_t size;
	bool stopped;
	user_line_seen seen;
	void *arg;
};

static bool see(void *arg, char *const fields[USER_FIELDS])
{
	struct lines *l = arg;

	l->stopped = !l->seen(l->arg, fields);
	return !l->stopped;
}

/* Hands out the whole lines in the buffer and keeps what is behind the last one. */
static void drain(struct lines *l)
{
	char *last = memrchr(l->data, '\n', l->size);
	size_t whole = last == NULL ? 0 : (size_t)(last - l->data) + 1;

	user_lines_cut(l->data, whole, see, l);
	memmove(l->data, l->data + whole, l->size - whole);
	l->size -= whole;
}

int user_lines_read(int fd, user_line_seen seen, void *arg, struct err *err)
{
	AUTO_FREE char *data = xmalloc(CHUNK + 1);
	struct lines l = { .data = data, .seen = seen, .arg = arg };
	size_t total = 0;

	while (!l.stopped) {
		ssize_t n = io_read_full(fd, l.data + l.size, CHUNK - l.size);

		if (n < 0)
			return err_sys(err, (int)-n, "read user file");
		if (n == 0)
			break;
		total += (size_t)n;
		l.size += (size_t)n;
		if (total > USER_FILE_MAX)
			return err_set(err, ERR_EXHAUSTED, "user file is over %d bytes",
					USER_FILE_MAX);
		drain(&l);
		if (l.size == CHUNK)
			return err_set(err, ERR_EXHAUSTED, "line of user file is too long");
	}
	if (!l.stopped)
		user_lines_cut(l.data, l.size, see, &l);
	return 0;
}

bool user_number(const char *text, uint32_t *ret)
{
	return str_u32(text, ret) && *ret != UINT32_MAX;
}
