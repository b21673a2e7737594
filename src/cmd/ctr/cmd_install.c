/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs out of an image, into the directory that the daemon looks for programs in (reference
 * 02 §8.4). The image is mounted, not unpacked here: what takes its layers apart has no rights.
 * Links in the image are copied, never followed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"

#define MAX_DEPTH   16
#define SNAPSHOTTER "overlayfs"

/* A directory of the image, and where it goes; "name" is both their path from the top. */
struct copying {
	const struct install_args *args;
	const char *path;
	int from, to;
	const char *name;
	size_t depth;
};

static int fail_at(const struct copying *c, const char *name)
{
	return out_fail("%s/%s: %s", c->name, name, errno_text(errno));
}

/* What is there goes only when renameat() puts the new one in its place. */
static int check_name(const struct copying *c, const char *name)
{
	struct stat st;

	if (fstatat(c->to, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail_at(c, name);
	return c->args->replace
			       ? 0
			       : out_fail("cannot replace %s/%s in %s", c->name, name, c->path);
}

static int copy_bytes(int in, int out)
{
	ssize_t n;

	do
		n = sendfile(out, in, NULL, 1 << 30);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -1 : 0;
}

/* Complete under another name first: the daemon may start it any time. */
static int copy_file(const struct copying *c, const char *name, const struct stat *st)
{
	AUTO_FREE char *making = xasprintf(".%s.ctr-install", name);
	AUTO_CLOSE int in = openat(c->from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_CLOSE int out = -1;

	if (in < 0)
		return fail_at(c, name);
	if (check_name(c, name) != 0)
		return STATUS_FAILED;
	(void)unlinkat(c->to, making, 0);
	out = openat(c->to, making, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0 || copy_bytes(in, out) < 0 || fchmod(out, st->st_mode & 0777) < 0 ||
			fsync(out) < 0 || renameat(c->to, making, c->to, name) < 0) {
		int status = fail_at(c, name);

		(void)unlinkat(c->to, making, 0);
		return status;
	}
	return 0;
}

static int copy_link(const struct copying *c, const char *name)
{
	AUTO_FREE char *making = xasprintf(".%s.ctr-install", name);
	char target[4096];
	ssize_t n = readlinkat(c->from, name, target, sizeof(target));

	if (n < 0 || (size_t)n >= sizeof(target))
		return fail_at(c, name);
	target[n] = '\0';
	if (check_name(c, name) != 0)
		return STATUS_FAILED;
	(void)unlinkat(c->to, making, 0);
	if (symlinkat(target, c->to, making) < 0 || renameat(c->to, making, c->to, name) < 0) {
		int status = fail_at(c, name);

		(void)unlinkat(c->to, making, 0);
		return status;
	}
	return 0;
}

static int copy_dir(const struct copying *c);

static int copy_below(const struct copying *c, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", c->name, name);
	AUTO_CLOSE int from =
			openat(c->from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_CLOSE int to = -1;
	struct copying below = { c->args, c->path, from, -1, path, c->depth + 1 };

	if (c->depth >= MAX_DEPTH)
		return out_fail("%s: nested too deep", path);
	if (mkdirat(c->to, name, 0711) < 0 && errno != EEXIST)
		return fail_at(c, name);
	to = openat(c->to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || to < 0)
		return fail_at(c, name);
	below.to = to;
	return copy_dir(&below);
}

/* What is no file, link or directory has no place among programs. */
static int copy_entry(const struct copying *c, const char *name)
{
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (fstatat(c->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_at(c, name);
	if (S_ISDIR(st.st_mode))
		return copy_below(c, name);
	if (S_ISLNK(st.st_mode))
		return copy_link(c, name);
	return S_ISREG(st.st_mode) ? copy_file(c, name, &st) : 0;
}

static int copy_dir(const struct copying *c)
{
	int fd = fcntl(c->from, F_DUPFD_CLOEXEC, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int status = 0;

	if (d == NULL)
		return fail_at(c, "");
	while (status == 0 && (errno = 0, e = readdir(d)) != NULL)
		status = copy_entry(c, e->d_name);
	if (status == 0 && errno != 0)
		status = fail_at(c, "");
	(void)closedir(d);
	return status;
}

/* One of the image's directories; an image without it is fine. */
static int install_dir(const struct install_args *args, const char *root, const char *path,
		const char *name)
{
	AUTO_CLOSE int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int from =
			openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_FREE char *target = xasprintf("%s/%s", path, name);
	AUTO_CLOSE int to = -1;
	struct copying c = { args, path, from, -1, name, 0 };

	if (from < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
				       ? 0
				       : out_fail("%s: %s", name, errno_text(errno));
	if (mkdir(target, 0711) < 0 && errno != EEXIST)
		return out_fail("mkdir %s: %s", target, errno_text(errno));
	to = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0)
		return out_fail("open %s: %s", target, errno_text(errno));
	c.to = to;
	return copy_dir(&c);
}

/* Where the daemon's "opt" plugin says. */
static int find_path(struct ctrd_client *client, char **ret_path)
{
	static const char *const filters[] = { "id==opt", NULL };
	AUTO(ctrd_plugins_free) struct ctrd_plugins *plugins = NULL;
	struct ctrd_error *error = NULL;
	const char *path = NULL;

	if (ctrd_plugins_list(client, filters, &plugins, &error) < 0)
		return out_error(error);
	if (ctrd_plugins_count(plugins) != 1)
		return out_fail("opt service not enabled");
	path = ctrd_labels_get(ctrd_plugin_exports(ctrd_plugins_at(plugins, 0)), "path");
	if (str_is_empty(path))
		return out_fail("opt path not exported");
	*ret_path = xstrdup(path);
	return 0;
}

static int copy_out(const struct install_args *args, const char *root, const char *path)
{
	int status = install_dir(args, root, path, "bin");

	if (status == 0 && args->libs)
		status = install_dir(args, root, path, "lib");
	return status;
}

/* The image's files below a directory of its own, while they are copied. */
static int with_image(struct ctrd_client *client, const char *ref,
		const struct install_args *args, const char *path)
{
	AUTO(ctrd_image_free) struct ctrd_image *image = NULL;
	AUTO(ctrd_strings_free) char **chain = NULL;
	AUTO(ctrd_mounts_free) struct ctrd_mounts *m = NULL;
	struct ctrd_error *error = NULL;
	char root[] = "/tmp/ctr-install.XXXXXX";
	int status = 0;

	if (ctrd_image_get(client, ref, &image, &error) < 0 ||
			ctrd_image_unpack(client, image, NULL, SNAPSHOTTER, &error) < 0 ||
			ctrd_image_chain(client, image, NULL, &chain, &error) < 0)
		return out_error(error);
	if (chain == NULL || chain[0] == NULL)
		return out_fail("image %s has no layers", ref);
	if (mkdtemp(root) == NULL)
		return out_fail("mkdtemp: %s", errno_text(errno));
	if (ctrd_snapshot_view(client, SNAPSHOTTER, root, chain[0], NULL, &m, &error) < 0) {
		status = out_error(error);
	} else {
		if (ctrd_mounts_apply(m, root, &error) < 0) {
			status = out_error(error);
		} else {
			status = copy_out(args, root, path);
			(void)!ctrd_unmount(root, NULL);
		}
		(void)!ctrd_snapshot_remove(client, SNAPSHOTTER, root, NULL);
	}
	(void)rmdir(root);
	return status;
}

int run_install(struct cx *cx)
{
	const struct install_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO_FREE char *path = NULL;
	struct ctrd_error *error = NULL;
	char *lease = NULL;
	int status;

	if (str_is_empty(cx_arg(cx, 0)))
		return out_fail("image reference must be provided");
	status = cx_connect(cx, &client);
	if (status == 0 && str_is_empty(args->path))
		status = find_path(client, &path);
	if (status != 0)
		return status;
	if (ctrd_lease_create(client, NULL, 24 * 3600 * NS_PER_S, NULL, &lease, &error) < 0)
		return out_error(error);
	ctrd_client_use_lease(client, lease);
	status = with_image(client, cx->argv[0], args, path != NULL ? path : args->path);
	ctrd_client_use_lease(client, NULL);
	if (ctrd_lease_remove(client, lease, 0, &error) < 0)
		ctrd_error_free(error);
	ctrd_free(lease);
	return status;
}

const struct flag install_flags[] = {
	FLAG("libs, l", FLAG_SWITCH, offsetof(struct install_args, libs),
			"install libraries, too"),
	FLAG("replace, r", FLAG_SWITCH, offsetof(struct install_args, replace),
			"replace what is there"),
	FLAG("path", FLAG_TEXT, offsetof(struct install_args, path),
			"directory to install to, instead of the daemon's"),
	{ 0 },
};
