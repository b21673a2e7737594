/* SPDX-License-Identifier: Apache-2.0 */
/* Runtime specs under their public names; what they do is in src/oci. */
#include "client/client_spec_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/client_images_priv.h"
#include "client/client_rootfs_priv.h"
#include "oci/apparmor.h"
#include "oci/platform.h"
#include "oci/user.h"

struct ctrd_spec *ctrd_spec_default(const char *ns, const char *id)
{
	struct ctrd_spec *s = xzalloc(sizeof(*s));

	s->doc = spec_default(ns, id);
	return s;
}

int ctrd_spec_parse(const void *json, size_t size, struct ctrd_spec **ret_spec,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_spec_free) struct ctrd_spec *s = xzalloc(sizeof(*s));

	if (jnode_parse(json, size, &s->doc, &err) < 0)
		return api_result(-1, &err, ret_error);
	if (!jnode_is(s->doc, JSON_KIND_OBJECT)) {
		err_set(&err, ERR_INVALID, "spec is no JSON object");
		return api_result(-1, &err, ret_error);
	}
	*ret_spec = take_ptr(s);
	return 0;
}

void ctrd_spec_free(struct ctrd_spec *s)
{
	if (s == NULL)
		return;
	jnode_free(s->doc);
	free(s);
}

char *ctrd_spec_json(struct ctrd_spec *s, const char *indent)
{
	return spec_to_json(s->doc, indent);
}

char *ctrd_spec_process_json(struct ctrd_spec *s, const char *indent)
{
	struct jnode *process = jnode_get(s->doc, "process");

	return process == NULL ? NULL : spec_process_to_json(process, indent);
}

int ctrd_spec_terminal(const struct ctrd_spec *s)
{
	return jnode_is_true(jnode_get(jnode_get(s->doc, "process"), "terminal"));
}

static uint32_t mapped_root(const struct ctrd_spec *s, const char *which)
{
	const struct jnode *list = jnode_get(jnode_get(s->doc, "linux"), which);
	int64_t id = 0;

	if (!jnode_get_i64(jnode_item(list, 0), "hostID", &id) || id < 0 || id > UINT32_MAX)
		return 0;
	return (uint32_t)id;
}

uint32_t ctrd_spec_root_uid(const struct ctrd_spec *s)
{
	return mapped_root(s, "uidMappings");
}

uint32_t ctrd_spec_root_gid(const struct ctrd_spec *s)
{
	return mapped_root(s, "gidMappings");
}

/* --- images ------------------------------------------------------------------------------- */

void ctrd_image_config_free(struct ctrd_image_config *c)
{
	if (c == NULL)
		return;
	image_config_done(&c->config);
	free(c);
}
DEFINE_AUTO(struct ctrd_image_config *, ctrd_image_config_free)

static int get_config(struct ctrd_client *c, const struct ctrd_image *image,
		const char *platform, struct image_config *ret, struct err *err)
{
	AUTO_IMAGE_DOCUMENTS struct image_documents d = { 0 };
	__attribute__((cleanup(platform_match_done))) struct platform_match match = { 0 };

	if (client_match(platform, false, &match, err) < 0)
		return -1;
	if (client_image_resolve(c, &image->v.target, &match, &d, err) < 0)
		return -1;
	return client_image_read_config(c, &d, ret, err);
}

int ctrd_image_config_get(struct ctrd_client *c, const struct ctrd_image *image,
		const char *platform, struct ctrd_image_config **ret_config,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_image_config_free)
	struct ctrd_image_config *config = xzalloc(sizeof(*config));

	if (get_config(c, image, platform, &config->config, &err) < 0)
		return api_result(-1, &err, ret_error);
	*ret_config = take_ptr(config);
	return 0;
}

const struct ctrd_labels *ctrd_image_config_labels(const struct ctrd_image_config *c)
{
	return public_labels(&c->config.labels);
}

const char *ctrd_image_config_stop_signal(const struct ctrd_image_config *c)
{
	return c->config.stop_signal;
}

const char *ctrd_image_config_user(const struct ctrd_image_config *c)
{
	return c->config.user;
}

/* --- users -------------------------------------------------------------------------------- */

