/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "os/rest.h"

#define PAGE  ((size_t)4096)
#define PAGES 64

/* More than the kernel brings at a fault around it. */
static const unsigned char constants[PAGES * PAGE] __attribute__((aligned(4096))) = { 1 };

/* Relocated: not as it is in the file. */
static const char *const names[] = { "one", "two", "three" };

static const volatile unsigned char *page(size_t i)
{
	return constants + i * PAGE;
}

static bool is_mapped(const volatile void *at)
{
	AUTO_CLOSE int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	assert_int_equal(pread(fd, &entry, sizeof(entry),
					 (off_t)((uintptr_t)at / PAGE * sizeof(entry))),
			sizeof(entry));
	return (entry >> 63) != 0;
}

static void constants_are_let_go_and_come_back(void **state)
{
	unsigned sum = 0;

	for (size_t i = 0; i < PAGES; i++)
		sum += *page(i);
	assert_int_equal(sum, 1);
	assert_true(is_mapped(page(PAGES / 2)));
	process_rest();
	assert_false(is_mapped(page(PAGES / 2)));
	assert_int_equal(*page(0), 1);
	assert_int_equal(*page(PAGES / 2), 0);
}

static void a_page_that_was_written_to_stays(void **state)
{
	unsigned char *at = (unsigned char *)(uintptr_t)page(PAGES / 2);

	assert_int_equal(mprotect(at, PAGE, PROT_READ | PROT_WRITE), 0);
	*(volatile unsigned char *)at = 0xcc; /* as a debugger does */
	assert_int_equal(mprotect(at, PAGE, PROT_READ), 0);
	process_rest();
	assert_int_equal(*page(PAGES / 2), 0xcc);
	assert_false(is_mapped(page(PAGES / 2 - 1)));
	assert_false(is_mapped(page(PAGES / 2 + 1)));
}

static void relocated_data_stays(void **state)
{
	process_rest();
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(strlen(((const char *const volatile *)names)[i]),
				i < 2 ? 3 : 5);
}

static void a_file_mapped_for_reading_is_let_go_and_comes_back(void **state)
{
	AUTO_CLOSE int fd = memfd_create("file", MFD_CLOEXEC);
	const volatile unsigned char *at;

	assert_int_equal(pwrite(fd, "x", 1, PAGE), 1);
	at = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(at[PAGE], 'x');
	assert_true(is_mapped(at + PAGE));
	process_rest();
	assert_false(is_mapped(at + PAGE));
	assert_int_equal(at[PAGE], 'x');
	assert_int_equal(munmap((void *)(uintptr_t)at, 2 * PAGE), 0);
}

static int touch_deep(int depth)
{
	volatile char room[2048] = { 0 };

	room[0] = (char)depth;
	return depth == 0 ? 0 : touch_deep(depth - 1) + room[0] - (char)depth;
}

static void what_is_on_the_stack_stays_and_what_was_goes(void **state)
{
	char kept[256];
	const void *below = (const void *)((uintptr_t)kept - 64 * 1024);

	memset(kept, 'k', sizeof(kept));
	assert_int_equal(touch_deep(40), 0);
	assert_true(is_mapped(below));
	process_rest();
	assert_false(is_mapped(below));
	for (size_t i = 0; i < sizeof(kept); i++)
		assert_int_equal(kept[i], 'k');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constants_are_let_go_and_come_back),
		cmocka_unit_test(a_page_that_was_written_to_stays),
		cmocka_unit_test(relocated_data_stays),
		cmocka_unit_test(a_file_mapped_for_reading_is_let_go_and_comes_back),
		cmocka_unit_test(what_is_on_the_stack_stays_and_what_was_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
