/* SPDX-License-Identifier: Apache-2.0 */
#include "meta/meta_codec_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "meta/meta_record_priv.h"

/* Applies "take" to every field. False when damaged. */
static bool decode(struct kv_bytes bytes, bool (*take)(void *object, const struct rec_field *f),
		void *object)
{
	struct rec_field f;
	struct rec r;
	int rc;

	if (!rec_open(&r, bytes))
		return false;
	while ((rc = rec_next(&r, &f)) > 0)
		if (!take(object, &f))
			return false;
	return rc == 0;
}

int meta_damaged(const char *what, const char *name, struct err *err)
{
	return err_set(err, ERR_DATA_LOSS, "%s %s: stored record is damaged", what, name);
}

void ingest_record_done(struct ingest_record *r)
{
	free(r->backend);
	free(r->expected);
	*r = (struct ingest_record){ 0 };
}

void snapshot_record_done(struct snapshot_record *r)
{
	free(r->backend);
	free(r->parent);
	labels_done(&r->labels);
	*r = (struct snapshot_record){ 0 };
}

void commit_record_done(struct commit_record *r)
{
	free(r->name);
	free(r->old_backend);
	free(r->new_backend);
	free(r->parent);
	labels_done(&r->labels);
	*r = (struct commit_record){ 0 };
}

void encode_container(struct buf *b, const struct container *c)
{
	rec_start(b);
	rec_labels(b, TAG_LABEL, &c->labels);
	rec_int(b, TAG_CREATED, c->created_ns);
	rec_int(b, TAG_UPDATED, c->updated_ns);
	rec_text(b, CONTAINER_IMAGE, c->image);
	rec_text(b, CONTAINER_SNAPSHOTTER, c->snapshotter);
	rec_text(b, CONTAINER_SNAPSHOT_KEY, c->snapshot_key);
	rec_text(b, CONTAINER_RUNTIME, c->runtime_name);
	rec_any(b, CONTAINER_RUNTIME_OPTIONS, &c->runtime_options);
	rec_any(b, CONTAINER_SPEC, &c->spec);
	rec_anys(b, CONTAINER_EXTENSION, &c->extensions);
	rec_text(b, CONTAINER_SANDBOX, c->sandbox);
}

static bool take_container(void *object, const struct rec_field *f)
{
	struct container *c = object;

	switch (f->tag) {
	case TAG_LABEL:
		return rec_get_label(f, &c->labels);
	case TAG_CREATED:
		return rec_get_int(f, &c->created_ns);
	case TAG_UPDATED:
		return rec_get_int(f, &c->updated_ns);
	case CONTAINER_IMAGE:
		return rec_get_text(f, &c->image);
	case CONTAINER_SNAPSHOTTER:
		return rec_get_text(f, &c->snapshotter);
	case CONTAINER_SNAPSHOT_KEY:
		return rec_get_text(f, &c->snapshot_key);
	case CONTAINER_RUNTIME:
		return rec_get_text(f, &c->runtime_name);
	case CONTAINER_RUNTIME_OPTIONS:
		return rec_get_any(f, &c->runtime_options);
	case CONTAINER_SPEC:
		return rec_get_any(f, &c->spec);
	case CONTAINER_EXTENSION:
		return rec_get_named_any(f, &c->extensions);
	case CONTAINER_SANDBOX:
		return rec_get_text(f, &c->sandbox);
	default:
		return true;
	}
}

bool decode_container(struct kv_bytes bytes, struct container *c)
{
	return decode(bytes, take_container, c);
}

/* --- the same without copies of what is large --- */

/* There is room for every text of the record: each had at least a tag before it. */
static char *view_text(struct container_view *v, struct kv_bytes bytes)
{
	char *text = v->next;

	if (bytes.size > 0)
		memcpy(text, bytes.data, bytes.size);
	text[bytes.size] = '\0';
	v->next = text + bytes.size + 1;
	return text;
}

static bool view_plain(struct container_view *v, const struct rec_field *f, char **ret_text)
{
	struct kv_bytes bytes = { f->data, f->size };

	*ret_text = view_text(v, bytes);
	return !rec_has_nul(bytes);
}

