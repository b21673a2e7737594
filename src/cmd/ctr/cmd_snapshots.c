/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/cmd_snapshots.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"
#include "text/jnode.h"
#include "text/size.h"

#define ROOT_LABEL  "containerd.io/gc.root"
#define PRINT_BYTES (1u << 20)

struct usage_args {
	bool bytes;
};

struct create_args {
	const char *target;
	bool mounts;
};

struct unpack_args {
	const char *snapshotter;
	bool sync_fs;
};

static const char *snapshotter(const struct cx *cx)
{
	return CX_ARGS(cx->parent, struct snapshots_args)->snapshotter;
}

static int run_list(struct cx *cx)
{
	static const char *const kinds[] = { "Unknown", "View", "Active", "Committed" };
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_snapshots_free) struct ctrd_snapshots *list = NULL;
	struct ctrd_error *error = NULL;
	struct tabwriter t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_snapshots_list(client, snapshotter(cx), NULL, &list, &error) < 0)
		return out_error(error);
	tabwriter_init(&t, 1, 8, 1, ' ');
	tabwriter_add(&t, "KEY\tPARENT\tKIND\t\n");
	for (size_t i = 0; i < ctrd_snapshots_count(list); i++) {
		const struct ctrd_snapshot *s = ctrd_snapshots_at(list, i);
		int kind = ctrd_snapshot_kind(s);

		tabwriter_addf(&t, "%s\t%s\t%s\t\n", ctrd_snapshot_key(s),
				ctrd_snapshot_parent(s),
				kinds[kind < 0 || kind > 3 ? 0 : kind]);
	}
	out_table(&t);
	return 0;
}

/* --- tree --------------------------------------------------------------------------------- */

/* Snapshots by name, and names in the order they were first mentioned, as a child or a parent:
 * roots are printed in that order. */
struct tree {
	const struct ctrd_snapshots *list;
	struct map by_name; /* to the snapshot, or to the tree itself if it is not listed */
	char **names;
	size_t count;
};

#define MAX_LEVELS 256

static void mention(struct tree *t, const char *name, void *what)
{
	void *known = map_find(&t->by_name, name);

	if (known == NULL) {
		t->names = xreallocarray(t->names, t->count + 1, sizeof(*t->names));
		t->names[t->count++] = xstrdup(name);
	}
	if (known == NULL || what != t)
		map_put(&t->by_name, name, what);
}

static void tree_init(struct tree *t, const struct ctrd_snapshots *list)
{
	*t = (struct tree){ .list = list };
	map_init(&t->by_name);
	for (size_t i = 0; i < ctrd_snapshots_count(list); i++) {
		const struct ctrd_snapshot *s = ctrd_snapshots_at(list, i);

		mention(t, ctrd_snapshot_key(s), (void *)s);
		if (ctrd_snapshot_parent(s)[0] != '\0')
			mention(t, ctrd_snapshot_parent(s), t);
	}
}

static void tree_done(struct tree *t)
{
	map_done(&t->by_name, NULL);
	for (size_t i = 0; i < t->count; i++)
		free(t->names[i]);
	free(t->names);
}

static bool is_root(const struct tree *t, const char *name)
{
	const void *s = map_find(&t->by_name, name);

	return s == t || ctrd_snapshot_parent(s)[0] == '\0';
}

static void print_below(const struct tree *t, const char *name, size_t level)
{
	printf("%*s%s%s\n", level == 0 ? 1 : (int)(2 * level), "", level == 0 ? "" : "\\_ ",
			name);
	for (size_t i = 0; i < ctrd_snapshots_count(t->list) && level < MAX_LEVELS; i++) {
		const struct ctrd_snapshot *s = ctrd_snapshots_at(t->list, i);

		if (strcmp(ctrd_snapshot_parent(s), name) == 0)
			print_below(t, ctrd_snapshot_key(s), level + 1);
	}
}

static int run_tree(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_snapshots_free) struct ctrd_snapshots *list = NULL;
	struct ctrd_error *error = NULL;
	struct tree t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_snapshots_list(client, snapshotter(cx), NULL, &list, &error) < 0)
		return out_error(error);
	tree_init(&t, list);
	for (size_t i = 0; i < t.count; i++)
		if (is_root(&t, t.names[i]))
			print_below(&t, t.names[i], 0);
	tree_done(&t);
	return 0;
}

