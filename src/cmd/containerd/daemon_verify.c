/* SPDX-License-Identifier: Apache-2.0 */
/* "containerd verify": a look through a root that no daemon uses (docs/design/033-verify.md).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/containerd/daemon.h"
#include "cmd/containerd/daemon_cli.h"
#include "cmd/containerd/daemon_flags.h"
#include "cmd/containerd/plugins.h"
#include "config/config.h"
#include "content/content_local.h"
#include "core/content.h"
#include "core/finding.h"
#include "core/snapshot.h"
#include "kv/kv.h"
#include "meta/meta.h"
#include "os/dirs.h"
#include "os/process.h"
#include "snapshots/native/snap_native.h"
#include "snapshots/overlay/snap_overlay.h"
#include "snapshots/snap_store.h"
#include "snapshots/snap_verify.h"
#include "text/toml.h"

static int make_overlay(const char *root, struct snap_store *own_store,
		struct snapshotter **ret_snapshotter, struct err *err)
{
	struct snap_overlay_options options = { .root = root };

	return snap_overlay_new(&options, own_store, ret_snapshotter, err);
}

static int make_native(const char *root, struct snap_store *own_store,
		struct snapshotter **ret_snapshotter, struct err *err)
{
	struct snap_native_options options = { .root = root };

	return snap_native_new(&options, own_store, ret_snapshotter, err);
}

static const struct driver {
	const char *id, *below;
	bool copies;
	int (*make)(const char *root, struct snap_store *own_store,
			struct snapshotter **ret_snapshotter, struct err *err);
} drivers[] = {
	{ "overlayfs", "fs", false, make_overlay },
	{ "native", "", true, make_native },
};

struct verify {
	struct daemon *d;
	struct ctx ctx;
	struct finding_sink sink;
	struct map told; /* what was named already */
	char **blobs;	 /* damaged ones */
	struct content_store *content;
	struct meta_backend backends[ARRAY_LEN(drivers)];
	size_t backend_count;
	bool is_bad;
};

/* One line per object, however many find fault with it. */
static int print_finding(void *arg, const struct finding *f, struct err *err)
{
	AUTO_FREE char *object = xasprintf("%s %s", f->what, f->name);
	struct verify *v = arg;

	if (map_find(&v->told, object) != NULL)
		return 0;
	(void)map_put(&v->told, object, v);
	printf("%s %s: %s\n", f->kind == FINDING_DAMAGED ? "damaged" : "leftover", object,
			f->why);
	if (f->kind == FINDING_LEFTOVER)
		return 0;
	v->is_bad = true;
	if (str_eq(f->what, "blob"))
		strv_add(&v->blobs, f->name);
	return 0;
}

/* What cannot be looked at at all does not keep the rest from being looked at. */
static void note_failure(struct verify *v, struct err *err)
{
	(void)fflush(stdout);
	(void)command_fail(err);
	err_clear(err);
	v->is_bad = true;
}

static bool is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static int verify_content(struct verify *v, struct err *err)
{
	AUTO_FREE char *root = xasprintf("%s/" TYPE_CONTENT ".content", v->d->root);
	struct content_local_options options = { root, 0 };

	if (!is_there(root))
		return 0;
	if (content_local_new(&options, &v->content, err) < 0)
		return -1;
	return content_local_verify(v->content, &v->ctx, &v->sink, err);
}

/* For the records that lead there. */
static int open_driver(struct verify *v, const struct driver *driver, const char *root,
		struct err *err)
{
	AUTO(snap_store_free) struct snap_store *store = NULL;
	struct snapshotter *s = NULL;

	if (snap_store_kv_open(root, false, &store, err) < 0 ||
			driver->make(root, store, &s, err) < 0)
		return -1;
	take_ptr(store);
	v->backends[v->backend_count++] = (struct meta_backend){ driver->id, s };
	return 0;
}

