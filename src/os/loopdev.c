/* SPDX-License-Identifier: Apache-2.0 */
#include "os/loopdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"

/* Between finding a free device and taking it, someone else may have taken it. */
#define ATTACH_TRIES 100

static int configure(int fd, int backing, const char *path, const struct loopdev_options *o)
{
	struct loop_config c = { .fd = (uint32_t)backing };

	if (o->read_only)
		c.info.lo_flags |= LO_FLAGS_READ_ONLY;
	if (o->auto_clear)
		c.info.lo_flags |= LO_FLAGS_AUTOCLEAR;
	if (o->direct_io)
		c.info.lo_flags |= LO_FLAGS_DIRECT_IO;
	(void)snprintf((char *)c.info.lo_file_name, LO_NAME_SIZE, "%s", path);
	return ioctl(fd, LOOP_CONFIGURE, &c) < 0 ? -errno : 0;
}

static int try_attach(int control, int backing, const char *path,
		const struct loopdev_options *o, char **ret_device)
{
	int number = ioctl(control, LOOP_CTL_GET_FREE), rc;
	AUTO_FREE char *device = NULL;
	AUTO_CLOSE int fd = -1;

	if (number < 0)
		return -errno;
	device = xasprintf("/dev/loop%d", number);
	fd = open(device, (o->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = configure(fd, backing, path, o);
	if (rc < 0)
		return rc;
	*ret_device = take_ptr(device);
	return take_fd(&fd);
}

int loopdev_attach(const char *backing_path, const struct loopdev_options *options,
		char **ret_device_path)
{
	int flags = (options->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
	AUTO_CLOSE int control = -1, backing = -1;
	int rc;

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -errno;
	backing = open(backing_path, flags);
	if (backing < 0)
		return -errno;
	for (int i = 0; i < ATTACH_TRIES; i++) {
		rc = try_attach(control, backing, backing_path, options, ret_device_path);
		if (rc != -EBUSY)
			return rc;
	}
	return -ETIMEDOUT;
}

int loopdev_set_auto_clear(int fd, bool on)
{
	struct loop_info64 info;

	if (ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return -errno;
	if (on)
		info.lo_flags |= LO_FLAGS_AUTOCLEAR;
	else
		info.lo_flags &= ~(uint32_t)LO_FLAGS_AUTOCLEAR;
	return ioctl(fd, LOOP_SET_STATUS64, &info) < 0 ? -errno : 0;
}
