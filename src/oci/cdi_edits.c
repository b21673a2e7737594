/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/cdi_edits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/spec.h"
#include "text/jnode.h"

static const char *const hook_kinds[] = { "prestart", "createRuntime", "createContainer",
	"startContainer", "poststart", "poststop", NULL };

static struct jnode *linux_of(struct jnode *spec)
{
	return spec_linux(spec);
}

static char **texts(const struct jnode *list)
{
	char **v = NULL;

	for (size_t i = 0; i < jnode_count(list); i++)
		if (jnode_str(jnode_item(list, i)) != NULL)
			strv_add(&v, jnode_str(jnode_item(list, i)));
	return v;
}

/* --- are they well made? ------------------------------------------------------------------ */

static int check_env(const struct jnode *list, struct err *err)
{
	for (size_t i = 0; i < jnode_count(list); i++) {
		const char *entry = jnode_str(jnode_item(list, i));

		if (entry == NULL || entry[0] == '=' || strchr(entry, '=') == NULL)
			return err_set(err, ERR_INVALID, "invalid environment variable %s",
					str_or(entry, ""));
	}
	return 0;
}

static int check_hook(const struct jnode *hook, struct err *err)
{
	const char *kind = str_or(jnode_get_str(hook, "hookName"), "");

	if (!strv_has((char *const *)hook_kinds, kind))
		return err_set(err, ERR_INVALID, "invalid hook name %s", kind);
	if (str_is_empty(jnode_get_str(hook, "path")))
		return err_set(err, ERR_INVALID, "hook %s without a path", kind);
	return check_env(jnode_get(hook, "env"), err);
}

static int check_mount(const struct jnode *m, struct err *err)
{
	if (str_is_empty(jnode_get_str(m, "hostPath")) ||
			str_is_empty(jnode_get_str(m, "containerPath")))
		return err_set(err, ERR_INVALID, "mount without both paths");
	return 0;
}

static int check_node(const struct jnode *d, struct err *err)
{
	static const char *const types[] = { "", "b", "c", "u", "p", NULL };
	const char *path = jnode_get_str(d, "path");
	const char *access = str_or(jnode_get_str(d, "permissions"), "");

	if (str_is_empty(path))
		return err_set(err, ERR_INVALID, "device node without a path");
	if (!strv_has((char *const *)types, str_or(jnode_get_str(d, "type"), "")))
		return err_set(err, ERR_INVALID, "device %s: invalid type", path);
	if (access[strspn(access, "rwm")] != '\0')
		return err_set(err, ERR_INVALID, "device %s: invalid permissions %s", path,
				access);
	return 0;
}

static int check_each(const struct jnode *list,
		int (*check)(const struct jnode *item, struct err *err), struct err *err)
{
	for (size_t i = 0; i < jnode_count(list); i++)
		if (check(jnode_item(list, i), err) < 0)
			return -1;
	return 0;
}

int cdi_edits_check(const struct jnode *edits, struct err *err)
{
	if (check_env(jnode_get(edits, "env"), err) < 0 ||
			check_each(jnode_get(edits, "hooks"), check_hook, err) < 0 ||
			check_each(jnode_get(edits, "mounts"), check_mount, err) < 0)
		return -1;
	return check_each(jnode_get(edits, "deviceNodes"), check_node, err);
}

/* --- devices ------------------------------------------------------------------------------ */

static void remove_device(struct jnode *spec, const char *path)
{
	struct jnode *list = jnode_get(linux_of(spec), "devices");

	for (size_t i = jnode_count(list); i-- > 0;)
		if (str_eq(jnode_get_str(jnode_item(list, i), "path"), path))
			jnode_remove_at(list, i);
}

