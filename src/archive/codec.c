/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int codec_step(struct codec *c, struct codec_io *io, struct err *err)
{
	return c->step(c, io, err);
}

void codec_free(struct codec *c)
{
	if (c != NULL)
		c->free(c);
}

static int copy_step(struct codec *self, struct codec_io *io, struct err *err)
{
	size_t n = io->in_size < io->out_size ? io->in_size : io->out_size;

	if (n > 0)
		memcpy(io->out, io->in, n);
	io->in += n;
	io->in_size -= n;
	io->out += n;
	io->out_size -= n;
	return io->in_ended && io->in_size == 0 ? 0 : 1;
}

static void copy_free(struct codec *self)
{
	free(self);
}

struct codec *codec_new_copy(void)
{
	struct codec *c = xzalloc(sizeof(*c));

	*c = (struct codec){ copy_step, copy_free };
	return c;
}
