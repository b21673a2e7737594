/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the container of "run" and "containers create": image, snapshot, spec, record. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/cmd_run.h"
#include "cmd/ctr/cmd_run_users.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_out.h"

#define STOP_SIGNAL_LABEL "io.containerd.image.config.stop-signal"
#define LEASE_LIFE_NS	  (24 * 3600 * NS_PER_S)
#define DEFAULT_SIGNAL	  "SIGTERM"

typedef const struct run_args args_type;

/* What a container is being made of. */
struct creation {
	struct cx *cx;
	struct ctrd_client *client;
	const char *id, *ref;
	char *const *command;
	struct ctrd_spec *spec;
	struct ctrd_labels *labels;
	struct ctrd_rootfs *rootfs;
	struct user_maps maps;
	bool has_snapshot; /* made by us: to be removed if the rest fails */
};

static void creation_done(struct creation *c)
{
	ctrd_spec_free(c->spec);
	ctrd_labels_free(c->labels);
	ctrd_rootfs_free(c->rootfs);
	user_maps_done(&c->maps);
	if (c->has_snapshot)
		(void)!ctrd_snapshot_remove(c->client, ((args_type *)c->cx->args)->snapshotter,
				c->id, NULL);
}

/* --- arguments ---------------------------------------------------------------------------- */

int check_create_args(const struct cx *cx, const char *suffix, const char **ret_id)
{
	args_type *args = cx->args;

	if (!str_is_empty(args->config)) {
		if (cx->argc > 1)
			return out_fail("with spec config file, only container id should be "
					"provided%s",
					suffix);
		if (cx_arg(cx, 0)[0] == '\0')
			return out_fail("container id must be provided%s", suffix);
		*ret_id = cx->argv[0];
		return 0;
	}
	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("image ref must be provided%s", suffix);
	if (cx_arg(cx, 1)[0] == '\0')
		return out_fail("container id must be provided%s", suffix);
	*ret_id = cx->argv[1];
	return 0;
}

static int check_runtime_flags(args_type *args)
{
	bool runc = strcmp(args->runtime, CTRD_RUNTIME_RUNC) == 0;

	if (!runc && (!str_is_empty(args->runc_binary) || args->runc_systemd_cgroup))
		return out_fail("specifying runc-binary and runc-systemd-cgroup is only "
				"supported for \"" CTRD_RUNTIME_RUNC "\" runtime");
	if (args->runc_systemd_cgroup && str_is_empty(args->cgroup))
		return out_fail("option --runc-systemd-cgroup requires --cgroup to be set, "
				"e.g. "
				"\"machine.slice:foo:deadbeef\"");
	return 0;
}

/* --- labels ------------------------------------------------------------------------------- */

/* Images must not steer those who act on labels of containers (CVE-2026-53488). */
static bool is_reserved(const char *key)
{
	return str_starts(key, "containerd.io/") || str_starts(key, "io.cri-containerd");
}

static void add_labels(struct ctrd_labels *to, const struct ctrd_labels *from, bool from_config)
{
	for (size_t i = 0; i < ctrd_labels_count(from); i++) {
		const char *key = ctrd_labels_key(from, i), *value = ctrd_labels_value(from, i);
		AUTO_ERR struct err why = { 0 };

		if (from_config && is_reserved(key))
			out_log("warning", NULL, "ignoring reserved image label %s", key);
		else if (label_check(key, value, &why) < 0)
			out_log("warning", NULL,
					"unable to add image label with key %s to the "
					"container",
					key);
		else
			ctrd_labels_set(to, key, value);
	}
}

static void add_own_labels(struct creation *c)
{
	args_type *args = c->cx->args;
	AUTO(ctrd_labels_free) struct ctrd_labels *own = labels_of_args(args->labels, "true");

	for (size_t i = 0; i < ctrd_labels_count(own); i++)
		ctrd_labels_set(c->labels, ctrd_labels_key(own, i), ctrd_labels_value(own, i));
}

/* --- the root ----------------------------------------------------------------------------- */

static int make_snapshot(struct creation *c, const struct ctrd_image *image)
{
	args_type *args = c->cx->args;
	const char *platform = str_is_empty(args->platform) ? NULL : args->platform;
	AUTO(ctrd_strings_free) char **chain = NULL;
	AUTO(ctrd_mounts_free) struct ctrd_mounts *mounts = NULL;
	AUTO(ctrd_labels_free)
	struct ctrd_labels *labels = labels_of_args(args->snapshotter_labels, "true");
	AUTO_FREE char *remapped = NULL;
	struct ctrd_error *error = NULL;
	const char *parent;

	/* What is unpacked already costs one question per layer. */
	if (ctrd_image_unpack(c->client, image, platform, args->snapshotter, &error) < 0 ||
			ctrd_image_chain(c->client, image, platform, &chain, &error) < 0)
		return out_error(error);
	parent = chain == NULL ? NULL : chain[0];
	if (user_maps_apply(&c->maps, c->client, args, parent, labels, &remapped) != 0)
		return STATUS_FAILED;
	if (ctrd_snapshot_prepare(c->client, args->snapshotter, c->id,
			    remapped == NULL ? parent : remapped, labels, &mounts, &error) < 0)
		return out_error(error);
	c->has_snapshot = true;
	if (ctrd_rootfs_of_snapshot(c->client, args->snapshotter, c->id, &c->rootfs, &error) <
			0)
		return out_error(error);
	return 0;
}

