/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/mount_options.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define MAX_ID_RANGES 340 /* as many as the kernel takes */

static const struct {
	const char *word;
	bool clear;
	unsigned long flag;
} words[] = {
	{ "async", true, MS_SYNCHRONOUS },
	{ "atime", true, MS_NOATIME },
	{ "bind", false, MS_BIND },
	{ "defaults", false,
			0 }, /* the original hands this one to the file system, which fails */
	{ "dev", true, MS_NODEV },
	{ "diratime", true, MS_NODIRATIME },
	{ "dirsync", false, MS_DIRSYNC },
	{ "exec", true, MS_NOEXEC },
	{ "mand", false, MS_MANDLOCK },
	{ "noatime", false, MS_NOATIME },
	{ "nodev", false, MS_NODEV },
	{ "nodiratime", false, MS_NODIRATIME },
	{ "noexec", false, MS_NOEXEC },
	{ "nomand", true, MS_MANDLOCK },
	{ "norelatime", true, MS_RELATIME },
	{ "nostrictatime", true, MS_STRICTATIME },
	{ "nosuid", false, MS_NOSUID },
	{ "rbind", false, MS_BIND | MS_REC },
	{ "relatime", false, MS_RELATIME },
	{ "remount", false, MS_REMOUNT },
	{ "ro", false, MS_RDONLY },
	{ "rw", true, MS_RDONLY },
	{ "strictatime", false, MS_STRICTATIME },
	{ "suid", true, MS_NOSUID },
	{ "sync", false, MS_SYNCHRONOUS },
};

void mount_options_done(struct mount_options *o)
{
	free(o->uid_map);
	free(o->gid_map);
	free(o->data);
	*o = (struct mount_options){ 0 };
}

static bool take_flag(struct mount_options *o, const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!str_eq(word, words[i].word))
			continue;
		if (words[i].clear)
			o->flags &= ~words[i].flag;
		else
			o->flags |= words[i].flag;
		return true;
	}
	return false;
}

static bool take_map(struct mount_options *o, const char *word)
{
	char **slot = str_starts(word, "uidmap=")   ? &o->uid_map
		      : str_starts(word, "gidmap=") ? &o->gid_map
						    : NULL;

	if (slot == NULL)
		return false;
	free(*slot);
	*slot = xstrdup(strchr(word, '=') + 1);
	return true;
}

static int take_option(
		struct mount_options *o, struct buf *data, const char *word, struct err *err)
{
	if (take_flag(o, word) || take_map(o, word))
		return 0;
	if (str_eq(word, "loop")) {
		o->loop = true;
		return 0;
	}
	if (str_starts(word, "X-containerd."))
		return err_set(err, ERR_INVALID,
				"internal mount option \"%s\" was not consumed by the mount "
				"manager",
				word);
	if (str_eq(word, "direct-io"))
		o->direct_io = true;
	if (data->size > 0)
		buf_add_byte(data, ',');
	buf_add_str(data, word);
	return 0;
}

/* "direct-io" means something to us only where a loop device is made. */
static void drop_direct_io(struct mount_options *o)
{
	AUTO_STRV char **parts = NULL;
	AUTO_STRV char **kept = NULL;

	if (!o->loop) {
		o->direct_io = false;
		return;
	}
	if (!o->direct_io)
		return;
	parts = strv_split(o->data, ',');
	for (size_t i = 0; i < strv_len(parts); i++)
		if (!str_eq(parts[i], "direct-io"))
			strv_add(&kept, parts[i]);
	free(o->data);
	o->data = kept == NULL ? xstrdup("") : strv_join(kept, ",");
}

int mount_options_parse(
		char *const *options, struct mount_options *ret_options, struct err *err)
{
	AUTO_MOUNT_OPTIONS struct mount_options o = { 0 };
	/* A little more than the kernel takes, so that going over it is seen. */
	struct buf data AUTO_BUF = { .limit = (size_t)sysconf(_SC_PAGESIZE) };

	for (size_t i = 0; i < strv_len(options); i++)
		if (take_option(&o, &data, options[i], err) < 0)
			return -1;
	if (data.overflowed || data.size >= (size_t)sysconf(_SC_PAGESIZE))
		return err_set(err, ERR_INVALID, "mount options is too long");
	o.data = buf_take_str(&data);
	drop_direct_io(&o);
	if (o.uid_map == NULL || o.gid_map == NULL) {
		free(take_ptr(o.uid_map));
		free(take_ptr(o.gid_map));
	}
	*ret_options = o;
	o = (struct mount_options){ 0 };
	return 0;
}

