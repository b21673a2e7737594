/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire_sandbox.h"

#include "api/arena.h"
#include "api/timestamp.h"
#include "wire/wire_map.h"

struct sandbox wire_sandbox_in(struct arena *a, const Types__Sandbox *pb)
{
	struct sandbox s = {
		.id = (char *)pb->sandbox_id,
		.sandboxer = (char *)pb->sandboxer,
		.runtime_name = (char *)"",
		.spec = wire_any_in(pb->spec),
		.labels = wire_labels_in(a, pb->n_labels, pb->labels),
		.extensions = wire_anys_in(a, pb->n_extensions, pb->extensions),
		.created_ns = timestamp_ns(pb->created_at),
		.updated_ns = timestamp_ns(pb->updated_at),
	};

	if (pb->runtime != NULL) {
		s.runtime_name = (char *)pb->runtime->name;
		s.runtime_options = wire_any_in(pb->runtime->options);
	}
	return s;
}

Types__Sandbox *wire_sandbox_out(struct arena *a, const struct sandbox *s)
{
	Types__Sandbox *pb = ARENA_NEW(a, Types__Sandbox, types__sandbox);

	pb->sandbox_id = arena_strdup(a, s->id);
	pb->sandboxer = arena_strdup(a, s->sandboxer);
	/* Clients read its fields without looking whether it is there. */
	pb->runtime = ARENA_NEW(a, Types__Sandbox__Runtime, types__sandbox__runtime);
	pb->runtime->name = arena_strdup(a, s->runtime_name);
	pb->runtime->options = wire_any_out(a, &s->runtime_options);
	pb->spec = wire_any_out(a, &s->spec);
	pb->labels = wire_labels_out(a, &s->labels, &types__sandbox__labels_entry__descriptor,
			&pb->n_labels);
	pb->extensions = wire_anys_out(a, &s->extensions,
			&types__sandbox__extensions_entry__descriptor, &pb->n_extensions);
	pb->created_at = timestamp_new(a, s->created_ns);
	pb->updated_at = timestamp_new(a, s->updated_ns);
	return pb;
}
