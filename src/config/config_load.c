/* SPDX-License-Identifier: Apache-2.0 */
/* Files into one tree: reading, imports, versions, merging. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "config/config_priv.h"
#include "text/duration.h"
#include "text/toml.h"

struct loader {
	struct config *c;
	bool may_read; /* false: bytes only */
	bool has_main;
	int64_t main_version;
	char **queue; /* paths found, in the order they will be read */
	size_t next;
	struct {
		dev_t dev;
		ino_t ino;
	} seen[CONFIG_MAX_FILES];
	size_t seen_count;
};

/* --- reading one file --- */

static bool is_seen(struct loader *l, const struct stat *st)
{
	for (size_t i = 0; i < l->seen_count; i++)
		if (l->seen[i].dev == st->st_dev && l->seen[i].ino == st->st_ino)
			return true;
	return false;
}

/* 1 and the bytes, 0 if this very file was read before, -1 on failure. */
static int read_once(struct loader *l, const char *path, struct buf *out, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	int rc;

	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "stat %s", path);
	if (is_seen(l, &st))
		return 0;
	if (l->seen_count == CONFIG_MAX_FILES)
		return err_set(err, ERR_EXHAUSTED, "more than %d configuration files",
				CONFIG_MAX_FILES);
	l->seen[l->seen_count].dev = st.st_dev;
	l->seen[l->seen_count++].ino = st.st_ino;
	rc = io_read_all(fd, out);
	if (rc < 0)
		return err_sys(err, -rc, "read %s", path);
	return 1;
}

/* --- imports --- */

static char *beside(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');

	if (name[0] == '/' || slash == NULL)
		return xstrdup(name);
	return xasprintf("%.*s%s", (int)(slash - file + 1), file, name);
}

static void queue_pattern(struct loader *l, const char *pattern)
{
	glob_t found = { 0 };

	if (l->may_read && glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc && i < CONFIG_MAX_FILES; i++)
			strv_add(&l->queue, found.gl_pathv[i]);
	globfree(&found);
}

static int queue_imports(struct loader *l, const char *file, const struct toml_value *tree,
		struct err *err)
{
	const struct toml_value *imports = toml_find(tree, "imports");

	if (toml_count(imports) > CONFIG_MAX_FILES)
		return err_set(err, ERR_EXHAUSTED, "%s: more than %d imports", file,
				CONFIG_MAX_FILES);
	for (size_t i = 0; i < toml_count(imports); i++) {
		AUTO_FREE char *path = beside(file, toml_text(toml_at(imports, i)));

		if (strchr(path, '*') != NULL)
			queue_pattern(l, path);
		else
			strv_add(&l->queue, path);
	}
	return 0;
}

/* --- one file's tree --- */

static void unknown_key(void *arg, const char *path, const struct toml_value *v)
{
	AUTO_FREE char *row = xasprintf("%u", toml_line(v));
	AUTO_FREE char *column = xasprintf("%u", toml_column(v));
	const char *const pairs[] = { "column", column, "error", "no such key", "file",
		str_or(toml_file(v), ""), "key", path, "row", row, NULL };

	config_add_note(arg, LOG_WARN, pairs, "Ignoring unknown key in TOML");
}

static int take_version(struct loader *l, const char *file, struct toml_value *tree,
		int64_t *ret_version, struct err *err)
{
	AUTO(toml_free) struct toml_value *v = toml_take(tree, "version");
	int64_t version = 0;

	if (v != NULL && !toml_is(v, TOML_INT))
		return err_plain(err, ERR_INVALID,
				"%s:%u:%u: version: %s where an integer belongs", file,
				toml_line(v), toml_column(v), toml_kind_name(toml_kind(v)));
	if (v != NULL)
		version = toml_int(v);
	if (version < 0 || version > CONFIG_VERSION)
		return err_plain(err, ERR_INVALID,
				"failed to load TOML from %s: expected containerd config "
				"version "
				"equal to or less than `%d`, got `%lld`",
				file, CONFIG_VERSION, (long long)version);
	if (l->has_main && version > l->main_version)
		return err_plain(err, ERR_INVALID,
				"failed to load TOML from %s: drop-in config version %lld "
				"higher "
				"than root config version %lld",
				file, (long long)version, (long long)l->main_version);
	*ret_version = version;
	return 0;
}

static int migrate(struct loader *l, struct toml_value *tree, int64_t version, struct err *err)
{
	int64_t start = clock_mono_ns();
	char took[DURATION_TEXT_SIZE];
	const char *const pairs[] = { "t", took, NULL };

	if (version == CONFIG_VERSION)
		return 0;
	if (config_migrate(l->c, tree, version, err) < 0)
		return -1;
	duration_format((clock_mono_ns() - start) / NS_PER_US * NS_PER_US, took);
	config_add_note(l->c, LOG_WARN, pairs,
			"Configuration migrated from version %lld, use `containerd config "
			"migrate` to avoid migration",
			(long long)version);
	return 0;
}

