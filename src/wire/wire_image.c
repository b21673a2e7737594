/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire_image.h"

#include "api/arena.h"
#include "api/timestamp.h"
#include "wire/wire_map.h"

struct descriptor wire_descriptor_in(struct arena *a, const Types__Descriptor *pb)
{
	if (pb == NULL)
		return (struct descriptor){ .media_type = (char *)"", .digest = (char *)"" };
	return (struct descriptor){
		.media_type = (char *)pb->media_type,
		.digest = (char *)pb->digest,
		.size = pb->size,
		.annotations = wire_labels_in(a, pb->n_annotations, pb->annotations),
	};
}

Types__Descriptor *wire_descriptor_out(struct arena *a, const struct descriptor *d)
{
	Types__Descriptor *pb = ARENA_NEW(a, Types__Descriptor, types__descriptor);

	pb->media_type = arena_strdup(a, d->media_type);
	pb->digest = arena_strdup(a, d->digest);
	pb->size = d->size;
	pb->annotations = wire_labels_out(a, &d->annotations,
			&types__descriptor__annotations_entry__descriptor, &pb->n_annotations);
	return pb;
}

struct image wire_image_in(struct arena *a, const Images__Image *pb)
{
	return (struct image){
		.name = (char *)pb->name,
		.labels = wire_labels_in(a, pb->n_labels, pb->labels),
		.target = wire_descriptor_in(a, pb->target),
		.created_ns = timestamp_ns(pb->created_at),
		.updated_ns = timestamp_ns(pb->updated_at),
	};
}

Images__Image *wire_image_out(struct arena *a, const struct image *i)
{
	Images__Image *pb = ARENA_NEW(a, Images__Image, images__image);

	pb->name = arena_strdup(a, i->name);
	pb->labels = wire_labels_out(
			a, &i->labels, &images__image__labels_entry__descriptor, &pb->n_labels);
	pb->target = wire_descriptor_out(a, &i->target);
	pb->created_at = timestamp_new(a, i->created_ns);
	pb->updated_at = timestamp_new(a, i->updated_ns);
	return pb;
}