static bool view_any(struct container_view *v, const struct rec_field *f, struct any *any)
{
	struct kv_bytes url, value;

	if (!rec_peek_any(f, &url, &value))
		return false;
	*any = (struct any){ true, view_text(v, url), (void *)value.data, value.size };
	return true;
}

/* Makes room for one more item in a list that lives as long as the view. */
static void *one_more(void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	*room = *room == 0 ? 8 : *room * 2;
	return xreallocarray(items, *room, size);
}

static bool view_label(struct container_view *v, const struct rec_field *f)
{
	struct labels *l = &v->c.labels;
	struct kv_bytes key, value;
	struct label *new;

	if (!rec_peek_label(f, &key, &value))
		return false;
	l->items = one_more(l->items, l->count, &v->label_room, sizeof(*l->items));
	new = &l->items[l->count];
	*new = (struct label){ view_text(v, key), view_text(v, value) };
	return l->count++ == 0 || strcmp(new[-1].key, new->key) < 0;
}

static bool view_extension(struct container_view *v, const struct rec_field *f)
{
	struct anys *a = &v->c.extensions;
	struct named_any *new;
	struct rec_field rest;
	struct kv_bytes key;

	if (!rec_peek_named_any(f, &key, &rest))
		return false;
	a->items = one_more(a->items, a->count, &v->extension_room, sizeof(*a->items));
	new = &a->items[a->count];
	new->key = view_text(v, key);
	return view_any(v, &rest, &new->any) &&
	       (a->count++ == 0 || strcmp(new[-1].key, new->key) < 0);
}

static bool view_field(void *view, const struct rec_field *f)
{
	struct container_view *v = view;

	switch (f->tag) {
	case TAG_LABEL:
		return view_label(v, f);
	case TAG_CREATED:
		return rec_get_int(f, &v->c.created_ns);
	case TAG_UPDATED:
		return rec_get_int(f, &v->c.updated_ns);
	case CONTAINER_IMAGE:
		return view_plain(v, f, &v->c.image);
	case CONTAINER_SNAPSHOTTER:
		return view_plain(v, f, &v->c.snapshotter);
	case CONTAINER_SNAPSHOT_KEY:
		return view_plain(v, f, &v->c.snapshot_key);
	case CONTAINER_RUNTIME:
		return view_plain(v, f, &v->c.runtime_name);
	case CONTAINER_RUNTIME_OPTIONS:
		return view_any(v, f, &v->c.runtime_options);
	case CONTAINER_SPEC:
		return view_any(v, f, &v->c.spec);
	case CONTAINER_EXTENSION:
		return view_extension(v, f);
	case CONTAINER_SANDBOX:
		return view_plain(v, f, &v->c.sandbox);
	default:
		return true;
	}
}

bool view_container(struct container_view *v, const char *id, struct kv_bytes bytes)
{
	size_t want = strlen(id) + 1 + bytes.size;

	if (v->text_room < want) {
		free(v->texts);
		v->text_room = want * 2;
		v->texts = xmalloc(v->text_room);
	}
	v->next = v->texts;
	v->c = (struct container){ .labels.items = v->c.labels.items,
		.extensions.items = v->c.extensions.items };
	v->c.id = view_text(v, (struct kv_bytes){ id, strlen(id) });
	return decode(bytes, view_field, v);
}

void container_view_done(struct container_view *v)
{
	free(v->texts);
	free(v->c.labels.items);
	free(v->c.extensions.items);
	*v = (struct container_view){ 0 };
}

void encode_sandbox(struct buf *b, const struct sandbox *s)
{
	rec_start(b);
	rec_labels(b, TAG_LABEL, &s->labels);
	rec_int(b, TAG_CREATED, s->created_ns);
	rec_int(b, TAG_UPDATED, s->updated_ns);
	rec_text(b, SANDBOX_SANDBOXER, s->sandboxer);
	rec_text(b, SANDBOX_RUNTIME, s->runtime_name);
	rec_any(b, SANDBOX_RUNTIME_OPTIONS, &s->runtime_options);
	rec_any(b, SANDBOX_SPEC, &s->spec);
	rec_anys(b, SANDBOX_EXTENSION, &s->extensions);
}

