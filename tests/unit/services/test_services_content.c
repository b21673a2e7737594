/* SPDX-License-Identifier: Apache-2.0 */
/* The content service over the store in memory; above all the protocol of Write. */
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/pb/content.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "base/digest.h"
#include "base/mem.h"
#include "content/content_mem.h"
#include "core/content.h"
#include "services/services.h"
#include "support/served.h"

#define CONTENT "containerd.services.content.v1.Content"

struct world {
	struct content_service service;
	struct served *served;
	struct err err;
};

static int begin(void **state)
{
	struct world *w = xzalloc(sizeof(*w));

	w->service.store = content_mem_new();
	w->served = serve((struct served_service[]){
			{ &content_service, &w->service }, { NULL, NULL } });
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	served_free(w->served);
	content_mem_free(w->service.store);
	err_clear(&w->err);
	free(w);
	return 0;
}

/* One message to the stream. Offsets as in the message: 0 is "not given". */
struct step {
	int action;
	const char *ref, *expected;
	int64_t total, offset;
	const char *data;
	/* The answer, or the failure. */
	int64_t got_offset;
	const char *digest_of, *digest; /* NULL: not looked at */
	enum err_kind kind;
	const char *text;
};
#define STAT   CONTENT__WRITE_ACTION__STAT
#define WRITE  CONTENT__WRITE_ACTION__WRITE
#define COMMIT CONTENT__WRITE_ACTION__COMMIT

static const char *digest_of(const char *text)
{
	static char digest[DIGEST_TEXT_SIZE];

	digest_bytes(DIGEST_SHA256, text, strlen(text), digest);
	return digest;
}

static int send_step(struct world *w, struct rpc_stream *stream, const struct step *s)
{
	Content__WriteContentRequest m = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	Content__WriteContentRequest__LabelsEntry label =
			CONTENT__WRITE_CONTENT_REQUEST__LABELS_ENTRY__INIT;
	Content__WriteContentRequest__LabelsEntry *labels[] = { &label };

	m.action = (Content__WriteAction)s->action;
	m.ref = s->ref;
	m.expected = s->expected;
	m.total = s->total;
	m.offset = s->offset;
	m.data.data = (uint8_t *)s->data;
	m.data.len = s->data == NULL ? 0 : strlen(s->data);
	if (s->action == COMMIT) {
		label.key = "k";
		label.value = "v";
		m.labels = labels;
		m.n_labels = 1;
	}
	return rpc_stream_send(stream, &m.base, &w->err);
}

static int receive(
		struct world *w, struct rpc_stream *stream, Content__WriteContentResponse **ret)
{
	ProtobufCMessage *m = NULL;
	int rc = rpc_stream_recv(stream, &content__write_content_response__descriptor,
			&w->served->arena, &m, &w->err);

	*ret = (Content__WriteContentResponse *)m;
	return rc;
}

static void check_failure(struct world *w, const struct step *s)
{
	if (w->err.kind != s->kind)
		fail_msg("kind %d: %s", w->err.kind, err_text(&w->err));
	if (s->text != NULL)
		assert_string_equal(err_text(&w->err), s->text);
	err_clear(&w->err);
}

/* Runs the steps on one stream. After a commit or a failure the server ends it; else we do. */
static void run(struct world *w, const struct step *steps)
{
	AUTO(rpc_stream_free) struct rpc_stream *stream = NULL;
	Content__WriteContentResponse *answer;

	assert_ok(channel_stream(w->served->channel, &w->served->ctx, CONTENT, "Write", &stream,
				  &w->err),
			&w->err);
	for (; steps->action >= 0; steps++) {
		assert_ok(send_step(w, stream, steps), &w->err);
		if (receive(w, stream, &answer) != 1) {
			check_failure(w, steps);
			return;
		}
		assert_int_equal(steps->kind, ERR_NONE);
		assert_int_equal(answer->action, steps->action);
		assert_int_equal(answer->offset, steps->got_offset);
		if (steps->digest_of != NULL)
			assert_string_equal(answer->digest, digest_of(steps->digest_of));
		if (steps->digest != NULL)
			assert_string_equal(answer->digest, steps->digest);
		if (steps->action == STAT) {
			assert_non_null(answer->started_at);
			assert_int_equal(answer->total, steps->total);
		}
	}
	assert_ok(rpc_stream_close_send(stream, &w->err), &w->err);
	assert_int_equal(receive(w, stream, &answer), 0);
}
#define END                                                                                    \
	{                                                                                      \
		.action = -1                                                                   \
	}

