/* SPDX-License-Identifier: Apache-2.0 */
/* containerd-config.toml(5) and the rows say the same: every key with its default, and no
 * other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config_key.h"
#include "config/config_priv.h"
#include "text/toml.h"

/* Lines as the page must have them: "<section>: <key> = <default>". */
struct lines {
	char **v;
	const char *section;
};

static void add_line(struct lines *l, const char *path, const struct config_key *row)
{
	AUTO_FREE char *prefix = xasprintf("%s: %s", l->section, path);
	AUTO(toml_free) struct toml_value *t = NULL;
	AUTO_BUF struct buf value = { .limit = 4096 };
	struct config_key visible = *row;
	struct config_key rows[2] = { { 0 }, { 0 } };

	for (size_t i = 0; i < strv_len(l->v); i++)
		if (str_starts(l->v[i], prefix) &&
				strchr("= ", l->v[i][strlen(prefix)]) != NULL)
			return;
	if (row->type == CONFIG_ANY || row->type == CONFIG_TABLE ||
			row->type == CONFIG_TABLES || row->hidden_if_unset ||
			(row->initial != NULL && row->initial[0] == '@')) {
		strv_add(&l->v, prefix);
		return;
	}
	visible.name = "x";
	rows[0] = visible;
	t = config_fill(rows, NULL, NULL);
	toml_print(t, &value);
	value.data[value.size - 1] = '\0';
	strv_addf(&l->v, "%s%s", prefix, value.data + 1);
}

static void walk(struct lines *l, const struct config_key *keys, const char *path);

static void walk_row(struct lines *l, const struct config_key *row, const char *path)
{
	bool is_map = row->rest != NULL && row->rest->type == CONFIG_TABLE;
	AUTO_FREE char *star = xasprintf("%s.*", path);

	if (row->type == CONFIG_TABLES)
		walk(l, row->keys, path);
	else if (row->type != CONFIG_TABLE || (row->keys == NULL && !is_map))
		add_line(l, path, row);
	else if (!is_map)
		walk(l, row->keys, path);
	for (const struct config_key *k = row->keys; is_map && k != NULL && k->name != NULL;
			k++)
		walk(l, k->keys, star);
	if (is_map)
		walk(l, row->rest->keys, star);
}

static void walk(struct lines *l, const struct config_key *keys, const char *path)
{
	for (; keys != NULL && keys->name != NULL; keys++) {
		AUTO_BUF struct buf inner = { .limit = 4096 };

		buf_addf(&inner, "%s%s", path, path[0] != '\0' ? "." : "");
		toml_add_key(&inner, keys->name);
		if (!str_eq(keys->name, "plugins"))
			walk_row(l, keys, inner.data);
	}
}

static char **expected(void)
{
	struct lines l = { NULL, "Top level" };

	walk(&l, config_top_keys, "");
	for (size_t i = 0; i < config_section_count; i++) {
		l.section = config_sections[i].uri;
		walk(&l, config_sections[i].keys, "");
	}
	return l.v;
}

/* The ".It Li" lines below each ".Ss" of the page. */
static char **documented(const char *path)
{
	FILE *f = fopen(path, "r");
	AUTO_FREE char *section = xstrdup("");
	char line[512];
	char **v = NULL;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (str_starts(line, ".Ss ")) {
			free(section);
			section = xstrdup(line + 4);
		}
		if (!str_starts(line, ".It Li "))
			continue;
		if (line[7] == '"') {
			assert_true(str_ends(line, "\""));
			line[strlen(line) - 1] = '\0';
			strv_addf(&v, "%s: %s", section, line + 8);
		} else {
			strv_addf(&v, "%s: %s", section, line + 7);
		}
	}
	(void)fclose(f);
	return v;
}

static void the_manual_page_has_every_key_and_no_other(void **state)
{
	AUTO_STRV char **want = expected();
	AUTO_STRV char **have = documented(getenv("CTRD_CONFIG_MAN"));
	size_t faults = 0;

	for (char **line = want; *line != NULL; line++)
		if (!strv_has(have, *line)) {
			print_error("not in the page: %s\n", *line);
			faults++;
		}
	for (char **line = have; *line != NULL; line++)
		if (!strv_has(want, *line)) {
			print_error("only in the page: %s\n", *line);
			faults++;
		}
	assert_int_equal(faults, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manual_page_has_every_key_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
