/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_pids.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "text/json_span.h"

#define MAX_PIDS 131072

static bool begins_answer(const char *at, size_t size)
{
	return size > 0 && (at[0] == '[' || (size >= 4 && memcmp(at, "null", 4) == 0));
}

/* What stands before comes from the same pipe, but is no answer: from the first line on that
 * begins one. Some runtimes print one line, some a line for each pid. */
static struct json_span find_answer(const char *text, size_t size)
{
	const char *end = text + size;

	while (size > 0 && strchr(" \t\r\n", end[-1]) != NULL) {
		end--;
		size--;
	}
	while (size > 0 && !begins_answer(text, size)) {
		const char *line = memchr(text, '\n', size);

		text = line == NULL ? end : line + 1;
		size = (size_t)(end - text);
	}
	return (struct json_span){ text, size };
}

static int add_pid(const struct json_span *item, uint32_t *to, struct err *err)
{
	AUTO_FREE char *digits = xstrndup(item->data, item->size < 16 ? item->size : 16);

	if (str_u32(digits, to))
		return 0;
	return err_plain(err, ERR_UNKNOWN, "list of processes: no pid: %s", digits);
}

int runc_parse_pids(const char *text, size_t size, uint32_t **ret_pids, size_t *ret_count,
		struct err *err)
{
	struct json_span answer = find_answer(text, size), item;
	AUTO_FREE uint32_t *pids = NULL;
	size_t at = 0, count = 0;
	int rc;

	*ret_pids = NULL;
	*ret_count = 0;
	if (answer.size == 4 && memcmp(answer.data, "null", 4) == 0)
		return 0;
	if (answer.size < 2 || answer.data[0] != '[' || answer.data[answer.size - 1] != ']')
		return err_plain(err, ERR_UNKNOWN, "list of processes: no array");
	while ((rc = json_span_next(&answer, &at, &item, err)) > 0) {
		if (count == MAX_PIDS)
			return err_set(err, ERR_EXHAUSTED, "list of processes");
		if ((count & (count - 1)) == 0)
			pids = xreallocarray(pids, count == 0 ? 1 : 2 * count, sizeof(*pids));
		if (add_pid(&item, &pids[count], err) < 0)
			return -1;
		count++;
	}
	if (rc < 0)
		return err_wrap(err, "list of processes");
	*ret_pids = take_ptr(pids);
	*ret_count = count;
	return 0;
}
