/* SPDX-License-Identifier: Apache-2.0 */
/* containerd-layer-helper MODE RING_BYTES UID GID MEMORY_BYTES CPU_SECONDS WINDOW_LOG */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "archive/codec.h"
#include "archive/layer_record.h"
#include "archive/layer_told.h"
#include "base/err.h"
#include "base/io.h"
#include "base/str.h"
#include "cmd/decode/decode.h"
#include "os/confine.h"

#define ARGUMENTS 7

void decode_flush(struct decode *d)
{
	if (io_write_all(LAYER_FD_RECORDS, d->records.data, d->records.size) < 0)
		_exit(1); /* the daemon wants nothing more from us */
	buf_clear(&d->records);
}

void decode_wait(struct decode *d)
{
	uint64_t before = d->position, count;

	decode_flush(d);
	for (;;) {
		uint64_t told = atomic_load_explicit(&d->told->position, memory_order_acquire);

		d->is_last = (told & LAYER_TOLD_LAST) != 0;
		d->position = told & ~LAYER_TOLD_LAST;
		if (d->position != before || d->is_last)
			return;
		if (read(LAYER_FD_TOLD, &count, sizeof(count)) != sizeof(count) &&
				errno != EINTR)
			_exit(1);
	}
}

static int give_up_rights(uint64_t const *numbers)
{
	static const int calls[] = { SYS_read, SYS_pread64, SYS_write, SYS_exit, SYS_exit_group,
		SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex,
		SYS_rt_sigreturn };
	struct sandbox s = {
		.uid = (uid_t)numbers[1],
		.gid = (gid_t)numbers[2],
		.memory_bytes = numbers[3],
		.cpu_seconds = numbers[4],
		.syscalls = calls,
		.syscall_count = ARRAY_LEN(calls),
	};

	return sandbox_enter(&s);
}

static int run(struct decode *d, const char *mode, int window_log_max,
		const struct codec_window *window, struct err *err)
{
	if (str_eq(mode, "parse"))
		return decode_tar(d, err);
	if (str_eq(mode, "gzip"))
		return decode_bytes(d, DECODE_GZIP, window_log_max, NULL, err);
	if (str_eq(mode, "zstd"))
		return decode_bytes(d, DECODE_ZSTD, window_log_max, NULL, err);
	return decode_bytes(d, DECODE_UNPACK, window_log_max, window, err);
}

static int map_shared(struct decode *d, uint64_t size, bool writable)
{
	void *told = mmap(NULL, sizeof(*d->told), PROT_READ, MAP_SHARED, LAYER_FD_CONTROL, 0);

	if (told == MAP_FAILED)
		return -errno;
	d->told = told;
	return memring_map(LAYER_FD_RING, size, writable, &d->ring);
}

/* Its pages are the file's: under pressure they go to disk instead of filling memory. */
static void map_window(uint64_t log, struct codec_window *ret_window)
{
	size_t size = log <= CODEC_WINDOW_LOG_MAX ? CODEC_WINDOW_BYTES(log) : 0;
	void *memory;

	if (log <= CODEC_SMALL_WINDOW || size == 0)
		return;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, LAYER_FD_WINDOW, 0);
	if (memory != MAP_FAILED) /* there may be none */
		*ret_window = (struct codec_window){ memory, size };
}

static bool parse_numbers(char **args, uint64_t *numbers)
{
	for (int i = 0; i < ARGUMENTS - 1; i++)
		if (!str_u64(args[i], &numbers[i]))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	AUTO_ERR struct err err = { 0 };
	struct decode d = { .records.limit = SIZE_MAX };
	uint64_t numbers[ARGUMENTS - 1];
	struct codec_window window = { 0 };
	int rc;

	if (argc != ARGUMENTS + 1 || !parse_numbers(argv + 2, numbers)) {
		fprintf(stderr, "containerd-layer-helper is started by containerd\n");
		return 2;
	}
	rc = map_shared(&d, numbers[0], !str_eq(argv[1], "parse"));
	map_window(numbers[5], &window);
	if (rc == 0)
		rc = give_up_rights(numbers);
	if (rc < 0)
		(void)err_sys(&err, -rc, "enter sandbox");
	else
		rc = run(&d, argv[1], (int)numbers[5], &window, &err);
	if (rc < 0)
		layer_put_failure(&d.records, &err);
	decode_flush(&d);
	_exit(0); /* nothing to tidy up, and not the rights to */
}
