/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "core/sandbox.h"
#include "wire/wire_map.h"
#include "wire/wire_sandbox.h"

#include "api/pb/sandbox.pb-c.h"
#include "api/timestamp.h"
#include "api/typeurl.h"

#define SANDBOXER	"shim"
#define SANDBOXER_LABEL "containerd.io/defaults/sandboxer"

struct ctrd_sandbox {
	struct sandbox v; /* a view into the owner's arena */
	struct ctrd_sandboxes *owner;
};

struct ctrd_sandboxes {
	struct arena arena;
	struct ctrd_sandbox *items;
	size_t count;
};

void ctrd_sandboxes_free(struct ctrd_sandboxes *l)
{
	if (l == NULL)
		return;
	arena_done(&l->arena);
	free(l->items);
	free(l);
}
DEFINE_AUTO(struct ctrd_sandboxes *, ctrd_sandboxes_free)

static struct ctrd_sandboxes *list_new(void)
{
	struct ctrd_sandboxes *l = xzalloc(sizeof(*l));

	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	return l;
}

static void add_sandbox(struct ctrd_sandboxes *l, const Types__Sandbox *pb)
{
	l->items = xreallocarray(l->items, l->count + 1, sizeof(*l->items));
	l->items[l->count++] = (struct ctrd_sandbox){ wire_sandbox_in(&l->arena, pb), l };
}

int ctrd_sandboxes_list(struct ctrd_client *c, const char *const *filters,
		struct ctrd_sandboxes **ret_sandboxes, struct ctrd_error **ret_error)
{
	Sandbox__StoreListRequest request = SANDBOX__STORE_LIST_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_sandboxes_free) struct ctrd_sandboxes *l = list_new();
	const Sandbox__StoreListResponse *pb;

	request.filters = wire_strv_out(&l->arena, (char *const *)filters, &request.n_filters);
	pb = client_call(c, CLIENT_SANDBOX_STORE_List, &request.base, &l->arena, &err);
	if (pb == NULL)
		return api_result(-1, &err, ret_error);
	for (size_t i = 0; i < pb->n_list; i++)
		add_sandbox(l, pb->list[i]);
	*ret_sandboxes = take_ptr(l);
	return 0;
}

size_t ctrd_sandboxes_count(const struct ctrd_sandboxes *l)
{
	return l->count;
}

const struct ctrd_sandbox *ctrd_sandboxes_at(const struct ctrd_sandboxes *l, size_t i)
{
	return i < l->count ? &l->items[i] : NULL;
}

/* --- one sandbox -------------------------------------------------------------------------- */

void ctrd_sandbox_free(struct ctrd_sandbox *s)
{
	if (s != NULL)
		ctrd_sandboxes_free(s->owner);
}
DEFINE_AUTO(struct ctrd_sandbox *, ctrd_sandbox_free)

static int take_sandbox(struct ctrd_sandboxes **own_list, const Types__Sandbox *pb,
		struct ctrd_sandbox **ret, struct err *err)
{
	if (pb == NULL)
		return err_set(err, ERR_INTERNAL, "answer without sandbox");
	add_sandbox(*own_list, pb);
	*ret = &take_ptr(*own_list)->items[0];
	return 0;
}

static int get(struct ctrd_client *c, const char *id, struct ctrd_sandbox **ret,
		struct err *err)
{
	Sandbox__StoreGetRequest request = SANDBOX__STORE_GET_REQUEST__INIT;
	AUTO(ctrd_sandboxes_free) struct ctrd_sandboxes *l = list_new();
	const Sandbox__StoreGetResponse *pb;

	request.sandbox_id = id;
	pb = client_call(c, CLIENT_SANDBOX_STORE_Get, &request.base, &l->arena, err);
	return pb == NULL ? -1 : take_sandbox(&l, pb->sandbox, ret, err);
}

int ctrd_sandbox_get(struct ctrd_client *c, const char *id, struct ctrd_sandbox **ret_sandbox,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(get(c, id, ret_sandbox, &err), &err, ret_error);
}

const char *ctrd_sandbox_id(const struct ctrd_sandbox *s)
{
	return str_or(s->v.id, "");
}

const char *ctrd_sandbox_sandboxer(const struct ctrd_sandbox *s)
{
	return str_or(s->v.sandboxer, "");
}

