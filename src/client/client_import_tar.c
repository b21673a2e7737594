/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_import_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/tar_reader.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/client_content_priv.h"
#include "oci/media.h"
#include "text/jnode.h"

#define CHUNK	    (256 * 1024)
#define READ_AHEAD  65536
#define OCI_VERSION "1.0.0"

void archive_init(struct archive *a, struct ctrd_client *client)
{
	*a = (struct archive){ .client = client,
		.oci_layout = { .limit = 1 << 20 },
		.manifest_json = { .limit = IMAGE_MAX_DOCUMENT } };
	map_init(&a->blobs);
	map_init(&a->links);
}

void archive_done(struct archive *a)
{
	map_done(&a->blobs, free);
	map_done(&a->links, free);
	buf_done(&a->oci_layout);
	buf_done(&a->manifest_json);
}

/* --- names -------------------------------------------------------------------------------- */

char *archive_clean_name(const char *name)
{
	AUTO_STRV char **parts = strv_split(name, '/');
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	size_t depth = 0;

	if (name[0] == '/')
		buf_add_byte(&out, '/');
	for (char **p = parts; p != NULL && *p != NULL; p++) {
		bool up = strcmp(*p, "..") == 0;

		if (**p == '\0' || strcmp(*p, ".") == 0)
			continue;
		if (up && depth > 0) {
			char *slash;

			depth--;
			slash = strrchr(out.data, '/');
			out.size = slash == NULL ? 0 : (size_t)(slash - out.data);
			if (out.size == 0 && name[0] == '/')
				out.size = 1;
			out.data[out.size] = '\0';
			continue;
		}
		if (up && name[0] == '/')
			continue;
		if (out.size > 0 && out.data[out.size - 1] != '/')
			buf_add_byte(&out, '/');
		buf_add_str(&out, *p);
		depth += !up;
	}
	if (out.size == 0)
		buf_add_byte(&out, '.');
	return buf_take_str(&out);
}

static void remember_link(struct archive *a, const char *name, const char *target)
{
	const char *slash = strrchr(name, '/');
	AUTO_FREE char *joined =
			slash == NULL ? xstrdup(target)
				      : xasprintf("%.*s/%s", (int)(slash - name), name, target);

	free(map_put(&a->links, name, archive_clean_name(joined)));
}

/* --- files -------------------------------------------------------------------------------- */

struct fd_source {
	struct tar_source base;
	int fd;
};

