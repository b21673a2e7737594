/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb/cgroups_v1.pb-c.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_stat_priv.h"
#include "os/cgroup.h"

/* The kernel counts user and system time in ticks of this many nanoseconds, whatever HZ is. */
#define TICK_NS	       10000000
#define MAX_CPUS       8192
#define MAX_BLK	       4096
#define MAX_RDMA       64
#define MAX_PARTITIONS (1024 * 1024)

static void add_hugetlb(const struct cgroup *cg, struct arena *a, CgroupsV1__Metrics *m)
{
	char **sizes = stat_page_sizes(a);

	m->hugetlb = arena_calloc(a, strv_len(sizes), sizeof(*m->hugetlb));
	for (; *sizes != NULL; sizes++) {
		CgroupsV1__HugetlbStat *s =
				ARENA_NEW(a, CgroupsV1__HugetlbStat, cgroups_v1__hugetlb_stat);
		const char *usage = arena_printf(a, "hugetlb.%s.usage_in_bytes", *sizes);

		if (!stat_number(cg, "hugetlb", usage, &s->usage))
			continue;
		(void)stat_number(cg, "hugetlb",
				arena_printf(a, "hugetlb.%s.max_usage_in_bytes", *sizes),
				&s->max);
		(void)stat_number(cg, "hugetlb", arena_printf(a, "hugetlb.%s.failcnt", *sizes),
				&s->failcnt);
		s->pagesize = *sizes;
		m->hugetlb[m->n_hugetlb++] = s;
	}
}

static void add_pids(const struct cgroup *cg, struct arena *a, CgroupsV1__Metrics *m)
{
	uint64_t current;

	if (!stat_number(cg, "pids", "pids.current", &current))
		return;
	m->pids = ARENA_NEW(a, CgroupsV1__PidsStat, cgroups_v1__pids_stat);
	m->pids->current = current;
	(void)stat_number(cg, "pids", "pids.max", &m->pids->limit);
	if (m->pids->limit == UINT64_MAX)
		m->pids->limit = 0; /* "max" */
}

static void add_per_cpu(const char *text, struct arena *a, CgroupsV1__CPUUsage *u)
{
	size_t room = 0;

	for (const char *p = text; *p != '\0' && room < MAX_CPUS; p++)
		room += *p == ' ' || *p == '\n';
	u->per_cpu = arena_calloc(a, room + 1, sizeof(*u->per_cpu));
	while (u->n_per_cpu <= room) {
		char *end;
		unsigned long long n = strtoull(text, &end, 10);

		if (end == text)
			return;
		u->per_cpu[u->n_per_cpu++] = n;
		text = end;
	}
}

static void add_cpu_usage(const struct cgroup *cg, struct arena *a, CgroupsV1__CPUStat *cpu)
{
	AUTO_BUF struct buf buf = { 0 };
	struct cgroup_pair pair;
	const char *text;
	uint64_t total;

	if (!stat_number(cg, "cpuacct", "cpuacct.usage", &total))
		return;
	cpu->usage = ARENA_NEW(a, CgroupsV1__CPUUsage, cgroups_v1__cpuusage);
	cpu->usage->total = total;
	text = stat_text(cg, "cpuacct", "cpuacct.stat", &buf);
	while (text != NULL && cgroup_next_pair(&text, &pair)) {
		if (cgroup_pair_is(&pair, "user"))
			cpu->usage->user = pair.value * TICK_NS;
		else if (cgroup_pair_is(&pair, "system"))
			cpu->usage->kernel = pair.value * TICK_NS;
	}
	text = stat_text(cg, "cpuacct", "cpuacct.usage_percpu", &buf);
	if (text != NULL)
		add_per_cpu(text, a, cpu->usage);
}

static void add_cpu(const struct cgroup *cg, struct arena *a, CgroupsV1__Metrics *m)
{
	static const char *const aliases[] = { "nr_periods", "periods", "nr_throttled",
		"throttled_periods", NULL };
	AUTO_BUF struct buf buf = { 0 };
	const char *text;

	m->cpu = ARENA_NEW(a, CgroupsV1__CPUStat, cgroups_v1__cpustat);
	add_cpu_usage(cg, a, m->cpu);
	text = stat_text(cg, "cpu", "cpu.stat", &buf);
	if (text == NULL)
		return;
	m->cpu->throttling = ARENA_NEW(a, CgroupsV1__Throttle, cgroups_v1__throttle);
	stat_fill(text, aliases, &m->cpu->throttling->base);
}