static int verify_driver(struct verify *v, const struct driver *driver, struct err *err)
{
	AUTO_FREE char *uri = xasprintf(TYPE_SNAPSHOTTER ".%s", driver->id);
	AUTO_FREE char *standard = xasprintf("%s/%s", v->d->root, uri);
	const struct toml_value *section = NULL;
	struct snap_verify_options options = {
		.name = driver->id, .below = driver->below, .copies = driver->copies
	};
	AUTO_FREE char *file = NULL;

	if (config_section(v->d->config, uri, &section, err) < 0)
		return -1;
	options.root = str_or(toml_text(toml_find(section, "root_path")), standard);
	file = xasprintf("%s/metadata.mdb", options.root);
	if (!is_there(file))
		return 0;
	if (kv_check_pages(file, err) < 0 ||
			snap_verify(&options, &v->ctx, &v->sink, err) < 0 ||
			open_driver(v, driver, options.root, err) < 0)
		return err_wrap(err, "snapshotter %s", driver->id);
	return 0;
}

static int mark_blobs(struct verify *v, struct meta *m, struct err *err)
{
	size_t count;

	for (size_t i = 0; i < strv_len(v->blobs); i++)
		if (meta_mark_damaged(m, v->blobs[i], "found by containerd verify", &count,
				    err) < 0)
			return err_wrap(err, "mark blob %s", v->blobs[i]);
	return 0;
}

static int verify_metadata(struct verify *v, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/" TYPE_METADATA ".bolt/metadata.mdb", v->d->root);
	AUTO(meta_close) struct meta *m = NULL;
	struct meta_options options = { .content = v->content,
		.snapshotters = v->backends,
		.snapshotter_count = v->backend_count };

	if (!is_there(path))
		return 0;
	if (v->content == NULL)
		return err_set(err, ERR_NOT_FOUND, "%s/" TYPE_CONTENT ".content", v->d->root);
	if (kv_check_pages(path, err) < 0 || meta_open(path, &options, &m, err) < 0 ||
			meta_verify(m, &v->ctx, &v->sink, err) < 0)
		return err_wrap(err, "metadata");
	return mark_blobs(v, m, err);
}

static void verify_all(struct verify *v)
{
	AUTO_ERR struct err err = { 0 };

	if (verify_content(v, &err) < 0)
		note_failure(v, &err);
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (verify_driver(v, &drivers[i], &err) < 0)
			note_failure(v, &err);
	if (verify_metadata(v, &err) < 0)
		note_failure(v, &err);
	for (size_t i = 0; i < v->backend_count; i++)
		snapshotter_free(v->backends[i].snapshotter);
	content_local_free(v->content);
}

static int take_root(struct daemon *d, struct err *err)
{
	d->lock = dir_lock(d->root);
	if (d->lock == -EWOULDBLOCK)
		return err_set(err, ERR_UNAVAILABLE, "another containerd uses %s", d->root);
	if (d->lock < 0)
		return err_sys(err, -d->lock, "lock %s", d->root);
	return 0;
}

int command_verify(const struct daemon_flags *f, int argc, char **argv)
{
	AUTO_DAEMON struct daemon d = DAEMON_INIT;
	AUTO_ERR struct err err = { 0 };
	struct verify v = { .d = &d, .ctx = { .what = "verify" } };

	if (argc > 0 && (str_eq(argv[0], "--help") || str_eq(argv[0], "-h"))) {
		daemon_help_verify();
		return 0;
	}
	if (argc > 0)
		return command_unknown(argv[0]);
	if (daemon_load_config(f, &d, &err) < 0 || take_root(&d, &err) < 0)
		return command_fail(&err);
	IGNORE(process_be_idle()); /* only a courtesy to others */
	v.sink = (struct finding_sink){ print_finding, &v };
	map_init(&v.told);
	verify_all(&v);
	map_done(&v.told, NULL);
	strv_free(v.blobs);
	if (fflush(stdout) != 0)
		return 1;
	return v.is_bad ? 1 : 0;
}
