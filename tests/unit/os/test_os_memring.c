/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "os/memring.h"

#define SIZE 65536

static void ranges_over_the_end_are_contiguous(void **state)
{
	AUTO_CLOSE int fd = memring_make(SIZE);
	struct memring r = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(memring_map(fd, SIZE, true, &r), 0);
	memcpy(memring_at(&r, SIZE - 3), "abcdef", 6);
	assert_memory_equal(memring_at(&r, SIZE), "def", 3);
	assert_memory_equal(memring_at(&r, 5 * SIZE - 3), "abcdef", 6);
	memring_unmap(&r);
	memring_unmap(&r);
}

static void the_size_cannot_be_changed(void **state)
{
	AUTO_CLOSE int fd = memring_make(SIZE);

	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 2 * SIZE), -1);
}

static void sealed_rings_can_only_be_read_by_others(void **state)
{
	AUTO_CLOSE int fd = memring_make(SIZE);
	struct memring writer = { 0 }, reader = { 0 };

	assert_int_equal(memring_map(fd, SIZE, true, &writer), 0);
	assert_int_equal(memring_seal_writing(fd), 0);
	assert_int_equal(memring_map(fd, SIZE, true, &reader), -EPERM);
	assert_int_equal(memring_map(fd, SIZE, false, &reader), 0);
	assert_int_equal(mprotect(reader.base, SIZE, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	*memring_at(&writer, 7) = 'x';
	assert_int_equal(*memring_at(&reader, 7), 'x');
	memring_unmap(&writer);
	memring_unmap(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ranges_over_the_end_are_contiguous),
		TEST(the_size_cannot_be_changed),
		TEST(sealed_rings_can_only_be_read_by_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