static void a_blob_is_negotiated_written_and_committed(void **state)
{
	struct world *w = *state;
	Content__InfoRequest info = CONTENT__INFO_REQUEST__INIT;
	Content__InfoResponse *got;

	run(w, (struct step[]){ { STAT, "a", .total = 6, .got_offset = 0, .digest_of = "" },
			       { WRITE, .data = "foo", .got_offset = 3, .digest_of = "foo" },
			       { STAT, .offset = 77, .total = 6, .got_offset = 3,
					       .digest_of = "foo" },
			       { WRITE, .offset = 3, .data = "bar", .got_offset = 6,
					       .digest_of = "foobar" },
			       { COMMIT, .offset = 6, .got_offset = 6, .digest_of = "foobar" },
			       END });
	info.digest = digest_of("foobar");
	assert_ok(served_call(w->served, CONTENT, "Info", &info.base,
				  &content__info_response__descriptor, &got, &w->err),
			&w->err);
	assert_int_equal(got->info->size, 6);
}

/* A store of one writer that notes what it is to commit: the twin keeps no labels. */
struct noting {
	struct content_store base;
	struct content_writer writer;
	struct labels labels;
	int64_t size;
};

static int note_writer(struct content_store *self, struct ctx *ctx, const char *ref,
		int64_t total, const char *expected, struct content_writer **ret,
		struct err *err)
{
	*ret = &((struct noting *)self)->writer;
	return 0;
}

static int note_status(struct content_writer *self, struct content_status *ret,
		char digest[DIGEST_TEXT_SIZE], struct err *err)
{
	strcpy(digest, digest_of(""));
	return 0;
}

static int note_commit(struct content_writer *self, struct ctx *ctx, int64_t size,
		const char *expected, const struct labels *labels, struct err *err)
{
	struct noting *n = container_of(self, struct noting, writer);

	labels_copy(&n->labels, labels);
	n->size = size;
	return 0;
}

static void note_close(struct content_writer *self)
{
}

static void a_commit_passes_labels_and_the_remembered_total(void **state)
{
	struct world *w = *state;
	struct content_store *twin = w->service.store;
	static const struct content_store_ops store_ops = { .writer = note_writer };
	static const struct content_writer_ops writer_ops = {
		.status = note_status, .commit = note_commit, .close = note_close
	};
	struct noting n = { { &store_ops, NULL }, { &writer_ops }, { 0 }, 0 };

	w->service.store = &n.base;
	run(w, (struct step[]){ { STAT, "x", .total = 7 }, { .action = COMMIT }, END });
	w->service.store = twin;
	assert_string_equal(labels_find(&n.labels, "k"), "v");
	assert_int_equal(n.size, 7);
	labels_done(&n.labels);
}

static void the_first_message_must_name_the_ref(void **state)
{
	run(*state, (struct step[]){ { STAT, .kind = ERR_INVALID,
				    .text = "first message must have a reference" } });
}

static void an_offset_elsewhere_is_out_of_range(void **state)
{
	run(*state, (struct step[]){ { WRITE, "b", .data = "xy", .got_offset = 2 },
				    { WRITE, .offset = 5, .data = "z", .kind = ERR_OUT_OF_RANGE,
						    .text = "write @5 must occur at current "
							    "offset 2" } });
}

static void offset_zero_starts_over(void **state)
{
	run(*state, (struct step[]){ { WRITE, "c", .data = "wrong", .got_offset = 5 },
				    { WRITE, .data = "right", .got_offset = 5,
						    .digest_of = "right" },
				    { WRITE, .offset = -3, .data = "!", .got_offset = 6,
						    .digest_of = "right!" },
				    END });
	/* Even on COMMIT. */
	run(*state, (struct step[]){ { STAT, "c", .got_offset = 6, .digest_of = "right!" },
				    { COMMIT, .got_offset = 0, .digest_of = "" }, END });
}

