/* SPDX-License-Identifier: Apache-2.0 */
#include "core/stream.h"

#include <stddef.h>

#include "base/thread.h"

int stream_take(struct streams *s, struct ctx *ctx, const char *id, struct stream **ret_stream,
		struct err *err)
{
	return s->ops->take(s, ctx, id, ret_stream, err);
}

void stream_release(struct stream *s)
{
	if (s != NULL)
		s->ops->release(s);
}

int stream_send(struct stream *s, const struct any *message, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->send(s, message, err);
}

int stream_recv(struct stream *s, struct any *ret_message, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->recv(s, ret_message, err);
}

void stream_close(struct stream *s)
{
	s->ops->close(s);
}
