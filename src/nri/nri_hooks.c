/* SPDX-License-Identifier: Apache-2.0 */
/* What happens, told to one plugin after the other. */
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "core/deprecation.h"
#include "nri/nri_priv.h"
#include "nri/nri_result.h"
#include "nri/nri_values.h"

struct hook {
	Nri__Event event;
	const char *method;
	const ProtobufCMessageDescriptor *request, *response;
	bool has_old_form; /* plugins of before 0.11 know it as StateChange */
};

#define HOOK(name, method, stem, has_old_form)                                                 \
	{                                                                                      \
		NRI__EVENT__##name, method, &nri__##stem##_request__descriptor,                \
				&nri__##stem##_response__descriptor, has_old_form              \
	}
static const struct hook hooks[] = {
	HOOK(RUN_POD_SANDBOX, "RunPodSandbox", run_pod_sandbox, true),
	HOOK(STOP_POD_SANDBOX, "StopPodSandbox", stop_pod_sandbox, true),
	HOOK(REMOVE_POD_SANDBOX, "RemovePodSandbox", remove_pod_sandbox, true),
	HOOK(UPDATE_POD_SANDBOX, "UpdatePodSandbox", update_pod_sandbox, false),
	HOOK(POST_UPDATE_POD_SANDBOX, "PostUpdatePodSandbox", post_update_pod_sandbox, true),
	HOOK(CREATE_CONTAINER, "CreateContainer", create_container, false),
	HOOK(POST_CREATE_CONTAINER, "PostCreateContainer", post_create_container, true),
	HOOK(START_CONTAINER, "StartContainer", start_container, true),
	HOOK(POST_START_CONTAINER, "PostStartContainer", post_start_container, true),
	HOOK(UPDATE_CONTAINER, "UpdateContainer", update_container, false),
	HOOK(POST_UPDATE_CONTAINER, "PostUpdateContainer", post_update_container, true),
	HOOK(STOP_CONTAINER, "StopContainer", stop_container, false),
	HOOK(REMOVE_CONTAINER, "RemoveContainer", remove_container, true),
	HOOK(VALIDATE_CONTAINER_ADJUSTMENT, "ValidateContainerAdjustment",
			validate_container_adjustment, false),
};

static const struct hook *hook_of(Nri__Event event)
{
	for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
		if (hooks[i].event == event)
			return &hooks[i];
	return NULL;
}

/* --- one plugin --------------------------------------------------------------------------- */

static void warn_of_old_form(struct nri *n, struct nri_plugin *p, const struct hook *h)
{
	struct nri_seat *seat = nri_plugin_seat(p);

	if ((seat->warned & 1u << h->event) != 0)
		return;
	seat->warned |= 1u << h->event;
	if (n->o.deprecations != NULL)
		deprecation_note(n->o.deprecations, DEPRECATED_NRI_PLUGIN_INTERFACE);
	log_warn(NULL, "plugin %s uses deprecated StateChange instead of a dedicated %s call",
			nri_plugin_name(p), h->method);
}

static enum nri_outcome ask_old_form(struct nri *n, struct nri_plugin *p, const struct hook *h,
		const struct nri_subject *s, struct err *err)
{
	Nri__StateChangeEvent request = NRI__STATE_CHANGE_EVENT__INIT;
	ProtobufCMessage *answer = NULL;
	enum nri_outcome outcome;

	request.event = h->event;
	request.pod = s->pod;
	request.container = s->container;
	outcome = nri_plugin_ask(p, "StateChange", n->o.request_ns, &request.base,
			&nri__empty__descriptor, s->arena, &answer, err);
	if (outcome == NRI_ANSWERED)
		warn_of_old_form(n, p, h);
	return outcome;
}

/* Fails with what the plugin said. *ret_answer is NULL if it said nothing: it does not want the
 * event, or has been closed. */
