/* SPDX-License-Identifier: Apache-2.0 */
#include "diff/diff_upper.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/str.h"
#include "core/mount.h"
#include "diff/diff_priv.h"

#define INDEX_DEFAULT "/sys/module/overlay/parameters/index"
#define MAX_PARAMETER 16

/* Directories that a mount shows, uppermost first; owned. NULL: it shows something else. */
static char **stack_of(const struct mounts *m)
{
	const struct mount_spec *only = m->count == 1 ? &m->items[0] : NULL;
	const char *upper, *lower;
	AUTO_STRV char **lowers = NULL;
	char **stack = NULL;

	if (only == NULL || !str_is_empty(only->target))
		return NULL;
	if (str_eq(only->type, "bind")) {
		strv_add(&stack, only->source);
		return stack;
	}
	lower = diff_option(only, "lowerdir");
	if (!str_eq(only->type, "overlay") || lower == NULL)
		return NULL;
	upper = diff_option(only, "upperdir");
	if (upper != NULL)
		strv_add(&stack, upper);
	lowers = strv_split(lower, ':');
	for (size_t i = 0; i < strv_len(lowers); i++)
		strv_add(&stack, lowers[i]);
	return stack;
}

static bool is_one_over(char **upper, char **lower)
{
	size_t n = strv_len(lower);

	if (n == 0 || strv_len(upper) != n + 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!str_eq(upper[i + 1], lower[i]))
			return false;
	return true;
}

/* With an index, a file that is written to changes under all its names, and only one of them
 * comes into the upper directory. */
static bool has_index(const struct mount_spec *m)
{
	struct buf text AUTO_BUF = { .limit = MAX_PARAMETER };
	const char *option = diff_option(m, "index");
	const char *export = diff_option(m, "nfs_export");

	if (diff_option(m, "upperdir") == NULL)
		return false;
	if (export != NULL && !str_eq(export, "off"))
		return true;
	if (option != NULL)
		return !str_eq(option, "off");
	return io_read_file(AT_FDCWD, INDEX_DEFAULT, &text) < 0 || text.size == 0 ||
	       text.data[0] != 'N';
}

int diff_upper_open(const struct mounts *lower, const struct mounts *upper)
{
	AUTO_STRV char **below = stack_of(lower), **above = stack_of(upper);

	if (!is_one_over(above, below) || has_index(&upper->items[0]))
		return -1;
	return open(above[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool diff_upper_names_all(int dir)
{
	/* Either kind may count, and the other does no harm: all is looked at then. */
	static const char *const orders[] = { "trusted.overlay.opaque",
		"trusted.overlay.redirect", "user.overlay.opaque", "user.overlay.redirect" };

	for (size_t i = 0; i < ARRAY_LEN(orders); i++)
		if (fgetxattr(dir, orders[i], NULL, 0) >= 0)
			return false;
	return true;
}
