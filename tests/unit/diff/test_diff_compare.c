/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/diff/diff_place.h"

#include <sys/sysmacros.h>

#include "archive/tar_reader.h"
#include "support/tar_memory.h"

static int set_up(void **state)
{
	struct diff_place *p;

	if (diff_place_set_up(state) < 0)
		return -1;
	p = *state;
	if (geteuid() == 0 && own_mounts(&p->dir)) {
		assert_int_equal(mkdirat(p->dir.fd, "lower", 0755), 0);
		assert_int_equal(mkdirat(p->dir.fd, "upper", 0755), 0);
	}
	return 0;
}

static void put_in_both(struct diff_place *p, const char *name, const char *text)
{
	const struct timespec times[2] = { { 1000, 5 }, { 1000, 5 } };

	for (int i = 0; i < 2; i++) {
		AUTO_FREE char *path = xasprintf("%s/%s", i == 0 ? "lower" : "upper", name);

		put_file(p->dir.fd, path, text);
		assert_int_equal(utimensat(p->dir.fd, path, times, 0), 0);
	}
}

static int compare(struct diff_place *p, const char *media_type, int64_t epoch_ns)
{
	struct diff_create_options options = {
		.media_type = media_type, .ref = "", .source_date_epoch_ns = epoch_ns
	};
	struct mounts upper = { 0 };
	AUTO_FREE char *path = xasprintf("%s/upper", p->dir.path);
	int rc;

	mounts_done(&p->mounts);
	diff_place_add_mount(p, "bind", "lower", "");
	strv_add(&p->mounts.items[0].options, "rbind");
	strv_add(&mounts_add(&upper, "bind", path, "")->options, "rbind");
	descriptor_done(&p->result);
	rc = diff_compare(
			p->differ, &p->ctx, &p->mounts, &upper, &options, &p->result, &p->err);
	mounts_done(&upper);
	return rc;
}

static void read_blob(struct diff_place *p, struct buf *out)
{
	struct content_reader *r = NULL;

	assert_ok(content_open(p->content, &p->ctx, p->result.digest, &r, &p->err), &p->err);
	assert_int_equal(r->size, p->result.size);
	assert_non_null(buf_reserve(out, (size_t)r->size));
	assert_int_equal(content_read_at(r, out->data, (size_t)r->size, 0, &p->err), r->size);
	buf_commit(out, (size_t)r->size);
	content_reader_close(r);
}

/* "type mode name[ -> link] mtime" per line. */
static char *list_tar(struct diff_place *p)
{
	struct buf tar AUTO_BUF = { .limit = SIZE_MAX };
	struct buf lines = { .limit = SIZE_MAX };
	const struct tar_entry *e;
	struct tar_memory memory;
	struct tar_reader *r;

	read_blob(p, &tar);
	memory = tar_memory(tar.data, tar.size);
	r = tar_reader_new(&memory.base);
	while (tar_reader_next(r, &e, &p->err) > 0)
		buf_addf(&lines, "%c %o %s%s%s %lld\n", e->type, e->mode, e->path,
				*e->link != '\0' ? " -> " : "", e->link,
				(long long)e->mtime.tv_sec);
	assert_int_equal(p->err.kind, ERR_NONE);
	tar_reader_free(r);
	return buf_take_str(&lines);
}