static int ask(struct nri *n, struct nri_plugin *p, const struct hook *h,
		const struct nri_subject *s, const ProtobufCMessage *request,
		ProtobufCMessage **ret_answer, struct err *err)
{
	enum nri_outcome outcome;

	*ret_answer = NULL;
	if (!nri_plugin_wants(p, h->event) || nri_plugin_is_closed(p))
		return 0;
	outcome = nri_plugin_ask(p, h->method, n->o.request_ns, request, h->response, s->arena,
			ret_answer, err);
	if (outcome == NRI_REFUSED && err->kind == ERR_UNIMPLEMENTED && h->has_old_form) {
		err_clear(err);
		outcome = ask_old_form(n, p, h, s, err);
	}
	if (outcome == NRI_ANSWERED)
		return 0;
	*ret_answer = NULL;
	if (outcome == NRI_REFUSED)
		return -1;
	log_error(NULL, "closing plugin %s, failed to handle %s request: %s",
			nri_plugin_name(p), h->method, err_text(err));
	err_clear(err);
	return 0;
}

/* --- events without an answer ------------------------------------------------------------- */

/* All of these requests have a pod first, and a container second if they have one. */
static ProtobufCMessage *request_of(const struct nri_subject *s, const struct hook *h)
{
	const ProtobufCMessageDescriptor *type = h->request;
	ProtobufCMessage *m = arena_alloc(s->arena, type->sizeof_message);

	protobuf_c_message_init(type, m);
	*(Nri__PodSandbox **)((char *)m + type->fields[0].offset) = s->pod;
	if (type->n_fields > 1)
		*(Nri__Container **)((char *)m + type->fields[1].offset) = s->container;
	return m;
}

static int tell_all(struct nri *n, const struct hook *h, const struct nri_subject *s,
		const ProtobufCMessage *request, struct err *err)
{
	struct nri_round round;
	ProtobufCMessage *unused;
	int rc = 0;

	nri_round_begin(n, &round);
	for (size_t i = 0; i < round.count && rc == 0; i++)
		rc = ask(n, round.plugins[i], h, s, request, &unused, err);
	nri_round_end(n, &round);
	return rc;
}

static bool needs_stopping(enum nri_state state)
{
	return state == NRI_CREATED || state == NRI_RUNNING;
}

static int stop_in_turn(struct nri *n, const struct nri_subject *s, struct err *err);

static int remove_in_turn(struct nri *n, const struct nri_subject *s, struct err *err)
{
	const struct hook *h = hook_of(NRI__EVENT__REMOVE_CONTAINER);
	AUTO_ERR struct err ignored = { 0 };
	int rc;

	if (nri_state_of(n, s->domain, s->container->id) == 0)
		return 0;
	if (stop_in_turn(n, s, &ignored) < 0)
		log_warn(NULL, "NRI StopContainer failed: %s (ignored)", err_text(&ignored));
	rc = tell_all(n, h, s, request_of(s, h), err);
	nri_set_state(n, s->domain, s->container->id, 0);
	return rc;
}

/* A pod may have the id of a container. */
static const char *pod_key(const struct nri_subject *s)
{
	return arena_printf(s->arena, "pod %s", s->pod->id);
}

/* Once, and never of what plugins have not heard of. */
static int end_pod(struct nri *n, const struct nri_subject *s, const struct hook *h,
		struct err *err)
{
	enum nri_state state = nri_state_of(n, s->domain, pod_key(s));
	bool is_stop = h->event == NRI__EVENT__STOP_POD_SANDBOX;
	int rc;

	if (is_stop ? !needs_stopping(state) : state == 0)
		return 0;
	rc = tell_all(n, h, s, request_of(s, h), err);
	nri_set_state(n, s->domain, pod_key(s), is_stop ? NRI_STOPPED : 0);
	return rc;
}

static int tell_in_turn(
		struct nri *n, const struct nri_subject *s, Nri__Event event, struct err *err)
{
	const struct hook *h = hook_of(event);
	int rc;

