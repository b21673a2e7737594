/* SPDX-License-Identifier: Apache-2.0 */
/* Shims here are shell scripts that note how they were called. */
#include "unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/bootstrap.pb-c.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/any.h"
#include "os/fs.h"
#include "runtime/shim_binary.h"
#include "runtime/shim_endpoint.h"

struct place {
	char top[32];
	char *shim;
	int fd;
	struct shim_env env;
	struct shim_binary binary;
	struct any options;
};

static char *const extra[] = { (char *)"SCHED_CORE=1", (char *)"NAMESPACE=other", NULL };

static int open_place(void **state)
{
	struct place *p = xzalloc(sizeof(*p));

	strcpy(p->top, "/tmp/ctrd-shim-XXXXXX");
	assert_non_null(mkdtemp(p->top));
	p->fd = open(p->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->shim = xasprintf("%s/containerd-shim-x-v1", p->top);
	p->env = (struct shim_env){ "/g.sock", "/t.sock", "/bin/daemon", "2.3", "/s", extra,
		false };
	p->binary = (struct shim_binary){ p->shim, "ns", "c1", p->top, &p->env };
	any_set(&p->options, "containerd.runc.v1.Options", "\x32\1x", 3);
	*state = p;
	return 0;
}

static int close_place(void **state)
{
	struct place *p = *state;

	close_fd(&p->fd);
	any_done(&p->options);
	assert_int_equal(fs_remove_all(AT_FDCWD, p->top), 0);
	free(p->shim);
	free(p);
	return 0;
}

static void write_shim(struct place *p, const char *script)
{
	AUTO_FREE char *text = xasprintf("#!/bin/sh\n%s\n", script);

	assert_int_equal(io_replace_file(p->fd, "containerd-shim-x-v1", text, strlen(text),
					 0755),
			0);
}

static char *read_note(struct place *p, const char *name)
{
	struct buf b = { .limit = 100000 };

	assert_int_equal(io_read_file(p->fd, name, &b), 0);
	return buf_take_str(&b);
}

static void start_passes_what_the_original_passes(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	AUTO_ENDPOINT struct shim_endpoint e = { 0 };
	AUTO_FREE char *args = NULL, *env = NULL, *cwd = NULL;
	AUTO_BUF struct buf in = { .limit = 10000 };
	AUTO_ARENA struct arena a = { 0 };
	struct ctx ctx = { 0 };
	ProtobufCMessage *message;
	Bootstrap__BootstrapParams *params;

	write_shim(p, "echo \"$@\" >args; env >env; pwd >cwd; cat >in; echo unix:///x");
	assert_ok(shim_binary_start(&p->binary, &ctx, &p->options, &e, &err), &err);
	assert_string_equal(e.address, "unix:///x");
	assert_int_equal(e.version, 2);
	args = read_note(p, "args");
	assert_string_equal(args, "-namespace ns -address /g.sock -publish-binary /bin/daemon "
				  "-id c1 start\n");
	cwd = read_note(p, "cwd");
	assert_true(str_starts(cwd, p->top));
	env = read_note(p, "env");
	assert_non_null(strstr(env, "GOMAXPROCS=2\n"));
	assert_non_null(strstr(env, "MAX_SHIM_VERSION=2\n"));
	assert_non_null(strstr(env, "TTRPC_ADDRESS=/t.sock\n"));
	assert_non_null(strstr(env, "GRPC_ADDRESS=/g.sock\n"));
	assert_non_null(strstr(env, "SCHED_CORE=1\n"));
	assert_non_null(strstr(env, "NAMESPACE=other\n")); /* configured: comes last, wins */
	assert_null(strstr(env, "NAMESPACE=ns\n"));
	assert_int_equal(io_read_file(p->fd, "in", &in), 0);
	arena_init(&a, SIZE_MAX);
	assert_ok(pb_decode(&bootstrap__bootstrap_params__descriptor, in.data, in.size, &a,
				  NULL, &message, &err),
			&err);
	params = (Bootstrap__BootstrapParams *)message;
	assert_string_equal(params->instance_id, "c1");
	assert_string_equal(params->namespace_, "ns");
	assert_string_equal(params->containerd_ttrpc_address, "/t.sock");
	assert_string_equal(params->containerd_grpc_address, "/g.sock");
	assert_string_equal(params->containerd_binary, "/bin/daemon");
	assert_string_equal(params->socket_dir, "/s");
	assert_int_equal(params->n_extensions, 1);
	assert_string_equal(
			params->extensions[0]->value->type_url, "containerd.runc.v1.Options");
}

static void a_shim_of_1_6_is_asked_again_in_its_own_way(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	AUTO_ENDPOINT struct shim_endpoint e = { 0 };
	AUTO_BUF struct buf in = { .limit = 10000 };
	struct ctx ctx = { 0 };

	write_shim(p, "cat >in; if [ -e tried ]; then echo unix:///old; exit; fi; : >tried\n"
		      "echo 'io.containerd.runc.v2: type with url c1: not found' >&2; exit 1");
	assert_ok(shim_binary_start(&p->binary, &ctx, &p->options, &e, &err), &err);
	assert_string_equal(e.address, "unix:///old");
	assert_int_equal(io_read_file(p->fd, "in", &in), 0);
	assert_int_equal(in.size, 2 + 26 + 2 + 3);
	assert_memory_equal(in.data,
			"\x0a\x1a"
			"containerd.runc.v1.Options"
			"\x12\3\x32\1x",
			33);
}

static void a_failed_start_says_what_the_shim_said(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	struct shim_endpoint e;
	struct ctx ctx = { 0 };

	write_shim(p, "echo out; echo no way >&2; exit 7");
	assert_int_equal(shim_binary_start(&p->binary, &ctx, &p->options, &e, &err), -1);
	assert_string_equal(err_text(&err), "out\nno way\n: exit status 7");
}

static void a_start_that_hangs_is_ended(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	struct shim_endpoint e;
	struct ctx ctx = { .deadline_ns = clock_mono_ns() + 100 * NS_PER_MS };

	write_shim(p, "exec sleep 1000");
	assert_fails(shim_binary_start(&p->binary, &ctx, &p->options, &e, &err), &err,
			ERR_DEADLINE);
}

static void delete_tells_how_it_ended(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *args = NULL;
	struct shim_exit exit = { 0 };
	struct ctx ctx = { 0 };

	p->env.debug = true;
	write_shim(p, "echo \"$@\" >args; echo a warning >&2; printf "
		      "'\\010\\007\\020\\211\\001'");
	assert_ok(shim_binary_delete(&p->binary, &ctx, &exit, &err), &err);
	p->env.debug = false;
	assert_int_equal(exit.pid, 7);
	assert_int_equal(exit.status, 137);
	args = read_note(p, "args");
	assert_non_null(strstr(args, "-id c1 -bundle /tmp/ctrd-shim-"));
	assert_non_null(strstr(args, " -debug delete\n"));
	write_shim(p, "echo garbage");
	assert_int_equal(shim_binary_delete(&p->binary, &ctx, &exit, &err), -1);
}

static void info_is_passed_through(void **state)
{
	struct place *p = *state;
	AUTO_ERR struct err err = { 0 };
	AUTO_BUF struct buf out = { 0 };
	AUTO_FREE char *args = NULL;
	struct ctx ctx = { 0 };
	AUTO_FREE char *script = xasprintf(
			"echo \"$@\" >%s/args; cat >/dev/null; printf '\\012\\001x'", p->top);

	write_shim(p, script);
	assert_ok(shim_binary_info(p->shim, &ctx, &p->options, &out, &err), &err);
	assert_string_equal(out.data, "\x0a\1x");
	args = read_note(p, "args");
	assert_string_equal(args, "-info\n");
	write_shim(p, "echo flag provided but not defined: -info >&2; exit 2");
	buf_clear(&out);
	assert_int_equal(shim_binary_info(p->shim, &ctx, &p->options, &out, &err), -1);
	assert_non_null(strstr(err_text(&err), "flag provided but not defined"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(start_passes_what_the_original_passes),
		TEST(a_shim_of_1_6_is_asked_again_in_its_own_way),
		TEST(a_failed_start_says_what_the_shim_said),
		TEST(a_start_that_hangs_is_ended),
		TEST(delete_tells_how_it_ended),
		TEST(info_is_passed_through),
	};

	return cmocka_run_group_tests(tests, open_place, close_place);
}