static ssize_t read_fd(struct tar_source *self, void *data, size_t size, struct err *err)
{
	struct fd_source *s = (struct fd_source *)self;
	ssize_t n;

	do
		n = read(s->fd, data, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_sys(err, errno, "read archive") : n;
}

static int read_small(struct tar_reader *tar, const struct tar_entry *entry, struct buf *out,
		struct err *err)
{
	char chunk[4096];
	ssize_t n;

	buf_clear(out);
	while ((n = tar_reader_data(tar, chunk, sizeof(chunk), err)) > 0) {
		buf_add(out, chunk, (size_t)n);
		if (out->overflowed)
			return err_set(err, ERR_EXHAUSTED, "%s is over %zu bytes", entry->path,
					out->limit);
	}
	return n < 0 ? -1 : 0;
}

/* Bytes to the daemon, and through the digester. */
static int copy_data(struct tar_reader *tar, struct ctrd_writer *w, struct digester *digester,
		int64_t *ret_size, struct err *err)
{
	AUTO_FREE char *chunk = xmalloc(CHUNK);
	int64_t total = 0;
	ssize_t n;

	while ((n = tar_reader_data(tar, chunk, CHUNK, err)) > 0) {
		if (w != NULL && client_writer_write(w, chunk, (size_t)n, err) < 0)
			return -1;
		digester_add(digester, chunk, (size_t)n);
		total += n;
	}
	*ret_size = total;
	return n < 0 ? -1 : 0;
}

static const struct labels no_labels;

static int ingest(struct archive *a, struct tar_reader *tar, const char *name, int64_t size,
		struct archive_blob *ret, struct err *err)
{
	AUTO_FREE char *ref = xasprintf("tar-%s", name);
	AUTO(ctrd_writer_close) struct ctrd_writer *w = NULL;
	AUTO(digester_free) struct digester *digester = digester_new(DIGEST_SHA256);

	if (client_writer_open(a->client, ref, size, NULL, &w, err) < 0)
		return -1;
	client_writer_rewind(w);
	if (copy_data(tar, w, digester, &ret->size, err) < 0)
		return -1;
	digester_text(digester, ret->digest);
	if (client_writer_commit(w, ret->size, ret->digest, &no_labels, err) == 0)
		return 0;
	if (err->kind != ERR_EXISTS)
		return -1;
	err_clear(err);
	return 0;
}

static int take_file(struct archive *a, struct tar_reader *tar, const struct tar_entry *entry,
		const char *name, struct err *err)
{
	struct archive_blob *blob;

	if (strcmp(name, "oci-layout") == 0)
		return read_small(tar, entry, &a->oci_layout, err);
	if (strcmp(name, "manifest.json") == 0)
		return read_small(tar, entry, &a->manifest_json, err);
	if (entry->is_sparse || entry->size > INT64_MAX)
		return err_set(err, ERR_INVALID, "%s is a sparse file", name);
	blob = xzalloc(sizeof(*blob));
	if (ingest(a, tar, name, (int64_t)entry->size, blob, err) < 0) {
		free(blob);
		return err_wrap(err, "failed to ingest \"%s\"", name);
	}
	free(map_put(&a->blobs, name, blob));
	return 0;
}

static int take_entry(struct archive *a, struct tar_reader *tar, const struct tar_entry *entry,
		struct err *err)
{
	AUTO_FREE char *name = archive_clean_name(entry->path);

	if (a->blobs.count + a->links.count >= IMPORT_MAX_FILES)
		return err_set(err, ERR_EXHAUSTED, "archive has over %d files",
				IMPORT_MAX_FILES);
	if (entry->type == TAR_SYMLINK)
		remember_link(a, name, entry->link);
	else if (entry->type == TAR_FILE)
		return take_file(a, tar, entry, name, err);
	return 0;
}

int archive_read(struct archive *a, int fd, struct err *err)
{
	struct fd_source source = { { read_fd, NULL }, fd };
	AUTO(tar_reader_free) struct tar_reader *tar = tar_reader_new(&source.base);
	const struct tar_entry *entry;
	int rc;

	while ((rc = tar_reader_next(tar, &entry, err)) > 0) {
		struct ctx ctx = client_ctx(a->client);

		if (ctx_done(&ctx, err) || take_entry(a, tar, entry, err) < 0)
			return -1;
	}
	return rc;
}

/* --- OCI layout --------------------------------------------------------------------------- */

int archive_oci_index(const struct archive *a, struct oci_descriptor *ret, struct err *err)
{
	AUTO(jnode_free) struct jnode *doc = NULL;
	const struct archive_blob *index;
	const char *version;

	if (jnode_parse(a->oci_layout.data, a->oci_layout.size, &doc, err) < 0)
		return err_wrap(err, "oci-layout");
	version = str_or(jnode_get_str(doc, "imageLayoutVersion"), "");
	if (strcmp(version, OCI_VERSION) != 0)
		return err_plain(err, ERR_INVALID, "unsupported OCI version %s", version);
	index = map_find(&a->blobs, "index.json");
	if (index == NULL)
		return err_plain(err, ERR_NOT_FOUND, "missing index.json in OCI layout %s",
				OCI_VERSION);
	ret->media_type = xstrdup(MEDIA_OCI_INDEX);
	ret->digest = xstrdup(index->digest);
	ret->size = index->size;
	return 0;
}