/* --- usage, info -------------------------------------------------------------------------- */

static int add_usage(struct tabwriter *t, struct ctrd_client *client, const struct cx *cx,
		const char *key)
{
	struct ctrd_error *error = NULL;
	int64_t size = 0, inodes = 0;
	char text[SIZE_TEXT_SIZE];

	if (ctrd_snapshot_usage(client, snapshotter(cx), key, &size, &inodes, &error) < 0)
		return out_error(error);
	if (CX_ARGS(cx, struct usage_args)->bytes)
		snprintf(text, sizeof(text), "%lld", (long long)size);
	else
		size_format(size, text);
	tabwriter_addf(t, "%s\t%s\t%lld\t\n", key, text, (long long)inodes);
	return 0;
}

static int run_usage(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_snapshots_free) struct ctrd_snapshots *list = NULL;
	AUTO_TABWRITER struct tabwriter t = { 0 };
	struct ctrd_error *error = NULL;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	tabwriter_init(&t, 1, 8, 1, ' ');
	tabwriter_add(&t, "KEY\tSIZE\tINODES\t\n");
	for (int i = 0; i < cx->argc && status == 0; i++)
		status = add_usage(&t, client, cx, cx->argv[i]);
	if (cx->argc == 0 &&
			ctrd_snapshots_list(client, snapshotter(cx), NULL, &list, &error) < 0)
		return out_error(error);
	for (size_t i = 0; list != NULL && i < ctrd_snapshots_count(list) && status == 0; i++)
		status = add_usage(
				&t, client, cx, ctrd_snapshot_key(ctrd_snapshots_at(list, i)));
	if (status == 0)
		out_table(&t);
	return status;
}

static int run_info(struct cx *cx)
{
	static const char *const kinds[] = { "Unknown", "View", "Active", "Committed" };
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_snapshot_free) struct ctrd_snapshot *s = NULL;
	AUTO(jnode_free) struct jnode *doc = jnode_object();
	struct ctrd_error *error = NULL;
	struct jnode *labels;
	char when[GO_TIME_SIZE];
	int status;

	if (cx->argc != 1)
		return cx_show_help(cx);
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	if (ctrd_snapshot_get(client, snapshotter(cx), cx->argv[0], &s, &error) < 0)
		return out_error(error);
	jnode_set_str(doc, "Kind", kinds[ctrd_snapshot_kind(s) & 3]);
	jnode_set_str(doc, "Name", ctrd_snapshot_key(s));
	if (ctrd_snapshot_parent(s)[0] != '\0')
		jnode_set_str(doc, "Parent", ctrd_snapshot_parent(s));
	labels = labels_node(ctrd_snapshot_labels(s));
	if (labels != NULL)
		jnode_set(doc, "Labels", labels);
	json_time_text(ctrd_snapshot_created(s), when);
	jnode_set_str(doc, "Created", when);
	json_time_text(ctrd_snapshot_updated(s), when);
	jnode_set_str(doc, "Updated", when);
	out_json(doc, "    ");
	return 0;
}

/* --- mounts ------------------------------------------------------------------------------- */

static char *join_options(const struct ctrd_mounts *m, size_t i)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };

	for (size_t at = 0; ctrd_mounts_option(m, i, at) != NULL; at++)
		buf_addf(&b, "%s%s", at == 0 ? "" : ",", ctrd_mounts_option(m, i, at));
	return buf_take_str(&b);
}

static void print_mounts(const struct ctrd_mounts *m, const char *target)
{
	for (size_t i = 0; i < ctrd_mounts_count(m); i++) {
		AUTO_FREE char *options = join_options(m, i);

		printf("mount -t %s %s %s%s%s\n", ctrd_mounts_type(m, i),
				ctrd_mounts_source(m, i), target,
				options[0] == '\0' ? "" : " -o ", options);
	}
}