static CgroupsV1__MemoryEntry *memory_entry(
		const struct cgroup *cg, struct arena *a, const char *which)
{
	CgroupsV1__MemoryEntry *e =
			ARENA_NEW(a, CgroupsV1__MemoryEntry, cgroups_v1__memory_entry);
	const struct {
		const char *name;
		uint64_t *to;
	} files[] = { { "usage_in_bytes", &e->usage }, { "max_usage_in_bytes", &e->max },
		{ "failcnt", &e->failcnt }, { "limit_in_bytes", &e->limit } };
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		any |= stat_number(cg, "memory",
				arena_printf(a, "memory.%s%s", which, files[i].name),
				files[i].to);
	return any ? e : NULL;
}

static void add_memory(const struct cgroup *cg, struct arena *a, CgroupsV1__Metrics *m)
{
	static const char *const aliases[] = { "pgpgin", "pg_pg_in", "pgpgout", "pg_pg_out",
		"pgfault", "pg_fault", "pgmajfault", "pg_maj_fault", "hierarchical_memsw_limit",
		"hierarchical_swap_limit", "total_pgpgin", "total_pg_pg_in", "total_pgpgout",
		"total_pg_pg_out", "total_pgfault", "total_pg_fault", "total_pgmajfault",
		"total_pg_maj_fault", NULL };
	AUTO_BUF struct buf buf = { 0 };
	const char *text = stat_text(cg, "memory", "memory.stat", &buf);

	if (text == NULL)
		return;
	m->memory = ARENA_NEW(a, CgroupsV1__MemoryStat, cgroups_v1__memory_stat);
	stat_fill(text, aliases, &m->memory->base);
	m->memory->usage = memory_entry(cg, a, "");
	m->memory->swap = memory_entry(cg, a, "memsw.");
	m->memory->kernel = memory_entry(cg, a, "kmem.");
	m->memory->kernel_tcp = memory_entry(cg, a, "kmem.tcp.");
	text = stat_text(cg, "memory", "memory.oom_control", &buf);
	if (text == NULL)
		return;
	m->memory_oom_control = ARENA_NEW(
			a, CgroupsV1__MemoryOomControl, cgroups_v1__memory_oom_control);
	stat_fill(text, NULL, &m->memory_oom_control->base);
}

struct blk_list {
	size_t *count;
	CgroupsV1__BlkIOEntry ***items;
};

/* "8:16 Read 123", or "8:16 123"; the grand total at the end is left out. */
static bool parse_blk(const char *line, struct arena *a, CgroupsV1__BlkIOEntry *e)
{
	unsigned long long major, minor, value;
	char op[16];

	if (sscanf(line, "%llu:%llu %15[A-Za-z] %llu", &major, &minor, op, &value) == 4)
		e->op = arena_strdup(a, op);
	else if (sscanf(line, "%llu:%llu %llu", &major, &minor, &value) != 3)
		return false;
	e->major = major;
	e->minor = minor;
	e->value = value;
	return true;
}

static const char *device_name(
		const char *partitions, uint64_t major, uint64_t minor, struct arena *a)
{
	for (const char *p = partitions; p != NULL; p = strchr(p, '\n')) {
		unsigned long long ma, mi, blocks;
		char name[65];

		p += *p == '\n';
		if (sscanf(p, "%llu %llu %llu %64s", &ma, &mi, &blocks, name) == 4 &&
				ma == major && mi == minor)
			return arena_printf(a, "/dev/%s", name);
	}
	return "";
}

static void add_blk(const struct cgroup *cg, const char *file, const char *partitions,
		struct arena *a, const struct blk_list *to)
{
	AUTO_BUF struct buf buf = { 0 };
	const char *text = stat_text(cg, "blkio", file, &buf);
	size_t lines = 0;

	for (const char *p = text; p != NULL && lines < MAX_BLK; p = strchr(p + 1, '\n'))
		lines++;
	*to->items = arena_calloc(a, lines + 1, sizeof(**to->items));
	for (const char *p = text; p != NULL && *to->count < lines; p = strchr(p, '\n')) {
		CgroupsV1__BlkIOEntry *e =
				ARENA_NEW(a, CgroupsV1__BlkIOEntry, cgroups_v1__blk_ioentry);

		p += *p == '\n';
		if (!parse_blk(p, a, e))
			continue;
		e->device = device_name(partitions, e->major, e->minor, a);
		(*to->items)[(*to->count)++] = e;
	}
}

