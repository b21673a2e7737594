/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_bootstrap.h"

#include <stdlib.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/bootstrap.pb-c.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "shim/shim_flags.h"

#define TASK_API_VERSION 3
#define OPTIONS_NAME	 "containerd.runc.v1.Options"

static void *try_decode(const ProtobufCMessageDescriptor *type, const void *input, size_t size,
		struct arena *arena)
{
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *m = NULL;

	return pb_decode(type, input, size, arena, NULL, &m, &err) < 0 ? NULL : m;
}

static void set_options(struct shim_bootstrap *b, const Google__Protobuf__Any *any)
{
	b->options_type = any->type_url;
	b->options = any->value.data;
	b->options_size = any->value.len;
}

/* The type's full name, with or without something before a slash. */
static bool is_options(const char *url)
{
	return str_eq(url, OPTIONS_NAME) || str_ends(url, "/" OPTIONS_NAME);
}

static void take_params(struct shim_bootstrap *b, const Bootstrap__BootstrapParams *p)
{
	b->is_new = true;
	b->debug |= p->log_level <= BOOTSTRAP__LOG_LEVEL__LOG_LEVEL_DEBUG;
	if (p->containerd_grpc_address[0] != '\0')
		b->grpc_address = p->containerd_grpc_address;
	if (p->containerd_ttrpc_address[0] != '\0')
		b->ttrpc_address = p->containerd_ttrpc_address;
	if (p->_socket_dir_case == BOOTSTRAP__BOOTSTRAP_PARAMS___SOCKET_DIR_SOCKET_DIR &&
			p->socket_dir[0] != '\0')
		b->socket_dir = p->socket_dir;
	for (size_t i = 0; i < p->n_extensions; i++)
		if (p->extensions[i]->value != NULL &&
				is_options(p->extensions[i]->value->type_url))
			set_options(b, p->extensions[i]->value);
}

int shim_bootstrap_read(const void *input, size_t size, const struct shim_flags *flags,
		struct arena *arena, struct shim_bootstrap *ret, struct err *err)
{
	const Bootstrap__BootstrapParams *params;
	const Google__Protobuf__Any *any;

	*ret = (struct shim_bootstrap){ .debug = flags->debug,
		.grpc_address = str_or(flags->address, str_or(getenv("GRPC_ADDRESS"), "")),
		.ttrpc_address = str_or(getenv("TTRPC_ADDRESS"), ""),
		.options_type = "" };
	if (size == 0)
		return 0;
	/* An Any reads as params too (both begin with text and bytes): only one that repeats
	 * what the flags say is meant as such. */
	params = try_decode(&bootstrap__bootstrap_params__descriptor, input, size, arena);
	if (params != NULL && str_eq(params->instance_id, flags->id) &&
			str_eq(params->namespace_, flags->ns)) {
		take_params(ret, params);
		return 0;
	}
	any = try_decode(&google__protobuf__any__descriptor, input, size, arena);
	if (any == NULL)
		return err_plain(err, ERR_INVALID,
				"failed to get runtime options from stdin: no such message");
	if (any->type_url[0] != '\0' && !is_options(any->type_url))
		return err_set(err, ERR_NOT_FOUND, "type with url %s", any->type_url);
	set_options(ret, any);
	return 0;
}

void shim_bootstrap_answer(
		const struct shim_bootstrap *b, const char *socket_path, struct buf *out)
{
	struct buf address = { .limit = SIZE_MAX };
	Bootstrap__BootstrapResult result = BOOTSTRAP__BOOTSTRAP_RESULT__INIT;

	buf_addf(&address, "unix://%s", socket_path);
	if (b->is_new) {
		result.version = TASK_API_VERSION;
		result.address = address.data;
		result.protocol = "ttrpc";
		pb_encode(&result.base, out);
	} else {
		buf_add_str(out, address.data); /* the one form that 1.6 to 2.2 all take */
	}
	buf_done(&address);
}
