/* SPDX-License-Identifier: Apache-2.0 */
#include "os/rest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"

/* Bits of /proc/<pid>/pagemap. */
#define PAGE_PRESENT (UINT64_C(1) << 63)
#define PAGE_SWAPPED (UINT64_C(1) << 62)
#define PAGE_OF_FILE (UINT64_C(1) << 61)

/* Frames of what is called from here. */
#define STACK_IN_USE ((uintptr_t)8 * 1024)
/* Less than what the kernel keeps free below the main thread's stack, so that nobody else's
 * memory is in it (Documentation/admin-guide/kernel-parameters.txt, stack_guard_gap: 1 MiB). */
#define STACK_SPAN ((uintptr_t)512 * 1024)

struct walk {
	int pagemap;
	uintptr_t page;
};

/* A page that somebody has written to, such as a debugger or a tracer with his breakpoint, is
 * no longer the file's. */
static bool can_come_back(uint64_t entry)
{
	return (entry & (PAGE_PRESENT | PAGE_SWAPPED)) == 0 || (entry & PAGE_OF_FILE) != 0;
}

static void drop_run(const struct walk *w, uintptr_t at, size_t pages)
{
	if (pages > 0)
		(void)madvise((void *)at, pages * w->page, MADV_DONTNEED);
}

static void drop_pages(const struct walk *w, uintptr_t at, uintptr_t end)
{
	uint64_t entries[256];

	while (at < end) {
		size_t want = (end - at) / w->page, run = 0, n;
		ssize_t got;

		want = want < 256 ? want : 256;
		got = pread(w->pagemap, entries, want * sizeof(entries[0]),
				(off_t)(at / w->page * sizeof(entries[0])));
		if (got < (ssize_t)sizeof(entries[0]))
			return;
		n = (size_t)got / sizeof(entries[0]);
		for (size_t i = 0; i < n; i++) {
			if (can_come_back(entries[i])) {
				run++;
				continue;
			}
			drop_run(w, at + (i - run) * w->page, run);
			run = 0;
		}
		drop_run(w, at + (n - run) * w->page, run);
		at += n * w->page;
	}
}

/* Relocated data is in writable segments, also where it is read-only by now. */
static int drop_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct walk *w = arg;

	(void)size;
	if (info->dlpi_addr == getauxval(AT_SYSINFO_EHDR))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && (p->p_flags & PF_W) == 0)
			drop_pages(w, at & ~(w->page - 1),
					(at + p->p_memsz + w->page - 1) & ~(w->page - 1));
	}
	return 0;
}

static void drop_stack(uintptr_t page)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t end = (here - STACK_IN_USE) & ~(page - 1);

	/* ENOMEM for where the stack has never been; the rest is done */
	if (gettid() == getpid())
		(void)madvise((void *)(end - STACK_SPAN), STACK_SPAN, MADV_DONTNEED);
}

/* Shared mappings of files that nobody can write to through them (a key-value file's, say). */
static void drop_shared(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	bool is_start = true;

	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		bool is_head = is_start;
		uintptr_t at, end;
		char perms[5];

		is_start = strchr(line, '\n') != NULL; /* a long name comes in pieces */
		if (is_head &&
				sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &at, &end,
						perms) == 3 &&
				strcmp(perms, "r--s") == 0)
			(void)madvise((void *)at, /* NOLINT(performance-no-int-to-ptr) */
					end - at, MADV_DONTNEED);
	}
	if (maps != NULL)
		(void)fclose(maps);
}

void process_rest(void)
{
	AUTO_CLOSE int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct walk w = { .pagemap = pagemap, .page = (uintptr_t)sysconf(_SC_PAGESIZE) };

	drop_shared();
	(void)malloc_trim(0);
	drop_stack(w.page);
	if (pagemap >= 0)
		(void)dl_iterate_phdr(drop_object, &w);
}
