/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd/metrics_tasks.h"

#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/cgroups_v1.pb-c.h"
#include "api/pb/cgroups_v2.pb-c.h"
#include "api/typeurl.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/namespace.h"
#include "core/task.h"
#include "metrics/metrics.h"

#define MAX_FIGURES (4 * 1024 * 1024)

/* Where in a message a figure stands, and what its family is called. */
struct figure {
	const char *path, *name;
};

static const struct figure figures_v1[] = {
	{ "pids.limit", "container_pids_limit" },
	{ "pids.current", "container_pids_current" },
	{ "cpu.usage.total", "container_cpu_total_nanoseconds" },
	{ "cpu.usage.kernel", "container_cpu_kernel_nanoseconds" },
	{ "cpu.usage.user", "container_cpu_user_nanoseconds" },
	{ "cpu.throttling.periods", "container_cpu_throttle_periods_total" },
	{ "cpu.throttling.throttled_periods", "container_cpu_throttled_periods_total" },
	{ "cpu.throttling.throttled_time", "container_cpu_throttled_time_nanoseconds" },
	{ "memory.cache", "container_memory_cache_bytes" },
	{ "memory.rss", "container_memory_rss_bytes" },
	{ "memory.rss_huge", "container_memory_rss_huge_bytes" },
	{ "memory.mapped_file", "container_memory_mapped_file_bytes" },
	{ "memory.dirty", "container_memory_dirty_bytes" },
	{ "memory.writeback", "container_memory_writeback_bytes" },
	{ "memory.pg_pg_in", "container_memory_pgpgin_bytes" },
	{ "memory.pg_pg_out", "container_memory_pgpgout_bytes" },
	{ "memory.pg_fault", "container_memory_pgfault_bytes" },
	{ "memory.pg_maj_fault", "container_memory_pgmajfault_bytes" },
	{ "memory.inactive_anon", "container_memory_inactive_anon_bytes" },
	{ "memory.active_anon", "container_memory_active_anon_bytes" },
	{ "memory.inactive_file", "container_memory_inactive_file_bytes" },
	{ "memory.active_file", "container_memory_active_file_bytes" },
	{ "memory.unevictable", "container_memory_unevictable_bytes" },
	{ "memory.total_cache", "container_memory_total_cache_bytes" },
	{ "memory.total_rss", "container_memory_total_rss_bytes" },
	{ "memory.total_rss_huge", "container_memory_total_rss_huge_bytes" },
	{ "memory.total_mapped_file", "container_memory_total_mapped_file_bytes" },
	{ "memory.total_dirty", "container_memory_total_dirty_bytes" },
	{ "memory.total_writeback", "container_memory_total_writeback_bytes" },
	{ "memory.total_pg_pg_in", "container_memory_total_pgpgin_bytes" },
	{ "memory.total_pg_pg_out", "container_memory_total_pgpgout_bytes" },
	{ "memory.total_pg_fault", "container_memory_total_pgfault_bytes" },
	{ "memory.total_pg_maj_fault", "container_memory_total_pgmajfault_bytes" },
	{ "memory.total_inactive_anon", "container_memory_total_inactive_anon_bytes" },
	{ "memory.total_active_anon", "container_memory_total_active_anon_bytes" },
	{ "memory.total_inactive_file", "container_memory_total_inactive_file_bytes" },
	{ "memory.total_active_file", "container_memory_total_active_file_bytes" },
	{ "memory.total_unevictable", "container_memory_total_unevictable_bytes" },
	{ "memory.hierarchical_memory_limit",
			"container_memory_hierarchical_memory_limit_bytes" },
	{ "memory.hierarchical_swap_limit", "container_memory_hierarchical_memsw_limit_bytes" },
	{ "memory.usage.failcnt", "container_memory_usage_failcnt_total" },
	{ "memory.usage.limit", "container_memory_usage_limit_bytes" },
	{ "memory.usage.max", "container_memory_usage_max_bytes" },
	{ "memory.usage.usage", "container_memory_usage_usage_bytes" },
	{ "memory.swap.failcnt", "container_memory_swap_failcnt_total" },
	{ "memory.swap.limit", "container_memory_swap_limit_bytes" },
	{ "memory.swap.max", "container_memory_swap_max_bytes" },
	{ "memory.swap.usage", "container_memory_swap_usage_bytes" },
	{ "memory.kernel.failcnt", "container_memory_kernel_failcnt_total" },
	{ "memory.kernel.limit", "container_memory_kernel_limit_bytes" },
	{ "memory.kernel.max", "container_memory_kernel_max_bytes" },
	{ "memory.kernel.usage", "container_memory_kernel_usage_bytes" },
	{ "memory.kernel_tcp.failcnt", "container_memory_kerneltcp_failcnt_total" },
	{ "memory.kernel_tcp.limit", "container_memory_kerneltcp_limit_bytes" },
	{ "memory.kernel_tcp.max", "container_memory_kerneltcp_max_bytes" },
	{ "memory.kernel_tcp.usage", "container_memory_kerneltcp_usage_bytes" },
};