static int apply_image(struct creation *c)
{
	args_type *args = c->cx->args;
	const char *platform = str_is_empty(args->platform) ? NULL : args->platform;
	AUTO(ctrd_image_free) struct ctrd_image *image = NULL;
	AUTO(ctrd_image_config_free) struct ctrd_image_config *config = NULL;
	struct ctrd_error *error = NULL;

	if (ctrd_image_get(c->client, c->ref, &image, &error) < 0)
		return out_error(error);
	if (make_snapshot(c, image) != 0)
		return STATUS_FAILED;
	if (ctrd_image_config_get(c->client, image, platform, &config, &error) < 0 ||
			ctrd_spec_apply_image(c->spec, config, c->rootfs, &error) < 0)
		return out_error(error);
	add_labels(c->labels, ctrd_image_config_labels(config), true);
	add_labels(c->labels, ctrd_image_labels(image), false);
	add_own_labels(c);
	ctrd_labels_set(c->labels, STOP_SIGNAL_LABEL,
			str_or(ctrd_image_config_stop_signal(config), DEFAULT_SIGNAL));
	return 0;
}

static int apply_rootfs(struct creation *c)
{
	char *path = realpath(c->ref, NULL);
	AUTO_FREE char *absolute = path;
	struct ctrd_error *error = NULL;
	bool exists = path != NULL;

	if (path == NULL && c->ref[0] != '/') { /* runs may be later */
		AUTO_FREE char *cwd = getcwd(NULL, 0);

		path = absolute = xasprintf("%s/%s", str_or(cwd, ""), c->ref);
	}
	ctrd_spec_set_rootfs(c->spec, str_or(path, c->ref));
	add_own_labels(c);
	if (exists && ctrd_rootfs_of_path(path, &c->rootfs, &error) < 0)
		return out_error(error);
	return 0;
}

static int apply_config(struct creation *c)
{
	args_type *args = c->cx->args;
	AUTO_FREE char *text = NULL;
	struct ctrd_error *error = NULL;
	int status = read_whole_file("cannot load spec config file: ", args->config, &text);

	if (status != 0)
		return status;
	if (ctrd_spec_parse(text, strlen(text), &c->spec, &error) < 0)
		return out_error(error);
	add_own_labels(c);
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------- */

static int build_spec(struct creation *c)
{
	args_type *args = c->cx->args;
	int status;

	if (!str_is_empty(args->config))
		return apply_config(c);
	c->spec = ctrd_spec_default(ctrd_client_namespace(c->client), c->id);
	status = apply_early_flags(c->cx, c->spec);
	/* A directory's files belong to whom they belong. */
	if (status == 0 && !args->rootfs)
		status = user_maps_parse(&c->maps, args, c->spec);
	if (status == 0)
		status = args->rootfs ? apply_rootfs(c) : apply_image(c);
	if (status == 0)
		status = apply_late_flags(c->cx, c->spec, c->rootfs, c->command);
	return status;
}

static int store(struct creation *c, struct ctrd_container **ret_container)
{
	args_type *args = c->cx->args;
	struct ctrd_container_options o = CTRD_CONTAINER_OPTIONS_INIT;
	struct ctrd_error *error = NULL;

	o.image = c->has_snapshot ? c->ref : NULL;
	o.snapshotter = args->snapshotter;
	o.snapshot_key = c->has_snapshot ? c->id : NULL;
	o.runtime = args->runtime;
	o.runc_binary = args->runc_binary;
	o.runc_root = args->runc_root;
	o.runc_systemd_cgroup = args->runc_systemd_cgroup;
	o.runtime_config_path = args->runtime_config_path;
	o.labels = c->labels;
	o.spec = c->spec;
	o.sandbox = args->sandbox;
	if (ctrd_container_create(c->client, c->id, &o, ret_container, &error) < 0)
		return out_error(error);
	return 0;
}

static int create_leased(struct cx *cx, struct ctrd_client *client,
		struct ctrd_container **ret_container, struct ctrd_spec **ret_spec)
{
	args_type *args = cx->args;
	__attribute__((cleanup(creation_done))) struct creation c = { .cx = cx,
		.client = client };
	bool config = !str_is_empty(args->config);
	int status;

	c.ref = config ? NULL : cx_arg(cx, 0);
	c.id = cx_arg(cx, config ? 0 : 1);
	c.command = config || cx->argc < 3 ? NULL : cx->argv + 2;
	c.labels = ctrd_labels_new();
	status = build_spec(&c);
	if (status != 0)
		return status;
	apply_label_annotations(cx, c.spec);
	status = store(&c, ret_container);
	if (status != 0)
		return status;
	c.has_snapshot = false; /* the container's now */
	*ret_spec = take_ptr(c.spec);
	return 0;
}

/* Until the record refers to it, only a lease keeps the snapshot from being collected. */
int create_container(struct cx *cx, struct ctrd_client *client,
		struct ctrd_container **ret_container, struct ctrd_spec **ret_spec)
{
	args_type *args = cx->args;
	AUTO_FREE char *lease = NULL;
	struct ctrd_error *error = NULL;
	int status = check_runtime_flags(args);

	if (status != 0)
		return status;
	if (args->cni)
		return out_fail("--cni: not implemented");
	if (ctrd_lease_create(client, NULL, LEASE_LIFE_NS, NULL, &lease, &error) < 0)
		return out_error(error);
	ctrd_client_use_lease(client, lease);
	status = create_leased(cx, client, ret_container, ret_spec);
	ctrd_client_use_lease(client, NULL);
	/* One that cannot be removed expires. */
	(void)!ctrd_lease_remove(client, lease, 0, NULL);
	return status;
}
