/* SPDX-License-Identifier: Apache-2.0 */
/* Where lists run: on the loop while they are quick, else on a worker. */
#include "unit/unit.h"

#include <stdatomic.h>
#include <string.h>

#include "api/pb/images.pb-c.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/image.h"
#include "loop/loop.h"
#include "services/services.h"
#include "support/served.h"

/* A store with one image, which walks until its time is over when that is short. */
struct store {
	struct image_store base;
	struct loop *loop;
	bool is_long;
	atomic_int on_loop, elsewhere;
};

static int walk(struct image_store *self, struct ctx *ctx, char *const *filters,
		image_each each, void *arg, struct err *err)
{
	struct store *s = (struct store *)self;
	struct image image = { .name = (char *)"one" };
	bool here = loop_is_mine(s->loop);

	atomic_fetch_add(here ? &s->on_loop : &s->elsewhere, 1);
	if (each(arg, &image, err) < 0)
		return -1;
	while (s->is_long && ctx_left_ns(ctx) < NS_PER_S)
		if (ctx_done(ctx, err))
			return -1;
	return 0;
}

static const struct image_store_ops ops = { .list = walk };

static void check(const char *filter, int64_t timeout_ns, bool is_long, int on_loop,
		int elsewhere, enum err_kind kind)
{
	struct store store = { .base.ops = &ops, .is_long = is_long };
	struct images_service service = { &store.base };
	struct served *s =
			serve((struct served_service[]){ { &images_service, &service }, {} });
	Images__ListImagesRequest request = IMAGES__LIST_IMAGES_REQUEST__INIT;
	Images__ListImagesResponse *r;
	AUTO_ERR struct err err = { 0 };

	store.loop = s->loop;
	request.n_filters = filter != NULL;
	request.filters = &filter;
	if (timeout_ns != 0)
		s->ctx.deadline_ns = clock_mono_ns() + timeout_ns;
	if (served_call(s, "containerd.services.images.v1.Images", "List", &request.base,
			    &images__list_images_response__descriptor, &r, &err) == 0) {
		assert_int_equal(r->n_images, 1);
		assert_string_equal(r->images[0]->name, "one");
	}
	assert_int_equal(err.kind, kind);
	served_free(s);
	if (on_loop >= 0) {
		assert_int_equal(store.on_loop, on_loop);
		assert_int_equal(store.elsewhere, elsewhere);
	}
}

static void short_lists_are_answered_on_the_loop(void **state)
{
	check(NULL, 0, false, 1, 0, ERR_NONE);
	check("name==one", 0, false, 1, 0, ERR_NONE);
	check("name==a~b", 0, false, 1, 0, ERR_NONE);
	check("broken~", 0, false, 1, 0, ERR_NONE); /* the store's business */
}

static void regular_expressions_run_on_a_worker(void **state)
{
	check("name~=o.*", 0, false, 0, 1, ERR_NONE);
}

static void long_filters_run_on_a_worker(void **state)
{
	char filter[5000] = "name==";

	memset(filter + 6, 'x', sizeof(filter) - 7);
	check(filter, 0, false, 0, 1, ERR_NONE);
}

static void long_lists_go_on_on_a_worker(void **state)
{
	check(NULL, 0, true, 1, 1, ERR_NONE);
	check(NULL, 3600 * NS_PER_S, true, 1, 1, ERR_NONE);
}

static void a_client_may_have_less_time(void **state)
{
	/* wherever it is when that is over */
	check(NULL, 20 * NS_PER_MS, true, -1, -1, ERR_DEADLINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(short_lists_are_answered_on_the_loop),
		TEST(regular_expressions_run_on_a_worker),
		TEST(long_filters_run_on_a_worker),
		TEST(long_lists_go_on_on_a_worker),
		TEST(a_client_may_have_less_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
