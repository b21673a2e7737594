/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "fault/fault_run.h"

#include "base/str.h"
#include "core/mount.h"

static void must_be_dir(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		give_up(path, NULL);
}

/* Every directory that a mount of it names. */
static void check_mounts(const struct mounts *m)
{
	const struct mount_spec *spec = &m->items[0];

	if (str_eq(spec->type, "bind"))
		must_be_dir(spec->source);
	for (size_t i = 0; i < strv_len(spec->options); i++) {
		char *eq = strchr(spec->options[i], '=');
		AUTO_STRV char **dirs =
				eq == NULL || eq[1] != '/' ? NULL : strv_split(eq + 1, ':');

		for (size_t j = 0; j < strv_len(dirs); j++)
			must_be_dir(dirs[j]);
	}
}