	if (event == NRI__EVENT__REMOVE_CONTAINER)
		return remove_in_turn(n, s, err);
	if (event == NRI__EVENT__STOP_POD_SANDBOX || event == NRI__EVENT__REMOVE_POD_SANDBOX)
		return end_pod(n, s, h, err);
	rc = tell_all(n, h, s, request_of(s, h), err);
	if (event == NRI__EVENT__RUN_POD_SANDBOX)
		nri_set_state(n, s->domain, pod_key(s), NRI_RUNNING);
	else if (event == NRI__EVENT__START_CONTAINER)
		nri_set_state(n, s->domain, s->container->id, NRI_RUNNING);
	return rc;
}

int nri_tell(struct nri *n, const struct nri_subject *s, Nri__Event event, struct err *err)
{
	int rc;

	if (!nri_has_plugins(n))
		return 0;
	nri_turn_take(n);
	rc = tell_in_turn(n, s, event, err);
	nri_turn_give(n);
	return rc;
}

int nri_update_pod(struct nri *n, const struct nri_subject *s, Nri__LinuxResources *overhead,
		Nri__LinuxResources *resources, struct err *err)
{
	Nri__UpdatePodSandboxRequest r = NRI__UPDATE_POD_SANDBOX_REQUEST__INIT;
	int rc;

	if (!nri_has_plugins(n))
		return 0;
	r.pod = s->pod;
	r.overhead_linux_resources = overhead;
	r.linux_resources = resources;
	nri_turn_take(n);
	rc = tell_all(n, hook_of(NRI__EVENT__UPDATE_POD_SANDBOX), s, &r.base, err);
	nri_turn_give(n);
	return rc;
}

/* --- creation ----------------------------------------------------------------------------- */

static Nri__PluginInstance *instance(struct arena *a, const char *idx, const char *name)
{
	Nri__PluginInstance *i = ARENA_NEW(a, Nri__PluginInstance, nri__plugin_instance);

	i->index = arena_strdup(a, idx);
	i->name = arena_strdup(a, name);
	return i;
}

static bool has_validators(const struct nri *n, const struct nri_round *round)
{
	bool found = n->o.validator.is_enabled;

	for (size_t i = 0; i < round->count; i++)
		found = found || nri_plugin_wants(round->plugins[i],
						 NRI__EVENT__VALIDATE_CONTAINER_ADJUSTMENT);
	return found;
}

/* Validators see the container as it was. */
static int copy_container(
		struct arena *a, const Nri__Container *c, Nri__Container **ret, struct err *err)
{
	size_t size = 0;
	const void *bytes = pb_encode_arena(&c->base, a, &size);
	ProtobufCMessage *copy = NULL;

	if (pb_decode(&nri__container__descriptor, bytes, size, a, &pb_limits_reply, &copy,
			    err) < 0)
		return -1;
	*ret = (Nri__Container *)copy;
	return 0;
}

static int ask_validator(struct nri *n, struct nri_plugin *p, const struct nri_subject *s,
		const Nri__ValidateContainerAdjustmentRequest *r, struct err *err)
{
	const struct hook *h = hook_of(NRI__EVENT__VALIDATE_CONTAINER_ADJUSTMENT);
	const Nri__ValidateContainerAdjustmentResponse *answer;
	enum nri_outcome outcome = NRI_LOST;
	ProtobufCMessage *m = NULL;

	if (!nri_plugin_wants(p, h->event))
		return 0;
	if (nri_plugin_is_closed(p))
		(void)err_plain(err, ERR_UNAVAILABLE, "ttrpc: closed");
	else
		outcome = nri_plugin_ask(p, h->method, n->o.request_ns, &r->base, h->response,
				s->arena, &m, err);
	if (outcome == NRI_LOST && !nri_plugin_is_validator(p)) {
		log_error(NULL, "closing plugin %s, failed to handle %s request: %s",
				nri_plugin_name(p), h->method, err_text(err));
		err_clear(err);
		return 0;
	}
	/* What it might have found nobody knows, so here silence is no consent. */
	if (outcome != NRI_ANSWERED)
		return err_wrap(err, "validator plugin %s failed", nri_plugin_name(p));
	answer = (const Nri__ValidateContainerAdjustmentResponse *)m;
	if (!answer->reject)
		return 0;
	return err_plain(err, ERR_UNKNOWN,
			"validator \"%s\" rejected container adjustment, reason: %s",
			nri_plugin_name(p), str_or(answer->reason, "unknown rejection reason"));
}

