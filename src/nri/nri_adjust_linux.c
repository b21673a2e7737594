/* SPDX-License-Identifier: Apache-2.0 */
#include "nri/nri_adjust_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/str.h"
#include "nri/nri_values.h"
#include "oci/blockio.h"
#include "oci/spec.h"
#include "text/jnode.h"

#define BLOCKIO_FILE_MAX ((size_t)1 << 20)

static struct jnode *resources_of(struct jnode *spec)
{
	return jnode_need_object(spec_linux(spec), "resources");
}

/* The name that runtimes know an enumeration's value by. */
static const char *enum_name(const ProtobufCEnumDescriptor *type, int value)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(type, value);

	return v == NULL ? "" : v->name;
}

static struct jnode *enum_names(
		const ProtobufCEnumDescriptor *type, const void *values, size_t n)
{
	const int *all = values;
	struct jnode *list = jnode_array();

	for (size_t i = 0; i < n; i++)
		jnode_append_str(list, enum_name(type, all[i]));
	return list;
}

/* --- devices ------------------------------------------------------------------------------ */

static void remove_device(struct jnode *spec, const char *path)
{
	struct jnode *list = jnode_get(jnode_get(spec, "linux"), "devices");

	for (size_t i = 0; i < jnode_count(list); i++) {
		if (!str_eq(jnode_get_str(jnode_item(list, i), "path"), path))
			continue;
		jnode_remove_at(list, i);
		return;
	}
}

static void add_rule(struct jnode *spec, bool allow, const char *type, const int64_t *major,
		const int64_t *minor, const char *access)
{
	struct jnode *rule = jnode_object();

	jnode_set(rule, "allow", jnode_bool(allow));
	if (type[0] != '\0')
		jnode_set_str(rule, "type", type);
	if (major != NULL)
		jnode_set(rule, "major", jnode_i64(*major));
	if (minor != NULL)
		jnode_set(rule, "minor", jnode_i64(*minor));
	if (access[0] != '\0')
		jnode_set_str(rule, "access", access);
	jnode_append(jnode_need_array(resources_of(spec), "devices"), rule);
}

static void add_device(struct jnode *spec, const Nri__LinuxDevice *d)
{
	struct jnode *device = jnode_object();

	jnode_set_str(device, "path", d->path);
	jnode_set_str(device, "type", d->type);
	jnode_set(device, "major", jnode_i64(d->major));
	jnode_set(device, "minor", jnode_i64(d->minor));
	if (d->file_mode != NULL)
		jnode_set(device, "fileMode", jnode_u64(d->file_mode->value));
	if (d->uid != NULL)
		jnode_set(device, "uid", jnode_u64(d->uid->value));
	if (d->gid != NULL)
		jnode_set(device, "gid", jnode_u64(d->gid->value));
	jnode_append(jnode_need_array(spec_linux(spec), "devices"), device);
	add_rule(spec, true, d->type, &d->major, &d->minor,
			str_eq(d->type, "b") ? "rwm" : "rw");
}

static void adjust_devices(struct jnode *spec, const Nri__LinuxContainerAdjustment *a)
{
	bool is_marked;

	for (size_t i = 0; i < a->n_devices; i++) {
		remove_device(spec, nri_key(a->devices[i]->path, &is_marked));
		if (!is_marked)
			add_device(spec, a->devices[i]);
	}
}

static void adjust_net_devices(struct jnode *spec, const Nri__LinuxContainerAdjustment *a)
{
	bool is_marked;

	for (size_t i = 0; i < a->n_net_devices; i++) {
		const char *host = nri_key(a->net_devices[i]->key, &is_marked);
		const Nri__LinuxNetDevice *d = a->net_devices[i]->value;
		struct jnode *all = jnode_need_object(spec_linux(spec), "netDevices");
		struct jnode *device;

		if (is_marked) {
			jnode_remove(all, host);
			continue;
		}
		device = jnode_object();
		if (d != NULL && d->name[0] != '\0')
			jnode_set_str(device, "name", d->name);
		jnode_set(all, host, device);
	}
}

/* --- the process -------------------------------------------------------------------------- */

