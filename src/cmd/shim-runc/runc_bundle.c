/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_options.h"
#include "text/json.h"
#include "text/json_scan.h"
#include "text/json_span.h"

#define MAX_SMALL_FILE (256 * 1024)
/* The last error stands at the end: of a longer log only that much is looked at. */
#define MAX_LOG (1024 * 1024)

static int fail_open(struct err *err, int errnum, const char *path)
{
	if (errnum == ENOENT)
		return err_plain(
				err, ERR_NOT_FOUND, "open %s: no such file or directory", path);
	return err_sys(err, errnum, "open %s", path);
}

int bundle_read(const char *bundle, const char *name, size_t limit, struct buf *out,
		struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/%s", bundle, name);
	int rc;

	out->limit = limit;
	rc = io_read_file(AT_FDCWD, path, out);
	return rc < 0 ? fail_open(err, -rc, path) : 0;
}

int bundle_write(const char *bundle, const char *name, const void *data, size_t size,
		struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/%s", bundle, name);
	AUTO_CLOSE int fd =
			open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return fail_open(err, errno, path);
	rc = io_write_all(fd, data, size);
	return rc < 0 ? err_sys(err, -rc, "write %s", path) : 0;
}

/* Not synced: what is in a bundle does not outlive the machine's running. */
int bundle_write_address(const char *bundle, const char *address, struct err *err)
{
	AUTO_FREE char *temp = xasprintf("%s/.address", bundle);
	AUTO_FREE char *path = xasprintf("%s/address", bundle);

	if (bundle_write(bundle, ".address", address, strlen(address), err) < 0)
		return -1;
	if (chmod(temp, 0644) < 0 || rename(temp, path) < 0)
		return err_sys(err, errno, "write %s", path);
	return 0;
}

int bundle_save_options(const char *bundle, const struct runc_options *options, struct err *err)
{
	AUTO_BUF struct buf json = { .limit = SIZE_MAX };
	const char *binary = str_or(options->binary_name, "");

	runc_options_to_json(options, &json);
	if (bundle_write(bundle, "options.json", json.data, json.size, err) < 0)
		return -1;
	return bundle_write(bundle, "runtime", binary, strlen(binary), err);
}

/* 1 if there is such a file, 0 if not. */
static int read_optional(const char *bundle, const char *name, struct buf *out, struct err *err)
{
	if (bundle_read(bundle, name, MAX_SMALL_FILE, out, err) == 0)
		return 1;
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	err_clear(err);
	return 0;
}

int bundle_load_options(const char *bundle, struct runc_options *ret_options, struct err *err)
{
	AUTO_BUF struct buf json = { 0 };
	AUTO_BUF struct buf binary = { 0 };
	int rc = read_optional(bundle, "options.json", &json, err);

	if (rc > 0)
		rc = runc_options_from_json(json.data == NULL ? "" : json.data, json.size,
				ret_options, err);
	if (rc >= 0)
		rc = read_optional(bundle, "runtime", &binary, err);
	if (rc < 0)
		return -1;
	if (rc > 0 && binary.size > 0) {
		free(ret_options->binary_name);
		ret_options->binary_name = xstrndup(binary.data, binary.size);
	}
	return 0;
}

int bundle_read_pid(const char *path, pid_t *ret_pid, struct err *err)
{
	AUTO_BUF struct buf text = { .limit = 32 };
	uint32_t pid;
	int rc = io_read_file(AT_FDCWD, path, &text);

	if (rc < 0)
		return fail_open(err, -rc, path);
	if (text.size == 0 || !str_u32(text.data, &pid) || pid == 0 || pid > INT32_MAX)
		return err_plain(err, ERR_UNKNOWN, "%s: no pid: %s", path,
				text.size == 0 ? "empty" : "not a number");
	*ret_pid = (pid_t)pid;
	return 0;
}

static bool is_error(const char *record, size_t size)
{
	static const char *const path[] = { "level", NULL };
	AUTO_ERR struct err err = { 0 };
	struct json_span level;

	return json_span_find(record, size, path, &level, &err) > 0 && level.size == 7 &&
	       memcmp(level.data, "\"error\"", 7) == 0;
}

static void trim(char *text)
{
	size_t n = strlen(text);
	size_t lead = strspn(text, " \t\r\n\v\f");

	while (n > lead && strchr(" \t\r\n\v\f", text[n - 1]) != NULL)
		n--;
	memmove(text, text + lead, n - lead);
	text[n - lead] = '\0';
}

static int record_message(const char *record, size_t size, char **ret_text, struct err *err)
{
	AUTO(json_free) struct json *j = NULL;
	const char *text;

	if (json_parse(record, size, &j, err) < 0)
		return -1;
	text = json_get_text(j, "msg");
	*ret_text = xstrdup(str_or(text, ""));
	trim(*ret_text);
	return 1;
}

int runc_log_last_error(const void *data, size_t size, char **ret_text, struct err *err)
{
	struct json_scan s = { .data = data, .size = size };
	struct json_span last = { 0 };

	for (json_scan_space(&s); s.at < s.size; json_scan_space(&s)) {
		size_t from = s.at;

		s.values = 0;
		if (json_scan_value(&s, err) < 0)
			return -1;
		if (is_error(s.data + from, s.at - from))
			last = (struct json_span){ s.data + from, s.at - from };
	}
	return last.data == NULL ? 0 : record_message(last.data, last.size, ret_text, err);
}

/* The file's end, from the beginning of a line on if it does not fit. */
static int read_tail(int fd, struct buf *out)
{
	struct stat st;
	off_t from = 0;
	ssize_t n;
	char *room;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > MAX_LOG)
		from = st.st_size - MAX_LOG;
	room = buf_reserve(out, MAX_LOG);
	if (room == NULL)
		return -EFBIG;
	n = io_pread_full(fd, room, MAX_LOG, (uint64_t)from);
	if (n < 0)
		return (int)n;
	buf_commit(out, (size_t)n);
	if (from > 0) {
		const char *line = memchr(out->data, '\n', out->size);

		buf_drop(out, line == NULL ? out->size : (size_t)(line - out->data));
	}
	return 0;
}

int bundle_last_error(const char *log_path, char **ret_text, struct err *err)
{
	AUTO_CLOSE int fd = open(log_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	AUTO_BUF struct buf text = { .limit = 2 * MAX_LOG };
	int rc;

	if (fd < 0)
		return fail_open(err, errno, log_path);
	rc = read_tail(fd, &text);
	if (rc < 0)
		return err_sys(err, -rc, "read %s", log_path);
	return text.size == 0 ? 0 : runc_log_last_error(text.data, text.size, ret_text, err);
}
