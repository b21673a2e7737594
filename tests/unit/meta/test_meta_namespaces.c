/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 01 §4.4: namespaces. */
#include "meta_env.h"

static struct namespace_store *store(void)
{
	return meta_namespaces(env.m);
}

static void create(const char *name, struct labels labels)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(namespace_create(store(), &ctx, name, &labels, &err), &err);
	labels_done(&labels);
}

static int note(void *arg, const char *name, const struct labels *labels, struct err *err)
{
	buf_addf(arg, "%s", name);
	for (size_t i = 0; i < labels->count; i++)
		buf_addf(arg, " %s=%s", labels->items[i].key, labels->items[i].value);
	buf_add_str(arg, "\n");
	return 0;
}

static void expect_all(const char *want)
{
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };

	assert_ok(namespace_list(store(), &ctx, note, &out, &err), &err);
	assert_string_equal(out.size == 0 ? "" : out.data, want);
}

static void created_ones_are_listed_in_order(void **state)
{
	expect_all("");
	create("b", labels_of("x=1", "empty=", NULL));
	create("a", labels_of(NULL));
	env_reopen();
	expect_all("a\nb x=1\n");
	/* In the affected namespace, with the labels of the request. */
	expect_events("b /namespaces/create b|empty|\na /namespaces/create a||\n");
}

static void names_and_labels_are_checked(void **state)
{
	AUTO_LABELS struct labels none = { 0 };
	AUTO_LABELS struct labels no_key = labels_of("=x", NULL);
	AUTO_LABELS struct labels nothing = labels_of("=", NULL);
	AUTO_ERR struct err err = { 0 };

	create("a", labels_of(NULL));
	assert_error(namespace_create(store(), &ctx, "a", &none, &err), &err, ERR_EXISTS,
			"namespace \"a\": already exists");
	assert_fails(namespace_create(store(), &ctx, "a/b", &none, &err), &err, ERR_INVALID);
	assert_fails(namespace_create(store(), &ctx, "", &none, &err), &err, ERR_INVALID);
	assert_fails(namespace_create(store(), &ctx, "b", &no_key, &err), &err, ERR_INVALID);
	assert_fails(namespace_create(store(), &ctx, "b", &nothing, &err), &err, ERR_INVALID);
}

static void unknown_ones_have_no_labels(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct labels labels = { 0 };

	assert_ok(namespace_labels(store(), &ctx, "moby", &labels, &err), &err);
	assert_int_equal(labels.count, 0);
	assert_ok(namespace_labels(store(), &ctx, "not/a/name", &labels, &err), &err);
	assert_ok(namespace_labels(store(), &ctx, "", &labels, &err), &err);
	expect_all("");
}

/* §4.1 */
static void writing_any_object_makes_the_namespace(void **state)
{
	struct ctx c = { .ns = "l" };

	add_image_in(&(struct ctx){ .ns = "i" }, "x", "y", labels_of(NULL));
	assert_int_equal(add_blob_in(&(struct ctx){ .ns = "b" }, "text", labels_of(NULL)), 0);
	add_lease(&c, "lease", labels_of(NULL));
	prepare_in(&(struct ctx){ .ns = "s" }, "key", NULL, labels_of(NULL));
	expect_all("b\ni\nl\ns\n");
}

static int update(const char *name, struct labels labels, const char *path, struct err *err)
{
	const char *const paths[] = { path, NULL };
	int rc = namespace_update(store(), &ctx, name, &labels,
			path == NULL ? NULL : (char *const *)paths, err);

	labels_done(&labels);
	return rc;
}

/* A key that is one byte too long, with what follows. */
static const char *long_label(const char *end)
{
	static char text[4097 + 8];

	memset(text, 'k', 4097);
	(void)snprintf(text + 4097, 8, "%s", end);
	return text;
}