/* groups_of: whose supplementary groups; NULL: of the number that "user" turned out to be. */
static int set_user(struct jnode *process, const char *user, const char *groups_of,
		const struct ctrd_rootfs *rootfs, struct err *err)
{
	struct user_source source = rootfs_users(rootfs);
	__attribute__((cleanup(user_ids_done))) struct user_ids ids = { 0 };
	AUTO_FREE char *number = NULL;

	if (user != NULL && user_resolve(user, &source, &ids, err) < 0)
		return -1;
	if (groups_of == NULL) {
		number = xasprintf("%u", ids.uid);
		groups_of = number;
	}
	if (user_add_groups(groups_of, &source, &ids, err) < 0)
		return -1;
	process_set_user(process, &ids);
	return 0;
}

int ctrd_spec_apply_image(struct ctrd_spec *s, const struct ctrd_image_config *config,
		const struct ctrd_rootfs *rootfs, struct ctrd_error **ret_error)
{
	const char *user = config->config.user;
	AUTO_ERR struct err err = { 0 };
	int rc;

	spec_apply_image(s->doc, &config->config, NULL);
	if (user[0] == '\0')
		rc = set_user(spec_process(s->doc), NULL, "root", rootfs, &err);
	else
		rc = set_user(spec_process(s->doc), user, NULL, rootfs, &err);
	return api_result(rc, &err, ret_error);
}

int ctrd_spec_set_user(struct ctrd_spec *s, const char *user, const struct ctrd_rootfs *rootfs,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(set_user(spec_process(s->doc), user, user, rootfs, &err), &err,
			ret_error);
}

/* --- the process -------------------------------------------------------------------------- */

void ctrd_spec_set_args(struct ctrd_spec *s, const char *const *args)
{
	process_set_args(spec_process(s->doc), (char *const *)args);
}

void ctrd_spec_set_cwd(struct ctrd_spec *s, const char *cwd)
{
	process_set_cwd(spec_process(s->doc), cwd);
}

void ctrd_spec_add_env(struct ctrd_spec *s, const char *const *entries)
{
	process_add_env(spec_process(s->doc), (char *const *)entries);
}

void ctrd_spec_set_terminal(struct ctrd_spec *s, int terminal)
{
	process_set_terminal(spec_process(s->doc), terminal != 0);
}

void ctrd_spec_add_terminal(struct ctrd_spec *s)
{
	jnode_append_str(jnode_need_array(spec_process(s->doc), "env"), "TERM=xterm");
	process_set_terminal(spec_process(s->doc), true);
}

void ctrd_spec_set_rlimit(struct ctrd_spec *s, const char *type, uint64_t soft, uint64_t hard)
{
	process_set_rlimit(spec_process(s->doc), type, soft, hard);
}

void ctrd_spec_add_capabilities(struct ctrd_spec *s, const char *const *names)
{
	spec_add_capabilities(s->doc, (char *const *)names);
}

void ctrd_spec_drop_capabilities(struct ctrd_spec *s, const char *const *names)
{
	spec_drop_capabilities(s->doc, (char *const *)names);
}

void ctrd_spec_set_new_privileges(struct ctrd_spec *s, int allowed)
{
	if (allowed)
		jnode_remove(spec_process(s->doc), "noNewPrivileges");
	else
		jnode_set(spec_process(s->doc), "noNewPrivileges", jnode_bool(true));
}

void ctrd_spec_set_apparmor(struct ctrd_spec *s, const char *profile)
{
	jnode_set_str(spec_process(s->doc), "apparmorProfile", profile);
}

int ctrd_spec_set_default_apparmor(
		struct ctrd_spec *s, const char *name, struct ctrd_error **ret_error)
{
	struct apparmor_places places;
	AUTO_ERR struct err err = { 0 };

	apparmor_places_init(&places);
	if (apparmor_load_default(&places, name, &err) < 0)
		return api_result(-1, &err, ret_error);
	ctrd_spec_set_apparmor(s, name);
	return 0;
}

static int own_capabilities(uint64_t *ret_mask, struct err *err)
{
	AUTO_BUF struct buf b = { .limit = 65536 };
	int rc = io_read_file(AT_FDCWD, "/proc/self/status", &b);
	const char *line;

	if (rc < 0)
		return err_sys(err, -rc, "open /proc/self/status");
	line = strstr(b.data, "\nCapEff:");
	if (line == NULL)
		return err_set(err, ERR_INTERNAL, "no CapEff in /proc/self/status");
	*ret_mask = strtoull(line + strlen("\nCapEff:"), NULL, 16);
	return 0;
}

