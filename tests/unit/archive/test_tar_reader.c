/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <errno.h>
#include <string.h>

#include "archive/tar_reader.h"
#include "base/auto.h"
#include "support/tar_memory.h"
#include "support/tarball.h"

struct reading {
	struct buf t;
	struct tar_memory memory;
	struct tar_reader *reader;
	const struct tar_entry *entry;
	struct err err;
};

static void start(struct reading *r)
{
	r->memory = tar_memory(r->t.data, r->t.size);
	r->memory.piece = 100; /* sources need not fill what they are given */
	r->reader = tar_reader_new(&r->memory.base);
}

static void next(struct reading *r)
{
	assert_ok(tar_reader_next(r->reader, &r->entry, &r->err), &r->err);
}

static void no_more(struct reading *r)
{
	assert_int_equal(tar_reader_next(r->reader, &r->entry, &r->err), 0);
	assert_int_equal(tar_reader_next(r->reader, &r->entry, &r->err), 0);
}

static void stop(struct reading *r)
{
	tar_reader_free(r->reader);
	err_clear(&r->err);
	buf_done(&r->t);
}

/* The whole archive must fail with this text. */
static void refused(struct reading *r, enum err_kind kind, const char *text)
{
	int rc;

	start(r);
	do
		rc = tar_reader_next(r->reader, &r->entry, &r->err);
	while (rc > 0);
	assert_int_equal(rc, -1);
	assert_string_equal(err_text(&r->err), text);
	assert_int_equal(r->err.kind, kind);
	stop(r);
}

static void entries_come_with_what_their_block_says(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	struct tarball_header file = { '0', "bin/su", NULL, 04755, 1, 2, 5, 77, 0, 0,
		.gnu = true };
	struct tarball_header device = {
		.type = '4', .name = "dev/sda", .mode = 0660, .major = 8, .minor = 3
	};
	char data[8] = "";

	tarball_header(&r.t, &file);
	tarball_data(&r.t, "hello", 5);
	tarball_header(&r.t, &device);
	tarball_link(&r.t, '1', "bin/sh", "bin/su");
	tarball_link(&r.t, '2', "sbin", "/bin");
	tarball_end(&r.t);
	start(&r);
	next(&r);
	assert_int_equal(r.entry->type, TAR_FILE);
	assert_string_equal(r.entry->path, "bin/su");
	assert_int_equal(r.entry->mode, 04755);
	assert_int_equal(r.entry->uid, 1);
	assert_int_equal(r.entry->gid, 2);
	assert_int_equal(r.entry->size, 5);
	assert_int_equal(r.entry->data_size, 5);
	assert_int_equal(r.entry->offset, 512);
	assert_int_equal(r.entry->mtime.tv_sec, 77);
	assert_int_equal(tar_reader_data(r.reader, data, sizeof(data), &r.err), 5);
	assert_string_equal(data, "hello");
	assert_int_equal(tar_reader_data(r.reader, data, sizeof(data), &r.err), 0);
	next(&r);
	assert_int_equal(r.entry->type, TAR_BLOCK_DEVICE);
	assert_int_equal(r.entry->major, 8);
	assert_int_equal(r.entry->minor, 3);
	next(&r);
	assert_int_equal(r.entry->type, TAR_HARDLINK);
	assert_string_equal(r.entry->link, "bin/su");
	next(&r);
	assert_int_equal(r.entry->type, TAR_SYMLINK);
	assert_string_equal(r.entry->link, "/bin");
	no_more(&r);
	stop(&r);
}

static void names_are_put_together_from_prefix_and_name(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	struct tarball_header h = { .type = '0', .name = "name" };

	tarball_header(&r.t, &h);
	memcpy(tarball_last_block(&r.t) + 345, "some/where", 10);
	tarball_sum(tarball_last_block(&r.t));
	h.gnu = true; /* this dialect has no prefix; what is there must be times */
	tarball_header(&r.t, &h);
	memcpy(tarball_last_block(&r.t) + 345, "00000000012", 11);
	tarball_sum(tarball_last_block(&r.t));
	start(&r);
	next(&r);
	assert_string_equal(r.entry->path, "some/where/name");
	next(&r);
	assert_string_equal(r.entry->path, "name");
	assert_true(r.entry->has_atime);
	assert_int_equal(r.entry->atime.tv_sec, 10);
	no_more(&r); /* an archive may end without empty blocks */
	stop(&r);
}

