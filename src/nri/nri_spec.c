/* SPDX-License-Identifier: Apache-2.0 */
#include "nri/nri_spec.h"

#include <stdlib.h>

#include "api/arena.h"
#include "base/auto.h"
#include "base/str.h"
#include "nri/nri_values.h"
#include "text/jnode.h"

/* --- single values ------------------------------------------------------------------------ */

static const char *text_of(struct arena *a, const struct jnode *o, const char *key)
{
	return arena_strdup(a, str_or(jnode_get_str(o, key), ""));
}

/* Limits go up to 2^64 - 1, which jnode_get_i64() refuses. */
static bool u64_of(const struct jnode *o, const char *key, uint64_t *ret)
{
	const struct jnode *n = jnode_get(o, key);
	AUTO_FREE char *text = NULL;
	int64_t negative;
	char *end;

	if (!jnode_is(n, JSON_KIND_INT))
		return false;
	if (jnode_get_i64(o, key, &negative)) {
		*ret = (uint64_t)negative;
		return true;
	}
	text = jnode_to_text(n, NULL);
	*ret = strtoull(text, &end, 10);
	return *end == '\0';
}

static uint64_t number_of(const struct jnode *o, const char *key)
{
	uint64_t n = 0;

	return u64_of(o, key, &n) ? n : 0;
}

#define OPTIONAL(name, Type, type, convert)                                                    \
	static Type *name(struct arena *a, const struct jnode *o, const char *key)             \
	{                                                                                      \
		uint64_t n = 0;                                                                \
		Type *v;                                                                       \
                                                                                               \
		if (!u64_of(o, key, &n))                                                       \
			return NULL;                                                           \
		v = ARENA_NEW(a, Type, type);                                                  \
		v->value = (convert)n;                                                         \
		return v;                                                                      \
	}
OPTIONAL(i64_of, Nri__OptionalInt64, nri__optional_int64, int64_t)
OPTIONAL(int_of, Nri__OptionalInt, nri__optional_int, int64_t)
OPTIONAL(uint64_of, Nri__OptionalUInt64, nri__optional_uint64, uint64_t)
OPTIONAL(u32_of, Nri__OptionalUInt32, nri__optional_uint32, uint32_t)
OPTIONAL(mode_of, Nri__OptionalFileMode, nri__optional_file_mode, uint32_t)
#undef OPTIONAL

static Nri__OptionalBool *bool_of(struct arena *a, const struct jnode *o, const char *key)
{
	const struct jnode *n = jnode_get(o, key);
	Nri__OptionalBool *v;

	if (!jnode_is(n, JSON_KIND_BOOL))
		return NULL;
	v = ARENA_NEW(a, Nri__OptionalBool, nri__optional_bool);
	v->value = jnode_is_true(n);
	return v;
}

/* The number behind an enumeration's name; 0 if it has none. */
static int enum_of(const ProtobufCEnumDescriptor *type, const char *name)
{
	const ProtobufCEnumValue *v =
			protobuf_c_enum_descriptor_get_value_by_name(type, str_or(name, ""));

	return v == NULL ? 0 : v->value;
}

/* --- lists and maps ----------------------------------------------------------------------- */

static const char **texts_of(struct arena *a, const struct jnode *list, size_t *ret_n)
{
	const char **texts = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < jnode_count(list); i++)
		if (jnode_str(jnode_item(list, i)) != NULL)
			nri_add(a, ret_n, (void ***)(void *)&texts,
					arena_strdup(a, jnode_str(jnode_item(list, i))));
	return texts;
}

static void map_of(struct arena *a, const struct jnode *o, const struct nri_map *into)
{
	for (size_t i = 0; jnode_is(o, JSON_KIND_OBJECT) && i < jnode_count(o); i++)
		if (jnode_str(jnode_item(o, i)) != NULL)
			nri_map_put(a, into, arena_strdup(a, jnode_key(o, i)),
					arena_strdup(a, jnode_str(jnode_item(o, i))));
}

