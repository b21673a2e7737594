/* SPDX-License-Identifier: Apache-2.0 */
#include "os/cgroup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/fs.h"
#include "os/mountinfo.h"

#define MAX_PROC_CGROUP	 (64 * 1024)
#define MAX_MOUNTINFO	 (4 * 1024 * 1024)
#define MAX_DIRS	 64
#define MAX_NUMBER_CHARS 20

enum cgroup_mode cgroup_mode_of(bool root_is_v2, bool unified_is_v2, bool exists)
{
	if (!exists)
		return CGROUP_UNAVAILABLE;
	if (root_is_v2)
		return CGROUP_UNIFIED;
	return unified_is_v2 ? CGROUP_HYBRID : CGROUP_LEGACY;
}

static bool is_v2(const char *path)
{
	struct statfs st;

	return statfs(path, &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC;
}

enum cgroup_mode cgroup_mode(void)
{
	struct statfs st;

	return cgroup_mode_of(is_v2(CGROUP_ROOT), is_v2(CGROUP_ROOT "/unified"),
			statfs(CGROUP_ROOT, &st) == 0);
}

static bool is_clean(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const char *p = path; *p != '\0'; p++) {
		if (p[0] != '/')
			continue;
		if (p[1] == '/' || (p[1] == '\0' && p != path))
			return false;
		if (p[1] == '.' && (p[2] == '/' || p[2] == '\0'))
			return false;
		if (p[1] == '.' && p[2] == '.' && (p[3] == '/' || p[3] == '\0'))
			return false;
	}
	return true;
}

static void add_dir(struct cgroup *cg, const char *controller, char *own_path)
{
	if (cg->count >= MAX_DIRS) {
		free(own_path);
		return;
	}
	cg->dirs = xreallocarray(cg->dirs, cg->count + 1, sizeof(*cg->dirs));
	cg->dirs[cg->count++] = (struct cgroup_dir){ xstrdup(controller), own_path };
}

/* Cuts "hierarchy:controllers:path" and moves on; false at the end. */
static bool next_membership(char **at, char **ret_controllers, char **ret_path)
{
	char *line;

	while (*at != NULL && (line = strsep(at, "\n")) != NULL) {
		char *id = strsep(&line, ":"), *controllers = strsep(&line, ":");

		if (id == NULL || controllers == NULL || line == NULL || !is_clean(line))
			continue;
		*ret_controllers = controllers;
		*ret_path = line;
		return true;
	}
	return false;
}

int cgroup_parse_v2(char *proc_cgroup, struct cgroup *out)
{
	char *controllers, *path;

	out->unified = true;
	while (next_membership(&proc_cgroup, &controllers, &path)) {
		if (controllers[0] != '\0')
			continue;
		add_dir(out, "",
				xasprintf(CGROUP_ROOT "%s",
						strcmp(path, "/") == 0 ? "" : path));
		return 0;
	}
	return -ENOENT;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; p != NULL; p = strchr(p, ',')) {
		if (*p == ',')
			p++;
		if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	}
	return false;
}

struct hierarchy {
	const char *options, *root, *target;
};

static size_t find_hierarchies(char *mountinfo, struct hierarchy *found, size_t room)
{
	struct mountinfo m;
	size_t count = 0;

	while (count < room && mountinfo_next(&mountinfo, &m))
		if (strcmp(m.fstype, "cgroup") == 0)
			found[count++] =
					(struct hierarchy){ m.super_options, m.root, m.target };
	return count;
}

/* In a container the mount shows a part of the hierarchy only: paths are told from its root. */
static char *join_below(const struct hierarchy *h, const char *path)
{
	size_t n = strlen(h->root);

	if (strcmp(h->root, "/") != 0 && strncmp(path, h->root, n) == 0 &&
			(path[n] == '/' || path[n] == '\0'))
		path += n;
	return xasprintf("%s%s", h->target, strcmp(path, "/") == 0 ? "" : path);
}

int cgroup_parse_v1(char *proc_cgroup, char *mountinfo, struct cgroup *out)
{
	struct hierarchy found[MAX_DIRS];
	size_t count = find_hierarchies(mountinfo, found, ARRAY_LEN(found));
	char *controllers, *path;

	out->unified = false;
	while (next_membership(&proc_cgroup, &controllers, &path)) {
		char *name;

		while ((name = strsep(&controllers, ",")) != NULL)
			for (size_t i = 0; *name != '\0' && i < count; i++)
				if (has_word(found[i].options, name)) {
					add_dir(out, name, join_below(&found[i], path));
					break;
				}
	}
	return out->count == 0 ? -ENOENT : 0;
}

