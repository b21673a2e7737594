/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "base/mem.h"

struct ctrd_console {
	int fd;
	struct termios before;
};

int ctrd_console_raw(int fd, struct ctrd_console **ret_console, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE struct ctrd_console *c = xzalloc(sizeof(*c));
	struct termios raw;

	c->fd = fd;
	if (tcgetattr(fd, &c->before) < 0) {
		err_plain(&err, ERR_PRECONDITION, "provided file is not a console");
		return api_result(-1, &err, ret_error);
	}
	raw = c->before;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST; /* our own messages keep their line ends */
	if (tcsetattr(fd, TCSANOW, &raw) < 0) {
		err_sys(&err, errno, "set console to raw mode");
		return api_result(-1, &err, ret_error);
	}
	*ret_console = take_ptr(c);
	return 0;
}

void ctrd_console_restore(struct ctrd_console *c)
{
	if (c == NULL)
		return;
	tcsetattr(c->fd, TCSANOW, &c->before);
	free(c);
}

int ctrd_console_size(int fd, uint32_t *ret_width, uint32_t *ret_height,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	struct winsize size = { 0 };

	if (ioctl(fd, TIOCGWINSZ, &size) < 0) {
		err_sys(&err, errno, "get console size");
		return api_result(-1, &err, ret_error);
	}
	*ret_width = size.ws_col;
	*ret_height = size.ws_row;
	return 0;
}