static int validate(struct nri *n, const struct nri_round *round, const struct nri_subject *s,
		struct nri_result *r, Nri__ValidateContainerAdjustmentRequest *v,
		struct err *err)
{
	AUTO_ERR struct err why = { 0 };

	v->adjust = r->adjust;
	v->n_update = r->n_updates;
	v->update = r->updates;
	v->owners = nri_owners_message(&r->owners);
	if (n->o.validator.is_enabled &&
			nri_validate(&n->o.validator, v, &r->owners, &why) < 0) {
		log_error(NULL, "rejecting adjustment: %s", err_text(&why));
		return err_plain(err, ERR_UNKNOWN,
				"validator \"" NRI_VALIDATOR_INDEX "-" NRI_VALIDATOR_NAME
				"\" rejected container adjustment, reason: %s",
				err_text(&why));
	}
	for (size_t i = 0; i < round->count; i++)
		if (ask_validator(n, round->plugins[i], s, v, err) < 0)
			return -1;
	return 0;
}

static int ask_creators(struct nri *n, const struct nri_round *round,
		const struct nri_subject *s, struct nri_result *r,
		Nri__ValidateContainerAdjustmentRequest *v, struct err *err)
{
	const struct hook *h = hook_of(NRI__EVENT__CREATE_CONTAINER);

	if (n->o.validator.is_enabled)
		nri_add(s->arena, &v->n_plugins, &v->plugins,
				instance(s->arena, NRI_VALIDATOR_INDEX, NRI_VALIDATOR_NAME));
	for (size_t i = 0; i < round->count; i++) {
		struct nri_plugin *p = round->plugins[i];
		Nri__CreateContainerResponse *answer;
		ProtobufCMessage *m = NULL;

		nri_add(s->arena, &v->n_plugins, &v->plugins,
				instance(s->arena, nri_plugin_index(p), nri_plugin_base(p)));
		if (ask(n, p, h, s, request_of(s, h), &m, err) < 0)
			return -1;
		answer = (Nri__CreateContainerResponse *)m;
		if (answer == NULL)
			continue;
		if (nri_result_adjust(r, answer->adjust, nri_plugin_name(p), err) < 0 ||
				nri_result_update(r, answer->n_update, answer->update,
						nri_plugin_name(p), err) < 0)
			return -1;
		nri_result_evict(r, answer->n_evict, answer->evict);
	}
	return 0;
}

static int create_in_turn(struct nri *n, const struct nri_subject *s,
		Nri__ContainerAdjustment **ret_adjust, struct err *err)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	Nri__ValidateContainerAdjustmentRequest v =
			NRI__VALIDATE_CONTAINER_ADJUSTMENT_REQUEST__INIT;
	struct nri_round round;
	bool is_checked;
	size_t empty;
	int rc = 0;

	nri_round_begin(n, &round);
	nri_result_of_create(&r, s->arena, s->container);
	empty = protobuf_c_message_get_packed_size(&r.adjust->base);
	is_checked = has_validators(n, &round);
	v.pod = s->pod;
	if (is_checked)
		rc = copy_container(s->arena, s->container, &v.container, err);
	if (rc == 0)
		rc = ask_creators(n, &round, s, &r, &v, err);
	if (rc == 0 && is_checked)
		rc = validate(n, &round, s, &r, &v, err);
	nri_set_state(n, s->domain, s->container->id, NRI_CREATED);
	nri_round_end(n, &round);
	if (rc < 0)
		return -1;
	nri_apply_evictions(n, r.n_evictions, r.evictions);
	if (nri_apply_updates(n, r.n_updates, r.updates, NULL) > 0)
		log_warn(NULL, "pre-create update failed (ignored)");
	if (protobuf_c_message_get_packed_size(&r.adjust->base) != empty)
		*ret_adjust = r.adjust;
	return 0;
}

