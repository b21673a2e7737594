/* SPDX-License-Identifier: Apache-2.0 */
/* The default spec of containerd for Linux (reference 02 §10.1), and what is not linux.*. */
#include "oci/spec.h"

#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define MAX_OPTIONS 8

struct default_mount {
	const char *destination, *type, *source;
	const char *options[MAX_OPTIONS];
};

static const struct default_mount default_mounts[] = {
	{ "/proc", "proc", "proc", { "nosuid", "noexec", "nodev" } },
	{ "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
	{ "/dev/pts", "devpts", "devpts",
			{ "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620",
					"gid=5" } },
	{ "/dev/shm", "tmpfs", "shm",
			{ "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } },
	{ "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
	{ "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
	{ "/run", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
};

static const char *const default_namespaces[] = { "pid", "ipc", "uts", "mount", "network" };

static const char *const masked_paths[] = { "/proc/acpi", "/proc/asound", "/proc/kcore",
	"/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
	"/proc/sched_debug", "/sys/firmware", "/sys/devices/virtual/powercap", "/proc/scsi" };

static const char *const readonly_paths[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
	"/proc/sysrq-trigger" };

static const char *const default_caps[] = { "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID",
	"CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP",
	"CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
	NULL };

static void add_texts(struct jnode *array, const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count && texts[i] != NULL; i++)
		jnode_append_str(array, texts[i]);
}

static struct jnode *default_process(void)
{
	struct jnode *p = jnode_object();
	struct jnode *user = jnode_need_object(p, "user");

	jnode_set(user, "uid", jnode_i64(0));
	jnode_set(user, "gid", jnode_i64(0));
	jnode_set_str(p, "cwd", "/");
	process_set_rlimit(p, "RLIMIT_NOFILE", 1024, 1024);
	jnode_set(p, "noNewPrivileges", jnode_bool(true));
	return p;
}

static struct jnode *default_mount_node(const struct default_mount *m)
{
	struct jnode *n = jnode_object();

	jnode_set_str(n, "destination", m->destination);
	jnode_set_str(n, "type", m->type);
	jnode_set_str(n, "source", m->source);
	add_texts(jnode_need_array(n, "options"), m->options, MAX_OPTIONS);
	return n;
}

static void add_default_linux(struct jnode *spec, const char *ns, const char *id)
{
	struct jnode *linux_ = spec_linux(spec), *rule = jnode_object();
	AUTO_FREE char *cgroup = xasprintf("/%s%s%s", ns, id[0] == '\0' ? "" : "/", id);

	jnode_set(rule, "allow", jnode_bool(false));
	jnode_set_str(rule, "access", "rwm");
	jnode_append(jnode_need_array(jnode_need_object(linux_, "resources"), "devices"), rule);
	spec_set_cgroup(spec, cgroup);
	for (size_t i = 0; i < ARRAY_LEN(default_namespaces); i++)
		spec_set_namespace(spec, default_namespaces[i], NULL);
	add_texts(jnode_need_array(linux_, "maskedPaths"), masked_paths,
			ARRAY_LEN(masked_paths));
	add_texts(jnode_need_array(linux_, "readonlyPaths"), readonly_paths,
			ARRAY_LEN(readonly_paths));
}

struct jnode *spec_default(const char *ns, const char *id)
{
	struct jnode *spec = jnode_object();

	jnode_set_str(spec, "ociVersion", SPEC_OCI_VERSION);
	jnode_set(spec, "process", default_process());
	spec_set_capabilities(spec, (char *const *)default_caps);
	spec_set_root(spec, "rootfs");
	for (size_t i = 0; i < ARRAY_LEN(default_mounts); i++)
		jnode_append(jnode_need_array(spec, "mounts"),
				default_mount_node(&default_mounts[i]));
	add_default_linux(spec, ns, id);
	return spec;
}

char *spec_to_json(struct jnode *spec, const char *indent)
{
	spec_order(spec);
	return jnode_to_text(spec, indent);
}

/* --- mounts, root, names ------------------------------------------------------------------ */

void spec_add_mount(struct jnode *spec, const char *destination, const char *type,
		const char *source, char *const *options)
{
	struct jnode *mounts = jnode_need_array(spec, "mounts");
	struct jnode *m = jnode_object();

	for (size_t i = jnode_count(mounts); i-- > 0;)
		if (str_eq(jnode_get_str(jnode_item(mounts, i), "destination"), destination))
			jnode_remove_at(mounts, i);
	jnode_set_str(m, "destination", destination);
	if (!str_is_empty(type))
		jnode_set_str(m, "type", type);
	if (!str_is_empty(source))
		jnode_set_str(m, "source", source);
	if (options != NULL && *options != NULL)
		jnode_set(m, "options", jnode_strv(options));
	jnode_append(mounts, m);
}

struct mount_text {
	const char *type, *source, *destination;
	char **options;
};

static int read_mount_field(char *field, struct mount_text *m, struct err *err)
{
	char *value = strchr(field, '=');

	if (value == NULL)
		return err_plain(err, ERR_INVALID,
				"invalid mount specification: expected key=val");
	*value++ = '\0';
	if (strcmp(field, "type") == 0) {
		m->type = value;
	} else if (strcmp(field, "source") == 0 || strcmp(field, "src") == 0) {
		m->source = value;
	} else if (strcmp(field, "destination") == 0 || strcmp(field, "dst") == 0) {
		m->destination = value;
	} else if (strcmp(field, "options") == 0) {
		strv_free(m->options);
		m->options = strv_split(value, ':');
	} else {
		return err_plain(err, ERR_INVALID, "mount option \"%s\" not supported", field);
	}
	return 0;
}

/* One record of CSV: a field in quotes may hold commas, and quotes doubled. Cuts in place. */
static bool next_csv_field(char **rest, char **ret_field)
{
	char *from = *rest, *to;

	if (from == NULL)
		return false;
	*ret_field = from;
	if (*from != '"') {
		*ret_field = strsep(rest, ",");
		return true;
	}
	for (to = from++; *from != '\0' && !(*from == '"' && from[1] != '"'); from++) {
		if (*from == '"')
			from++;
		*to++ = *from;
	}
	*rest = *from == '"' && from[1] == ',' ? from + 2 : NULL;
	*to = '\0';
	return true;
}

int spec_add_mount_text(struct jnode *spec, const char *text, struct err *err)
{
	AUTO_FREE char *copy = xstrdup(text);
	struct mount_text m = { "", "", "", NULL };
	char *rest = copy, *field;
	int rc = 0;

	while (rc == 0 && next_csv_field(&rest, &field))
		rc = read_mount_field(field, &m, err);
	if (rc == 0)
		spec_add_mount(spec, m.destination, m.type, m.source, m.options);
	strv_free(m.options);
	return rc;
}

void spec_set_root(struct jnode *spec, const char *path)
{
	jnode_set_str(jnode_need_object(spec, "root"), "path", path);
}

void spec_set_readonly(struct jnode *spec)
{
	jnode_set(jnode_need_object(spec, "root"), "readonly", jnode_bool(true));
}

void spec_set_hostname(struct jnode *spec, const char *hostname)
{
	jnode_set_str(spec, "hostname", hostname);
}

void spec_add_annotation(struct jnode *spec, const char *key, const char *value)
{
	jnode_set_str(jnode_need_object(spec, "annotations"), key, value);
}
