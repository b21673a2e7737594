/* SPDX-License-Identifier: Apache-2.0 */
/* Daemons as objects: nothing of one is shared with another in the same process. */
#include "instance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/arena.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/introspection.pb-c.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/err_details.h"
#include "base/mem.h"
#include "rpc/channel.h"

/* The id that the daemon's root has. */
static char *ask_uuid(const struct instance *it)
{
	struct ctx ctx = { .deadline_ns = clock_mono_ns() + 20 * NS_PER_S };
	Google__Protobuf__Empty nothing = GOOGLE__PROTOBUF__EMPTY__INIT;
	AUTO(channel_unref) struct channel *c = NULL;
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	struct ProtobufCMessage *answer = NULL;

	arena_init(&a, 1 << 20);
	if (channel_open_grpc(NULL, it->address, &ctx, &c, &err) < 0 ||
			channel_call(c, &ctx,
					"containerd.services.introspection.v1.Introspection",
					"Server", &nothing.base,
					&introspection__server_response__descriptor, &a,
					&answer, &err) < 0)
		fail_msg("%s", err_text(&err));
	return xstrdup(((Introspection__ServerResponse *)answer)->uuid);
}

/* The one list whose filters fail with a detail, as in the original. */
static void a_bad_filter_tells_its_cause(void **state)
{
	Introspection__PluginsRequest request = INTROSPECTION__PLUGINS_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO_ARENA struct arena a = { 0 };
	struct channel *c;
	struct ctx ctx = { 0 };
	const char *filter = "id==";
	ProtobufCMessage *answer;
	struct instance it = { 0 };

	instance_boot(&it);
	instance_serve(&it);
	arena_init(&a, 1 << 20);
	request.n_filters = 1;
	request.filters = &filter;
	assert_int_equal(channel_open_grpc(NULL, it.address, &ctx, &c, &err), 0);
	assert_int_equal(channel_call(c, &ctx,
					 "containerd.services.introspection.v1.Introspection",
					 "Plugins", &request.base,
					 &introspection__plugins_response__descriptor, &a,
					 &answer, &err),
			-1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err_text(&err),
			"invalid argument: filters: parse error: [id==]: expected value or "
			"quoted: invalid argument\ninvalid argument");
	assert_int_equal(err_detail_count(&err), 1);
	channel_unref(c);
	instance_end(&it);
}

static void two_daemons_live_in_one_process(void **state)
{
	struct instance one = { 0 }, two = { 0 };
	AUTO_FREE char *first = NULL;
	AUTO_FREE char *second = NULL;
	AUTO_FREE char *again = NULL;

	instance_boot(&one);
	instance_boot(&two);
	instance_serve(&one);
	instance_serve(&two);
	first = ask_uuid(&one);
	second = ask_uuid(&two);
	assert_string_not_equal(first, second);
	instance_end(&one);
	again = ask_uuid(&two);
	assert_string_equal(second, again);
	instance_end(&two);
}

static void a_daemon_that_never_served_leaves_nothing_behind(void **state)
{
	struct instance it = { 0 };

	instance_boot(&it);
	instance_drop(&it);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_filter_tells_its_cause),
		cmocka_unit_test(two_daemons_live_in_one_process),
		cmocka_unit_test(a_daemon_that_never_served_leaves_nothing_behind),
	};

	instance_block_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
