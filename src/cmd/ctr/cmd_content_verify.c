/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "ctr content verify": reads every blob and looks after every committed snapshot of every
 * namespace, while the daemon works on (docs/design/033-verify.md).
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"

#define DAMAGED_LABEL "containerd.io/content.damaged"
#define READ_BYTES    (1u << 20)

struct verify {
	const struct cx *cx;
	struct ctrd_client *client; /* of the namespace that is looked at */
	const char *ns;
	struct map blobs; /* digest to why it is damaged, owned; "" if it is not */
	char *block;
	size_t views; /* so far: their names count */
	bool is_bad;
};

static void tell(struct verify *v, const char *what, const char *name, const char *why)
{
	printf("damaged %s %s: %s\n", what, name, why);
	v->is_bad = true;
}

/* --- blobs -------------------------------------------------------------------------------- */

/* The bytes' digest, and how many there are. */
static int hash_blob(struct verify *v, const char *digest, char actual[DIGEST_TEXT_SIZE],
		int64_t *ret_size, struct ctrd_error **ret_error)
{
	AUTO(ctrd_reader_close) struct ctrd_reader *reader = NULL;
	AUTO(digester_free) struct digester *d = NULL;
	enum digest_alg alg = DIGEST_SHA256;
	AUTO_ERR struct err odd = { 0 };
	ptrdiff_t n;

	if (digest_check(digest, &alg, &odd) < 0)
		alg = DIGEST_SHA256; /* it will not match, which is right */
	if (ctrd_reader_open(v->client, digest, &reader, ret_error) < 0)
		return -1;
	d = digester_new(alg);
	while ((n = ctrd_reader_read(reader, v->block, READ_BYTES, ret_error)) > 0) {
		digester_add(d, v->block, (size_t)n);
		*ret_size += n;
	}
	digester_text(d, actual);
	return n < 0 ? -1 : 0;
}

static bool is_gone(struct verify *v, const char *digest)
{
	AUTO(ctrd_blob_free) struct ctrd_blob *b = NULL;
	AUTO_ERROR struct ctrd_error *error = NULL;

	return ctrd_blob_get(v->client, digest, &b, &error) < 0 &&
	       ctrd_error_code(error) == CTRD_NOT_FOUND;
}

/* Why it is damaged, "" if it is not; owned. NULL when the daemon could not be asked. */
static char *check_blob(struct verify *v, const char *digest)
{
	char actual[DIGEST_TEXT_SIZE];
	struct ctrd_error *error = NULL;
	int64_t size = 0;
	int code;

	if (hash_blob(v, digest, actual, &size, &error) == 0)
		return str_eq(actual, digest) ? xstrdup("")
					      : xasprintf("its %lld bytes have the digest %s",
								(long long)size, actual);
	code = ctrd_error_code(error);
	if (code == CTRD_NOT_FOUND || code == CTRD_UNKNOWN || code == CTRD_DATA_LOSS ||
			code == CTRD_OUT_OF_RANGE) {
		char *why = is_gone(v, digest) ? xstrdup("") : xstrdup(ctrd_error_text(error));

		ctrd_error_free(error);
		return why;
	}
	(void)out_error_in(digest, error);
	return NULL;
}

/* The daemon takes new bytes for what is labelled so. */
static int label_blob(struct verify *v, const char *digest, const char *value)
{
	AUTO(ctrd_labels_free) struct ctrd_labels *labels = ctrd_labels_new();
	AUTO(ctrd_blob_free) struct ctrd_blob *after = NULL;
	struct ctrd_error *error = NULL;

	ctrd_labels_set(labels, DAMAGED_LABEL, value);
	if (ctrd_blob_set_labels(v->client, digest, labels, &after, &error) == 0)
		return 0;
	if (ctrd_error_code(error) == CTRD_NOT_FOUND) {
		ctrd_error_free(error);
		return 0;
	}
	return out_error_in(digest, error);
}

static int verify_blob(struct verify *v, const struct ctrd_blob *b)
{
	const char *digest = ctrd_blob_digest(b);
	const char *why = map_find(&v->blobs, digest);
	bool is_marked = ctrd_labels_get(ctrd_blob_labels(b), DAMAGED_LABEL) != NULL;

	if (why == NULL) {
		char *found = check_blob(v, digest);

		if (found == NULL)
			return STATUS_FAILED;
		if (found[0] != '\0')
			tell(v, "blob", digest, found);
		(void)map_put(&v->blobs, digest, found);
		why = found;
	}
	if (is_marked == (why[0] != '\0'))
		return 0;
	return label_blob(v, digest, why[0] != '\0' ? "found by ctr content verify" : "");
}

