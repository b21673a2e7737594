/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from typeurl.c, because the table pulls in every message it names. */
#include <string.h>

#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/cgroups_v1.pb-c.h"
#include "api/pb/cgroups_v2.pb-c.h"
#include "api/pb/duration.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/event.pb-c.h"
#include "api/pb/field_mask.pb-c.h"
#include "api/pb/images.pb-c.h"
#include "api/pb/rpc.pb-c.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/runtimeoptions.pb-c.h"
#include "api/pb/streaming.pb-c.h"
#include "api/pb/struct.pb-c.h"
#include "api/pb/timestamp.pb-c.h"
#include "api/pb/transfer_types.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "api/pb/wrappers.pb-c.h"
#include "api/types.def"
#include "api/typeurl.h"
#include "base/err.h"

static const ProtobufCMessageDescriptor *const known[] = {
#define KNOWN(prefix) &prefix##__descriptor,
	API_ANY_TYPES(KNOWN)
#undef KNOWN
};

const ProtobufCMessageDescriptor *typeurl_find(const char *url)
{
	if (typeurl_is_json(url))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (typeurl_names(url, known[i]))
			return known[i];
	return NULL;
}

int any_unpack_known(const Google__Protobuf__Any *any, struct arena *a,
		const struct pb_limits *limits, ProtobufCMessage **ret_message, struct err *err)
{
	const char *url = any != NULL ? any->type_url : "";
	const ProtobufCMessageDescriptor *type = typeurl_find(url);

	if (type == NULL)
		return err_set(err, ERR_NOT_FOUND, "type with url %s", url);
	return pb_decode(type, any->value.data, any->value.len, a, limits, ret_message, err);
}
