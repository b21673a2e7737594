/* SPDX-License-Identifier: Apache-2.0 */
/* Groups made of ordinary files. */
#include "cmd/shim-runc/runc_stat_priv.h"

#include "api/arena.h"
#include "api/pb/cgroups_v1.pb-c.h"
#include "api/pb/cgroups_v2.pb-c.h"
#include "base/mem.h"
#include "os/cgroup.h"
#include "support/tempdir.h"
#include "unit/unit.h"

struct fixture {
	struct tempdir dir;
	struct cgroup cg;
	struct cgroup_dir dirs[8];
	struct arena arena;
};

static void make(struct fixture *f, bool unified)
{
	static const char *const controllers[] = { "cpu", "cpuacct", "memory", "pids", "blkio",
		"hugetlb", "rdma" };

	*f = (struct fixture){ 0 };
	tempdir_make(&f->dir);
	arena_init(&f->arena, 1 << 20);
	f->cg.unified = unified;
	f->cg.dirs = f->dirs;
	f->cg.count = unified ? 1 : ARRAY_LEN(controllers);
	for (size_t i = 0; i < f->cg.count; i++) {
		f->dirs[i].controller = (char *)(uintptr_t)(unified ? "" : controllers[i]);
		f->dirs[i].path = f->dir.path;
	}
}

static void end(struct fixture *f)
{
	tempdir_remove(&f->dir);
	arena_done(&f->arena);
}

static void version_2_numbers_land_in_their_fields(void **state)
{
	const CgroupsV2__Metrics *m;
	struct fixture f;

	make(&f, true);
	put_file(f.dir.fd, "pids.current", "3\n");
	put_file(f.dir.fd, "pids.max", "max\n");
	put_file(f.dir.fd, "cpu.stat",
			"usage_usec 10\nuser_usec 7\nsystem_usec 3\nnew_key 1\n");
	put_file(f.dir.fd, "cpu.pressure", "some avg10=1.50 avg60=0.25 avg300=0.00 total=99\n");
	put_file(f.dir.fd, "memory.stat", "anon 1\nfile 2\nusage 66\nthp_fault_alloc 3\n");
	put_file(f.dir.fd, "memory.current", "4096\n");
	put_file(f.dir.fd, "memory.max", "max\n");
	put_file(f.dir.fd, "memory.events", "low 0\noom_kill 2\n");
	put_file(f.dir.fd, "io.stat",
			"8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n9:1\n");
	put_file(f.dir.fd, "rdma.max", "mlx4_0 hca_handle=2 hca_object=max\n");
	m = stat_v2(&f.cg, &f.arena);
	assert_int_equal(m->pids->current, 3);
	assert_true(m->pids->limit == UINT64_MAX);
	assert_int_equal(m->cpu->usage_usec, 10);
	assert_int_equal(m->cpu->system_usec, 3);
	assert_true(m->cpu->psi->some->avg10 == 1.5);
	assert_int_equal(m->cpu->psi->some->total, 99);
	assert_null(m->cpu->psi->full);
	assert_int_equal(m->memory->anon, 1);
	assert_int_equal(m->memory->thp_fault_alloc, 3);
	assert_int_equal(m->memory->usage, 4096);
	assert_true(m->memory->usage_limit == UINT64_MAX);
	assert_int_equal(m->memory_events->oom_kill, 2);
	assert_int_equal(m->io->n_usage, 1);
	assert_int_equal(m->io->usage[0]->major, 8);
	assert_int_equal(m->io->usage[0]->wios, 4);
	assert_int_equal(m->rdma->n_limit, 1);
	assert_true(m->rdma->limit[0]->hca_objects == UINT32_MAX);
	end(&f);
}

static void a_version_2_group_that_is_gone_is_all_zero(void **state)
{
	const CgroupsV2__Metrics *m;
	struct fixture f;

	make(&f, true);
	m = stat_v2(&f.cg, &f.arena);
	assert_int_equal(m->pids->current, 0);
	assert_int_equal(m->memory->usage, 0);
	assert_null(m->memory_events);
	assert_null(m->cpu->psi);
	end(&f);
}

static void version_1_numbers_land_in_their_fields(void **state)
{
	const CgroupsV1__Metrics *m;
	struct fixture f;

	make(&f, false);
	put_file(f.dir.fd, "pids.current", "3\n");
	put_file(f.dir.fd, "pids.max", "max\n");
	put_file(f.dir.fd, "cpuacct.usage", "1000\n");
	put_file(f.dir.fd, "cpuacct.stat", "user 2\nsystem 5\n");
	put_file(f.dir.fd, "cpuacct.usage_percpu", "600 400 \n");
	put_file(f.dir.fd, "cpu.stat", "nr_periods 1\nnr_throttled 2\nthrottled_time 3\n");
	put_file(f.dir.fd, "memory.stat",
			"cache 1\npgpgin 2\ntotal_pgmajfault 3\n"
			"hierarchical_memsw_limit 4\n");
	put_file(f.dir.fd, "memory.usage_in_bytes", "5\n");
	put_file(f.dir.fd, "memory.memsw.limit_in_bytes", "6\n");
	put_file(f.dir.fd, "memory.oom_control",
			"oom_kill_disable 0\nunder_oom 1\noom_kill 2\n");
	put_file(f.dir.fd, "cgroup.clone_children", "0\n");
	put_file(f.dir.fd, "blkio.throttle.io_service_bytes",
			"8:0 Read 7\n8:0 Total 7\nTotal 7\n");
	m = stat_v1(&f.cg, &f.arena);
	assert_int_equal(m->pids->current, 3);
	assert_int_equal(m->pids->limit, 0); /* as the original has it */
	assert_int_equal(m->cpu->usage->total, 1000);
	assert_int_equal(m->cpu->usage->user, 20000000);
	assert_int_equal(m->cpu->usage->kernel, 50000000);
	assert_int_equal(m->cpu->usage->n_per_cpu, 2);
	assert_int_equal(m->cpu->usage->per_cpu[1], 400);
	assert_int_equal(m->cpu->throttling->throttled_periods, 2);
	assert_int_equal(m->cpu->throttling->throttled_time, 3);
	assert_int_equal(m->memory->cache, 1);
	assert_int_equal(m->memory->pg_pg_in, 2);
	assert_int_equal(m->memory->total_pg_maj_fault, 3);
	assert_int_equal(m->memory->hierarchical_swap_limit, 4);
	assert_int_equal(m->memory->usage->usage, 5);
	assert_int_equal(m->memory->swap->limit, 6);
	assert_null(m->memory->kernel);
	assert_int_equal(m->memory_oom_control->oom_kill, 2);
	assert_int_equal(m->blkio->n_io_service_bytes_recursive, 2);
	assert_string_equal(m->blkio->io_service_bytes_recursive[0]->op, "Read");
	assert_int_equal(m->blkio->io_service_bytes_recursive[1]->value, 7);
	end(&f);
}

static void a_version_1_group_that_is_gone_leaves_parts_out(void **state)
{
	const CgroupsV1__Metrics *m;
	struct fixture f;

	make(&f, false);
	m = stat_v1(&f.cg, &f.arena);
	assert_null(m->pids);
	assert_null(m->memory);
	assert_null(m->blkio);
	assert_non_null(m->cpu);
	assert_null(m->cpu->usage);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(version_2_numbers_land_in_their_fields),
		TEST(a_version_2_group_that_is_gone_is_all_zero),
		TEST(version_1_numbers_land_in_their_fields),
		TEST(a_version_1_group_that_is_gone_leaves_parts_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
