/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of recorded facts and bytes (tests/compat/recorded), for the tests that read them. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include <protobuf-c/protobuf-c.h>

extern const ProtobufCMessageDescriptor *const wire_messages[];
extern const size_t wire_message_count;

/* By full name; NULL if there is none. */
const ProtobufCMessageDescriptor *wire_message(const char *name);
const ProtobufCEnumDescriptor *wire_enum(const char *name);

/* The next line of a table, cut into words at single spaces (at most max); comments and empty
 * lines are skipped. The words live in "line". 0 at the end of the file. */
size_t wire_next(FILE *file, char *line, size_t room, char **words, size_t max);

/* Opens folder/name; exits with a message if that fails. */
FILE *wire_open(const char *folder, const char *name);

/* Bytes of a hex text ("-" for none); exits if it is not one. The caller frees. */
unsigned char *wire_unhex(const char *hex, size_t *ret_size);

/* Unknown fields in the message and in all below it. */
size_t wire_count_unknown(const ProtobufCMessage *message);

/* Fields without a value, in the message and in all below it (zero counts as none). */
size_t wire_count_unset(const ProtobufCMessage *message);
