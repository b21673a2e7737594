/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 01 §4.3, §3.2: images. */
#include "meta_env.h"

static struct image *sample(const char *name)
{
	struct image *i = image_new(name);

	i->target.digest = xmalloc(DIGEST_TEXT_SIZE);
	digest_of("blob", i->target.digest);
	i->target.media_type = xstrdup("type");
	i->target.size = 4;
	i->target.annotations = labels_of("note=1", NULL);
	i->labels = labels_of("a=1", "b=2", NULL);
	return i;
}

static struct image *create(const char *name)
{
	AUTO(image_free) struct image *i = sample(name);
	AUTO_ERR struct err err = { 0 };
	struct image *made = NULL;

	assert_ok(image_create(meta_images(env.m), &ctx, i, 0, &made, &err), &err);
	return made;
}

static struct image *get(const char *name)
{
	AUTO_ERR struct err err = { 0 };
	struct image *i = NULL;

	assert_ok(image_get(meta_images(env.m), &ctx, name, &i, &err), &err);
	return i;
}

static void all_fields_come_back(void **state)
{
	AUTO(image_free) struct image *i = NULL;

	image_free(create("docker.io/library/x:latest"));
	env_reopen();
	i = get("docker.io/library/x:latest");
	assert_string_equal(i->name, "docker.io/library/x:latest");
	assert_string_equal(i->target.media_type, "type");
	assert_int_equal(i->target.size, 4);
	assert_string_equal(labels_find(&i->target.annotations, "note"), "1");
	assert_string_equal(labels_find(&i->labels, "b"), "2");
	assert_true(i->created_ns == TIME_0 && i->updated_ns == TIME_0);
	expect_events("ns /images/create docker.io/library/x:latest|a|1\n");
}

static void names_of_forty_thousand_bytes_are_names(void **state)
{
	AUTO_FREE char *name = xzalloc(40001);
	AUTO(image_free) struct image *i = NULL;
	AUTO_ERR struct err err = { 0 };

	image_free(create(memset(name, 'n', 40000)));
	i = get(name);
	assert_string_equal(i->name, name);
	assert_ok(image_remove(meta_images(env.m), &ctx, name, NULL, true, &err), &err);
}

static void refuse(struct image *own_i, enum err_kind kind, const char *text)
{
	AUTO(image_free) struct image *i = own_i;
	AUTO(image_free) struct image *made = NULL;
	AUTO_ERR struct err err = { 0 };

	if (image_create(meta_images(env.m), &ctx, i, 0, &made, &err) == 0)
		fail_msg("created, though: %s", text);
	assert_int_equal(err.kind, kind);
	assert_string_equal(err_text(&err), text);
}

static void create_checks_what_it_gets(void **state)
{
	struct image *i;

	image_free(create("x"));
	refuse(sample("x"), ERR_EXISTS, "image \"x\": already exists");
	refuse(sample(""), ERR_INVALID, "Image.Name required");
	i = sample("y");
	i->target.size = 0;
	refuse(i, ERR_INVALID, "target.Size must be greater than zero: invalid argument");
	i = sample("y");
	free(take_ptr(i->target.media_type));
	refuse(i, ERR_INVALID, "target.MediaType must be set: invalid argument");
	i = sample("y");
	labels_set(&i->target.annotations, "", "x");
	refuse(i, ERR_INVALID, "target.Annotations: key required: invalid argument");
}

