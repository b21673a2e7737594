/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/image.h"

#include "api/pb/images.pb-c.h"
#include "api/pb/types.pb-c.h"

struct arena;

/* Views and copies as wire_map.h says. An absent descriptor is an empty one. */
struct descriptor wire_descriptor_in(struct arena *a, const Types__Descriptor *pb);
Types__Descriptor *wire_descriptor_out(struct arena *a, const struct descriptor *d);

struct image wire_image_in(struct arena *a, const Images__Image *pb);
Images__Image *wire_image_out(struct arena *a, const struct image *i);