static void print_mounts_json(const struct ctrd_mounts *m)
{
	AUTO(jnode_free) struct jnode *list = jnode_array();

	for (size_t i = 0; i < ctrd_mounts_count(m); i++) {
		struct jnode *n = jnode_object(), *options;

		jnode_set_str(n, "Type", ctrd_mounts_type(m, i));
		jnode_set_str(n, "Source", ctrd_mounts_source(m, i));
		jnode_set_str(n, "Target", ctrd_mounts_target(m, i));
		options = jnode_need_array(n, "Options");
		for (size_t at = 0; ctrd_mounts_option(m, i, at) != NULL; at++)
			jnode_append_str(options, ctrd_mounts_option(m, i, at));
		jnode_append(list, n);
	}
	out_json(list, "    ");
}

static int run_mounts(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_mounts_free) struct ctrd_mounts *m = NULL;
	struct ctrd_error *error = NULL;
	int status;

	if (cx->argc != 2)
		return cx_show_help(cx);
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	if (ctrd_snapshot_mounts(client, snapshotter(cx), cx->argv[1], &m, &error) < 0)
		return out_error(error);
	print_mounts(m, cx->argv[0]);
	return 0;
}

/* --- making and ending -------------------------------------------------------------------- */

/* Nothing else keeps what is made by hand. */
static struct ctrd_labels *root_labels(void)
{
	struct ctrd_labels *labels = ctrd_labels_new();
	int64_t now = clock_wall_ns();
	char when[CLOCK_TEXT_SIZE];

	clock_format_short(now - now % NS_PER_S, when);
	ctrd_labels_set(labels, ROOT_LABEL, when);
	return labels;
}

static int create(struct cx *cx, bool view)
{
	const struct create_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_mounts_free) struct ctrd_mounts *m = NULL;
	AUTO(ctrd_labels_free) struct ctrd_labels *labels = root_labels();
	struct ctrd_error *error = NULL;
	const char *parent = cx_arg(cx, 1);
	int status, rc;

	if (cx->argc < 1 || cx->argc > 2)
		return cx_show_help(cx);
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	if (view)
		rc = ctrd_snapshot_view(
				client, snapshotter(cx), cx->argv[0], parent, NULL, &m, &error);
	else
		rc = ctrd_snapshot_prepare(client, snapshotter(cx), cx->argv[0], parent, labels,
				&m, &error);
	if (rc < 0)
		return out_error(error);
	if (!str_is_empty(args->target))
		print_mounts(m, args->target);
	if (args->mounts)
		print_mounts_json(m);
	return 0;
}

static int run_prepare(struct cx *cx)
{
	return create(cx, false);
}

static int run_view(struct cx *cx)
{
	return create(cx, true);
}

static int run_commit(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_labels_free) struct ctrd_labels *labels = root_labels();
	struct ctrd_error *error = NULL;
	int status;

	if (cx->argc != 2)
		return cx_show_help(cx);
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	if (ctrd_snapshot_commit(client, snapshotter(cx), cx->argv[0], cx->argv[1], labels,
			    &error) < 0)
		return out_error(error);
	return 0;
}

/* --- diff ----------------------------------------------------------------------------------
 */

struct diff_args {
	const char *media_type, *ref;
	bool keep;
	char **labels;
};

static void read_epoch(struct ctrd_diff_options *o)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	int64_t seconds;

	if (text == NULL || !str_i64(text, &seconds) || seconds < 0 ||
			seconds > INT64_MAX / NS_PER_S)
		return;
	o->has_epoch = 1;
	o->epoch_ns = seconds * NS_PER_S;
}

static int print_blob(struct ctrd_client *client, const char *digest)
{
	AUTO(ctrd_reader_close) struct ctrd_reader *reader = NULL;
	AUTO_FREE char *data = xmalloc(PRINT_BYTES);
	struct ctrd_error *error = NULL;
	ptrdiff_t n;
	int rc;

	if (ctrd_reader_open(client, digest, &reader, &error) < 0)
		return out_error(error);
	while ((n = ctrd_reader_read(reader, data, PRINT_BYTES, &error)) > 0) {
		rc = io_write_all(STDOUT_FILENO, data, (size_t)n);
		if (rc < 0)
			return out_fail("write /dev/stdout: %s", errno_text(-rc));
	}
	return n < 0 ? out_error(error) : 0;
}