static void a_target_needs_a_digest(void **state)
{
	AUTO(image_free) struct image *i = sample("y");
	AUTO(image_free) struct image *made = NULL;
	AUTO_ERR struct err err = { 0 };

	i->target.digest[10] = '\0';
	assert_int_equal(image_create(meta_images(env.m), &ctx, i, 0, &made, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_true(str_starts(err_text(&err), "target.Digest \""));
}

static void the_epoch_is_the_time_if_given(void **state)
{
	AUTO(image_free) struct image *i = sample("x");
	AUTO(image_free) struct image *made = NULL;
	AUTO(image_free) struct image *updated = NULL;
	AUTO_ERR struct err err = { 0 };
	int64_t first = 77, then = 0; /* 1970 is a time like any other */

	assert_ok(image_create(meta_images(env.m), &ctx, i, &first, &made, &err), &err);
	assert_true(made->created_ns == 77 && made->updated_ns == 77);
	assert_ok(image_update(meta_images(env.m), &ctx, i, NULL, &then, &updated, &err), &err);
	assert_true(updated->created_ns == 77 && updated->updated_ns == 0);
}

static int update(struct image *i, const char *path, struct image **ret, struct err *err)
{
	const char *const paths[] = { path, NULL };

	return image_update(meta_images(env.m), &ctx, i,
			path == NULL ? NULL : (char *const *)paths, 0, ret, err);
}

static void an_update_without_mask_replaces_all(void **state)
{
	AUTO(image_free) struct image *made = create("x");
	AUTO(image_free) struct image *i = sample("x");
	AUTO(image_free) struct image *u = NULL;
	AUTO_ERR struct err err = { 0 };

	now_ns++;
	buf_clear(&events);
	labels_done(&i->labels);
	labels_done(&i->target.annotations);
	digest_of("other", i->target.digest);
	i->target.size = 5;
	assert_ok(update(i, NULL, &u, &err), &err);
	assert_int_equal(u->labels.count, 0);
	assert_int_equal(u->target.annotations.count, 0);
	assert_string_equal(u->target.digest, i->target.digest);
	assert_true(u->created_ns == TIME_0 && u->updated_ns == TIME_0 + 1);
	expect_events("ns /images/update x||\n");
}

static void mask_paths_change_just_that(void **state)
{
	AUTO(image_free) struct image *made = create("x");
	AUTO(image_free) struct image *i = image_new("x");
	AUTO(image_free) struct image *u = NULL;
	AUTO_ERR struct err err = { 0 };

	/* No target is needed where the mask does not touch it. */
	i->labels = labels_of("c.d/e=3", NULL);
	assert_ok(update(i, "labels.c.d/e", &u, &err), &err);
	assert_int_equal(u->labels.count, 3);
	assert_int_equal(u->target.size, 4);
	image_free(take_ptr(u));
	assert_ok(update(i, "labels.a", &u, &err), &err);
	assert_null(labels_find(&u->labels, "a"));
	image_free(take_ptr(u));
	assert_ok(update(i, "labels", &u, &err), &err);
	assert_int_equal(u->labels.count, 1);
	image_free(take_ptr(u));
	i->target.annotations = labels_of("k=v", NULL);
	assert_ok(update(i, "annotations.k", &u, &err), &err);
	assert_int_equal(u->target.annotations.count, 2);
	image_free(take_ptr(u));
	assert_ok(update(i, "annotations", &u, &err), &err);
	assert_int_equal(u->target.annotations.count, 1);
	image_free(take_ptr(u));
	assert_fails(update(i, "target", &u, &err), &err, ERR_INVALID);
	assert_error(update(i, "name", &u, &err), &err, ERR_INVALID,
			"cannot update \"name\" field on image \"x\": invalid argument");
	i->name[0] = 'z';
	assert_error(update(i, "labels", &u, &err), &err, ERR_NOT_FOUND,
			"image \"z\": not found");
}

static void removal_may_insist_on_the_target(void **state)
{
	AUTO(image_free) struct image *made = create("x");
	AUTO_FREE char *want = NULL;
	char digest[DIGEST_TEXT_SIZE];
	AUTO_ERR struct err err = { 0 };

	digest_of("other", digest);
	want = xasprintf("image \"x\" has target %s, not %s: not found", made->target.digest,
			digest);
	assert_error(image_remove(meta_images(env.m), &ctx, "x", digest, false, &err), &err,
			ERR_NOT_FOUND, want);
	buf_clear(&events);
	assert_ok(image_remove(meta_images(env.m), &ctx, "x", made->target.digest, false, &err),
			&err);
	expect_events("ns /images/delete x||\n");
	assert_error(image_remove(meta_images(env.m), &ctx, "x", NULL, false, &err), &err,
			ERR_NOT_FOUND, "image \"x\": not found");
}

static void only_expiring_images_go_under_the_lease(void **state)
{
	AUTO(image_free) struct image *i = sample("exp");
	AUTO(image_free) struct image *made = NULL;
	struct ctx leased = { .ns = "ns", .lease = "l" },
		   unknown = { .ns = "ns", .lease = "no" };
	AUTO_ERR struct err err = { 0 };

	add_lease(&ctx, "l", labels_of(NULL));
	add_image_in(&leased, "plain", "blob", labels_of(NULL));
	/* Nothing is recorded, so the lease is not looked for. */
	add_image_in(&unknown, "plain2", "blob", labels_of(NULL));
	labels_set(&i->labels, "containerd.io/gc.expire", "2030-01-01T00:00:00Z");
	assert_error(image_create(meta_images(env.m), &unknown, i, 0, &made, &err), &err,
			ERR_NOT_FOUND, "lease does not exist: not found");
	assert_ok(image_create(meta_images(env.m), &leased, i, 0, &made, &err), &err);
	expect_resources(&ctx, "l", "images:exp\n");
	assert_ok(image_remove(meta_images(env.m), &leased, "exp", NULL, false, &err), &err);
	expect_resources(&ctx, "l", "");
}

static int join_names(void *arg, const struct image *i, struct err *err)
{
	buf_addf(arg, "%s ", i->name);
	return 0;
}

static void expect_list(const char *filter, const char *want)
{
	const char *const filters[] = { filter, NULL };
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };

	assert_ok(image_list(meta_images(env.m), &ctx,
				  filter == NULL ? NULL : (char *const *)filters, join_names,
				  &out, &err),
			&err);
	assert_string_equal(out.size == 0 ? "" : out.data, want);
}

static void lists_are_in_byte_order_and_filtered(void **state)
{
	AUTO_FREE char *by_digest = NULL;
	char digest[DIGEST_TEXT_SIZE];

	image_free(create("b:1"));
	image_free(create("a:1"));
	add_image_in(&ctx, "c", "other", labels_of(NULL));
	digest_of("other", digest);
	expect_list(NULL, "a:1 b:1 c ");
	expect_list("name==b:1", "b:1 ");
	expect_list("name==b:1,labels.a==2", "");
	expect_list("labels.a", "a:1 b:1 ");
	expect_list("annotations.note==1", "a:1 b:1 ");
	expect_list("target.mediatype==type", "a:1 b:1 c ");
	by_digest = xasprintf("target.digest~=\"^%.20s[0-9a-f]{51}$\"", digest);
	expect_list(by_digest, "c ");
	expect_list("size", "");
}

static int ignore(void *arg, const struct image *i, struct err *err)
{
	return 0;
}

static void a_list_ends_with_its_deadline(void **state)
{
	struct ctx late = { .ns = ctx.ns, .deadline_ns = 1 };
	AUTO_ERR struct err err = { 0 };

	for (char name[] = "a"; name[0] < 'k'; name[0]++)
		image_free(create(name));
	assert_ok(image_list(meta_images(env.m), &ctx, NULL, ignore, NULL, &err), &err);
	assert_fails(image_list(meta_images(env.m), &late, NULL, ignore, NULL, &err), &err,
			ERR_DEADLINE);
	err_clear(&err);
	/* one record is no walk */
	assert_ok(image_list(meta_images(env.m), &late, (char *[]){ (char *)"name==b", NULL },
				  ignore, NULL, &err),
			&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(all_fields_come_back),
		RULE(names_of_forty_thousand_bytes_are_names),
		RULE(create_checks_what_it_gets),
		RULE(a_target_needs_a_digest),
		RULE(the_epoch_is_the_time_if_given),
		RULE(an_update_without_mask_replaces_all),
		RULE(mask_paths_change_just_that),
		RULE(removal_may_insist_on_the_target),
		RULE(only_expiring_images_go_under_the_lease),
		RULE(lists_are_in_byte_order_and_filtered),
		RULE(a_list_ends_with_its_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
