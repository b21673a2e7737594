/* SPDX-License-Identifier: Apache-2.0 */
#include "meta/meta_gc_scan_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "meta/meta_codec_priv.h"
#include "meta/meta_priv.h"
#include "meta/meta_record_priv.h"

#define PREFIX "containerd.io/gc."

static const struct kv_bytes nothing = { "", 0 };

static bool eat(struct kv_bytes *bytes, const char *text)
{
	size_t n = strlen(text);

	if (bytes->size < n || memcmp(bytes->data, text, n) != 0)
		return false;
	bytes->data = (const char *)bytes->data + n;
	bytes->size -= n;
	return true;
}

static bool is_text(struct kv_bytes bytes, const char *text)
{
	return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

/* Behind a type's name: nothing, or something set off by a dot or slash. */
static bool is_tail(struct kv_bytes rest)
{
	const char *p = rest.data;

	return rest.size == 0 || *p == '.' || *p == '/';
}

/* Behind "snapshot": ".<snapshotter>" up to a slash. */
static bool take_snapshotter(struct kv_bytes rest, bool slash_too, struct kv_bytes *ret)
{
	const char *slash;

	if (!eat(&rest, ".") && !(slash_too && eat(&rest, "/")))
		return false;
	slash = rest.size == 0 ? NULL : memchr(rest.data, '/', rest.size);
	if (slash != NULL)
		rest.size = (size_t)(slash - (const char *)rest.data);
	*ret = rest;
	return rest.size > 0;
}

/* The type of a (back) reference label behind "ref." or "bref."; false if there is none. */
static bool take_type(struct kv_bytes rest, enum node_type *ret_type, struct kv_bytes *ret_sub)
{
	static const struct {
		const char *name;
		enum node_type type;
	} types[] = {
		{ "content", NODE_CONTENT },
		{ "image", NODE_IMAGE },
		{ "container", NODE_CONTAINER },
		{ "stream", NODE_STREAM },
		{ "mount", NODE_MOUNT },
	};

	*ret_sub = nothing;
	if (eat(&rest, "snapshot")) {
		*ret_type = NODE_SNAPSHOT;
		return take_snapshotter(rest, false, ret_sub);
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct kv_bytes tail = rest;

		if (!eat(&tail, types[i].name) || !is_tail(tail))
			continue;
		*ret_type = types[i].type;
		return true;
	}
	return false;
}

static bool read_time(struct kv_bytes value, int64_t *ret)
{
	AUTO_FREE char *text = meta_bytes_text(value);

	return clock_parse(text, ret);
}

/* "<conditions>|<snapshot>" */
static void scan_cond(const struct object *o, struct kv_bytes rest, struct kv_bytes value,
		struct ref_sink *sink)
{
	const char *start = value.data;
	const char *bar = value.size == 0 ? NULL : memchr(start, '|', value.size);
	struct kv_bytes sub;
	size_t n;

	if (bar == NULL || !take_snapshotter(rest, true, &sub))
		return;
	n = (size_t)(bar - start);
	sink->cond_ref(sink, o->ns, sub, (struct kv_bytes){ bar + 1, value.size - n - 1 },
			(struct kv_bytes){ start, n });
}

static bool has_back_refs(const struct object *o, const struct traits *t)
{
	return o->type != NODE_SANDBOX && (o->type != NODE_IMAGE || t->expires);
}

static bool has_refs(const struct object *o)
{
	return o->type == NODE_CONTENT || o->type == NODE_SNAPSHOT || o->type == NODE_IMAGE ||
	       o->type == NODE_CONTAINER || o->type == NODE_SANDBOX || o->type == NODE_MOUNT;
}

static void scan_ref_label(const struct object *o, struct kv_bytes key, struct kv_bytes value,
		struct ref_sink *sink, const struct traits *t)
{
	enum node_type type;
	struct kv_bytes sub;

	if (!has_refs(o))
		return;
	if (o->type != NODE_MOUNT && eat(&key, "ref.")) {
		/* Containers are not referred to, only back. */
		if (take_type(key, &type, &sub) && type != NODE_CONTAINER)
			sink->ref(sink, type, o->ns, sub, value, false);
	} else if (eat(&key, "bref.")) {
		if (has_back_refs(o, t) && take_type(key, &type, &sub) && type != NODE_STREAM &&
				type != NODE_MOUNT)
			sink->back_ref(sink, type, o->ns, sub, value);
	} else if ((o->type == NODE_CONTENT || o->type == NODE_IMAGE) &&
			eat(&key, "cond.snapshot")) {
		scan_cond(o, key, value, sink);
	}
}

void scan_back_refs(const struct object *o, const struct labels *labels, struct ref_sink *sink)
{
	const struct traits none = { 0 };

	for (size_t i = 0; labels != NULL && i < labels->count; i++) {
		struct kv_bytes key = kv_text(labels->items[i].key);

		if (eat(&key, PREFIX))
			scan_ref_label(o, key, kv_text(labels->items[i].value), sink, &none);
	}
}

/* The labels that say something of the object itself. */
static void scan_trait_label(const struct object *o, struct kv_bytes key, struct kv_bytes value,
		struct traits *t)
{
	struct kv_bytes rest = key;

	if (eat(&rest, "root"))
		t->is_root = o->type == NODE_CONTENT || o->type == NODE_SNAPSHOT;
	else if (is_text(key, "flat"))
		t->is_flat = value.size > 0;
	else if (is_text(key, "expire"))
		t->expires = read_time(value, &t->expires_ns);
	else if (is_text(key, "cond.value-usedat") && o->type == NODE_SNAPSHOT)
		t->was_used = read_time(value, &t->used_ns);
}

static bool scan_label(const struct object *o, const struct rec_field *f, struct ref_sink *sink,
		struct traits *t)
{
	struct kv_bytes key, value;

	if (!rec_peek_label(f, &key, &value))
		return false;
	if (!eat(&key, PREFIX))
		return true;
	if (sink == NULL)
		scan_trait_label(o, key, value, t);
	else
		scan_ref_label(o, key, value, sink, t);
	return true;
}

static struct kv_bytes bytes_of(const struct rec_field *f)
{
	return (struct kv_bytes){ f->data, f->size };
}

/* References by fields of the record. */
static void scan_field(const struct object *o, const struct rec_field *f, struct ref_sink *sink,
		struct kv_bytes *snapshotter)
{
	if (o->type == NODE_IMAGE && f->tag == IMAGE_DIGEST)
		sink->ref(sink, NODE_CONTENT, o->ns, nothing, bytes_of(f), true);
	else if (o->type == NODE_SNAPSHOT && f->tag == SNAPSHOT_PARENT)
		sink->ref(sink, NODE_SNAPSHOT, o->ns, o->sub, bytes_of(f), true);
	else if (o->type == NODE_INGEST && f->tag == INGEST_EXPECTED)
		sink->ref(sink, NODE_CONTENT, o->ns, nothing, bytes_of(f), false);
	else if (o->type == NODE_COMMIT && f->tag == COMMIT_PARENT)
		sink->ref(sink, NODE_SNAPSHOT, o->ns, o->sub, bytes_of(f), false);
	else if (o->type == NODE_CONTAINER && f->tag == CONTAINER_SNAPSHOTTER)
		*snapshotter = bytes_of(f);
	else if (o->type == NODE_CONTAINER && f->tag == CONTAINER_SNAPSHOT_KEY)
		sink->ref(sink, NODE_SNAPSHOT, o->ns, *snapshotter, bytes_of(f), false);
}

/* One pass over the fields: for the traits without a sink, for the references with one. */
static bool scan_pass(const struct object *o, struct kv_bytes value, struct ref_sink *sink,
		struct traits *t)
{
	struct kv_bytes snapshotter = nothing;
	struct rec_field f;
	struct rec r;
	int rc;

	if (!rec_open(&r, value))
		return false;
	while ((rc = rec_next(&r, &f)) > 0) {
		if (f.tag == TAG_LABEL) {
			if (!scan_label(o, &f, sink, t))
				return false;
		} else if (sink != NULL) {
			scan_field(o, &f, sink, &snapshotter);
		} else if (o->type == NODE_INGEST && f.tag == INGEST_EXPIRES) {
			if (!rec_get_int(&f, &t->ingest_expires_ns))
				return false;
		}
	}
	return rc == 0;
}

bool scan_refs(const struct object *o, struct kv_bytes value, struct ref_sink *sink,
		struct traits *ret_traits)
{
	*ret_traits = (struct traits){ 0 };
	if (!scan_pass(o, value, NULL, ret_traits) || !scan_pass(o, value, sink, ret_traits))
		return false;
	/* A commit keeps the snapshot it is about. */
	if (o->type == NODE_COMMIT)
		sink->ref(sink, NODE_SNAPSHOT, o->ns, o->sub, o->key, false);
	return true;
}

/* Go's durations: "1h30m", "1.5h", "100ms". */
static bool read_duration(struct kv_bytes text, int64_t *ret)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		{ "ns", 1 },
		{ "us", 1e3 },
		{ "\xc2\xb5s", 1e3 },
		{ "ms", 1e6 },
		{ "s", 1e9 },
		{ "m", 6e10 },
		{ "h", 3.6e12 },
	};
	double total = 0;

	if (is_text(text, "0"))
		text.size = 0;
	else if (text.size == 0)
		return false;
	while (text.size > 0) {
		double n = 0, scale = 0;
		size_t i, digits = 0;

		for (; text.size > 0; eat(&text, (char[]){ *(const char *)text.data, 0 })) {
			char c = *(const char *)text.data;

			if (c == '.' && scale == 0)
				scale = 1;
			else if (c >= '0' && c <= '9' && ++digits < 20)
				n = n * 10 + (c - '0'), scale *= 10;
			else
				break;
		}
		for (i = 0; i < ARRAY_LEN(units) && !eat(&text, units[i].name); i++)
			;
		if (digits == 0 || i == ARRAY_LEN(units))
			return false;
		total += n / (scale == 0 ? 1 : scale) * units[i].ns;
	}
	if (total > 9e18)
		return false;
	*ret = (int64_t)total;
	return true;
}