static size_t add_all_blk(const struct cgroup *cg, const char *partitions, struct arena *a,
		CgroupsV1__BlkIOStat *b)
{
#define BLK(field)                                                                             \
	{                                                                                      \
		&b->n_##field##_recursive, &b->field##_recursive                               \
	}
	const struct {
		const char *file;
		struct blk_list to;
	} rows[] = {
		{ "blkio.sectors_recursive", BLK(sectors) },
		{ "blkio.io_service_bytes_recursive", BLK(io_service_bytes) },
		{ "blkio.io_serviced_recursive", BLK(io_serviced) },
		{ "blkio.io_queued_recursive", BLK(io_queued) },
		{ "blkio.io_service_time_recursive", BLK(io_service_time) },
		{ "blkio.io_wait_time_recursive", BLK(io_wait_time) },
		{ "blkio.io_merged_recursive", BLK(io_merged) },
		{ "blkio.io_time_recursive", BLK(io_time) },
	};
#undef BLK
	size_t total = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		add_blk(cg, rows[i].file, partitions, a, &rows[i].to);
		total += *rows[i].to.count;
	}
	return total;
}

static void add_blkio(const struct cgroup *cg, struct arena *a, CgroupsV1__Metrics *m)
{
	AUTO_BUF struct buf partitions = { .limit = MAX_PARTITIONS };
	AUTO_BUF struct buf probe = { 0 };
	CgroupsV1__BlkIOStat *b;

	if (stat_text(cg, "blkio", "cgroup.clone_children", &probe) == NULL)
		return;
	IGNORE(io_read_file(
			AT_FDCWD, "/proc/partitions", &partitions)); /* then without names */
	b = m->blkio = ARENA_NEW(a, CgroupsV1__BlkIOStat, cgroups_v1__blk_iostat);
	if (add_all_blk(cg, partitions.data, a, b) > 0)
		return;
	add_blk(cg, "blkio.throttle.io_serviced", partitions.data, a,
			&(struct blk_list){ &b->n_io_serviced_recursive,
					&b->io_serviced_recursive });
	add_blk(cg, "blkio.throttle.io_service_bytes", partitions.data, a,
			&(struct blk_list){ &b->n_io_service_bytes_recursive,
					&b->io_service_bytes_recursive });
}

static void add_rdma(const struct cgroup *cg, const char *file, struct arena *a, size_t *count,
		CgroupsV1__RdmaEntry ***items)
{
	AUTO_BUF struct buf buf = { 0 };
	struct stat_line line;
	const char *name;
	uint64_t value;
	char *at;

	if (stat_text(cg, "rdma", file, &buf) == NULL)
		return;
	*items = arena_calloc(a, MAX_RDMA, sizeof(**items));
	for (at = buf.data; *count < MAX_RDMA && stat_next_line(&at, &line);) {
		CgroupsV1__RdmaEntry *e = (*items)[(*count)++] =
				ARENA_NEW(a, CgroupsV1__RdmaEntry, cgroups_v1__rdma_entry);

		e->device = arena_strdup(a, line.device);
		while (stat_next_value(&line.rest, &name, &value)) {
			if (str_eq(name, "hca_handle"))
				e->hca_handles = value > UINT32_MAX ? UINT32_MAX
								    : (uint32_t)value;
			else if (str_eq(name, "hca_object"))
				e->hca_objects = value > UINT32_MAX ? UINT32_MAX
								    : (uint32_t)value;
		}
	}
}

CgroupsV1__Metrics *stat_v1(const struct cgroup *cg, struct arena *a)
{
	CgroupsV1__Metrics *m = ARENA_NEW(a, CgroupsV1__Metrics, cgroups_v1__metrics);

	add_hugetlb(cg, a, m);
	add_pids(cg, a, m);
	add_cpu(cg, a, m);
	add_memory(cg, a, m);
	add_blkio(cg, a, m);
	if (cgroup_path(cg, "rdma") != NULL) {
		m->rdma = ARENA_NEW(a, CgroupsV1__RdmaStat, cgroups_v1__rdma_stat);
		add_rdma(cg, "rdma.current", a, &m->rdma->n_current, &m->rdma->current);
		add_rdma(cg, "rdma.max", a, &m->rdma->n_limit, &m->rdma->limit);
	}
	return m;
}
