/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config_priv.h"
#include "text/toml.h"

#define GRPC_URI  "io.containerd.server.v1.grpc"
#define TTRPC_URI "io.containerd.server.v1.ttrpc"

struct config *config_new(void)
{
	struct config *c = xzalloc(sizeof(*c));

	c->tree = config_fill(config_top_keys, NULL, NULL);
	c->sections = toml_new_table();
	return c;
}

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	toml_free(c->tree);
	toml_free(c->sections);
	strv_free(c->files);
	for (size_t i = 0; i < c->note_count; i++) {
		free(c->notes[i].text);
		strv_free(c->notes[i].fields);
	}
	free(c->notes);
	free(c);
}

void config_add_note(struct config *c, enum log_level level, const char *const *pairs,
		const char *fmt, ...)
{
	struct config_note note = { .level = level };
	va_list args;

	va_start(args, fmt);
	note.text = xvasprintf(fmt, args);
	va_end(args);
	for (; pairs != NULL && *pairs != NULL; pairs++)
		strv_add(&note.fields, *pairs);
	c->notes = xreallocarray(c->notes, c->note_count + 1, sizeof(*c->notes));
	c->notes[c->note_count++] = note;
}

size_t config_note_count(const struct config *c)
{
	return c->note_count;
}

const struct config_note *config_note(const struct config *c, size_t i)
{
	assert(i < c->note_count);
	return &c->notes[i];
}

const struct toml_value *config_get(const struct config *c, const char *key)
{
	const struct toml_value *v = toml_find(c->tree, key);

	assert(v != NULL || config_key_find(config_top_keys, key) != NULL);
	return v;
}

const char *config_text(const struct config *c, const char *key)
{
	return toml_text(config_get(c, key));
}

void config_set_text(struct config *c, const char *key, const char *value)
{
	toml_put(c->tree, key, toml_new_text(value));
}

bool config_mentions(const struct config *c, const char *uri)
{
	return toml_find(config_get(c, "plugins"), uri) != NULL;
}

void config_set_address(struct config *c, const char *address)
{
	AUTO_FREE char *ttrpc_address = xasprintf("%s.ttrpc", address);
	struct toml_value *plugins = toml_find(c->tree, "plugins");
	bool moves_ttrpc = toml_find(plugins, TTRPC_URI) == NULL || c->ttrpc_is_derived;
	struct toml_value *grpc = toml_need_table(plugins, GRPC_URI);
	struct toml_value *ttrpc;

	toml_put(grpc, "address", toml_new_text(address));
	toml_remove(c->sections, GRPC_URI);
	if (!moves_ttrpc)
		return;
	ttrpc = toml_need_table(plugins, TTRPC_URI);
	toml_put(ttrpc, "address", toml_new_text(ttrpc_address));
	if (toml_find(grpc, "uid") != NULL)
		toml_put(ttrpc, "uid", toml_copy(toml_find(grpc, "uid")));
	if (toml_find(grpc, "gid") != NULL)
		toml_put(ttrpc, "gid", toml_copy(toml_find(grpc, "gid")));
	toml_remove(c->sections, TTRPC_URI);
}

/* --- plugins --- */

struct unknown_arg {
	struct config *c;
	const char *uri;
};

static void unknown_key(void *arg, const char *path, const struct toml_value *v)
{
	const struct unknown_arg *u = arg;
	const char *const pairs[] = { "error", "no such key", "key", path, "plugin", u->uri,
		NULL };

	config_add_note(u->c, LOG_WARN, pairs, "Ignoring unknown key in TOML for plugin");
}

static int check_section(struct config *c, const struct config_section *section,
		const struct toml_value *given, struct err *err)
{
	struct unknown_arg arg = { c, section->uri };
	struct config_unknown unknown = { unknown_key, &arg };
	AUTO_BUF struct buf path = { .limit = SIZE_MAX };

	buf_add_str(&path, "plugins.");
	toml_add_key(&path, section->uri);
	return config_check(section->keys, NULL, given, path.data, &unknown, err);
}

int config_section(struct config *c, const char *uri, const struct toml_value **ret_section,
		struct err *err)
{
	const struct config_section *section = config_section_find(uri);
	const struct toml_value *given = toml_find(config_get(c, "plugins"), uri);
	struct toml_value *made = toml_find(c->sections, uri);

	if (made == NULL) {
		if (section != NULL && given != NULL &&
				check_section(c, section, given, err) < 0)
			return -1;
		if (section != NULL)
			made = config_fill(section->keys, NULL, given);
		else
			made = given != NULL ? toml_copy(given) : toml_new_table();
		toml_put(c->sections, uri, made);
	}
	*ret_section = made;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All plugins that can be configured, and those that a file mentions, in byte order. */
static char **section_names(const struct config *c)
{
	const struct toml_value *plugins = config_get(c, "plugins");
	char **names = NULL;

	for (size_t i = 0; i < config_section_count; i++)
		strv_add(&names, config_sections[i].uri);
	for (size_t i = 0; i < toml_count(plugins); i++)
		if (config_section_find(toml_key_at(plugins, i)) == NULL)
			strv_add(&names, toml_key_at(plugins, i));
	qsort(names, strv_len(names), sizeof(*names), by_text);
	return names;
}

int config_print(struct config *c, struct buf *out, struct err *err)
{
	AUTO(toml_free) struct toml_value *all = toml_copy(c->tree);
	AUTO_STRV char **names = section_names(c);
	struct toml_value *plugins = toml_new_table();

	toml_put(all, "plugins", plugins);
	for (char **name = names; *name != NULL; name++) {
		const struct toml_value *section = NULL;

		if (config_section(c, *name, &section, err) < 0)
			return -1;
		toml_put(plugins, *name, toml_copy(section));
	}
	toml_print(all, out);
	if (out->overflowed)
		return err_set(err, ERR_EXHAUSTED, "configuration is too large to print");
	return 0;
}