static Nri__Hook **hooks_of(struct arena *a, const struct jnode *list, size_t *ret_n)
{
	Nri__Hook **hooks = NULL;

	for (size_t i = 0; i < jnode_count(list); i++) {
		const struct jnode *h = jnode_item(list, i);
		Nri__Hook *hook = ARENA_NEW(a, Nri__Hook, nri__hook);

		hook->path = text_of(a, h, "path");
		hook->args = texts_of(a, jnode_get(h, "args"), &hook->n_args);
		hook->env = texts_of(a, jnode_get(h, "env"), &hook->n_env);
		hook->timeout = int_of(a, h, "timeout");
		nri_add(a, ret_n, &hooks, hook);
	}
	return hooks;
}

static Nri__Hooks *all_hooks(struct arena *a, const struct jnode *o)
{
	Nri__Hooks *h = ARENA_NEW(a, Nri__Hooks, nri__hooks);

	h->prestart = hooks_of(a, jnode_get(o, "prestart"), &h->n_prestart);
	h->create_runtime = hooks_of(a, jnode_get(o, "createRuntime"), &h->n_create_runtime);
	h->create_container =
			hooks_of(a, jnode_get(o, "createContainer"), &h->n_create_container);
	h->start_container = hooks_of(a, jnode_get(o, "startContainer"), &h->n_start_container);
	h->poststart = hooks_of(a, jnode_get(o, "poststart"), &h->n_poststart);
	h->poststop = hooks_of(a, jnode_get(o, "poststop"), &h->n_poststop);
	return h;
}

static void mounts_of(struct arena *a, const struct jnode *list, Nri__Container *c)
{
	for (size_t i = 0; i < jnode_count(list); i++) {
		const struct jnode *m = jnode_item(list, i);
		Nri__Mount *mount = ARENA_NEW(a, Nri__Mount, nri__mount);

		mount->destination = text_of(a, m, "destination");
		mount->type = text_of(a, m, "type");
		mount->source = text_of(a, m, "source");
		mount->options = texts_of(a, jnode_get(m, "options"), &mount->n_options);
		nri_add(a, &c->n_mounts, &c->mounts, mount);
	}
}

static Nri__LinuxNamespace **namespaces_of(
		struct arena *a, const struct jnode *list, size_t *ret_n)
{
	Nri__LinuxNamespace **all = NULL;

	for (size_t i = 0; i < jnode_count(list); i++) {
		const struct jnode *n = jnode_item(list, i);
		Nri__LinuxNamespace *ns =
				ARENA_NEW(a, Nri__LinuxNamespace, nri__linux_namespace);

		ns->type = text_of(a, n, "type");
		ns->path = text_of(a, n, "path");
		nri_add(a, ret_n, &all, ns);
	}
	return all;
}

static void devices_of(struct arena *a, const struct jnode *list, Nri__LinuxContainer *c)
{
	for (size_t i = 0; i < jnode_count(list); i++) {
		const struct jnode *d = jnode_item(list, i);
		Nri__LinuxDevice *device = ARENA_NEW(a, Nri__LinuxDevice, nri__linux_device);

		device->path = text_of(a, d, "path");
		device->type = text_of(a, d, "type");
		device->major = (int64_t)number_of(d, "major");
		device->minor = (int64_t)number_of(d, "minor");
		device->file_mode = mode_of(a, d, "fileMode");
		device->uid = u32_of(a, d, "uid");
		device->gid = u32_of(a, d, "gid");
		nri_add(a, &c->n_devices, &c->devices, device);
	}
}

static void rlimits_of(struct arena *a, const struct jnode *list, Nri__Container *c)
{
	for (size_t i = 0; i < jnode_count(list); i++) {
		const struct jnode *l = jnode_item(list, i);
		Nri__POSIXRlimit *limit = ARENA_NEW(a, Nri__POSIXRlimit, nri__posixrlimit);

		limit->type = text_of(a, l, "type");
		limit->hard = number_of(l, "hard");
		limit->soft = number_of(l, "soft");
		nri_add(a, &c->n_rlimits, &c->rlimits, limit);
	}
}

/* --- resources ---------------------------------------------------------------------------- */

static Nri__LinuxMemory *memory_of(struct arena *a, const struct jnode *o)
{
	Nri__LinuxMemory *m;

	if (!jnode_is(o, JSON_KIND_OBJECT))
		return NULL;
	m = ARENA_NEW(a, Nri__LinuxMemory, nri__linux_memory);
	m->limit = i64_of(a, o, "limit");
	m->reservation = i64_of(a, o, "reservation");
	m->swap = i64_of(a, o, "swap");
	m->kernel = i64_of(a, o, "kernel");
	m->kernel_tcp = i64_of(a, o, "kernelTCP");
	m->swappiness = uint64_of(a, o, "swappiness");
	m->disable_oom_killer = bool_of(a, o, "disableOOMKiller");
	m->use_hierarchy = bool_of(a, o, "useHierarchy");
	return m;
}

