/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/mount_transform.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/mount_manager.h"
#include "mount/mount_priv.h"
#include "os/fs.h"

#define MKDIR_OPTION  "X-containerd.mkdir."
#define MKFS_OPTION   "X-containerd.mkfs."
#define FORMAT_MAX    ((size_t)1 << 20)
#define MAX_ARGS      2
#define LOCK_PAUSE_MS 20

/* --- format/ ------------------------------------------------------------------------------ */

/* What stands between the braces: a word and one or two numbers. */
struct action {
	char word[16];
	long long args[MAX_ARGS];
	int count;
};

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

static const char *read_number(const char *p, const char *end, long long *ret)
{
	bool is_negative = p < end && *p == '-';

	*ret = 0;
	p += is_negative;
	if (p == end || *p < '0' || *p > '9')
		return NULL;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (*ret < 1000000)
			*ret = *ret * 10 + (*p - '0');
	if (is_negative)
		*ret = -*ret;
	return p;
}

static bool read_action(const char *p, const char *end, struct action *ret)
{
	size_t n = 0;

	*ret = (struct action){ 0 };
	p = skip_space(p, end);
	while (p < end && *p >= 'a' && *p <= 'z' && n + 1 < sizeof(ret->word))
		ret->word[n++] = *p++;
	for (;;) {
		const char *q = skip_space(p, end);

		if (q == end)
			return ret->count > 0;
		if (q == p || ret->count == MAX_ARGS)
			return false;
		p = read_number(q, end, &ret->args[ret->count++]);
		if (p == NULL)
			return false;
	}
}

static int add_overlay(const struct activation *made, long long from, long long to,
		struct buf *out, struct err *err)
{
	long long count = (long long)made->active_count;
	int step = from > to ? -1 : 1;

	if (from < 0 || to < 0 || from >= count || to >= count)
		return err_plain(err, ERR_INVALID,
				"invalid range: %lld-%lld, has %lld active mounts", from, to,
				count);
	for (long long i = from;; i += step) {
		buf_add_str(out, made->active[i].mount_point);
		if (i == to)
			return 0;
		buf_add_str(out, ":");
	}
}

static int add_action(const struct activation *made, const struct action *a, struct buf *out,
		struct err *err)
{
	const struct active_mount *m = NULL;
	long long i = a->args[0];

	if (str_eq(a->word, "overlay") && a->count == 2)
		return add_overlay(made, a->args[0], a->args[1], out, err);
	if (a->count != 1)
		return err_set(err, ERR_INVALID, "mount template %s", a->word);
	if (i < 0 || i >= (long long)made->active_count)
		return err_plain(err, ERR_INVALID,
				"index out of bounds: %lld, has %zu active mounts", i,
				made->active_count);
	m = &made->active[i];
	if (str_eq(a->word, "source"))
		buf_add_str(out, m->spec.source);
	else if (str_eq(a->word, "target"))
		buf_add_str(out, m->spec.target);
	else if (str_eq(a->word, "mount"))
		buf_add_str(out, m->mount_point);
	else
		return err_set(err, ERR_INVALID, "mount template %s", a->word);
	return 0;
}

int mount_format(const struct activation *made, const char *text, char **ret_text,
		struct err *err)
{
	AUTO_BUF struct buf out = { .limit = FORMAT_MAX };
	const char *open;

	while ((open = strstr(text, "{{")) != NULL) {
		const char *close = strstr(open, "}}");
		struct action a;

		buf_add(&out, text, (size_t)(open - text));
		if (close == NULL || !read_action(open + 2, close, &a))
			return err_set(err, ERR_INVALID, "mount template %s", open);
		if (add_action(made, &a, &out, err) < 0)
			return -1;
		text = close + 2;
	}
	buf_add_str(&out, text);
	if (out.overflowed)
		return err_set(err, ERR_INVALID, "mount template gives more than %zu bytes",
				FORMAT_MAX);
	*ret_text = buf_take_str(&out);
	return 0;
}

static int format_slot(const struct activation *made, char **slot, struct err *err)
{
	char *text = NULL;

	if (strstr(*slot, "{{") == NULL)
		return 0;
	if (mount_format(made, *slot, &text, err) < 0)
		return -1;
	free(*slot);
	*slot = text;
	return 0;
}

