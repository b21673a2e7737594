/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/mount_record.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define FORMAT	 "ctrd mounts 1"
#define MAX_LIST 65536

void mount_record_done(struct mount_record *r)
{
	free(r->boot);
	free(r->ns);
	free(r->lease);
	activation_done(&r->activation);
	*r = (struct mount_record){ 0 };
}

static void add_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text) + 1);
}

static void add_number(struct buf *b, int64_t n)
{
	buf_addf(b, "%lld", (long long)n);
	buf_add(b, "", 1);
}

static void add_spec(struct buf *b, const struct mount_spec *s)
{
	size_t n = strv_len(s->options);

	add_text(b, s->type);
	add_text(b, s->source);
	add_text(b, s->target);
	add_number(b, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		add_text(b, s->options[i]);
}

void mount_record_write(const struct mount_record *r, struct buf *out)
{
	const struct activation *a = &r->activation;

	add_text(out, FORMAT);
	add_text(out, r->boot);
	add_text(out, r->ns);
	add_text(out, r->lease);
	add_text(out, a->name);
	add_number(out, (int64_t)a->labels.count);
	for (size_t i = 0; i < a->labels.count; i++) {
		add_text(out, a->labels.items[i].key);
		add_text(out, a->labels.items[i].value);
	}
	add_number(out, (int64_t)a->active_count);
	for (size_t i = 0; i < a->active_count; i++) {
		add_spec(out, &a->active[i].spec);
		add_text(out, a->active[i].mount_point);
		add_number(out, a->active[i].mounted_ns);
	}
	add_number(out, (int64_t)a->system.count);
	for (size_t i = 0; i < a->system.count; i++)
		add_spec(out, &a->system.items[i]);
}

/* Reads on with empty texts and zeroes once something was wrong. */
struct reader {
	const char *at, *end;
	bool is_bad;
};

static const char *next_text(struct reader *r)
{
	const char *text = r->at;
	const char *stop = r->is_bad ? NULL : memchr(r->at, '\0', (size_t)(r->end - r->at));

	if (stop == NULL) {
		r->is_bad = true;
		return "";
	}
	r->at = stop + 1;
	return text;
}

static int64_t next_number(struct reader *r, int64_t max)
{
	int64_t n = 0;

	if (!str_i64(next_text(r), &n) || n > max)
		r->is_bad = true;
	return r->is_bad ? 0 : n;
}

static size_t next_count(struct reader *r)
{
	int64_t n = next_number(r, MAX_LIST);

	r->is_bad |= n < 0;
	return r->is_bad ? 0 : (size_t)n;
}

static void next_spec(struct reader *r, struct mounts *to)
{
	const char *type = next_text(r), *source = next_text(r), *target = next_text(r);
	struct mount_spec *s = mounts_add(to, type, source, target);

	for (size_t n = next_count(r); n > 0 && !r->is_bad; n--)
		strv_add(&s->options, next_text(r));
}

static void next_active(struct reader *r, struct activation *a)
{
	AUTO_MOUNTS struct mounts one = { 0 };
	const char *mount_point;

	next_spec(r, &one);
	mount_point = next_text(r);
	activation_add(a, &one.items[0], mount_point, next_number(r, INT64_MAX));
}

static void read_all(struct reader *r, struct mount_record *out)
{
	struct activation *a = &out->activation;

	r->is_bad = !str_eq(next_text(r), FORMAT);
	out->boot = xstrdup(next_text(r));
	out->ns = xstrdup(next_text(r));
	out->lease = xstrdup(next_text(r));
	a->name = xstrdup(next_text(r));
	for (size_t n = next_count(r); n > 0 && !r->is_bad; n--) {
		const char *key = next_text(r);

		labels_set(&a->labels, key, next_text(r));
	}
	for (size_t n = next_count(r); n > 0 && !r->is_bad; n--)
		next_active(r, a);
	for (size_t n = next_count(r); n > 0 && !r->is_bad; n--)
		next_spec(r, &a->system);
}

int mount_record_read(
		const void *data, size_t size, struct mount_record *ret_record, struct err *err)
{
	struct reader r = { data, (const char *)data + size, size == 0 };
	AUTO_MOUNT_RECORD struct mount_record record = { 0 };

	read_all(&r, &record);
	if (r.is_bad || r.at != r.end)
		return err_set(err, ERR_DATA_LOSS, "record of mounts");
	*ret_record = record;
	record = (struct mount_record){ 0 };
	return 0;
}