static Nri__LinuxCPU *cpu_of(struct arena *a, const struct jnode *o)
{
	Nri__LinuxCPU *c;

	if (!jnode_is(o, JSON_KIND_OBJECT))
		return NULL;
	c = ARENA_NEW(a, Nri__LinuxCPU, nri__linux_cpu);
	c->shares = uint64_of(a, o, "shares");
	c->quota = i64_of(a, o, "quota");
	c->period = uint64_of(a, o, "period");
	c->realtime_runtime = i64_of(a, o, "realtimeRuntime");
	c->realtime_period = uint64_of(a, o, "realtimePeriod");
	c->cpus = text_of(a, o, "cpus");
	c->mems = text_of(a, o, "mems");
	return c;
}

static void rules_of(struct arena *a, const struct jnode *list, Nri__LinuxResources *r)
{
	for (size_t i = 0; i < jnode_count(list); i++) {
		const struct jnode *d = jnode_item(list, i);
		Nri__LinuxDeviceCgroup *rule =
				ARENA_NEW(a, Nri__LinuxDeviceCgroup, nri__linux_device_cgroup);

		rule->allow = jnode_is_true(jnode_get(d, "allow"));
		rule->type = text_of(a, d, "type");
		rule->major = i64_of(a, d, "major");
		rule->minor = i64_of(a, d, "minor");
		rule->access = text_of(a, d, "access");
		nri_add(a, &r->n_devices, &r->devices, rule);
	}
}

static void hugepages_of(struct arena *a, const struct jnode *list, Nri__LinuxResources *r)
{
	for (size_t i = 0; i < jnode_count(list); i++) {
		Nri__HugepageLimit *l = ARENA_NEW(a, Nri__HugepageLimit, nri__hugepage_limit);

		l->page_size = text_of(a, jnode_item(list, i), "pageSize");
		l->limit = number_of(jnode_item(list, i), "limit");
		nri_add(a, &r->n_hugepage_limits, &r->hugepage_limits, l);
	}
}

Nri__LinuxResources *nri_resources_of(struct arena *a, const struct jnode *o)
{
	Nri__LinuxResources *r = ARENA_NEW(a, Nri__LinuxResources, nri__linux_resources);
	const struct nri_map unified = NRI_MAP(r, unified, nri__linux_resources__unified_entry);

	r->memory = memory_of(a, jnode_get(o, "memory"));
	r->cpu = cpu_of(a, jnode_get(o, "cpu"));
	hugepages_of(a, jnode_get(o, "hugepageLimits"), r);
	rules_of(a, jnode_get(o, "devices"), r);
	map_of(a, jnode_get(o, "unified"), &unified);
	if (jnode_is(jnode_get(o, "pids"), JSON_KIND_OBJECT)) {
		r->pids = ARENA_NEW(a, Nri__LinuxPids, nri__linux_pids);
		r->pids->limit = (int64_t)number_of(jnode_get(o, "pids"), "limit");
	}
	return r;
}

/* --- the process and what is special to Linux --------------------------------------------- */

static Nri__User *user_of(struct arena *a, const struct jnode *o)
{
	const struct jnode *gids = jnode_get(o, "additionalGids");
	Nri__User *u = ARENA_NEW(a, Nri__User, nri__user);

	u->uid = (uint32_t)number_of(o, "uid");
	u->gid = (uint32_t)number_of(o, "gid");
	u->additional_gids =
			arena_calloc(a, jnode_count(gids) + 1, sizeof(*u->additional_gids));
	for (size_t i = 0; i < jnode_count(gids); i++) {
		AUTO_FREE char *text = jnode_to_text(jnode_item(gids, i), NULL);

		u->additional_gids[u->n_additional_gids++] = (uint32_t)strtoul(text, NULL, 10);
	}
	return u;
}