static bool one_holds(struct kv_bytes condition, int64_t age_ns)
{
	int64_t limit;
	bool less;

	if (!eat(&condition, "usedat"))
		return false;
	less = eat(&condition, "<");
	if (!less && !eat(&condition, ">"))
		return false;
	if (!read_duration(condition, &limit))
		return false;
	return less ? age_ns < limit : age_ns > limit;
}

bool scan_condition_holds(struct kv_bytes conditions, int64_t age_ns)
{
	while (conditions.size > 0) {
		const char *start = conditions.data;
		const char *comma = memchr(start, ',', conditions.size);
		size_t n = comma == NULL ? conditions.size : (size_t)(comma - start);

		if (one_holds((struct kv_bytes){ start, n }, age_ns))
			return true;
		n += comma != NULL;
		conditions = (struct kv_bytes){ start + n, conditions.size - n };
	}
	return false;
}

static const struct {
	enum table table;
	enum node_type type;
	size_t parts;
} tables[] = {
	{ TABLE_CONTAINER, NODE_CONTAINER, 2 },
	{ TABLE_IMAGE, NODE_IMAGE, 2 },
	{ TABLE_LEASE, NODE_LEASE, 2 },
	{ TABLE_BLOB, NODE_CONTENT, 2 },
	{ TABLE_INGEST, NODE_INGEST, 2 },
	{ TABLE_SNAPSHOT, NODE_SNAPSHOT, 3 },
	{ TABLE_COMMIT, NODE_COMMIT, 3 },
	{ TABLE_SANDBOX, NODE_SANDBOX, 2 },
};

static int scan_table(struct kv_txn *txn, size_t t,
		int (*each)(void *arg, const struct object *o, struct kv_bytes value,
				struct err *err),
		void *arg, struct err *err)
{
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value, parts[3];
	AUTO_KEY(prefix);
	int rc;

	if (kv_iter_new(txn, meta_key(&prefix, tables[t].table, NULL), (struct kv_bytes){ 0 },
			    &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0) {
		size_t n = tables[t].parts;
		struct object o;

		if (meta_key_split(key, parts, n) != n)
			continue;
		o = (struct object){ tables[t].type, parts[0], n == 3 ? parts[1] : nothing,
			parts[n - 1] };
		if (each(arg, &o, value, err) < 0)
			return -1;
	}
	return rc;
}

int scan_objects(struct kv_txn *txn,
		int (*each)(void *arg, const struct object *o, struct kv_bytes value,
				struct err *err),
		void *arg, struct err *err)
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		if (scan_table(txn, t, each, arg, err) < 0)
			return -1;
	return 0;
}