static void pax_records_win_over_the_block_for_one_entry(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	struct buf body = TARBALL_INIT;
	char path[301] = "";

	memset(path, 'p', 300);
	tarball_record(&body, "path", path, 300);
	tarball_record(&body, "mtime", "12.5", 4);
	tarball_record(&body, "atime", "-1.25", 5);
	tarball_record(&body, "uid", "4000000000", 10);
	tarball_record(&body, "gid", "", 0);
	tarball_record(&body, "comment", "x", 1);
	tarball_record(&body, "SCHILY.xattr.user.a", "1\0\n", 3);
	tarball_record(&body, "SCHILY.xattr.user.b", "", 0);
	tarball_special(&r.t, 'x', body.data, body.size);
	tarball_file(&r.t, "short", "1");
	tarball_file(&r.t, "second", "2");
	start(&r);
	next(&r);
	assert_string_equal(r.entry->path, path);
	assert_int_equal(r.entry->mtime.tv_sec, 12);
	assert_int_equal(r.entry->mtime.tv_nsec, 500000000);
	assert_int_equal(r.entry->atime.tv_sec, -2);
	assert_int_equal(r.entry->atime.tv_nsec, 750000000);
	assert_int_equal(r.entry->uid, 4000000000);
	assert_int_equal(r.entry->gid, 0);
	assert_int_equal(r.entry->xattr_count, 2);
	assert_string_equal(r.entry->xattrs[0].name, "user.a");
	assert_int_equal(r.entry->xattrs[0].size, 3);
	assert_memory_equal(r.entry->xattrs[0].value, "1\0\n", 3);
	assert_int_equal(r.entry->xattrs[1].size, 0);
	next(&r);
	assert_string_equal(r.entry->path, "second");
	assert_int_equal(r.entry->xattr_count, 0);
	no_more(&r);
	buf_done(&body);
	stop(&r);
}

/* The second header replaces the first; two readers that disagree here would be a hole. */
static void of_two_pax_headers_the_last_counts(void **state)
{
	struct reading r = { .t = TARBALL_INIT };

	tarball_pax(&r.t, "path", "first");
	tarball_pax(&r.t, "linkpath", "x");
	tarball_file(&r.t, "block", "");
	tarball_pax(&r.t, "path", "first");
	tarball_pax(&r.t, "path", "second");
	tarball_file(&r.t, "block", "");
	start(&r);
	next(&r);
	assert_string_equal(r.entry->path, "block");
	next(&r);
	assert_string_equal(r.entry->path, "second");
	stop(&r);
}

static void global_records_are_shown_and_not_obeyed(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	struct buf body = TARBALL_INIT;

	tarball_record(&body, "path", "evil", 4);
	tarball_special(&r.t, 'g', body.data, body.size);
	tarball_file(&r.t, "good", "");
	start(&r);
	next(&r);
	assert_int_equal(r.entry->type, TAR_GLOBAL);
	next(&r);
	assert_string_equal(r.entry->path, "good");
	no_more(&r);
	buf_done(&body);
	stop(&r);
}

static void gnu_long_names_end_at_their_zero(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	char name[1000];

	memset(name, 'n', sizeof(name));
	name[998] = '\0';
	tarball_special(&r.t, 'L', name, sizeof(name));
	tarball_special(&r.t, 'K', "target", 6);
	tarball_link(&r.t, '2', "short", "short");
	start(&r);
	next(&r);
	assert_string_equal(r.entry->path, name);
	assert_string_equal(r.entry->link, "target");
	stop(&r);
}

static void a_slash_makes_a_directory_only_in_archives_without_types(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	struct tarball_header h = { .type = '\0', .name = "d/", .v7 = true };

	tarball_header(&r.t, &h);
	h.name = "f";
	tarball_header(&r.t, &h);
	h.type = '0';
	h.name = "odd/";
	tarball_header(&r.t, &h);
	start(&r);
	next(&r);
	assert_int_equal(r.entry->type, TAR_DIR);
	next(&r);
	assert_int_equal(r.entry->type, TAR_FILE);
	next(&r);
	assert_int_equal(r.entry->type, TAR_FILE);
	stop(&r);
}

