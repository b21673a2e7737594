/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an Any holds. Our type URLs are the bare full name of the message, as peers of this
 * family write them; theirs may have a prefix in front (reference 01 §1.5).
 */
#pragma once

#include <stdbool.h>

#include "api/pb/any.pb-c.h"
#include "base/attr.h"

struct arena;
struct err;
struct pb_limits;

/* Values that are JSON, not messages. */
#define TYPEURL_OCI	      "types.containerd.io/opencontainers/runtime-spec/1/"
#define TYPEURL_SPEC	      TYPEURL_OCI "Spec"
#define TYPEURL_PROCESS	      TYPEURL_OCI "Process"
#define TYPEURL_RESOURCES     TYPEURL_OCI "LinuxResources"
#define TYPEURL_RESOURCES_WIN TYPEURL_OCI "WindowsResources"
#define TYPEURL_FEATURES      TYPEURL_OCI "features/Features"
#define TYPEURL_CRI_CONTAINER "github.com/containerd/cri/pkg/store/container/Metadata"
#define TYPEURL_CRI_SANDBOX   "github.com/containerd/cri/pkg/store/sandbox/Metadata"
#define TYPEURL_CRI_RESOURCES "io.containerd.cri.v1/UpdatedResources"
#define TYPEURL_CTR_NETWORK                                                                    \
	"github.com/containerd/containerd/v2/cmd/ctr/commands/NetworkMetaData"
#define TYPEURL_IMGCRYPT "io.containerd.ocicrypt.v1.Payload"
#define TYPEURL_HTTP_ERROR                                                                     \
	"github.com/containerd/containerd/v2/core/remotes/errors/ErrUnexpectedStatus"

/* True for the URLs above: the value is JSON. */
bool typeurl_is_json(const char *url);

/* The message an URL names, whatever stands before its last '/'; NULL if it is none we know
 * (types.def). Naming this pulls all those messages into the program. */
const ProtobufCMessageDescriptor *typeurl_find(const char *url);

/* True if the URL names this message, with or without a prefix. */
bool typeurl_names(const char *url, const ProtobufCMessageDescriptor *type);

/* The message as an Any in the arena. */
Google__Protobuf__Any *any_pack(struct arena *a, const ProtobufCMessage *message);

/* An Any in the arena around bytes that the caller keeps alive (JSON, stored values). */
Google__Protobuf__Any *any_wrap(
		struct arena *a, const char *url, const void *value, size_t size);

/* True if the Any holds exactly this type: bare name, no prefix. NULL holds nothing. */
bool any_is(const Google__Protobuf__Any *any, const ProtobufCMessageDescriptor *type);

/* What the Any holds, as "type", which must be its exact name (UNKNOWN, in the original's
 * words). An absent Any is an empty message. limits as for pb_decode(). */
MUST_USE int any_unpack(const Google__Protobuf__Any *any,
		const ProtobufCMessageDescriptor *type, struct arena *a,
		const struct pb_limits *limits, ProtobufCMessage **ret_message,
		struct err *err);

/* What the Any holds, whatever message that is. NOT_FOUND if the type is not known. */
MUST_USE int any_unpack_known(const Google__Protobuf__Any *any, struct arena *a,
		const struct pb_limits *limits, ProtobufCMessage **ret_message,
		struct err *err);
