/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first two bytes choose one of all the messages of all methods, the rest are its bytes.
 * What the scan lets through must unpack within the memory it announced, and what was unpacked
 * must survive packing and unpacking.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/services.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *choose(const uint8_t *data)
{
	const struct api_service *service = &api_services[data[0] % API_SERVICE_COUNT];
	const struct api_method *method =
			&service->methods[(data[1] & 0x7f) % service->method_count];

	return data[1] & 0x80 ? method->response : method->request;
}

static void check_pack(const ProtobufCMessage *message, struct arena *arena)
{
	ProtobufCMessage *again;
	size_t size, size_again;
	const void *packed = pb_encode_arena(message, arena, &size), *packed_again;

	again = protobuf_c_message_unpack(message->descriptor, &arena->allocator, size, packed);
	if (again == NULL)
		abort();
	packed_again = pb_encode_arena(again, arena, &size_again);
	if (size != size_again || memcmp(packed, packed_again, size) != 0)
		abort();
}

static void check(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
	AUTO_ARENA struct arena arena = { 0 };
	AUTO_ARENA struct arena second = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message;
	struct pb_scan scan;
	bool fine = pb_scan(type, data, size, NULL, &scan) == 0;

	arena_init(&arena, scan.memory);
	arena_init(&second, SIZE_MAX);
	if (pb_decode(type, data, size, &arena, NULL, &message, &err) < 0) {
		if (fine || err.kind == ERR_NONE)
			abort();
		return;
	}
	if (!fine)
		abort();
	check_pack(message, &second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= 2)
		check(choose(data), data + 2, size - 2);
	return 0;
}