static Nri__LinuxScheduler *scheduler_of(struct arena *a, const struct jnode *o)
{
	const struct jnode *flags = jnode_get(o, "flags");
	Nri__LinuxScheduler *s;

	if (!jnode_is(o, JSON_KIND_OBJECT))
		return NULL;
	s = ARENA_NEW(a, Nri__LinuxScheduler, nri__linux_scheduler);
	s->policy = (Nri__LinuxSchedulerPolicy)enum_of(
			&nri__linux_scheduler_policy__descriptor, jnode_get_str(o, "policy"));
	s->nice = (int32_t)number_of(o, "nice");
	s->priority = (int32_t)number_of(o, "priority");
	s->flags = arena_calloc(a, jnode_count(flags) + 1, sizeof(*s->flags));
	for (size_t i = 0; i < jnode_count(flags); i++)
		s->flags[s->n_flags++] = (Nri__LinuxSchedulerFlag)enum_of(
				&nri__linux_scheduler_flag__descriptor,
				jnode_str(jnode_item(flags, i)));
	s->runtime = number_of(o, "runtime");
	s->deadline = number_of(o, "deadline");
	s->period = number_of(o, "period");
	return s;
}

static Nri__LinuxIOPriority *io_priority_of(struct arena *a, const struct jnode *o)
{
	Nri__LinuxIOPriority *p;

	if (!jnode_is(o, JSON_KIND_OBJECT))
		return NULL;
	p = ARENA_NEW(a, Nri__LinuxIOPriority, nri__linux_iopriority);
	p->class_ = (Nri__IOPrioClass)enum_of(
			&nri__ioprio_class__descriptor, jnode_get_str(o, "class"));
	p->priority = (int32_t)number_of(o, "priority");
	return p;
}

static void syscall_args_of(struct arena *a, const struct jnode *list, Nri__LinuxSyscall *s)
{
	for (size_t i = 0; i < jnode_count(list); i++) {
		const struct jnode *o = jnode_item(list, i);
		Nri__LinuxSeccompArg *arg =
				ARENA_NEW(a, Nri__LinuxSeccompArg, nri__linux_seccomp_arg);

		arg->index = (uint32_t)number_of(o, "index");
		arg->value = number_of(o, "value");
		arg->value_two = number_of(o, "valueTwo");
		arg->op = text_of(a, o, "op");
		nri_add(a, &s->n_args, &s->args, arg);
	}
}

static Nri__LinuxSeccomp *seccomp_of(struct arena *a, const struct jnode *o)
{
	const struct jnode *rules = jnode_get(o, "syscalls");
	Nri__LinuxSeccomp *p;

	if (!jnode_is(o, JSON_KIND_OBJECT))
		return NULL;
	p = ARENA_NEW(a, Nri__LinuxSeccomp, nri__linux_seccomp);
	p->default_action = text_of(a, o, "defaultAction");
	p->default_errno = u32_of(a, o, "defaultErrnoRet");
	p->architectures = texts_of(a, jnode_get(o, "architectures"), &p->n_architectures);
	p->flags = texts_of(a, jnode_get(o, "flags"), &p->n_flags);
	p->listener_path = text_of(a, o, "listenerPath");
	p->listener_metadata = text_of(a, o, "listenerMetadata");
	for (size_t i = 0; i < jnode_count(rules); i++) {
		const struct jnode *rule = jnode_item(rules, i);
		Nri__LinuxSyscall *s = ARENA_NEW(a, Nri__LinuxSyscall, nri__linux_syscall);

		s->names = texts_of(a, jnode_get(rule, "names"), &s->n_names);
		s->action = text_of(a, rule, "action");
		s->errno_ret = u32_of(a, rule, "errnoRet");
		syscall_args_of(a, jnode_get(rule, "args"), s);
		nri_add(a, &p->n_syscalls, &p->syscalls, s);
	}
	return p;
}

static Nri__LinuxRdt *rdt_of(struct arena *a, const struct jnode *o)
{
	Nri__LinuxRdt *r;

	if (!jnode_is(o, JSON_KIND_OBJECT))
		return NULL;
	r = ARENA_NEW(a, Nri__LinuxRdt, nri__linux_rdt);
	r->clos_id = ARENA_NEW(a, Nri__OptionalString, nri__optional_string);
	r->clos_id->value = text_of(a, o, "closID");
	r->schemata = ARENA_NEW(a, Nri__OptionalRepeatedString, nri__optional_repeated_string);
	r->schemata->value = texts_of(a, jnode_get(o, "schemata"), &r->schemata->n_value);
	r->enable_monitoring = ARENA_NEW(a, Nri__OptionalBool, nri__optional_bool);
	r->enable_monitoring->value = jnode_is_true(jnode_get(o, "enableMonitoring"));
	return r;
}

