/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/cmd_images.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"
#include "text/size.h"

struct list_args {
	bool quiet;
};

struct check_args {
	const char *snapshotter;
	bool quiet;
};

struct remove_args {
	bool sync;
};

struct tag_args {
	bool force, local, skip_check;
};

struct label_args {
	bool replace_all;
};

struct prune_args {
	bool all;
};

struct usage_args {
	const char *snapshotter;
};

static char *platforms_cell(struct ctrd_client *client, const struct ctrd_image *image)
{
	AUTO_ERROR struct ctrd_error *error = NULL;
	AUTO(ctrd_strings_free) char **platforms = NULL;

	if (ctrd_image_platforms(client, image, &platforms, &error) < 0) {
		out_log("error", error, "failed resolving platform for image %s",
				ctrd_image_name(image));
		return xstrdup("-");
	}
	return platforms == NULL || platforms[0] == NULL ? xstrdup("-")
							 : strv_join(platforms, ",");
}

static void add_image(
		struct tabwriter *t, struct ctrd_client *client, const struct ctrd_image *image)
{
	AUTO_ERROR struct ctrd_error *error = NULL;
	AUTO_FREE char *platforms = platforms_cell(client, image);
	AUTO_FREE char *labels = labels_cell(ctrd_image_labels(image));
	char text[SIZE_TEXT_SIZE];
	int64_t size = 0;

	if (ctrd_image_size(client, image, &size, &error) < 0)
		out_log("error", error, "failed calculating size for image %s",
				ctrd_image_name(image));
	size_format(size, text);
	tabwriter_addf(t, "%s\t%s\t%s\t%s\t%s\t%s\t\n", ctrd_image_name(image),
			ctrd_image_media_type(image), ctrd_image_digest(image), text, platforms,
			labels);
}

static int run_list(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_images_free) struct ctrd_images *list = NULL;
	struct ctrd_error *error = NULL;
	struct tabwriter t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_images_list(client, (const char *const *)cx->argv, &list, &error) < 0)
		return out_error_in("failed to list images", error);
	if (CX_ARGS(cx, struct list_args)->quiet) {
		for (size_t i = 0; i < ctrd_images_count(list); i++)
			printf("%s\n", ctrd_image_name(ctrd_images_at(list, i)));
		return 0;
	}
	tabwriter_init(&t, 1, 8, 1, ' ');
	tabwriter_add(&t, "REF\tTYPE\tDIGEST\tSIZE\tPLATFORMS\tLABELS\t\n");
	for (size_t i = 0; i < ctrd_images_count(list); i++)
		add_image(&t, client, ctrd_images_at(list, i));
	out_table(&t);
	return 0;
}

/* --- check -------------------------------------------------------------------------------- */

struct check_texts {
	char *status, *size;
	bool unpacked;
};

static struct check_texts check_texts(const struct ctrd_image_status *s, bool failed)
{
	char present[SIZE_TEXT_SIZE], required[SIZE_TEXT_SIZE];
	struct check_texts texts = { .unpacked = s->unpacked != 0 };

	if (failed || !s->available) {
		texts.status = failed ? xstrdup("error")
				      : xasprintf("unavailable (%zu/?)", s->present);
		texts.size = failed ? xstrdup("-") : NULL;
		if (texts.size == NULL) {
			size_format(s->present_size, present);
			texts.size = xasprintf("%s/?", present);
		}
		return texts;
	}
	size_format(s->present_size, present);
	size_format(s->required_size, required);
	texts.status = xasprintf("%s (%zu/%zu)",
			s->present < s->required ? "incomplete" : "complete", s->present,
			s->required);
	texts.size = xasprintf("%s/%s", present, required);
	return texts;
}