static void numbers_may_be_binary(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	struct tarball_header h = { .type = '0', .name = "big" };
	unsigned char *block;

	tarball_header(&r.t, &h);
	block = tarball_last_block(&r.t);
	memcpy(block + 108, "\x80\0\0\0\xee\x6b\x28\0", 8); /* uid 4000000000 */
	memcpy(block + 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12); /* -2 */
	tarball_sum(block);
	start(&r);
	next(&r);
	assert_int_equal(r.entry->uid, 4000000000);
	assert_int_equal(r.entry->mtime.tv_sec, -2);
	stop(&r);
}

/* CVE-2024-40635: an id that does not fit must not become another one. */
static void ids_out_of_range_are_refused(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	struct reading n = { .t = TARBALL_INIT };

	tarball_pax(&r.t, "uid", "4294967296");
	tarball_file(&r.t, "f", "");
	refused(&r, ERR_UNKNOWN, "archive/tar: uid 4294967296 out of range");
	tarball_pax(&n.t, "gid", "-1");
	tarball_file(&n.t, "f", "");
	refused(&n, ERR_UNKNOWN, "archive/tar: gid -1 out of range");
}

static void a_wrong_checksum_is_refused(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	struct tarball_header h = { .type = '0', .name = "f" };

	tarball_header(&r.t, &h);
	tarball_last_block(&r.t)[0] = 'g';
	refused(&r, ERR_UNKNOWN, "archive/tar: invalid tar header");
}

static void truncated_archives_are_refused(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	struct reading p = { .t = TARBALL_INIT };
	struct reading h = { .t = TARBALL_INIT };

	tarball_file(&r.t, "f", "hello");
	r.t.size = TAR_BLOCK + 4;
	refused(&r, ERR_UNKNOWN, "unexpected EOF");
	tarball_pax(&p.t, "path", "hello");
	p.t.size = TAR_BLOCK + 4;
	refused(&p, ERR_UNKNOWN, "unexpected EOF");
	tarball_file(&h.t, "f", "");
	h.t.size = 300;
	refused(&h, ERR_UNKNOWN, "unexpected EOF");
}

static void sizes_that_lie_are_refused(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	struct reading n = { .t = TARBALL_INIT };

	tarball_pax(&r.t, "size", "9223372036854775807");
	tarball_file(&r.t, "f", "");
	refused(&r, ERR_UNKNOWN, "archive/tar: invalid tar header");
	tarball_pax(&n.t, "size", "-1");
	tarball_file(&n.t, "f", "");
	refused(&n, ERR_UNKNOWN, "archive/tar: invalid tar header");
}

static void malformed_records_are_refused(void **state)
{
	static const char *const bad[] = { "5 ab\n", "6 a=b", "06 a=b\n2", "999 a=b\n", "a=b\n",
		"4 =\n", "7 a\0=b\n", "18 path=a\0bcdefghi\n", "12 mtime=1.x\n",
		"30 mtime=99999999999999999999\n" };
	static const size_t sizes[] = { 5, 5, 8, 8, 4, 4, 7, 18, 12, 30 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct reading r = { .t = TARBALL_INIT };

		tarball_special(&r.t, 'x', bad[i], sizes[i]);
		tarball_file(&r.t, "f", "");
		refused(&r, ERR_UNKNOWN, "archive/tar: invalid tar header");
	}
}

static void giant_records_names_and_attributes_are_refused(void **state)
{
	struct reading body = { .t = TARBALL_INIT };
	struct reading name = { .t = TARBALL_INIT };
	struct reading many = { .t = TARBALL_INIT };
	struct reading value = { .t = TARBALL_INIT };
	struct tarball_header h = { .type = 'x', .name = "x", .size = TAR_MAX_SPECIAL + 1 };
	struct buf records = TARBALL_INIT;
	AUTO_FREE char *text = xzalloc(TAR_MAX_XATTR_VALUE + 2);

	memset(text, 'a', TAR_MAX_XATTR_VALUE + 1);
	tarball_header(&body.t, &h);
	refused(&body, ERR_EXHAUSTED, "archive/tar: header field too long");

	text[TAR_MAX_PATH + 1] = '\0';
	tarball_pax(&name.t, "path", text);
	tarball_file(&name.t, "f", "");
	refused(&name, ERR_UNKNOWN, "archive entry: file name too long");
	text[TAR_MAX_PATH + 1] = 'a';

	for (int i = 0; i <= TAR_MAX_XATTRS; i++) {
		AUTO_FREE char *key = xasprintf("SCHILY.xattr.user.%d", i);

		tarball_record(&records, key, "v", 1);
	}
	tarball_special(&many.t, 'x', records.data, records.size);
	refused(&many, ERR_EXHAUSTED, "too many extended attributes: resource exhausted");

	tarball_pax(&value.t, "SCHILY.xattr.user.a", text);
	refused(&value, ERR_EXHAUSTED, "extended attribute too long: resource exhausted");
	buf_done(&records);
}