static void net_devices_of(struct arena *a, const struct jnode *o, Nri__LinuxContainer *c)
{
	for (size_t i = 0; jnode_is(o, JSON_KIND_OBJECT) && i < jnode_count(o); i++) {
		Nri__LinuxContainer__NetDevicesEntry *e =
				ARENA_NEW(a, Nri__LinuxContainer__NetDevicesEntry,
						nri__linux_container__net_devices_entry);

		e->key = arena_strdup(a, jnode_key(o, i));
		e->value = ARENA_NEW(a, Nri__LinuxNetDevice, nri__linux_net_device);
		e->value->name = text_of(a, jnode_item(o, i), "name");
		nri_add(a, &c->n_net_devices, &c->net_devices, e);
	}
}

static Nri__LinuxContainer *linux_of(struct arena *a, const struct jnode *spec)
{
	const struct jnode *process = jnode_get(spec, "process");
	const struct jnode *o = jnode_get(spec, "linux");
	Nri__LinuxContainer *c = ARENA_NEW(a, Nri__LinuxContainer, nri__linux_container);
	const struct nri_map sysctl = NRI_MAP(c, sysctl, nri__linux_container__sysctl_entry);

	c->namespaces = namespaces_of(a, jnode_get(o, "namespaces"), &c->n_namespaces);
	devices_of(a, jnode_get(o, "devices"), c);
	if (jnode_is(jnode_get(o, "resources"), JSON_KIND_OBJECT))
		c->resources = nri_resources_of(a, jnode_get(o, "resources"));
	c->oom_score_adj = int_of(a, process, "oomScoreAdj");
	c->cgroups_path = text_of(a, o, "cgroupsPath");
	c->io_priority = io_priority_of(a, jnode_get(process, "ioPriority"));
	c->seccomp_policy = seccomp_of(a, jnode_get(o, "seccomp"));
	map_of(a, jnode_get(o, "sysctl"), &sysctl);
	net_devices_of(a, jnode_get(o, "netDevices"), c);
	c->scheduler = scheduler_of(a, jnode_get(process, "scheduler"));
	c->rdt = rdt_of(a, jnode_get(o, "intelRdt"));
	return c;
}

void nri_container_of_spec(struct arena *a, const struct jnode *spec, Nri__Container *c)
{
	const struct jnode *process = jnode_get(spec, "process");
	const struct nri_map annotations =
			NRI_MAP(c, annotations, nri__container__annotations_entry);

	map_of(a, jnode_get(spec, "annotations"), &annotations);
	c->args = texts_of(a, jnode_get(process, "args"), &c->n_args);
	c->env = texts_of(a, jnode_get(process, "env"), &c->n_env);
	mounts_of(a, jnode_get(spec, "mounts"), c);
	if (jnode_is(jnode_get(spec, "hooks"), JSON_KIND_OBJECT))
		c->hooks = all_hooks(a, jnode_get(spec, "hooks"));
	c->linux = linux_of(a, spec);
	rlimits_of(a, jnode_get(process, "rlimits"), c);
	if (process != NULL)
		c->user = user_of(a, jnode_get(process, "user"));
}

void nri_pod_of_spec(struct arena *a, const struct jnode *spec, Nri__PodSandbox *p)
{
	const struct jnode *o = jnode_get(spec, "linux");
	const struct nri_map annotations =
			NRI_MAP(p, annotations, nri__pod_sandbox__annotations_entry);

	map_of(a, jnode_get(spec, "annotations"), &annotations);
	p->linux = ARENA_NEW(a, Nri__LinuxPodSandbox, nri__linux_pod_sandbox);
	p->linux->namespaces =
			namespaces_of(a, jnode_get(o, "namespaces"), &p->linux->n_namespaces);
	p->linux->cgroups_path = text_of(a, o, "cgroupsPath");
	if (jnode_is(jnode_get(o, "resources"), JSON_KIND_OBJECT))
		p->linux->resources = nri_resources_of(a, jnode_get(o, "resources"));
}