static void set_time(struct diff_place *p, const char *path, time_t s)
{
	const struct timespec times[2] = { { s, 0 }, { s, 0 } };

	assert_int_equal(utimensat(p->dir.fd, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void changes_come_sorted_with_their_parents(void **state)
{
	struct diff_place *p = *state;
	AUTO_FREE char *lines = NULL, *name = xzalloc(181);

	if (geteuid() != 0)
		skip();
	memset(name, 'n', 180);
	put_in_both(p, "same", "1");
	put_file(p->dir.fd, "lower/gone", "");
	assert_int_equal(mkdirat(p->dir.fd, "lower/d", 0755), 0);
	assert_int_equal(mkdirat(p->dir.fd, "upper/d", 0755), 0);
	put_file(p->dir.fd, "lower/d/gone", "");
	put_in_both(p, "d/same", "1");
	assert_int_equal(mkdirat(p->dir.fd, "lower/tree", 0755), 0);
	put_file(p->dir.fd, "lower/tree/x", "");
	put_in_both(p, "d/touched", "1");
	assert_int_equal(fchmodat(p->dir.fd, "upper/d/touched", 0600, 0), 0);
	put_file(p->dir.fd, "upper/new", "hello");
	assert_int_equal(symlinkat("target", p->dir.fd, "upper/link"), 0);
	assert_int_equal(mknodat(p->dir.fd, "upper/null", S_IFCHR | 0600, makedev(1, 3)), 0);
	for (const char *const *t = (const char *const[]){ "upper/new", "upper/link",
			     "upper/null", "upper/d", NULL };
			*t != NULL; t++)
		set_time(p, *t, 77);
	assert_ok(compare(p, MEDIA_OCI_LAYER, 0), &p->err);
	assert_string_equal(p->result.media_type, MEDIA_OCI_LAYER);
	lines = list_tar(p);
	assert_string_equal(lines, "5 755 d/ 77\n"
				   "0 0 d/.wh.gone 0\n"
				   "0 600 d/touched 1000\n"
				   "0 0 .wh.gone 0\n"
				   "2 777 link -> target 77\n"
				   "0 644 new 77\n"
				   "3 600 null 77\n"
				   "0 0 .wh.tree 0\n");
}

static void names_of_one_file_stay_together(void **state)
{
	struct diff_place *p = *state;
	AUTO_FREE char *lines = NULL;

	if (geteuid() != 0)
		skip();
	put_file(p->dir.fd, "upper/a", "x");
	set_time(p, "upper/a", 5);
	assert_int_equal(linkat(p->dir.fd, "upper/a", p->dir.fd, "upper/b", 0), 0);
	put_in_both(p, "c", "unchanged");
	assert_int_equal(linkat(p->dir.fd, "upper/c", p->dir.fd, "upper/d", 0), 0);
	assert_ok(compare(p, MEDIA_OCI_LAYER, 0), &p->err);
	lines = list_tar(p);
	assert_string_equal(lines, "0 644 a 5\n"
				   "1 644 b -> a 5\n"
				   "0 644 d 1000\n"
				   "1 644 c -> d 1000\n");
}

static void times_are_clamped_to_the_epoch(void **state)
{
	struct diff_place *p = *state;
	AUTO_FREE char *lines = NULL;

	if (geteuid() != 0)
		skip();
	put_file(p->dir.fd, "upper/new", "");
	put_file(p->dir.fd, "upper/old", "");
	set_time(p, "upper/old", 10);
	assert_ok(compare(p, MEDIA_OCI_LAYER, 50 * INT64_C(1000000000)), &p->err);
	lines = list_tar(p);
	assert_string_equal(lines, "0 644 new 50\n0 644 old 10\n");
}

/* What was made can be applied again, packed or not, long names and large files included. */
static void layers_go_round(void **state)
{
	static const char *const types[] = { MEDIA_OCI_LAYER, "", MEDIA_OCI_LAYER_ZSTD };
	struct diff_place *p = *state;
	AUTO_FREE char *name = xzalloc(200), *big = xzalloc(3 << 20);
	AUTO_FREE char *from = NULL, *to = NULL;

	if (geteuid() != 0)
		skip();
	memset(name, 'n', 199);
	memset(big, 'b', (3 << 20) - 1);
	from = xasprintf("upper/%s", name);
	to = xasprintf("root/%s", name);
	put_file(p->dir.fd, from, "long name");
	put_file(p->dir.fd, "upper/big", big);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct descriptor made = { 0 };

		assert_ok(compare(p, types[i], 0), &p->err);
		assert_string_equal(
				p->result.media_type, str_or(types[i], MEDIA_OCI_LAYER_GZIP));
		descriptor_copy(&made, &p->result);
		mounts_done(&p->mounts);
		diff_place_add_mount(p, "bind", "root", "");
		assert_ok(diff_place_apply(p, &made), &p->err);
		diff_place_holds(p, to, "long name");
		diff_place_holds(p, "root/big", big);
		/* The same trees give the same bytes. The bare store keeps no labels, so it
		 * must not find the blob. */
		assert_ok(content_remove(p->content, &p->ctx, made.digest, &p->err), &p->err);
		assert_ok(compare(p, types[i], 0), &p->err);
		assert_string_equal(p->result.digest, made.digest);
		descriptor_done(&made);
	}
}

static void other_types_are_refused(void **state)
{
	struct diff_place *p = *state;

	assert_int_equal(compare(p, "text/plain", 0), -1);
	assert_int_equal(p->err.kind, ERR_UNIMPLEMENTED);
	assert_string_equal(err_text(&p->err),
			"unsupported diff media type: text/plain: not implemented");
}

#define AT_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, diff_place_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT_PLACE(changes_come_sorted_with_their_parents),
		AT_PLACE(names_of_one_file_stay_together),
		AT_PLACE(times_are_clamped_to_the_epoch),
		AT_PLACE(layers_go_round),
		AT_PLACE(other_types_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
