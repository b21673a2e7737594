/* SPDX-License-Identifier: Apache-2.0 */
/* Which layers are packed, as the original tells it from their media types (reference 03 §1.8).
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "diff/diff_priv.h"
#include "oci/media.h"

#define DOCKER_FOREIGN	     "application/vnd.docker.image.rootfs.foreign.diff.tar"
#define DOCKER_FOREIGN_GZIP  "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
#define OCI_NONDISTRIBUTABLE "application/vnd.oci.image.layer.nondistributable.v1.tar"

/* Of the suffixes "+a+b…" the one that sorts last decides. */
static bool last_suffix_packs(const char *suffixes)
{
	AUTO_STRV char **all = strv_split(suffixes, '+');
	const char *last = "";

	for (size_t i = 0; i < strv_len(all); i++)
		if (strcmp(all[i], last) > 0)
			last = all[i];
	return str_eq(last, "gzip") || str_eq(last, "zstd");
}

enum diff_packing diff_packing(const char *media_type)
{
	static const char *const docker[] = { MEDIA_DOCKER_LAYER, DOCKER_FOREIGN,
		MEDIA_DOCKER_LAYER_GZIP, DOCKER_FOREIGN_GZIP, MEDIA_DOCKER_LAYER_ZSTD };
	static const char *const oci[] = { MEDIA_OCI_LAYER, OCI_NONDISTRIBUTABLE };
	const char *plus = strchr(media_type, '+');
	AUTO_FREE char *base = xstrndup(media_type, strcspn(media_type, "+"));

	/* Plain docker layers are often packed all the same; with a suffix they are wrapped in
	 * something that must be taken off first. */
	for (size_t i = 0; i < ARRAY_LEN(docker); i++)
		if (str_eq(base, docker[i]))
			return plus == NULL ? DIFF_IS_PACKED : DIFF_IS_TAR;
	for (size_t i = 0; i < ARRAY_LEN(oci); i++)
		if (str_eq(base, oci[i]))
			return plus != NULL && last_suffix_packs(plus + 1) ? DIFF_IS_PACKED
									   : DIFF_IS_TAR;
	return DIFF_IS_UNKNOWN;
}