static void a_stream_that_ends_can_be_resumed(void **state)
{
	run(*state, (struct step[]){ { WRITE, "d", .data = "one", .got_offset = 3 }, END });
	run(*state, (struct step[]){ { STAT, "d", .got_offset = 3, .digest_of = "one" },
				    { WRITE, .offset = 3, .data = "two", .got_offset = 6,
						    .digest_of = "onetwo" },
				    END });
}

static void a_blob_that_is_there_ends_the_stream(void **state)
{
	char digest[DIGEST_TEXT_SIZE], want[200];

	strcpy(digest, digest_of("there"));
	(void)snprintf(want, sizeof(want), "blob with expected digest %s exists", digest);
	run(*state, (struct step[]){ { WRITE, "e", .data = "there", .got_offset = 5 },
				    { COMMIT, .offset = 5, .expected = digest,
						    .got_offset = 5 },
				    END });
	run(*state, (struct step[]){ { STAT, "e2", .expected = digest, .kind = ERR_EXISTS } });
	run(*state, (struct step[]){ { WRITE, "e3", .data = "th", .got_offset = 2 },
				    { WRITE, .offset = 2, .expected = digest, .data = "ere",
						    .kind = ERR_EXISTS, .text = want } });
	/* That ingest is gone: the ref begins anew. */
	run(*state, (struct step[]){ { STAT, "e3", .got_offset = 0 }, END });
}

/* Clients compare what they get with what they expected. */
static void a_commit_tells_the_digest_it_was_given(void **state)
{
	char digest[DIGEST_TEXT_SIZE];

	digest_bytes(DIGEST_SHA512, "long", 4, digest);
	run(*state, (struct step[]){ { STAT, "h", .expected = digest, .digest_of = "" },
				    { WRITE, .data = "long", .got_offset = 4,
						    .digest_of = "long" },
				    { COMMIT, .offset = 4, .expected = digest, .got_offset = 4,
						    .digest = digest },
				    END });
}

static void a_wrong_digest_or_size_is_a_failed_precondition(void **state)
{
	char digest[DIGEST_TEXT_SIZE];

	strcpy(digest, digest_of("other"));
	run(*state, (struct step[]){ { WRITE, "f", .data = "this", .got_offset = 4 },
				    { COMMIT, .offset = 4, .expected = digest,
						    .kind = ERR_PRECONDITION } });
	run(*state, (struct step[]){ { STAT, "f", .total = 9, .got_offset = 4 },
				    { COMMIT, .offset = 4, .kind = ERR_PRECONDITION } });
	run(*state, (struct step[]){ { STAT, "f", .expected = "nonsense",
				    .kind = ERR_INVALID } });
}

static void a_ref_has_one_writer_at_a_time(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *stream = NULL;
	Content__WriteContentResponse *answer;

	assert_ok(channel_stream(w->served->channel, &w->served->ctx, CONTENT, "Write", &stream,
				  &w->err),
			&w->err);
	assert_ok(send_step(w, stream, &(struct step){ STAT, .ref = "g" }), &w->err);
	assert_int_equal(receive(w, stream, &answer), 1);
	run(w, (struct step[]){ { STAT, "g", .kind = ERR_UNAVAILABLE } });
}

static void a_stream_without_a_message_is_unknown(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *stream = NULL;
	Content__WriteContentResponse *answer;

	assert_ok(channel_stream(w->served->channel, &w->served->ctx, CONTENT, "Write", &stream,
				  &w->err),
			&w->err);
	assert_ok(rpc_stream_close_send(stream, &w->err), &w->err);
	assert_int_equal(receive(w, stream, &answer), -1);
	check_failure(w, &(struct step){ .kind = ERR_UNKNOWN, .text = "EOF" });
}