static int do_format(const struct mount_roots *roots, const struct activation *made,
		struct mount_spec *spec, struct ctx *ctx, struct err *err)
{
	if (format_slot(made, &spec->source, err) < 0 ||
			format_slot(made, &spec->target, err) < 0)
		return -1;
	for (char **o = spec->options; o != NULL && *o != NULL; o++)
		if (format_slot(made, o, err) < 0)
			return -1;
	return 0;
}

/* --- places ------------------------------------------------------------------------------- */

/* The directory that is to have it, and its name there (points into path). */
static int open_place(const struct mount_roots *roots, const char *path, const char *what,
		const char **ret_name, int *ret_fd, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(roots->paths); i++) {
		size_t n = strlen(roots->paths[i]);
		AUTO_FREE char *dir = NULL;
		const char *slash = strrchr(path, '/');
		int fd;

		if (!str_starts(path, roots->paths[i]) || path[n] != '/' || slash[1] == '\0')
			continue;
		dir = slash == path + n
				      ? xstrdup(".")
				      : xstrndup(path + n + 1, (size_t)(slash - path) - n - 1);
		fd = fs_open_beneath(roots->fds[i], dir, O_PATH | O_DIRECTORY, 0);
		if (fd < 0)
			return err_sys(err, -fd, "%s %s", what, path);
		*ret_fd = fd;
		*ret_name = slash + 1;
		return 0;
	}
	return err_set(err, ERR_UNIMPLEMENTED, "no root \"%s\" configured for %s", path, what);
}

/* Takes the options that begin with the prefix out of the spec, into *ret. */
static void take_options(struct mount_spec *spec, const char *prefix, char ***ret)
{
	char **kept = NULL;

	for (char **o = spec->options; o != NULL && *o != NULL; o++)
		strv_add(str_starts(*o, prefix) ? ret : &kept, *o);
	strv_free(spec->options);
	spec->options = kept;
}

/* --- mkdir/ ------------------------------------------------------------------------------- */

static int make_dir(
		const struct mount_roots *roots, const char *path, mode_t mode, struct err *err)
{
	AUTO_CLOSE int dir = -1;
	const char *name = NULL;
	struct stat st;

	if (open_place(roots, path, "mkdir", &name, &dir, err) < 0)
		return -1;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISDIR(st.st_mode))
			return err_sys(err, ENOTDIR, "mkdir %s", path);
		if ((st.st_mode & 0777) != mode)
			return err_set(err, ERR_UNIMPLEMENTED,
					"chmod not supported yet for mkdir handler");
		return 0;
	}
	if (errno != ENOENT)
		return err_sys(err, errno, "failed to stat \"%s\"", path);
	if (mkdirat(dir, name, mode) < 0 || fchmodat(dir, name, mode, 0) < 0)
		return err_sys(err, errno, "failed to create directory \"%s\"", path);
	return 0;
}

/* path[:mode[:uid:gid]] */
static int read_mkdir(const struct mount_roots *roots, const char *option, struct err *err)
{
	AUTO_STRV char **parts = NULL;
	const char *value = option + strlen(MKDIR_OPTION);
	unsigned long mode = 0700;
	int64_t uid = geteuid(), gid = getegid();
	char *end = NULL;
	size_t n;

	if (!str_starts(value, "path="))
		return err_set(err, ERR_INVALID, "invalid mkdir option \"%s\"", option);
	parts = strv_split(value + strlen("path="), ':');
	n = strv_len(parts);
	if (n != 1 && n != 2 && n != 4)
		return err_set(err, ERR_INVALID, "invalid mkdir option \"%s\"", option);
	if (n > 1)
		mode = strtoul(parts[1], &end, 8);
	if (n > 1 && (*parts[1] < '0' || *parts[1] > '7' || *end != '\0' || mode > 0777))
		return err_set(err, ERR_INVALID, "invalid mode %s", parts[1]);
	if (n == 4 && (!str_i64(parts[2], &uid) || !str_i64(parts[3], &gid)))
		return err_set(err, ERR_INVALID, "invalid mkdir option \"%s\"", option);
	if (uid != (int64_t)geteuid() || gid != (int64_t)getegid())
		return err_set(err, ERR_UNIMPLEMENTED,
				"chown not supported yet for mkdir handler");
	return make_dir(roots, parts[0], (mode_t)mode, err);
}

