/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/reference.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define MAX_NAME 255
#define MAX_TAG	 128

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_lower(c) || is_upper(c) || is_digit(c);
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

void ref_name_done(struct ref_name *n)
{
	free(n->domain);
	free(n->path);
	free(n->tag);
	free(n->digest);
	*n = (struct ref_name){ 0 };
}

static bool is_image_id(const char *text)
{
	size_t n = 0;

	while (is_hex(text[n]))
		n++;
	return n == 64 && text[n] == '\0';
}

static bool has_upper(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (is_upper(text[i]))
			return true;
	return false;
}

/* Is the text before the first '/' a domain, rather than the first part of a path? */
static bool looks_like_domain(const char *text, size_t size)
{
	if (memchr(text, '.', size) != NULL || memchr(text, ':', size) != NULL)
		return true;
	return (size == 9 && memcmp(text, "localhost", 9) == 0) || has_upper(text, size);
}

static void split_domain(const char *text, char **ret_domain, char **ret_rest)
{
	const char *slash = strchr(text, '/');
	AUTO_FREE char *domain = NULL;
	const char *rest = text;

	if (slash != NULL && looks_like_domain(text, (size_t)(slash - text))) {
		domain = xstrndup(text, (size_t)(slash - text));
		rest = slash + 1;
	}
	if (domain == NULL || strcmp(domain, "index.docker.io") == 0) {
		free(domain);
		domain = xstrdup("docker.io");
	}
	if (strcmp(domain, "docker.io") == 0 && strchr(rest, '/') == NULL)
		*ret_rest = xasprintf("library/%s", rest);
	else
		*ret_rest = xstrdup(rest);
	*ret_domain = take_ptr(domain);
}

static const char *skip_domain_label(const char *p)
{
	const char *from = p;

	while (is_alnum(*p) || *p == '-')
		p++;
	return p == from || *from == '-' || p[-1] == '-' ? NULL : p;
}

static bool is_domain(const char *p)
{
	if (*p == '[') {
		for (p++; is_hex(*p) || (*p >= 'A' && *p <= 'F') || *p == ':'; p++)
			;
		if (*p++ != ']')
			return false;
	} else {
		p = skip_domain_label(p);
		while (p != NULL && *p == '.')
			p = skip_domain_label(p + 1);
		if (p == NULL)
			return false;
	}
	if (*p == '\0')
		return true;
	if (*p++ != ':' || !is_digit(*p))
		return false;
	while (is_digit(*p))
		p++;
	return *p == '\0';
}

/* [a-z0-9]+ joined by ".", "_", "__" or dashes; ends at '/' or NUL. */
static const char *skip_path_part(const char *p)
{
	for (;;) {
		const char *from = p;

		while (is_lower(*p) || is_digit(*p))
			p++;
		if (p == from)
			return NULL;
		if (*p == '.') {
			p++;
		} else if (*p == '_') {
			p += p[1] == '_' ? 2 : 1;
		} else if (*p == '-') {
			while (*p == '-')
				p++;
		} else {
			return p;
		}
	}
}

static bool is_path(const char *p)
{
	for (;;) {
		p = skip_path_part(p);
		if (p == NULL)
			return false;
		if (*p == '\0')
			return true;
		if (*p++ != '/')
			return false;
	}
}

static bool is_tag(const char *p)
{
	size_t n = 0;

	for (; is_alnum(p[n]) || p[n] == '_' || (n > 0 && (p[n] == '.' || p[n] == '-')); n++)
		;
	return p[n] == '\0' && n > 0 && n <= MAX_TAG;
}

static int bad_format(struct err *err)
{
	return err_plain(err, ERR_INVALID, "invalid reference format");
}

/* Cuts tag and digest off "rest", which keeps the path. */
static int cut_object(char *rest, struct ref_name *n, struct err *err)
{
	char *at = strchr(rest, '@');
	char *colon;

	if (at != NULL) {
		AUTO_ERR struct err why = { 0 };

		*at = '\0';
		if (digest_check(at + 1, NULL, &why) < 0)
			return bad_format(err);
		n->digest = xstrdup(at + 1);
	}
	colon = strchr(rest, ':');
	if (colon != NULL) {
		*colon = '\0';
		if (!is_tag(colon + 1))
			return bad_format(err);
		n->tag = xstrdup(colon + 1);
	}
	return 0;
}

static int parse_name(const char *text, struct ref_name *n, struct err *err)
{
	AUTO_FREE char *rest = NULL;
	size_t path_size;

	if (is_image_id(text))
		return err_plain(err, ERR_INVALID,
				"invalid repository name (%s), cannot specify 64-byte "
				"hexadecimal strings",
				text);
	split_domain(text, &n->domain, &rest);
	path_size = strcspn(rest, ":");
	if (has_upper(rest, path_size))
		return err_plain(err, ERR_INVALID,
				"invalid reference format: repository name (%.*s) must be "
				"lowercase",
				(int)path_size, rest);
	if (cut_object(rest, n, err) < 0)
		return -1;
	if (!is_domain(n->domain) || !is_path(rest))
		return bad_format(err);
	if (strlen(n->domain) + 1 + strlen(rest) > MAX_NAME)
		return err_plain(err, ERR_INVALID,
				"repository name must not be more than %d characters",
				MAX_NAME);
	n->path = take_ptr(rest);
	return 0;
}

