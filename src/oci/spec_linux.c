/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "oci/spec.h"

static const char *const known_namespaces[] = { "pid", "network", "uts", "mount", "user", "ipc",
	"cgroup" };

struct jnode *spec_linux(struct jnode *spec)
{
	return jnode_need_object(spec, "linux");
}

static struct jnode *resources(struct jnode *spec)
{
	return jnode_need_object(spec_linux(spec), "resources");
}

/* major and minor of -1 are wildcards. */
static void add_device_rule(struct jnode *spec, bool allow, char type, int64_t major,
		int64_t minor, const char *access)
{
	struct jnode *rule = jnode_object();
	char type_text[2] = { type, '\0' };

	jnode_set(rule, "allow", jnode_bool(allow));
	if (type != '\0')
		jnode_set_str(rule, "type", type_text);
	if (major >= 0)
		jnode_set(rule, "major", jnode_i64(major));
	if (minor >= 0)
		jnode_set(rule, "minor", jnode_i64(minor));
	jnode_set_str(rule, "access", access);
	jnode_append(jnode_need_array(resources(spec), "devices"), rule);
}

void spec_add_unix_devices(struct jnode *spec)
{
	static const int devices[][2] = { { 1, 3 }, { 1, 8 }, { 1, 7 }, { 5, 0 }, { 1, 5 },
		{ 1, 9 }, { 5, 1 }, { 136, -1 }, { 5, 2 } };

	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		add_device_rule(spec, true, 'c', devices[i][0], devices[i][1], "rwm");
}

void spec_allow_all_devices(struct jnode *spec)
{
	jnode_set(resources(spec), "devices", jnode_array());
	add_device_rule(spec, true, '\0', -1, -1, "rwm");
}

void spec_add_device(struct jnode *spec, const struct spec_device *d, const char *access)
{
	struct jnode *n = jnode_object();
	char type[2] = { d->type, '\0' };

	jnode_set_str(n, "path", d->path);
	jnode_set_str(n, "type", type);
	jnode_set(n, "major", jnode_i64(d->major));
	jnode_set(n, "minor", jnode_i64(d->minor));
	jnode_set(n, "fileMode", jnode_u64(d->mode));
	jnode_set(n, "uid", jnode_u64(d->uid));
	jnode_set(n, "gid", jnode_u64(d->gid));
	jnode_append(jnode_need_array(spec_linux(spec), "devices"), n);
	if (access != NULL)
		add_device_rule(spec, true, d->type, d->major, d->minor, access);
}

/* --- namespaces --------------------------------------------------------------------------- */

bool spec_namespace_is_known(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(known_namespaces); i++)
		if (strcmp(known_namespaces[i], type) == 0)
			return true;
	return false;
}

static size_t find_namespace(const struct jnode *list, const char *type)
{
	for (size_t i = 0; i < jnode_count(list); i++)
		if (str_eq(jnode_get_str(jnode_item(list, i), "type"), type))
			return i;
	return SIZE_MAX;
}

void spec_host_namespace(struct jnode *spec, const char *type)
{
	struct jnode *list = jnode_need_array(spec_linux(spec), "namespaces");
	size_t i = find_namespace(list, type);

	if (i != SIZE_MAX)
		jnode_remove_at(list, i);
}

void spec_set_namespace(struct jnode *spec, const char *type, const char *path)
{
	struct jnode *list = jnode_need_array(spec_linux(spec), "namespaces");
	struct jnode *n = jnode_object();
	size_t i = find_namespace(list, type);

	jnode_set_str(n, "type", type);
	if (!str_is_empty(path))
		jnode_set_str(n, "path", path);
	if (i == SIZE_MAX) {
		jnode_append(list, n);
		return;
	}
	jnode_remove_at(list, i);
	jnode_insert(list, i, n);
}

void spec_add_id_mapping(struct jnode *spec, bool group, uint32_t container, uint32_t host,
		uint32_t size)
{
	struct jnode *linux_ = spec_linux(spec), *n = jnode_object();

	if (find_namespace(jnode_get(linux_, "namespaces"), "user") == SIZE_MAX)
		spec_set_namespace(spec, "user", NULL);
	jnode_set(n, "containerID", jnode_u64(container));
	jnode_set(n, "hostID", jnode_u64(host));
	jnode_set(n, "size", jnode_u64(size));
	jnode_append(jnode_need_array(linux_, group ? "gidMappings" : "uidMappings"), n);
}

/* --- limits ------------------------------------------------------------------------------- */

void spec_set_cgroup(struct jnode *spec, const char *path)
{
	if (path[0] == '\0')
		jnode_remove(spec_linux(spec), "cgroupsPath");
	else
		jnode_set_str(spec_linux(spec), "cgroupsPath", path);
}

void spec_set_memory_limit(struct jnode *spec, uint64_t bytes)
{
	jnode_set(jnode_need_object(resources(spec), "memory"), "limit", jnode_u64(bytes));
}

static struct jnode *cpu(struct jnode *spec)
{
	return jnode_need_object(resources(spec), "cpu");
}

void spec_set_cpu_shares(struct jnode *spec, uint64_t shares)
{
	jnode_set(cpu(spec), "shares", jnode_u64(shares));
}

void spec_set_cpu_quota(struct jnode *spec, int64_t quota, uint64_t period)
{
	jnode_set(cpu(spec), "quota", jnode_i64(quota));
	jnode_set(cpu(spec), "period", jnode_u64(period));
}

void spec_set_cpuset(struct jnode *spec, const char *cpus, const char *mems)
{
	if (cpus != NULL)
		jnode_set_str(cpu(spec), "cpus", cpus);
	if (mems != NULL)
		jnode_set_str(cpu(spec), "mems", mems);
}

void spec_set_propagation(struct jnode *spec, const char *mode)
{
	jnode_set_str(spec_linux(spec), "rootfsPropagation", mode);
}

/* --- privilege ---------------------------------------------------------------------------- */

static void make_writable(struct jnode *mount)
{
	const char *type = str_or(jnode_get_str(mount, "type"), "");
	struct jnode *options = jnode_get(mount, "options");

	if (strcmp(type, "sysfs") != 0 && strcmp(type, "cgroup") != 0)
		return;
	for (size_t i = 0; i < jnode_count(options); i++) {
		if (!str_eq(jnode_str(jnode_item(options, i)), "ro"))
			continue;
		jnode_remove_at(options, i);
		jnode_insert(options, i, jnode_text("rw"));
	}
}

void spec_set_privileged(struct jnode *spec)
{
	struct jnode *linux_ = spec_linux(spec), *mounts = jnode_need_array(spec, "mounts");

	jnode_remove(linux_, "maskedPaths");
	jnode_remove(linux_, "readonlyPaths");
	jnode_remove(linux_, "seccomp");
	jnode_remove(spec_process(spec), "apparmorProfile");
	jnode_remove(spec_process(spec), "selinuxLabel");
	for (size_t i = 0; i < jnode_count(mounts); i++)
		make_writable(jnode_item(mounts, i));
}
