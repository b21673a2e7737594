/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

#define MESSAGE(d) extern const ProtobufCMessageDescriptor d;
#define ENUM(d)	   extern const ProtobufCEnumDescriptor d;
#include "all_descriptors.def"
#undef MESSAGE
#undef ENUM

const ProtobufCMessageDescriptor *const wire_messages[] = {
#define MESSAGE(d) &d,
#define ENUM(d)
#include "all_descriptors.def"
#undef MESSAGE
#undef ENUM
};
const size_t wire_message_count = ARRAY_LEN(wire_messages);

static const ProtobufCEnumDescriptor *const enums[] = {
#define MESSAGE(d)
#define ENUM(d) &d,
#include "all_descriptors.def"
#undef MESSAGE
#undef ENUM
};

const ProtobufCMessageDescriptor *wire_message(const char *name)
{
	for (size_t i = 0; i < wire_message_count; i++)
		if (strcmp(wire_messages[i]->name, name) == 0)
			return wire_messages[i];
	return NULL;
}

const ProtobufCEnumDescriptor *wire_enum(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(enums); i++)
		if (strcmp(enums[i]->name, name) == 0)
			return enums[i];
	return NULL;
}

FILE *wire_open(const char *folder, const char *name)
{
	char path[4096];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (file == NULL) {
		(void)fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	return file;
}

size_t wire_next(FILE *file, char *line, size_t room, char **words, size_t max)
{
	while (fgets(line, (int)room, file) != NULL) {
		size_t count = 0;
		char *rest = line, *word;

		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		while (count < max && (word = strsep(&rest, " ")) != NULL)
			words[count++] = word;
		return count;
	}
	return 0;
}

unsigned char *wire_unhex(const char *hex, size_t *ret_size)
{
	size_t size = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
	unsigned char *data = malloc(size + 1);

	for (size_t i = 0; data != NULL && i < size; i++) {
		unsigned byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
			(void)fprintf(stderr, "not hex: %s\n", hex);
			exit(1);
		}
		data[i] = (unsigned char)byte;
	}
	*ret_size = size;
	return data;
}

static const void *slot_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	return (const char *)m + f->offset;
}

static size_t repeated_count(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	return *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
}

typedef size_t (*counter)(const ProtobufCMessage *message);

/* The sum over the messages held by one field. */
static size_t below(
		const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, counter sum_of)
{
	ProtobufCMessage *const *items;
	size_t sum = 0, count;

	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return 0;
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		const ProtobufCMessage *item = *(ProtobufCMessage *const *)slot_of(m, f);

		return item == NULL ? 0 : sum_of(item);
	}
	items = *(ProtobufCMessage *const *const *)slot_of(m, f);
	count = repeated_count(m, f);
	for (size_t i = 0; i < count; i++)
		sum += sum_of(items[i]);
	return sum;
}

size_t wire_count_unknown(const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	size_t sum = message->n_unknown_fields;

	for (unsigned i = 0; i < type->n_fields; i++)
		sum += below(message, &type->fields[i], wire_count_unknown);
	return sum;
}

static bool is_set(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const void *slot = slot_of(m, f);

	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return repeated_count(m, f) > 0;
	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		return *(void *const *)slot != NULL;
	case PROTOBUF_C_TYPE_STRING:
		return (*(char *const *)slot)[0] != '\0';
	case PROTOBUF_C_TYPE_BYTES:
		return ((const ProtobufCBinaryData *)slot)->len > 0;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return *(const uint64_t *)slot != 0;
	default:
		return *(const uint32_t *)slot != 0;
	}
}

size_t wire_count_unset(const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	size_t sum = 0;

	for (unsigned i = 0; i < type->n_fields; i++) {
		sum += !is_set(message, &type->fields[i]);
		sum += below(message, &type->fields[i], wire_count_unset);
	}
	return sum;
}
