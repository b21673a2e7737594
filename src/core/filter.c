/* SPDX-License-Identifier: Apache-2.0 */
#include "core/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/labels.h"
#include "base/str.h"
#include "core/filter_priv.h"
#include "core/filter_regex_priv.h"

/* All regular expressions of one request together: on a list of 100,000 objects, one slow
 * expression would otherwise be paid for 100,000 times. */
#define REGEX_BUDGET_NS INT64_C(250000000)

static void selector_done(struct filter_selector *s)
{
	strv_free(s->path);
	free(s->value);
	filter_regex_free(s->regex);
}

static void alternative_done(struct filter_alternative *a)
{
	for (size_t i = 0; i < a->count; i++)
		selector_done(&a->selectors[i]);
	free(a->selectors);
}

void filter_free(struct filter *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->count; i++)
		alternative_done(&f->alternatives[i]);
	free(f->alternatives);
	free(f);
}

int filter_parse(char *const *filters, struct filter **ret_filter, struct err *err)
{
	AUTO(filter_free) struct filter *f = xzalloc(sizeof(*f));

	f->is_all = strv_len(filters) == 0;
	f->budget_ns = REGEX_BUDGET_NS;
	f->alternatives = xcalloc(strv_len(filters) + 1, sizeof(*f->alternatives));
	for (; filters != NULL && *filters != NULL; filters++) {
		/* Parsed even when another one matches everything: errors are found. */
		if (**filters == '\0')
			f->is_all = true;
		else if (filter_parse_one(*filters, &f->alternatives[f->count++], err) < 0)
			return -1;
	}
	*ret_filter = take_ptr(f);
	return 0;
}

void filter_refill(struct filter *f)
{
	f->budget_ns = REGEX_BUDGET_NS;
}

bool filter_is_all(const struct filter *f)
{
	return f->is_all;
}

bool filter_has_regex(const struct filter *f)
{
	for (size_t i = 0; i < f->count; i++)
		for (size_t j = 0; j < f->alternatives[i].count; j++)
			if (f->alternatives[i].selectors[j].regex != NULL)
				return true;
	return false;
}

const char *filter_pinned(const struct filter *f, const char *field)
{
	if (f->is_all || f->count != 1)
		return NULL;
	for (size_t i = 0; i < f->alternatives[0].count; i++) {
		const struct filter_selector *s = &f->alternatives[0].selectors[i];

		if (s->op == FILTER_EQUAL && strv_len(s->path) == 1 &&
				str_eq(s->path[0], field) && strlen(s->value) == s->size)
			return s->value;
	}
	return NULL;
}

static bool is_equal(const struct filter_selector *s, const char *value)
{
	/* The length counts: an escape may have put a NUL into the filter's value. */
	return strlen(value) == s->size && memcmp(value, s->value, s->size) == 0;
}

/* 1, 0, or -1 with err. */
static int selector_match(struct filter *f, const struct filter_selector *s, filter_field field,
		void *object, struct err *err)
{
	const char *value = NULL;
	bool present = field(object, s->path, strv_len(s->path), &value);

	if (!present || value == NULL)
		value = "";
	switch (s->op) {
	case FILTER_PRESENT:
		return present;
	case FILTER_EQUAL:
		return present && is_equal(s, value);
	case FILTER_DIFFERS:
		return !is_equal(s, value);
	case FILTER_MATCHES:
		if (s->regex == NULL)
			return 0;
		return filter_regex_search(s->regex, value, &f->budget_ns, err);
	}
	return 0;
}

static int alternative_match(struct filter *f, const struct filter_alternative *a,
		filter_field field, void *object, struct err *err)
{
	for (size_t i = 0; i < a->count; i++) {
		int rc = selector_match(f, &a->selectors[i], field, object, err);

		if (rc <= 0)
			return rc;
	}
	return 1;
}

bool filter_match(struct filter *f, filter_field field, void *object, struct err *err)
{
	if (f->is_all)
		return true;
	for (size_t i = 0; i < f->count; i++) {
		int rc = alternative_match(f, &f->alternatives[i], field, object, err);

		if (rc != 0)
			return rc > 0;
	}
	return false;
}

bool filter_label(const struct labels *labels, char *const *path, size_t n,
		const char **ret_value)
{
	AUTO_BUF struct buf key = { .limit = SIZE_MAX };

	if (n < 2)
		return false;
	if (n == 2) {
		*ret_value = labels_find(labels, path[1]);
		return *ret_value != NULL;
	}
	for (size_t i = 1; i < n; i++)
		buf_addf(&key, "%s%s", i == 1 ? "" : ".", path[i]);
	*ret_value = labels_find(labels, key.data);
	return *ret_value != NULL;
}