int cgroup_of_pid(pid_t pid, struct cgroup *out)
{
	AUTO_BUF struct buf members = { .limit = MAX_PROC_CGROUP };
	AUTO_BUF struct buf mounts = { .limit = MAX_MOUNTINFO };
	char name[64];
	int rc;

	(void)snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
	rc = io_read_file(AT_FDCWD, name, &members);
	if (rc < 0)
		return rc;
	if (members.size == 0)
		return -ENOENT;
	if (cgroup_mode() == CGROUP_UNIFIED)
		return cgroup_parse_v2(members.data, out);
	rc = mountinfo_read(&mounts);
	if (rc < 0)
		return rc;
	if (mounts.size == 0)
		return -ENOENT;
	return cgroup_parse_v1(members.data, mounts.data, out);
}

/* Where version 2 has no controllers it still has all processes, and one place to look. */
static int find_own(struct cgroup *out)
{
	AUTO_BUF struct buf members = { .limit = MAX_PROC_CGROUP };
	char *path;
	int rc;

	if (cgroup_mode() != CGROUP_HYBRID)
		return cgroup_of_pid(getpid(), out);
	rc = io_read_file(AT_FDCWD, "/proc/self/cgroup", &members);
	if (rc == 0 && members.size == 0)
		rc = -ENOENT;
	if (rc == 0)
		rc = cgroup_parse_v2(members.data, out);
	if (rc < 0)
		return rc;
	path = out->dirs[0].path;
	out->dirs[0].path = xasprintf(CGROUP_ROOT "/unified%s", path + strlen(CGROUP_ROOT));
	free(path);
	return 0;
}

void cgroup_expect_moves(void)
{
	AUTO_CGROUP struct cgroup own = { 0 };
	AUTO_FREE char *file = NULL;
	AUTO_CLOSE int fd = -1;

	if (find_own(&own) < 0 || own.count == 0)
		return;
	file = xasprintf("%s/cgroup.procs", own.dirs[0].path);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		IGNORE(write(fd, "0", 1)); /* then somebody else waits */
}

void cgroup_done(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->count; i++) {
		free(cg->dirs[i].controller);
		free(cg->dirs[i].path);
	}
	free(cg->dirs);
	*cg = (struct cgroup){ 0 };
}

const char *cgroup_path(const struct cgroup *cg, const char *controller)
{
	for (size_t i = 0; i < cg->count; i++)
		if (cg->unified || strcmp(cg->dirs[i].controller, controller) == 0)
			return cg->dirs[i].path;
	return NULL;
}

int cgroup_read(const struct cgroup *cg, const char *controller, const char *file,
		struct buf *out)
{
	const char *path = cgroup_path(cg, controller);
	AUTO_FREE char *name = NULL;

	if (path == NULL)
		return -ENOENT;
	name = xasprintf("%s/%s", path, file);
	return io_read_file(AT_FDCWD, name, out);
}

static int write_text(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return io_write_all(fd, text, strlen(text));
}

static int add_to(const char *hierarchy, const char *group, const char *pid)
{
	AUTO_FREE char *procs = xasprintf("%s%s/cgroup.procs", hierarchy, group);

	return write_text(procs, pid);
}

static int add_pid_v1(const char *group, const char *pid)
{
	AUTO_BUF struct buf text = { .limit = MAX_MOUNTINFO };
	struct hierarchy found[MAX_DIRS];
	int rc = mountinfo_read(&text), moved = 0;
	size_t count;

	if (rc < 0)
		return rc;
	if (text.size == 0)
		return -ENOENT;
	count = find_hierarchies(text.data, found, ARRAY_LEN(found));
	for (size_t i = 0; i < count; i++) {
		rc = add_to(found[i].target, group, pid);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		moved += rc == 0;
	}
	return moved == 0 ? -ENOENT : 0;
}

int cgroup_add_pid(const char *group, pid_t pid)
{
	char text[16];

	if (!is_clean(group))
		return -EINVAL;
	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	if (cgroup_mode() == CGROUP_UNIFIED)
		return add_to(CGROUP_ROOT, group, text);
	return add_pid_v1(group, text);
}

/* -ENOENT if the hierarchy has no such file. */
static int fill_from_parent(const char *parent, const char *dir, const char *file)
{
	AUTO_BUF struct buf own = { .limit = MAX_PROC_CGROUP };
	AUTO_BUF struct buf parents = { .limit = MAX_PROC_CGROUP };
	AUTO_FREE char *path = xasprintf("%s/%s", dir, file);
	AUTO_FREE char *above = xasprintf("%s/%s", parent, file);
	int rc = io_read_file(AT_FDCWD, path, &own);

	if (rc < 0 || (own.size > 0 && own.data[0] != '\n'))
		return rc;
	rc = io_read_file(AT_FDCWD, above, &parents);
	return rc < 0 || parents.size == 0 ? rc : write_text(path, parents.data);
}

/* A new group of the cpuset hierarchy has no processors and no memory: nothing may enter it. */
static int fill_cpuset(const char *parent, const char *dir)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		int rc = fill_from_parent(parent, dir, files[i]);

		if (rc < 0 && rc != -ENOENT)
			return rc;
	}
	return 0;
}

