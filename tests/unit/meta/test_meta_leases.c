/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 01 §7.1: leases. */
#include "meta_env.h"

static struct lease_store *store(void)
{
	return meta_leases(env.m);
}

static int create(const char *id, struct lease *ret, struct err *err)
{
	AUTO_LABELS struct labels labels = labels_of("a=1", "drop=", "=", NULL);

	return lease_create(store(), &ctx, id, &labels, ret, err);
}

static int note(void *arg, const struct lease *l, struct err *err)
{
	buf_addf(arg, "%s ", l->id);
	return 0;
}

static void expect_list(const char *filter, const char *want)
{
	const char *const filters[] = { filter, NULL };
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };

	assert_ok(lease_list(store(), &ctx, filter == NULL ? NULL : (char *const *)filters,
				  note, &out, &err),
			&err);
	assert_string_equal(out.size == 0 ? "" : out.data, want);
}

static void ids_are_any_text_and_taken_once(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct lease l = { 0 };

	assert_ok(create("any text/with:things", &l, &err), &err);
	assert_string_equal(l.id, "any text/with:things");
	assert_true(l.created_ns == TIME_0);
	assert_int_equal(l.labels.count, 1);
	lease_done(&l);
	assert_error(create("any text/with:things", &l, &err), &err, ERR_EXISTS,
			"lease \"any text/with:things\": already exists");
}

static void without_an_id_one_is_made(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct lease a = { 0 }, b = { 0 };
	const char *dash;

	assert_ok(create(NULL, &a, &err), &err);
	assert_ok(create("", &b, &err), &err);
	assert_string_not_equal(a.id, b.id);
	dash = strchr(a.id, '-');
	assert_non_null(dash);
	assert_int_equal(strspn(a.id, "0123456789"), dash - a.id);
	assert_int_equal(strlen(dash + 1), 4);
	lease_done(&a);
	lease_done(&b);
}

static void lists_are_in_order_and_filtered(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct lease l = { 0 };

	add_lease(&ctx, "b", labels_of(NULL));
	assert_ok(create("a", &l, &err), &err);
	lease_done(&l);
	add_lease(&other, "c", labels_of(NULL));
	expect_list(NULL, "a b ");
	expect_list("id==b", "b ");
	expect_list("id==c", "");
	expect_list("labels.a==1", "a ");
}

static void removal_takes_what_it_holds_along(void **state)
{
	AUTO_ERR struct err err = { 0 };

	add_lease(&ctx, "l", labels_of(NULL));
	lease_it(&ctx, "l", "images", "x");
	assert_ok(lease_remove(store(), &ctx, "l", false, &err), &err);
	assert_error(lease_remove(store(), &ctx, "l", false, &err), &err, ERR_NOT_FOUND,
			"lease \"l\": not found");
	add_lease(&ctx, "l", labels_of(NULL));
	expect_resources(&ctx, "l", "");
}

static void resources_are_listed_by_type_and_name(void **state)
{
	char digest[DIGEST_TEXT_SIZE];
	AUTO_FREE char *want = NULL;
	AUTO_ERR struct err err = { 0 };

	digest_of("x", digest);
	add_lease(&ctx, "l", labels_of(NULL));
	add_lease(&ctx, "l2", labels_of(NULL));
	lease_it(&ctx, "l", "snapshots/overlayfs", "key 2");
	lease_it(&ctx, "l", "snapshots/overlayfs", "key 1");
	lease_it(&ctx, "l", "snapshots/native", "k");
	lease_it(&ctx, "l", "ingests", "ref");
	lease_it(&ctx, "l", "images", "img");
	lease_it(&ctx, "l", "content", digest);
	lease_it(&ctx, "l", "content", digest); /* again is fine */
	lease_it(&ctx, "l2", "images", "other");
	want = xasprintf("content:%s\nimages:img\ningests:ref\nsnapshots/native:k\n"
			 "snapshots/overlayfs:key 1\nsnapshots/overlayfs:key 2\n",
			digest);
	expect_resources(&ctx, "l", want);
	assert_ok(lease_remove_resource(store(), &ctx, "l", "images", "img", &err), &err);
	assert_ok(lease_remove_resource(store(), &ctx, "l", "images", "img", &err), &err);
	assert_ok(lease_remove_resource(store(), &ctx, "l", "content", digest, &err), &err);
	expect_resources(&ctx, "l",
			"ingests:ref\nsnapshots/native:k\nsnapshots/overlayfs:key 1\n"
			"snapshots/overlayfs:key 2\n");
}

static void check(const char *type, const char *id, enum err_kind kind, const char *text)
{
	AUTO_ERR struct err err = { 0 };

	if (lease_add_resource(store(), &ctx, "l", type, id, &err) == 0)
		fail_msg("%s added", type);
	assert_int_equal(err.kind, kind);
	if (text != NULL)
		assert_string_equal(err_text(&err), text);
}

