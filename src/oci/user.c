/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/user_files.h"

#define MAX_ID	   INT64_C(2147483647)
#define MAX_GROUPS 65536 /* the kernel's NGROUPS_MAX */

void user_ids_done(struct user_ids *u)
{
	free(u->groups);
	*u = (struct user_ids){ 0 };
}

static void primary_first(struct user_ids *u)
{
	for (size_t i = 0; i < u->group_count; i++)
		if (u->groups[i] == u->gid)
			return;
	u->groups = xreallocarray(u->groups, u->group_count + 1, sizeof(*u->groups));
	memmove(u->groups + 1, u->groups, u->group_count * sizeof(*u->groups));
	u->groups[0] = u->gid;
	u->group_count++;
}

/* --- lookups ------------------------------------------------------------------------------ */

struct passwd_find {
	const char *name; /* NULL: by uid */
	uint32_t uid;
	bool found, bad_number;
	char *found_name;
	uint32_t found_uid, found_gid;
};

/* name:password:uid:gid:… */
static bool see_passwd(void *arg, char *const fields[USER_FIELDS])
{
	struct passwd_find *f = arg;
	uint32_t uid = 0, gid = 0;
	bool numbers = user_number(str_or(fields[2], "0"), &uid);

	numbers = user_number(str_or(fields[3], "0"), &gid) && numbers;
	if (f->name != NULL ? strcmp(f->name, fields[0]) != 0 : !numbers || uid != f->uid)
		return true;
	f->found = true;
	f->bad_number = !numbers;
	f->found_name = xstrdup(fields[0]);
	f->found_uid = uid;
	f->found_gid = gid;
	return false;
}

static int find_passwd(const struct user_source *source, struct passwd_find *f, struct err *err)
{
	AUTO_CLOSE int fd = -1;
	int rc = source->open(source->arg, "/etc/passwd", &fd, err);

	if (rc < 0)
		return -1;
	if (rc > 0 && user_lines_read(fd, see_passwd, f, err) < 0)
		return err_wrap(err, "/etc/passwd");
	if (f->bad_number)
		return err_set(err, ERR_INVALID, "/etc/passwd: user \"%.64s\" has a bad number",
				f->found_name);
	return 0;
}

struct group_find {
	const char *name; /* the group's */
	bool found, bad_number;
	uint32_t found_gid;
};

/* name:password:gid:members */
static bool see_group(void *arg, char *const fields[USER_FIELDS])
{
	struct group_find *f = arg;

	if (strcmp(f->name, fields[0]) != 0)
		return true;
	f->found = true;
	f->bad_number = !user_number(str_or(fields[2], "0"), &f->found_gid);
	return false;
}

static int find_group(const struct user_source *source, struct group_find *f, struct err *err)
{
	AUTO_CLOSE int fd = -1;
	int rc = source->open(source->arg, "/etc/group", &fd, err);

	if (rc < 0)
		return -1;
	if (rc > 0 && user_lines_read(fd, see_group, f, err) < 0)
		return err_wrap(err, "/etc/group");
	if (f->bad_number)
		return err_set(err, ERR_INVALID, "/etc/group: group \"%.64s\" has a bad number",
				f->name);
	return 0;
}

/* --- USER strings ------------------------------------------------------------------------- */

