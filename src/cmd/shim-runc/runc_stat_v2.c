/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb/cgroups_v2.pb-c.h"
#include "base/buf.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_stat_priv.h"
#include "os/cgroup.h"

#define MAX_DEVICES 4096
#define MAX_RDMA    64

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static CgroupsV2__PSIData *pressure_line(const char *text, const char *which, struct arena *a)
{
	const char *p = strstr(text, which);
	CgroupsV2__PSIData *d;
	unsigned long long total;

	if (p == NULL)
		return NULL;
	d = ARENA_NEW(a, CgroupsV2__PSIData, cgroups_v2__psidata);
	if (sscanf(p + strlen(which), " avg10=%lf avg60=%lf avg300=%lf total=%llu", &d->avg10,
			    &d->avg60, &d->avg300, &total) == 4)
		d->total = total;
	return d;
}

static CgroupsV2__PSIStats *pressure(const struct cgroup *cg, const char *file, struct arena *a)
{
	AUTO_BUF struct buf buf = { 0 };
	const char *text = stat_text(cg, "", file, &buf);
	CgroupsV2__PSIStats *s;

	if (text == NULL)
		return NULL;
	s = ARENA_NEW(a, CgroupsV2__PSIStats, cgroups_v2__psistats);
	s->some = pressure_line(text, "some", a);
	s->full = pressure_line(text, "full", a);
	return s;
}

static void add_cpu(const struct cgroup *cg, struct arena *a, CgroupsV2__Metrics *m)
{
	AUTO_BUF struct buf buf = { 0 };

	m->cpu = ARENA_NEW(a, CgroupsV2__CPUStat, cgroups_v2__cpustat);
	stat_fill(stat_text(cg, "", "cpu.stat", &buf), NULL, &m->cpu->base);
	m->cpu->psi = pressure(cg, "cpu.pressure", a);
}

static void add_memory(const struct cgroup *cg, struct arena *a, CgroupsV2__Metrics *m)
{
	CgroupsV2__MemoryStat *s = ARENA_NEW(a, CgroupsV2__MemoryStat, cgroups_v2__memory_stat);
	const struct {
		const char *file;
		uint64_t *to;
	} numbers[] = { { "memory.current", &s->usage }, { "memory.max", &s->usage_limit },
		{ "memory.swap.current", &s->swap_usage },
		{ "memory.swap.max", &s->swap_limit }, { "memory.peak", &s->max_usage },
		{ "memory.swap.peak", &s->swap_max_usage } };
	AUTO_BUF struct buf buf = { 0 };
	const char *events;

	stat_fill(stat_text(cg, "", "memory.stat", &buf), NULL, &s->base);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		(void)stat_number(cg, "", numbers[i].file, numbers[i].to);
	s->psi = pressure(cg, "memory.pressure", a);
	m->memory = s;
	events = stat_text(cg, "", "memory.events", &buf);
	if (events == NULL)
		return;
	m->memory_events = ARENA_NEW(a, CgroupsV2__MemoryEvents, cgroups_v2__memory_events);
	stat_fill(events, NULL, &m->memory_events->base);
}

