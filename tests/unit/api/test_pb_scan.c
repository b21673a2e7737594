/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "api/pb/cgroups_v1.pb-c.h"
#include "api/pb/containers.pb-c.h"
#include "api/pb/struct.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "base/attr.h"
#include "base/buf.h"

static enum pb_fault scan(const ProtobufCMessageDescriptor *type, const void *data, size_t size)
{
	struct pb_scan found;
	int rc = pb_scan(type, data, size, NULL, &found);

	assert_int_equal(rc, found.fault == PB_OK ? 0 : -1);
	return found.fault;
}

#define SCAN(type, bytes) scan(&type##__descriptor, bytes, sizeof(bytes) - 1)

static void nothing_is_a_message(void **state)
{
	assert_int_equal(SCAN(types__mount, ""), PB_OK);
}

static void known_fields_of_every_wire_type_pass(void **state)
{
	assert_int_equal(SCAN(types__mount, "\x0a\x04"
					    "bind\x22\x02ro\x22\x02rw"),
			PB_OK);
	assert_int_equal(SCAN(types__descriptor, "\x18\x80\x01"), PB_OK);
	assert_int_equal(SCAN(google__protobuf__value, "\x11\0\0\0\0\0\0\xf0\x3f"), PB_OK);
}

static void cut_off_bytes_are_refused(void **state)
{
	assert_int_equal(SCAN(types__mount, "\x0a"), PB_WIRE);
	assert_int_equal(SCAN(types__mount, "\x0a\x05"
					    "bind"),
			PB_WIRE);
	assert_int_equal(SCAN(types__mount, "\x80"), PB_WIRE);
	assert_int_equal(SCAN(types__descriptor, "\x18\x80"), PB_WIRE);
	assert_int_equal(SCAN(google__protobuf__value, "\x11\0\0\0\0\0\0\xf0"), PB_WIRE);
}

static void field_number_zero_and_long_tags_are_refused(void **state)
{
	assert_int_equal(SCAN(types__mount, "\x02\0"), PB_WIRE);
	assert_int_equal(SCAN(types__mount, "\x8a\x80\x80\x80\x80\0\0"), PB_WIRE);
	assert_int_equal(SCAN(types__mount, "\x8a\x80\x80\x80\x10\0"), PB_WIRE);
}