static int verify_blobs(struct verify *v)
{
	AUTO(ctrd_blobs_free) struct ctrd_blobs *list = NULL;
	struct ctrd_error *error = NULL;

	if (ctrd_blobs_list(v->client, NULL, &list, &error) < 0)
		return out_error(error);
	for (size_t i = 0; i < ctrd_blobs_count(list); i++) {
		int status = verify_blob(v, ctrd_blobs_at(list, i));

		if (status != 0)
			return status;
	}
	return 0;
}

/* --- snapshots ---------------------------------------------------------------------------- */

/* One snapshot that is looked at. */
struct looked {
	struct verify *v;
	const char *snapshotter, *key;
	char *name; /* for people */
};

/* Inodes of a tree, each once, as usage counts them; -errno. */
static int64_t count_files(const char *dir)
{
	char *const roots[] = { (char *)dir, NULL };
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	struct map linked;
	int64_t n = 0;
	FTSENT *e;

	if (walk == NULL)
		return -errno;
	map_init(&linked);
	while (n >= 0 && (e = fts_read(walk)) != NULL) {
		AUTO_FREE char *inode = NULL;

		if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS) {
			n = -e->fts_errno;
			continue;
		}
		if (e->fts_info == FTS_DP)
			continue;
		if (e->fts_info != FTS_D && e->fts_statp->st_nlink > 1) {
			inode = xasprintf("%llu", (unsigned long long)e->fts_statp->st_ino);
			if (map_put(&linked, inode, &linked) != NULL)
				continue;
		}
		n++;
	}
	map_done(&linked, NULL);
	(void)fts_close(walk);
	return n;
}

static int tell_snapshot(const struct looked *l, const char *dir, const char *why)
{
	AUTO_FREE char *text = xasprintf("%s: %s", dir, why);

	tell(l->v, "snapshot", l->name, text);
	return 0;
}

/* Its own directory is the first of those it stands on. */
static int check_dir(const struct looked *l, const char *dir, bool is_own)
{
	AUTO_FREE char *why = NULL;
	struct ctrd_error *error = NULL;
	int64_t size, inodes, now;
	struct stat st;

	if (lstat(dir, &st) < 0)
		return tell_snapshot(l, dir, errno_text(errno));
	if (!S_ISDIR(st.st_mode))
		return tell_snapshot(l, dir, "is no directory");
	if (!is_own)
		return 0;
	if (ctrd_snapshot_usage(l->v->client, l->snapshotter, l->key, &size, &inodes, &error) <
			0)
		return out_error_in(l->name, error);
	now = count_files(dir);
	if (now < 0)
		return tell_snapshot(l, dir, errno_text((int)-now));
	if (inodes == 0 || now == inodes)
		return 0;
	why = xasprintf("has %lld files; it had %lld when it was committed", (long long)now,
			(long long)inodes);
	return tell_snapshot(l, dir, why);
}

/* The directories of a view of it. */
static int check_mounts(const struct looked *l, const struct ctrd_mounts *m)
{
	AUTO_STRV char **dirs = NULL;
	const char *option;
	int status = 0;

	if (ctrd_mounts_count(m) == 1 && str_eq(ctrd_mounts_type(m, 0), "bind"))
		return check_dir(l, ctrd_mounts_source(m, 0), true);
	if (ctrd_mounts_count(m) != 1 || !str_eq(ctrd_mounts_type(m, 0), "overlay"))
		return 0; /* how such a snapshotter keeps files is its own affair */
	for (size_t i = 0; (option = ctrd_mounts_option(m, 0, i)) != NULL; i++)
		if (str_starts(option, "lowerdir="))
			dirs = strv_split(option + strlen("lowerdir="), ':');
	for (size_t i = 0; i < strv_len(dirs) && status == 0; i++)
		status = check_dir(l, dirs[i], i == 0);
	return status;
}

