/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 01 §4.8: the sandbox store. */
#include "meta_env.h"

#include "core/sandbox.h"

static struct sandbox *sample(const char *id)
{
	struct sandbox *s = sandbox_new(id);

	s->sandboxer = xstrdup("shim");
	s->runtime_name = xstrdup("runc");
	any_set(&s->runtime_options, "opts", "o", 1);
	any_set(&s->spec, "spec", "{}", 2);
	s->labels = labels_of("a=1", "b=2", NULL);
	anys_set(&s->extensions, "x", &s->spec);
	return s;
}

static struct sandbox *create(const char *id)
{
	AUTO(sandbox_free) struct sandbox *s = sample(id);
	AUTO_ERR struct err err = { 0 };
	struct sandbox *made = NULL;

	assert_ok(sandbox_create(meta_sandboxes(env.m), &ctx, s, &made, &err), &err);
	return made;
}

static void all_fields_come_back(void **state)
{
	AUTO(sandbox_free) struct sandbox *s = NULL;
	AUTO_ERR struct err err = { 0 };

	sandbox_free(create("s1"));
	env_reopen();
	assert_ok(sandbox_get(meta_sandboxes(env.m), &ctx, "s1", &s, &err), &err);
	assert_string_equal(s->sandboxer, "shim");
	assert_string_equal(s->runtime_name, "runc");
	assert_string_equal(s->runtime_options.type_url, "opts");
	assert_memory_equal(s->spec.value, "{}", 2);
	assert_int_equal(s->labels.count, 2);
	assert_non_null(anys_find(&s->extensions, "x"));
	assert_true(s->created_ns == TIME_0 && s->updated_ns == TIME_0);
	expect_events("");
}

static void failures_have_their_kinds(void **state)
{
	AUTO(sandbox_free) struct sandbox *s = sample("s1");
	AUTO_ERR struct err err = { 0 };
	struct sandbox *out = NULL;

	sandbox_free(create("s1"));
	assert_fails(sandbox_create(meta_sandboxes(env.m), &ctx, s, &out, &err), &err,
			ERR_EXISTS);
	assert_fails(sandbox_get(meta_sandboxes(env.m), &other, "s1", &out, &err), &err,
			ERR_NOT_FOUND);
	assert_fails(sandbox_remove(meta_sandboxes(env.m), &ctx, "no", &err), &err,
			ERR_NOT_FOUND);
	free(s->id);
	s->id = xstrdup("a/b");
	assert_fails(sandbox_create(meta_sandboxes(env.m), &ctx, s, &out, &err), &err,
			ERR_INVALID);
}

static int update(struct sandbox *s, const char *path, struct sandbox **ret, struct err *err)
{
	const char *const paths[] = { path, NULL };

	return sandbox_update(meta_sandboxes(env.m), &ctx, s,
			path == NULL ? NULL : (char *const *)paths, ret, err);
}

static void updates_replace_or_follow_the_fields(void **state)
{
	AUTO(sandbox_free) struct sandbox *s = sandbox_new("s1");
	AUTO(sandbox_free) struct sandbox *u = NULL;
	AUTO_ERR struct err err = { 0 };

	sandbox_free(create("s1"));
	s->labels = labels_of("c=3", NULL);
	assert_fails(update(s, NULL, &u, &err), &err, ERR_INVALID); /* another runtime */
	s->runtime_name = xstrdup("runc");
	assert_ok(update(s, NULL, &u, &err), &err);
	assert_int_equal(u->labels.count, 1);
	assert_int_equal(u->extensions.count, 0);
	assert_true(u->spec.is_set); /* none sent: kept */
	sandbox_free(take_ptr(u));
	s->runtime_name[0] = 'x';
	assert_ok(update(s, "runtime", &u, &err), &err); /* said so, it may */
	assert_string_equal(u->runtime_name, "xunc");
	sandbox_free(take_ptr(u));
	assert_ok(update(s, "labels.c", &u, &err), &err);
	sandbox_free(take_ptr(u));
	assert_fails(update(s, "sandboxer", &u, &err), &err, ERR_INVALID);
	assert_fails(update(s, "created_at", &u, &err), &err, ERR_INVALID);
}

static int join_ids(void *arg, const struct sandbox *s, struct err *err)
{
	buf_addf(arg, "%s ", s->id);
	return 0;
}

static void lists_are_filtered(void **state)
{
	const char *const by_label[] = { "labels.a==1,id!=a", NULL };
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };

	sandbox_free(create("b"));
	sandbox_free(create("a"));
	assert_ok(sandbox_list(meta_sandboxes(env.m), &ctx, NULL, join_ids, &out, &err), &err);
	assert_ok(sandbox_list(meta_sandboxes(env.m), &ctx, (char *const *)by_label, join_ids,
				  &out, &err),
			&err);
	assert_string_equal(out.data, "a b b ");
}

/* §7.4: their labels are roots, themselves they never go. */
static void what_they_refer_to_stays(void **state)
{
	AUTO(sandbox_free) struct sandbox *s = sample("s1");
	AUTO_ERR struct err err = { 0 };
	struct sandbox *made = NULL;

	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	labels_set(&s->labels, "containerd.io/gc.ref.snapshot.mem", "k");
	assert_ok(sandbox_create(meta_sandboxes(env.m), &ctx, s, &made, &err), &err);
	sandbox_free(made);
	collect();
	assert_true(has_snapshot(&ctx, "k"));
	assert_ok(sandbox_remove(meta_sandboxes(env.m), &ctx, "s1", &err), &err);
	collect();
	assert_false(has_snapshot(&ctx, "k"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(all_fields_come_back),
		RULE(failures_have_their_kinds),
		RULE(updates_replace_or_follow_the_fields),
		RULE(lists_are_filtered),
		RULE(what_they_refer_to_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
