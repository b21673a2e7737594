/* SPDX-License-Identifier: Apache-2.0 */
#include "api/services.h"

#include "api/pb/any.pb-c.h"
#include "api/pb/containers.pb-c.h"
#include "api/pb/content.pb-c.h"
#include "api/pb/diff.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/events.pb-c.h"
#include "api/pb/health.pb-c.h"
#include "api/pb/images.pb-c.h"
#include "api/pb/introspection.pb-c.h"
#include "api/pb/leases.pb-c.h"
#include "api/pb/mounts.pb-c.h"
#include "api/pb/namespaces.pb-c.h"
#include "api/pb/nri.pb-c.h"
#include "api/pb/sandbox.pb-c.h"
#include "api/pb/shim_sandbox.pb-c.h"
#include "api/pb/snapshots.pb-c.h"
#include "api/pb/task_v2.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/pb/tasks.pb-c.h"
#include "api/pb/transfer.pb-c.h"
#include "api/pb/ttrpc_events.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "api/pb/version.pb-c.h"

#include <string.h>

#define DESCRIPTOR_(prefix) prefix##__descriptor
#define DESCRIPTOR(prefix)  DESCRIPTOR_(prefix)

#define METHOD(id, method, kind, request, response)                                            \
	{ #method, API_##kind, &DESCRIPTOR(request), &DESCRIPTOR(response) },
#define METHODS(id, name, transport, methods)                                                  \
	static const struct api_method methods_of_##id[] = { methods(METHOD) };
API_SERVICES(METHODS)
#undef METHODS

const struct api_service api_services[API_SERVICE_COUNT] = {
#define SERVICE(id, name, transport, methods)                                                  \
	[API_SERVICE_##id] = { name, API_##transport, methods_of_##id,                         \
		sizeof(methods_of_##id) / sizeof(methods_of_##id[0]) },
	API_SERVICES(SERVICE)
#undef SERVICE
};

const struct api_service *api_service_find(const char *name)
{
	for (size_t i = 0; i < API_SERVICE_COUNT; i++)
		if (strcmp(api_services[i].name, name) == 0)
			return &api_services[i];
	return NULL;
}

const struct api_method *api_method_find(const struct api_service *service, const char *method)
{
	for (size_t i = 0; i < service->method_count; i++)
		if (strcmp(service->methods[i].name, method) == 0)
			return &service->methods[i];
	return NULL;
}
