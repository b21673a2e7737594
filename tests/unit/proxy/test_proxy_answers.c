/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are well-formed and say nothing useful; and what a differ is asked. */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb/content.pb-c.h"
#include "api/pb/diff.pb-c.h"
#include "api/pb/snapshots.pb-c.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/content.h"
#include "core/diff.h"
#include "core/snapshot.h"
#include "proxy/proxy_content.h"
#include "proxy/proxy_diff.h"
#include "proxy/proxy_snapshots.h"
#include "services/services.h"
#include "support/proxied.h"

static struct ctx ctx = { .ns = "ns" };
static struct proxied *p;

/* --- a process that answers every unary method with nothing in it --- */

static enum call_fate hollow(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	ProtobufCMessage *answer = arena_alloc(call_arena(call), 4096);

	protobuf_c_message_init(self, answer);
	return call_answer(call, answer, err);
}

#define HOLLOW(type)                                                                           \
	static enum call_fate hollow_##type(struct call *call, void *self,                     \
			const struct ProtobufCMessage *request, struct err *err)               \
	{                                                                                      \
		return hollow(call, (void *)(uintptr_t)&type##__descriptor, request, err);     \
	}
#define ROW(name, package, request, response)                                                  \
	{                                                                                      \
		name, &package##__##request##__descriptor,                                     \
				&package##__##response##__descriptor, RPC_UNARY,               \
				RPC_ON_WORKER, hollow_##package##__##response                  \
	}

HOLLOW(snapshots__prepare_snapshot_response)
HOLLOW(snapshots__mounts_response)
HOLLOW(snapshots__stat_snapshot_response)
HOLLOW(snapshots__update_snapshot_response)
HOLLOW(content__info_response)
HOLLOW(content__status_response)
HOLLOW(diff__apply_response)
HOLLOW(diff__diff_response)

static const struct rpc_method hollow_snapshots_methods[] = {
	ROW("Prepare", snapshots, prepare_snapshot_request, prepare_snapshot_response),
	ROW("Mounts", snapshots, mounts_request, mounts_response),
	ROW("Stat", snapshots, stat_snapshot_request, stat_snapshot_response),
	ROW("Update", snapshots, update_snapshot_request, update_snapshot_response),
};
static const struct rpc_service hollow_snapshots = {
	"containerd.services.snapshots.v1.Snapshots", hollow_snapshots_methods,
	ARRAY_LEN(hollow_snapshots_methods)
};

#define SIZE_CLAIMED 100

/* Says that the blob is longer than what Read then brings, or the other way round. */
static size_t bytes_sent;

static enum call_fate claim_info(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Content__InfoRequest *r = (const void *)request;
	Content__InfoResponse answer = CONTENT__INFO_RESPONSE__INIT;
	Content__Info info = CONTENT__INFO__INIT;

	if (bytes_sent == SIZE_MAX)
		return hollow_content__info_response(call, self, request, err);
	info.digest = r->digest;
	info.size = SIZE_CLAIMED;
	answer.info = &info;
	return call_answer(call, &answer.base, err);
}

static enum call_fate send_bytes(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	Content__ReadContentResponse m = CONTENT__READ_CONTENT_RESPONSE__INIT;

	m.data.data = arena_alloc(call_arena(call), bytes_sent + 1);
	m.data.len = bytes_sent;
	return call_send(call, &m.base, err) < 0 ? CALL_FAILED : CALL_OK;
}

/* Agrees to everything, and has written nothing. */
static enum call_fate write_nothing(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	Content__WriteContentResponse answer = CONTENT__WRITE_CONTENT_RESPONSE__INIT;
	ProtobufCMessage *m = NULL;
	int more;

	while ((more = call_recv(call, &m, err)) > 0)
		if (call_send(call, &answer.base, err) < 0)
			return CALL_FAILED;
	return more < 0 ? CALL_FAILED : CALL_OK;
}

static const struct rpc_method hollow_content_methods[] = {
	{ "Info", &content__info_request__descriptor, &content__info_response__descriptor,
			RPC_UNARY, RPC_ON_WORKER, claim_info },
	ROW("Status", content, status_request, status_response),
	{ "Read", &content__read_content_request__descriptor,
			&content__read_content_response__descriptor, RPC_SERVER_STREAM,
			RPC_ON_WORKER, send_bytes },
	{ "Write", &content__write_content_request__descriptor,
			&content__write_content_response__descriptor, RPC_BIDI, RPC_ON_WORKER,
			write_nothing },
};
static const struct rpc_service hollow_content = { "containerd.services.content.v1.Content",
	hollow_content_methods, ARRAY_LEN(hollow_content_methods) };

static const struct rpc_method hollow_diff_methods[] = {
	ROW("Apply", diff, apply_request, apply_response),
	ROW("Diff", diff, diff_request, diff_response),
};
static const struct rpc_service hollow_diff = { "containerd.services.diff.v1.Diff",
	hollow_diff_methods, ARRAY_LEN(hollow_diff_methods) };

static int setup(void **state)
{
	struct proxied_service services[] = { { &hollow_snapshots, NULL },
		{ &hollow_content, NULL }, { &hollow_diff, NULL }, { 0 } };

	p = proxied_start(services);
	return 0;
}

static int teardown(void **state)
{
	proxied_free(p);
	return 0;
}

/* The text names the method, so that an administrator knows whom to ask. */
#define assert_bad(call, method, object)                                                       \
	do {                                                                                   \
		assert_int_equal((call), -1);                                                  \
		if (strstr(err_text(&err), "proxy plugin: answer to " method " of " object) == \
				NULL)                                                          \
			fail_msg("%s", err_text(&err));                                        \
		err_clear(&err);                                                               \
	} while (0)

static void snapshots_without_mounts_or_info_are_refused(void **state)
{
	AUTO(snapshotter_free)
	struct snapshotter *s = proxy_snapshotter_new(p->link, "x", NULL);
	struct snapshot_info i = { 0 },
			     change = { .name = (char[]){ "a" }, .parent = (char[]){ "" } };
	struct mounts m = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_bad(snapshot_prepare(s, &ctx, "a", NULL, NULL, &m, &err), "Prepare", "a: ");
	assert_bad(snapshot_mounts(s, &ctx, "a", &m, &err), "Mounts", "a: ");
	assert_bad(snapshot_stat(s, &ctx, "a", &i, &err), "Stat", "a: ");
	assert_bad(snapshot_update(s, &ctx, &change, NULL, &i, &err), "Update", "a: ");
}

/* What the process does not serve. */
static void missing_methods_are_not_implemented(void **state)
{
	AUTO(snapshotter_free)
	struct snapshotter *s = proxy_snapshotter_new(p->link, "x", NULL);
	AUTO_ERR struct err err = { 0 };

	assert_fails(snapshot_remove(s, &ctx, "a", &err), &err, ERR_UNIMPLEMENTED);
	assert_ok(snapshot_cleanup(s, &ctx, &err), &err); /* nothing to clean up, then */
}

static const char digest[] =
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static void content_without_info_is_refused(void **state)
{
	AUTO(proxy_content_free)
	struct content_store *s = proxy_content_new(p->link, NULL);
	struct content_status status = { 0 };
	struct content_info info = { 0 };
	AUTO_ERR struct err err = { 0 };

	bytes_sent = SIZE_MAX;
	assert_bad(content_info(s, &ctx, digest, &info, &err), "Info", "sha256:e3b0");
	assert_bad(content_status_get(s, &ctx, "ref", &status, &err), "Status", "ref: ");
}

static void reads_bring_what_was_asked_for_or_fail(void **state)
{
	AUTO(proxy_content_free)
	struct content_store *s = proxy_content_new(p->link, NULL);
	AUTO(content_reader_close) struct content_reader *r = NULL;
	AUTO_ERR struct err err = { 0 };
	char data[SIZE_CLAIMED];

	bytes_sent = SIZE_CLAIMED;
	assert_ok(content_open(s, &ctx, digest, &r, &err), &err);
	assert_int_equal(content_read_at(r, data, sizeof(data), 0, &err), SIZE_CLAIMED);
	bytes_sent = SIZE_CLAIMED + 1;
	assert_bad((int)content_read_at(r, data, sizeof(data), 0, &err), "Read", "sha256:e3b0");
	bytes_sent = SIZE_CLAIMED - 1;
	assert_bad((int)content_read_at(r, data, sizeof(data), 0, &err), "Read", "sha256:e3b0");
	assert_int_equal(content_read_at(r, data, sizeof(data), SIZE_CLAIMED, &err), 0);
}

static void writes_that_wrote_nothing_are_noticed(void **state)
{
	AUTO(proxy_content_free)
	struct content_store *s = proxy_content_new(p->link, NULL);
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO_ERR struct err err = { 0 };

	assert_ok(content_writer_open(s, &ctx, "ref", 0, NULL, &w, &err), &err);
	assert_bad(content_write(w, "bytes", 5, &err), "Write", "ref: ");
	assert_fails(content_write(w, "bytes", 5, &err), &err, ERR_PRECONDITION);
}

static void differs_without_a_descriptor_are_refused(void **state)
{
	struct differ *d = proxy_differ_new(p->link, NULL);
	struct descriptor layer = { .media_type = (char[]){ "" },
		.digest = (char[]){ "sha256:1" } };
	struct diff_create_options create = { .ref = "ref" };
	struct diff_apply_options apply = { 0 };
	struct descriptor made = { 0 };
	struct mounts none = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_bad(diff_apply(d, &ctx, &layer, &none, &apply, &made, &err), "Apply",
			"sha256:1: ");
	assert_bad(diff_compare(d, &ctx, &none, &none, &create, &made, &err), "Diff", "ref: ");
	differ_free(d);
}

/* --- a differ that notes what it is asked --- */

struct noting {
	struct differ base;
	char *asked;
};

static char *mounts_text(const struct mounts *m)
{
	return xasprintf("%s:%s:%s", m->items[0].type, m->items[0].source,
			m->items[0].options[0]);
}

static void fill(struct descriptor *d)
{
	*d = (struct descriptor){
		.media_type = xstrdup("made"), .digest = xstrdup(digest), .size = 42
	};
	labels_set(&d->annotations, "k", "v");
}

static int note_apply(struct differ *self, struct ctx *c, const struct descriptor *layer,
		const struct mounts *mounts, const struct diff_apply_options *options,
		struct descriptor *ret_applied, struct err *err)
{
	struct noting *n = container_of(self, struct noting, base);
	AUTO_FREE char *m = mounts_text(mounts);

	free(n->asked);
	n->asked = xasprintf("%s %s %lld %s %d", layer->media_type, layer->digest,
			(long long)layer->size, m, options->sync_fs);
	fill(ret_applied);
	return 0;
}

static int note_compare(struct differ *self, struct ctx *c, const struct mounts *lower,
		const struct mounts *upper, const struct diff_create_options *options,
		struct descriptor *ret_diff, struct err *err)
{
	struct noting *n = container_of(self, struct noting, base);
	AUTO_FREE char *l = mounts_text(lower), *u = mounts_text(upper);

	free(n->asked);
	n->asked = xasprintf("%s %s %s %s %s %lld", l, u, options->media_type, options->ref,
			labels_find(options->labels, "a"),
			(long long)options->source_date_epoch_ns);
	fill(ret_diff);
	return 0;
}

static void check_made(struct descriptor *d)
{
	assert_string_equal(d->media_type, "made");
	assert_string_equal(d->digest, digest);
	assert_int_equal(d->size, 42);
	assert_string_equal(labels_find(&d->annotations, "k"), "v");
	descriptor_done(d);
}

static void everything_of_a_diff_goes_over(void **state)
{
	static const struct differ_ops ops = { .apply = note_apply, .compare = note_compare };
	struct noting n = { { &ops, NULL }, NULL };
	struct differ *list[] = { &n.base };
	struct diff_service service = { list, 1, false };
	struct proxied_service services[] = { { &diff_service, &service }, { 0 } };
	struct proxied *other = proxied_start(services);
	struct differ *d = proxy_differ_new(other->link, NULL);
	struct descriptor layer = {
		.media_type = (char[]){ "type" }, .digest = (char *)(uintptr_t)digest, .size = 7
	};
	struct mounts lower AUTO_MOUNTS = { 0 }, upper AUTO_MOUNTS = { 0 };
	struct labels labels AUTO_LABELS = { 0 };
	struct diff_create_options create = { "media", "ref", &labels, 1000000000 };
	struct diff_apply_options apply = { .sync_fs = true };
	struct descriptor made = { 0 };
	AUTO_ERR struct err err = { 0 };

	labels_set(&labels, "a", "b");
	strv_add(&mounts_add(&lower, "bind", "/l", "")->options, "ro");
	strv_add(&mounts_add(&upper, "bind", "/u", "")->options, "rw");
	assert_ok(diff_apply(d, &ctx, &layer, &lower, &apply, &made, &err), &err);
	assert_string_equal(n.asked,
			"type sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b93"
			"4ca495991b7852b855 7 bind:/l:ro 1");
	check_made(&made);
	assert_ok(diff_compare(d, &ctx, &lower, &upper, &create, &made, &err), &err);
	assert_string_equal(n.asked, "bind:/l:ro bind:/u:rw media ref b 1000000000");
	check_made(&made);
	differ_free(d);
	proxied_free(other);
	free(n.asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(snapshots_without_mounts_or_info_are_refused),
		T(missing_methods_are_not_implemented),
		T(content_without_info_is_refused),
		T(reads_bring_what_was_asked_for_or_fail),
		T(writes_that_wrote_nothing_are_noticed),
		T(differs_without_a_descriptor_are_refused),
		TEST(everything_of_a_diff_goes_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