static const struct figure figures_v2[] = {
	{ "pids.limit", "container_pids_limit" },
	{ "pids.current", "container_pids_current" },
	{ "cpu.usage_usec", "container_cpu_usage_usec_microseconds" },
	{ "cpu.user_usec", "container_cpu_user_usec_microseconds" },
	{ "cpu.system_usec", "container_cpu_system_usec_microseconds" },
	{ "cpu.throttled_usec", "container_cpu_throttled_usec_microseconds" },
	{ "cpu.nr_periods", "container_cpu_nr_periods_total" },
	{ "cpu.nr_throttled", "container_cpu_nr_throttled_total" },
	{ "memory.usage", "container_memory_usage_bytes" },
	{ "memory.usage_limit", "container_memory_usage_limit_bytes" },
	{ "memory.swap_usage", "container_memory_swap_usage_bytes" },
	{ "memory.swap_limit", "container_memory_swap_limit_bytes" },
	{ "memory.file_mapped", "container_memory_file_mapped_bytes" },
	{ "memory.file_dirty", "container_memory_file_dirty_bytes" },
	{ "memory.file_writeback", "container_memory_file_writeback_bytes" },
	{ "memory.pgactivate", "container_memory_pgactivate_bytes" },
	{ "memory.pgdeactivate", "container_memory_pgdeactivate_bytes" },
	{ "memory.pgfault", "container_memory_pgfault_bytes" },
	{ "memory.pgmajfault", "container_memory_pgmajfault_bytes" },
	{ "memory.pglazyfree", "container_memory_pglazyfree_bytes" },
	{ "memory.pgrefill", "container_memory_pgrefill_bytes" },
	{ "memory.pglazyfreed", "container_memory_pglazyfreed_bytes" },
	{ "memory.pgscan", "container_memory_pgscan_bytes" },
	{ "memory.pgsteal", "container_memory_pgsteal_bytes" },
	{ "memory.inactive_anon", "container_memory_inactive_anon_bytes" },
	{ "memory.active_anon", "container_memory_active_anon_bytes" },
	{ "memory.inactive_file", "container_memory_inactive_file_bytes" },
	{ "memory.active_file", "container_memory_active_file_bytes" },
	{ "memory.unevictable", "container_memory_unevictable_bytes" },
	{ "memory.anon", "container_memory_anon_bytes" },
	{ "memory.file", "container_memory_file_bytes" },
	{ "memory.kernel_stack", "container_memory_kernel_stack_bytes" },
	{ "memory.slab", "container_memory_slab_bytes" },
	{ "memory.sock", "container_memory_sock_bytes" },
	{ "memory.shmem", "container_memory_shmem_bytes" },
	{ "memory.anon_thp", "container_memory_anon_thp_bytes" },
	{ "memory.slab_reclaimable", "container_memory_slab_reclaimable_bytes" },
	{ "memory.slab_unreclaimable", "container_memory_slab_unreclaimable_bytes" },
	{ "memory.workingset_refault", "container_memory_workingset_refault_bytes" },
	{ "memory.workingset_activate", "container_memory_workingset_activate_bytes" },
	{ "memory.workingset_nodereclaim", "container_memory_workingset_nodereclaim_bytes" },
	{ "memory.thp_fault_alloc", "container_memory_thp_fault_alloc_bytes" },
	{ "memory.thp_collapse_alloc", "container_memory_thp_collapse_alloc_bytes" },
	{ "memory_events.oom", "container_memory_oom_total" },
};

/* Lists: the figures of each element, told apart by labels. */
struct list_figure {
	const char *path;  /* to the list */
	const char *field; /* of an element; NULL: the elements are numbers */
	const char *name;
	const char *const *labels; /* key and field in turn; a NULL field: the index */
};

static const char *const by_cpu[] = { "cpu", NULL, NULL };
static const char *const by_page[] = { "page", "pagesize", NULL };
static const char *const by_operation[] = { "device", "device", "major", "major", "minor",
	"minor", "op", "op", NULL };
static const char *const by_device[] = { "major", "major", "minor", "minor", NULL };