/* What the file leaves out is as on the host. */
static int ask_host(const struct jnode *d, struct jnode *device, struct err *err)
{
	const char *path = str_or(jnode_get_str(d, "hostPath"), jnode_get_str(d, "path"));
	const char *wanted = str_or(jnode_get_str(d, "type"), "");
	const char *type;
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(err, errno, "failed to stat CDI host device \"%s\"", path);
	type = S_ISBLK(st.st_mode)    ? "b"
	       : S_ISCHR(st.st_mode)  ? "c"
	       : S_ISFIFO(st.st_mode) ? "p"
				      : NULL;
	if (type == NULL || (wanted[0] != '\0' && wanted[0] != 'u' && !str_eq(wanted, type)))
		return err_set(err, ERR_INVALID, "CDI host device \"%s\" is of another type",
				path);
	jnode_set_str(device, "type", type);
	if (!S_ISFIFO(st.st_mode)) {
		jnode_set(device, "major", jnode_i64(major(st.st_rdev)));
		jnode_set(device, "minor", jnode_i64(minor(st.st_rdev)));
	}
	jnode_set(device, "fileMode", jnode_i64(st.st_mode & 07777));
	return 0;
}

/* A process that is not root owns what it is given. */
static void own_by_user(const struct jnode *d, struct jnode *spec, struct jnode *device,
		const char *key)
{
	const struct jnode *user = jnode_get(jnode_get(spec, "process"), "user");
	int64_t id = 0;

	if (jnode_get(d, key) != NULL)
		jnode_set(device, key, jnode_copy(jnode_get(d, key)));
	else if (jnode_get_i64(user, key, &id) && id > 0)
		jnode_set(device, key, jnode_i64(id));
}

static int add_node(const struct jnode *d, struct jnode *spec, struct err *err)
{
	AUTO(jnode_free) struct jnode *device = jnode_object();
	struct jnode *rule = NULL;
	const char *type = str_or(jnode_get_str(d, "type"), "");
	int64_t n = 0;

	jnode_set_str(device, "path", jnode_get_str(d, "path"));
	if (type[0] != '\0' && (type[0] == 'p' || (jnode_get_i64(d, "major", &n) && n != 0))) {
		jnode_set_str(device, "type", type);
		jnode_set(device, "major", jnode_i64(n));
		jnode_set(device, "minor", jnode_i64(jnode_get_i64(d, "minor", &n) ? n : 0));
	} else if (ask_host(d, device, err) < 0) {
		return -1;
	}
	if (jnode_get(d, "fileMode") != NULL)
		jnode_set(device, "fileMode", jnode_copy(jnode_get(d, "fileMode")));
	own_by_user(d, spec, device, "uid");
	own_by_user(d, spec, device, "gid");
	type = jnode_get_str(device, "type");
	if (type[0] == 'b' || type[0] == 'c') {
		rule = jnode_object();
		jnode_set(rule, "allow", jnode_bool(true));
		jnode_set_str(rule, "type", type);
		jnode_set(rule, "major", jnode_copy(jnode_get(device, "major")));
		jnode_set(rule, "minor", jnode_copy(jnode_get(device, "minor")));
		jnode_set_str(rule, "access", str_or(jnode_get_str(d, "permissions"), "rwm"));
		jnode_append(jnode_need_array(jnode_need_object(linux_of(spec), "resources"),
					     "devices"),
				rule);
	}
	remove_device(spec, jnode_get_str(device, "path"));
	jnode_append(jnode_need_array(linux_of(spec), "devices"), take_ptr(device));
	return 0;
}

/* --- the rest ----------------------------------------------------------------------------- */

static void add_mount(const struct jnode *m, struct jnode *spec)
{
	AUTO_STRV char **options = texts(jnode_get(m, "options"));

	spec_add_mount(spec, jnode_get_str(m, "containerPath"), jnode_get_str(m, "type"),
			jnode_get_str(m, "hostPath"), options);
}

