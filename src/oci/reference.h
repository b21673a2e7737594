/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images. Two grammars live side by side (reference 03 §1.1): Docker's, which adds
 * docker.io, library/ and latest, for archives and tags; and containerd's own, which adds
 * nothing and is what a registry is asked with.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct err;

#define REF_MAX 4096 /* longer texts are refused unread */

struct ref_name {
	char *domain, *path;
	char *tag, *digest; /* NULL if absent */
};

#define AUTO_REF_NAME __attribute__((cleanup(ref_name_done)))
void ref_name_done(struct ref_name *n);

/* "busybox" is docker.io/library/busybox, without a tag. INVALID in Docker's words. */
MUST_USE int ref_name_parse(const char *text, struct ref_name *ret_name, struct err *err);
/* The same, or 64 hex digits (an image id), or a digest. */
MUST_USE int ref_any_check(const char *text, struct err *err);
/* Adds "latest" if there is neither tag nor digest. */
void ref_name_default_tag(struct ref_name *n);
MUST_USE char *ref_name_text(const struct ref_name *n);
/* Without docker.io/ and library/. */
MUST_USE char *ref_name_familiar(const struct ref_name *n);

struct ref_spec {
	char *locator; /* host/path */
	char *object;  /* tag, "tag@digest" or "@digest"; "" if absent */
};

#define AUTO_REF_SPEC __attribute__((cleanup(ref_spec_done)))
void ref_spec_done(struct ref_spec *s);
MUST_USE int ref_spec_parse(const char *text, struct ref_spec *ret_spec, struct err *err);
/* What stands behind '@', "" if nothing. Borrowed. */
const char *ref_spec_digest(const struct ref_spec *s);
/* The locator up to the first '/'. */
MUST_USE char *ref_spec_host(const struct ref_spec *s);
MUST_USE char *ref_spec_text(const struct ref_spec *s);