static int do_mkdir(const struct mount_roots *roots, const struct activation *made,
		struct mount_spec *spec, struct ctx *ctx, struct err *err)
{
	AUTO_STRV char **taken = NULL;

	take_options(spec, MKDIR_OPTION, &taken);
	for (char **o = taken; o != NULL && *o != NULL; o++)
		if (read_mkdir(roots, *o, err) < 0)
			return -1;
	return 0;
}

/* --- mkfs/ -------------------------------------------------------------------------------- */

bool mount_size(const char *text, long long *ret_bytes)
{
	static const char units[] = "kmgtp";
	char *end = NULL;
	double n = strtod(text, &end);
	const char *unit;

	if (*text < '0' || *text > '9' || n < 0 || n > 1e15)
		return false;
	if (*end == ' ')
		end++;
	unit = *end == '\0' ? NULL : strchr(units, *end | 0x20);
	if (unit != NULL) {
		for (const char *u = units; u <= unit; u++)
			n *= 1024;
		end++;
		if ((*end | 0x20) == 'i' && (end[1] | 0x20) == 'b')
			end++;
	}
	if ((*end | 0x20) == 'b')
		end++;
	if (*end != '\0' || n >= 9e18)
		return false;
	*ret_bytes = (long long)n;
	return true;
}

struct mkfs {
	long long size;
	const char *fs, *uuid;
};

static int read_mkfs(char *const *options, struct mkfs *ret, struct err *err)
{
	static const char *const known[] = { "ext2", "ext3", "ext4", "xfs" };
	bool is_known = false;

	*ret = (struct mkfs){ .fs = "ext4" };
	for (; options != NULL && *options != NULL; options++) {
		const char *o = *options + strlen(MKFS_OPTION);

		if (str_starts(o, "size=")) {
			if (!mount_size(o + 5, &ret->size))
				return err_set(err, ERR_INVALID, "bad option %s", o);
		} else if (str_starts(o, "fs=")) {
			ret->fs = o + 3;
		} else if (str_starts(o, "uuid=")) {
			ret->uuid = o + 5;
		} else {
			return err_set(err, ERR_INVALID, "unknown mount option %.*s",
					(int)strcspn(o, "="), o);
		}
	}
	if (ret->size <= 0)
		return err_set(err, ERR_INVALID, "mkfs requires mkfs.size option");
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		is_known |= str_eq(ret->fs, known[i]);
	return is_known ? 0
			: err_set(err, ERR_INVALID, "unsupported filesystem \"%s\"", ret->fs);
}

static int run_mkfs(const struct mkfs *m, const char *path, struct ctx *ctx, struct err *err)
{
	AUTO_FREE char *program = xasprintf("mkfs.%s", m->fs);
	AUTO_BUF struct buf out = { .limit = 4096 };
	AUTO_STRV char **argv = NULL;
	int rc;

	strv_add(&argv, program);
	strv_add(&argv, "-q");
	if (m->uuid != NULL && str_eq(m->fs, "xfs")) {
		AUTO_FREE char *uuid = xasprintf("uuid=%s", m->uuid);

		strv_add(&argv, "-m");
		strv_add(&argv, uuid);
	} else if (m->uuid != NULL) {
		strv_add(&argv, "-U");
		strv_add(&argv, m->uuid);
	}
	strv_add(&argv, path);
	rc = mount_run(argv, &out, ctx, err);
	if (rc > 0)
		return err_set(err, ERR_UNKNOWN, "%s failed: %s: exit status %d", program,
				out.size > 0 ? out.data : "", rc);
	return rc;
}

/* Until whoever makes the same file is done, or the ctx is over. */
static int lock_part(int fd, const char *path, struct ctx *ctx, struct err *err)
{
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, errno, "lock file for \"%s\"", path);
		if (ctx_done(ctx, err))
			return err_wrap(err, "wait for \"%s\"", path);
		(void)poll(NULL, 0, LOCK_PAUSE_MS);
	}
	return 0;
}