static int run_check(struct cx *cx)
{
	const struct check_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_images_free) struct ctrd_images *list = NULL;
	AUTO_ERROR struct ctrd_error *first = NULL;
	struct ctrd_error *error = NULL;
	struct tabwriter t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_images_list(client, (const char *const *)cx->argv, &list, &error) < 0)
		return out_error_in("failed listing images", error);
	if (ctrd_images_count(list) == 0)
		return 0;
	tabwriter_init(&t, 1, 8, 1, ' ');
	if (!args->quiet)
		tabwriter_add(&t, "REF\tTYPE\tDIGEST\tSTATUS\tSIZE\tUNPACKED\t\n");
	for (size_t i = 0; i < ctrd_images_count(list); i++) {
		const struct ctrd_image *image = ctrd_images_at(list, i);
		struct ctrd_image_status s = CTRD_IMAGE_STATUS_INIT;
		struct check_texts texts;
		bool failed = ctrd_image_check(client, image, args->snapshotter, &s, &error) <
			      0;

		if (failed && first == NULL)
			first = error;
		else
			ctrd_error_free(error);
		error = NULL;
		texts = check_texts(&s, failed);
		if (!args->quiet)
			tabwriter_addf(&t, "%s\t%s\t%s\t%s\t%s\t%s\n", ctrd_image_name(image),
					ctrd_image_media_type(image), ctrd_image_digest(image),
					texts.status, texts.size,
					texts.unpacked ? "true" : "false");
		else if (s.available && s.present == s.required)
			tabwriter_addf(&t, "%s\n", ctrd_image_name(image));
		free(texts.status);
		free(texts.size);
	}
	out_table(&t);
	return first == NULL ? 0 : out_fail("%s", ctrd_error_text(first));
}

/* --- removing ----------------------------------------------------------------------------- */

static int run_remove(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO_ERROR struct ctrd_error *first = NULL;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	for (int i = 0; i < cx->argc; i++) {
		const char *name = cx->argv[i];
		struct ctrd_error *error = NULL;
		int sync = CX_ARGS(cx, struct remove_args)->sync && i == cx->argc - 1;

		if (ctrd_image_remove(client, name, sync, &error) == 0) {
			printf("%s\n", name);
			continue;
		}
		if (ctrd_error_code(error) == CTRD_NOT_FOUND) {
			out_log("warning", NULL, "%s: image not found", name);
		} else if (first == NULL) {
			out_log("error", error, "unable to delete %s", name);
			first = error;
			continue;
		} else {
			out_log("error", error, "unable to delete %s", name);
		}
		ctrd_error_free(error);
	}
	return first == NULL ? 0 : out_fail("%s", ctrd_error_text(first));
}

static bool is_used(const struct ctrd_containers *containers, const char *image)
{
	for (size_t i = 0; i < ctrd_containers_count(containers); i++)
		if (strcmp(ctrd_container_image(ctrd_containers_at(containers, i)), image) == 0)
			return true;
	return false;
}

static int prune(struct ctrd_client *client, const struct ctrd_images *images,
		const struct ctrd_containers *containers)
{
	struct ctrd_error *error = NULL;
	const char *name = NULL;

	for (size_t i = 0; i < ctrd_images_count(images); i++) {
		const char *next = ctrd_image_name(ctrd_images_at(images, i));

		if (is_used(containers, next))
			continue;
		if (name != NULL && ctrd_image_remove(client, name, 0, &error) < 0)
			return out_error(error);
		if (name != NULL)
			out_log("info", NULL, "deleted image: %s\n", name);
		name = next;
	}
	if (name == NULL)
		return 0;
	if (ctrd_image_remove(client, name, 1, &error) < 0)
		return out_error(error);
	out_log("info", NULL, "deleted image: %s\n", name);
	return 0;
}

static int run_prune(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_images_free) struct ctrd_images *images = NULL;
	AUTO(ctrd_containers_free) struct ctrd_containers *containers = NULL;
	struct ctrd_error *error = NULL;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (!CX_ARGS(cx, struct prune_args)->all) {
		out_log("warning", NULL,
				"No images pruned. `image prune` requires --all to be "
				"specified.");
		return 0;
	}
	if (ctrd_images_list(client, NULL, &images, &error) < 0 ||
			ctrd_containers_list(client, NULL, &containers, &error) < 0)
		return out_error(error);
	return prune(client, images, containers);
}

