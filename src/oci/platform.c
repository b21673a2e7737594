/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/platform.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define MAX_TEXT 512

static const char *const known_os[] = { "aix", "android", "darwin", "dragonfly", "freebsd",
	"hurd", "illumos", "ios", "js", "linux", "nacl", "netbsd", "openbsd", "plan9",
	"solaris", "windows", "zos" };
static const char *const known_arch[] = { "386", "amd64", "amd64p32", "arm", "armbe", "arm64",
	"arm64be", "loong64", "mips", "mipsle", "mips64", "mips64le", "mips64p32",
	"mips64p32le", "ppc", "ppc64", "ppc64le", "riscv", "riscv64", "s390", "s390x", "sparc",
	"sparc64", "wasm" };

static bool is_known(const char *const *list, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], text) == 0)
			return true;
	return false;
}

void platform_done(struct platform *p)
{
	free(p->os);
	free(p->arch);
	free(p->variant);
	free(p->os_version);
	strv_free(p->os_features);
	*p = (struct platform){ 0 };
}

void platform_copy(struct platform *to, const struct platform *from)
{
	platform_set(to, from->os, from->arch, from->variant);
	to->os_version = xstrdup(from->os_version);
	to->os_features = strv_dup(from->os_features);
}

void platform_set(struct platform *p, const char *os, const char *arch, const char *variant)
{
	char *new_os = xstrdup(str_or(os, "")), *new_arch = xstrdup(str_or(arch, ""));
	char *new_variant = xstrdup(str_or(variant, ""));

	free(p->os);
	free(p->arch);
	free(p->variant);
	p->os = new_os;
	p->arch = new_arch;
	p->variant = new_variant;
}

static void lower(char *text)
{
	for (; *text != '\0'; text++)
		*text = (char)tolower((unsigned char)*text);
}

struct alias {
	const char *arch, *variant;	  /* variant NULL: any */
	const char *to_arch, *to_variant; /* to_variant NULL: as it is */
};

static const struct alias aliases[] = {
	{ "i386", NULL, "386", "" },
	{ "x86_64", "v1", "amd64", "" },
	{ "x86-64", "v1", "amd64", "" },
	{ "amd64", "v1", "amd64", "" },
	{ "x86_64", NULL, "amd64", NULL },
	{ "x86-64", NULL, "amd64", NULL },
	{ "aarch64", "8", "arm64", "" },
	{ "aarch64", "v8", "arm64", "" },
	{ "aarch64", "v8.0", "arm64", "" },
	{ "arm64", "8", "arm64", "" },
	{ "arm64", "v8", "arm64", "" },
	{ "arm64", "v8.0", "arm64", "" },
	{ "aarch64", "9", "arm64", "v9" },
	{ "aarch64", "9.0", "arm64", "v9" },
	{ "aarch64", "v9.0", "arm64", "v9" },
	{ "arm64", "9", "arm64", "v9" },
	{ "arm64", "9.0", "arm64", "v9" },
	{ "arm64", "v9.0", "arm64", "v9" },
	{ "aarch64", NULL, "arm64", NULL },
	{ "armhf", NULL, "arm", "v7" },
	{ "armel", NULL, "arm", "v6" },
	{ "arm", "", "arm", "v7" },
	{ "arm", "5", "arm", "v5" },
	{ "arm", "6", "arm", "v6" },
	{ "arm", "7", "arm", "v7" },
	{ "arm", "8", "arm", "v8" },
};

void platform_normalize(struct platform *p)
{
	lower(p->os);
	lower(p->arch);
	lower(p->variant);
	if (strcmp(p->os, "macos") == 0)
		platform_set(p, "darwin", p->arch, p->variant);
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		const struct alias *a = &aliases[i];

		if (strcmp(a->arch, p->arch) != 0)
			continue;
		if (a->variant != NULL && strcmp(a->variant, p->variant) != 0)
			continue;
		platform_set(p, p->os, a->to_arch,
				a->to_variant == NULL ? p->variant : a->to_variant);
		return;
	}
}

/* --- text --------------------------------------------------------------------------------- */