static bool is_at(int dir, const char *name, int fd)
{
	struct stat there, ours;

	return fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &ours) == 0 &&
	       there.st_ino == ours.st_ino && there.st_dev == ours.st_dev;
}

/* The file that is to become "name", locked. Not open (-1) if there is a "name" by now. */
static int open_part(int dir, const char *part, const char *name, const char *path,
		struct ctx *ctx, int *ret_fd, struct err *err)
{
	bool is_ours, is_made;
	struct stat st;

	for (;;) {
		AUTO_CLOSE int fd = openat(
				dir, part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);

		if (fd < 0)
			return err_sys(err, errno, "failed to create file \"%s\"", path);
		if (lock_part(fd, path, ctx, err) < 0)
			return -1;
		is_ours = is_at(dir, part, fd); /* or of one that has finished or failed */
		is_made = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
		if (is_ours && is_made)
			(void)unlinkat(dir, part, 0);
		else if (is_ours)
			*ret_fd = take_fd(&fd);
		if (is_ours || is_made)
			return 0;
	}
}

/* Under another name until it is whole, so that what is there can be mounted. Whoever wants the
 * same meanwhile waits for it; a lock ends with the process that has it. */
static int make_fs(const struct mkfs *m, int dir, const char *name, const char *path,
		struct ctx *ctx, struct err *err)
{
	AUTO_FREE char *part = xasprintf(".%s.mkfs", name), *part_path = NULL;
	AUTO_CLOSE int fd = -1;

	if (open_part(dir, part, name, path, ctx, &fd, err) < 0)
		return -1;
	if (fd < 0)
		return 0;
	part_path = xasprintf("%.*s%s", (int)(strlen(path) - strlen(name)), path, part);
	if (ftruncate(fd, 0) < 0 || ftruncate(fd, m->size) < 0)
		(void)err_sys(err, errno, "failed to truncate file \"%s\"", path);
	else if (run_mkfs(m, part_path, ctx, err) < 0)
		(void)err_wrap(err, "failed format \"%s\"", path);
	else if (renameat(dir, part, dir, name) == 0)
		return 0;
	else
		(void)err_sys(err, errno, "rename %s", path);
	(void)unlinkat(dir, part, 0);
	return -1;
}

static int do_mkfs(const struct mount_roots *roots, const struct activation *made,
		struct mount_spec *spec, struct ctx *ctx, struct err *err)
{
	AUTO_STRV char **taken = NULL;
	AUTO_CLOSE int dir = -1;
	const char *name = NULL;
	struct mkfs m;
	struct stat st;

	if (open_place(roots, spec->source, "mkfs", &name, &dir, err) < 0)
		return -1;
	take_options(spec, MKFS_OPTION, &taken);
	if (read_mkfs(taken, &m, err) < 0)
		return -1;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (errno != ENOENT)
		return err_sys(err, errno, "failed to stat \"%s\"", spec->source);
	return make_fs(&m, dir, name, spec->source, ctx, err);
}

/* --- all ---------------------------------------------------------------------------------- */

static const struct transform {
	const char *prefix;
	int (*run)(const struct mount_roots *roots, const struct activation *made,
			struct mount_spec *spec, struct ctx *ctx, struct err *err);
} transforms[] = {
	{ "format/", do_format },
	{ "mkfs/", do_mkfs },
	{ "mkdir/", do_mkdir },
};

static const struct transform *find_transform(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(transforms); i++)
		if (str_starts(type, transforms[i].prefix))
			return &transforms[i];
	return NULL;
}

size_t mount_prefix(const char *type)
{
	const struct transform *t = find_transform(type);

	return t == NULL ? 0 : strlen(t->prefix);
}

int mount_transform(const struct mount_roots *roots, const struct activation *made,
		struct mount_spec *spec, struct ctx *ctx, struct err *err)
{
	const struct transform *t;

	while ((t = find_transform(spec->type)) != NULL) {
		char *rest = xstrdup(spec->type + strlen(t->prefix));

		free(spec->type);
		spec->type = rest;
		if (t->run(roots, made, spec, ctx, err) < 0)
			return -1;
	}
	return 0;
}