static const struct config_key anything = { "*", CONFIG_ANY, .help = "a plugin's own" };
static const struct config_key any_plugin = { "*", CONFIG_TABLE, .rest = &anything,
	.help = "one table per plugin" };

/* Keys under [plugins] are checked one plugin at a time, later; but each must be a table. */
static int check_plugins(const struct toml_value *tree, struct err *err)
{
	const struct toml_value *plugins = toml_find(tree, "plugins");
	if (plugins == NULL)
		return 0;
	if (!toml_is(plugins, TOML_TABLE))
		return err_plain(err, ERR_INVALID,
				"%s:%u:%u: plugins: %s where a table belongs",
				toml_file(plugins), toml_line(plugins), toml_column(plugins),
				toml_kind_name(toml_kind(plugins)));
	return config_check(NULL, &any_plugin, plugins, "plugins", NULL, err);
}

static int add_tree(
		struct loader *l, const char *file, struct toml_value *tree, struct err *err)
{
	struct config_unknown unknown = { unknown_key, l->c };
	int64_t version = 0;

	if (take_version(l, file, tree, &version, err) < 0 || check_plugins(tree, err) < 0)
		return -1;
	if (migrate(l, tree, version, err) < 0)
		return -1;
	if (config_check(config_top_keys, NULL, tree, "", &unknown, err) < 0)
		return -1;
	if (queue_imports(l, file, tree, err) < 0)
		return -1;
	if (!l->has_main)
		l->main_version = version;
	l->has_main = true;
	config_merge(l->c->tree, tree);
	return 0;
}

static int add_bytes(struct loader *l, const char *path, const void *data, size_t size,
		struct err *err)
{
	AUTO(toml_free) struct toml_value *tree = NULL;
	const char *file;

	strv_add(&l->c->files, path);
	file = l->c->files[strv_len(l->c->files) - 1];
	if (toml_parse(file, data, size, &tree, err) < 0)
		return -1;
	return add_tree(l, file, tree, err);
}

static int add_file(struct loader *l, const char *path, struct err *err)
{
	AUTO_BUF struct buf bytes = { .limit = TOML_MAX_BYTES };
	int rc = read_once(l, path, &bytes, err);

	if (rc <= 0)
		return rc;
	return add_bytes(l, path, bytes.size > 0 ? bytes.data : "", bytes.size, err);
}

/* --- the whole --- */

static int check_uris(
		const struct config *c, const char *key, const char *what, struct err *err)
{
	const struct toml_value *list = config_get(c, key);

	for (size_t i = 0; i < toml_count(list); i++) {
		const char *uri = toml_text(toml_at(list, i));

		if (strchr(uri, '.') == NULL)
			return err_plain(err, ERR_INVALID,
					"invalid %s plugin URI \"%s\" expect "
					"io.containerd.x.vx",
					what, uri);
	}
	return 0;
}

/* Entries that replaced a built-in one may lack keys; a table that says nothing is not there.
 */
static void complete_entries(struct config *c)
{
	for (const struct config_key *row = config_top_keys; row->name != NULL; row++) {
		const struct toml_value *v = toml_find(c->tree, row->name);

		if (v == NULL || row->type != CONFIG_TABLE || row->rest == NULL)
			continue;
		if (toml_count(v) == 0 && row->hidden_if_unset)
			toml_remove(c->tree, row->name);
		else
			toml_put(c->tree, row->name, config_fill(NULL, row->rest, v));
	}
}

static int add_imports(struct loader *l, struct err *err)
{
	for (; l->queue != NULL && l->queue[l->next] != NULL; l->next++) {
		const char *path = l->queue[l->next];

		if (!l->may_read)
			return err_sys(err, ENOENT, "open %s", path);
		if (add_file(l, path, err) < 0)
			return -1;
	}
	return 0;
}

static int finish(struct loader *l, struct err *err)
{
	int rc = add_imports(l, err);

	strv_free(l->queue);
	if (rc < 0)
		return -1;
	complete_entries(l->c);
	if (check_uris(l->c, "disabled_plugins", "disabled", err) < 0)
		return -1;
	return check_uris(l->c, "required_plugins", "required", err);
}

int config_load(const char *path, bool must_exist, struct config **ret_config, struct err *err)
{
	AUTO(config_free) struct config *c = config_new();
	struct loader l = { .c = c, .may_read = true };

	ASSERT_MAY_BLOCK();
	if (add_file(&l, path, err) < 0) {
		bool is_absent = err->sys == ENOENT && !l.has_main && !must_exist;

		if (!is_absent)
			return -1;
		err_clear(err);
	}
	if (finish(&l, err) < 0)
		return -1;
	*ret_config = take_ptr(c);
	return 0;
}

int config_load_bytes(const char *path, const void *data, size_t size,
		struct config **ret_config, struct err *err)
{
	AUTO(config_free) struct config *c = config_new();
	struct loader l = { .c = c };

	if (add_bytes(&l, path, data, size, err) < 0 || finish(&l, err) < 0)
		return -1;
	*ret_config = take_ptr(c);
	return 0;
}