static const struct list_figure lists_v1[] = {
	{ "cpu.usage.per_cpu", NULL, "container_per_cpu_nanoseconds", by_cpu },
	{ "hugetlb", "usage", "container_hugetlb_usage_bytes", by_page },
	{ "hugetlb", "failcnt", "container_hugetlb_failcnt_total", by_page },
	{ "hugetlb", "max", "container_hugetlb_max_bytes", by_page },
	{ "blkio.io_merged_recursive", "value", "container_blkio_io_merged_recursive_total",
			by_operation },
	{ "blkio.io_queued_recursive", "value", "container_blkio_io_queued_recursive_total",
			by_operation },
	{ "blkio.io_service_bytes_recursive", "value",
			"container_blkio_io_service_bytes_recursive_bytes", by_operation },
	{ "blkio.io_service_time_recursive", "value",
			"container_blkio_io_service_time_recursive_total", by_operation },
	{ "blkio.io_serviced_recursive", "value", "container_blkio_io_serviced_recursive_total",
			by_operation },
	{ "blkio.io_time_recursive", "value", "container_blkio_io_time_recursive_total",
			by_operation },
	{ "blkio.sectors_recursive", "value", "container_blkio_sectors_recursive_total",
			by_operation },
};

static const struct list_figure lists_v2[] = {
	{ "io.usage", "rbytes", "container_io_rbytes_bytes", by_device },
	{ "io.usage", "wbytes", "container_io_wbytes_bytes", by_device },
	{ "io.usage", "rios", "container_io_rios_total", by_device },
	{ "io.usage", "wios", "container_io_wios_total", by_device },
};

/* The figures of one version of control groups. */
static const struct figures {
	const ProtobufCMessageDescriptor *type;
	const struct figure *single;
	size_t single_count;
	const struct list_figure *lists;
	size_t list_count;
} versions[] = {
	{ &cgroups_v1__metrics__descriptor, figures_v1, ARRAY_LEN(figures_v1), lists_v1,
			ARRAY_LEN(lists_v1) },
	{ &cgroups_v2__metrics__descriptor, figures_v2, ARRAY_LEN(figures_v2), lists_v2,
			ARRAY_LEN(lists_v2) },
};

struct scrape {
	struct metrics *metrics; /* of this one time */
	char **namespaces;
	const char *ns;
};

static const ProtobufCFieldDescriptor *find_field(
		const ProtobufCMessage *m, const char *name, size_t size)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

		if (strlen(f->name) == size && memcmp(f->name, name, size) == 0)
			return f;
	}
	return NULL;
}

/* The last field of a path and the message it is in. NULL where a message on the way is absent:
 * that controller has no figures. */
static const ProtobufCFieldDescriptor *walk(const ProtobufCMessage **m, const char *path)
{
	for (;;) {
		size_t size = strcspn(path, ".");
		const ProtobufCFieldDescriptor *f = find_field(*m, path, size);

		if (f == NULL || path[size] == '\0')
			return f;
		if (f->type != PROTOBUF_C_TYPE_MESSAGE || f->label == PROTOBUF_C_LABEL_REPEATED)
			return NULL;
		*m = *(const ProtobufCMessage *const *)(const void *)((const char *)*m +
								      f->offset);
		if (*m == NULL)
			return NULL;
		path += size + 1;
	}
}

static bool read_number(const ProtobufCMessage *m, const char *path, double *ret_value)
{
	const ProtobufCFieldDescriptor *f = walk(&m, path);

	if (f == NULL || f->label == PROTOBUF_C_LABEL_REPEATED ||
			f->type != PROTOBUF_C_TYPE_UINT64)
		return false;
	*ret_value = (double)*(const uint64_t *)(const void *)((const char *)m + f->offset);
	return true;
}

static void add_value(struct scrape *s, const char *name, const char *labels, double value)
{
	metric_add(metrics_family(s->metrics, METRIC_GAUGE, name,
				   "A figure of the task's cgroup."),
			labels, value);
}

static void labels_text(const struct labels *labels, struct buf *out)
{
	for (size_t i = 0; i < labels->count; i++)
		metrics_add_label(out, labels->items[i].key, labels->items[i].value);
}

static void set_label(struct labels *labels, const char *key, const ProtobufCMessage *m,
		const char *field)
{
	const ProtobufCFieldDescriptor *f = walk(&m, field);
	AUTO_FREE char *number = NULL;
	double value = 0;

	if (f != NULL && f->type == PROTOBUF_C_TYPE_STRING) {
		labels_set(labels, key,
				*(const char *const *)(const void *)((const char *)m +
								     f->offset));
		return;
	}
	(void)read_number(m, field, &value);
	number = xasprintf("%.0f", value);
	labels_set(labels, key, number);
}

