/* SPDX-License-Identifier: Apache-2.0 */
#include "os/fsverity.h"

#include "base/auto.h"
#include "base/io.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int fsverity_enable(int fd)
{
	struct fsverity_enable_arg arg = {
		.version = 1,
		.hash_algorithm = FS_VERITY_HASH_ALG_SHA256,
		.block_size = (uint32_t)sysconf(_SC_PAGESIZE),
	};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_blksize > 0 && (uint64_t)st.st_blksize < arg.block_size)
		arg.block_size = (uint32_t)st.st_blksize;
	return ioctl(fd, FS_IOC_ENABLE_VERITY, &arg) < 0 ? -errno : 0;
}

static int make_probe(int dirfd, const char *name)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	return io_write_all(fd, "verity", 6);
}

bool fsverity_works_in(int dirfd)
{
	AUTO_FREE char *name = xasprintf(".fsverity-check-%d", (int)getpid());
	AUTO_CLOSE int fd = -1;
	bool works = false;

	if (make_probe(dirfd, name) == 0) {
		fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		works = fd >= 0 && fsverity_enable(fd) == 0;
	}
	(void)unlinkat(dirfd, name, 0);
	return works;
}
