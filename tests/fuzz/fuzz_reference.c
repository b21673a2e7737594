/* SPDX-License-Identifier: Apache-2.0 */
/* Names of images and platforms from anywhere: what parses can be printed, and parses again to
 * the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "oci/platform.h"
#include "oci/reference.h"

static void check_name(const char *text)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_REF_NAME struct ref_name n = { 0 }, again = { 0 };
	AUTO_FREE char *full = NULL, *second = NULL, *short_ = NULL;

	if (ref_name_parse(text, &n, &err) < 0)
		return;
	full = ref_name_text(&n);
	short_ = ref_name_familiar(&n);
	if (ref_name_parse(full, &again, &err) < 0)
		abort();
	second = ref_name_text(&again);
	if (strcmp(full, second) != 0)
		abort();
}

static void check_spec(const char *text)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_REF_SPEC struct ref_spec s = { 0 };
	AUTO_FREE char *host = NULL, *full = NULL;

	if (ref_spec_parse(text, &s, &err) < 0)
		return;
	host = ref_spec_host(&s);
	full = ref_spec_text(&s);
	if (host[0] == '\0' || strchr(ref_spec_digest(&s), '\n') == ref_spec_digest(&s))
		return;
}

static void check_platform(const char *text)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_PLATFORM struct platform p = { 0 };
	AUTO_FREE char *full = NULL;
	struct platform_match m = { 0 };

	if (platform_parse(text, &p, &err) < 0)
		return;
	full = platform_text_all(&p);
	platform_match_only(&m, &p);
	platform_match_strict(&m, &p);
	(void)platform_match_rank(&m, &p);
	platform_match_done(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xstrndup((const char *)data, size);

	check_name(text);
	check_spec(text);
	check_platform(text);
	return 0;
}
