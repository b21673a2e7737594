/* SPDX-License-Identifier: Apache-2.0 */
/* Media types, and what kind of document each of them names (reference 03 §1.8). */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

#define MEDIA_OCI_INDEX		"application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST	"application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG	"application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER		"application/vnd.oci.image.layer.v1.tar"
#define MEDIA_OCI_LAYER_GZIP	"application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_LAYER_ZSTD	"application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_OCI_EMPTY		"application/vnd.oci.empty.v1+json"
#define MEDIA_DOCKER_LIST	"application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST	"application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_SCHEMA1	"application/vnd.docker.distribution.manifest.v1+prettyjws"
#define MEDIA_DOCKER_CONFIG	"application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER	"application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MEDIA_DOCKER_LAYER_ZSTD "application/vnd.docker.image.rootfs.diff.tar.zstd"

enum media_kind {
	MEDIA_OTHER,
	MEDIA_INDEX,
	MEDIA_MANIFEST,
	MEDIA_CONFIG,
	MEDIA_LAYER,
};

enum media_kind media_kind(const char *media_type);
/* Layers that are not pushed: "foreign" ones. */
bool media_is_nondistributable(const char *media_type);
