/* SPDX-License-Identifier: Apache-2.0 */
#include "core/filter_regex_priv.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#define MAX_TRANSLATED 65536
/* One search may take this many steps of PCRE2's matcher: 1.5 to 10 ms (stack notes §7). */
#define MATCH_LIMIT  100000
#define HEAP_LIMIT_K 4096

struct filter_regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
};

/* ".", "$" and "\n" must not depend on how the library was built. */
static pcre2_code *compile(const char *pattern, size_t size)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code;
	PCRE2_SIZE at;
	int rc;

	if (context == NULL)
		return NULL;
	(void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	code = pcre2_compile((PCRE2_SPTR)pattern, size,
			PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY |
					PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C |
					PCRE2_NO_AUTO_CAPTURE | PCRE2_DUPNAMES,
			&rc, &at, context);
	pcre2_compile_context_free(context);
	return code;
}

struct filter_regex *filter_regex_new(const char *pattern, size_t size)
{
	AUTO_BUF struct buf out = { .limit = MAX_TRANSLATED };
	struct filter_regex *r;
	pcre2_code *code;

	if (!filter_regex_translate(pattern, size, &out) || out.overflowed)
		return NULL;
	code = compile(out.size == 0 ? "" : out.data, out.size);
	if (code == NULL)
		return NULL;
	r = xzalloc(sizeof(*r));
	r->code = code;
	r->data = pcre2_match_data_create(1, NULL);
	r->context = pcre2_match_context_create(NULL);
	if (r->data == NULL || r->context == NULL)
		abort(); /* as xmalloc */
	(void)pcre2_set_match_limit(r->context, MATCH_LIMIT);
	(void)pcre2_set_heap_limit(r->context, HEAP_LIMIT_K);
	return r;
}

void filter_regex_free(struct filter_regex *r)
{
	if (r == NULL)
		return;
	pcre2_match_context_free(r->context);
	pcre2_match_data_free(r->data);
	pcre2_code_free(r->code);
	free(r);
}

int filter_regex_search(
		struct filter_regex *r, const char *text, int64_t *budget_ns, struct err *err)
{
	int64_t start = clock_mono_ns();
	int rc = pcre2_match(
			r->code, (PCRE2_SPTR)text, strlen(text), 0, 0, r->data, r->context);

	*budget_ns -= clock_mono_ns() - start;
	if (rc >= 0)
		return 1;
	if (rc == PCRE2_ERROR_NOMATCH && *budget_ns > 0)
		return 0;
	return err_set(err, ERR_EXHAUSTED, "filters: regular expression takes too long");
}