static int make_in(const char *hierarchy, const char *group)
{
	AUTO_FREE char *parent = xstrdup(hierarchy);

	for (const char *end = group; *end != '\0';) {
		AUTO_FREE char *dir = NULL;
		int rc;

		end += 1 + strcspn(end + 1, "/");
		dir = xasprintf("%s%.*s", hierarchy, (int)(end - group), group);
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return -errno;
		rc = fill_cpuset(parent, dir);
		if (rc < 0)
			return rc;
		free(parent);
		parent = take_ptr(dir);
	}
	return 0;
}

static int make_v1(const char *group)
{
	AUTO_BUF struct buf text = { .limit = MAX_MOUNTINFO };
	struct hierarchy found[MAX_DIRS];
	int rc = mountinfo_read(&text);
	size_t count;

	if (rc < 0 || text.size == 0)
		return rc < 0 ? rc : -ENOENT;
	count = find_hierarchies(text.data, found, ARRAY_LEN(found));
	for (size_t i = 0; i < count; i++) {
		rc = make_in(found[i].target, group);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int cgroup_join(const char *group, pid_t pid)
{
	AUTO_FREE char *absolute = NULL;
	int rc;

	if (cgroup_mode() == CGROUP_UNIFIED)
		return cgroup_add_pid(group, pid);
	absolute = xasprintf("%s%s", group[0] == '/' ? "" : "/", group);
	rc = cgroup_add_pid(absolute, pid);
	if (rc != -ENOENT)
		return rc;
	rc = make_v1(absolute);
	return rc < 0 ? rc : cgroup_add_pid(absolute, pid);
}

static int remove_in(const char *hierarchy, const char *group)
{
	AUTO_FREE char *path = xasprintf("%s%s", hierarchy, group);

	return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* Hierarchies of version 1, and that of version 2 beside them, are directories of the root. */
int cgroup_remove(const char *group)
{
	AUTO_STRV char **names = NULL;
	int rc = 0, first = 0;

	if (!is_clean(group) || group[1] == '\0')
		return -EINVAL;
	if (cgroup_mode() == CGROUP_UNIFIED)
		return remove_in(CGROUP_ROOT, group);
	first = fs_list(AT_FDCWD, CGROUP_ROOT, &names);
	for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
		AUTO_FREE char *hierarchy = xasprintf("%s/%s", CGROUP_ROOT, names[i]);

		rc = remove_in(hierarchy, group);
		if (first == 0)
			first = rc;
	}
	return first;
}

/* "cpu io memory\n" becomes "+cpu +io +memory". */
static int root_controllers(struct buf *out)
{
	AUTO_BUF struct buf list = { .limit = 4096 };
	int rc = io_read_file(AT_FDCWD, CGROUP_ROOT "/cgroup.controllers", &list);
	char *at, *name;

	if (rc < 0)
		return rc;
	at = list.data;
	while (at != NULL && (name = strsep(&at, " \n")) != NULL)
		if (*name != '\0')
			buf_addf(out, "%s+%s", out->size == 0 ? "" : " ", name);
	return out->size == 0 ? -ENOENT : 0;
}

int cgroup_enable_controllers(const struct cgroup *cg)
{
	AUTO_BUF struct buf all = { .limit = 8192 };
	size_t at = strlen(CGROUP_ROOT);
	const char *path;
	int rc;

	if (!cg->unified || cg->count == 0)
		return 0;
	rc = root_controllers(&all);
	if (rc < 0)
		return rc;
	path = cg->dirs[0].path;
	while (path[at] == '/') {
		AUTO_FREE char *file = xasprintf("%.*s/cgroup.subtree_control", (int)at, path);

		rc = write_text(file, all.data);
		at += 1 + strcspn(path + at + 1, "/");
	}
	return rc;
}

static bool parse_digits(const char *text, size_t size, uint64_t *ret)
{
	char digits[MAX_NUMBER_CHARS + 1];

	if (size == 3 && memcmp(text, "max", 3) == 0) {
		*ret = UINT64_MAX;
		return true;
	}
	if (size == 0 || size > MAX_NUMBER_CHARS)
		return false;
	memcpy(digits, text, size);
	digits[size] = '\0';
	return str_u64(digits, ret);
}

bool cgroup_next_pair(const char **at, struct cgroup_pair *ret)
{
	while (**at != '\0') {
		size_t line = strcspn(*at, "\n"), key = strcspn(*at, " \n");
		const char *text = *at;

		*at += line + (text[line] == '\n');
		if (key >= line || !parse_digits(text + key + 1, line - key - 1, &ret->value))
			continue;
		ret->key = text;
		ret->key_size = key;
		return true;
	}
	return false;
}

bool cgroup_pair_is(const struct cgroup_pair *p, const char *key)
{
	return strlen(key) == p->key_size && memcmp(p->key, key, p->key_size) == 0;
}

bool cgroup_parse_number(const char *text, uint64_t *ret)
{
	return parse_digits(text, strcspn(text, " \n"), ret);
}
