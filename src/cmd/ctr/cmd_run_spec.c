/* SPDX-License-Identifier: Apache-2.0 */
/* From flags to a runtime spec, in the order of the original (reference 02 §10.3). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/cmd_run.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_out.h"

#define MAX_FILE (4 * 1024 * 1024)

typedef const struct run_args args_type;

int read_whole_file(const char *context, const char *name, char **ret_text)
{
	AUTO_BUF struct buf b = { .limit = MAX_FILE };
	AUTO_CLOSE int fd = open(name, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : io_read_all(fd, &b);

	if (rc < 0)
		return out_fail("%sopen %s: %s", context, name, errno_text(-rc));
	*ret_text = buf_take_str(&b);
	return 0;
}

/* --- before the image --------------------------------------------------------------------- */

static int add_env_file(const char *name, struct ctrd_spec *spec)
{
	AUTO_FREE char *text = NULL;
	AUTO_STRV char **lines = NULL;
	int status = read_whole_file("", name, &text);
	size_t n;

	if (status != 0)
		return status;
	n = strlen(text);
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	lines = strv_split(text, '\n');
	ctrd_spec_add_env(spec, (const char *const *)lines);
	return 0;
}

int apply_early_flags(const struct cx *cx, struct ctrd_spec *spec)
{
	args_type *args = cx->args;
	struct ctrd_error *error = NULL;

	ctrd_spec_add_default_devices(spec);
	if (!str_is_empty(args->env_file) && add_env_file(args->env_file, spec) != 0)
		return STATUS_FAILED;
	ctrd_spec_add_env(spec, (const char *const *)args->env);
	for (char **m = args->mounts; m != NULL && *m != NULL; m++)
		if (ctrd_spec_add_mount_text(spec, *m, &error) < 0)
			return out_error(error);
	return 0;
}

/* --- privileges --------------------------------------------------------------------------- */

static int check_capabilities(char *const *names)
{
	for (; names != NULL && *names != NULL; names++)
		if (!str_starts(*names, "CAP_"))
			return out_fail("capabilities must be specified with 'CAP_' prefix");
	return 0;
}

static int apply_privileged(args_type *args, struct ctrd_spec *spec)
{
	struct ctrd_error *error = NULL;

	if (args->no_host_devices && !args->privileged)
		return out_fail("can't use 'privileged-without-host-devices' without "
				"'privileged' specified");
	if (!args->privileged)
		return 0;
	if (ctrd_spec_set_privileged(spec, &error) < 0)
		return out_error(error);
	if (args->no_host_devices)
		return 0;
	ctrd_spec_allow_all_devices(spec);
	return ctrd_spec_add_host_devices(spec, &error) < 0 ? out_error(error) : 0;
}

static int apply_seccomp(args_type *args, struct ctrd_spec *spec)
{
	AUTO_FREE char *profile = NULL;
	AUTO_FREE char *context = NULL;
	struct ctrd_error *error = NULL;
	int status;

	if (!args->seccomp)
		return str_is_empty(args->seccomp_profile) ? 0
							   : out_fail("seccomp must be set to "
								      "true, if using a custom "
								      "seccomp-profile");
	if (str_is_empty(args->seccomp_profile)) {
		ctrd_spec_set_default_seccomp(spec);
		return 0;
	}
	context = xasprintf("cannot load seccomp profile \"%s\": ", args->seccomp_profile);
	status = read_whole_file(context, args->seccomp_profile, &profile);
	if (status != 0)
		return status;
	if (ctrd_spec_set_seccomp(spec, profile, strlen(profile), &error) < 0)
		return out_error(error);
	return 0;
}

static int apply_apparmor(args_type *args, struct ctrd_spec *spec)
{
	struct ctrd_error *error = NULL;

	if (!str_is_empty(args->apparmor_default)) {
		if (!str_is_empty(args->apparmor))
			return out_fail("apparmor-profile conflicts with "
					"apparmor-default-profile");
		if (ctrd_spec_set_default_apparmor(spec, args->apparmor_default, &error) < 0)
			return out_error(error);
	}
	if (!str_is_empty(args->apparmor))
		ctrd_spec_set_apparmor(spec, args->apparmor);
	return 0;
}

