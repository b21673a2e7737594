/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire_content.h"

#include <string.h>

#include "api/arena.h"
#include "api/timestamp.h"
#include "base/err.h"
#include "wire/wire_map.h"

int wire_content_info_in(struct arena *a, const Content__Info *pb,
		struct content_info *ret_info, struct err *err)
{
	struct content_info i = {
		.size = pb->size,
		.created_ns = timestamp_ns(pb->created_at),
		.updated_ns = timestamp_ns(pb->updated_at),
	};

	if (strlen(pb->digest) >= sizeof(i.digest))
		return digest_check(pb->digest, NULL, err);
	memcpy(i.digest, pb->digest, strlen(pb->digest) + 1);
	i.labels = wire_labels_in(a, pb->n_labels, pb->labels);
	*ret_info = i;
	return 0;
}

Content__Info *wire_content_info_out(struct arena *a, const struct content_info *i)
{
	Content__Info *pb = ARENA_NEW(a, Content__Info, content__info);

	pb->digest = arena_strdup(a, i->digest);
	pb->size = i->size;
	pb->created_at = timestamp_new(a, i->created_ns);
	pb->updated_at = timestamp_new(a, i->updated_ns);
	pb->labels = wire_labels_out(
			a, &i->labels, &content__info__labels_entry__descriptor, &pb->n_labels);
	return pb;
}

Content__Status *wire_content_status_out(struct arena *a, const struct content_status *s)
{
	Content__Status *pb = ARENA_NEW(a, Content__Status, content__status);

	pb->started_at = timestamp_new(a, s->started_ns);
	pb->updated_at = timestamp_new(a, s->updated_ns);
	pb->ref = arena_strdup(a, s->ref);
	pb->offset = s->offset;
	pb->total = s->total;
	pb->expected = arena_strdup(a, s->expected);
	return pb;
}
