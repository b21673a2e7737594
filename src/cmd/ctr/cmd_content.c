/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"
#include "text/duration.h"
#include "text/size.h"

#define COPY_BYTES (1u << 20)

struct list_args {
	bool quiet;
};

struct ingest_args {
	int64_t expected_size;
	const char *expected_digest;
};

struct active_args {
	int64_t timeout_ns;
	const char *root;
};

static void age_text(int64_t since_ns, char out[DURATION_HUMAN_SIZE])
{
	duration_human(clock_wall_ns() - since_ns, out);
}

static int run_list(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_blobs_free) struct ctrd_blobs *list = NULL;
	struct ctrd_error *error = NULL;
	bool quiet = CX_ARGS(cx, struct list_args)->quiet;
	struct tabwriter t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_blobs_list(client, (const char *const *)cx->argv, &list, &error) < 0)
		return out_error(error);
	tabwriter_init(&t, 1, 8, 1, '\t');
	if (!quiet)
		tabwriter_add(&t, "DIGEST\tSIZE\tAGE\tLABELS\n");
	for (size_t i = 0; i < ctrd_blobs_count(list); i++) {
		const struct ctrd_blob *b = ctrd_blobs_at(list, i);
		AUTO_FREE char *labels = labels_cell(ctrd_blob_labels(b));
		char size[SIZE_TEXT_SIZE], age[DURATION_HUMAN_SIZE];

		size_format_si((double)ctrd_blob_size(b), size);
		age_text(ctrd_blob_created(b), age);
		if (quiet)
			tabwriter_addf(&t, "%s\n", ctrd_blob_digest(b));
		else
			tabwriter_addf(&t, "%s\t%s\t%s\t%s\n", ctrd_blob_digest(b), size, age,
					labels);
	}
	out_table(&t);
	return 0;
}

static int run_active(struct cx *cx)
{
	const char *filters[] = { cx_arg(cx, 0), NULL };
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_ingests_free) struct ctrd_ingests *list = NULL;
	struct ctrd_error *error = NULL;
	struct tabwriter t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_ingests_list(client, filters, &list, &error) < 0)
		return out_error(error);
	tabwriter_init(&t, 1, 8, 1, '\t');
	tabwriter_add(&t, "REF\tSIZE\tAGE\t\n");
	for (size_t i = 0; i < ctrd_ingests_count(list); i++) {
		char size[SIZE_TEXT_SIZE], age[DURATION_HUMAN_SIZE];

		size_format_si((double)ctrd_ingests_offset(list, i), size);
		age_text(ctrd_ingests_started(list, i), age);
		tabwriter_addf(&t, "%s\t%s\t%s\t\n", ctrd_ingests_ref(list, i), size, age);
	}
	out_table(&t);
	return 0;
}

/* --- bytes -------------------------------------------------------------------------------- */

static int run_get(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_reader_close) struct ctrd_reader *reader = NULL;
	AUTO_FREE char *data = xmalloc(COPY_BYTES);
	struct ctrd_error *error = NULL;
	ptrdiff_t n;
	int status = cx_connect(cx, &client), rc;

	if (status != 0)
		return status;
	if (ctrd_reader_open(client, cx_arg(cx, 0), &reader, &error) < 0)
		return out_error(error);
	while ((n = ctrd_reader_read(reader, data, COPY_BYTES, &error)) > 0) {
		rc = io_write_all(STDOUT_FILENO, data, (size_t)n);
		if (rc < 0)
			return out_fail("write /dev/stdout: %s", errno_text(-rc));
	}
	return n < 0 ? out_error(error) : 0;
}

/* What the daemon has already, of an earlier try or of another namespace's blob. */
static int skip_input(const char *ref, char *data, int64_t size)
{
	while (size > 0) {
		ssize_t n = io_read_full(STDIN_FILENO, data,
				size < (int64_t)COPY_BYTES ? (size_t)size : COPY_BYTES);

		if (n <= 0)
			return out_fail("unable to resume write to %s: %s", ref,
					n < 0 ? errno_text((int)-n) : "EOF");
		size -= n;
	}
	return 0;
}