/* Reads a range and returns it, with the offsets of its messages checked. */
static int read_range(struct world *w, const char *digest, int64_t offset, int64_t size,
		char *out, size_t room, size_t *ret_messages)
{
	AUTO(rpc_stream_free) struct rpc_stream *stream = NULL;
	Content__ReadContentRequest r = CONTENT__READ_CONTENT_REQUEST__INIT;
	ProtobufCMessage *m = NULL;
	size_t have = 0;
	int rc;

	r.digest = digest;
	r.offset = offset;
	r.size = size;
	assert_ok(channel_stream(w->served->channel, &w->served->ctx, CONTENT, "Read", &stream,
				  &w->err),
			&w->err);
	assert_ok(rpc_stream_send(stream, &r.base, &w->err), &w->err);
	assert_ok(rpc_stream_close_send(stream, &w->err), &w->err);
	*ret_messages = 0;
	while ((rc = rpc_stream_recv(stream, &content__read_content_response__descriptor,
				&w->served->arena, &m, &w->err)) == 1) {
		Content__ReadContentResponse *a = (Content__ReadContentResponse *)m;

		assert_int_equal(a->offset, have);
		assert_true(a->data.len > 0 && have + a->data.len < room);
		memcpy(out + have, a->data.data, a->data.len);
		have += a->data.len;
		(*ret_messages)++;
	}
	out[have] = '\0';
	return rc;
}

static void ranges_are_read_as_the_original_reads_them(void **state)
{
	struct world *w = *state;
	static const struct {
		int64_t offset, size;
		const char *want;
		size_t messages;
	} rows[] = { { 0, 0, "0123456789", 1 }, { 3, 4, "3456", 1 }, { 8, 100, "89", 1 },
		{ -5, 2, "01", 1 }, { 10, 0, "", 0 }, { 10, 5, "", 0 },
		{ 4, -1, "456789", 1 } };
	char digest[DIGEST_TEXT_SIZE], got[64];
	size_t n;

	strcpy(digest, digest_of("0123456789"));
	run(w, (struct step[]){ { WRITE, "h", .data = "0123456789", .got_offset = 10 },
			       { COMMIT, .offset = 10, .got_offset = 10 }, END });
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(read_range(w, digest, rows[i].offset, rows[i].size, got,
						 sizeof(got), &n),
				0);
		assert_string_equal(got, rows[i].want);
		assert_int_equal(n, rows[i].messages);
	}
	assert_int_equal(read_range(w, digest, 11, 0, got, sizeof(got), &n), -1);
	check_failure(w, &(struct step){ .kind = ERR_OUT_OF_RANGE,
					 .text = "read past object length 10 bytes" });
	assert_int_equal(read_range(w, digest_of("nope"), 0, 0, got, sizeof(got), &n), -1);
	check_failure(w, &(struct step){ .kind = ERR_NOT_FOUND });
}

static void big_blobs_come_in_messages_of_a_mebibyte(void **state)
{
	struct world *w = *state;
	size_t size = ((size_t)2 << 20) + 5;
	AUTO_FREE char *text = xmalloc(size + 1), *got = xmalloc(size + 2);
	size_t n;

	memset(text, 'x', size);
	text[size] = '\0';
	run(w, (struct step[]){ { WRITE, "i", .data = text, .got_offset = (int64_t)size },
			       { COMMIT, .offset = (int64_t)size, .got_offset = (int64_t)size },
			       END });
	assert_int_equal(read_range(w, digest_of(text), 0, 0, got, size + 2, &n), 0);
	assert_string_equal(got, text);
	assert_int_equal(n, 3);
}