static int apply_privileges(args_type *args, struct ctrd_spec *spec)
{
	if (check_capabilities(args->cap_add) != 0 || check_capabilities(args->cap_drop) != 0)
		return STATUS_FAILED;
	ctrd_spec_add_capabilities(spec, (const char *const *)args->cap_add);
	ctrd_spec_drop_capabilities(spec, (const char *const *)args->cap_drop);
	if (apply_seccomp(args, spec) != 0)
		return STATUS_FAILED;
	return apply_apparmor(args, spec);
}

/* --- namespaces and limits ---------------------------------------------------------------- */

static void apply_net_host(struct ctrd_spec *spec)
{
	static const char *const options[] = { "rbind", "ro", NULL };
	char name[HOST_NAME_MAX + 1] = "";
	AUTO_FREE char *entry = NULL;
	const char *env[] = { NULL, NULL };

	gethostname(name, sizeof(name) - 1);
	entry = xasprintf("HOSTNAME=%s", name);
	env[0] = entry;
	ctrd_spec_host_namespace(spec, "network");
	ctrd_spec_add_mount(spec, "/etc/hosts", "bind", "/etc/hosts", options);
	ctrd_spec_add_mount(spec, "/etc/resolv.conf", "bind", "/etc/resolv.conf", options);
	ctrd_spec_add_env(spec, env);
}

static int apply_namespaces(args_type *args, struct ctrd_spec *spec)
{
	struct ctrd_error *error = NULL;

	for (char **n = args->namespaces; n != NULL && *n != NULL; n++) {
		const char *colon = strchr(*n, ':');
		AUTO_FREE char *type = xstrndup(*n, strcspn(*n, ":"));

		if (colon == NULL)
			return out_fail("joining a Linux namespace using --with-ns requires "
					"the "
					"format 'nstype:path'");
		if (ctrd_spec_join_namespace(spec, type, colon + 1, &error) < 0)
			return out_error(error);
	}
	return 0;
}

static int apply_cpu(const struct cx *cx, struct ctrd_spec *spec)
{
	args_type *args = cx->args;
	bool quota = args->cpu_quota != -1, period = args->cpu_period != 0;

	if (args->cpus > 0) {
		if (quota || period)
			return out_fail("cpus and quota/period should be used separately");
		ctrd_spec_set_cpu_quota(spec, (int64_t)(args->cpus * 100000.0), 100000);
	}
	if (args->cpuset_cpus != NULL && args->cpuset_cpus[0] != '\0')
		ctrd_spec_set_cpuset(spec, args->cpuset_cpus, NULL);
	if (args->cpuset_mems != NULL && args->cpuset_mems[0] != '\0')
		ctrd_spec_set_cpuset(spec, NULL, args->cpuset_mems);
	if (args->cpu_shares > 0)
		ctrd_spec_set_cpu_shares(spec, (uint64_t)args->cpu_shares);
	if (quota || period)
		ctrd_spec_set_cpu_quota(spec, args->cpu_quota, args->cpu_period);
	return 0;
}

/* "soft[:hard]" */
static int apply_rlimit(const char *text, struct ctrd_spec *spec)
{
	AUTO_FREE char *soft_text = NULL;
	const char *hard_text;
	uint64_t soft, hard;

	if (str_is_empty(text))
		return 0;
	soft_text = xstrndup(text, strcspn(text, ":"));
	hard_text = strchr(text, ':') == NULL ? soft_text : strchr(text, ':') + 1;
	if (!str_u64(soft_text, &soft) || !str_u64(hard_text, &hard))
		return out_fail("failed to parse rlimit-nofile \"%s\": invalid syntax", text);
	ctrd_spec_set_rlimit(spec, "RLIMIT_NOFILE", soft, hard);
	return 0;
}

static int apply_devices(args_type *args, struct ctrd_spec *spec)
{
	struct ctrd_error *error = NULL;
	AUTO_STRV char **cdi = NULL;

	for (char **d = args->devices; d != NULL && *d != NULL; d++) {
		if (ctrd_is_cdi_name(*d))
			strv_add(&cdi, *d);
		else if (ctrd_spec_add_device(spec, *d, "rwm", &error) < 0)
			return out_error(error);
	}
	if (cdi != NULL &&
			ctrd_spec_add_cdi_devices(spec, (const char *const *)cdi, &error) < 0)
		return out_error(error);
	if (args->gpus != NULL &&
			ctrd_spec_add_gpus(spec, (const char *const *)args->gpus, &error) < 0)
		return out_error(error);
	return 0;
}