static void add_number(struct scrape *s, const struct labels *task, const struct list_figure *l,
		size_t i, uint64_t number)
{
	AUTO_BUF struct buf text = { .limit = 16384 };
	AUTO_FREE char *index = xasprintf("%zu", i);
	AUTO_LABELS struct labels labels = { 0 };

	labels_copy(&labels, task);
	labels_set(&labels, l->labels[0], index);
	labels_text(&labels, &text);
	add_value(s, l->name, text.data, (double)number);
}

static void add_element(struct scrape *s, const struct labels *task,
		const struct list_figure *l, const ProtobufCMessage *m)
{
	AUTO_BUF struct buf text = { .limit = 16384 };
	AUTO_LABELS struct labels labels = { 0 };
	double value;

	if (!read_number(m, l->field, &value))
		return;
	labels_copy(&labels, task);
	for (const char *const *p = l->labels; *p != NULL; p += 2)
		set_label(&labels, p[0], m, p[1]);
	labels_text(&labels, &text);
	add_value(s, l->name, text.data, value);
}

static void add_list(struct scrape *s, const struct labels *task, const ProtobufCMessage *m,
		const struct list_figure *l)
{
	const ProtobufCFieldDescriptor *f = walk(&m, l->path);
	const char *base = (const char *)m;
	size_t count;
	const void *items;

	if (f == NULL || f->label != PROTOBUF_C_LABEL_REPEATED)
		return;
	memcpy(&count, base + f->quantifier_offset, sizeof(count));
	memcpy(&items, base + f->offset, sizeof(items));
	for (size_t i = 0; i < count; i++)
		if (l->field == NULL)
			add_number(s, task, l, i, ((const uint64_t *)items)[i]);
		else
			add_element(s, task, l, ((const ProtobufCMessage *const *)items)[i]);
}

static void add_figures(struct scrape *s, const struct task_metric *t,
		const ProtobufCMessage *m, const struct figures *figures)
{
	AUTO_BUF struct buf text = { .limit = 16384 };
	AUTO_LABELS struct labels labels = { 0 };
	double value;

	labels_set(&labels, "container_id", t->id);
	labels_set(&labels, "namespace", s->ns);
	if (t->runtime != NULL)
		labels_set(&labels, "runtime", t->runtime);
	labels_text(&labels, &text);
	for (size_t i = 0; i < figures->single_count; i++)
		if (read_number(m, figures->single[i].path, &value))
			add_value(s, figures->single[i].name, text.data, value);
	for (size_t i = 0; i < figures->list_count; i++)
		add_list(s, &labels, m, &figures->lists[i]);
}

static void add_task(struct scrape *s, const struct task_metric *t)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err ignored = { 0 };
	ProtobufCMessage *m = NULL;

	arena_init(&a, MAX_FIGURES);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++)
		if (typeurl_names(t->data.type_url, versions[i].type) &&
				pb_decode(versions[i].type, t->data.value, t->data.size, &a,
						&pb_limits_reply, &m, &ignored) == 0)
			add_figures(s, t, m, &versions[i]);
}

static void add_reply(void *arg, const struct task_reply *reply)
{
	for (size_t i = 0; reply->metrics != NULL && i < reply->count; i++)
		if (reply->metrics[i].data.type_url != NULL)
			add_task(arg, &reply->metrics[i]);
}

static int take_namespace(
		void *arg, const char *name, const struct labels *labels, struct err *err)
{
	struct scrape *s = arg;

	strv_add(&s->namespaces, name);
	return 0;
}

static void add_namespace(struct scrape *s, struct task_service *tasks, const char *ns)
{
	struct ctx ctx = { .ns = ns, .what = "metrics" };
	struct task_request r = { .verb = TASK_METRICS };
	AUTO_ERR struct err err = { 0 };

	s->ns = ns;
	if (task_call_wait(tasks, &ctx, &r, add_reply, s, &err) < 0)
		log_debug(&ctx, "metrics of tasks: %s", err_text(&err));
}

void metrics_add_tasks(
		struct namespace_store *namespaces, struct task_service *tasks, struct buf *out)
{
	struct scrape s = { .metrics = metrics_new() };
	struct ctx ctx = { .what = "metrics" };
	AUTO_ERR struct err err = { 0 };

	if (namespace_list(namespaces, &ctx, take_namespace, &s, &err) < 0)
		log_warn(&ctx, "metrics of tasks: %s", err_text(&err));
	for (char **ns = s.namespaces; ns != NULL && *ns != NULL; ns++)
		add_namespace(&s, tasks, *ns);
	metrics_text(s.metrics, out);
	metrics_free(s.metrics);
	strv_free(s.namespaces);
}
