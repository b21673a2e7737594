/* SPDX-License-Identifier: Apache-2.0 */
#include "api/fieldmask.h"

#include <string.h>

const Google__Protobuf__FieldMask *fieldmask_or_null(const Google__Protobuf__FieldMask *mask)
{
	return mask == NULL || mask->n_paths == 0 ? NULL : mask;
}

bool fieldmask_has(const Google__Protobuf__FieldMask *mask, const char *path)
{
	for (size_t i = 0; mask != NULL && i < mask->n_paths; i++)
		if (strcmp(mask->paths[i], path) == 0)
			return true;
	return false;
}

const char *fieldmask_key(const char *path, const char *prefix)
{
	size_t size = strlen(prefix);

	if (strncmp(path, prefix, size) != 0 || path[size] != '.')
		return NULL;
	return path + size + 1;
}
