/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_bootstrap.h"

#include <stdlib.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/bootstrap.pb-c.h"
#include "base/buf.h"
#include "shim/shim_flags.h"
#include "unit/unit.h"

static const struct shim_flags flags = { .ns = "ns", .id = "c1", .address = "/run/c.sock" };
static char options_url[] = "containerd.runc.v1.Options";

struct fixture {
	struct arena arena;
	struct buf input;
	struct shim_bootstrap boot;
};

static int read_it(struct fixture *f, struct err *err)
{
	arena_init(&f->arena, 1 << 20);
	return shim_bootstrap_read(
			f->input.data, f->input.size, &flags, &f->arena, &f->boot, err);
}

static void done(struct fixture *f)
{
	arena_done(&f->arena);
	buf_done(&f->input);
}

static void params_of_a_new_daemon_are_taken(void **state)
{
	struct fixture f = { .input = { .limit = SIZE_MAX } };
	Bootstrap__BootstrapParams p = BOOTSTRAP__BOOTSTRAP_PARAMS__INIT;
	Bootstrap__Extension ext = BOOTSTRAP__EXTENSION__INIT, *exts[] = { &ext };
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	AUTO_BUF struct buf answer = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *m;

	p.instance_id = "c1";
	p.namespace_ = "ns";
	p.log_level = BOOTSTRAP__LOG_LEVEL__LOG_LEVEL_TRACE;
	p.containerd_grpc_address = "/other.sock";
	p.containerd_ttrpc_address = "/other.sock.ttrpc";
	p._socket_dir_case = BOOTSTRAP__BOOTSTRAP_PARAMS___SOCKET_DIR_SOCKET_DIR;
	p.socket_dir = "/run/mine";
	any.type_url = options_url;
	ext.value = &any;
	p.extensions = exts;
	p.n_extensions = 1;
	pb_encode(&p.base, &f.input);
	assert_ok(read_it(&f, &err), &err);
	assert_true(f.boot.is_new);
	assert_true(f.boot.debug);
	assert_string_equal(f.boot.grpc_address, "/other.sock");
	assert_string_equal(f.boot.ttrpc_address, "/other.sock.ttrpc");
	assert_string_equal(f.boot.socket_dir, "/run/mine");
	assert_string_equal(f.boot.options_type, options_url);
	shim_bootstrap_answer(&f.boot, "/run/s/1", &answer);
	assert_ok(pb_decode(&bootstrap__bootstrap_result__descriptor, answer.data, answer.size,
				  &f.arena, NULL, &m, &err),
			&err);
	assert_int_equal(((Bootstrap__BootstrapResult *)m)->version, 3);
	assert_string_equal(((Bootstrap__BootstrapResult *)m)->address, "unix:///run/s/1");
	assert_string_equal(((Bootstrap__BootstrapResult *)m)->protocol, "ttrpc");
	done(&f);
}

/* The options of an old daemon read as params, too: of an instance with a strange name. */
static void options_of_an_old_daemon_are_not_taken_for_params(void **state)
{
	struct fixture f = { .input = { .limit = SIZE_MAX } };
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	AUTO_BUF struct buf answer = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };
	uint8_t value[] = { 0x48, 0x01 };

	any.type_url = options_url;
	any.value.data = value;
	any.value.len = sizeof(value);
	pb_encode(&any.base, &f.input);
	assert_ok(read_it(&f, &err), &err);
	assert_false(f.boot.is_new);
	assert_int_equal(f.boot.options_size, 2);
	assert_string_equal(f.boot.grpc_address, "/run/c.sock");
	shim_bootstrap_answer(&f.boot, "/run/s/1", &answer);
	assert_string_equal(answer.data, "unix:///run/s/1");
	done(&f);
}

static void no_input_means_an_old_daemon_without_options(void **state)
{
	struct fixture f = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(read_it(&f, &err), &err);
	assert_false(f.boot.is_new);
	assert_string_equal(f.boot.options_type, "");
	done(&f);
}

static void foreign_options_and_garbage_are_refused(void **state)
{
	struct fixture f = { .input = { .limit = SIZE_MAX } };
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	static char url[] = "example.v1.Options";
	AUTO_ERR struct err err = { 0 };

	any.type_url = url;
	pb_encode(&any.base, &f.input);
	assert_int_equal(read_it(&f, &err), -1);
	assert_string_equal(err_text(&err), "type with url example.v1.Options: not found");
	err_clear(&err);
	arena_done(&f.arena);
	buf_clear(&f.input);
	buf_add_str(&f.input, "\xff\xff\xff");
	assert_fails(read_it(&f, &err), &err, ERR_INVALID);
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(params_of_a_new_daemon_are_taken),
		TEST(options_of_an_old_daemon_are_not_taken_for_params),
		TEST(no_input_means_an_old_daemon_without_options),
		TEST(foreign_options_and_garbage_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
