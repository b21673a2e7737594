/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 01 §4.1, §4.2, §3.2: containers. */
#include "meta_env.h"

static struct container *sample(const char *id)
{
	struct container *c = container_new(id);

	c->image = xstrdup("img");
	c->snapshotter = xstrdup("mem");
	c->snapshot_key = xstrdup("key");
	c->sandbox = xstrdup("box");
	c->runtime_name = xstrdup("io.containerd.runc.v2");
	any_set(&c->runtime_options, "opts", "\0o", 2);
	any_set(&c->spec, "spec", "{}", 2);
	c->labels = labels_of("a=1", "b=2", NULL);
	anys_set(&c->extensions, "x", &c->spec);
	return c;
}

static struct container *create(const char *id)
{
	AUTO(container_free) struct container *c = sample(id);
	AUTO_ERR struct err err = { 0 };
	struct container *made = NULL;

	assert_ok(container_create(meta_containers(env.m), &ctx, c, &made, &err), &err);
	return made;
}

static struct container *get(const char *id)
{
	AUTO_ERR struct err err = { 0 };
	struct container *c = NULL;

	assert_ok(container_get(meta_containers(env.m), &ctx, id, &c, &err), &err);
	return c;
}

static void all_fields_come_back(void **state)
{
	AUTO(container_free) struct container *made = create("c1");
	AUTO(container_free) struct container *c = NULL;

	env_reopen();
	c = get("c1");
	assert_string_equal(c->id, "c1");
	assert_string_equal(c->image, "img");
	assert_string_equal(c->snapshotter, "mem");
	assert_string_equal(c->snapshot_key, "key");
	assert_string_equal(c->sandbox, "box");
	assert_string_equal(c->runtime_name, "io.containerd.runc.v2");
	assert_int_equal(c->runtime_options.size, 2);
	assert_memory_equal(c->runtime_options.value, "\0o", 2);
	assert_string_equal(c->spec.type_url, "spec");
	assert_string_equal(labels_find(&c->labels, "b"), "2");
	assert_memory_equal(anys_find(&c->extensions, "x")->value, "{}", 2);
	assert_true(c->created_ns == TIME_0 && c->updated_ns == TIME_0);
	assert_true(made->created_ns == TIME_0);
	expect_events("ns /containers/create c1|img|io.containerd.runc.v2\n");
}

static void an_empty_any_is_kept_and_an_absent_one_stays_absent(void **state)
{
	AUTO(container_free) struct container *c = sample("c1");
	AUTO(container_free) struct container *made = NULL;
	AUTO(container_free) struct container *back = NULL;
	AUTO_ERR struct err err = { 0 };

	any_done(&c->runtime_options);
	any_set(&c->spec, "", "", 0);
	assert_ok(container_create(meta_containers(env.m), &ctx, c, &made, &err), &err);
	back = get("c1");
	assert_true(back->spec.is_set);
	assert_int_equal(back->spec.size, 0);
	assert_false(back->runtime_options.is_set);
}

static void a_namespace_is_needed_and_valid(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct ctx none = { 0 }, bad = { .ns = "a/b" };
	struct container *c = NULL;

	assert_error(container_get(meta_containers(env.m), &none, "c", &c, &err), &err,
			ERR_PRECONDITION, "namespace is required: failed precondition");
	assert_fails(container_get(meta_containers(env.m), &bad, "c", &c, &err), &err,
			ERR_INVALID);
}

static void unknown_containers_are_not_found(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct container *c = NULL;

	assert_error(container_get(meta_containers(env.m), &ctx, "x", &c, &err), &err,
			ERR_NOT_FOUND, "container \"x\" in namespace \"ns\": not found");
	assert_fails(container_get(meta_containers(env.m), &ctx, "", &c, &err), &err,
			ERR_NOT_FOUND);
	assert_error(container_remove(meta_containers(env.m), &ctx, "x", &err), &err,
			ERR_NOT_FOUND, "container x: not found");
}

static void a_namespace_does_not_see_another(void **state)
{
	AUTO(container_free) struct container *made = create("c1");
	AUTO_ERR struct err err = { 0 };
	struct container *c = NULL;

	assert_fails(container_get(meta_containers(env.m), &other, "c1", &c, &err), &err,
			ERR_NOT_FOUND);
}

static void refuse(struct container *own_c, const char *text)
{
	AUTO(container_free) struct container *c = own_c;
	AUTO_ERR struct err err = { 0 };
	struct container *made = NULL;

	if (container_create(meta_containers(env.m), &ctx, c, &made, &err) == 0)
		fail_msg("created, though: %s", text);
	assert_string_equal(err_text(&err), text);
}