/* §3.2 */
static void resources_are_checked(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_error(lease_add_resource(store(), &ctx, "none", "bad", "x", &err), &err,
			ERR_NOT_FOUND, "lease \"none\": not found");
	assert_fails(lease_remove_resource(store(), &ctx, "none", "images", "x", &err), &err,
			ERR_NOT_FOUND);
	assert_fails(lease_resources(store(), &ctx, "none", note_resource, NULL, &err), &err,
			ERR_NOT_FOUND);
	add_lease(&ctx, "l", labels_of(NULL));
	check("content", "no digest", ERR_INVALID, NULL);
	check("content/x", "sha256:x", ERR_INVALID,
			"invalid resource type content/x: invalid argument");
	check("ingests/x", "r", ERR_INVALID, NULL);
	check("images/x", "r", ERR_INVALID, NULL);
	check("snapshots", "r", ERR_INVALID,
			"invalid snapshot resource type snapshots: invalid argument");
	check("snapshots/a/b", "r", ERR_INVALID, NULL);
	check("snapshots/a", "", ERR_INVALID, NULL);
	check("other", "r", ERR_UNIMPLEMENTED,
			"resource type other not supported yet: not implemented");
	check("", "r", ERR_UNIMPLEMENTED, NULL);
}

/* §7.1: recording by the call's lease */
static void what_a_call_makes_is_recorded(void **state)
{
	struct ctx leased = { .ns = "ns", .lease = "l" };
	char digest[DIGEST_TEXT_SIZE];
	AUTO_FREE char *want = NULL;
	AUTO_ERR struct err err = { 0 };

	digest_of("text", digest);
	add_lease(&ctx, "l", labels_of(NULL));
	assert_int_equal(add_blob_in(&leased, "text", labels_of(NULL)), 0);
	prepare_in(&leased, "k", NULL, labels_of(NULL));
	want = xasprintf("content:%s\nsnapshots/mem:k\n", digest);
	expect_resources(&ctx, "l", want);
	commit_in(&leased, "c", "k", labels_of(NULL));
	free(take_ptr(want));
	want = xasprintf("content:%s\nsnapshots/mem:c\n", digest);
	expect_resources(&ctx, "l", want);
	assert_ok(content_remove(meta_content(env.m), &leased, digest, &err), &err);
	assert_ok(snapshot_remove(meta_snapshotter(env.m, "mem"), &leased, "c", &err), &err);
	expect_resources(&ctx, "l", "");
}

static void what_is_there_already_is_recorded_too(void **state)
{
	struct ctx leased = { .ns = "ns", .lease = "l" };
	AUTO_LABELS struct labels none = { 0 };
	AUTO_MOUNTS struct mounts mounts = { 0 };
	struct content_writer *w = NULL;
	char digest[DIGEST_TEXT_SIZE];
	AUTO_FREE char *want = NULL;
	AUTO_ERR struct err err = { 0 };

	digest_of("text", digest);
	assert_int_equal(add_blob_in(&ctx, "text", labels_of(NULL)), 0);
	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	add_lease(&ctx, "l", labels_of(NULL));
	assert_fails(content_writer_open(
				     meta_content(env.m), &leased, "r", 0, digest, &w, &err),
			&err, ERR_EXISTS);
	assert_fails(snapshot_prepare(meta_snapshotter(env.m, "mem"), &leased, "k", NULL, &none,
				     &mounts, &err),
			&err, ERR_EXISTS);
	want = xasprintf("content:%s\nsnapshots/mem:k\n", digest);
	expect_resources(&ctx, "l", want);
}

static void an_unknown_lease_stops_what_would_be_recorded(void **state)
{
	struct ctx unknown = { .ns = "ns", .lease = "none" };
	AUTO_LABELS struct labels none = { 0 };
	AUTO_MOUNTS struct mounts mounts = { 0 };
	struct content_writer *w = NULL;
	AUTO_ERR struct err err = { 0 };

	assert_error(content_writer_open(meta_content(env.m), &unknown, "r", 0, NULL, &w, &err),
			&err, ERR_NOT_FOUND, "lease does not exist: not found");
	assert_error(snapshot_prepare(meta_snapshotter(env.m, "mem"), &unknown, "k", NULL,
				     &none, &mounts, &err),
			&err, ERR_NOT_FOUND, "lease does not exist: not found");
	assert_int_equal(backend_snapshots(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(ids_are_any_text_and_taken_once),
		RULE(without_an_id_one_is_made),
		RULE(lists_are_in_order_and_filtered),
		RULE(removal_takes_what_it_holds_along),
		RULE(resources_are_listed_by_type_and_name),
		RULE(resources_are_checked),
		RULE(what_a_call_makes_is_recorded),
		RULE(what_is_there_already_is_recorded_too),
		RULE(an_unknown_lease_stops_what_would_be_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
