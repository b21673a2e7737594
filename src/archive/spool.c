/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "os/fs.h"

#define ENOUGH_MEMORY (256 * 1024)

void spool_init(struct spool *s)
{
	*s = (struct spool){ .memory.limit = SIZE_MAX, .fd = -1 };
}

void spool_done(struct spool *s)
{
	buf_done(&s->memory);
	close_fd(&s->fd);
}

static int flush(struct spool *s, const char *dir)
{
	int rc;

	if (s->fd < 0)
		s->fd = fs_temp_file(dir);
	if (s->fd < 0)
		return s->fd;
	rc = io_write_all(s->fd, s->memory.data, s->memory.size);
	s->size += s->memory.size;
	buf_clear(&s->memory);
	return rc;
}

int spool_add(struct spool *s, const char *dir, const void *record, size_t size)
{
	uint16_t head = (uint16_t)size;

	assert(size > 0 && size <= SPOOL_MAX_RECORD);
	buf_add(&s->memory, &head, sizeof(head));
	buf_add(&s->memory, record, size);
	if (s->memory.size < ENOUGH_MEMORY || dir == NULL)
		return 0;
	return flush(s, dir);
}

/* Reads from the file, then from memory. */
static ssize_t read_at(struct spool *s, void *data, size_t size)
{
	if (s->at < s->size) {
		ssize_t n = io_pread_full(s->fd, data, size, s->at);

		return n >= 0 && (size_t)n < size ? -EIO : n;
	}
	if (s->at - s->size >= s->memory.size)
		return 0;
	memcpy(data, s->memory.data + (s->at - s->size), size);
	return (ssize_t)size;
}

ssize_t spool_next(struct spool *s, void *record)
{
	uint16_t size;
	ssize_t n = read_at(s, &size, sizeof(size));

	if (n <= 0)
		return n;
	if (size > SPOOL_MAX_RECORD)
		return -EIO;
	s->at += sizeof(size);
	n = read_at(s, record, size);
	s->at += size;
	return n;
}