static int apply_classes(args_type *args, struct ctrd_spec *spec)
{
	AUTO_FREE char *file = NULL;
	struct ctrd_error *error = NULL;
	int status;

	if (!str_is_empty(args->rdt_class))
		ctrd_spec_set_rdt_class(spec, args->rdt_class);
	if (str_is_empty(args->blockio_class))
		return 0;
	if (str_is_empty(args->blockio_config))
		return out_fail("blockio not enabled: no --blockio-config-file");
	status = read_whole_file("", args->blockio_config, &file);
	if (status != 0)
		return status;
	if (ctrd_spec_set_blockio_class(spec, file, strlen(file), args->blockio_class, &error) <
			0)
		return out_error(error);
	return 0;
}

static int apply_annotations(args_type *args, struct ctrd_spec *spec)
{
	for (char **a = args->annotations; a != NULL && *a != NULL; a++) {
		const char *value = strchr(*a, '=');
		AUTO_FREE char *key = xstrndup(*a, strcspn(*a, "="));

		if (value == NULL)
			return out_fail("invalid key=value format annotation: %s", *a);
		ctrd_spec_add_annotation(spec, key, value + 1);
	}
	return 0;
}

void apply_label_annotations(const struct cx *cx, struct ctrd_spec *spec)
{
	args_type *args = cx->args;
	AUTO(ctrd_labels_free)
	struct ctrd_labels *labels = labels_of_args(args->labels, "true");

	for (size_t i = 0; i < ctrd_labels_count(labels); i++)
		ctrd_spec_add_annotation(
				spec, ctrd_labels_key(labels, i), ctrd_labels_value(labels, i));
}

/* --- behind the image --------------------------------------------------------------------- */

static int apply_process(args_type *args, struct ctrd_spec *spec,
		const struct ctrd_rootfs *rootfs, char *const *command)
{
	struct ctrd_error *error = NULL;

	if (args->read_only)
		ctrd_spec_set_readonly(spec);
	if (command != NULL && *command != NULL)
		ctrd_spec_set_args(spec, (const char *const *)command);
	if (!str_is_empty(args->cwd))
		ctrd_spec_set_cwd(spec, args->cwd);
	if (!str_is_empty(args->user) &&
			ctrd_spec_set_user(spec, args->user, rootfs, &error) < 0)
		return out_error(error);
	if (args->tty)
		ctrd_spec_add_terminal(spec);
	return apply_privileged(args, spec);
}

int apply_late_flags(const struct cx *cx, struct ctrd_spec *spec,
		const struct ctrd_rootfs *rootfs, char *const *command)
{
	args_type *args = cx->args;

	if (apply_process(args, spec, rootfs, command) != 0)
		return STATUS_FAILED;
	if (args->net_host)
		apply_net_host(spec);
	if (apply_annotations(args, spec) != 0 || apply_privileges(args, spec) != 0)
		return STATUS_FAILED;
	if (apply_cpu(cx, spec) != 0 || apply_namespaces(args, spec) != 0)
		return STATUS_FAILED;
	/* Given at all, even as "=false", it counts: so the original has it. */
	if (cx_is_given(cx, "allow-new-privs"))
		ctrd_spec_set_new_privileges(spec, 1);
	if (cx_is_given(cx, "cgroup"))
		ctrd_spec_set_cgroup(spec, args->cgroup);
	if (args->memory_limit != 0)
		ctrd_spec_set_memory_limit(spec, args->memory_limit);
	if (apply_devices(args, spec) != 0)
		return STATUS_FAILED;
	if (!str_is_empty(args->propagation))
		ctrd_spec_set_propagation(spec, args->propagation);
	if (apply_classes(args, spec) != 0)
		return STATUS_FAILED;
	if (!str_is_empty(args->hostname))
		ctrd_spec_set_hostname(spec, args->hostname);
	return apply_rlimit(args->rlimit_nofile, spec);
}
