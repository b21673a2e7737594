/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pb/version.pb-c.h"
#include "services/services_priv.h"

static enum call_fate version(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const struct version_service *s = self;
	Version__VersionResponse answer = VERSION__VERSION_RESPONSE__INIT;

	answer.version = s->version;
	answer.revision = s->revision;
	return call_answer(call, &answer.base, err);
}

static const struct rpc_method methods[] = {
	UNARY("Version", RPC_ON_LOOP, google__protobuf__empty, version__version_response,
			version),
};

const struct rpc_service version_service = { "containerd.services.version.v1.Version", methods,
	ARRAY_LEN(methods) };
