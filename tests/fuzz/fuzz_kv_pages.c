/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file with some bytes changed (input: four bytes each, where and what) opens and can be
 * read, or is refused; it never ends the process.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "kv/kv.h"

#define ENTRIES 60
#define LARGE	9000

static char dir[] = "/tmp/fuzz-kv.XXXXXX";
static char path[64];
static struct buf good = { .limit = 1 << 20 };

static const struct kv_options options = { "fuzz", 1, true, 0 };

static int fill(struct kv_txn *txn, void *arg, struct err *err)
{
	char *large = arg;

	for (int i = 0; i < ENTRIES; i++) {
		AUTO_FREE char *key = xasprintf("key %d", i);

		large[i % 10 == 0 ? LARGE - 1 : 90] = '\0';
		if (kv_put(txn, kv_text(key), kv_text(large), err) < 0)
			return -1;
		large[90] = 'x';
	}
	return 0;
}

static void clean(void)
{
	AUTO_FREE char *lock = xasprintf("%s-lock", path);

	(void)unlink(lock);
	(void)unlink(path);
	(void)rmdir(dir);
	buf_done(&good);
}

static void make_good(void)
{
	AUTO_FREE char *large = xmalloc(LARGE);
	AUTO_ERR struct err err = { 0 };
	struct kv *kv = NULL;

	if (mkdtemp(dir) == NULL)
		abort();
	(void)snprintf(path, sizeof(path), "%s/f", dir);
	memset(large, 'x', LARGE);
	if (kv_open(path, &options, &kv, &err) < 0 || kv_update(kv, fill, large, &err) < 0)
		abort();
	kv_close(kv);
	if (io_read_file(AT_FDCWD, path, &good) < 0)
		abort();
	(void)atexit(clean);
}

static void read_all(struct kv *kv)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	AUTO_ERR struct err err = { 0 };
	struct kv_bytes key, value;
	size_t sum = 0;

	if (kv_read(kv, &txn, &err) < 0 ||
			kv_iter_new(txn, kv_text(""), (struct kv_bytes){ 0 }, &it, &err) < 0)
		return;
	while (kv_iter_next(it, &key, &value, &err) > 0)
		for (size_t i = 0; i < value.size; i++)
			sum += ((const unsigned char *)value.data)[i];
	if (sum == 1) /* so that all is read */
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE unsigned char *bytes = NULL;
	struct kv *kv = NULL;
	int fd;

	if (path[0] == '\0')
		make_good();
	bytes = xmemdup(good.data, good.size);
	for (size_t i = 0; i + 4 <= size; i += 4) {
		size_t at = (size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2];

		bytes[at % good.size] = data[i + 3];
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || io_write_all(fd, bytes, good.size) < 0)
		abort();
	close_fd(&fd);
	if (kv_open(path, &options, &kv, &err) < 0) {
		if (err.kind == ERR_NONE)
			abort();
		return 0;
	}
	read_all(kv);
	kv_close(kv);
	return 0;
}