static void adjust_io_priority(struct jnode *spec, const Nri__LinuxIOPriority *p)
{
	struct jnode *n;

	if (p == NULL)
		return;
	if (p->class_ == NRI__IOPRIO_CLASS__IOPRIO_CLASS_NONE) {
		jnode_remove(spec_process(spec), "ioPriority");
		return;
	}
	n = jnode_object();
	jnode_set_str(n, "class", enum_name(&nri__ioprio_class__descriptor, (int)p->class_));
	jnode_set(n, "priority", jnode_i64(p->priority));
	jnode_set(spec_process(spec), "ioPriority", n);
}

static void adjust_scheduler(struct jnode *spec, const Nri__LinuxScheduler *s)
{
	struct jnode *n;

	if (s == NULL)
		return;
	if (s->policy == NRI__LINUX_SCHEDULER_POLICY__SCHED_NONE) {
		jnode_remove(spec_process(spec), "scheduler");
		return;
	}
	n = jnode_object();
	jnode_set_str(n, "policy",
			enum_name(&nri__linux_scheduler_policy__descriptor, (int)s->policy));
	if (s->nice != 0)
		jnode_set(n, "nice", jnode_i64(s->nice));
	if (s->priority != 0)
		jnode_set(n, "priority", jnode_i64(s->priority));
	if (s->n_flags > 0)
		jnode_set(n, "flags",
				enum_names(&nri__linux_scheduler_flag__descriptor, s->flags,
						s->n_flags));
	if (s->runtime != 0)
		jnode_set(n, "runtime", jnode_u64(s->runtime));
	if (s->deadline != 0)
		jnode_set(n, "deadline", jnode_u64(s->deadline));
	if (s->period != 0)
		jnode_set(n, "period", jnode_u64(s->period));
	jnode_set(spec_process(spec), "scheduler", n);
}

/* --- seccomp ------------------------------------------------------------------------------ */

static struct jnode *syscall_args(const Nri__LinuxSyscall *s)
{
	struct jnode *list = jnode_array();

	for (size_t i = 0; i < s->n_args; i++) {
		struct jnode *arg = jnode_object();

		jnode_set(arg, "index", jnode_u64(s->args[i]->index));
		jnode_set(arg, "value", jnode_u64(s->args[i]->value));
		if (s->args[i]->value_two != 0)
			jnode_set(arg, "valueTwo", jnode_u64(s->args[i]->value_two));
		jnode_set_str(arg, "op", s->args[i]->op);
		jnode_append(list, arg);
	}
	return list;
}

static struct jnode *syscalls(const Nri__LinuxSeccomp *p)
{
	struct jnode *list = jnode_array();

	for (size_t i = 0; i < p->n_syscalls; i++) {
		const Nri__LinuxSyscall *s = p->syscalls[i];
		struct jnode *rule = jnode_object();

		jnode_set(rule, "names", nri_texts(s->names, s->n_names));
		jnode_set_str(rule, "action", s->action);
		if (s->errno_ret != NULL)
			jnode_set(rule, "errnoRet", jnode_u64(s->errno_ret->value));
		if (s->n_args > 0)
			jnode_set(rule, "args", syscall_args(s));
		jnode_append(list, rule);
	}
	return list;
}

static void adjust_seccomp(struct jnode *spec, const Nri__LinuxSeccomp *p)
{
	struct jnode *n;

	if (p == NULL)
		return;
	n = jnode_object();
	jnode_set_str(n, "defaultAction", p->default_action);
	if (p->default_errno != NULL)
		jnode_set(n, "defaultErrnoRet", jnode_u64(p->default_errno->value));
	if (p->n_architectures > 0)
		jnode_set(n, "architectures", nri_texts(p->architectures, p->n_architectures));
	if (p->n_flags > 0)
		jnode_set(n, "flags", nri_texts(p->flags, p->n_flags));
	if (p->listener_path[0] != '\0')
		jnode_set_str(n, "listenerPath", p->listener_path);
	if (p->listener_metadata[0] != '\0')
		jnode_set_str(n, "listenerMetadata", p->listener_metadata);
	if (p->n_syscalls > 0)
		jnode_set(n, "syscalls", syscalls(p));
	jnode_set(spec_linux(spec), "seccomp", n);
}

/* --- namespaces and sysctls --------------------------------------------------------------- */

