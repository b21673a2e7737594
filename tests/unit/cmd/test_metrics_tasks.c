/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of tasks as families, in both versions of control groups. */
#include "unit/unit.h"

#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/cgroups_v1.pb-c.h"
#include "api/pb/cgroups_v2.pb-c.h"
#include "base/auto.h"
#include "base/buf.h"
#include "cmd/containerd/metrics_tasks.h"
#include "core/namespace.h"
#include "core/task.h"

static struct task_metric metric;

static int list(struct namespace_store *self, struct ctx *ctx, namespace_each each, void *arg,
		struct err *err)
{
	const struct labels none = { 0 };

	return each(arg, "ns", &none, err);
}

static void answer(struct task_service *self, struct ctx *ctx, const struct task_request *r,
		task_done done, void *arg)
{
	struct task_reply reply = { .metrics = &metric, .count = 1 };

	assert_int_equal(r->verb, TASK_METRICS);
	done(arg, &reply, NULL);
}

static char *scrape(const char *type, const ProtobufCMessage *m, const char *runtime)
{
	static const struct namespace_store_ops namespace_ops = { .list = list };
	static const struct task_service_ops task_ops = { .call = answer };
	struct namespace_store namespaces = { &namespace_ops };
	struct task_service tasks = { &task_ops };
	AUTO_BUF struct buf data = { .limit = SIZE_MAX };
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };

	pb_encode(m, &data);
	metric = (struct task_metric){ "c1", 9, { true, (char *)type, data.data, data.size },
		runtime };
	metrics_add_tasks(&namespaces, &tasks, &out);
	return buf_take_str(&out);
}

#define assert_has(text, line)                                                                 \
	do {                                                                                   \
		if (strstr((text), (line)) == NULL)                                            \
			fail_msg("no %s in\n%s", (line), (text));                              \
	} while (0)

static void lists_of_the_second_version_have_a_series_per_device(void **state)
{
	CgroupsV2__Metrics m = CGROUPS_V2__METRICS__INIT;
	CgroupsV2__IOStat io = CGROUPS_V2__IOSTAT__INIT;
	CgroupsV2__IOEntry a = CGROUPS_V2__IOENTRY__INIT, b = CGROUPS_V2__IOENTRY__INIT;
	CgroupsV2__IOEntry *entries[] = { &a, &b };
	AUTO_FREE char *text = NULL;

	a.major = 8;
	a.rbytes = 4096;
	a.wios = 3;
	b.major = 254;
	b.minor = 1;
	b.wbytes = 7;
	io.n_usage = 2;
	io.usage = entries;
	m.io = &io;
	text = scrape("io.containerd.cgroups.v2.Metrics", &m.base, "runc");
	assert_has(text, "# TYPE container_io_rbytes_bytes gauge\n");
	assert_has(text, "\ncontainer_io_rbytes_bytes{container_id=\"c1\",major=\"8\","
			 "minor=\"0\",namespace=\"ns\",runtime=\"runc\"} 4096\n");
	assert_has(text, "\ncontainer_io_wios_total{container_id=\"c1\",major=\"8\","
			 "minor=\"0\",namespace=\"ns\",runtime=\"runc\"} 3\n");
	assert_has(text, "\ncontainer_io_wbytes_bytes{container_id=\"c1\",major=\"254\","
			 "minor=\"1\",namespace=\"ns\",runtime=\"runc\"} 7\n");
}

static void lists_of_the_first_version_have_their_labels(void **state)
{
	CgroupsV1__Metrics m = CGROUPS_V1__METRICS__INIT;
	CgroupsV1__HugetlbStat huge = CGROUPS_V1__HUGETLB_STAT__INIT, *pages[] = { &huge };
	CgroupsV1__BlkIOStat io = CGROUPS_V1__BLK_IOSTAT__INIT;
	CgroupsV1__BlkIOEntry entry = CGROUPS_V1__BLK_IOENTRY__INIT, *entries[] = { &entry };
	CgroupsV1__CPUStat cpu = CGROUPS_V1__CPUSTAT__INIT;
	CgroupsV1__CPUUsage usage = CGROUPS_V1__CPUUSAGE__INIT;
	uint64_t per_cpu[] = { 5, 6 };
	AUTO_FREE char *text = NULL;

	huge.pagesize = "2MB";
	huge.max = 11;
	m.n_hugetlb = 1;
	m.hugetlb = pages;
	entry.op = "Re\"ad";
	entry.device = "/dev/sda";
	entry.major = 8;
	entry.value = 12;
	io.n_io_service_bytes_recursive = 1;
	io.io_service_bytes_recursive = entries;
	m.blkio = &io;
	usage.n_per_cpu = 2;
	usage.per_cpu = per_cpu;
	cpu.usage = &usage;
	m.cpu = &cpu;
	text = scrape("io.containerd.cgroups.v1.Metrics", &m.base, NULL);
	assert_has(text, "\ncontainer_hugetlb_max_bytes{container_id=\"c1\",namespace=\"ns\","
			 "page=\"2MB\"} 11\n");
	assert_has(text, "\ncontainer_blkio_io_service_bytes_recursive_bytes{"
			 "container_id=\"c1\",device=\"/dev/sda\",major=\"8\",minor=\"0\","
			 "namespace=\"ns\",op=\"Re\\\"ad\"} 12\n");
	assert_has(text, "\ncontainer_per_cpu_nanoseconds{container_id=\"c1\",cpu=\"1\","
			 "namespace=\"ns\"} 6\n");
	/* A controller without figures has no families. */
	assert_null(strstr(text, "container_pids"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lists_of_the_second_version_have_a_series_per_device),
		TEST(lists_of_the_first_version_have_their_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