static void updates_set_replace_and_delete(void **state)
{
	AUTO_ERR struct err err = { 0 };

	create("a", labels_of("x=1", "y=2", NULL));
	assert_ok(update("a", labels_of("z=3", NULL), "labels.z", &err), &err);
	expect_all("a x=1 y=2 z=3\n");
	assert_ok(update("a", labels_of("y=", NULL), "labels.y", &err), &err);
	expect_all("a x=1 z=3\n");
	assert_ok(update("a", labels_of("w=1", NULL), NULL, &err), &err);
	expect_all("a w=1\n");
	assert_error(update("a", labels_of("w=2", NULL), "labels", &err), &err, ERR_INVALID,
			"cannot update \"labels\" field");
	assert_error(update("a", labels_of("w=2", NULL), "name", &err), &err, ERR_INVALID,
			"cannot update \"name\" field");
	/* What is not to be stored is checked all the same. */
	assert_fails(update("a", labels_of(long_label("="), NULL), NULL, &err), &err,
			ERR_INVALID);
	/* Quirk 28 improved: nothing is stored under such a name. */
	assert_fails(update("b/c", labels_of("w=2", NULL), NULL, &err), &err, ERR_INVALID);
	expect_all("a w=1\n");
}

static void an_update_makes_it_if_it_sets_something(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(update("none", labels_of(NULL), NULL, &err), &err);
	expect_all("");
	assert_ok(update("new", labels_of("x=1", NULL), "labels.x", &err), &err);
	assert_ok(update("new2", labels_of(NULL), "labels.x", &err), &err);
	expect_all("new x=1\nnew2\n");
}

static int remove_ns(const char *name, struct err *err)
{
	return namespace_remove(store(), &ctx, name, err);
}

static void only_empty_ones_are_removed(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_error(remove_ns("x", &err), &err, ERR_NOT_FOUND, "namespace \"x\": not found");
	add_image_in(&ctx, "x", "y", labels_of(NULL));
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	prepare_in(&ctx, "key", NULL, labels_of(NULL));
	assert_error(remove_ns("ns", &err), &err, ERR_PRECONDITION,
			"namespace \"ns\" must be empty, but it still has images, blobs, "
			"snapshots on \"mem\" snapshotter: failed precondition");
	assert_ok(image_remove(meta_images(env.m), &ctx, "x", NULL, true, &err), &err);
	assert_ok(remove_ns("ns", &err), &err);
	expect_all("");
}

static void leases_and_ingests_go_with_it(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	struct content_status s = { 0 };
	AUTO_ERR struct err err = { 0 };

	add_lease(&ctx, "l", labels_of(NULL));
	lease_it(&ctx, "l", "images", "x");
	assert_ok(content_writer_open(meta_content(env.m), &ctx, "r", 0, NULL, &w, &err), &err);
	content_writer_close(take_ptr(w));
	buf_clear(&events);
	assert_ok(remove_ns("ns", &err), &err);
	expect_events("ns /namespaces/delete ns||\n");
	add_lease(&ctx, "l", labels_of(NULL));
	expect_resources(&ctx, "l", "");
	assert_fails(content_status_get(meta_content(env.m), &ctx, "r", &s, &err), &err,
			ERR_NOT_FOUND);
}

static void one_that_sorts_next_is_not_touched(void **state)
{
	AUTO_ERR struct err err = { 0 };

	create("a", labels_of(NULL));
	add_image_in(&(struct ctx){ .ns = "ab" }, "x", "y", labels_of(NULL));
	assert_ok(remove_ns("a", &err), &err);
	expect_all("ab\n");
	assert_fails(remove_ns("ab", &err), &err, ERR_PRECONDITION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(created_ones_are_listed_in_order),
		RULE(names_and_labels_are_checked),
		RULE(unknown_ones_have_no_labels),
		RULE(writing_any_object_makes_the_namespace),
		RULE(updates_set_replace_and_delete),
		RULE(an_update_makes_it_if_it_sets_something),
		RULE(only_empty_ones_are_removed),
		RULE(leases_and_ingests_go_with_it),
		RULE(one_that_sorts_next_is_not_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
