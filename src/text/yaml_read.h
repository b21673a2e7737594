/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading YAML that administrators wrote, as the JSON it stands for: one document, within the
 * bounds of text/json.h, scalars typed by the rules of YAML 1.1 as Go's libraries have them.
 * Keys are texts; anchors and tags are refused, since they are what bombs are made of.
 */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "text/jnode.h"

struct err;

/* INVALID with the line, EXHAUSTED when a bound is passed. An empty document is null. */
MUST_USE int yaml_parse(
		const void *data, size_t size, struct jnode **ret_node, struct err *err);
