/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of a snapshot for a user namespace: each owner is who the namespace takes for it. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/client_snapshots_priv.h"

#define MAX_RANGES 340 /* as many as the kernel takes */

struct id_map {
	struct ctrd_id_range *ranges;
	size_t count;
};

struct remapping {
	struct id_map uids, gids;
	struct map linked; /* files of several names: the owners given to them */
};

struct owner {
	uid_t uid;
	gid_t gid;
};

static int compare_ranges(const void *a, const void *b)
{
	uint32_t x = ((const struct ctrd_id_range *)a)->container;
	uint32_t y = ((const struct ctrd_id_range *)b)->container;

	return (x > y) - (x < y);
}

static int take_map(const struct ctrd_id_range *ranges, size_t count, struct id_map *ret,
		struct err *err)
{
	if (count == 0 || count > MAX_RANGES)
		return err_set(err, ERR_INVALID, "%zu id mappings", count);
	ret->ranges = xreallocarray(NULL, count, sizeof(*ranges));
	memcpy(ret->ranges, ranges, count * sizeof(*ranges));
	ret->count = count;
	qsort(ret->ranges, count, sizeof(*ranges), compare_ranges);
	return 0;
}

static bool to_host(const struct id_map *m, uint32_t id, uint32_t *ret)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct ctrd_id_range *r = &m->ranges[i];
		uint64_t host = (uint64_t)r->host + (id - r->container);

		if (id < r->container || id - r->container >= r->count)
			continue;
		*ret = (uint32_t)host;
		return host < UINT32_MAX;
	}
	return false;
}

/* --- its name ----------------------------------------------------------------------------- */

static void describe(const struct id_map *m, struct buf *out)
{
	for (size_t i = 0; i < m->count; i++)
		buf_addf(out, "%s{\"containerID\":%u,\"hostID\":%u,\"size\":%u}",
				i > 0 ? "," : "", m->ranges[i].container, m->ranges[i].host,
				m->ranges[i].count);
}

/* As the original calls it, so that each finds what the other has made. */
static char *name_of(const struct remapping *r, const char *parent)
{
	AUTO_BUF struct buf text = { .limit = SIZE_MAX };
	char name[DIGEST_TEXT_SIZE];

	buf_addf(&text, "{\"Parent\":\"%s\",\"IDMap\":{\"UidMap\":[", parent);
	describe(&r->uids, &text);
	buf_addf(&text, "],\"GidMap\":[");
	describe(&r->gids, &text);
	buf_addf(&text, "]}}");
	digest_bytes(DIGEST_SHA256, text.data, text.size, name);
	return xstrdup(name);
}

/* --- its files ---------------------------------------------------------------------------- */

/* Whether this name is one more of a file that has its owner already. On an overlay the other
 * names may still be the old file. */
static bool was_given(struct remapping *r, const struct stat *st, const struct owner *now)
{
	AUTO_FREE char *key = NULL;
	struct owner *before;

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return false;
	key = xasprintf("%llu:%llu", (unsigned long long)st->st_dev,
			(unsigned long long)st->st_ino);
	before = map_find(&r->linked, key);
	if (before != NULL && before->uid == st->st_uid && before->gid == st->st_gid)
		return true;
	if (before == NULL) {
		before = xmalloc(sizeof(*before));
		*before = *now;
		free(map_put(&r->linked, key, before));
	}
	return false;
}

