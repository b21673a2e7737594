/* SPDX-License-Identifier: Apache-2.0 */
/* Introducing a plugin: what it is told first, and what it wants of what runs already. */
#include <string.h>

#include "api/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "nri/nri_priv.h"
#include "nri/nri_values.h"

#define MESSAGE_MAX ((size_t)4 << 20) /* ttrpc's */
/* The envelope around it: names, lengths, timeout. */
#define MESSAGE_ROOM (MESSAGE_MAX - 4096)
#define ANSWER_ARENA ((size_t)64 << 20)

/* --- configuration ------------------------------------------------------------------------ */

static int subscribe(struct nri_plugin *p, int32_t events, struct err *err)
{
	if ((events & ~NRI_ALL_EVENTS) != 0)
		return err_plain(err, ERR_UNKNOWN, "invalid plugin events: 0x%x",
				(unsigned)(events & ~NRI_ALL_EVENTS));
	nri_plugin_set_events(p, events);
	return 0;
}

int nri_configure(struct nri *n, struct nri_plugin *p, struct err *err)
{
	AUTO_ARENA struct arena arena = { 0 };
	Nri__ConfigureRequest request = NRI__CONFIGURE_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;

	arena_init(&arena, ANSWER_ARENA);
	request.config = nri_plugin_config(p);
	request.runtime_name = n->runtime_name;
	request.runtime_version = n->runtime_version;
	request.registration_timeout = n->o.registration_ns / NS_PER_MS;
	request.request_timeout = n->o.request_ns / NS_PER_MS;
	request.nri_version = NRI_VERSION;
	if (nri_plugin_ask(p, "Configure", n->o.request_ns, &request.base,
			    &nri__configure_response__descriptor, &arena, &answer,
			    err) != NRI_ANSWERED)
		return err_wrap(err, "failed to configure plugin");
	return subscribe(p, ((const Nri__ConfigureResponse *)answer)->events, err);
}

/* --- what there is ------------------------------------------------------------------------ */

static enum nri_state state_told(const Nri__Container *c)
{
	switch (c->state) {
	case NRI__CONTAINER_STATE__CONTAINER_CREATED:
		return NRI_CREATED;
	case NRI__CONTAINER_STATE__CONTAINER_RUNNING:
	case NRI__CONTAINER_STATE__CONTAINER_PAUSED:
		return NRI_RUNNING;
	case NRI__CONTAINER_STATE__CONTAINER_STOPPED:
		return NRI_STOPPED;
	default:
		return 0;
	}
}

static void gather(struct nri *n, struct nri_listing *all)
{
	for (size_t i = 0; i < n->domain_count; i++) {
		struct nri_domain *d = n->domains[i];
		size_t pods = all->n_pods, containers = all->n_containers;

		d->ops->list(d, all);
		for (; pods < all->n_pods; pods++)
			nri_set_state(n, d->name,
					arena_printf(all->arena, "pod %s", all->pods[pods]->id),
					NRI_RUNNING);
		for (; containers < all->n_containers; containers++)
			nri_set_state(n, d->name, all->containers[containers]->id,
					state_told(all->containers[containers]));
	}
}

struct part { /* of a listing, as much as one message takes */
	const struct nri_listing *all;
	size_t pods, containers; /* told so far */
	Nri__SynchronizeRequest request;
};

static bool fits(size_t *size, const ProtobufCMessage *m)
{
	size_t more = protobuf_c_message_get_packed_size(m) + 8;

	if (*size > 0 && *size + more > MESSAGE_ROOM)
		return false;
	*size += more;
	return true;
}

static void next_part(struct part *p)
{
	const struct nri_listing *all = p->all;
	size_t size = 0, pods = p->pods, containers = p->containers;

	nri__synchronize_request__init(&p->request);
	while (pods < all->n_pods && fits(&size, &all->pods[pods]->base))
		pods++;
	while (pods == all->n_pods && containers < all->n_containers &&
			fits(&size, &all->containers[containers]->base))
		containers++;
	p->request.n_pods = pods - p->pods;
	p->request.pods = all->pods + p->pods;
	p->request.n_containers = containers - p->containers;
	p->request.containers = all->containers + p->containers;
	p->request.more = pods < all->n_pods || containers < all->n_containers;
	p->pods = pods;
	p->containers = containers;
}