static int adjust_namespaces(
		struct jnode *spec, const Nri__LinuxContainerAdjustment *a, struct err *err)
{
	static const char *const known[] = { "network", "pid", "mount", "ipc", "uts", "user",
		"cgroup", NULL };
	bool is_marked;

	for (size_t i = 0; i < a->n_namespaces; i++) {
		const char *type = nri_key(a->namespaces[i]->type, &is_marked);

		if (!strv_has((char *const *)known, type))
			return err_plain(err, ERR_UNKNOWN, "unrecognized namespace \"%s\"",
					type);
		if (is_marked)
			spec_host_namespace(spec, type);
		else
			spec_set_namespace(spec, type, a->namespaces[i]->path);
	}
	return 0;
}

static void adjust_sysctl(struct jnode *spec, const Nri__LinuxContainerAdjustment *a)
{
	bool is_marked;

	for (size_t i = 0; i < a->n_sysctl; i++) {
		const char *key = nri_key(a->sysctl[i]->key, &is_marked);

		if (is_marked)
			jnode_remove(jnode_get(spec_linux(spec), "sysctl"), key);
		else
			jnode_set_str(jnode_need_object(spec_linux(spec), "sysctl"), key,
					a->sysctl[i]->value);
	}
}

/* --- resources ---------------------------------------------------------------------------- */

static void put_cpu(struct jnode *resources, const Nri__LinuxCPU *c)
{
#define PUT_CPU(member, name, make)                                                            \
	if (c->member != NULL)                                                                 \
	jnode_set(jnode_need_object(resources, "cpu"), name, make(c->member->value))

	PUT_CPU(period, "period", jnode_u64);
	PUT_CPU(quota, "quota", jnode_i64);
	PUT_CPU(shares, "shares", jnode_u64);
	PUT_CPU(realtime_runtime, "realtimeRuntime", jnode_i64);
	PUT_CPU(realtime_period, "realtimePeriod", jnode_u64);
#undef PUT_CPU
	if (c->cpus[0] != '\0')
		jnode_set_str(jnode_need_object(resources, "cpu"), "cpus", c->cpus);
	if (c->mems[0] != '\0')
		jnode_set_str(jnode_need_object(resources, "cpu"), "mems", c->mems);
}

static void put_hugepages(struct jnode *resources, const Nri__HugepageLimit *l)
{
	struct jnode *list = jnode_need_array(resources, "hugepageLimits");
	struct jnode *item = NULL;

	for (size_t i = 0; i < jnode_count(list); i++)
		if (str_eq(jnode_get_str(jnode_item(list, i), "pageSize"), l->page_size))
			item = jnode_item(list, i);
	if (item == NULL) {
		item = jnode_object();
		jnode_set_str(item, "pageSize", l->page_size);
		jnode_append(list, item);
	}
	jnode_set(item, "limit", jnode_u64(l->limit));
}

void nri_put_resources(struct jnode *resources, const Nri__LinuxResources *r)
{
	struct jnode *memory;

	if (r->cpu != NULL)
		put_cpu(resources, r->cpu);
	/* Of memory the original takes the limit alone, and allows no swap beyond it. */
	if (r->memory != NULL && r->memory->limit != NULL && r->memory->limit->value != 0) {
		memory = jnode_need_object(resources, "memory");
		jnode_set(memory, "limit", jnode_i64(r->memory->limit->value));
		jnode_set(memory, "swap", jnode_i64(r->memory->limit->value));
	}
	for (size_t i = 0; i < r->n_hugepage_limits; i++)
		put_hugepages(resources, r->hugepage_limits[i]);
	for (size_t i = 0; i < r->n_unified; i++)
		jnode_set_str(jnode_need_object(resources, "unified"), r->unified[i]->key,
				r->unified[i]->value);
	if (r->pids != NULL) {
		struct jnode *pids = jnode_need_object(resources, "pids");

		if (r->pids->limit > -1)
			jnode_set(pids, "limit", jnode_i64(r->pids->limit));
	}
}

static const int64_t *number_of(const Nri__OptionalInt64 *n)
{
	return n == NULL ? NULL : &n->value;
}