const char *ctrd_sandbox_runtime(const struct ctrd_sandbox *s)
{
	return str_or(s->v.runtime_name, "");
}

static const struct ctrd_any *public_any(const struct any *any)
{
	return any->is_set ? container_of(any, const struct ctrd_any, any) : NULL;
}

const struct ctrd_any *ctrd_sandbox_runtime_options(const struct ctrd_sandbox *s)
{
	return public_any(&s->v.runtime_options);
}

int64_t ctrd_sandbox_created(const struct ctrd_sandbox *s)
{
	return s->v.created_ns;
}

int64_t ctrd_sandbox_updated(const struct ctrd_sandbox *s)
{
	return s->v.updated_ns;
}

const struct ctrd_labels *ctrd_sandbox_labels(const struct ctrd_sandbox *s)
{
	return public_labels(&s->v.labels);
}

const struct ctrd_any *ctrd_sandbox_spec(const struct ctrd_sandbox *s)
{
	return public_any(&s->v.spec);
}

const char *ctrd_sandbox_extension_key(const struct ctrd_sandbox *s, size_t i)
{
	return i < s->v.extensions.count ? s->v.extensions.items[i].key : NULL;
}

const struct ctrd_any *ctrd_sandbox_extension(const struct ctrd_sandbox *s, size_t i)
{
	return i < s->v.extensions.count ? public_any(&s->v.extensions.items[i].any) : NULL;
}

/* --- creating ----------------------------------------------------------------------------- */

static struct ctrd_sandbox_options known_options(const struct ctrd_sandbox_options *given)
{
	struct ctrd_sandbox_options o = CTRD_SANDBOX_OPTIONS_INIT;

	if (given != NULL)
		memcpy(&o, given, given->size < sizeof(o) ? given->size : sizeof(o));
	return o;
}

static int remove_record(struct ctrd_client *c, const char *id, struct err *err)
{
	Sandbox__StoreDeleteRequest request = SANDBOX__STORE_DELETE_REQUEST__INIT;

	request.sandbox_id = id;
	return client_do(c, CLIENT_SANDBOX_STORE_Delete, &request.base, err);
}

static int store(struct ctrd_client *c, Types__Sandbox *record, struct ctrd_sandbox **ret,
		struct err *err)
{
	Sandbox__StoreCreateRequest request = SANDBOX__STORE_CREATE_REQUEST__INIT;
	AUTO(ctrd_sandboxes_free) struct ctrd_sandboxes *l = list_new();
	const Sandbox__StoreCreateResponse *pb;

	request.sandbox = record;
	pb = client_call(c, CLIENT_SANDBOX_STORE_Create, &request.base, &l->arena, err);
	return pb == NULL ? -1 : take_sandbox(&l, pb->sandbox, ret, err);
}

/* The record goes again if nothing comes of it; that may fail, too (ignored). */
static int make(struct ctrd_client *c, Types__Sandbox *record, struct err *err)
{
	Sandbox__ControllerCreateRequest request = SANDBOX__CONTROLLER_CREATE_REQUEST__INIT;
	AUTO_ERR struct err ignored = { 0 };

	request.sandbox_id = record->sandbox_id;
	request.sandboxer = record->sandboxer;
	request.sandbox = record;
	if (client_do(c, CLIENT_SANDBOX_CONTROLLER_Create, &request.base, err) == 0)
		return 0;
	(void)!remove_record(c, record->sandbox_id, &ignored);
	return err_wrap(err, "failed to create sandbox with %s sandboxer", record->sandboxer);
}

