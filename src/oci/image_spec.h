/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents an image is made of, read from bytes that somebody else wrote: everything is
 * bounded and checked, nothing is trusted (reference 03 §1.8, §1.9).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/labels.h"
#include "oci/platform.h"

struct err;
struct jnode;

/* More layers than any kernel stacks, more manifests than any registry serves. */
#define OCI_MAX_LAYERS	  512
#define OCI_MAX_MANIFESTS 4096

struct oci_descriptor {
	char *media_type, *digest;
	int64_t size;
	struct labels annotations;
	bool has_platform;
	struct platform platform;
};

void oci_descriptor_done(struct oci_descriptor *d);
void oci_descriptor_copy(struct oci_descriptor *to, const struct oci_descriptor *from);
MUST_USE int oci_descriptor_read(
		const struct jnode *n, struct oci_descriptor *ret, struct err *err);
/* As Go writes it. */
MUST_USE struct jnode *oci_descriptor_node(const struct oci_descriptor *d);

struct oci_descriptors {
	struct oci_descriptor *items;
	size_t count;
};

void oci_descriptors_done(struct oci_descriptors *d);
struct oci_descriptor *oci_descriptors_add(struct oci_descriptors *d); /* a zeroed one */

struct oci_index {
	struct oci_descriptors manifests;
};

void oci_index_done(struct oci_index *i);
#define AUTO_OCI_INDEX __attribute__((cleanup(oci_index_done)))
MUST_USE int oci_index_parse(
		const void *data, size_t size, struct oci_index *ret, struct err *err);

struct oci_manifest {
	struct oci_descriptor config;
	struct oci_descriptors layers;
};

void oci_manifest_done(struct oci_manifest *m);
#define AUTO_OCI_MANIFEST __attribute__((cleanup(oci_manifest_done)))
MUST_USE int oci_manifest_parse(
		const void *data, size_t size, struct oci_manifest *ret, struct err *err);

/* Is the document of the kind its media type says? Refuses schema 1, and what could be read
 * both as an index and as a manifest (CVE-2021-41190). Other media types pass. */
MUST_USE int oci_check_kind(
		const char *media_type, const void *data, size_t size, struct err *err);
