/* SPDX-License-Identifier: Apache-2.0 */
/* Our messages against the peer's: every number, name, type and method, in both directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/services.h"
#include "base/attr.h"
#include "base/str.h"
#include "wire.h"

static const char *folder;

static const char *scalar_name(ProtobufCType type)
{
	static const char *const names[] = {
		[PROTOBUF_C_TYPE_INT32] = "int32",
		[PROTOBUF_C_TYPE_SINT32] = "sint32",
		[PROTOBUF_C_TYPE_SFIXED32] = "sfixed32",
		[PROTOBUF_C_TYPE_INT64] = "int64",
		[PROTOBUF_C_TYPE_SINT64] = "sint64",
		[PROTOBUF_C_TYPE_SFIXED64] = "sfixed64",
		[PROTOBUF_C_TYPE_UINT32] = "uint32",
		[PROTOBUF_C_TYPE_FIXED32] = "fixed32",
		[PROTOBUF_C_TYPE_UINT64] = "uint64",
		[PROTOBUF_C_TYPE_FIXED64] = "fixed64",
		[PROTOBUF_C_TYPE_FLOAT] = "float",
		[PROTOBUF_C_TYPE_DOUBLE] = "double",
		[PROTOBUF_C_TYPE_BOOL] = "bool",
		[PROTOBUF_C_TYPE_STRING] = "string",
		[PROTOBUF_C_TYPE_BYTES] = "bytes",
	};

	return names[type];
}

static const char *type_name(const ProtobufCFieldDescriptor *f)
{
	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return ((const ProtobufCMessageDescriptor *)f->descriptor)->name;
	if (f->type == PROTOBUF_C_TYPE_ENUM)
		return ((const ProtobufCEnumDescriptor *)f->descriptor)->name;
	return scalar_name(f->type);
}

static const char *label_name(const ProtobufCFieldDescriptor *f)
{
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return "repeated";
	return f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF ? "optional" : "one";
}

static const ProtobufCMessageDescriptor *message_of(const char *name)
{
	const ProtobufCMessageDescriptor *type = wire_message(name);

	if (type == NULL)
		fail_msg("no message %s", name);
	return type;
}

static void check_field(char **w)
{
	const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(
			message_of(w[1]), (unsigned)strtoul(w[2], NULL, 10));

	if (f == NULL)
		fail_msg("no field %s in %s", w[2], w[1]);
	if (!str_eq(f->name, w[3]) || !str_eq(type_name(f), w[4]) ||
			!str_eq(label_name(f), w[5]))
		fail_msg("%s %s: %s %s %s, not %s %s %s", w[1], w[2], f->name, type_name(f),
				label_name(f), w[3], w[4], w[5]);
}

static void check_enum(char **w)
{
	const ProtobufCEnumDescriptor *type = wire_enum(w[1]);
	const ProtobufCEnumValue *value;

	if (type == NULL)
		fail_msg("no enum %s", w[1]);
	value = protobuf_c_enum_descriptor_get_value_by_name(type, w[3]);
	if (value == NULL || value->value != (int)strtol(w[2], NULL, 10))
		fail_msg("%s: no %s = %s", w[1], w[3], w[2]);
}

static enum api_kind kind_of(const char *name)
{
	return str_eq(name, "UNARY")	       ? API_UNARY
	       : str_eq(name, "SERVER_STREAM") ? API_SERVER_STREAM
	       : str_eq(name, "CLIENT_STREAM") ? API_CLIENT_STREAM
					       : API_BIDI;
}

static void check_method(char **w)
{
	const struct api_service *service = api_service_find(w[1]);
	const struct api_method *method = service ? api_method_find(service, w[2]) : NULL;

	if (method == NULL)
		fail_msg("no method %s of %s", w[2], w[1]);
	assert_int_equal(method->kind, kind_of(w[3]));
	assert_string_equal(method->request->name, w[4]);
	assert_string_equal(method->response->name, w[5]);
}

/* Calls "check" for each fact of one sort and returns how many there are. */
static size_t each(const char *sort, size_t words, void (*check)(char **w))
{
	FILE *file = wire_open(folder, "fields.txt");
	size_t count = 0, n;
	char line[1024], *w[8];

	while ((n = wire_next(file, line, sizeof(line), w, ARRAY_LEN(w))) > 0) {
		if (strcmp(w[0], sort) != 0)
			continue;
		assert_int_equal(n, words);
		if (check != NULL)
			check(w);
		count++;
	}
	(void)fclose(file);
	return count;
}

static void check_message(char **w)
{
	assert_int_equal(message_of(w[1])->n_fields, strtoul(w[2], NULL, 10));
}

static void every_message_has_as_many_fields_as_the_peers(void **state)
{
	assert_in_range(each("message", 3, check_message), 350, 10000);
}

static void every_field_has_the_peers_number_name_and_type(void **state)
{
	assert_in_range(each("field", 6, check_field), 900, 100000);
}

static void every_enum_value_has_the_peers_number(void **state)
{
	assert_in_range(each("enum", 4, check_enum), 33, 10000);
}

static void every_method_of_the_peer_is_in_our_table(void **state)
{
	size_t ours = 0;

	for (size_t i = 0; i < API_SERVICE_COUNT; i++)
		ours += api_services[i].method_count;
	assert_int_equal(each("method", 6, check_method), ours);
}

static const char *wanted;
static size_t wanted_found;

static void find_wanted(char **w)
{
	wanted_found += str_eq(w[1], wanted);
}

static void we_have_no_message_the_peer_lacks(void **state)
{
	for (size_t i = 0; i < wire_message_count; i++) {
		wanted = wire_messages[i]->name;
		if (str_starts(wanted, "google.protobuf."))
			continue; /* straight from Debian's files; not all of them are used */
		wanted_found = 0;
		(void)each("message", 3, find_wanted);
		if (wanted_found != 1)
			fail_msg("%s is not a message of the peer", wanted);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_has_as_many_fields_as_the_peers),
		cmocka_unit_test(every_field_has_the_peers_number_name_and_type),
		cmocka_unit_test(every_enum_value_has_the_peers_number),
		cmocka_unit_test(every_method_of_the_peer_is_in_our_table),
		cmocka_unit_test(we_have_no_message_the_peer_lacks),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