static int create(struct ctrd_client *c, const char *id, const struct ctrd_sandbox_options *o,
		struct ctrd_sandbox **ret, struct err *err)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO(ctrd_sandbox_free) struct ctrd_sandbox *made = NULL;
	AUTO_FREE char *sandboxer = NULL;
	AUTO_FREE char *spec = o->spec == NULL ? NULL : ctrd_spec_json(o->spec, NULL);
	struct sandbox s = { .id = (char *)id,
		.runtime_name = (char *)str_or(o->runtime, CTRD_RUNTIME_RUNC),
		/* What the original's client says when it has no options. */
		.runtime_options = { true, (char *)"google.protobuf.Empty", NULL, 0 },
		.labels = *inner_labels(o->labels) };
	Types__Sandbox *record;

	if (str_is_empty(id))
		return err_plain(err, ERR_INVALID, "sandbox ID must be specified");
	if (client_default(c, SANDBOXER_LABEL, o->sandboxer, SANDBOXER, &sandboxer, err) < 0)
		return err_wrap(err, "failed to get default sandboxer");
	s.sandboxer = sandboxer;
	if (spec != NULL)
		s.spec = (struct any){ true, (char *)TYPEURL_SPEC, spec, strlen(spec) };
	arena_init(&a, SIZE_MAX);
	record = wire_sandbox_out(&a, &s);
	if (store(c, record, &made, err) < 0 || make(c, record, err) < 0)
		return -1;
	*ret = take_ptr(made);
	return 0;
}

int ctrd_sandbox_create(struct ctrd_client *c, const char *id,
		const struct ctrd_sandbox_options *options, struct ctrd_sandbox **ret_sandbox,
		struct ctrd_error **ret_error)
{
	struct ctrd_sandbox_options o = known_options(options);
	AUTO_ERR struct err err = { 0 };

	return api_result(create(c, id, &o, ret_sandbox, &err), &err, ret_error);
}

/* --- its life ----------------------------------------------------------------------------- */

int ctrd_sandbox_start(struct ctrd_client *c, const struct ctrd_sandbox *s,
		struct ctrd_error **ret_error)
{
	Sandbox__ControllerStartRequest request = SANDBOX__CONTROLLER_START_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };

	request.sandbox_id = s->v.id;
	request.sandboxer = s->v.sandboxer;
	return api_result(client_do(c, CLIENT_SANDBOX_CONTROLLER_Start, &request.base, &err),
			&err, ret_error);
}

int ctrd_sandbox_stop(struct ctrd_client *c, const struct ctrd_sandbox *s,
		struct ctrd_error **ret_error)
{
	Sandbox__ControllerStopRequest request = SANDBOX__CONTROLLER_STOP_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };

	request.sandbox_id = s->v.id;
	request.sandboxer = s->v.sandboxer;
	return api_result(client_do(c, CLIENT_SANDBOX_CONTROLLER_Stop, &request.base, &err),
			&err, ret_error);
}

int ctrd_sandbox_wait(struct ctrd_client *c, const struct ctrd_sandbox *s, uint32_t *ret_status,
		int64_t *ret_exited, struct ctrd_error **ret_error)
{
	Sandbox__ControllerWaitRequest request = SANDBOX__CONTROLLER_WAIT_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO_ARENA struct arena a = { 0 };
	const Sandbox__ControllerWaitResponse *pb;

	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.sandbox_id = s->v.id;
	request.sandboxer = s->v.sandboxer;
	pb = client_call(c, CLIENT_SANDBOX_CONTROLLER_Wait, &request.base, &a, &err);
	if (pb == NULL)
		return api_result(-1, &err, ret_error);
	if (ret_status != NULL)
		*ret_status = pb->exit_status;
	if (ret_exited != NULL)
		*ret_exited = timestamp_ns(pb->exited_at);
	return 0;
}

static int unless_gone(int rc, struct err *err, const char *context)
{
	if (rc == 0)
		return 0;
	if (err->kind != ERR_NOT_FOUND)
		return err_wrap(err, "%s", context);
	err_clear(err);
	return 0;
}

static int shut_down(struct ctrd_client *c, const struct sandbox *s, struct err *err)
{
	Sandbox__ControllerShutdownRequest request = SANDBOX__CONTROLLER_SHUTDOWN_REQUEST__INIT;

	request.sandbox_id = s->id;
	request.sandboxer = s->sandboxer;
	if (unless_gone(client_do(c, CLIENT_SANDBOX_CONTROLLER_Shutdown, &request.base, err),
			    err, "failed to shutdown sandbox") < 0)
		return -1;
	return unless_gone(remove_record(c, s->id, err), err,
			"failed to delete sandbox from store");
}

int ctrd_sandbox_shutdown(struct ctrd_client *c, const struct ctrd_sandbox *s,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(shut_down(c, &s->v, &err), &err, ret_error);
}