static bool are_chars(const char *text, const char *extra)
{
	for (const char *p = text; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr(extra, *p) == NULL)
			return false;
	return text[0] != '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char *percent_decode(const char *text)
{
	AUTO_BUF struct buf b = { .limit = MAX_TEXT };

	for (; *text != '\0'; text++) {
		int high, low;

		if (*text != '%') {
			buf_add_byte(&b, (unsigned char)*text);
			continue;
		}
		high = text[1] == '\0' ? -1 : hex_value(text[1]);
		low = high < 0 || text[2] == '\0' ? -1 : hex_value(text[2]);
		if (low < 0 || (high == 0 && low == 0))
			return NULL;
		buf_add_byte(&b, (unsigned char)(high * 16 + low));
		text += 2;
	}
	return buf_take_str(&b);
}

/* "windows(10.0.17763+win32k)": version, then features. */
static int cut_os_options(char *os, struct platform *p, struct err *err)
{
	char *open = strchr(os, '(');
	size_t n = strlen(os);
	AUTO_STRV char **parts = NULL;

	if (open == NULL)
		return 0;
	if (os[n - 1] != ')')
		return err_set(err, ERR_INVALID,
				"\"%s\" is an invalid component of platform specifier", os);
	os[n - 1] = '\0';
	*open = '\0';
	parts = strv_split(open + 1, '+');
	for (size_t i = 0; parts != NULL && parts[i] != NULL; i++) {
		AUTO_FREE char *text = percent_decode(parts[i]);

		if (text == NULL)
			return err_set(err, ERR_INVALID, "invalid escape in platform \"%s\"",
					parts[i]);
		if (i == 0 && text[0] != '\0')
			p->os_version = xstrdup(text);
		else if (i > 0)
			strv_add(&p->os_features, text);
	}
	return 0;
}

static int parse_one(const char *text, const char *word, struct platform *p, struct err *err)
{
	AUTO_PLATFORM struct platform host = { 0 };

	platform_host(&host);
	platform_set(p, word, "", "");
	platform_normalize(p);
	if (is_known(known_os, ARRAY_LEN(known_os), p->os)) {
		platform_set(p, p->os, host.arch,
				strcmp(host.arch, "arm") == 0 && strcmp(host.variant, "v7") == 0
						? ""
						: host.variant);
		return 0;
	}
	platform_set(p, host.os, word, "");
	platform_normalize(p);
	if (strcmp(p->arch, "arm") == 0 && strcmp(p->variant, "v7") == 0)
		platform_set(p, p->os, p->arch, "");
	if (is_known(known_arch, ARRAY_LEN(known_arch), p->arch))
		return 0;
	return err_set(err, ERR_INVALID, "\"%s\": unknown operating system or architecture",
			text);
}

static int fill(const char *text, char **parts, size_t n, struct platform *p, struct err *err)
{
	if (n == 1)
		return parse_one(text, parts[0], p, err);
	platform_set(p, parts[0], parts[1], n == 3 ? parts[2] : "");
	platform_normalize(p);
	if (n == 2 && strcmp(p->arch, "arm") == 0 && strcmp(p->variant, "v7") == 0)
		platform_set(p, p->os, p->arch, "");
	if (n == 3 && strcmp(p->arch, "arm64") == 0 && p->variant[0] == '\0')
		platform_set(p, p->os, p->arch, "v8");
	return 0;
}

int platform_parse(const char *text, struct platform *ret, struct err *err)
{
	AUTO_PLATFORM struct platform p = { 0 };
	AUTO_STRV char **parts = NULL;
	size_t n;

	if (strchr(text, '*') != NULL)
		return err_set(err, ERR_INVALID, "\"%s\": wildcards not yet supported", text);
	if (strnlen(text, MAX_TEXT + 1) > MAX_TEXT)
		return err_set(err, ERR_INVALID, "platform specifier is too long");
	parts = strv_split(text, '/');
	n = strv_len(parts);
	if (n == 0 || n > 3)
		return err_set(err, ERR_INVALID, "\"%s\": cannot parse platform specifier",
				text);
	if (cut_os_options(parts[0], &p, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		/* Alone, the first word may be an architecture. */
		const char *extra = i == 0 && n > 1 ? "_-" : "_-.";

		if (!are_chars(parts[i], extra))
			return err_set(err, ERR_INVALID,
					"\"%s\" is an invalid component of \"%s\": platform "
					"specifier component must match \"^[A-Za-z0-9_%s]+$\"",
					parts[i], text, i == 0 && n > 1 ? "-" : ".-");
	}
	if (fill(text, parts, n, &p, err) < 0)
		return -1;
	*ret = p;
	p = (struct platform){ 0 };
	return 0;
}

char *platform_text(const struct platform *p)
{
	if (str_is_empty(p->os))
		return xstrdup("unknown");
	return xasprintf("%s%s%s%s%s", p->os, str_is_empty(p->arch) ? "" : "/",
			str_or(p->arch, ""), str_is_empty(p->variant) ? "" : "/",
			str_or(p->variant, ""));
}

char *platform_text_all(const struct platform *p)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	AUTO_FREE char *plain = platform_text(p);
	size_t os_size = strcspn(plain, "/");

	if (str_is_empty(p->os_version) && p->os_features == NULL)
		return take_ptr(plain);
	buf_add(&b, plain, os_size);
	buf_addf(&b, "(%s", str_or(p->os_version, ""));
	for (char **f = p->os_features; f != NULL && *f != NULL; f++)
		buf_addf(&b, "+%s", *f);
	buf_addf(&b, ")%s", plain + os_size);
	return buf_take_str(&b);
}

/* --- hosts and matching ------------------------------------------------------------------- */

void platform_host(struct platform *ret)
{
	struct utsname u;
	const char *arch = "amd64", *variant = "";

	uname(&u);
	if (strcmp(u.machine, "aarch64") == 0)
		arch = "arm64";
	else if (str_starts(u.machine, "armv7"))
		arch = "arm", variant = "v7";
	else if (str_starts(u.machine, "armv6"))
		arch = "arm", variant = "v6";
	else if (strcmp(u.machine, "x86_64") != 0)
		arch = u.machine;
	*ret = (struct platform){ 0 };
	platform_set(ret, "linux", arch, variant);
	platform_normalize(ret);
}

void platform_match_done(struct platform_match *m)
{
	for (size_t i = 0; i < m->count; i++)
		platform_done(&m->items[i]);
	free(m->items);
	*m = (struct platform_match){ 0 };
}

static void match_add(struct platform_match *m, const struct platform *p, const char *arch,
		const char *variant)
{
	struct platform *item;

	m->items = xreallocarray(m->items, m->count + 1, sizeof(*m->items));
	item = &m->items[m->count++];
	*item = (struct platform){ 0 };
	platform_copy(item, p);
	platform_set(item, p->os, arch, variant);
}

static void add_arm_from(struct platform_match *m, const struct platform *p, int version)
{
	for (; version >= 5; version--) {
		AUTO_FREE char *variant = xasprintf("v%d", version);

		match_add(m, p, "arm", variant);
	}
}

/* v9.n runs v8.(n + 5), at most v8.9; each runs what is below it. */
static void add_arm64(struct platform_match *m, const struct platform *p)
{
	int major = 8, minor = 0;

	if (p->variant[0] == 'v' && isdigit((unsigned char)p->variant[1]))
		major = p->variant[1] - '0';
	if (strlen(p->variant) == 4 && p->variant[2] == '.' &&
			isdigit((unsigned char)p->variant[3]))
		minor = p->variant[3] - '0';
	if (major == 9) {
		for (int n = minor; n >= 0; n--) {
			AUTO_FREE char *variant =
					n == 0 ? xstrdup("v9") : xasprintf("v9.%d", n);

			match_add(m, p, "arm64", variant);
		}
		minor = minor + 5 > 9 ? 9 : minor + 5;
	}
	for (int n = minor; n >= 0; n--) {
		AUTO_FREE char *variant = n == 0 ? xstrdup("") : xasprintf("v8.%d", n);

		match_add(m, p, "arm64", variant);
	}
	add_arm_from(m, p, 8);
}

static void add_amd64(struct platform_match *m, const struct platform *p)
{
	int level = 1;

	if (p->variant[0] == 'v' && strlen(p->variant) == 2 &&
			isdigit((unsigned char)p->variant[1]))
		level = p->variant[1] - '0';
	for (; level > 1; level--) {
		AUTO_FREE char *variant = xasprintf("v%d", level);

		match_add(m, p, "amd64", variant);
	}
	match_add(m, p, "amd64", "");
	match_add(m, p, "386", "");
}

void platform_match_only(struct platform_match *m, const struct platform *p)
{
	AUTO_PLATFORM struct platform n = { 0 };

	platform_copy(&n, p);
	platform_normalize(&n);
	if (strcmp(n.arch, "amd64") == 0)
		add_amd64(m, &n);
	else if (strcmp(n.arch, "arm64") == 0)
		add_arm64(m, &n);
	else if (strcmp(n.arch, "arm") == 0 && n.variant[0] == 'v')
		add_arm_from(m, &n, n.variant[1] - '0');
	else
		match_add(m, &n, n.arch, n.variant);
}

void platform_match_strict(struct platform_match *m, const struct platform *p)
{
	AUTO_PLATFORM struct platform n = { 0 };

	platform_copy(&n, p);
	platform_normalize(&n);
	match_add(m, &n, n.arch, n.variant);
}

static bool features_are_below(char *const *wanted, char *const *have)
{
	for (; wanted != NULL && *wanted != NULL; wanted++)
		if (!strv_has(have, *wanted))
			return false;
	return true;
}

int platform_match_rank(const struct platform_match *m, const struct platform *candidate)
{
	AUTO_PLATFORM struct platform n = { 0 };

	if (m->all)
		return 0;
	platform_copy(&n, candidate);
	platform_normalize(&n);
	for (size_t i = 0; i < m->count; i++) {
		const struct platform *p = &m->items[i];

		if (strcmp(p->os, n.os) == 0 && strcmp(p->arch, n.arch) == 0 &&
				strcmp(p->variant, n.variant) == 0 &&
				features_are_below(n.os_features, p->os_features))
			return (int)i;
	}
	return -1;
}
