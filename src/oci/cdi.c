/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/cdi.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/cdi_edits.h"
#include "os/fs.h"
#include "text/jnode.h"
#include "text/yaml_read.h"

#define MAX_FILES 1024

struct cdi_file {
	char *name;
	int priority;
	const char *kind; /* in doc */
	struct jnode *doc;
};

struct cdi {
	struct cdi_file *files;
	size_t count;
};

const char *const cdi_default_dirs[] = { "/etc/cdi", "/var/run/cdi", NULL };

/* --- names -------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_letter_or_digit(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9');
}

/* Begins and ends with a letter or digit (the first with a letter, if so asked); in between
 * also what "more" has. */
static bool is_word(const char *text, size_t n, bool letter_first, const char *more)
{
	if (n == 0 || !(letter_first ? is_letter(text[0]) : is_letter_or_digit(text[0])) ||
			!is_letter_or_digit(text[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_letter_or_digit(text[i]) && strchr(more, text[i]) == NULL)
			return false;
	return true;
}

/* "vendor/class" */
static bool is_kind(const char *text, size_t n)
{
	const char *slash = memchr(text, '/', n);
	size_t vendor = slash == NULL ? 0 : (size_t)(slash - text);

	return slash != NULL && is_word(text, vendor, true, "_-.") &&
	       is_word(slash + 1, n - vendor - 1, true, "_-");
}

bool cdi_is_name(const char *name)
{
	const char *equals = strchr(name, '=');

	return equals != NULL && is_kind(name, (size_t)(equals - name)) &&
	       is_word(equals + 1, strlen(equals + 1), false, "_-.:");
}

/* --- files -------------------------------------------------------------------------------- */

static int check_device(const struct jnode *device, struct err *err)
{
	const char *name = jnode_get_str(device, "name");

	if (name == NULL || !is_word(name, strlen(name), false, "_-.:"))
		return err_set(err, ERR_INVALID, "invalid device name %s", str_or(name, ""));
	if (!jnode_is(jnode_get(device, "containerEdits"), JSON_KIND_OBJECT))
		return err_set(err, ERR_INVALID, "device %s: no containerEdits", name);
	return cdi_edits_check(jnode_get(device, "containerEdits"), err);
}

static int check_file(const struct jnode *doc, struct err *err)
{
	const struct jnode *devices = jnode_get(doc, "devices");
	const char *kind = jnode_get_str(doc, "kind");

	if (!str_starts(str_or(jnode_get_str(doc, "cdiVersion"), ""), "0.") &&
			!str_starts(str_or(jnode_get_str(doc, "cdiVersion"), ""), "1."))
		return err_set(err, ERR_INVALID, "invalid cdiVersion");
	if (kind == NULL || !is_kind(kind, strlen(kind)))
		return err_set(err, ERR_INVALID, "invalid kind %s", str_or(kind, ""));
	if (jnode_count(devices) == 0)
		return err_set(err, ERR_INVALID, "no devices");
	for (size_t i = 0; i < jnode_count(devices); i++)
		if (check_device(jnode_item(devices, i), err) < 0)
			return -1;
	return cdi_edits_check(jnode_get(doc, "containerEdits"), err);
}

int cdi_add(struct cdi *c, const char *name, int priority, const void *data, size_t size,
		struct err *err)
{
	AUTO(jnode_free) struct jnode *doc = NULL;
	int rc = str_ends(name, ".json") ? jnode_parse(data, size, &doc, err)
					 : yaml_parse(data, size, &doc, err);

	if (rc == 0)
		rc = check_file(doc, err);
	if (rc == 0 && c->count >= MAX_FILES)
		rc = err_set(err, ERR_EXHAUSTED, "too many CDI files");
	if (rc < 0)
		return err_wrap(err, "CDI file %s", name);
	c->files = xreallocarray(c->files, c->count + 1, sizeof(*c->files));
	c->files[c->count++] = (struct cdi_file){ .name = xstrdup(name),
		.priority = priority,
		.kind = jnode_get_str(doc, "kind"),
		.doc = doc };
	doc = NULL;
	return 0;
}

static void load_file(struct cdi *c, const char *dir, const char *name, int priority)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
	AUTO_BUF struct buf data = { .limit = JSON_MAX_BYTES };
	AUTO_ERR struct err err = { 0 };
	int rc = io_read_file(AT_FDCWD, path, &data);

	if (rc < 0)
		(void)err_sys(&err, -rc, "read %s", path);
	else
		rc = cdi_add(c, path, priority, data.data, data.size, &err);
	if (rc < 0)
		log_warn(NULL, "left out: %s", err_text(&err));
}

struct cdi *cdi_load(const char *const *dirs)
{
	struct cdi *c = xzalloc(sizeof(*c));

	for (int i = 0; dirs[i] != NULL; i++) {
		AUTO_STRV char **names = NULL;

		if (fs_list(AT_FDCWD, dirs[i], &names) < 0)
			continue;
		for (char **n = names; n != NULL && *n != NULL; n++)
			if (str_ends(*n, ".json") || str_ends(*n, ".yaml") ||
					str_ends(*n, ".yml"))
				load_file(c, dirs[i], *n, i);
	}
	return c;
}

void cdi_free(struct cdi *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->count; i++) {
		free(c->files[i].name);
		jnode_free(c->files[i].doc);
	}
	free(c->files);
	free(c);
}

