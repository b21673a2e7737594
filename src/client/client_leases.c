/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_priv.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/wire_map.h"

#include "api/pb/empty.pb-c.h"
#include "api/pb/leases.pb-c.h"
#include "api/timestamp.h"

#define EXPIRE_LABEL  "containerd.io/gc.expire"
#define SCOPE_LIFE_NS (24 * 3600 * NS_PER_S)

struct ctrd_leases {
	struct arena arena;
	const Leases__ListResponse *pb;
	struct labels *labels;
};

void ctrd_leases_free(struct ctrd_leases *l)
{
	if (l == NULL)
		return;
	arena_done(&l->arena);
	free(l);
}
DEFINE_AUTO(struct ctrd_leases *, ctrd_leases_free)

int ctrd_leases_list(struct ctrd_client *c, const char *const *filters,
		struct ctrd_leases **ret_leases, struct ctrd_error **ret_error)
{
	Leases__ListRequest request = LEASES__LIST_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_leases_free) struct ctrd_leases *l = xzalloc(sizeof(*l));

	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	request.filters = wire_strv_out(&l->arena, (char *const *)filters, &request.n_filters);
	l->pb = client_call(c, CLIENT_LEASES_List, &request.base, &l->arena, &err);
	if (l->pb == NULL)
		return api_result(-1, &err, ret_error);
	l->labels = arena_calloc(&l->arena, l->pb->n_leases, sizeof(*l->labels));
	for (size_t i = 0; i < l->pb->n_leases; i++)
		l->labels[i] = wire_labels_in(&l->arena, l->pb->leases[i]->n_labels,
				l->pb->leases[i]->labels);
	*ret_leases = take_ptr(l);
	return 0;
}

size_t ctrd_leases_count(const struct ctrd_leases *l)
{
	return l->pb->n_leases;
}

const char *ctrd_leases_id(const struct ctrd_leases *l, size_t i)
{
	return i < l->pb->n_leases ? l->pb->leases[i]->id : NULL;
}

int64_t ctrd_leases_created(const struct ctrd_leases *l, size_t i)
{
	return i < l->pb->n_leases ? timestamp_ns(l->pb->leases[i]->created_at) : CTRD_NO_TIME;
}

const struct ctrd_labels *ctrd_leases_labels(const struct ctrd_leases *l, size_t i)
{
	return i < l->pb->n_leases ? public_labels(&l->labels[i]) : NULL;
}

/* RFC 3339 without a fraction, as Go's time.RFC3339. */
static char *expiry_text(int64_t life_ns)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t when = clock_wall_ns() + life_ns;

	clock_format_short(when - when % NS_PER_S, text);
	return xstrdup(text);
}

static int create(struct ctrd_client *c, const char *id, int64_t life_ns,
		const struct labels *labels, char **ret_id, struct err *err)
{
	Leases__CreateRequest request = LEASES__CREATE_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };
	AUTO_LABELS struct labels all = { 0 };
	AUTO_FREE char *made = str_is_empty(id) ? client_random_id() : xstrdup(id);
	AUTO_FREE char *expiry = expiry_text(life_ns);
	const Leases__CreateResponse *pb;

	arena_init(&a, CLIENT_REPLY_BUDGET);
	labels_copy(&all, labels);
	if (life_ns != 0)
		labels_set(&all, EXPIRE_LABEL, expiry);
	request.id = made;
	request.labels = wire_labels_out(&a, &all,
			&leases__create_request__labels_entry__descriptor, &request.n_labels);
	pb = client_call(c, CLIENT_LEASES_Create, &request.base, &a, err);
	if (pb == NULL)
		return -1;
	*ret_id = xstrdup(pb->lease == NULL ? made : pb->lease->id);
	return 0;
}

int ctrd_lease_create(struct ctrd_client *c, const char *id, int64_t expires_ns,
		const struct ctrd_labels *labels, char **ret_id, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(create(c, id, expires_ns, inner_labels(labels), ret_id, &err), &err,
			ret_error);
}

static int remove_lease(struct ctrd_client *c, const char *id, bool sync, struct err *err)
{
	Leases__DeleteRequest request = LEASES__DELETE_REQUEST__INIT;

	request.id = id;
	request.sync = sync;
	return client_do(c, CLIENT_LEASES_Delete, &request.base, err);
}

int ctrd_lease_remove(
		struct ctrd_client *c, const char *id, int sync, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(remove_lease(c, id, sync != 0, &err), &err, ret_error);
}

int lease_scope_open(struct ctrd_client *c, struct lease_scope *ret, struct err *err)
{
	static const struct labels none = { 0 };
	char *id = NULL;

	*ret = (struct lease_scope){ .client = c };
	if (c->lease != NULL)
		return 0;
	if (create(c, NULL, SCOPE_LIFE_NS, &none, &id, err) < 0)
		return -1;
	ret->id = id;
	ctrd_client_use_lease(c, id);
	return 0;
}

/* A lease that cannot be removed expires by itself: the failure is dropped (ignored). */
void lease_scope_close(struct lease_scope *s)
{
	AUTO_ERR struct err err = { 0 };

	if (s->id == NULL)
		return;
	ctrd_client_use_lease(s->client, NULL);
	(void)!remove_lease(s->client, s->id, false, &err);
	free(s->id);
	s->id = NULL;
}