int nri_create(struct nri *n, const struct nri_subject *s,
		Nri__ContainerAdjustment **ret_adjust, struct err *err)
{
	int rc;

	*ret_adjust = NULL;
	if (!nri_has_plugins(n))
		return 0;
	nri_turn_take(n);
	rc = create_in_turn(n, s, ret_adjust, err);
	nri_turn_give(n);
	return rc;
}

/* --- updates and stops -------------------------------------------------------------------- */

static int update_in_turn(struct nri *n, const struct nri_subject *s,
		Nri__UpdateContainerRequest *request, struct nri_result *r, struct err *err)
{
	const struct hook *h = hook_of(NRI__EVENT__UPDATE_CONTAINER);
	struct nri_round round;
	int rc = 0;

	nri_round_begin(n, &round);
	for (size_t i = 0; i < round.count && rc == 0; i++) {
		ProtobufCMessage *m = NULL;
		Nri__UpdateContainerResponse *answer;

		rc = ask(n, round.plugins[i], h, s, &request->base, &m, err);
		answer = (Nri__UpdateContainerResponse *)m;
		if (rc < 0 || answer == NULL)
			continue;
		rc = nri_result_update(r, answer->n_update, answer->update,
				nri_plugin_name(round.plugins[i]), err);
		nri_result_evict(r, answer->n_evict, answer->evict);
	}
	nri_round_end(n, &round);
	if (rc < 0)
		return -1;
	nri_apply_evictions(n, r->n_evictions, r->evictions);
	if (nri_apply_updates(n, r->n_updates, r->updates, NULL) > 0)
		log_warn(NULL, "pre-update update failed (ignored)");
	return 0;
}

int nri_update(struct nri *n, const struct nri_subject *s, Nri__LinuxResources *resources,
		Nri__LinuxResources **ret_resources, struct err *err)
{
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	Nri__UpdateContainerRequest request = NRI__UPDATE_CONTAINER_REQUEST__INIT;
	int rc;

	*ret_resources = NULL;
	if (!nri_has_plugins(n))
		return 0;
	request.pod = s->pod;
	request.container = s->container;
	request.linux_resources = resources;
	nri_result_of_update(&r, s->arena, &request);
	nri_turn_take(n);
	rc = update_in_turn(n, s, &request, &r, err);
	nri_turn_give(n);
	if (rc == 0 && r.own != NULL)
		*ret_resources = r.own->linux->resources;
	return rc;
}

static int stop_in_turn(struct nri *n, const struct nri_subject *s, struct err *err)
{
	const struct hook *h = hook_of(NRI__EVENT__STOP_CONTAINER);
	AUTO_NRI_RESULT struct nri_result r = { 0 };
	struct nri_round round;
	int rc = 0;

	nri_result_of_stop(&r, s->arena);
	if (!needs_stopping(nri_state_of(n, s->domain, s->container->id)))
		return 0;
	nri_round_begin(n, &round);
	for (size_t i = 0; i < round.count && rc == 0; i++) {
		ProtobufCMessage *m = NULL;

		rc = ask(n, round.plugins[i], h, s, request_of(s, h), &m, err);
		if (rc == 0 && m != NULL)
			rc = nri_result_update(&r, ((Nri__StopContainerResponse *)m)->n_update,
					((Nri__StopContainerResponse *)m)->update,
					nri_plugin_name(round.plugins[i]), err);
	}
	nri_set_state(n, s->domain, s->container->id, NRI_STOPPED);
	nri_round_end(n, &round);
	if (rc == 0 && nri_apply_updates(n, r.n_updates, r.updates, NULL) > 0)
		log_warn(NULL, "post-stop update failed (ignored)");
	return rc;
}

int nri_stop_container(struct nri *n, const struct nri_subject *s, struct err *err)
{
	int rc;

	if (!nri_has_plugins(n))
		return 0;
	nri_turn_take(n);
	rc = stop_in_turn(n, s, err);
	nri_turn_give(n);
	return rc;
}
