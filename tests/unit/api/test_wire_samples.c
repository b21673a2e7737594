/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes with every field set, made by another encoder from the peer's definitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/arena.h"
#include "api/pb.h"
#include "base/attr.h"
#include "base/auto.h"
#include "base/err.h"
#include "wire.h"

static const char *folder;

static void check_sample(const char *name, const char *hex)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	size_t size, packed_size;
	AUTO_FREE unsigned char *bytes = wire_unhex(hex, &size);
	const ProtobufCMessageDescriptor *type = wire_message(name);
	ProtobufCMessage *message;
	const void *packed;

	arena_init(&a, SIZE_MAX);
	if (type == NULL)
		fail_msg("no message %s", name);
	if (pb_decode(type, bytes, size, &a, NULL, &message, &err) < 0)
		fail_msg("%s: %s", name, err_text(&err));
	if (wire_count_unknown(message) != 0 || wire_count_unset(message) != 0)
		fail_msg("%s: %zu unknown fields, %zu without a value", name,
				wire_count_unknown(message), wire_count_unset(message));
	packed = pb_encode_arena(message, &a, &packed_size);
	if (packed_size != size || memcmp(packed, bytes, size) != 0)
		fail_msg("%s: packs to other bytes", name);
}

static void every_message_decodes_and_packs_to_the_same_bytes(void **state)
{
	FILE *file = wire_open(folder, "samples.txt");
	size_t count = 0;
	static char line[65536];
	char *w[2];

	while (wire_next(file, line, sizeof(line), w, 2) == 2) {
		check_sample(w[0], w[1]);
		count++;
	}
	(void)fclose(file);
	assert_in_range(count, 300, 10000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_decodes_and_packs_to_the_same_bytes),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
