/* SPDX-License-Identifier: Apache-2.0 */
/* The one CRI table of versions 1 to 3, split over three plugins: reference 03 §4.2, 05 §8.1.
 */
#include "base/str.h"
#include "config/config_priv.h"
#include "text/toml.h"

#define CRI_URI	    "io.containerd.grpc.v1.cri"
#define IMAGES_URI  "io.containerd.cri.v1.images"
#define RUNTIME_URI "io.containerd.cri.v1.runtime"

static const char *const server_keys[] = { "disable_tcp_service", "stream_server_address",
	"stream_server_port", "stream_idle_timeout", "enable_tls_streaming",
	"x509_key_pair_streaming", NULL };

static const char *const image_keys[] = { "registry", "image_decryption",
	"max_concurrent_downloads", "image_pull_progress_timeout", "image_pull_with_sync_fs",
	"stats_collect_period", NULL };

static const char *const image_keys_in_containerd[] = { "snapshotter",
	"disable_snapshot_annotations", "discard_unpacked_layers", NULL };

static bool is_in(const char *const *list, const char *name)
{
	for (; *list != NULL; list++)
		if (str_eq(*list, name))
			return true;
	return false;
}

/* Moves from[key] to to[as]; what stands there already wins. */
static void move_key(
		struct toml_value *from, const char *key, struct toml_value *to, const char *as)
{
	AUTO(toml_free) struct toml_value *v = toml_take(from, key);
	struct toml_value *there = toml_find(to, as);

	if (v == NULL || to == NULL)
		return;
	if (there == NULL) {
		toml_put(to, as, take_ptr(v));
	} else if (toml_is(there, TOML_TABLE) && toml_is(v, TOML_TABLE)) {
		toml_merge(v, there);
		toml_put(to, as, take_ptr(v));
	}
}

static void move_images(struct toml_value *cri, struct toml_value *plugins)
{
	struct toml_value *containerd = toml_find(cri, "containerd");
	struct toml_value *images = toml_new_table();

	if (toml_find(cri, "sandbox_image") != NULL)
		move_key(cri, "sandbox_image", toml_need_table(images, "pinned_images"),
				"sandbox");
	for (const char *const *key = image_keys; *key != NULL; key++)
		move_key(cri, *key, images, *key);
	for (const char *const *key = image_keys_in_containerd; *key != NULL; key++)
		move_key(containerd, *key, images, *key);
	if (toml_count(images) > 0) {
		struct toml_value *newer = toml_take(plugins, IMAGES_URI);

		if (newer != NULL)
			toml_merge(images, newer);
		toml_free(newer);
		toml_put(plugins, IMAGES_URI, images);
	} else {
		toml_free(images);
	}
}

static void fix_cni(struct toml_value *runtime)
{
	struct toml_value *cni = toml_find(runtime, "cni");
	AUTO(toml_free) struct toml_value *dir = NULL;
	struct toml_value *dirs;

	if (!toml_is(toml_find(cni, "bin_dir"), TOML_TEXT))
		return;
	dir = toml_take(cni, "bin_dir");
	if (toml_text(dir)[0] == '\0' || toml_find(cni, "bin_dirs") != NULL)
		return;
	dirs = toml_new_array();
	toml_set_place(dirs, toml_file(dir), toml_line(dir), toml_column(dir));
	toml_append(dirs, take_ptr(dir));
	toml_put(cni, "bin_dirs", dirs);
}

static void fix_runtimes(struct toml_value *runtime)
{
	struct toml_value *runtimes = toml_dig(runtime, "containerd", "runtimes", NULL);

	for (size_t i = 0; i < toml_count(runtimes); i++) {
		struct toml_value *one = toml_at(runtimes, i);

		move_key(one, "sandbox_mode", one, "sandboxer");
	}
}

static void move_runtime(struct toml_value *cri, struct toml_value *plugins)
{
	struct toml_value *runtime = toml_new_table();

	for (size_t i = 0; i < toml_count(cri); i++)
		if (!is_in(server_keys, toml_key_at(cri, i)))
			toml_put(runtime, toml_key_at(cri, i), toml_copy(toml_at(cri, i)));
	for (size_t i = 0; i < toml_count(runtime); i++)
		toml_remove(cri, toml_key_at(runtime, i));
	fix_cni(runtime);
	fix_runtimes(runtime);
	if (toml_count(runtime) > 0) {
		struct toml_value *newer = toml_take(plugins, RUNTIME_URI);

		if (newer != NULL)
			toml_merge(runtime, newer);
		toml_free(newer);
		toml_put(plugins, RUNTIME_URI, runtime);
	} else {
		toml_free(runtime);
	}
}

void config_migrate_cri(struct toml_value *plugins)
{
	struct toml_value *cri = toml_find(plugins, CRI_URI);

	if (!toml_is(cri, TOML_TABLE))
		return;
	move_images(cri, plugins);
	move_runtime(cri, plugins);
	if (toml_count(cri) == 0)
		toml_remove(plugins, CRI_URI);
}