static int copy_in(struct ctrd_writer *w, const char *ref, const struct ingest_args *args)
{
	AUTO_FREE char *data = xmalloc(COPY_BYTES);
	struct ctrd_error *error = NULL;
	int64_t total = ctrd_writer_offset(w);
	ssize_t n;

	if (skip_input(ref, data, total) != 0)
		return STATUS_FAILED;
	while ((n = io_read_full(STDIN_FILENO, data, COPY_BYTES)) > 0) {
		if (ctrd_writer_write(w, data, (size_t)n, &error) < 0)
			return out_error(error);
		total += n;
	}
	if (n < 0)
		return out_fail("failed to copy: read /dev/stdin: %s", errno_text((int)-n));
	if (args->expected_size != 0 && args->expected_size != total)
		return out_fail("failed size validation: %lld != %lld: failed precondition",
				(long long)total, (long long)args->expected_size);
	if (ctrd_writer_commit(w, total, args->expected_digest, NULL, &error) < 0 &&
			ctrd_error_code(error) != CTRD_EXISTS)
		return out_error(error);
	ctrd_error_free(error);
	return 0;
}

static int run_ingest(struct cx *cx)
{
	const struct ingest_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_writer_close) struct ctrd_writer *writer = NULL;
	AUTO_ERROR struct ctrd_error *error = NULL;
	int status;

	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("must specify a transaction reference");
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	if (ctrd_writer_open(client, cx->argv[0], args->expected_size, args->expected_digest,
			    &writer, &error) == 0)
		return copy_in(writer, cx->argv[0], args);
	if (ctrd_error_code(error) == CTRD_EXISTS)
		return 0;
	return out_fail("%s", ctrd_error_text(error));
}

/* --- records ------------------------------------------------------------------------------ */

static int run_remove(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO_ERROR struct ctrd_error *first = NULL;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	for (int i = 0; i < cx->argc; i++) {
		struct ctrd_error *error = NULL;

		if (ctrd_blob_remove(client, cx->argv[i], &error) == 0) {
			printf("%s\n", cx->argv[i]);
			continue;
		}
		if (ctrd_error_code(error) != CTRD_NOT_FOUND) {
			out_log("error", error, "failed deleting %s", cx->argv[i]);
			if (first == NULL) {
				first = error;
				continue;
			}
		}
		ctrd_error_free(error);
	}
	return first == NULL ? 0 : out_fail("%s", ctrd_error_text(first));
}

static int run_label(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_blob_free) struct ctrd_blob *blob = NULL;
	AUTO(ctrd_labels_free) struct ctrd_labels *labels = NULL;
	AUTO_FREE char *text = NULL;
	struct ctrd_error *error = NULL;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	labels = labels_of_args(cx->argc > 0 ? cx->argv + 1 : cx->argv, "");
	if (ctrd_labels_count(labels) == 0) {
		if (ctrd_blob_get(client, cx_arg(cx, 0), &blob, &error) < 0)
			return out_error(error);
	} else if (ctrd_blob_set_labels(client, cx->argv[0], labels, &blob, &error) < 0) {
		return out_error(error);
	}
	text = labels_text(ctrd_blob_labels(blob));
	printf("%s\n", text);
	return 0;
}

/* --- pruning ------------------------------------------------------------------------------ */

struct prune_args {
	bool async, dry;
};

#define REF_LABEL "containerd.io/gc.ref.content."

/* Layers, and what stands behind the first of a document's other parts. */
static bool is_prunable(const char *key)
{
	uint64_t n;

	if (!str_starts(key, REF_LABEL))
		return false;
	key += strlen(REF_LABEL);
	return str_starts(key, "l.") || (str_u64(key, &n) && n >= 1);
}

