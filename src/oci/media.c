/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/media.h"

#include <stddef.h>
#include <string.h>

#include "base/str.h"

static const struct {
	const char *type;
	enum media_kind kind;
} exact[] = {
	{ MEDIA_OCI_INDEX, MEDIA_INDEX },
	{ MEDIA_DOCKER_LIST, MEDIA_INDEX },
	{ MEDIA_OCI_MANIFEST, MEDIA_MANIFEST },
	{ MEDIA_DOCKER_MANIFEST, MEDIA_MANIFEST },
	{ MEDIA_OCI_CONFIG, MEDIA_CONFIG },
	{ MEDIA_DOCKER_CONFIG, MEDIA_CONFIG },
	{ MEDIA_DOCKER_LAYER, MEDIA_LAYER },
	{ MEDIA_DOCKER_LAYER_GZIP, MEDIA_LAYER },
	{ MEDIA_DOCKER_LAYER_ZSTD, MEDIA_LAYER },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar", MEDIA_LAYER },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", MEDIA_LAYER },
	{ "application/vnd.erofs.layer.v1", MEDIA_LAYER },
};

enum media_kind media_kind(const char *media_type)
{
	for (size_t i = 0; i < ARRAY_LEN(exact); i++)
		if (strcmp(exact[i].type, media_type) == 0)
			return exact[i].kind;
	if (str_starts(media_type, "application/vnd.oci.image.layer.") ||
			str_starts(media_type, "application/vnd.erofs.layer.v1+"))
		return MEDIA_LAYER;
	return MEDIA_OTHER;
}

bool media_is_nondistributable(const char *media_type)
{
	return str_starts(media_type, "application/vnd.oci.image.layer.nondistributable.") ||
	       str_starts(media_type, "application/vnd.docker.image.rootfs.foreign.");
}