static void varints_hold_64_bits(void **state)
{
	assert_int_equal(
			SCAN(types__descriptor, "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
			PB_OK);
	assert_int_equal(
			SCAN(types__descriptor, "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
			PB_WIRE);
	assert_int_equal(SCAN(types__descriptor,
					 "\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
			PB_WIRE);
}

static void a_length_beyond_the_end_is_refused(void **state)
{
	assert_int_equal(SCAN(types__mount, "\x0a\xff\xff\xff\xff\x0f"), PB_WIRE);
	assert_int_equal(SCAN(types__mount, "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
			PB_WIRE);
}

static void groups_and_unknown_wire_types_are_refused(void **state)
{
	assert_int_equal(SCAN(types__mount, "\x0b"), PB_GROUP);
	assert_int_equal(SCAN(types__mount, "\xa3\x06\xa4\x06"), PB_GROUP);
	assert_int_equal(SCAN(types__mount, "\x0c"), PB_GROUP);
	assert_int_equal(SCAN(types__mount, "\x0e\0"), PB_WIRE);
	assert_int_equal(SCAN(types__mount, "\x0f\0"), PB_WIRE);
}

static void a_known_field_has_its_wire_type(void **state)
{
	assert_int_equal(SCAN(types__mount, "\x08\x01"), PB_TYPE);
	assert_int_equal(SCAN(types__descriptor, "\x1a\x01\x01"), PB_TYPE);
	assert_int_equal(SCAN(types__descriptor, "\x1d\0\0\0\0"), PB_TYPE);
	/* protobuf-c would take anything for a bool */
	assert_int_equal(SCAN(task_v3__create_task_request, "\x22\x01\x01"), PB_TYPE);
	assert_int_equal(SCAN(task_v3__create_task_request, "\x20\x01"), PB_OK);
}

static void unknown_fields_are_skipped_and_counted(void **state)
{
	static const char bytes[] = "\xa0\x06\x07\xa2\x06\x02\xff\0\xa1\x06"
				    "12345678\xa5\x06"
				    "1234\x12\x01s";
	struct pb_scan found;

	assert_int_equal(pb_scan(&types__mount__descriptor, bytes, sizeof(bytes) - 1, NULL,
					 &found),
			0);
	assert_int_equal(found.unknown, 4);
	assert_int_equal(found.elements, 5);
}

static void text_is_utf8_without_nul(void **state)
{
	assert_int_equal(SCAN(types__mount, "\x0a\x03"
					    "a\0b"),
			PB_NUL);
	assert_int_equal(SCAN(types__mount, "\x0a\x01\xff"), PB_UTF8);
	assert_int_equal(SCAN(types__mount, "\x0a\x03\xed\xa0\x80"), PB_UTF8);
	assert_int_equal(SCAN(types__mount, "\x0a\x02\xc3\xa9"), PB_OK);
	/* map keys and values are text too */
	assert_int_equal(SCAN(containers__container, "\x12\x06\x0a\x01\xff\x12\x01x"), PB_UTF8);
	assert_int_equal(SCAN(containers__container, "\x12\x06\x0a\x01k\x12\x01\0"), PB_NUL);
	/* bytes are not */
	assert_int_equal(SCAN(google__protobuf__any, "\x12\x03\xff\0\xff"), PB_OK);
}

static void the_fault_names_its_place(void **state)
{
	struct pb_scan found;

	assert_int_equal(pb_scan(&containers__create_container_request__descriptor,
					 "\x0a\x05\x12\x03\x0a\x01\xff", 7, NULL, &found),
			-1);
	assert_string_equal(found.in->short_name, "LabelsEntry");
	assert_string_equal(found.field->name, "key");
}

static void a_singular_message_comes_once(void **state)
{
	assert_int_equal(SCAN(containers__create_container_request, "\x0a\0\x0a\0"),
			PB_REPEATED);
	assert_int_equal(SCAN(containers__list_containers_response, "\x0a\0\x0a\0"), PB_OK);
	/* a scalar may come twice: the last one counts, and costs nothing */
	assert_int_equal(SCAN(containers__get_container_request, "\x0a\x01x\x0a\x01y"), PB_OK);
	/* each message has its own account */
	assert_int_equal(SCAN(containers__list_containers_response,
					 "\x0a\x02\x22\0\x0a\x02\x22\0"),
			PB_OK);
	assert_int_equal(SCAN(containers__list_containers_response, "\x0a\x04\x22\0\x22\0"),
			PB_REPEATED);
}

static void packed_numbers_are_counted_each(void **state)
{
	struct pb_scan found;

	assert_int_equal(pb_scan(&cgroups_v1__cpuusage__descriptor, "\x22\x04\x01\x80\x01\x02",
					 6, NULL, &found),
			0);
	assert_int_equal(found.elements, 4); /* the field and its three values */
	assert_int_equal(SCAN(cgroups_v1__cpuusage, "\x20\x01\x20\x02"), PB_OK);
	assert_int_equal(SCAN(cgroups_v1__cpuusage, "\x22\x02\x01\x80"), PB_WIRE);
}

/* Nests "levels" lists in lists: Value{6 ListValue{1 Value ...}}. */
static void nest(struct buf *b, unsigned levels)
{
	for (unsigned i = 0; i < levels; i++) {
		char inner[128];
		size_t size = b->size;

		assert_true(size < sizeof(inner));
		memcpy(inner, b->data, size);
		buf_clear(b);
		buf_add_byte(b, i % 2 == 0 ? 0x0a : 0x32);
		buf_add_byte(b, (unsigned char)size);
		buf_add(b, inner, size);
	}
}

static void depth_ends_at_the_limit(void **state)
{
	AUTO_BUF struct buf b = { .limit = 256 };

	buf_add(&b, "", 0);
	nest(&b, 15);
	assert_int_equal(
			scan(&google__protobuf__list_value__descriptor, b.data, b.size), PB_OK);
	buf_clear(&b);
	nest(&b, 16);
	assert_int_equal(scan(&google__protobuf__value__descriptor, b.data, b.size), PB_DEPTH);
}

static void elements_end_at_the_limit(void **state)
{
	struct pb_limits limits = pb_limits_request;
	struct pb_scan found;

	limits.elements = 3;
	assert_int_equal(pb_scan(&types__mount__descriptor, "\x22\0\x22\0\x22\0", 6, &limits,
					 &found),
			0);
	assert_int_equal(pb_scan(&types__mount__descriptor, "\x22\0\x22\0\x22\0\x22\0", 8,
					 &limits, &found),
			-1);
	assert_int_equal(found.fault, PB_ELEMENTS);
	assert_int_equal(pb_scan(&cgroups_v1__cpuusage__descriptor, "\x22\x03\x01\x02\x03", 5,
					 &limits, &found),
			-1);
	assert_int_equal(found.fault, PB_ELEMENTS);
}

/* Two bytes on the wire become more than 300 in memory. */
static void amplification_ends_at_the_limit(void **state)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	struct pb_scan found;

	for (int i = 0; i < 20000; i++)
		buf_add(&b, "\x0a", 2);
	assert_int_equal(pb_scan(&containers__list_containers_response__descriptor, b.data,
					 b.size, NULL, &found),
			-1);
	assert_int_equal(found.fault, PB_MEMORY);
	assert_true(found.elements < 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_a_message),
		cmocka_unit_test(known_fields_of_every_wire_type_pass),
		cmocka_unit_test(cut_off_bytes_are_refused),
		cmocka_unit_test(field_number_zero_and_long_tags_are_refused),
		cmocka_unit_test(varints_hold_64_bits),
		cmocka_unit_test(a_length_beyond_the_end_is_refused),
		cmocka_unit_test(groups_and_unknown_wire_types_are_refused),
		cmocka_unit_test(a_known_field_has_its_wire_type),
		cmocka_unit_test(unknown_fields_are_skipped_and_counted),
		cmocka_unit_test(text_is_utf8_without_nul),
		cmocka_unit_test(the_fault_names_its_place),
		cmocka_unit_test(a_singular_message_comes_once),
		cmocka_unit_test(packed_numbers_are_counted_each),
		cmocka_unit_test(depth_ends_at_the_limit),
		cmocka_unit_test(elements_end_at_the_limit),
		cmocka_unit_test(amplification_ends_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