int ref_name_parse(const char *text, struct ref_name *ret_name, struct err *err)
{
	AUTO_REF_NAME struct ref_name n = { 0 };

	if (strnlen(text, REF_MAX + 1) > REF_MAX)
		return bad_format(err);
	if (parse_name(text, &n, err) < 0)
		return -1;
	*ret_name = n;
	n = (struct ref_name){ 0 };
	return 0;
}

int ref_any_check(const char *text, struct err *err)
{
	AUTO_REF_NAME struct ref_name n = { 0 };
	AUTO_ERR struct err why = { 0 };

	if (is_image_id(text) || digest_check(text, NULL, &why) == 0)
		return 0;
	return ref_name_parse(text, &n, err);
}

void ref_name_default_tag(struct ref_name *n)
{
	if (n->tag == NULL && n->digest == NULL)
		n->tag = xstrdup("latest");
}

static char *text_with(const char *domain, const char *path, const struct ref_name *n)
{
	return xasprintf("%s%s%s%s%s%s%s", domain, domain[0] == '\0' ? "" : "/", path,
			n->tag == NULL ? "" : ":", str_or(n->tag, ""),
			n->digest == NULL ? "" : "@", str_or(n->digest, ""));
}

char *ref_name_text(const struct ref_name *n)
{
	return text_with(n->domain, n->path, n);
}

char *ref_name_familiar(const struct ref_name *n)
{
	const char *path = n->path;

	if (strcmp(n->domain, "docker.io") != 0)
		return ref_name_text(n);
	if (str_starts(path, "library/") && strchr(path + 8, '/') == NULL)
		path += 8;
	return text_with("", path, n);
}

/* --- containerd's own --------------------------------------------------------------------- */

void ref_spec_done(struct ref_spec *s)
{
	free(s->locator);
	free(s->object);
	*s = (struct ref_spec){ 0 };
}

/* Drops empty and "." parts and folds ".." as Go's path.Join does. */
static char *clean_path(const char *path)
{
	AUTO_STRV char **parts = strv_split(path, '/');
	AUTO_STRV char **kept = NULL;
	size_t n = 0;

	for (char **p = parts; p != NULL && *p != NULL; p++) {
		if (**p == '\0' || strcmp(*p, ".") == 0)
			continue;
		if (strcmp(*p, "..") != 0) {
			strv_add(&kept, *p);
			n++;
		} else if (n > 0) {
			free(kept[--n]);
			kept[n] = NULL;
		}
	}
	return kept == NULL ? xstrdup("") : strv_join(kept, "/");
}

/* "host" or "host:port", as a URL would have it. */
static int check_host(const char *host, size_t size, struct err *err)
{
	const char *colon;

	if (size == 0)
		return err_plain(err, ERR_INVALID, "hostname required");
	colon = host[0] == '[' ? memchr(host, ']', size) : host;
	if (colon == NULL)
		return err_plain(err, ERR_INVALID, "invalid reference");
	colon = memchr(colon, ':', size - (size_t)(colon - host));
	for (const char *p = colon; p != NULL && ++p < host + size;)
		if (!is_digit(*p))
			return err_plain(err, ERR_INVALID,
					"parse \"dummy://%s\": invalid port \"%.*s\" after "
					"host",
					host, (int)(size - (size_t)(colon - host)), colon);
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)host[i] <= ' ' || strchr("<>\"\\^`{|}%?#", host[i]) != NULL)
			return err_plain(err, ERR_INVALID, "invalid reference");
	return 0;
}

int ref_spec_parse(const char *text, struct ref_spec *ret_spec, struct err *err)
{
	size_t host_size = strcspn(text, "/");
	AUTO_FREE char *path = NULL, *clean = NULL;
	const char *object;

	if (strnlen(text, REF_MAX + 1) > REF_MAX || strstr(text, "://") != NULL)
		return err_plain(err, ERR_INVALID, "invalid reference");
	if (check_host(text, host_size, err) < 0)
		return -1;
	object = text + host_size + strcspn(text + host_size, ":@");
	path = xstrndup(text + host_size, (size_t)(object - text) - host_size);
	clean = clean_path(path);
	ret_spec->object = xstrdup(*object == ':' ? object + 1 : object);
	ret_spec->locator = xasprintf(
			"%.*s%s%s", (int)host_size, text, clean[0] == '\0' ? "" : "/", clean);
	return 0;
}

const char *ref_spec_digest(const struct ref_spec *s)
{
	const char *at = strchr(s->object, '@');

	return at == NULL ? "" : at + 1;
}

char *ref_spec_host(const struct ref_spec *s)
{
	return xstrndup(s->locator, strcspn(s->locator, "/"));
}

char *ref_spec_text(const struct ref_spec *s)
{
	if (s->object[0] == '\0')
		return xstrdup(s->locator);
	return xasprintf("%s%s%s", s->locator, s->object[0] == '@' ? "" : ":", s->object);
}
