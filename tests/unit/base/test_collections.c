/* SPDX-License-Identifier: Apache-2.0 */
/* buf, list, map and labels. */
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/labels.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

static void a_buffer_remembers_going_over_its_limit(void **state)
{
	AUTO_BUF struct buf b = { .limit = 5 };

	buf_add(&b, "abc", 3);
	assert_false(b.overflowed);
	buf_add(&b, "defg", 4);
	assert_true(b.overflowed);
	assert_int_equal(b.size, 3);
	buf_add(&b, "d", 1);
	assert_int_equal(b.size, 3);
	buf_clear(&b);
	buf_add(&b, "12345", 5);
	assert_false(b.overflowed);
	assert_string_equal(b.data, "12345");
}

static void dropping_moves_the_rest_to_the_front(void **state)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };

	buf_addf(&b, "%s-%d", "hello", 7);
	buf_drop(&b, 6);
	assert_string_equal(b.data, "7");
}

static void a_fresh_buffer_gives_an_empty_string(void **state)
{
	struct buf b = { .limit = 1 };
	AUTO_FREE char *text = buf_take_str(&b);

	assert_string_equal(text, "");
}

static void maps_find_what_was_put(void **state)
{
	struct map m;
	char key[32];

	map_init(&m);
	for (uintptr_t i = 1; i <= 5000; i++) {
		(void)snprintf(key, sizeof(key), "key-%zu", (size_t)i);
		assert_null(map_put(&m, key, (void *)i));
	}
	for (uintptr_t i = 1; i <= 5000; i += 2) {
		(void)snprintf(key, sizeof(key), "key-%zu", (size_t)i);
		assert_ptr_equal(map_remove(&m, key), (void *)i);
		assert_null(map_remove(&m, key));
	}
	assert_int_equal(m.count, 2500);
	for (uintptr_t i = 1; i <= 5000; i++) {
		(void)snprintf(key, sizeof(key), "key-%zu", (size_t)i);
		assert_ptr_equal(map_find(&m, key), i % 2 ? NULL : (void *)i);
	}
	map_done(&m, NULL);
}

static void putting_again_returns_the_old_value(void **state)
{
	struct map m;

	map_init(&m);
	map_put(&m, "k", (void *)1);
	assert_ptr_equal(map_put(&m, "k", (void *)2), (void *)1);
	assert_ptr_equal(map_find(&m, "k"), (void *)2);
	assert_int_equal(m.count, 1);
	map_done(&m, NULL);
}

static void sorted_keys_are_in_byte_order(void **state)
{
	struct map m;
	AUTO_STRV char **keys = NULL;
	size_t seen = 0;

	map_init(&m);
	map_put(&m, "b", (void *)1);
	map_put(&m, "B", (void *)1);
	map_put(&m, "a", (void *)1);
	keys = map_sorted_keys(&m);
	assert_string_equal(keys[0], "B");
	assert_string_equal(keys[1], "a");
	assert_string_equal(keys[2], "b");
	map_for_each (slot, &m)
		seen++;
	assert_int_equal(seen, 3);
	map_done(&m, NULL);
}

static void labels_stay_sorted(void **state)
{
	AUTO_LABELS struct labels l = { 0 }, copy = { 0 };

	labels_set(&l, "b", "2");
	labels_set(&l, "a", "1");
	labels_set(&l, "c", "");
	labels_set(&l, "b", "3");
	assert_int_equal(l.count, 3);
	assert_string_equal(l.items[0].key, "a");
	assert_string_equal(labels_find(&l, "b"), "3");
	assert_null(labels_find(&l, "x"));
	labels_drop_empty(&l);
	assert_null(labels_find(&l, "c"));
	labels_copy(&copy, &l);
	assert_true(labels_equal(&copy, &l));
	labels_remove(&l, "a");
	assert_false(labels_equal(&copy, &l));
}

static void a_label_over_4096_bytes_is_refused(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_LABELS struct labels l = { 0 };
	AUTO_FREE char *big = xzalloc(4097);

	memset(big, 'x', 4095);
	labels_set(&l, "k", big);
	assert_ok(labels_check(&l, &err), &err);
	big[4095] = 'x';
	labels_set(&l, "k", big);
	assert_fails(labels_check(&l, &err), &err, ERR_INVALID);
}

static void removing_while_walking_a_list_is_fine(void **state)
{
	struct list head = LIST_INIT(head), nodes[5];
	int left = 0;

	for (int i = 0; i < 5; i++)
		list_append(&head, &nodes[i]);
	list_for_each (it, &head)
		if ((it - nodes) % 2 == 0)
			list_remove(it);
	list_for_each (it, &head)
		left++;
	assert_int_equal(left, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_buffer_remembers_going_over_its_limit),
		TEST(dropping_moves_the_rest_to_the_front),
		TEST(a_fresh_buffer_gives_an_empty_string),
		TEST(maps_find_what_was_put),
		TEST(putting_again_returns_the_old_value),
		TEST(sorted_keys_are_in_byte_order),
		TEST(labels_stay_sorted),
		TEST(a_label_over_4096_bytes_is_refused),
		TEST(removing_while_walking_a_list_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
