/* SPDX-License-Identifier: Apache-2.0 */
#include "api/typeurl.h"

#include <stdint.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"

bool typeurl_is_json(const char *url)
{
	static const char *const json[] = {
		TYPEURL_SPEC,
		TYPEURL_PROCESS,
		TYPEURL_RESOURCES,
		TYPEURL_RESOURCES_WIN,
		TYPEURL_FEATURES,
		TYPEURL_CRI_CONTAINER,
		TYPEURL_CRI_SANDBOX,
		TYPEURL_CRI_RESOURCES,
		TYPEURL_CTR_NETWORK,
		TYPEURL_IMGCRYPT,
		TYPEURL_HTTP_ERROR,
	};

	for (size_t i = 0; i < ARRAY_LEN(json); i++)
		if (strcmp(url, json[i]) == 0)
			return true;
	return false;
}

bool typeurl_names(const char *url, const ProtobufCMessageDescriptor *type)
{
	const char *slash = strrchr(url, '/');

	return strcmp(slash != NULL ? slash + 1 : url, type->name) == 0;
}

Google__Protobuf__Any *any_wrap(
		struct arena *a, const char *url, const void *value, size_t size)
{
	Google__Protobuf__Any *any = ARENA_NEW(a, Google__Protobuf__Any, google__protobuf__any);

	/* the generated fields are not const, but nothing here writes through them */
	any->type_url = (char *)(uintptr_t)url;
	any->value.data = (uint8_t *)(uintptr_t)value;
	any->value.len = size;
	return any;
}

Google__Protobuf__Any *any_pack(struct arena *a, const ProtobufCMessage *message)
{
	size_t size;
	const void *value = pb_encode_arena(message, a, &size);

	return any_wrap(a, message->descriptor->name, value, size);
}

bool any_is(const Google__Protobuf__Any *any, const ProtobufCMessageDescriptor *type)
{
	return any != NULL && strcmp(any->type_url, type->name) == 0;
}

int any_unpack(const Google__Protobuf__Any *any, const ProtobufCMessageDescriptor *type,
		struct arena *a, const struct pb_limits *limits, ProtobufCMessage **ret_message,
		struct err *err)
{
	if (any == NULL)
		return pb_decode(type, "", 0, a, limits, ret_message, err);
	if (!any_is(any, type)) {
		AUTO_FREE char *url = str_quote(any->type_url);

		return err_plain(err, ERR_UNKNOWN, "can't unmarshal type %s to output \"%s\"",
				url, type->name);
	}
	return pb_decode(type, any->value.data, any->value.len, a, limits, ret_message, err);
}
