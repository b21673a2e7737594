/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * services.def as data: which services and methods exist and what they carry. Naming
 * api_services pulls every message of every service into the program; a program that must
 * stay small (the shim) expands only its own API_METHODS_<id> list instead.
 */
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include "api/services.def"

enum api_kind {
	API_UNARY,
	API_SERVER_STREAM,
	API_CLIENT_STREAM,
	API_BIDI,
};

enum api_transport {
	API_GRPC = 1,
	API_TTRPC = 2,
	API_BOTH = 3,
};

enum api_service_id {
#define API_SERVICE_ID(id, name, transport, methods) API_SERVICE_##id,
	API_SERVICES(API_SERVICE_ID)
#undef API_SERVICE_ID
			API_SERVICE_COUNT
};

struct api_method {
	const char *name; /* "Create" */
	enum api_kind kind;
	const ProtobufCMessageDescriptor *request;
	const ProtobufCMessageDescriptor *response;
};

struct api_service {
	const char *name; /* "containerd.services.tasks.v1.Tasks" */
	enum api_transport transport;
	const struct api_method *methods;
	size_t method_count;
};

/* One per enum api_service_id, in its order. */
extern const struct api_service api_services[API_SERVICE_COUNT];

/* NULL when there is no such service. */
const struct api_service *api_service_find(const char *name);

/* NULL when the service has no such method. */
const struct api_method *api_method_find(const struct api_service *service, const char *method);
