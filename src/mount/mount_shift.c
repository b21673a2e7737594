/* SPDX-License-Identifier: Apache-2.0 */
/* Id-mapped overlays (reference 02 §7.3): the kernel shifts owners per mount, and overlay's
 * lower layers are not mounts; so their common parent is mounted somewhere, shifted. */
#include "mount/mount_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "mount/mount_options.h"
#include "os/mountsys.h"

int mount_make_userns(const struct mount_options *o, int *ret_fd, struct err *err)
{
	AUTO_FREE char *uids = NULL, *gids = NULL;
	int fd;

	if (mount_idmap_text(o->uid_map, &uids, err) < 0 ||
			mount_idmap_text(o->gid_map, &gids, err) < 0)
		return -1;
	fd = mountsys_make_userns(uids, gids);
	if (fd < 0)
		return err_sys(err, -fd, "make user namespace for id mapping");
	*ret_fd = fd;
	return 0;
}

struct mount_shifted {
	char *path;
	bool mounted;
};

void mount_shifted_free(struct mount_shifted *s)
{
	if (s == NULL)
		return;
	/* The overlay holds the layers by now, so a lazy unmount loses nothing. */
	if (s->mounted && mountsys_umount(s->path, MNT_DETACH) < 0)
		log_warn(NULL, "unmount %s: %s (ignored)", s->path, errno_text(errno));
	if (rmdir(s->path) < 0)
		log_warn(NULL, "remove %s: %s (ignored)", s->path, errno_text(errno));
	free(s->path);
	free(s);
}

static int mount_copy(struct mount_shifted *s, const char *common,
		const struct mount_options *maps, struct err *err)
{
	AUTO_CLOSE int userns = -1, tree = -1;
	int rc;

	if (mount_make_userns(maps, &userns, err) < 0)
		return -1;
	tree = mountsys_clone_tree(AT_FDCWD, common, true);
	if (tree < 0)
		return err_sys(err, -tree, "unable to open tree for %s", common);
	rc = mountsys_set_idmap(tree, userns, true, true);
	if (rc < 0)
		return err_sys(err, -rc, "unable to shift GID/UID or set mount attrs for %s",
				common);
	rc = mountsys_attach(tree, AT_FDCWD, s->path);
	if (rc < 0)
		return err_sys(err, -rc, "unable to attach mount tree to %s", s->path);
	s->mounted = true;
	return 0;
}

/* The directory that holds all layers; for a single one, the directory it is in. */
static char *parent_of_all(char *const *lower)
{
	AUTO_FREE char *one = NULL;
	char *slash;

	if (strv_len(lower) != 1)
		return mount_common_dir(lower);
	one = xstrdup(lower[0]);
	slash = strrchr(one, '/');
	if (slash == NULL || slash == one)
		return NULL;
	*slash = '\0';
	return take_ptr(one);
}

static int shift(struct mount_shifted *s, const char *lowerdir,
		const struct mount_options *maps, char **ret_option, struct err *err)
{
	AUTO_STRV char **lower = strv_split(lowerdir, ':');
	AUTO_FREE char *common = parent_of_all(lower);
	struct buf out AUTO_BUF = { .limit = SIZE_MAX };

	if (common == NULL)
		return err_set(err, ERR_INVALID, "determine common parent: %s", lowerdir);
	if (mount_copy(s, common, maps, err) < 0)
		return -1;
	buf_add_str(&out, "lowerdir=");
	for (size_t i = 0; lower[i] != NULL; i++)
		buf_addf(&out, "%s%s%s", i == 0 ? "" : ":", s->path, lower[i] + strlen(common));
	*ret_option = buf_take_str(&out);
	return 0;
}

int mount_shift_lower(char ***options, const char *temp_root,
		struct mount_shifted **ret_shifted, struct err *err)
{
	AUTO(mount_shifted_free) struct mount_shifted *s = NULL;
	struct mount_options maps = { 0 };
	AUTO_STRV char **kept = NULL;
	AUTO_FREE char *option = NULL;
	const char *lower = NULL;

	for (size_t i = 0; i < strv_len(*options); i++) {
		const char *o = (*options)[i];

		if (str_starts(o, "uidmap="))
			maps.uid_map = (*options)[i] + strlen("uidmap=");
		else if (str_starts(o, "gidmap="))
			maps.gid_map = (*options)[i] + strlen("gidmap=");
		else if (str_starts(o, "lowerdir="))
			lower = o + strlen("lowerdir=");
		else
			strv_add(&kept, o);
	}
	if (maps.uid_map == NULL || maps.gid_map == NULL || lower == NULL)
		return 0;
	s = xzalloc(sizeof(*s));
	s->path = xasprintf("%s/ovl-idmappedXXXXXX", temp_root);
	if (mkdtemp(s->path) == NULL) {
		(void)err_sys(err, errno, "make %s", s->path);
		free(s->path);
		free(take_ptr(s));
		return -1;
	}
	if (shift(s, lower, &maps, &option, err) < 0)
		return -1;
	strv_add(&kept, option);
	strv_free(*options);
	*options = take_ptr(kept);
	*ret_shifted = take_ptr(s);
	return 0;
}
