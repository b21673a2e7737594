/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtime specs. One is a JSON object (text/jnode.h): what we do not know in a foreign one
 * stays. Options are functions that change it (reference 02 §10); those that may be given what
 * makes no sense fail, the rest cannot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "text/jnode.h"

struct err;
struct image_config;
struct user_ids;

#define SPEC_OCI_VERSION  "1.3.0"
#define SPEC_DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

MUST_USE struct jnode *spec_default(const char *ns, const char *id);

/* Members in the order of the original's structs, whatever order they were set in. */
void spec_order(struct jnode *spec);
/* Orders, then prints; indent NULL: one line. Owned. */
MUST_USE char *spec_to_json(struct jnode *spec, const char *indent);
/* The same for a process alone. */
MUST_USE char *spec_process_to_json(struct jnode *process, const char *indent);

/* --- process ------------------------------------------------------------------------------ */

struct jnode *spec_process(struct jnode *spec); /* made if absent */
void process_set_args(struct jnode *process, char *const *args);
void process_set_cwd(struct jnode *process, const char *cwd);
/* "K=V" replaces or adds, "K" removes. */
void process_add_env(struct jnode *process, char *const *entries);
void process_set_terminal(struct jnode *process, bool terminal);
void process_set_user(struct jnode *process, const struct user_ids *user);
void process_set_rlimit(struct jnode *process, const char *type, uint64_t soft, uint64_t hard);

/* Environment, arguments (extra_args replace Cmd), working directory; the user is the caller's
 * business, since it needs the root file system. */
void spec_apply_image(
		struct jnode *spec, const struct image_config *image, char *const *extra_args);

/* Bounding, effective and permitted; dropping also inheritable. */
void spec_add_capabilities(struct jnode *spec, char *const *names);
void spec_drop_capabilities(struct jnode *spec, char *const *names);
/* Exactly these in all three sets. */
void spec_set_capabilities(struct jnode *spec, char *const *names);
/* "CAP_CHOWN" … for the bits of a /proc/self/status mask. Owned vector. */
MUST_USE char **capability_names(uint64_t mask);

/* --- the rest ----------------------------------------------------------------------------- */

void spec_add_unix_devices(struct jnode *spec);
/* Mounts with the same destination go. */
void spec_add_mount(struct jnode *spec, const char *destination, const char *type,
		const char *source, char *const *options);
/* "type=bind,src=/tmp,dst=/host,options=rbind:ro" */
MUST_USE int spec_add_mount_text(struct jnode *spec, const char *text, struct err *err);
void spec_set_root(struct jnode *spec, const char *path);
void spec_set_readonly(struct jnode *spec);
void spec_set_hostname(struct jnode *spec, const char *hostname);
void spec_add_annotation(struct jnode *spec, const char *key, const char *value);

struct jnode *spec_linux(struct jnode *spec); /* made if absent */
void spec_host_namespace(struct jnode *spec, const char *type);
/* path NULL: a new one. */
void spec_set_namespace(struct jnode *spec, const char *type, const char *path);
bool spec_namespace_is_known(const char *type);
void spec_add_id_mapping(struct jnode *spec, bool group, uint32_t container, uint32_t host,
		uint32_t size);
void spec_set_cgroup(struct jnode *spec, const char *path);
void spec_set_memory_limit(struct jnode *spec, uint64_t bytes);
void spec_set_cpu_shares(struct jnode *spec, uint64_t shares);
void spec_set_cpu_quota(struct jnode *spec, int64_t quota, uint64_t period);
void spec_set_cpuset(struct jnode *spec, const char *cpus, const char *mems); /* NULL: as is */
void spec_set_propagation(struct jnode *spec, const char *mode);
/* The default profile, by the capabilities that are bounding now. arch as in platforms, kernel
 * as in "6.1.0-13-amd64". */
void spec_set_default_seccomp(struct jnode *spec, const char *arch, const char *kernel);
/* Everything but the capabilities: masked and read-only paths, labels, seccomp. */
void spec_set_privileged(struct jnode *spec);
void spec_allow_all_devices(struct jnode *spec);

struct spec_device {
	const char *path;
	char type; /* 'c', 'b', 'p' or 'u' */
	int64_t major, minor;
	uint32_t mode, uid, gid;
};
/* access NULL: no cgroup rule. */
void spec_add_device(struct jnode *spec, const struct spec_device *device, const char *access);