static bool take_sandbox(void *object, const struct rec_field *f)
{
	struct sandbox *s = object;

	switch (f->tag) {
	case TAG_LABEL:
		return rec_get_label(f, &s->labels);
	case TAG_CREATED:
		return rec_get_int(f, &s->created_ns);
	case TAG_UPDATED:
		return rec_get_int(f, &s->updated_ns);
	case SANDBOX_SANDBOXER:
		return rec_get_text(f, &s->sandboxer);
	case SANDBOX_RUNTIME:
		return rec_get_text(f, &s->runtime_name);
	case SANDBOX_RUNTIME_OPTIONS:
		return rec_get_any(f, &s->runtime_options);
	case SANDBOX_SPEC:
		return rec_get_any(f, &s->spec);
	case SANDBOX_EXTENSION:
		return rec_get_named_any(f, &s->extensions);
	default:
		return true;
	}
}

bool decode_sandbox(struct kv_bytes bytes, struct sandbox *s)
{
	return decode(bytes, take_sandbox, s);
}

void encode_image(struct buf *b, const struct image *i)
{
	rec_start(b);
	rec_labels(b, TAG_LABEL, &i->labels);
	rec_int(b, TAG_CREATED, i->created_ns);
	rec_int(b, TAG_UPDATED, i->updated_ns);
	rec_text(b, IMAGE_MEDIA_TYPE, i->target.media_type);
	rec_text(b, IMAGE_DIGEST, i->target.digest);
	rec_int(b, IMAGE_SIZE, i->target.size);
	rec_labels(b, IMAGE_ANNOTATION, &i->target.annotations);
}

static bool take_image(void *object, const struct rec_field *f)
{
	struct image *i = object;

	switch (f->tag) {
	case TAG_LABEL:
		return rec_get_label(f, &i->labels);
	case TAG_CREATED:
		return rec_get_int(f, &i->created_ns);
	case TAG_UPDATED:
		return rec_get_int(f, &i->updated_ns);
	case IMAGE_MEDIA_TYPE:
		return rec_get_text(f, &i->target.media_type);
	case IMAGE_DIGEST:
		return rec_get_text(f, &i->target.digest);
	case IMAGE_SIZE:
		return rec_get_int(f, &i->target.size);
	case IMAGE_ANNOTATION:
		return rec_get_label(f, &i->target.annotations);
	default:
		return true;
	}
}

bool decode_image(struct kv_bytes bytes, struct image *i)
{
	return decode(bytes, take_image, i);
}

void encode_labels(struct buf *b, const struct labels *l)
{
	rec_start(b);
	rec_labels(b, TAG_LABEL, l);
}

static bool take_label(void *object, const struct rec_field *f)
{
	return f->tag != TAG_LABEL || rec_get_label(f, object);
}

bool decode_labels(struct kv_bytes bytes, struct labels *l)
{
	return decode(bytes, take_label, l);
}

void encode_lease(struct buf *b, const struct lease *l)
{
	rec_start(b);
	rec_labels(b, TAG_LABEL, &l->labels);
	rec_int(b, TAG_CREATED, l->created_ns);
}

static bool take_lease(void *object, const struct rec_field *f)
{
	struct lease *l = object;

	if (f->tag == TAG_CREATED)
		return rec_get_int(f, &l->created_ns);
	return take_label(&l->labels, f);
}

bool decode_lease(struct kv_bytes bytes, struct lease *l)
{
	return decode(bytes, take_lease, l);
}

void encode_blob(struct buf *b, const struct content_info *i)
{
	rec_start(b);
	rec_labels(b, TAG_LABEL, &i->labels);
	rec_int(b, TAG_CREATED, i->created_ns);
	rec_int(b, TAG_UPDATED, i->updated_ns);
	rec_int(b, BLOB_SIZE, i->size);
}

