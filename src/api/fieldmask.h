/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which fields an update means. A mask that is absent and one without paths are the same to
 * every service: "all of them, by the method's own rule".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/pb/field_mask.pb-c.h"

/* NULL for an absent or empty mask, otherwise the mask itself: paths[0 … n_paths - 1]. */
const Google__Protobuf__FieldMask *fieldmask_or_null(const Google__Protobuf__FieldMask *mask);

/* True if the mask names exactly this path. NULL names none. */
bool fieldmask_has(const Google__Protobuf__FieldMask *mask, const char *path);

/* "labels.k" under prefix "labels" gives "k": everything behind the first dot, which may hold
 * further dots, slashes or nothing. NULL if the path is not one below the prefix. Borrowed. */
const char *fieldmask_key(const char *path, const char *prefix);