static int tell_all(struct nri *n, struct nri_plugin *p, const struct nri_listing *all,
		Nri__SynchronizeResponse **ret, struct err *err)
{
	struct part part = { .all = all };
	int64_t deadline = clock_mono_ns() + n->o.request_ns;

	do {
		int64_t left = deadline - clock_mono_ns();
		ProtobufCMessage *answer = NULL;

		next_part(&part);
		if (nri_plugin_ask(p, "Synchronize", left < 0 ? 0 : left, &part.request.base,
				    &nri__synchronize_response__descriptor, all->arena, &answer,
				    err) != NRI_ANSWERED)
			return -1;
		*ret = (Nri__SynchronizeResponse *)answer;
		if (part.request.more && ((*ret)->n_update > 0 || !(*ret)->more))
			return err_plain(err, ERR_UNKNOWN,
					"plugin does not handle split sync requests");
	} while (part.request.more);
	return 0;
}

int nri_synchronize(struct nri *n, struct nri_plugin *p, struct err *err)
{
	AUTO_ARENA struct arena arena = { 0 };
	struct nri_listing all = { .arena = &arena };
	Nri__SynchronizeResponse *answer = NULL;

	log_info(NULL, "Synchronizing NRI (plugin) with current runtime state");
	arena_init(&arena, ANSWER_ARENA);
	gather(n, &all);
	if (tell_all(n, p, &all, &answer, err) < 0)
		return -1;
	if (answer->n_update > NRI_ITEMS_MAX)
		return err_set(err, ERR_EXHAUSTED, "more than %d container updates",
				NRI_ITEMS_MAX);
	(void)nri_apply_updates(n, answer->n_update, answer->update, NULL);
	return 0;
}

/* --- what plugins want of others ---------------------------------------------------------- */

static struct nri_domain *domain_with(const struct nri *n, const char *id)
{
	for (size_t i = 0; i < n->domain_count; i++)
		if (n->domains[i]->ops->has(n->domains[i], id))
			return n->domains[i];
	return NULL;
}

size_t nri_apply_updates(struct nri *n, size_t count, Nri__ContainerUpdate **updates,
		Nri__ContainerUpdate **failed)
{
	size_t failures = 0;

	for (size_t i = 0; i < count; i++) {
		const Nri__ContainerUpdate *u = updates[i];
		struct nri_domain *d = domain_with(n, u->container_id);
		AUTO_ERR struct err err = { 0 };

		if (d == NULL || u->linux == NULL || u->linux->resources == NULL)
			continue;
		if (d->ops->update(d, u->container_id, u->linux->resources, &err) == 0)
			continue;
		log_error(NULL, "NRI update of %s container %s failed: %s", d->name,
				u->container_id, err_text(&err));
		if (u->ignore_failure)
			continue;
		if (failed != NULL)
			failed[failures] = updates[i];
		failures++;
	}
	return failures;
}

void nri_apply_evictions(struct nri *n, size_t count, Nri__ContainerEviction **evictions)
{
	for (size_t i = 0; i < count; i++) {
		const Nri__ContainerEviction *e = evictions[i];
		struct nri_domain *d = domain_with(n, e->container_id);
		AUTO_ERR struct err err = { 0 };

		if (d != NULL && d->ops->evict(d, e->container_id, e->reason, &err) < 0)
			log_error(NULL, "NRI eviction of %s container %s failed: %s", d->name,
					e->container_id, err_text(&err));
	}
}

/* --- states ------------------------------------------------------------------------------- */

static char *state_key(const char *domain, const char *id)
{
	return xasprintf("%s %s", domain, id);
}

enum nri_state nri_state_of(const struct nri *n, const char *domain, const char *id)
{
	AUTO_FREE char *key = state_key(domain, id);

	return (enum nri_state)(uintptr_t)map_find(&n->states, key);
}

void nri_set_state(struct nri *n, const char *domain, const char *id, enum nri_state state)
{
	AUTO_FREE char *key = state_key(domain, id);

	if (state == 0)
		(void)map_remove(&n->states, key);
	else
		(void)map_put(&n->states, key, (void *)(uintptr_t)state);
}