/* Go's Atoi takes a sign; with or without, a number is never a name. */
static bool is_number(const char *text)
{
	if (*text == '+' || *text == '-')
		text++;
	return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

static int parse_id(const char *user, const char *text, const char *what, uint32_t *ret,
		struct err *err)
{
	int64_t n;

	if (*text == '+')
		text++;
	if (!str_i64(text, &n) || n < 0 || n > MAX_ID)
		return err_plain(err, ERR_INVALID,
				"invalid USER value \"%.64s\": %s out of range", user, what);
	*ret = (uint32_t)n;
	return 0;
}

static int resolve_uid(const char *user, const struct user_source *source, struct user_ids *u,
		struct err *err)
{
	struct passwd_find f = { 0 };

	if (parse_id(user, user, "uid", &f.uid, err) < 0)
		return -1;
	if (find_passwd(source, &f, err) < 0) {
		free(f.found_name);
		return -1;
	}
	free(f.found_name);
	u->uid = f.uid;
	u->gid = f.found ? f.found_gid : 0;
	return 0;
}

static int resolve_name(const char *name, const struct user_source *source, struct user_ids *u,
		struct err *err)
{
	struct passwd_find f = { .name = name };
	int rc = find_passwd(source, &f, err);

	free(f.found_name);
	if (rc < 0)
		return -1;
	if (!f.found)
		return err_plain(err, ERR_NOT_FOUND, "no users found");
	u->uid = f.found_uid;
	u->gid = f.found_gid;
	return 0;
}

static int resolve_pair(const char *user, const char *name, const char *group,
		const struct user_source *source, struct user_ids *u, struct err *err)
{
	struct group_find f = { .name = group };
	uint32_t gid;

	if (is_number(name)) {
		if (parse_id(user, name, "uid", &u->uid, err) < 0)
			return -1;
	} else if (name[0] != '\0' && resolve_name(name, source, u, err) < 0) {
		return -1;
	}
	if (is_number(group)) {
		if (parse_id(user, group, "gid", &gid, err) < 0)
			return -1;
		u->gid = gid;
		return 0;
	}
	if (group[0] == '\0')
		return 0;
	if (find_group(source, &f, err) < 0)
		return -1;
	if (!f.found)
		return err_plain(err, ERR_NOT_FOUND, "no groups found");
	u->gid = f.found_gid;
	return 0;
}

int user_resolve(const char *user, const struct user_source *source, struct user_ids *u,
		struct err *err)
{
	AUTO_STRV char **parts = strv_split(user, ':');
	size_t n = strv_len(parts);
	struct user_ids got = { 0 };
	int rc;

	if (n > 2)
		return err_plain(err, ERR_INVALID, "invalid USER value %.64s", user);
	if (n == 2)
		rc = resolve_pair(user, parts[0], parts[1], source, &got, err);
	else if (n == 1 && is_number(user))
		rc = resolve_uid(user, source, &got, err);
	else
		rc = resolve_name(user, source, &got, err);
	if (rc < 0)
		return -1;
	primary_first(&got);
	user_ids_done(u);
	*u = got;
	return 0;
}

/* --- supplementary groups ----------------------------------------------------------------- */

struct group_collect {
	const char *user;
	struct user_ids *u;
	bool too_many;
};

static bool lists_user(char *members, const char *user)
{
	while (members != NULL)
		if (strcmp(strsep(&members, ","), user) == 0)
			return true;
	return false;
}

static bool see_membership(void *arg, char *const fields[USER_FIELDS])
{
	struct group_collect *c = arg;
	uint32_t gid;

	if (strcmp(fields[0], c->user) == 0 || !lists_user(fields[3], c->user))
		return true;
	if (!user_number(str_or(fields[2], "0"), &gid))
		return true;
	c->too_many = c->u->group_count >= MAX_GROUPS;
	if (c->too_many)
		return false;
	c->u->groups = xreallocarray(
			c->u->groups, c->u->group_count + 1, sizeof(*c->u->groups));
	c->u->groups[c->u->group_count++] = gid;
	return true;
}

static int collect_groups(const char *name, const struct user_source *source,
		struct user_ids *u, struct err *err)
{
	struct group_collect c = { .user = name, .u = u };
	AUTO_CLOSE int fd = -1;
	int rc = source->open(source->arg, "/etc/group", &fd, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return 0;
	free(u->groups);
	u->groups = NULL;
	u->group_count = 0;
	if (user_lines_read(fd, see_membership, &c, err) < 0)
		return err_wrap(err, "/etc/group");
	if (c.too_many)
		return err_set(err, ERR_EXHAUSTED, "user is in more than %d groups",
				MAX_GROUPS);
	return 0;
}

int user_add_groups(const char *user, const struct user_source *source, struct user_ids *u,
		struct err *err)
{
	struct passwd_find f = { 0 };
	AUTO_FREE char *name = NULL;
	int rc;

	if (is_number(user)) {
		if (parse_id(user, user, "uid", &f.uid, err) < 0)
			return -1;
		rc = find_passwd(source, &f, err);
		name = f.found_name;
		if (rc < 0)
			return -1;
	} else {
		name = xstrdup(user);
	}
	if (name != NULL && collect_groups(name, source, u, err) < 0)
		return -1;
	primary_first(u);
	return 0;
}