/* The blob is there until it is printed; with --keep, for longer. */
static int diff_under_lease(struct cx *cx, struct ctrd_client *client)
{
	const struct diff_args *args = cx->args;
	struct ctrd_diff_options o = CTRD_DIFF_OPTIONS_INIT;
	AUTO(ctrd_labels_free)
	struct ctrd_labels *labels = labels_of_args(args->labels, "true");
	AUTO(ctrd_labels_free) struct ctrd_labels *root = root_labels();
	struct ctrd_error *error = NULL;
	const char *second = cx_arg(cx, 1);
	AUTO_FREE char *digest = NULL;

	if (args->keep)
		ctrd_labels_set(labels, ROOT_LABEL, ctrd_labels_get(root, ROOT_LABEL));
	o.media_type = args->media_type;
	o.ref = args->ref;
	o.labels = labels;
	read_epoch(&o);
	if (ctrd_snapshot_diff(client, snapshotter(cx),
			    str_is_empty(second) ? NULL : cx->argv[0],
			    str_is_empty(second) ? cx->argv[0] : second, &o, &digest,
			    &error) < 0)
		return out_error(error);
	return print_blob(client, digest);
}

static int run_diff(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO_ERROR struct ctrd_error *ignored = NULL;
	struct ctrd_error *error = NULL;
	AUTO_FREE char *lease = NULL;
	int status;

	if (str_is_empty(cx_arg(cx, 0)))
		return out_fail("snapshot id must be provided");
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	if (ctrd_lease_create(client, NULL, 24 * 3600 * NS_PER_S, NULL, &lease, &error) < 0)
		return out_error(error);
	ctrd_client_use_lease(client, lease);
	status = diff_under_lease(cx, client);
	ctrd_client_use_lease(client, NULL);
	(void)!ctrd_lease_remove(client, lease, 0, &ignored);
	return status;
}

static int run_remove(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	int status = cx_connect(cx, &client);

	for (int i = 0; i < cx->argc && status == 0; i++) {
		AUTO_ERROR struct ctrd_error *error = NULL;

		if (ctrd_snapshot_remove(client, snapshotter(cx), cx->argv[i], &error) < 0) {
			AUTO_FREE char *key = str_quote(cx->argv[i]);

			status = out_fail(
					"failed to remove %s: %s", key, ctrd_error_text(error));
		}
	}
	return status;
}

static int run_label(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_snapshot_free) struct ctrd_snapshot *s = NULL;
	AUTO(ctrd_labels_free) struct ctrd_labels *labels = NULL;
	AUTO_FREE char *text = NULL;
	struct ctrd_error *error = NULL;
	const char *key = cx_arg(cx, 0);
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	labels = labels_of_args(cx->argc > 0 ? cx->argv + 1 : cx->argv, "");
	if (ctrd_labels_count(labels) == 0) {
		if (ctrd_snapshot_get(client, snapshotter(cx), key, &s, &error) < 0)
			return out_error(error);
	} else if (ctrd_snapshot_set_labels(client, snapshotter(cx), key, labels, &s, &error) <
			0) {
		return out_error(error);
	}
	text = labels_text(ctrd_snapshot_labels(s));
	printf("%s\n", text);
	return 0;
}

/* --- unpacking ---------------------------------------------------------------------------- */

static int run_unpack(struct cx *cx)
{
	const char *sn = CX_ARGS(cx, struct unpack_args)->snapshotter;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_images_free) struct ctrd_images *list = NULL;
	struct ctrd_error *error = NULL;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_images_list(client, NULL, &list, &error) < 0)
		return out_error(error);
	for (size_t i = 0; i < ctrd_images_count(list); i++) {
		const struct ctrd_image *image = ctrd_images_at(list, i);

		if (strcmp(ctrd_image_digest(image), cx_arg(cx, 0)) != 0)
			continue;
		printf("unpacking %s (%s)...", ctrd_image_digest(image),
				ctrd_image_media_type(image));
		fflush(stdout);
		if (ctrd_image_unpack(client, image, NULL, sn, &error) < 0)
			return out_error(error);
		printf("done\n");
		return 0;
	}
	return out_fail("manifest not found");
}

