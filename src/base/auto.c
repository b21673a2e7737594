/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

void auto_mem(void *slot)
{
	int saved = errno;

	free(*(void **)slot);
	errno = saved;
}

void auto_fd(int *slot)
{
	close_fd(slot);
}

void auto_strv(char ***slot)
{
	strv_free(*slot);
}

int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

void close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}