/* --- names and labels --------------------------------------------------------------------- */

static int check_names(const struct cx *cx)
{
	for (int i = 1; i < cx->argc; i++) {
		AUTO_ERROR struct ctrd_error *error = NULL;
		AUTO_FREE char *name = str_quote(cx->argv[i]);

		if (ctrd_reference_check(cx->argv[i], &error) < 0)
			return out_fail("error parsing reference: %s is not a valid "
					"repository/tag %s",
					name, ctrd_error_text(error));
	}
	return 0;
}

static int run_tag(struct cx *cx)
{
	const struct tag_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_image_free) struct ctrd_image *image = NULL;
	struct ctrd_error *error = NULL;
	int status;

	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("please provide an image reference to tag from");
	if (cx_arg(cx, 1)[0] == '\0')
		return out_fail("please provide an image reference to tag to");
	if (!args->skip_check) {
		status = check_names(cx);
		if (status != 0)
			return status;
	}
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	if (ctrd_image_get(client, cx->argv[0], &image, &error) < 0)
		return out_error(error);
	for (int i = 1; i < cx->argc; i++) {
		if (ctrd_image_tag(client, image, cx->argv[i], args->force, &error) < 0)
			return out_error(error);
		printf("%s\n", cx->argv[i]);
	}
	return 0;
}

static int run_label(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_image_free) struct ctrd_image *image = NULL;
	AUTO(ctrd_labels_free) struct ctrd_labels *labels = NULL;
	AUTO_FREE char *text = NULL;
	struct ctrd_error *error = NULL;
	int status;

	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("please specify an image");
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	labels = labels_of_args(cx->argv + 1, "");
	if (ctrd_image_set_labels(client, cx->argv[0], labels,
			    CX_ARGS(cx, struct label_args)->replace_all, &image, &error) < 0)
		return out_error(error);
	text = labels_text(ctrd_image_labels(image));
	printf("%s\n", text);
	return 0;
}

static int run_usage(struct cx *cx)
{
	const char *snapshotter = CX_ARGS(cx, struct usage_args)->snapshotter;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_image_free) struct ctrd_image *image = NULL;
	AUTO(ctrd_strings_free) char **chain = NULL;
	AUTO_TABWRITER struct tabwriter t = { 0 };
	struct ctrd_error *error = NULL;
	int status;

	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("please provide an image reference to mount");
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	if (ctrd_image_get(client, cx->argv[0], &image, &error) < 0 ||
			ctrd_image_chain(client, image, NULL, &chain, &error) < 0)
		return out_error(error);
	tabwriter_init(&t, 1, 8, 1, ' ');
	tabwriter_add(&t, "KEY\tSIZE\tINODES\t\n");
	for (char **id = chain; id != NULL && *id != NULL; id++) {
		int64_t size = 0, inodes = 0;
		char text[SIZE_TEXT_SIZE];

		if (ctrd_snapshot_usage(client, snapshotter, *id, &size, &inodes, &error) < 0)
			return out_error(error);
		size_format(size, text);
		tabwriter_addf(&t, "%s\t%s\t%lld\t\n", *id, text, (long long)inodes);
	}
	out_table(&t);
	return 0;
}

/* --- tables ------------------------------------------------------------------------------- */

static const struct flag list_flags[] = {
	FLAG("quiet, q", FLAG_SWITCH, offsetof(struct list_args, quiet), "print only names"),
	{ 0 },
};

static const struct flag check_flags[] = {
	FLAG("snapshotter", FLAG_TEXT, offsetof(struct check_args, snapshotter),
			SNAPSHOTTER_HELP, .env = "CONTAINERD_SNAPSHOTTER"),
	FLAG("quiet, q", FLAG_SWITCH, offsetof(struct check_args, quiet),
			"print only the names of what is ready"),
	{ 0 },
};