static int adjust_blockio(struct jnode *spec, const char *name,
		const struct nri_adjust_options *options, struct err *err)
{
	AUTO_BUF struct buf file = { .limit = BLOCKIO_FILE_MAX };
	AUTO_CLOSE int fd = -1;
	int rc;

	if (name[0] == '\0') {
		jnode_remove(resources_of(spec), "blockIO");
		return 0;
	}
	if (str_is_empty(options->blockio_file))
		return err_plain(err, ERR_UNKNOWN, "blockio not enabled");
	fd = open(options->blockio_file, O_RDONLY | O_CLOEXEC);
	rc = fd < 0 ? -errno : io_read_all(fd, &file);
	if (rc < 0)
		return err_sys(err, -rc, "read %s", options->blockio_file);
	return blockio_apply(spec, str_or(file.data, ""), file.size, name, err);
}

static int adjust_resources(struct jnode *spec, const Nri__LinuxResources *r,
		const struct nri_adjust_options *options, struct err *err)
{
	if (r == NULL)
		return 0;
	nri_put_resources(resources_of(spec), r);
	for (size_t i = 0; i < r->n_devices; i++)
		add_rule(spec, r->devices[i]->allow, r->devices[i]->type,
				number_of(r->devices[i]->major),
				number_of(r->devices[i]->minor), r->devices[i]->access);
	if (r->blockio_class != NULL &&
			adjust_blockio(spec, r->blockio_class->value, options, err) < 0)
		return err_wrap(err, "failed to adjust BlockIO class in OCI Spec");
	if (r->rdt_class == NULL)
		return 0;
	jnode_remove(spec_linux(spec), "intelRdt");
	if (r->rdt_class->value[0] != '\0')
		jnode_set_str(jnode_need_object(spec_linux(spec), "intelRdt"), "closID",
				r->rdt_class->value);
	return 0;
}

static void adjust_rdt(struct jnode *spec, const Nri__LinuxRdt *r)
{
	if (r == NULL)
		return;
	if (r->remove)
		jnode_remove(spec_linux(spec), "intelRdt");
	if (r->clos_id != NULL)
		jnode_set_str(jnode_need_object(spec_linux(spec), "intelRdt"), "closID",
				r->clos_id->value);
	if (r->schemata != NULL)
		jnode_set(jnode_need_object(spec_linux(spec), "intelRdt"), "schemata",
				nri_texts(r->schemata->value, r->schemata->n_value));
	if (r->enable_monitoring != NULL)
		jnode_set(jnode_need_object(spec_linux(spec), "intelRdt"), "enableMonitoring",
				jnode_bool(r->enable_monitoring->value));
}

static void adjust_memory_policy(struct jnode *spec, const Nri__LinuxMemoryPolicy *p)
{
	struct jnode *n;

	if (p == NULL)
		return;
	n = jnode_object();
	jnode_set_str(n, "mode", enum_name(&nri__mpol_mode__descriptor, (int)p->mode));
	jnode_set_str(n, "nodes", p->nodes);
	if (p->n_flags > 0)
		jnode_set(n, "flags",
				enum_names(&nri__mpol_flag__descriptor, p->flags, p->n_flags));
	jnode_set(spec_linux(spec), "memoryPolicy", n);
}

int nri_adjust_linux(struct jnode *spec, const Nri__LinuxContainerAdjustment *a,
		const struct nri_adjust_options *options, struct err *err)
{
	adjust_devices(spec, a);
	if (a->cgroups_path[0] != '\0')
		spec_set_cgroup(spec, a->cgroups_path);
	if (a->oom_score_adj != NULL)
		jnode_set(spec_process(spec), "oomScoreAdj",
				jnode_i64(a->oom_score_adj->value));
	adjust_io_priority(spec, a->io_priority);
	adjust_scheduler(spec, a->scheduler);
	adjust_seccomp(spec, a->seccomp_policy);
	if (adjust_namespaces(spec, a, err) < 0)
		return -1;
	adjust_sysctl(spec, a);
	adjust_net_devices(spec, a);
	adjust_memory_policy(spec, a->memory_policy);
	if (adjust_resources(spec, a->resources, options, err) < 0)
		return -1;
	adjust_rdt(spec, a->rdt);
	return 0;
}
