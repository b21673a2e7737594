/* SPDX-License-Identifier: Apache-2.0 */
/* Messages shown to people: as JSON, and number by number. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct ProtobufCMessage;

/* As Go's encoding/json writes the generated struct: members in the order of the message, under
 * their proto names, empty ones left out; bytes in base64; enums and times as numbers. Owned.
 */
MUST_USE char *message_json(const struct ProtobufCMessage *message, const char *indent);

/* The number at a path of field names and indexes ("cpu.usage.PerCPU.0"). A path that ends at a
 * message that is there gives true and 0. */
bool message_number(
		const struct ProtobufCMessage *message, const char *path, uint64_t *ret_value);