#define FAILED "create container failed validation: "

static void create_checks_what_it_gets(void **state)
{
	AUTO(container_free) struct container *made = create("c1");
	struct container *c;
	AUTO_FREE char *big = xzalloc(5001);

	refuse(sample("c1"), "container \"c1\": already exists");
	refuse(sample(""),
			FAILED "container.ID: identifier must not be empty: invalid argument");
	c = sample("c2");
	free(take_ptr(c->runtime_name));
	refuse(c, FAILED "container.Runtime.Name must be set: invalid argument");
	c = sample("c2");
	free(take_ptr(c->snapshotter));
	refuse(c, FAILED "container.Snapshotter must be set if container.SnapshotKey is set: "
			 "invalid argument");
	c = sample("c2");
	anys_set(&c->extensions, "", &c->spec);
	refuse(c, FAILED "container.Extension keys must not be zero-length: invalid argument");
	c = sample("c2");
	labels_set(&c->labels, "big", memset(big, 'x', 5000));
	refuse(c, FAILED "containers.Labels: label key and value length (5003 bytes) greater "
			 "than "
			 "maximum size (4096 bytes), key: big: invalid argument");
}

static void empty_labels_are_dropped(void **state)
{
	AUTO(container_free) struct container *c = sample("c1");
	AUTO(container_free) struct container *made = NULL;
	AUTO_ERR struct err err = { 0 };

	labels_set(&c->labels, "empty", "");
	assert_ok(container_create(meta_containers(env.m), &ctx, c, &made, &err), &err);
	assert_null(labels_find(&made->labels, "empty"));
	assert_int_equal(made->labels.count, 2);
}

static int update(struct container *c, const char *path1, const char *path2,
		struct container **ret, struct err *err)
{
	const char *const paths[] = { path1, path2, NULL };

	return container_update(meta_containers(env.m), &ctx, c,
			path1 == NULL ? NULL : (char *const *)paths, ret, err);
}

static void an_update_without_mask_replaces_what_may_change(void **state)
{
	AUTO(container_free) struct container *made = create("c1");
	AUTO(container_free) struct container *c = container_new("c1");
	AUTO(container_free) struct container *updated = NULL;
	AUTO(container_free) struct container *back = NULL;
	AUTO_ERR struct err err = { 0 };

	now_ns++;
	c->snapshotter = xstrdup("mem");
	c->runtime_name = xstrdup("io.containerd.runc.v2");
	c->labels = labels_of("c=3", NULL);
	assert_ok(update(c, NULL, NULL, &updated, &err), &err);
	back = get("c1");
	assert_int_equal(back->labels.count, 1);
	assert_string_equal(labels_find(&back->labels, "c"), "3");
	assert_null(back->image);
	assert_null(back->snapshot_key);
	assert_int_equal(back->extensions.count, 0);
	assert_string_equal(back->sandbox, "box");
	/* Quirk 21: one that sends no spec keeps it. */
	assert_memory_equal(back->spec.value, "{}", 2);
	assert_true(back->created_ns == TIME_0 && back->updated_ns == TIME_0 + 1);
	assert_true(updated->updated_ns == back->updated_ns);
}

static void some_fields_never_change(void **state)
{
	AUTO(container_free) struct container *made = create("c1");
	AUTO(container_free) struct container *c = sample("c1");
	AUTO_ERR struct err err = { 0 };
	struct container *u = NULL;

	free(c->snapshotter);
	c->snapshotter = xstrdup("x");
	assert_error(update(c, NULL, NULL, &u, &err), &err, ERR_INVALID,
			"container.Snapshotter field is immutable: invalid argument");
	free(c->snapshotter);
	c->snapshotter = xstrdup("mem");
	free(c->runtime_name);
	c->runtime_name = xstrdup("y");
	assert_error(update(c, NULL, NULL, &u, &err), &err, ERR_INVALID,
			"container.Runtime.Name field is immutable: invalid argument");
	assert_error(update(c, "snapshotter", NULL, &u, &err), &err, ERR_INVALID,
			"cannot update \"snapshotter\" field on \"c1\": invalid argument");
	assert_fails(update(c, "snapshot_key", NULL, &u, &err), &err, ERR_INVALID);
	c->id[0] = 'x';
	assert_error(update(c, "image", NULL, &u, &err), &err, ERR_NOT_FOUND,
			"container \"x1\": not found");
}

