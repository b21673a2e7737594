/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/apparmor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/child_run.h"
#include "os/spawn.h"

#define PARSER	     "apparmor_parser"
#define MAX_PROFILES (4 * 1024 * 1024)
#define MAX_OUTPUT   (64 * 1024)
#define MAX_NAME     128

extern char **environ;

void apparmor_places_init(struct apparmor_places *ret)
{
	*ret = (struct apparmor_places){ .profiles = "/sys/kernel/security/apparmor/profiles",
		.macros = "/etc/apparmor.d",
		.path = getenv("PATH"),
		.temp = str_or(getenv("XDG_RUNTIME_DIR"), str_or(getenv("TMPDIR"), "/tmp")) };
}

static int check_name(const char *name, struct err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._:+-";
	size_t size = strlen(name);

	if (size > 0 && size <= MAX_NAME && strspn(name, allowed) == size)
		return 0;
	return err_set(err, ERR_INVALID, "apparmor profile name \"%s\"", name);
}

static bool has_macro(const struct apparmor_places *p, const char *name)
{
	AUTO_FREE char *path = xasprintf("%s/%s", p->macros, name);

	return access(path, F_OK) == 0;
}

/* What we run under ourselves: it may signal the container's processes. */
static void add_own_profile(struct buf *out)
{
	AUTO_BUF struct buf text = { .limit = 4096 };
	AUTO_FREE char *name = NULL;

	IGNORE(io_read_file(AT_FDCWD, "/proc/self/attr/current", &text)); /* no AppArmor */
	name = buf_take_str(&text);
	name[strcspn(name, " \n")] = '\0';
	buf_addf(out, "%s", str_or(name, "unconfined"));
}

static void add_signals(const struct apparmor_places *p, const char *name, struct buf *out)
{
	AUTO_FREE char *rootlesskit = NULL;

	buf_addf(out, "  signal (receive) peer=unconfined,\n"
		      "  signal (receive) peer=runc,\n"
		      "  signal (receive) peer=crun,\n"
		      "  signal (receive) peer=");
	add_own_profile(out);
	buf_addf(out, ",\n  signal (send,receive) peer=%s,\n", name);
	if (p->path != NULL && spawn_find("rootlesskit", p->path, &rootlesskit) == 0)
		buf_addf(out, "  signal (receive) peer=%s,\n", rootlesskit);
}

/* Writing below /proc is for the processes' own directories, and for /proc/sys/kernel/shm*;
 * below /sys for /sys/fs/cgroup. */
static const char denials[] = "  deny @{PROC}/* w,\n"
			      "  deny @{PROC}/{[^1-9/],[^1-9/][^0-9/],[^1-9s/][^0-9y/][^0-9s/],"
			      "[^1-9/][^0-9/][^0-9/][^0-9/]*}/** w,\n"
			      "  deny @{PROC}/sys/[^k]** w,\n"
			      "  deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,\n"
			      "  deny @{PROC}/sysrq-trigger rwklx,\n"
			      "  deny @{PROC}/kcore rwklx,\n"
			      "  deny mount,\n"
			      "  deny /sys/[^f]*/** wklx,\n"
			      "  deny /sys/f[^s]*/** wklx,\n"
			      "  deny /sys/fs/[^c]*/** wklx,\n"
			      "  deny /sys/fs/c[^g]*/** wklx,\n"
			      "  deny /sys/fs/cg[^r]*/** wklx,\n"
			      "  deny /sys/firmware/** rwklx,\n"
			      "  deny /sys/devices/virtual/powercap/** rwklx,\n"
			      "  deny /sys/kernel/security/** rwklx,\n";

int apparmor_default_profile(const struct apparmor_places *p, const char *name, struct buf *out,
		struct err *err)
{
	if (check_name(name, err) < 0)
		return -1;
	if (has_macro(p, "abi/3.0"))
		buf_addf(out, "abi <abi/3.0>,\n");
	buf_addf(out, "%s\nprofile %s flags=(attach_disconnected,mediate_deleted) {\n",
			has_macro(p, "tunables/global") ? "#include <tunables/global>"
							: "@{PROC}=/proc/",
			name);
	if (has_macro(p, "abstractions/base"))
		buf_addf(out, "  #include <abstractions/base>\n");
	buf_addf(out, "  network,\n  capability,\n  file,\n  umount,\n");
	add_signals(p, name, out);
	buf_add(out, denials, sizeof(denials) - 1);
	buf_addf(out, "  ptrace (trace,tracedby,read,readby) peer=%s,\n}\n", name);
	return 0;
}

/* 1, 0, or -1. Lines are "name (mode)". */
static int is_loaded(const struct apparmor_places *p, const char *name, struct err *err)
{
	AUTO_BUF struct buf list = { .limit = MAX_PROFILES };
	int rc = io_read_file(AT_FDCWD, p->profiles, &list);
	AUTO_FREE char *text = NULL;
	size_t size = strlen(name);

	if (rc < 0)
		return err_sys(err, -rc, "open %s", p->profiles);
	text = buf_take_str(&list);
	for (const char *line = text; *line != '\0'; line += *line == '\n') {
		if (strncmp(line, name, size) == 0 && line[size] == ' ')
			return 1;
		line += strcspn(line, "\n");
	}
	return 0;
}

static int run_parser(const struct apparmor_places *p, const char *file, struct err *err)
{
	AUTO_FREE char *path = NULL;
	AUTO_BUF struct buf out = { .limit = MAX_OUTPUT };
	char *argv[] = { (char *)PARSER, (char *)"-Kr", (char *)(uintptr_t)file, NULL };
	struct child_run run = { .argv = argv, .envp = environ, .out = &out, .err_out = &out };
	struct ctx ctx = { 0 };
	int status;

	if (p->path == NULL || spawn_find(PARSER, p->path, &path) < 0)
		return err_plain(err, ERR_UNKNOWN,
				"parser error(\"\"): exec: \"" PARSER
				"\": executable file not found in $PATH");
	run.path = path;
	status = child_run(&run, &ctx, err);
	if (status < 0)
		return err_wrap(err, "parser error(\"\")");
	if (status == 0)
		return 0;
	while (out.size > 0 && out.data[out.size - 1] == '\n')
		out.size--;
	return err_plain(err, ERR_UNKNOWN, "parser error(\"%.*s\"): exit status %d",
			(int)out.size, out.data == NULL ? "" : out.data, status);
}

int apparmor_load_default(const struct apparmor_places *p, const char *name, struct err *err)
{
	AUTO_BUF struct buf text = { .limit = SIZE_MAX };
	AUTO_FREE char *file = NULL;
	AUTO_CLOSE int fd = -1;
	int rc;

	if (check_name(name, err) < 0)
		return -1;
	rc = is_loaded(p, name, err);
	if (rc != 0)
		return rc > 0 ? 0 : -1;
	if (apparmor_default_profile(p, name, &text, err) < 0)
		return -1;
	file = xasprintf("%s/%s.XXXXXX", p->temp, name);
	fd = mkostemp(file, O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", file);
	rc = io_write_all(fd, text.data, text.size);
	rc = rc < 0 ? err_sys(err, -rc, "write %s", file) : run_parser(p, file, err);
	(void)unlink(file);
	return rc < 0 ? err_wrap(err, "load apparmor profile %s", file) : 0;
}