static void a_single_empty_block_ends_only_the_stream(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	struct reading more = { .t = TARBALL_INIT };

	tarball_file(&r.t, "f", "");
	tarball_end(&r.t);
	r.t.size -= TAR_BLOCK;
	start(&r);
	next(&r);
	no_more(&r);
	stop(&r);

	tarball_end(&more.t);
	more.t.size -= TAR_BLOCK;
	tarball_file(&more.t, "f", "");
	refused(&more, ERR_UNKNOWN, "archive/tar: invalid tar header");
}

/* What comes behind the end is not read. */
static void nothing_behind_the_end_is_looked_at(void **state)
{
	struct reading r = { .t = TARBALL_INIT };

	tarball_file(&r.t, "f", "");
	tarball_end(&r.t);
	buf_add_str(&r.t, "garbage");
	start(&r);
	next(&r);
	no_more(&r);
	assert_int_equal(tar_reader_offset(r.reader), 3 * TAR_BLOCK);
	stop(&r);
}

static void sparse_records(struct buf *body, const char *version, const char *size)
{
	char major[2] = { version[0] }, minor[2] = { version[2] };

	tarball_record(body, "GNU.sparse.major", major, 1);
	tarball_record(body, "GNU.sparse.minor", minor, 1);
	tarball_record(body, "GNU.sparse.realsize", size, strlen(size));
	tarball_record(body, "GNU.sparse.name", "real", 4);
}

static void expect_sparse(struct reading *r)
{
	char data[16] = "";

	start(r);
	next(r);
	assert_true(r->entry->is_sparse);
	assert_string_equal(r->entry->path, "real");
	assert_int_equal(r->entry->type, TAR_FILE);
	assert_int_equal(r->entry->size, 1000);
	assert_int_equal(r->entry->data_size, 6);
	assert_int_equal(r->entry->extent_count, 2);
	assert_int_equal(r->entry->extents[0].at, 100);
	assert_int_equal(r->entry->extents[1].at, 997);
	assert_int_equal(r->entry->extents[1].size, 3);
	assert_int_equal(tar_reader_data(r->reader, data, sizeof(data), &r->err), 6);
	assert_string_equal(data, "abcdef");
	no_more(r);
	stop(r);
}

static void sparse_files_of_every_version_have_extents(void **state)
{
	struct reading in_data = { .t = TARBALL_INIT };
	struct reading map = { .t = TARBALL_INIT };
	struct reading pairs = { .t = TARBALL_INIT };
	struct reading old = { .t = TARBALL_INIT };
	struct tarball_header h = { .type = 'S', .name = "real", .size = 6, .gnu = true };
	struct buf body = TARBALL_INIT, content = TARBALL_INIT;
	unsigned char *block;

	sparse_records(&body, "1.0", "1000");
	tarball_special(&in_data.t, 'x', body.data, body.size);
	buf_add_str(&content, "2\n100\n3\n997\n3\n");
	tarball_pad(&content);
	buf_add_str(&content, "abcdef");
	tarball_file(&in_data.t, "fake", "");
	in_data.t.size -= TAR_BLOCK;
	tarball_header(&in_data.t,
			&(struct tarball_header){ .type = '0', .name = "fake", .size = 518 });
	tarball_data(&in_data.t, content.data, content.size);
	expect_sparse(&in_data);

	buf_clear(&body);
	sparse_records(&body, "0.1", "1000");
	tarball_record(&body, "GNU.sparse.numblocks", "2", 1);
	tarball_record(&body, "GNU.sparse.map", "100,3,997,3", 11);
	tarball_special(&map.t, 'x', body.data, body.size);
	tarball_file(&map.t, "fake", "abcdef");
	expect_sparse(&map);

	buf_clear(&body);
	sparse_records(&body, "0.0", "1000");
	tarball_record(&body, "GNU.sparse.numblocks", "2", 1);
	tarball_record(&body, "GNU.sparse.offset", "100", 3);
	tarball_record(&body, "GNU.sparse.numbytes", "3", 1);
	tarball_record(&body, "GNU.sparse.offset", "997", 3);
	tarball_record(&body, "GNU.sparse.numbytes", "3", 1);
	tarball_special(&pairs.t, 'x', body.data, body.size);
	tarball_file(&pairs.t, "fake", "abcdef");
	expect_sparse(&pairs);

	tarball_header(&old.t, &h);
	block = tarball_last_block(&old.t);
	memcpy(block + 386, "00000000144\00000000000003", 23);
	memcpy(block + 410, "00000001745\00000000000003", 23);
	memcpy(block + 483, "00000001750", 11);
	tarball_sum(block);
	tarball_data(&old.t, "abcdef", 6);
	expect_sparse(&old);
	buf_done(&body);
	buf_done(&content);
}