static void status_and_abort_work_on_refs(void **state)
{
	struct world *w = *state;
	Content__StatusRequest r = CONTENT__STATUS_REQUEST__INIT;
	Content__AbortRequest abort = CONTENT__ABORT_REQUEST__INIT;
	Content__StatusResponse *got;

	run(w, (struct step[]){ { WRITE, "j", .data = "abc", .got_offset = 3 }, END });
	r.ref = abort.ref = "j";
	assert_ok(served_call(w->served, CONTENT, "Status", &r.base,
				  &content__status_response__descriptor, &got, &w->err),
			&w->err);
	assert_string_equal(got->status->ref, "j");
	assert_int_equal(got->status->offset, 3);
	assert_ok(served_call(w->served, CONTENT, "Abort", &abort.base,
				  &google__protobuf__empty__descriptor, NULL, &w->err),
			&w->err);
	assert_int_equal(served_call(w->served, CONTENT, "Status", &r.base,
					 &content__status_response__descriptor, &got, &w->err),
			-1);
	assert_int_equal(w->err.kind, ERR_NOT_FOUND);
	assert_memory_equal(err_text(&w->err), "could not get status for ref \"j\": ", 34);
	err_clear(&w->err);
}

static void an_update_without_info_is_refused(void **state)
{
	struct world *w = *state;
	Content__UpdateRequest r = CONTENT__UPDATE_REQUEST__INIT;

	assert_int_equal(served_call(w->served, CONTENT, "Update", &r.base,
					 &content__update_response__descriptor, NULL, &w->err),
			-1);
	assert_int_equal(w->err.kind, ERR_INVALID);
	err_clear(&w->err);
}

static void lists_come_in_batches_of_a_hundred(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *stream = NULL;
	Content__ListContentRequest r = CONTENT__LIST_CONTENT_REQUEST__INIT;
	ProtobufCMessage *m = NULL;
	size_t sizes[10] = { 0 }, n = 0;

	for (int i = 0; i < 150; i++) {
		char text[20], ref[20];

		(void)snprintf(text, sizeof(text), "blob %03d", i);
		(void)snprintf(ref, sizeof(ref), "ref %d", i);
		run(w, (struct step[]){ { WRITE, ref, .data = text, .got_offset = 8 },
				       { COMMIT, .offset = 8, .got_offset = 8 }, END });
	}
	assert_ok(channel_stream(w->served->channel, &w->served->ctx, CONTENT, "List", &stream,
				  &w->err),
			&w->err);
	assert_ok(rpc_stream_send(stream, &r.base, &w->err), &w->err);
	assert_ok(rpc_stream_close_send(stream, &w->err), &w->err);
	while (rpc_stream_recv(stream, &content__list_content_response__descriptor,
			       &w->served->arena, &m, &w->err) == 1)
		sizes[n++] = ((Content__ListContentResponse *)m)->n_info;
	assert_int_equal(n, 2);
	assert_int_equal(sizes[0], 100);
	assert_int_equal(sizes[1], 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
				a_blob_is_negotiated_written_and_committed, begin, end),
		cmocka_unit_test_setup_teardown(
				a_commit_passes_labels_and_the_remembered_total, begin, end),
		cmocka_unit_test_setup_teardown(
				the_first_message_must_name_the_ref, begin, end),
		cmocka_unit_test_setup_teardown(
				an_offset_elsewhere_is_out_of_range, begin, end),
		cmocka_unit_test_setup_teardown(offset_zero_starts_over, begin, end),
		cmocka_unit_test_setup_teardown(a_stream_that_ends_can_be_resumed, begin, end),
		cmocka_unit_test_setup_teardown(
				a_blob_that_is_there_ends_the_stream, begin, end),
		cmocka_unit_test_setup_teardown(
				a_commit_tells_the_digest_it_was_given, begin, end),
		cmocka_unit_test_setup_teardown(
				a_wrong_digest_or_size_is_a_failed_precondition, begin, end),
		cmocka_unit_test_setup_teardown(a_ref_has_one_writer_at_a_time, begin, end),
		cmocka_unit_test_setup_teardown(
				a_stream_without_a_message_is_unknown, begin, end),
		cmocka_unit_test_setup_teardown(
				ranges_are_read_as_the_original_reads_them, begin, end),
		cmocka_unit_test_setup_teardown(
				big_blobs_come_in_messages_of_a_mebibyte, begin, end),
		cmocka_unit_test_setup_teardown(status_and_abort_work_on_refs, begin, end),
		cmocka_unit_test_setup_teardown(an_update_without_info_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(lists_come_in_batches_of_a_hundred, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
