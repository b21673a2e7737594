/* SPDX-License-Identifier: Apache-2.0 */
/* passwd and group of an image. The first line is the USER, the rest is both files. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "oci/user.h"

struct bytes {
	const uint8_t *data;
	size_t size;
};

static int open_bytes(void *arg, const char *path, int *ret_fd, struct err *err)
{
	const struct bytes *b = arg;

	*ret_fd = memfd_create("users", MFD_CLOEXEC);
	if (*ret_fd < 0 || io_write_all(*ret_fd, b->data, b->size) < 0)
		abort();
	if (lseek(*ret_fd, 0, SEEK_SET) != 0)
		abort();
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = memchr(data, '\n', size);
	size_t n = line == NULL ? size : (size_t)(line - data);
	AUTO_FREE char *user = xstrndup((const char *)data, n);
	struct bytes files = { data + n, size - n };
	struct user_source source = { open_bytes, &files };
	AUTO_ERR struct err err = { 0 };
	AUTO_ERR struct err group_err = { 0 };
	struct user_ids u = { 0 };

	if (user_resolve(user, &source, &u, &err) < 0 && err.kind == ERR_NONE)
		abort();
	if (user_add_groups(user, &source, &u, &group_err) < 0 && group_err.kind == ERR_NONE)
		abort();
	user_ids_done(&u);
	return 0;
}