static int verify_files(struct verify *v, const char *snapshotter, const char *key)
{
	struct looked l = { v, snapshotter, key, NULL };
	AUTO_FREE char *name = xasprintf("%s/%s/%s", v->ns, snapshotter, key);
	AUTO_FREE char *view = xasprintf("verify-%d-%zu", getpid(), ++v->views);
	AUTO(ctrd_mounts_free) struct ctrd_mounts *m = NULL;
	AUTO_ERROR struct ctrd_error *error = NULL, *ignored = NULL;
	int status;

	l.name = name;
	if (ctrd_snapshot_view(v->client, snapshotter, view, key, NULL, &m, &error) < 0) {
		if (ctrd_error_code(error) != CTRD_NOT_FOUND) /* else it went meanwhile */
			tell(v, "snapshot", name, ctrd_error_text(error));
		return 0;
	}
	status = check_mounts(&l, m);
	(void)!ctrd_snapshot_remove(v->client, snapshotter, view, &ignored);
	return status;
}

static int verify_snapshot(struct verify *v, const char *snapshotter,
		const struct ctrd_snapshot *s, const struct map *keys)
{
	const char *parent = ctrd_snapshot_parent(s);

	if (!str_is_empty(parent) && map_find(keys, parent) == NULL) {
		AUTO_FREE char *name =
				xasprintf("%s/%s/%s", v->ns, snapshotter, ctrd_snapshot_key(s));
		AUTO_FREE char *why = xasprintf("its parent %s is missing", parent);

		tell(v, "snapshot", name, why);
		return 0;
	}
	if (ctrd_snapshot_kind(s) != CTRD_SNAPSHOT_COMMITTED)
		return 0;
	return verify_files(v, snapshotter, ctrd_snapshot_key(s));
}

static int verify_listed(
		struct verify *v, const char *snapshotter, const struct ctrd_snapshots *list)
{
	struct map keys;
	int status = 0;

	map_init(&keys);
	for (size_t i = 0; i < ctrd_snapshots_count(list); i++)
		(void)map_put(&keys, ctrd_snapshot_key(ctrd_snapshots_at(list, i)), v);
	for (size_t i = 0; i < ctrd_snapshots_count(list) && status == 0; i++)
		status = verify_snapshot(v, snapshotter, ctrd_snapshots_at(list, i), &keys);
	map_done(&keys, NULL);
	return status;
}

static int verify_snapshots(struct verify *v)
{
	static const char *const filters[] = { "type==io.containerd.snapshotter.v1", NULL };
	AUTO(ctrd_plugins_free) struct ctrd_plugins *plugins = NULL;
	struct ctrd_error *error = NULL;
	int status = 0;

	if (ctrd_plugins_list(v->client, filters, &plugins, &error) < 0)
		return out_error(error);
	for (size_t i = 0; i < ctrd_plugins_count(plugins) && status == 0; i++) {
		const struct ctrd_plugin *p = ctrd_plugins_at(plugins, i);
		AUTO(ctrd_snapshots_free) struct ctrd_snapshots *list = NULL;

		if (ctrd_plugin_error_code(p) != CTRD_OK)
			continue;
		if (ctrd_snapshots_list(v->client, ctrd_plugin_id(p), NULL, &list, &error) < 0)
			status = out_error_in(ctrd_plugin_id(p), error);
		else
			status = verify_listed(v, ctrd_plugin_id(p), list);
	}
	return status;
}

/* --- the whole ---------------------------------------------------------------------------- */

static int verify_namespace(struct verify *v, const char *ns)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	int status = cx_connect_ns(v->cx, ns, &client);

	if (status != 0)
		return status;
	v->client = client;
	v->ns = ns;
	status = verify_blobs(v);
	if (status == 0)
		status = verify_snapshots(v);
	v->client = NULL;
	return status;
}

int run_content_verify(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_namespaces_free) struct ctrd_namespaces *names = NULL;
	AUTO_FREE char *block = xmalloc(READ_BYTES);
	struct verify v = { .cx = cx, .block = block };
	struct ctrd_error *error = NULL;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_namespaces_list(client, &names, &error) < 0)
		return out_error(error);
	map_init(&v.blobs);
	for (size_t i = 0; i < ctrd_namespaces_count(names) && status == 0; i++)
		status = verify_namespace(&v, ctrd_namespaces_name(names, i));
	map_done(&v.blobs, free);
	return status != 0 ? status : v.is_bad ? STATUS_FAILED : 0;
}
