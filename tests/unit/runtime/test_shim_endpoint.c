/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "runtime/shim_endpoint.h"

#define BYTES(text) text, sizeof(text) - 1

struct row {
	const char *data;
	size_t size;
	int version;
	const char *address;
	bool is_grpc;
};

static void all_generations_of_answers_are_understood(void **state)
{
	const struct row rows[] = {
		{ BYTES("unix:///run/containerd/s/ab"), 2, "unix:///run/containerd/s/ab",
				false },
		{ BYTES(" unix:///x\n"), 2, "unix:///x", false },
		{ BYTES("{\"version\":3,\"address\":\"unix:///y\",\"protocol\":\"ttrpc\"}"), 3,
				"unix:///y", false },
		{ BYTES("{\"Version\":2,\"ADDRESS\":\"/z\",\"protocol\":\"GRPC\"}\n"), 2, "/z",
				true },
		{ BYTES("\x08\3\x12\x09unix:///b\x1a\5ttrpc"), 3, "unix:///b", false },
		{ BYTES("\x08\2\x12\x02/b\x1a\4grpc\x2a\6\x0a\1k\x12\1v"), 2, "/b", true },
		/* Version 1 JSON is not JSON of ours: Go takes the text for an address. */
		{ BYTES("{\"version\":1}"), 2, "{\"version\":1}", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO_ERR struct err err = { 0 };
		AUTO_ENDPOINT struct shim_endpoint e = { 0 };

		assert_ok(shim_endpoint_parse(rows[i].data, rows[i].size, &e, &err), &err);
		assert_int_equal(e.version, rows[i].version);
		assert_string_equal(e.address, rows[i].address);
		assert_int_equal(e.is_grpc, rows[i].is_grpc);
	}
}

static void an_empty_answer_has_no_protocol(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct shim_endpoint e;

	assert_int_equal(shim_endpoint_parse("", 0, &e, &err), -1);
	assert_string_equal(err_text(&err), "unexpected protocol: \"\"");
}

static void versions_from_the_future_are_refused(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct shim_endpoint e;

	assert_int_equal(shim_endpoint_parse(BYTES("{\"version\":4,\"protocol\":\"ttrpc\"}"),
					 &e, &err),
			-1);
	assert_string_equal(err_text(&err), "unsupported shim version (4): not implemented");
	assert_int_equal(err.kind, ERR_UNIMPLEMENTED);
}

static void what_is_written_is_what_the_original_reads(void **state)
{
	AUTO_BUF struct buf out = { .limit = 1000 };
	struct shim_endpoint e = { 3, (char *)"unix:///run/s/a", false };

	shim_endpoint_write(&e, &out);
	assert_string_equal(out.data, "{\"version\":3,\"address\":\"unix:///run/s/"
				      "a\",\"protocol\":\"ttrpc\"}");
}

static void addresses_become_sockets(void **state)
{
	static const struct {
		const char *address;
		bool is_grpc;
		const char *socket; /* NULL: refused */
	} rows[] = { { "unix:///a/b", false, "/a/b" }, { "/a/b", false, "@/a/b" },
		{ "@x", false, "@@x" }, { "/a/b", true, "/a/b" },
		{ "vsock://1:2", false, NULL }, { "", false, NULL } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO_ERR struct err err = { 0 };
		AUTO_FREE char *socket = NULL;
		struct shim_endpoint e = { 2, (char *)rows[i].address, rows[i].is_grpc };

		assert_int_equal(shim_endpoint_socket(&e, &socket, &err),
				rows[i].socket == NULL ? -1 : 0);
		if (rows[i].socket != NULL)
			assert_string_equal(socket, rows[i].socket);
	}
}

static void urls_of_sandboxes_name_their_protocol(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_ENDPOINT struct shim_endpoint e = { 0 };
	struct shim_endpoint none;

	assert_ok(shim_endpoint_parse_url("ttrpc+unix:///s", 3, &e, &err), &err);
	assert_string_equal(e.address, "unix:///s");
	assert_int_equal(e.version, 3);
	assert_fails(shim_endpoint_parse_url("unix:///s", 3, &none, &err), &err, ERR_INVALID);
	assert_fails(shim_endpoint_parse_url("http+unix:///s", 3, &none, &err), &err,
			ERR_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_generations_of_answers_are_understood),
		TEST(an_empty_answer_has_no_protocol),
		TEST(versions_from_the_future_are_refused),
		TEST(what_is_written_is_what_the_original_reads),
		TEST(addresses_become_sockets),
		TEST(urls_of_sandboxes_name_their_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