static bool take_blob(void *object, const struct rec_field *f)
{
	struct content_info *i = object;

	switch (f->tag) {
	case TAG_CREATED:
		return rec_get_int(f, &i->created_ns);
	case TAG_UPDATED:
		return rec_get_int(f, &i->updated_ns);
	case BLOB_SIZE:
		return rec_get_int(f, &i->size);
	default:
		return take_label(&i->labels, f);
	}
}

bool decode_blob(struct kv_bytes bytes, struct content_info *i)
{
	return decode(bytes, take_blob, i);
}

void encode_ingest(struct buf *b, const struct ingest_record *r)
{
	rec_start(b);
	rec_text(b, INGEST_BACKEND, r->backend);
	rec_text(b, INGEST_EXPECTED, r->expected);
	rec_int(b, INGEST_EXPIRES, r->expires_ns);
}

static bool take_ingest(void *object, const struct rec_field *f)
{
	struct ingest_record *r = object;

	switch (f->tag) {
	case INGEST_BACKEND:
		return rec_get_text(f, &r->backend);
	case INGEST_EXPECTED:
		return rec_get_text(f, &r->expected);
	case INGEST_EXPIRES:
		return rec_get_int(f, &r->expires_ns);
	default:
		return true;
	}
}

bool decode_ingest(struct kv_bytes bytes, struct ingest_record *r)
{
	return decode(bytes, take_ingest, r) && !str_is_empty(r->backend);
}

void encode_snapshot(struct buf *b, const struct snapshot_record *r)
{
	rec_start(b);
	rec_labels(b, TAG_LABEL, &r->labels);
	rec_int(b, TAG_CREATED, r->created_ns);
	rec_int(b, TAG_UPDATED, r->updated_ns);
	rec_text(b, SNAPSHOT_BACKEND, r->backend);
	rec_text(b, SNAPSHOT_PARENT, r->parent);
}

static bool take_snapshot(void *object, const struct rec_field *f)
{
	struct snapshot_record *r = object;

	switch (f->tag) {
	case TAG_CREATED:
		return rec_get_int(f, &r->created_ns);
	case TAG_UPDATED:
		return rec_get_int(f, &r->updated_ns);
	case SNAPSHOT_BACKEND:
		return rec_get_text(f, &r->backend);
	case SNAPSHOT_PARENT:
		return rec_get_text(f, &r->parent);
	default:
		return take_label(&r->labels, f);
	}
}

bool decode_snapshot(struct kv_bytes bytes, struct snapshot_record *r)
{
	return decode(bytes, take_snapshot, r) && !str_is_empty(r->backend);
}

void encode_commit(struct buf *b, const struct commit_record *r)
{
	rec_start(b);
	rec_labels(b, TAG_LABEL, &r->labels);
	rec_int(b, TAG_CREATED, r->created_ns);
	rec_text(b, COMMIT_NAME, r->name);
	rec_text(b, COMMIT_OLD_BACKEND, r->old_backend);
	rec_text(b, COMMIT_NEW_BACKEND, r->new_backend);
	rec_text(b, COMMIT_PARENT, r->parent);
}

static bool take_commit(void *object, const struct rec_field *f)
{
	struct commit_record *r = object;

	switch (f->tag) {
	case TAG_CREATED:
		return rec_get_int(f, &r->created_ns);
	case COMMIT_NAME:
		return rec_get_text(f, &r->name);
	case COMMIT_OLD_BACKEND:
		return rec_get_text(f, &r->old_backend);
	case COMMIT_NEW_BACKEND:
		return rec_get_text(f, &r->new_backend);
	case COMMIT_PARENT:
		return rec_get_text(f, &r->parent);
	default:
		return take_label(&r->labels, f);
	}
}

bool decode_commit(struct kv_bytes bytes, struct commit_record *r)
{
	return decode(bytes, take_commit, r) && !str_is_empty(r->name) &&
	       !str_is_empty(r->old_backend) && !str_is_empty(r->new_backend);
}