static size_t common_prefix(char *const *v)
{
	size_t n = strlen(v[0]);

	for (size_t i = 1; v[i] != NULL; i++) {
		size_t k = 0;

		while (k < n && v[i][k] == v[0][k])
			k++;
		n = k;
	}
	return n;
}

char *mount_common_dir(char *const *lower)
{
	AUTO_FREE char *dir = NULL;
	char *slash;

	if (strv_len(lower) < 2)
		return NULL;
	/* Up to a slash: "snapshots/1" and "snapshots/12" have "snapshots" in common. */
	dir = xstrndup(lower[0], common_prefix(lower));
	slash = strrchr(dir, '/');
	if (slash == NULL || slash == dir)
		return NULL;
	*slash = '\0';
	for (size_t i = 0; lower[i] != NULL; i++)
		if (strlen(lower[i]) <= strlen(dir) + 1)
			return NULL;
	return take_ptr(dir);
}

static size_t total_length(char *const *options)
{
	size_t n = 0;

	for (size_t i = 0; options[i] != NULL; i++)
		n += strlen(options[i]);
	return n;
}

static char *relative_lower(char *const *lower, size_t skip)
{
	struct buf out = { .limit = SIZE_MAX };

	buf_add_str(&out, "lowerdir=");
	for (size_t i = 0; lower[i] != NULL; i++)
		buf_addf(&out, "%s%s", i == 0 ? "" : ":", lower[i] + skip);
	return buf_take_str(&out);
}

void mount_overlay_compact(char *const *options, char **ret_dir, char ***ret_options)
{
	AUTO_STRV char **lower = NULL;
	AUTO_FREE char *option = NULL;
	size_t at = 0;

	*ret_dir = NULL;
	*ret_options = strv_dup(options);
	if (strv_len(options) == 0 ||
			total_length(options) < (size_t)sysconf(_SC_PAGESIZE) - 512)
		return;
	while (options[at] != NULL && !str_starts(options[at], "lowerdir="))
		at++;
	if (options[at] == NULL)
		return;
	lower = strv_split(options[at] + strlen("lowerdir="), ':');
	*ret_dir = mount_common_dir(lower);
	if (*ret_dir == NULL)
		return;
	strv_free(*ret_options);
	*ret_options = NULL;
	for (size_t i = 0; options[i] != NULL; i++)
		if (i != at)
			strv_add(ret_options, options[i]);
	option = relative_lower(lower, strlen(*ret_dir) + 1);
	strv_add(ret_options, option);
}

static int add_range(struct buf *out, const char *range, struct err *err)
{
	AUTO_STRV char **parts = strv_split(range, ':');
	uint32_t inside, outside, size;

	if (strv_len(parts) != 3 || !str_u32(parts[0], &inside) ||
			!str_u32(parts[1], &outside) || !str_u32(parts[2], &size))
		return err_set(err, ERR_INVALID, "id mapping \"%s\"", range);
	buf_addf(out, "%u %u %u\n", inside, outside, size);
	return 0;
}

int mount_idmap_text(const char *map, char **ret_text, struct err *err)
{
	AUTO_STRV char **ranges = strv_split(map, ',');
	struct buf out AUTO_BUF = { .limit = SIZE_MAX };

	if (strv_len(ranges) == 0 || strv_len(ranges) > MAX_ID_RANGES)
		return err_set(err, ERR_INVALID, "id mapping has %zu ranges", strv_len(ranges));
	for (size_t i = 0; ranges[i] != NULL; i++)
		if (add_range(&out, ranges[i], err) < 0)
			return -1;
	*ret_text = buf_take_str(&out);
	return 0;
}
