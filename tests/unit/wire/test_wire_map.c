/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include "api/arena.h"
#include "api/pb/containers.pb-c.h"
#include "wire/wire_map.h"

typedef Containers__Container__LabelsEntry Entry;
typedef Containers__Container__ExtensionsEntry AnyEntry;

static Entry *entry(struct arena *a, const char *key, const char *value)
{
	Entry *e = ARENA_NEW(a, Entry, containers__container__labels_entry);

	e->key = key;
	e->value = value;
	return e;
}

static void labels_come_in_sorted_and_the_last_of_equal_keys_counts(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	struct labels l;

	arena_init(&a, SIZE_MAX);
	l = wire_labels_in(&a, 4,
			(Entry *[]){ entry(&a, "b", "1"), entry(&a, "a", "2"),
					entry(&a, "b", "3"), entry(&a, "", "") });
	assert_int_equal(l.count, 3);
	assert_string_equal(l.items[0].key, "");
	assert_string_equal(labels_find(&l, "a"), "2");
	assert_string_equal(labels_find(&l, "b"), "3");
}

static void labels_go_out_as_copies(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	struct labels l = { 0 };
	size_t n = 0;
	Entry **out;

	arena_init(&a, SIZE_MAX);
	labels_set(&l, "k", "v");
	out = wire_labels_out(&a, &l, &containers__container__labels_entry__descriptor, &n);
	labels_done(&l);
	assert_int_equal(n, 1);
	assert_string_equal(out[0]->key, "k");
	assert_string_equal(out[0]->value, "v");
	assert_ptr_equal(out[0]->base.descriptor,
			&containers__container__labels_entry__descriptor);
	assert_null(wire_labels_out(
			&a, &l, &containers__container__labels_entry__descriptor, &n));
	assert_int_equal(n, 0);
}

static void an_any_that_is_absent_is_not_an_any_of_nothing(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	Google__Protobuf__Any pb = GOOGLE__PROTOBUF__ANY__INIT, *out;
	struct any any = wire_any_in(NULL);

	arena_init(&a, SIZE_MAX);
	assert_false(any.is_set);
	assert_null(wire_any_out(&a, &any));
	any = wire_any_in(&pb);
	assert_true(any.is_set);
	out = wire_any_out(&a, &any);
	assert_non_null(out);
	assert_string_equal(out->type_url, "");
	assert_int_equal(out->value.len, 0);
}

static void the_bytes_of_an_any_pass_unchanged(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	Google__Protobuf__Any pb = GOOGLE__PROTOBUF__ANY__INIT, *out;
	struct any any;

	arena_init(&a, SIZE_MAX);
	pb.type_url = (char *)"x/y";
	pb.value.data = (uint8_t *)"a\0b";
	pb.value.len = 3;
	any = wire_any_in(&pb);
	out = wire_any_out(&a, &any);
	assert_string_equal(out->type_url, "x/y");
	assert_int_equal(out->value.len, 3);
	assert_memory_equal(out->value.data, "a\0b", 3);
}

static void an_extension_without_a_value_is_an_any_of_nothing(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	struct anys anys;
	AnyEntry *e, **out;
	size_t n;

	arena_init(&a, SIZE_MAX);
	e = ARENA_NEW(&a, AnyEntry, containers__container__extensions_entry);
	e->key = "x";
	anys = wire_anys_in(&a, 1, &e);
	assert_int_equal(anys.count, 1);
	assert_true(anys_find(&anys, "x")->is_set);
	out = wire_anys_out(
			&a, &anys, &containers__container__extensions_entry__descriptor, &n);
	assert_int_equal(n, 1);
	assert_string_equal(out[0]->key, "x");
	assert_non_null(out[0]->value);
}

static void a_mask_without_paths_means_everything(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	char *paths[] = { (char *)"labels.a.b", (char *)"spec" };
	char **v;

	arena_init(&a, SIZE_MAX);
	assert_null(wire_mask_in(&a, NULL));
	assert_null(wire_mask_in(&a, &mask));
	mask.paths = paths;
	mask.n_paths = 2;
	v = wire_mask_in(&a, &mask);
	assert_string_equal(v[0], "labels.a.b");
	assert_string_equal(v[1], "spec");
	assert_null(v[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(labels_come_in_sorted_and_the_last_of_equal_keys_counts),
		TEST(labels_go_out_as_copies),
		TEST(an_any_that_is_absent_is_not_an_any_of_nothing),
		TEST(the_bytes_of_an_any_pass_unchanged),
		TEST(an_extension_without_a_value_is_an_any_of_nothing),
		TEST(a_mask_without_paths_means_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