static int give(struct remapping *r, const char *path, const struct stat *st, struct err *err)
{
	struct owner now = { 0 };
	bool known = to_host(&r->uids, st->st_uid, &now.uid);

	if (known && !to_host(&r->gids, st->st_gid, &now.gid))
		known = false;
	if (was_given(r, st, &now))
		return 0;
	if (!known)
		return err_set(err, ERR_INVALID, "owner %u:%u of %s is in no mapping",
				st->st_uid, st->st_gid, path);
	if (fchownat(AT_FDCWD, path, now.uid, now.gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "lchown %s", path);
	/* The kernel took these away. */
	if (!S_ISLNK(st->st_mode) && (st->st_mode & (S_ISUID | S_ISGID | S_ISVTX)) != 0 &&
			fchmodat(AT_FDCWD, path, st->st_mode & 07777, 0) < 0)
		return err_sys(err, errno, "chmod %s", path);
	return 0;
}

static int give_all(struct remapping *r, char *root, struct err *err)
{
	char *const paths[] = { root, NULL };
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	FTSENT *e;
	int rc = 0;

	if (walk == NULL)
		return err_sys(err, errno, "open %s", root);
	while (rc == 0 && (errno = 0, e = fts_read(walk)) != NULL) {
		if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
			rc = err_sys(err, e->fts_errno, "walk %s", e->fts_path);
		else if (e->fts_info != FTS_DP)
			rc = give(r, e->fts_path, e->fts_statp, err);
	}
	if (rc == 0 && errno != 0)
		rc = err_sys(err, errno, "walk %s", root);
	(void)fts_close(walk);
	return rc;
}

/* The daemon says how to mount it; here it is mounted for as long as the work takes. */
static int give_mounted(struct remapping *r, const struct ctrd_mounts *mounts, struct err *err)
{
	AUTO_FREE char *dir = xasprintf("%s/containerd-mountXXXXXX",
			str_or(getenv("XDG_RUNTIME_DIR"), str_or(getenv("TMPDIR"), "/tmp")));
	struct ctrd_error *error = NULL;
	int rc;

	if (mkdtemp(dir) == NULL)
		return err_sys(err, errno, "mkdir %s", dir);
	rc = ctrd_mounts_apply(mounts, dir, &error);
	if (rc == 0)
		rc = give_all(r, dir, err);
	else
		(void)err_set(err, ERR_UNKNOWN, "%s", ctrd_error_text(error));
	ctrd_error_free(error);
	(void)!ctrd_unmount(dir, NULL);
	(void)rmdir(dir); /* never what is in it */
	return rc;
}

static int remapping_init(struct remapping *r, const struct ctrd_id_maps *maps, struct err *err)
{
	*r = (struct remapping){ 0 };
	map_init(&r->linked);
	if (take_map(maps->uids, maps->uid_count, &r->uids, err) < 0)
		return -1;
	return take_map(maps->gids, maps->gid_count, &r->gids, err);
}

static void remapping_done(struct remapping *r)
{
	map_done(&r->linked, free);
	free(r->uids.ranges);
	free(r->gids.ranges);
}

int client_remap_tree(char *root, const struct ctrd_id_maps *maps, struct err *err)
{
	struct remapping r;
	int rc = remapping_init(&r, maps, err);

	if (rc == 0)
		rc = give_all(&r, root, err);
	remapping_done(&r);
	return rc;
}

/* --- the snapshot ------------------------------------------------------------------------- */

static int make(struct ctrd_client *c, const char *snapshotter, const char *parent,
		struct remapping *r, const char *name, struct err *err)
{
	AUTO_FREE char *key = xasprintf("%s-remap", name);
	AUTO(ctrd_mounts_free) struct ctrd_mounts *mounts = NULL;
	const struct labels none = { 0 };
	struct snapshot_request request = {
		.snapshotter = snapshotter, .key = key, .parent = parent, .labels = &none
	};
	AUTO_ERR struct err ignored = { 0 };

	if (client_snapshot_create(c, &request, &mounts, err) < 0)
		return -1;
	if (give_mounted(r, mounts, err) == 0 &&
			client_snapshot_commit(c, snapshotter, name, key, &none, err) == 0)
		return 0;
	IGNORE(client_snapshot_remove(c, snapshotter, key, &ignored)); /* collected some day */
	return -1;
}

int ctrd_snapshot_remap(struct ctrd_client *c, const char *snapshotter, const char *parent,
		const struct ctrd_id_range *uids, size_t n_uids,
		const struct ctrd_id_range *gids, size_t n_gids, char **ret_key,
		struct ctrd_error **ret_error)
{
	const struct ctrd_id_maps maps = { uids, gids, n_uids, n_gids };
	AUTO(ctrd_snapshot_free) struct ctrd_snapshot *there = NULL;
	AUTO_ERR struct err missing = { 0 };
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *name = NULL;
	struct remapping r;
	int rc = remapping_init(&r, &maps, &err);

	if (rc == 0) {
		name = name_of(&r, parent);
		rc = client_snapshot_get(c, snapshotter, name, &there, &missing);
		if (rc < 0)
			rc = make(c, snapshotter, parent, &r, name, &err);
	}
	if (rc == 0)
		*ret_key = take_ptr(name);
	remapping_done(&r);
	return api_result(rc, &err, ret_error);
}
