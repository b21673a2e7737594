/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of this host, for a container. */
#include "client/client_spec_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "oci/blockio.h"
#include "oci/cdi.h"
#include "os/fs.h"

#define MAX_DEPTH   16
#define MAX_DEVICES 65536

struct device_walk {
	struct jnode *spec;
	const char *access; /* NULL: no rule */
	size_t count;
};

/* Nothing a container should get: file systems of their own, and what it has itself. */
static const char *const skipped_dirs[] = { "pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts",
	".udev", NULL };

/* False for what is no device. */
static bool add_device(struct device_walk *w, const char *path, const struct stat *st)
{
	struct spec_device d = { .path = path,
		.major = major(st->st_rdev),
		.minor = minor(st->st_rdev),
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid };

	if (S_ISCHR(st->st_mode))
		d.type = 'c';
	else if (S_ISBLK(st->st_mode))
		d.type = 'b';
	else
		return false;
	w->count++;
	spec_add_device(w->spec, &d, w->access);
	return true;
}

static int walk_dir(struct device_walk *w, const char *dir, size_t depth, struct err *err);

static int walk_entry(struct device_walk *w, const char *dir, const char *name, size_t depth,
		struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "lstat %s", path);
	if (S_ISDIR(st.st_mode))
		return strv_has((char *const *)skipped_dirs, name)
				       ? 0
				       : walk_dir(w, path, depth + 1, err);
	if (strcmp(name, "console") != 0)
		add_device(w, path, &st);
	return 0;
}

static int walk_dir(struct device_walk *w, const char *dir, size_t depth, struct err *err)
{
	AUTO_STRV char **names = NULL;
	int rc = fs_list(AT_FDCWD, dir, &names);

	if (rc < 0)
		return err_sys(err, -rc, "open %s", dir);
	if (depth > MAX_DEPTH || w->count > MAX_DEVICES)
		return err_set(err, ERR_EXHAUSTED, "too many devices below %s", dir);
	for (char **n = names; n != NULL && *n != NULL; n++)
		if (walk_entry(w, dir, *n, depth, err) < 0)
			return -1;
	return 0;
}

int ctrd_spec_add_host_devices(struct ctrd_spec *s, struct ctrd_error **ret_error)
{
	struct device_walk w = { .spec = s->doc };
	AUTO_ERR struct err err = { 0 };

	return api_result(walk_dir(&w, "/dev", 1, &err), &err, ret_error);
}

/* A link to a directory is followed, one to a device is not. */
static int add_path(struct device_walk *w, const char *path, struct err *err)
{
	struct stat st, target;

	if (lstat(path, &st) < 0)
		return err_sys(err, errno, "error stating device path: stat %s", path);
	if (S_ISLNK(st.st_mode) && stat(path, &target) == 0 && S_ISDIR(target.st_mode))
		st = target;
	if (S_ISDIR(st.st_mode))
		return walk_dir(w, path, 1, err);
	if (!add_device(w, path, &st))
		return err_plain(err, ERR_UNKNOWN,
				"get device path: \"%s\" containerPath: \"%s\" error: not a "
				"device node",
				path, path);
	return 0;
}

int ctrd_spec_add_device(struct ctrd_spec *s, const char *path, const char *access,
		struct ctrd_error **ret_error)
{
	struct device_walk w = { .spec = s->doc, .access = access };
	AUTO_ERR struct err err = { 0 };

	return api_result(add_path(&w, path, &err), &err, ret_error);
}

/* --- what files of the host say ------------------------------------------------------------
 */

int ctrd_is_cdi_name(const char *name)
{
	return cdi_is_name(name);
}

static int inject(struct ctrd_spec *s, const struct cdi *c, char *const *names, struct err *err)
{
	return cdi_inject(c, s->doc, names, err) < 0
			       ? err_wrap(err, "CDI device injection failed")
			       : 0;
}

int ctrd_spec_add_cdi_devices(
		struct ctrd_spec *s, const char *const *names, struct ctrd_error **ret_error)
{
	AUTO(cdi_free) struct cdi *c = cdi_load(cdi_default_dirs);
	AUTO_ERR struct err err = { 0 };

	return api_result(inject(s, c, (char *const *)(uintptr_t)names, &err), &err, ret_error);
}

int ctrd_spec_add_gpus(
		struct ctrd_spec *s, const char *const *numbers, struct ctrd_error **ret_error)
{
	AUTO(cdi_free) struct cdi *c = cdi_load(cdi_default_dirs);
	const char *kind = cdi_has_kind(c, "nvidia.com/gpu") ? "nvidia.com/gpu"
			   : cdi_has_kind(c, "amd.com/gpu")  ? "amd.com/gpu"
							     : NULL;
	AUTO_STRV char **names = NULL;
	AUTO_ERR struct err err = { 0 };

	if (kind == NULL && *numbers != NULL) {
		(void)err_plain(&err, ERR_UNKNOWN,
				"detect GPU vendor failed: no known GPU vendor detected in CDI "
				"specs, only AMD and NVIDIA are supported");
		return api_result(-1, &err, ret_error);
	}
	for (; *numbers != NULL; numbers++)
		strv_addf(&names, "%s=%s", kind, *numbers);
	return api_result(inject(s, c, names, &err), &err, ret_error);
}

int ctrd_spec_set_blockio_class(struct ctrd_spec *s, const void *yaml, size_t size,
		const char *class_name, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(blockio_apply(s->doc, yaml, size, class_name, &err), &err, ret_error);
}

void ctrd_spec_set_rdt_class(struct ctrd_spec *s, const char *class_name)
{
	struct jnode *rdt = jnode_need_object(spec_linux(s->doc), "intelRdt");

	jnode_set_str(rdt, "closID", class_name);
}