int ctrd_spec_set_privileged(struct ctrd_spec *s, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_STRV char **names = NULL;
	uint64_t mask = 0;

	if (own_capabilities(&mask, &err) < 0)
		return api_result(-1, &err, ret_error);
	names = capability_names(mask);
	spec_set_capabilities(s->doc, names);
	spec_set_privileged(s->doc);
	return 0;
}

int ctrd_spec_set_seccomp(struct ctrd_spec *s, const void *json, size_t size,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	struct jnode *profile = NULL;

	if (jnode_parse(json, size, &profile, &err) < 0)
		return api_result(-1, &err, ret_error);
	jnode_set(spec_linux(s->doc), "seccomp", profile);
	return 0;
}

void ctrd_spec_set_default_seccomp(struct ctrd_spec *s)
{
	AUTO_PLATFORM struct platform host = { 0 };
	struct utsname u;

	platform_host(&host);
	spec_set_default_seccomp(s->doc, host.arch, uname(&u) < 0 ? "" : u.release);
}

/* --- the file system ---------------------------------------------------------------------- */

void ctrd_spec_add_default_devices(struct ctrd_spec *s)
{
	spec_add_unix_devices(s->doc);
}

void ctrd_spec_allow_all_devices(struct ctrd_spec *s)
{
	spec_allow_all_devices(s->doc);
}

void ctrd_spec_set_rootfs(struct ctrd_spec *s, const char *path)
{
	spec_set_root(s->doc, path);
}

void ctrd_spec_set_readonly(struct ctrd_spec *s)
{
	spec_set_readonly(s->doc);
}

void ctrd_spec_set_propagation(struct ctrd_spec *s, const char *mode)
{
	spec_set_propagation(s->doc, mode);
}

void ctrd_spec_add_mount(struct ctrd_spec *s, const char *destination, const char *type,
		const char *source, const char *const *options)
{
	spec_add_mount(s->doc, destination, type, source, (char *const *)options);
}

int ctrd_spec_add_mount_text(
		struct ctrd_spec *s, const char *text, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(spec_add_mount_text(s->doc, text, &err), &err, ret_error);
}

/* --- namespaces, groups, limits ----------------------------------------------------------- */

void ctrd_spec_set_hostname(struct ctrd_spec *s, const char *hostname)
{
	spec_set_hostname(s->doc, hostname);
}

void ctrd_spec_add_annotation(struct ctrd_spec *s, const char *key, const char *value)
{
	spec_add_annotation(s->doc, key, value);
}

void ctrd_spec_host_namespace(struct ctrd_spec *s, const char *type)
{
	spec_host_namespace(s->doc, type);
}

int ctrd_spec_join_namespace(struct ctrd_spec *s, const char *type, const char *path,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	if (!spec_namespace_is_known(type)) {
		err_plain(&err, ERR_INVALID,
				"the Linux namespace type specified in --with-ns is not valid: "
				"%s",
				type);
		return api_result(-1, &err, ret_error);
	}
	spec_set_namespace(s->doc, type, path);
	return 0;
}

void ctrd_spec_add_uid_mapping(
		struct ctrd_spec *s, uint32_t container, uint32_t host, uint32_t count)
{
	spec_add_id_mapping(s->doc, false, container, host, count);
}

void ctrd_spec_add_gid_mapping(
		struct ctrd_spec *s, uint32_t container, uint32_t host, uint32_t count)
{
	spec_add_id_mapping(s->doc, true, container, host, count);
}

void ctrd_spec_set_cgroup(struct ctrd_spec *s, const char *path)
{
	spec_set_cgroup(s->doc, path);
}

void ctrd_spec_set_memory_limit(struct ctrd_spec *s, uint64_t bytes)
{
	spec_set_memory_limit(s->doc, bytes);
}

void ctrd_spec_set_cpu_shares(struct ctrd_spec *s, uint64_t shares)
{
	spec_set_cpu_shares(s->doc, shares);
}

void ctrd_spec_set_cpu_quota(struct ctrd_spec *s, int64_t quota, uint64_t period)
{
	spec_set_cpu_quota(s->doc, quota, period);
}

void ctrd_spec_set_cpuset(struct ctrd_spec *s, const char *cpus, const char *mems)
{
	spec_set_cpuset(s->doc, cpus, mems);
}