bool cdi_has_kind(const struct cdi *c, const char *kind)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->files[i].kind, kind) == 0)
			return true;
	return false;
}

/* --- devices ------------------------------------------------------------------------------ */

static const struct jnode *device_in(const struct cdi_file *f, const char *name)
{
	size_t kind = strlen(f->kind);
	const struct jnode *devices = jnode_get(f->doc, "devices");

	if (strncmp(name, f->kind, kind) != 0 || name[kind] != '=')
		return NULL;
	for (size_t i = 0; i < jnode_count(devices); i++)
		if (str_eq(jnode_get_str(jnode_item(devices, i), "name"), name + kind + 1))
			return jnode_item(devices, i);
	return NULL;
}

/* The file of the highest priority that has it; NULL if none or two have. */
static const struct cdi_file *find(
		const struct cdi *c, const char *name, const struct jnode **ret_device)
{
	const struct cdi_file *found = NULL;
	bool is_clear = true;

	for (size_t i = 0; i < c->count; i++) {
		const struct cdi_file *f = &c->files[i];
		const struct jnode *device = device_in(f, name);

		if (device == NULL || (found != NULL && f->priority < found->priority))
			continue;
		is_clear = found == NULL || f->priority > found->priority;
		found = f;
		*ret_device = device;
	}
	return is_clear ? found : NULL;
}

static int check_all(const struct cdi *c, char *const *names, struct err *err)
{
	AUTO_STRV char **missing = NULL;
	AUTO_FREE char *text = NULL;
	const struct jnode *device;

	for (char *const *n = names; n != NULL && *n != NULL; n++)
		if (find(c, *n, &device) == NULL)
			strv_add(&missing, *n);
	if (missing == NULL)
		return 0;
	text = strv_join(missing, ",");
	return err_plain(err, ERR_NOT_FOUND, "unresolvable CDI devices %s", text);
}

/* True for the first of the names that stands in this file. */
static bool is_first_of(const struct cdi *c, const struct cdi_file *f, char *const *names,
		char *const *at)
{
	const struct jnode *device;

	for (; names < at; names++)
		if (find(c, *names, &device) == f)
			return false;
	return true;
}

int cdi_inject(const struct cdi *c, struct jnode *spec, char *const *names, struct err *err)
{
	if (check_all(c, names, err) < 0)
		return -1;
	for (char *const *n = names; n != NULL && *n != NULL; n++) {
		const struct jnode *device = NULL;
		const struct cdi_file *f = find(c, *n, &device);

		if (is_first_of(c, f, names, n) &&
				cdi_edits_apply(jnode_get(f->doc, "containerEdits"), spec,
						err) < 0)
			return -1;
		if (cdi_edits_apply(jnode_get(device, "containerEdits"), spec, err) < 0)
			return err_wrap(err, "%s", *n);
	}
	cdi_edits_finish(spec);
	return 0;
}