static void sparse_maps_that_lie_are_refused(void **state)
{
	static const struct {
		const char *map, *text;
	} cases[] = {
		{ "100,3,99,3", "archive/tar: invalid tar header" },
		{ "100,3,998,3", "archive/tar: invalid tar header" },
		{ "-1,3,997,3", "archive/tar: invalid tar header" },
		{ "9223372036854775807,3,997,3", "archive/tar: invalid tar header" },
		{ "100,3,997", "archive/tar: invalid tar header" },
		{ "100,3,996,3,999,1", "archive/tar: invalid tar header" },
		{ "100,3,997,2", "archive/tar: sparse file contains unreferenced data" },
		{ "100,4,997,3", "archive/tar: sparse file references non-existent data" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reading r = { .t = TARBALL_INIT };
		struct buf body = TARBALL_INIT;

		sparse_records(&body, "0.1", "1000");
		tarball_record(&body, "GNU.sparse.numblocks", "2", 1);
		tarball_record(&body, "GNU.sparse.map", cases[i].map, strlen(cases[i].map));
		tarball_special(&r.t, 'x', body.data, body.size);
		tarball_file(&r.t, "fake", "abcdef");
		refused(&r, ERR_UNKNOWN, cases[i].text);
		buf_done(&body);
	}
}

static void sparse_files_in_too_many_pieces_are_refused(void **state)
{
	struct reading r = { .t = TARBALL_INIT };
	struct buf body = TARBALL_INIT, map = TARBALL_INIT;

	sparse_records(&body, "1.0", "1000");
	tarball_special(&r.t, 'x', body.data, body.size);
	buf_addf(&map, "%d\n", TAR_MAX_EXTENTS + 1);
	for (int i = 0; i <= TAR_MAX_EXTENTS; i++)
		buf_add_str(&map, "0\n0\n");
	tarball_pad(&map);
	tarball_header(&r.t, &(struct tarball_header){ .type = '0',
					     .name = "f",
					     .size = (long long)map.size });
	buf_add(&r.t, map.data, map.size);
	refused(&r, ERR_EXHAUSTED, "sparse file in too many pieces: resource exhausted");
	buf_done(&body);
	buf_done(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(entries_come_with_what_their_block_says),
		TEST(names_are_put_together_from_prefix_and_name),
		TEST(pax_records_win_over_the_block_for_one_entry),
		TEST(of_two_pax_headers_the_last_counts),
		TEST(global_records_are_shown_and_not_obeyed),
		TEST(gnu_long_names_end_at_their_zero),
		TEST(a_slash_makes_a_directory_only_in_archives_without_types),
		TEST(numbers_may_be_binary),
		TEST(ids_out_of_range_are_refused),
		TEST(a_wrong_checksum_is_refused),
		TEST(truncated_archives_are_refused),
		TEST(sizes_that_lie_are_refused),
		TEST(malformed_records_are_refused),
		TEST(giant_records_names_and_attributes_are_refused),
		TEST(a_single_empty_block_ends_only_the_stream),
		TEST(nothing_behind_the_end_is_looked_at),
		TEST(sparse_files_of_every_version_have_extents),
		TEST(sparse_maps_that_lie_are_refused),
		TEST(sparse_files_in_too_many_pieces_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
