/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox store from the client's side, over the real metadata (reference 01 §4.8). */
#include "unit/unit.h"

#include <string.h>

#include "api/pb/sandbox.pb-c.h"
#include "api/timestamp.h"
#include "base/mem.h"
#include "meta/meta.h"
#include "services/services.h"
#include "support/served.h"
#include "support/tempdir.h"

#define STORE "containerd.services.sandbox.v1.Store"

struct world {
	struct tempdir dir;
	struct meta *meta;
	struct sandboxes_service service;
	struct served *served;
	struct err err;
};

static int begin(void **state)
{
	struct world *w = xzalloc(sizeof(*w));
	struct meta_options options = { .no_sync = true };
	char path[128];

	tempdir_make(&w->dir);
	(void)snprintf(path, sizeof(path), "%s/m", w->dir.path);
	assert_ok(meta_open(path, &options, &w->meta, &w->err), &w->err);
	w->service.store = meta_sandboxes(w->meta);
	w->served = serve((struct served_service[]){
			{ &sandboxes_service, &w->service }, { NULL, NULL } });
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	served_free(w->served);
	meta_close(w->meta);
	tempdir_remove(&w->dir);
	err_clear(&w->err);
	free(w);
	return 0;
}

#define CALL(method, request, type, ret)                                                       \
	served_call(w->served, STORE, method, &(request).base,                                 \
			&sandbox__store_##type##_response__descriptor, ret, &w->err)

/* Message, runtime and one label, filled to taste. */
struct given {
	Types__Sandbox sandbox;
	Types__Sandbox__Runtime runtime;
	Types__Sandbox__LabelsEntry label, *labels[1];
	Types__Sandbox__ExtensionsEntry extension, *extensions[1];
	Google__Protobuf__Any any;
};

static Types__Sandbox *give(struct given *g, const char *id, const char *label)
{
	*g = (struct given){ TYPES__SANDBOX__INIT, TYPES__SANDBOX__RUNTIME__INIT,
		TYPES__SANDBOX__LABELS_ENTRY__INIT, { NULL },
		TYPES__SANDBOX__EXTENSIONS_ENTRY__INIT, { NULL }, GOOGLE__PROTOBUF__ANY__INIT };
	g->sandbox.sandbox_id = id;
	g->sandbox.sandboxer = "shim";
	g->sandbox.runtime = &g->runtime;
	g->runtime.name = "io.containerd.x.v1";
	g->label.key = "l";
	g->label.value = label;
	g->labels[0] = &g->label;
	g->sandbox.labels = g->labels;
	g->sandbox.n_labels = 1;
	g->any.type_url = (char *)"t";
	g->any.value = (ProtobufCBinaryData){ 2, (uint8_t *)"xy" };
	g->extension.key = "e";
	g->extension.value = &g->any;
	g->extensions[0] = &g->extension;
	g->sandbox.extensions = g->extensions;
	g->sandbox.n_extensions = 1;
	g->sandbox.spec = &g->any;
	return &g->sandbox;
}

static Types__Sandbox *create(struct world *w, const char *id, const char *label)
{
	Sandbox__StoreCreateRequest r = SANDBOX__STORE_CREATE_REQUEST__INIT;
	Sandbox__StoreCreateResponse *made;
	struct given g;

	r.sandbox = give(&g, id, label);
	assert_ok(CALL("Create", r, create, &made), &w->err);
	return made->sandbox;
}

static Types__Sandbox *get(struct world *w, const char *id)
{
	Sandbox__StoreGetRequest r = SANDBOX__STORE_GET_REQUEST__INIT;
	Sandbox__StoreGetResponse *got;

	r.sandbox_id = id;
	assert_ok(CALL("Get", r, get, &got), &w->err);
	return got->sandbox;
}

static void a_record_comes_back_as_it_was_given(void **state)
{
	struct world *w = *state;
	Types__Sandbox *s;

	(void)create(w, "s1", "v");
	s = get(w, "s1");
	assert_string_equal(s->sandbox_id, "s1");
	assert_string_equal(s->sandboxer, "shim");
	assert_string_equal(s->runtime->name, "io.containerd.x.v1");
	assert_int_equal(s->n_labels, 1);
	assert_string_equal(s->labels[0]->value, "v");
	assert_int_equal(s->n_extensions, 1);
	assert_string_equal(s->extensions[0]->key, "e");
	assert_memory_equal(s->extensions[0]->value->value.data, "xy", 2);
	assert_string_equal(s->spec->type_url, "t");
	assert_true(timestamp_ns(s->created_at) > 0);
	assert_int_equal(timestamp_ns(s->created_at), timestamp_ns(s->updated_at));
}

static void a_second_of_the_same_id_exists(void **state)
{
	struct world *w = *state;
	Sandbox__StoreCreateRequest r = SANDBOX__STORE_CREATE_REQUEST__INIT;
	struct given g;

	(void)create(w, "s1", "v");
	r.sandbox = give(&g, "s1", "v");
	assert_fails(CALL("Create", r, create, NULL), &w->err, ERR_EXISTS);
	r.sandbox = give(&g, "../x", "v");
	assert_fails(CALL("Create", r, create, NULL), &w->err, ERR_INVALID);
}

static void absent_messages_are_invalid(void **state)
{
	struct world *w = *state;
	Sandbox__StoreCreateRequest c = SANDBOX__STORE_CREATE_REQUEST__INIT;
	Sandbox__StoreUpdateRequest u = SANDBOX__STORE_UPDATE_REQUEST__INIT;
	const char *fields[] = { "labels" };
	struct given g;

	assert_fails(CALL("Create", c, create, NULL), &w->err, ERR_INVALID);
	assert_fails(CALL("Update", u, update, NULL), &w->err, ERR_INVALID);
	c.sandbox = u.sandbox = give(&g, "s1", "v");
	g.sandbox.runtime = NULL;
	assert_fails(CALL("Create", c, create, NULL), &w->err, ERR_INVALID);
	assert_fails(CALL("Update", u, update, NULL), &w->err, ERR_INVALID);
	(void)create(w, "s1", "v");
	u.fields = fields;
	u.n_fields = 1;
	assert_ok(CALL("Update", u, update, NULL), &w->err);
}

static void an_update_changes_the_named_fields_only(void **state)
{
	struct world *w = *state;
	Sandbox__StoreUpdateRequest u = SANDBOX__STORE_UPDATE_REQUEST__INIT;
	Sandbox__StoreUpdateResponse *updated;
	const char *labels[] = { "labels.l" }, *wrong[] = { "sandboxer" },
		   *runtime[] = { "runtime" };
	struct given g;

	(void)create(w, "s1", "old");
	u.sandbox = give(&g, "s1", "new");
	g.runtime.name = "other";
	u.fields = labels;
	u.n_fields = 1;
	assert_ok(CALL("Update", u, update, &updated), &w->err);
	assert_string_equal(updated->sandbox->labels[0]->value, "new");
	assert_string_equal(updated->sandbox->runtime->name, "io.containerd.x.v1");
	u.fields = wrong;
	assert_fails(CALL("Update", u, update, NULL), &w->err, ERR_INVALID);
	u.n_fields = 0;
	assert_fails(CALL("Update", u, update, NULL), &w->err, ERR_INVALID);
	u.fields = runtime;
	u.n_fields = 1;
	assert_ok(CALL("Update", u, update, &updated), &w->err);
	assert_string_equal(updated->sandbox->runtime->name, "other");
	u.sandbox = give(&g, "s2", "new");
	assert_fails(CALL("Update", u, update, NULL), &w->err, ERR_NOT_FOUND);
}

static void a_list_is_filtered_and_in_order(void **state)
{
	struct world *w = *state;
	Sandbox__StoreListRequest r = SANDBOX__STORE_LIST_REQUEST__INIT;
	Sandbox__StoreListResponse *listed;
	const char *filters[] = { "labels.l==b" };

	(void)create(w, "s2", "b");
	(void)create(w, "s1", "a");
	assert_ok(CALL("List", r, list, &listed), &w->err);
	assert_int_equal(listed->n_list, 2);
	assert_string_equal(listed->list[0]->sandbox_id, "s1");
	r.filters = filters;
	r.n_filters = 1;
	assert_ok(CALL("List", r, list, &listed), &w->err);
	assert_int_equal(listed->n_list, 1);
	assert_string_equal(listed->list[0]->sandbox_id, "s2");
	filters[0] = "labels.l==";
	assert_fails(CALL("List", r, list, NULL), &w->err, ERR_INVALID);
}

static void what_is_deleted_is_not_found(void **state)
{
	struct world *w = *state;
	Sandbox__StoreDeleteRequest d = SANDBOX__STORE_DELETE_REQUEST__INIT;
	Sandbox__StoreGetRequest r = SANDBOX__STORE_GET_REQUEST__INIT;

	(void)create(w, "s1", "v");
	r.sandbox_id = d.sandbox_id = "s1";
	assert_ok(CALL("Delete", d, delete, NULL), &w->err);
	assert_fails(CALL("Delete", d, delete, NULL), &w->err, ERR_NOT_FOUND);
	assert_fails(CALL("Get", r, get, NULL), &w->err, ERR_NOT_FOUND);
}

int main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		ONE(a_record_comes_back_as_it_was_given),
		ONE(a_second_of_the_same_id_exists),
		ONE(absent_messages_are_invalid),
		ONE(an_update_changes_the_named_fields_only),
		ONE(a_list_is_filtered_and_in_order),
		ONE(what_is_deleted_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