static void add_hook(const struct jnode *h, struct jnode *spec)
{
	static const char *const kept[] = { "path", "args", "env", "timeout", NULL };
	struct jnode *hook = jnode_object();

	for (const char *const *k = kept; *k != NULL; k++)
		if (jnode_get(h, *k) != NULL)
			jnode_set(hook, *k, jnode_copy(jnode_get(h, *k)));
	jnode_append(jnode_need_array(jnode_need_object(spec, "hooks"),
				     jnode_get_str(h, "hookName")),
			hook);
}

static bool has_number(const struct jnode *list, int64_t n)
{
	int64_t other;

	for (size_t i = 0; i < jnode_count(list); i++) {
		AUTO_FREE char *text = jnode_to_text(jnode_item(list, i), NULL);

		if (str_i64(text, &other) && other == n)
			return true;
	}
	return false;
}

static void add_groups(const struct jnode *gids, struct jnode *spec)
{
	struct jnode *list = NULL;
	int64_t gid;

	for (size_t i = 0; i < jnode_count(gids); i++) {
		AUTO_FREE char *text = jnode_to_text(jnode_item(gids, i), NULL);

		if (!str_i64(text, &gid) || gid <= 0)
			continue;
		list = jnode_need_array(jnode_need_object(spec_process(spec), "user"),
				"additionalGids");
		if (!has_number(list, gid))
			jnode_append(list, jnode_i64(gid));
	}
}

static void add_net_devices(const struct jnode *devices, struct jnode *spec)
{
	for (size_t i = 0; i < jnode_count(devices); i++) {
		const struct jnode *d = jnode_item(devices, i);
		struct jnode *n = jnode_object();

		jnode_set_str(n, "name", str_or(jnode_get_str(d, "name"), ""));
		jnode_set(jnode_need_object(linux_of(spec), "netDevices"),
				str_or(jnode_get_str(d, "hostInterfaceName"), ""), n);
	}
}

int cdi_edits_apply(const struct jnode *edits, struct jnode *spec, struct err *err)
{
	AUTO_STRV char **env = texts(jnode_get(edits, "env"));
	const struct jnode *nodes = jnode_get(edits, "deviceNodes");
	const struct jnode *mounts = jnode_get(edits, "mounts");
	const struct jnode *hooks = jnode_get(edits, "hooks");
	const struct jnode *rdt = jnode_get(edits, "intelRdt");

	if (env != NULL)
		process_add_env(spec_process(spec), env);
	for (size_t i = 0; i < jnode_count(nodes); i++)
		if (add_node(jnode_item(nodes, i), spec, err) < 0)
			return -1;
	add_net_devices(jnode_get(edits, "netDevices"), spec);
	for (size_t i = 0; i < jnode_count(mounts); i++)
		add_mount(jnode_item(mounts, i), spec);
	for (size_t i = 0; i < jnode_count(hooks); i++)
		add_hook(jnode_item(hooks, i), spec);
	if (jnode_is(rdt, JSON_KIND_OBJECT))
		jnode_set(linux_of(spec), "intelRdt", jnode_copy(rdt));
	add_groups(jnode_get(edits, "additionalGids"), spec);
	return 0;
}

/* Parts of a path; "/" has none. */
static size_t depth(const struct jnode *mount)
{
	const char *path = str_or(jnode_get_str(mount, "destination"), "");
	size_t n = 0;

	for (const char *c = path; *c != '\0'; c++)
		n += *c == '/' && c[1] != '/' && c[1] != '\0';
	return n;
}

/* Few, and mostly in order: by insertion, which keeps those of the same depth as they are. */
void cdi_edits_finish(struct jnode *spec)
{
	struct jnode *mounts = jnode_get(spec, "mounts");

	for (size_t i = 1; i < jnode_count(mounts); i++) {
		size_t to = i;
		struct jnode *moved = NULL;

		while (to > 0 && depth(jnode_item(mounts, to - 1)) >
						 depth(jnode_item(mounts, i)))
			to--;
		if (to == i)
			continue;
		moved = jnode_copy(jnode_item(mounts, i));
		jnode_remove_at(mounts, i);
		jnode_insert(mounts, to, moved);
	}
}
