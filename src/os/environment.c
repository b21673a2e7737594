/* SPDX-License-Identifier: Apache-2.0 */
#include "os/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"

void environment_set(const char *name, const char *value)
{
	size_t count = strv_len(environ), len = strlen(name);
	char **table = xcalloc(count + 3, sizeof(*table));
	size_t out = 0;

	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], name, len) != 0 || environ[i][len] != '=')
			table[out++] = environ[i];
	table[out] = xasprintf("%s=%s", name, value);
	/* Behind the end, where nobody looks: the old table is kept, not lost. */
	table[out + 2] = (char *)environ;
	environ = table;
}

void environment_prepend(const char *name, const char *dir)
{
	const char *old = getenv(name);
	size_t len = strlen(dir);
	AUTO_FREE char *value = str_is_empty(old) ? xstrdup(dir) : xasprintf("%s:%s", dir, old);

	/* Set by who started us: a daemon that we replace, for one. */
	if (old != NULL && strncmp(old, dir, len) == 0 && (old[len] == '\0' || old[len] == ':'))
		return;
	environment_set(name, value);
}

void environment_remove(const char *name)
{
	size_t count = strv_len(environ), len = strlen(name);
	char **table = xcalloc(count + 3, sizeof(*table));
	size_t out = 0;

	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], name, len) != 0 || environ[i][len] != '=')
			table[out++] = environ[i];
	table[out + 2] = (char *)environ;
	environ = table;
}
