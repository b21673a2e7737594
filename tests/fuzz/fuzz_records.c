/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte chooses a table, the rest is a stored value. What decodes must encode, and
 * that must decode to the same bytes again; scanning for references must survive whatever
 * comes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "meta/meta_codec_priv.h"
#include "meta/meta_gc_scan_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A view shows what a copy would; it may refuse what is odd. */
static void check_view(struct kv_bytes bytes, bool fine, const struct buf *copied)
{
	struct container_view v = { 0 };
	struct buf seen AUTO_BUF = { .limit = SIZE_MAX };

	for (int i = 0; i < 2; i++) { /* it is used again and again */
		if (!view_container(&v, "x", bytes))
			continue;
		buf_clear(&seen);
		encode_container(&seen, &v.c);
		if (!fine || seen.size != copied->size || strcmp(v.c.id, "x") != 0 ||
				memcmp(seen.data, copied->data, seen.size) != 0)
			abort();
	}
	container_view_done(&v);
}

static bool again_container(struct kv_bytes bytes, struct buf *out)
{
	AUTO(container_free) struct container *c = container_new("x");
	bool fine = decode_container(bytes, c);

	if (fine)
		encode_container(out, c);
	check_view(bytes, fine, out);
	return fine;
}

static bool again_image(struct kv_bytes bytes, struct buf *out)
{
	AUTO(image_free) struct image *i = image_new("x");
	bool fine = decode_image(bytes, i);

	if (fine)
		encode_image(out, i);
	return fine;
}

static bool again_sandbox(struct kv_bytes bytes, struct buf *out)
{
	AUTO(sandbox_free) struct sandbox *s = sandbox_new("x");
	bool fine = decode_sandbox(bytes, s);

	if (fine)
		encode_sandbox(out, s);
	return fine;
}

/* The others are values on the stack that end the same way. */
#define AGAIN(name, type, decode, encode, done)                                                \
	static bool again_##name(struct kv_bytes bytes, struct buf *out)                       \
	{                                                                                      \
		type value = { 0 };                                                            \
		bool fine = decode(bytes, &value);                                             \
                                                                                               \
		if (fine)                                                                      \
			encode(out, &value);                                                   \
		done(&value);                                                                  \
		return fine;                                                                   \
	}

AGAIN(labels, struct labels, decode_labels, encode_labels, labels_done)
AGAIN(lease, struct lease, decode_lease, encode_lease, lease_done)
AGAIN(blob, struct content_info, decode_blob, encode_blob, content_info_done)
AGAIN(ingest, struct ingest_record, decode_ingest, encode_ingest, ingest_record_done)
AGAIN(snapshot, struct snapshot_record, decode_snapshot, encode_snapshot, snapshot_record_done)
AGAIN(commit, struct commit_record, decode_commit, encode_commit, commit_record_done)

static const struct {
	bool (*again)(struct kv_bytes bytes, struct buf *out);
	enum node_type type;
} tables[] = {
	{ again_container, NODE_CONTAINER },
	{ again_image, NODE_IMAGE },
	{ again_labels, NODE_LEASE },
	{ again_lease, NODE_LEASE },
	{ again_blob, NODE_CONTENT },
	{ again_ingest, NODE_INGEST },
	{ again_snapshot, NODE_SNAPSHOT },
	{ again_commit, NODE_COMMIT },
	{ again_sandbox, NODE_SANDBOX },
};

/* Touches every byte it is told of. */
static unsigned sum;

static void look(struct kv_bytes bytes)
{
	for (size_t i = 0; i < bytes.size; i++)
		sum += ((const unsigned char *)bytes.data)[i];
}

static void on_ref(struct ref_sink *sink, enum node_type type, struct kv_bytes ns,
		struct kv_bytes sub, struct kv_bytes key, bool flat_too)
{
	look(sub);
	look(key);
}

static void on_back_ref(struct ref_sink *sink, enum node_type type, struct kv_bytes ns,
		struct kv_bytes sub, struct kv_bytes key)
{
	look(sub);
	look(key);
}

static void on_cond_ref(struct ref_sink *sink, struct kv_bytes ns, struct kv_bytes sub,
		struct kv_bytes key, struct kv_bytes conditions)
{
	look(sub);
	look(key);
	sum += scan_condition_holds(conditions, 7200);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_BUF struct buf once = { .limit = SIZE_MAX };
	AUTO_BUF struct buf twice = { .limit = SIZE_MAX };
	struct ref_sink sink = { on_ref, on_back_ref, on_cond_ref };
	struct object object = { .ns = { "ns", 2 }, .sub = { "sn", 2 }, .key = { "key", 3 } };
	struct kv_bytes bytes = { data + 1, size - 1 };
	struct traits traits;
	size_t table;

	if (size == 0)
		return 0;
	table = data[0] % ARRAY_LEN(tables);
	object.type = tables[table].type;
	(void)!scan_refs(&object, bytes, &sink, &traits);
	if (!tables[table].again(bytes, &once))
		return 0;
	if (!tables[table].again((struct kv_bytes){ once.data, once.size }, &twice) ||
			once.size != twice.size ||
			memcmp(once.data, twice.data, once.size) != 0)
		abort();
	return 0;
}
