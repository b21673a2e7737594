/* SPDX-License-Identifier: Apache-2.0 */
/* What an image was made for, and what a host can run (reference 03 §1.10). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct err;

struct platform {
	char *os, *arch, *variant; /* never NULL once filled; variant may be "" */
	char *os_version;	   /* NULL or the version */
	char **os_features;	   /* NULL or sorted by whoever wrote them */
};

#define AUTO_PLATFORM __attribute__((cleanup(platform_done)))

void platform_done(struct platform *p);
void platform_copy(struct platform *to, const struct platform *from); /* "to" must be empty */
void platform_set(struct platform *p, const char *os, const char *arch, const char *variant);
void platform_normalize(struct platform *p);

/* "linux/arm64/v8", "amd64", "linux". INVALID in the original's words. */
MUST_USE int platform_parse(const char *text, struct platform *ret, struct err *err);
/* os/arch[/variant]; "unknown" if there is no os. */
MUST_USE char *platform_text(const struct platform *p);
/* The same with "(os version+features)" behind the os. */
MUST_USE char *platform_text_all(const struct platform *p);

/* What this process runs on. */
void platform_host(struct platform *ret);

/* Which platforms are good enough, best first. */
struct platform_match {
	struct platform *items;
	size_t count;
	bool all;
};

void platform_match_done(struct platform_match *m);
/* p and what a machine of that kind also runs. */
void platform_match_only(struct platform_match *m, const struct platform *p);
/* Exactly p. */
void platform_match_strict(struct platform_match *m, const struct platform *p);
/* Place in the list, or -1 if it does not match. "all" matches everything at 0. */
int platform_match_rank(const struct platform_match *m, const struct platform *candidate);
