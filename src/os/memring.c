/* SPDX-License-Identifier: Apache-2.0 */
#include "os/memring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"

#ifndef MFD_NOEXEC_SEAL /* linux/memfd.h of 6.3 */
#define MFD_NOEXEC_SEAL 8U
#endif

static int make_memory(void)
{
	int fd = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

int memring_make(size_t size)
{
	AUTO_CLOSE int fd = make_memory();

	assert(size > 0 && (size & (size - 1)) == 0);
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)size) < 0 ||
			fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	return take_fd(&fd);
}

int memring_seal_writing(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0 ? -errno : 0;
}

static bool map_at(unsigned char *where, size_t size, int prot, int fd)
{
	return mmap(where, size, prot, MAP_SHARED | MAP_FIXED, fd, 0) == where;
}

int memring_map(int fd, size_t size, bool writable, struct memring *ret_ring)
{
	int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	unsigned char *base =
			mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int saved;

	if (base == MAP_FAILED)
		return -errno;
	if (map_at(base, size, prot, fd) && map_at(base + size, size, prot, fd)) {
		*ret_ring = (struct memring){ base, size };
		return 0;
	}
	saved = errno;
	(void)munmap(base, 2 * size);
	return -saved;
}

void memring_unmap(struct memring *r)
{
	if (r->base != NULL)
		(void)munmap(r->base, 2 * r->size);
	r->base = NULL;
}