static void set_io(CgroupsV2__IOEntry *e, const char *name, uint64_t value)
{
	if (str_eq(name, "rbytes"))
		e->rbytes = value;
	else if (str_eq(name, "wbytes"))
		e->wbytes = value;
	else if (str_eq(name, "rios"))
		e->rios = value;
	else if (str_eq(name, "wios"))
		e->wios = value;
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (const char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	return lines + 1;
}

static void add_io(const struct cgroup *cg, struct arena *a, CgroupsV2__Metrics *m)
{
	AUTO_BUF struct buf buf = { 0 };
	struct stat_line line;
	unsigned long long major, minor;
	const char *name;
	uint64_t value;
	char *at;

	m->io = ARENA_NEW(a, CgroupsV2__IOStat, cgroups_v2__iostat);
	m->io->psi = pressure(cg, "io.pressure", a);
	if (stat_text(cg, "", "io.stat", &buf) == NULL)
		return;
	m->io->usage = arena_calloc(a, count_lines(buf.data), sizeof(*m->io->usage));
	for (at = buf.data; m->io->n_usage < MAX_DEVICES && stat_next_line(&at, &line);) {
		CgroupsV2__IOEntry *e;

		if (sscanf(line.device, "%llu:%llu", &major, &minor) != 2)
			continue;
		e = ARENA_NEW(a, CgroupsV2__IOEntry, cgroups_v2__ioentry);
		e->major = major;
		e->minor = minor;
		while (stat_next_value(&line.rest, &name, &value))
			set_io(e, name, value);
		m->io->usage[m->io->n_usage++] = e;
	}
}

static uint32_t to_u32(uint64_t n)
{
	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n; /* "max" too */
}

static void add_rdma(const struct cgroup *cg, const char *file, struct arena *a, size_t *count,
		CgroupsV2__RdmaEntry ***items)
{
	AUTO_BUF struct buf buf = { 0 };
	struct stat_line line;
	const char *name;
	uint64_t value;
	char *at;

	if (stat_text(cg, "", file, &buf) == NULL)
		return;
	*items = arena_calloc(a, MAX_RDMA, sizeof(**items));
	for (at = buf.data; *count < MAX_RDMA && stat_next_line(&at, &line);) {
		CgroupsV2__RdmaEntry *e = (*items)[(*count)++] =
				ARENA_NEW(a, CgroupsV2__RdmaEntry, cgroups_v2__rdma_entry);

		e->device = arena_strdup(a, line.device);
		while (stat_next_value(&line.rest, &name, &value)) {
			if (str_eq(name, "hca_handle"))
				e->hca_handles = to_u32(value);
			else if (str_eq(name, "hca_object"))
				e->hca_objects = to_u32(value);
		}
	}
}

static void add_hugetlb(const struct cgroup *cg, struct arena *a, CgroupsV2__Metrics *m)
{
	char **sizes = stat_page_sizes(a);

	m->hugetlb = arena_calloc(a, strv_len(sizes), sizeof(*m->hugetlb));
	for (; *sizes != NULL; sizes++) {
		CgroupsV2__HugeTlbStat *s =
				ARENA_NEW(a, CgroupsV2__HugeTlbStat, cgroups_v2__huge_tlb_stat);
		const char *current = arena_printf(a, "hugetlb.%s.current", *sizes);
		AUTO_BUF struct buf buf = { 0 };
		struct cgroup_pair pair;
		const char *events;

		if (!stat_number(cg, "", current, &s->current))
			continue;
		(void)stat_number(cg, "", arena_printf(a, "hugetlb.%s.max", *sizes), &s->max);
		events = stat_text(cg, "", arena_printf(a, "hugetlb.%s.events", *sizes), &buf);
		while (events != NULL && cgroup_next_pair(&events, &pair))
			if (cgroup_pair_is(&pair, "max"))
				s->failcnt = pair.value;
		s->pagesize = *sizes;
		m->hugetlb[m->n_hugetlb++] = s;
	}
}

CgroupsV2__Metrics *stat_v2(const struct cgroup *cg, struct arena *a)
{
	CgroupsV2__Metrics *m = ARENA_NEW(a, CgroupsV2__Metrics, cgroups_v2__metrics);

	m->pids = ARENA_NEW(a, CgroupsV2__PidsStat, cgroups_v2__pids_stat);
	(void)stat_number(cg, "", "pids.current", &m->pids->current);
	(void)stat_number(cg, "", "pids.max", &m->pids->limit);
	add_cpu(cg, a, m);
	add_memory(cg, a, m);
	m->rdma = ARENA_NEW(a, CgroupsV2__RdmaStat, cgroups_v2__rdma_stat);
	add_rdma(cg, "rdma.current", a, &m->rdma->n_current, &m->rdma->current);
	add_rdma(cg, "rdma.max", a, &m->rdma->n_limit, &m->rdma->limit);
	add_io(cg, a, m);
	add_hugetlb(cg, a, m);
	return m;
}