/* --- tables ------------------------------------------------------------------------------- */

#define SNAPSHOTTER_HELP "snapshotter; the namespace's default if empty"

const struct flag snapshots_flags[] = {
	FLAG("snapshotter", FLAG_TEXT, offsetof(struct snapshots_args, snapshotter),
			SNAPSHOTTER_HELP, .env = "CONTAINERD_SNAPSHOTTER"),
	{ 0 },
};

static const struct flag diff_flags[] = {
	FLAG("media-type", FLAG_TEXT, offsetof(struct diff_args, media_type),
			"media type of the layer",
			.fallback = "application/vnd.oci.image.layer.v1.tar+gzip"),
	FLAG("ref", FLAG_TEXT, offsetof(struct diff_args, ref), "reference to write it under"),
	FLAG("keep", FLAG_SWITCH, offsetof(struct diff_args, keep),
			"keep the layer in the content store"),
	FLAG("label", FLAG_LIST, offsetof(struct diff_args, labels),
			"label for the layer (k=v)"),
	{ 0 },
};

static const struct flag usage_flags[] = {
	FLAG("b", FLAG_SWITCH, offsetof(struct usage_args, bytes), "print sizes in bytes"),
	{ 0 },
};

static const struct flag create_flags[] = {
	FLAG("target, t", FLAG_TEXT, offsetof(struct create_args, target),
			"print the commands that mount it here"),
	FLAG("mounts", FLAG_SWITCH, offsetof(struct create_args, mounts),
			"print its mounts as JSON"),
	{ 0 },
};

static const struct flag unpack_flags[] = {
	FLAG("snapshotter", FLAG_TEXT, offsetof(struct unpack_args, snapshotter),
			SNAPSHOTTER_HELP, .env = "CONTAINERD_SNAPSHOTTER"),
	FLAG("sync-fs", FLAG_SWITCH, offsetof(struct unpack_args, sync_fs),
			"flush each layer's file system"),
	{ 0 },
};

const struct command snapshots_commands[] = {
	{ .names = "commit",
			.help = "commit an active snapshot",
			.args = "<key> <active>",
			.run = run_commit },
	{ .names = "diff",
			.help = "print the layer that makes one snapshot of another",
			.args = "[flags] <idA> [<idB>]",
			.flags = diff_flags,
			.args_size = sizeof(struct diff_args),
			.run = run_diff },
	{ .names = "info",
			.help = "print what is known of a snapshot",
			.args = "<key>",
			.run = run_info },
	{ .names = "list, ls", .help = "list snapshots", .run = run_list },
	{ .names = "mounts, m, mount",
			.help = "print the commands that mount a snapshot",
			.args = "<target> <key>",
			.run = run_mounts },
	{ .names = "prepare",
			.help = "make a snapshot to write to",
			.args = "[flags] <key> [<parent>]",
			.flags = create_flags,
			.args_size = sizeof(struct create_args),
			.run = run_prepare },
	{ .names = "delete, del, remove, rm",
			.help = "remove snapshots",
			.args = "<key> [<key>, ...]",
			.run = run_remove },
	{ .names = "label",
			.help = "set and clear labels of a snapshot",
			.args = "<name> [<label>=<value> ...]",
			.run = run_label },
	{ .names = "tree", .help = "show which snapshot is based on which", .run = run_tree },
	{ .names = "unpack",
			.help = "make the snapshots of an image",
			.args = "[flags] <digest>",
			.flags = unpack_flags,
			.args_size = sizeof(struct unpack_args),
			.run = run_unpack },
	{ .names = "usage",
			.help = "print how much space snapshots take",
			.args = "[flags] [<key>, ...]",
			.flags = usage_flags,
			.args_size = sizeof(struct usage_args),
			.run = run_usage },
	{ .names = "view",
			.help = "make a snapshot to read from",
			.args = "[flags] <key> [<parent>]",
			.flags = create_flags,
			.args_size = sizeof(struct create_args),
			.run = run_view },
	{ 0 },
};
