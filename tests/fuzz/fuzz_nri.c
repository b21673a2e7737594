/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes may come from a plugin: the pieces of its connection, and the answers in them. The
 * first byte says which of the two, and the size of the reads.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "base/auto.h"
#include "base/err.h"
#include "nri/nri_adjust.h"
#include "nri/nri_frame.h"
#include "nri/nri_result.h"
#include "nri/nri_spec.h"
#include "text/jnode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *arg, uint32_t conn, const void *data, size_t size)
{
	if (data == NULL || size == 0)
		abort();
	*(size_t *)arg += size;
}

static void hear(const uint8_t *data, size_t size, size_t piece)
{
	struct nri_reader r = { 0 };
	size_t heard = 0;

	for (size_t at = 0; at < size; at += piece)
		if (!nri_read(&r, data + at, size - at < piece ? size - at : piece, count,
				    &heard))
			break;
	if (heard > size)
		abort();
}

static struct jnode *spec(void)
{
	static const char text[] = "{\"process\":{\"env\":[\"A=1\",\"B\"],\"args\":[\"x\"]},"
				   "\"mounts\":[{\"destination\":\"/proc\"}],"
				   "\"linux\":{\"namespaces\":[{\"type\":\"pid\"}]}}";
	AUTO_ERR struct err err = { 0 };
	struct jnode *n = NULL;

	if (jnode_parse(text, sizeof(text) - 1, &n, &err) < 0)
		abort();
	return n;
}

/* Two plugins that say the same: whatever it is, the second may only be refused. */
static void adjust(struct arena *a, Nri__CreateContainerResponse *answer)
{
	static const struct nri_adjust_options options;
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	AUTO(jnode_free) struct jnode *n = spec();
	Nri__Container *c = ARENA_NEW(a, Nri__Container, nri__container);
	AUTO_ERR struct err first = { 0 };
	AUTO_ERR struct err second = { 0 };

	c->id = "c";
	nri_container_of_spec(a, n, c);
	nri_result_of_create(&r, a, c);
	if (nri_result_adjust(&r, answer->adjust, "00-a", &first) == 0 &&
			nri_result_update(&r, answer->n_update, answer->update, "00-a",
					&first) == 0 &&
			nri_adjust_spec(n, r.adjust, &options, &first) < 0 &&
			first.kind == ERR_NONE)
		abort();
	if (nri_result_adjust(&r, answer->adjust, "10-b", &second) < 0 &&
			second.kind == ERR_NONE)
		abort();
	if (nri_owners_message(&r.owners)->n_owners > 1 + answer->n_update)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *m = NULL;

	if (size == 0)
		return 0;
	if (data[0] & 1) {
		hear(data + 1, size - 1, data[0] / 2 + 1);
		return 0;
	}
	arena_init(&a, (size_t)64 << 20);
	if (pb_decode(&nri__create_container_response__descriptor, data + 1, size - 1, &a,
			    &pb_limits_request, &m, &err) == 0)
		adjust(&a, (Nri__CreateContainerResponse *)m);
	return 0;
}