static int prune_blob(struct ctrd_client *client, const struct ctrd_blob *b, bool dry)
{
	const struct ctrd_labels *labels = ctrd_blob_labels(b);
	AUTO(ctrd_labels_free) struct ctrd_labels *gone = ctrd_labels_new();
	AUTO(ctrd_blob_free) struct ctrd_blob *after = NULL;
	struct ctrd_error *error = NULL;

	for (size_t i = 0; i < ctrd_labels_count(labels); i++) {
		if (!is_prunable(ctrd_labels_key(labels, i)))
			continue;
		ctrd_labels_set(gone, ctrd_labels_key(labels, i), "");
		out_log("info", NULL, "Removing label \"%s\" from blob %s",
				ctrd_labels_key(labels, i), ctrd_blob_digest(b));
	}
	if (dry || ctrd_labels_count(gone) == 0)
		return 0;
	if (ctrd_blob_set_labels(client, ctrd_blob_digest(b), gone, &after, &error) < 0)
		return out_error(error);
	return 0;
}

static int run_prune(struct cx *cx)
{
	const struct prune_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_blobs_free) struct ctrd_blobs *list = NULL;
	AUTO_FREE char *lease = NULL;
	struct ctrd_error *error = NULL;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_blobs_list(client, NULL, &list, &error) < 0)
		return out_error(error);
	for (size_t i = 0; i < ctrd_blobs_count(list) && status == 0; i++)
		status = prune_blob(client, ctrd_blobs_at(list, i), args->dry);
	if (status != 0 || args->dry)
		return status;
	/* Removing a lease is how a client asks for a collection. */
	if (ctrd_lease_create(client, NULL, 24 * 3600 * NS_PER_S, NULL, &lease, &error) < 0 ||
			ctrd_lease_remove(client, lease, !args->async, &error) < 0)
		return out_error(error);
	return 0;
}

static const struct flag list_flags[] = {
	FLAG("quiet, q", FLAG_SWITCH, offsetof(struct list_args, quiet), "print only digests"),
	{ 0 },
};

static const struct flag ingest_flags[] = {
	FLAG("expected-size", FLAG_INT, offsetof(struct ingest_args, expected_size),
			"check the size"),
	FLAG("expected-digest", FLAG_TEXT, offsetof(struct ingest_args, expected_digest),
			"check the digest"),
	{ 0 },
};

static const struct flag active_flags[] = {
	FLAG("timeout, t", FLAG_DURATION, offsetof(struct active_args, timeout_ns), "(unused)",
			.env = "CONTAINERD_FETCH_TIMEOUT"),
	FLAG("root", FLAG_TEXT, offsetof(struct active_args, root), "(unused)",
			.fallback = "/tmp/content"),
	{ 0 },
};

static const struct flag prune_flags[] = {
	FLAG("async", FLAG_SWITCH, offsetof(struct prune_args, async),
			"do not wait for the garbage collection"),
	FLAG("dry", FLAG_SWITCH, offsetof(struct prune_args, dry),
			"only tell what would be done"),
	{ 0 },
};

static const struct command prune_commands[] = {
	{ .names = "references",
			.help = "drop references to layers that snapshots have made "
				"dispensable",
			.flags = prune_flags,
			.args_size = sizeof(struct prune_args),
			.run = run_prune },
	{ 0 },
};

const struct command content_commands[] = {
	{ .names = "active",
			.help = "list ingests",
			.args = "[flags] [<regexp>]",
			.flags = active_flags,
			.args_size = sizeof(struct active_args),
			.run = run_active },
	{ .names = "delete, del, remove, rm",
			.help = "remove blobs",
			.args = "[<digest>, ...]",
			.run = run_remove },
	{ .names = "get", .help = "print a blob", .args = "[<digest>, ...]", .run = run_get },
	{ .names = "ingest",
			.help = "make a blob of what comes in",
			.args = "[flags] <key>",
			.flags = ingest_flags,
			.args_size = sizeof(struct ingest_args),
			.run = run_ingest },
	{ .names = "list, ls",
			.help = "list blobs",
			.args = "[flags]",
			.flags = list_flags,
			.args_size = sizeof(struct list_args),
			.run = run_list },
	{ .names = "label",
			.help = "set and clear labels of a blob",
			.args = "<digest> [<label>=<value> ...]",
			.run = run_label },
	{ .names = "prune", .help = "make content dispensable", .commands = prune_commands },
	{ .names = "verify",
			.help = "look for damage in blobs and snapshots of all namespaces",
			.run = run_content_verify },
	{ 0 },
};