static void mask_paths_change_just_that(void **state)
{
	AUTO(container_free) struct container *made = create("c1");
	AUTO(container_free) struct container *c = container_new("c1");
	AUTO(container_free) struct container *u = NULL;
	AUTO_ERR struct err err = { 0 };

	c->labels = labels_of("a=9", "dotted.key/x=1", NULL);
	c->image = xstrdup("new");
	any_set(&c->spec, "spec2", "[]", 2);
	anys_set(&c->extensions, "y", &c->spec);
	assert_ok(update(c, "labels.dotted.key/x", "labels.b", &u, &err), &err);
	/* The one absent in the request is deleted (quirk 20). */
	assert_int_equal(u->labels.count, 2);
	assert_string_equal(labels_find(&u->labels, "a"), "1");
	container_free(take_ptr(u));
	assert_ok(update(c, "image", "spec", &u, &err), &err);
	assert_string_equal(u->image, "new");
	assert_string_equal(u->spec.type_url, "spec2");
	assert_int_equal(u->labels.count, 2);
	container_free(take_ptr(u));
	assert_ok(update(c, "extensions.y", "extensions.x", &u, &err), &err);
	assert_int_equal(u->extensions.count, 1);
	assert_string_equal(u->extensions.items[0].key, "y");
	container_free(take_ptr(u));
	/* Quirk 6 improved: a true replacement. */
	anys_done(&c->extensions);
	assert_ok(update(c, "extensions", "snapshotkey", &u, &err), &err);
	assert_int_equal(u->extensions.count, 0);
	assert_null(u->snapshot_key);
}

static void a_bad_path_leaves_everything(void **state)
{
	AUTO(container_free) struct container *made = create("c1");
	AUTO(container_free) struct container *c = container_new("c1");
	AUTO(container_free) struct container *back = NULL;
	AUTO_ERR struct err err = { 0 };
	struct container *u = NULL;

	c->image = xstrdup("new");
	assert_fails(update(c, "image", "bad", &u, &err), &err, ERR_INVALID);
	assert_fails(update(c, "image", "extensions.", &u, &err), &err, ERR_INVALID);
	back = get("c1");
	assert_string_equal(back->image, "img");
}

static int join_ids(void *arg, const struct container *c, struct err *err)
{
	buf_addf(arg, "%s ", c->id);
	return 0;
}

static void expect_list(const char *filter, const char *want)
{
	const char *const filters[] = { filter, NULL };
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };

	assert_ok(container_list(meta_containers(env.m), &ctx,
				  filter == NULL ? NULL : (char *const *)filters, join_ids,
				  &out, &err),
			&err);
	assert_string_equal(out.size == 0 ? "" : out.data, want);
}

static void lists_are_in_byte_order_and_filtered(void **state)
{
	static const char *const ids[] = { "b", "a", "B", "a1" };
	AUTO_ERR struct err err = { 0 };
	const char *const bad[] = { "==", NULL };

	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		container_free(create(ids[i]));
	expect_list(NULL, "B a a1 b ");
	expect_list("id==a", "a ");
	expect_list("id==none", "");
	expect_list("id~=^a", "a a1 ");
	expect_list("labels.a==1,runtime.name==io.containerd.runc.v2,id!=a", "B a1 b ");
	expect_list("image", "B a a1 b ");
	/* What follows a field that has no parts is not looked at. */
	expect_list("id.x==a,runtime.name.y", "a ");
	expect_list("snapshotter", "");
	assert_error(container_list(meta_containers(env.m), &ctx, (char *const *)bad, join_ids,
				     NULL, &err),
			&err, ERR_INVALID,
			"filters: parse error: [ >|=|< =]: expected field or quoted: invalid "
			"argument: invalid argument");
}

static void what_is_removed_is_gone(void **state)
{
	AUTO(container_free) struct container *made = create("c1");
	AUTO_ERR struct err err = { 0 };

	buf_clear(&events);
	assert_ok(container_remove(meta_containers(env.m), &ctx, "c1", &err), &err);
	expect_list(NULL, "");
	expect_events("ns /containers/delete c1||\n");
	container_free(create("c1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(all_fields_come_back),
		RULE(an_empty_any_is_kept_and_an_absent_one_stays_absent),
		RULE(a_namespace_is_needed_and_valid),
		RULE(unknown_containers_are_not_found),
		RULE(a_namespace_does_not_see_another),
		RULE(create_checks_what_it_gets),
		RULE(empty_labels_are_dropped),
		RULE(an_update_without_mask_replaces_what_may_change),
		RULE(some_fields_never_change),
		RULE(mask_paths_change_just_that),
		RULE(a_bad_path_leaves_everything),
		RULE(lists_are_in_byte_order_and_filtered),
		RULE(what_is_removed_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