static const struct flag remove_flags[] = {
	FLAG("sync", FLAG_SWITCH, offsetof(struct remove_args, sync),
			"return after garbage was collected"),
	{ 0 },
};

static const struct flag tag_flags[] = {
	FLAG("force", FLAG_SWITCH, offsetof(struct tag_args, force),
			"take the name from another image"),
	FLAG("local", FLAG_SWITCH, offsetof(struct tag_args, local),
			"work from this side rather than in the daemon"),
	FLAG("skip-reference-check", FLAG_SWITCH, offsetof(struct tag_args, skip_check),
			"allow names that no registry would"),
	{ 0 },
};

static const struct flag label_flags[] = {
	FLAG("replace-all, r", FLAG_SWITCH, offsetof(struct label_args, replace_all),
			"remove all other labels"),
	{ 0 },
};

static const struct flag prune_flags[] = {
	FLAG("all", FLAG_SWITCH, offsetof(struct prune_args, all),
			"remove all images that no container uses"),
	{ 0 },
};

static const struct flag usage_flags[] = {
	FLAG("snapshotter", FLAG_TEXT, offsetof(struct usage_args, snapshotter),
			SNAPSHOTTER_HELP, .env = "CONTAINERD_SNAPSHOTTER"),
	{ 0 },
};

const struct command images_commands[] = {
	{ .names = "check",
			.help = "tell whether the content of images is complete",
			.args = "[flags] [<filter>, ...]",
			.flags = check_flags,
			.args_size = sizeof(struct check_args),
			.run = run_check },
	{ .names = "export",
			.help = "write images to an archive",
			.args = "[flags] <out> <image> ...",
			.flags = images_export_flags,
			.args_size = sizeof(struct images_export_args),
			.run = run_images_export },
	{ .names = "import",
			.help = "import images from an archive",
			.args = "[flags] <in>",
			.flags = images_import_flags,
			.args_size = sizeof(struct images_import_args),
			.run = run_images_import },
	{ .names = "list, ls",
			.help = "list images",
			.args = "[flags] [<filter>, ...]",
			.flags = list_flags,
			.args_size = sizeof(struct list_args),
			.run = run_list },
	{ .names = "mount",
			.help = "mount the files of an image",
			.args = "[flags] <ref> <target>",
			.flags = images_mount_flags,
			.args_size = sizeof(struct images_mount_args),
			.run = run_images_mount },
	{ .names = "unmount",
			.help = "take the mount of an image away",
			.args = "[flags] <target>",
			.flags = images_unmount_flags,
			.args_size = sizeof(struct images_unmount_args),
			.run = run_images_unmount },
	{ .names = "prune",
			.help = "remove images that are not used",
			.flags = prune_flags,
			.args_size = sizeof(struct prune_args),
			.run = run_prune },
	{ .names = "delete, del, remove, rm",
			.help = "remove images",
			.args = "[flags] <ref> [<ref>, ...]",
			.flags = remove_flags,
			.args_size = sizeof(struct remove_args),
			.run = run_remove },
	{ .names = "tag",
			.help = "give an image more names",
			.args = "[flags] <source_ref> <target_ref> [<target_ref>, ...]",
			.flags = tag_flags,
			.args_size = sizeof(struct tag_args),
			.run = run_tag },
	{ .names = "label",
			.help = "set and clear labels of an image",
			.args = "[flags] <name> [<key>=<value>, ...]",
			.flags = label_flags,
			.args_size = sizeof(struct label_args),
			.run = run_label },
	{ .names = "usage",
			.help = "print how much space an image takes unpacked",
			.args = "[flags] <ref>",
			.flags = usage_flags,
			.args_size = sizeof(struct usage_args),
			.run = run_usage },
	{ 0 },
};
