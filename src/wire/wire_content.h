/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/content.h"

#include "api/pb/content.pb-c.h"

struct arena;
struct err;

/* Views and copies as wire_map.h says. INVALID when the digest is too long to be one; that it
 * is well-formed is the store's to check. */
MUST_USE int wire_content_info_in(struct arena *a, const Content__Info *pb,
		struct content_info *ret_info, struct err *err);
Content__Info *wire_content_info_out(struct arena *a, const struct content_info *i);
Content__Status *wire_content_status_out(struct arena *a, const struct content_status *s);
