/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of members in the original's structs. Go writes them so, and clients that compare
 * or people who read specs are used to it. Members we do not know come last, as they were.
 */
#include <stddef.h>
#include <string.h>

#include "oci/spec.h"

struct shape;

struct member {
	const char *key;
	const struct shape *value; /* of the value, or of the items if it is an array */
};

struct shape {
	const struct member *members; /* ends with a NULL key; NULL: sorted by key, a Go map */
	const struct shape *values;   /* of a map's values */
};

#define SHAPE(name, ...)                                                                       \
	static const struct member name##_members[] = { __VA_ARGS__, { NULL, NULL } };         \
	static const struct shape name = { name##_members, NULL }

static const struct shape map = { NULL, NULL };

SHAPE(box, { "height", NULL }, { "width", NULL });
SHAPE(user, { "uid", NULL }, { "gid", NULL }, { "umask", NULL }, { "additionalGids", NULL },
		{ "username", NULL });
SHAPE(capabilities, { "bounding", NULL }, { "effective", NULL }, { "inheritable", NULL },
		{ "permitted", NULL }, { "ambient", NULL });
SHAPE(rlimit, { "type", NULL }, { "hard", NULL }, { "soft", NULL });
SHAPE(scheduler, { "policy", NULL }, { "nice", NULL }, { "priority", NULL }, { "flags", NULL },
		{ "runtime", NULL }, { "deadline", NULL }, { "period", NULL });
SHAPE(io_priority, { "class", NULL }, { "priority", NULL });
SHAPE(affinity, { "initial", NULL }, { "final", NULL });
SHAPE(process, { "terminal", NULL }, { "consoleSize", &box }, { "user", &user },
		{ "args", NULL }, { "commandLine", NULL }, { "env", NULL }, { "cwd", NULL },
		{ "capabilities", &capabilities }, { "rlimits", &rlimit },
		{ "noNewPrivileges", NULL }, { "apparmorProfile", NULL },
		{ "oomScoreAdj", NULL }, { "scheduler", &scheduler }, { "selinuxLabel", NULL },
		{ "ioPriority", &io_priority }, { "execCPUAffinity", &affinity });
SHAPE(root, { "path", NULL }, { "readonly", NULL });
SHAPE(id_mapping, { "containerID", NULL }, { "hostID", NULL }, { "size", NULL });
SHAPE(mount, { "destination", NULL }, { "type", NULL }, { "source", NULL }, { "options", NULL },
		{ "uidMappings", &id_mapping }, { "gidMappings", &id_mapping });
SHAPE(hook, { "path", NULL }, { "args", NULL }, { "env", NULL }, { "timeout", NULL });
SHAPE(hooks, { "prestart", &hook }, { "createRuntime", &hook }, { "createContainer", &hook },
		{ "startContainer", &hook }, { "poststart", &hook }, { "poststop", &hook });
SHAPE(device_rule, { "allow", NULL }, { "type", NULL }, { "major", NULL }, { "minor", NULL },
		{ "access", NULL });
SHAPE(memory, { "limit", NULL }, { "reservation", NULL }, { "swap", NULL }, { "kernel", NULL },
		{ "kernelTCP", NULL }, { "swappiness", NULL }, { "disableOOMKiller", NULL },
		{ "useHierarchy", NULL }, { "checkBeforeUpdate", NULL });
SHAPE(cpu, { "shares", NULL }, { "quota", NULL }, { "burst", NULL }, { "period", NULL },
		{ "realtimeRuntime", NULL }, { "realtimePeriod", NULL }, { "cpus", NULL },
		{ "mems", NULL }, { "idle", NULL });
SHAPE(pids, { "limit", NULL });
SHAPE(weight_device, { "major", NULL }, { "minor", NULL }, { "weight", NULL },
		{ "leafWeight", NULL });
SHAPE(throttle, { "major", NULL }, { "minor", NULL }, { "rate", NULL });
SHAPE(block_io, { "weight", NULL }, { "leafWeight", NULL }, { "weightDevice", &weight_device },
		{ "throttleReadBpsDevice", &throttle }, { "throttleWriteBpsDevice", &throttle },
		{ "throttleReadIOPSDevice", &throttle },
		{ "throttleWriteIOPSDevice", &throttle });
SHAPE(hugepage, { "pageSize", NULL }, { "limit", NULL });
SHAPE(priority, { "name", NULL }, { "priority", NULL });
SHAPE(network, { "classID", NULL }, { "priorities", &priority });
SHAPE(rdma_limit, { "hcaHandles", NULL }, { "hcaObjects", NULL });
static const struct shape rdma = { NULL, &rdma_limit };
SHAPE(resources, { "devices", &device_rule }, { "memory", &memory }, { "cpu", &cpu },
		{ "pids", &pids }, { "blockIO", &block_io }, { "hugepageLimits", &hugepage },
		{ "network", &network }, { "rdma", &rdma }, { "unified", &map });
SHAPE(ns, { "type", NULL }, { "path", NULL });
SHAPE(device, { "path", NULL }, { "type", NULL }, { "major", NULL }, { "minor", NULL },
		{ "fileMode", NULL }, { "uid", NULL }, { "gid", NULL });
SHAPE(net_device, { "name", NULL });
static const struct shape net_devices = { NULL, &net_device };
SHAPE(seccomp_arg, { "index", NULL }, { "value", NULL }, { "valueTwo", NULL }, { "op", NULL });
SHAPE(rule, { "names", NULL }, { "action", NULL }, { "errnoRet", NULL },
		{ "args", &seccomp_arg });
SHAPE(seccomp, { "defaultAction", NULL }, { "defaultErrnoRet", NULL },
		{ "architectures", NULL }, { "flags", NULL }, { "listenerPath", NULL },
		{ "listenerMetadata", NULL }, { "syscalls", &rule });
SHAPE(rdt, { "closID", NULL }, { "schemata", NULL }, { "l3CacheSchema", NULL },
		{ "memBwSchema", NULL }, { "enableMonitoring", NULL });
SHAPE(memory_policy, { "mode", NULL }, { "nodes", NULL }, { "flags", NULL });
SHAPE(personality, { "domain", NULL }, { "flags", NULL });
SHAPE(offset, { "secs", NULL }, { "nanosecs", NULL });
static const struct shape offsets = { NULL, &offset };
SHAPE(linux_, { "uidMappings", &id_mapping }, { "gidMappings", &id_mapping },
		{ "sysctl", &map }, { "resources", &resources }, { "cgroupsPath", NULL },
		{ "namespaces", &ns }, { "devices", &device }, { "netDevices", &net_devices },
		{ "seccomp", &seccomp }, { "rootfsPropagation", NULL }, { "maskedPaths", NULL },
		{ "readonlyPaths", NULL }, { "mountLabel", NULL }, { "intelRdt", &rdt },
		{ "memoryPolicy", &memory_policy }, { "personality", &personality },
		{ "timeOffsets", &offsets });
SHAPE(spec_shape, { "ociVersion", NULL }, { "process", &process }, { "root", &root },
		{ "hostname", NULL }, { "domainname", NULL }, { "mounts", &mount },
		{ "hooks", &hooks }, { "annotations", &map }, { "linux", &linux_ },
		{ "solaris", NULL }, { "windows", NULL }, { "vm", NULL }, { "zos", NULL },
		{ "freebsd", NULL });

static size_t place(const struct member *members, const char *key)
{
	size_t i = 0;

	while (members[i].key != NULL && strcmp(members[i].key, key) != 0)
		i++;
	return i;
}

static int compare(const char *a, const char *b, const void *arg)
{
	const struct member *members = arg;
	size_t at_a, at_b;

	if (members == NULL)
		return strcmp(a, b);
	at_a = place(members, a);
	at_b = place(members, b);
	return at_a < at_b ? -1 : at_a > at_b;
}

static void order(struct jnode *n, const struct shape *shape)
{
	if (shape == NULL)
		return;
	if (jnode_is(n, JSON_KIND_ARRAY)) {
		for (size_t i = 0; i < jnode_count(n); i++)
			order(jnode_item(n, i), shape);
		return;
	}
	if (!jnode_is(n, JSON_KIND_OBJECT))
		return;
	jnode_sort_members(n, compare, shape->members);
	for (size_t i = 0; i < jnode_count(n); i++)
		order(jnode_item(n, i),
				shape->members == NULL
						? shape->values
						: shape->members[place(shape->members,
										 jnode_key(n, i))]
								  .value);
}

void spec_order(struct jnode *spec)
{
	order(spec, &spec_shape);
}

char *spec_process_to_json(struct jnode *p, const char *indent)
{
	order(p, &process);
	return jnode_to_text(p, indent);
}
