/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/diff/diff_place.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "core/any.h"
#include "core/mount_manager.h"
#include "diff/diff_priv.h"

static void types_tell_what_is_packed(void **state)
{
	static const struct {
		const char *type;
		enum diff_packing want;
	} cases[] = {
		{ "application/vnd.oci.image.layer.v1.tar", DIFF_IS_TAR },
		{ "application/vnd.oci.image.layer.v1.tar+gzip", DIFF_IS_PACKED },
		{ "application/vnd.oci.image.layer.v1.tar+zstd", DIFF_IS_PACKED },
		{ "application/vnd.oci.image.layer.v1.tar+encrypted", DIFF_IS_TAR },
		{ "application/vnd.oci.image.layer.v1.tar+gzip+encrypted", DIFF_IS_PACKED },
		{ "application/vnd.oci.image.layer.v1.tar+gzip+secret", DIFF_IS_TAR },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar", DIFF_IS_TAR },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
				DIFF_IS_PACKED },
		{ "application/vnd.docker.image.rootfs.diff.tar", DIFF_IS_PACKED },
		{ "application/vnd.docker.image.rootfs.diff.tar.gzip", DIFF_IS_PACKED },
		{ "application/vnd.docker.image.rootfs.diff.tar.zstd", DIFF_IS_PACKED },
		{ "application/vnd.docker.image.rootfs.diff.tar.gzip+encrypted", DIFF_IS_TAR },
		{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", DIFF_IS_PACKED },
		{ "application/vnd.oci.image.config.v1+json", DIFF_IS_UNKNOWN },
		{ "application/vnd.erofs.layer.v1", DIFF_IS_UNKNOWN },
		{ "", DIFF_IS_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (diff_packing(cases[i].type) != cases[i].want)
			fail_msg("%s", cases[i].type);
}

static void make_tar(struct diff_place *p)
{
	buf_clear(&p->tar);
	tarball_file(&p->tar, "d/f", "hello");
	tarball_file(&p->tar, "d/.wh.gone", "");
	tarball_file(&p->tar, "o/.wh..wh..opq", "");
	tarball_end(&p->tar);
}

static void is_applied(struct diff_place *p, const struct descriptor *layer)
{
	char want[DIGEST_TEXT_SIZE];

	assert_ok(diff_place_apply(p, layer), &p->err);
	digest_bytes(DIGEST_SHA256, p->tar.data, p->tar.size, want);
	assert_string_equal(p->result.digest, want);
	assert_string_equal(p->result.media_type, MEDIA_OCI_LAYER);
	assert_int_equal(p->result.size, p->tar.size);
}

static void layers_of_every_kind_are_applied_and_described(void **state)
{
	struct diff_place *p = *state;
	struct buf gzip = TARBALL_INIT, zstd = TARBALL_INIT;
	struct descriptor layer;

	diff_place_add_mount(p, "bind", "root", "");
	make_tar(p);
	layer = diff_place_store(p, MEDIA_OCI_LAYER, p->tar.data, p->tar.size);
	is_applied(p, &layer);
	diff_place_holds(p, "root/d/f", "hello");
	pack(&gzip, codec_new_gzip(), p->tar.data, p->tar.size);
	layer = diff_place_store(p, MEDIA_DOCKER_LAYER_GZIP, gzip.data, gzip.size);
	is_applied(p, &layer);
	layer.media_type = (char *)(uintptr_t)MEDIA_DOCKER_LAYER;
	is_applied(p, &layer); /* packed although its type does not say so */
	pack(&zstd, codec_new_zstd(), p->tar.data, p->tar.size);
	layer = diff_place_store(p, MEDIA_OCI_LAYER_ZSTD, zstd.data, zstd.size);
	is_applied(p, &layer);
	layer = diff_place_store(p, MEDIA_OCI_LAYER_GZIP, p->tar.data, p->tar.size);
	is_applied(p, &layer); /* not packed although its type says so */
	buf_done(&gzip);
	buf_done(&zstd);
}

/* A mount manager that makes one bind of it, to the last one's source. */
static char did[128];

static bool are_odd(struct mount_manager *self, const struct mounts *m)
{
	return strcmp(m->items[0].type, "odd") == 0;
}

static int make_bind(struct mount_manager *self, struct ctx *ctx,
		const struct mount_activate *r, struct activation *ret, struct err *err)
{
	assert_true(str_starts(r->name, "fs-diffapply-"));
	assert_true(r->is_held);
	strcat(did, "made ");
	*ret = (struct activation){ .name = xstrdup(r->name) };
	(void)mounts_add(&ret->system, "bind", r->mounts->items[1].source, "");
	return 0;
}

static int undo_bind(
		struct mount_manager *self, struct ctx *ctx, const char *name, struct err *err)
{
	assert_true(str_starts(name, "fs-diffapply-"));
	strcat(did, "undone ");
	return 0;
}

static void lists_that_need_more_are_made_by_the_mount_manager(void **state)
{
	static const struct mount_manager_ops ops = { are_odd, make_bind, undo_bind, NULL,
		NULL };
	struct diff_place *p = *state;
	struct mount_manager manager = { &ops };
	struct descriptor layer;

	did[0] = '\0';
	p->options.mounts = &manager;
	diff_place_renew(p);
	diff_place_add_mount(p, "odd", "nowhere", "");
	diff_place_add_mount(p, "format/bind", "root", "");
	make_tar(p);
	layer = diff_place_store(p, MEDIA_OCI_LAYER, p->tar.data, p->tar.size);
	is_applied(p, &layer);
	diff_place_holds(p, "root/d/f", "hello");
	assert_string_equal(did, "made undone ");
	layer = diff_place_store(p, MEDIA_OCI_LAYER, "rubbish", 7);
	assert_int_equal(diff_place_apply(p, &layer), -1);
	assert_string_equal(did, "made undone made undone ");
}

static void plain_layers_are_not_looked_into(void **state)
{
	struct diff_place *p = *state;
	struct buf gzip = TARBALL_INIT;
	struct descriptor layer;

	diff_place_add_mount(p, "bind", "root", "");
	make_tar(p);
	pack(&gzip, codec_new_gzip(), p->tar.data, p->tar.size);
	layer = diff_place_store(p, MEDIA_OCI_LAYER, gzip.data, gzip.size);
	assert_int_equal(diff_place_apply(p, &layer), -1);
	assert_string_equal(err_text(&p->err), "unexpected EOF");
	buf_done(&gzip);
}

static void binds_lose_what_is_whited_out(void **state)
{
	struct diff_place *p = *state;
	struct descriptor layer;

	diff_place_add_mount(p, "bind", "root", "");
	assert_int_equal(mkdirat(p->dir.fd, "root/d", 0755), 0);
	assert_int_equal(mkdirat(p->dir.fd, "root/o", 0755), 0);
	put_file(p->dir.fd, "root/d/gone", "");
	put_file(p->dir.fd, "root/o/gone", "");
	make_tar(p);
	layer = diff_place_store(p, MEDIA_OCI_LAYER, p->tar.data, p->tar.size);
	is_applied(p, &layer);
	assert_false(is_there(p->dir.fd, "root/d/gone"));
	assert_false(is_there(p->dir.fd, "root/o/gone"));
}

/* What is to be remembered of them does not fit into memory, and nothing made the place yet. */
static void the_first_layer_may_have_many_directories(void **state)
{
	struct diff_place *p = *state;
	struct descriptor layer;
	struct stat st;

	diff_place_add_mount(p, "bind", "root", "");
	assert_int_equal(unlinkat(p->dir.fd, "tmp", AT_REMOVEDIR), 0);
	for (int i = 0; i < 6000; i++) {
		AUTO_FREE char *name = xasprintf("some-directory-with-a-long-name-%d", i);
		struct tarball_header h = {
			.type = '5', .name = name, .mode = 0755, .mtime = i + 1
		};

		tarball_header(&p->tar, &h);
	}
	tarball_end(&p->tar);
	layer = diff_place_store(p, MEDIA_OCI_LAYER, p->tar.data, p->tar.size);
	is_applied(p, &layer);
	assert_int_equal(fstatat(p->dir.fd, "root/some-directory-with-a-long-name-0", &st, 0),
			0);
	assert_int_equal(st.st_mtime, 1);
}

/* Overlays are written to without being mounted. */
static void upper_directories_get_overlay_whiteouts(void **state)
{
	struct diff_place *p = *state;
	struct descriptor layer;
	AUTO_FREE char *opaque = xasprintf("%s/upper/o", p->dir.path);
	struct stat st;
	char value[2];

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdirat(p->dir.fd, "upper", 0755), 0);
	assert_int_equal(mkdirat(p->dir.fd, "lower", 0755), 0);
	assert_int_equal(mkdirat(p->dir.fd, "lower/d", 0700), 0);
	assert_int_equal(fchownat(p->dir.fd, "lower/d", 5, 6, 0), 0);
	mounts_add(&p->mounts, "overlay", "overlay", "");
	diff_place_add_option(p, "upperdir=", "upper");
	diff_place_add_option(p, "lowerdir=", "lower");
	diff_place_add_option(p, "workdir=", "work");
	make_tar(p);
	layer = diff_place_store(p, MEDIA_OCI_LAYER, p->tar.data, p->tar.size);
	is_applied(p, &layer);
	diff_place_holds(p, "upper/d/f", "hello");
	assert_int_equal(fstatat(p->dir.fd, "upper/d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(st.st_uid, 5);
	assert_int_equal(fstatat(p->dir.fd, "upper/d/gone", &st, 0), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
	assert_int_equal(getxattr(opaque, "trusted.overlay.opaque", value, 2), 1);
}

static void other_mounts_are_mounted_for_the_time(void **state)
{
	struct diff_place *p = *state;
	struct descriptor layer;
	AUTO_STRV char **left = NULL;

	if (geteuid() != 0 || !own_mounts(&p->dir))
		skip();
	assert_int_equal(mkdirat(p->dir.fd, "root/d", 0755), 0);
	assert_int_equal(mkdirat(p->dir.fd, "other", 0755), 0);
	diff_place_add_mount(p, "bind", "root", "");
	diff_place_add_mount(p, "bind", "other", "/d");
	for (int i = 0; i < 2; i++)
		strv_add(&p->mounts.items[i].options, "rbind");
	make_tar(p);
	layer = diff_place_store(p, MEDIA_OCI_LAYER, p->tar.data, p->tar.size);
	is_applied(p, &layer);
	diff_place_holds(p, "other/f", "hello");
	assert_false(is_there(p->dir.fd, "root/d/f"));

	tarball_last_block(&p->tar)[0] = 1;
	p->tar.data[0] = 'x';
	layer = diff_place_store(p, MEDIA_OCI_LAYER, p->tar.data, p->tar.size);
	assert_int_equal(diff_place_apply(p, &layer), -1);
	assert_non_null(strstr(err_text(&p->err), "mount callback failed on "));
	assert_true(str_ends(err_text(&p->err), ": archive/tar: invalid tar header"));
	assert_int_equal(fs_list(p->dir.fd, "tmp", &left), 0);
	assert_int_equal(strv_len(left), 0);
}

static void unknown_types_are_for_another_differ(void **state)
{
	struct diff_place *p = *state;
	struct descriptor layer = diff_place_store(p, "application/vnd.erofs.layer.v1", "x", 1);

	diff_place_add_mount(p, "bind", "root", "");
	assert_int_equal(diff_place_apply(p, &layer), -1);
	assert_int_equal(p->err.kind, ERR_UNIMPLEMENTED);
	assert_string_equal(err_text(&p->err),
			"failed to get stream processor for application/vnd.erofs.layer.v1: no "
			"processor for media-type");
}

static void missing_blobs_and_targets_are_named(void **state)
{
	struct diff_place *p = *state;
	struct descriptor layer = diff_place_store(p, MEDIA_OCI_LAYER, "", 0);

	diff_place_add_mount(p, "bind", "nowhere", "");
	assert_int_equal(diff_place_apply(p, &layer), -1);
	assert_non_null(strstr(err_text(&p->err), "nowhere: no such file or directory"));
	err_clear(&p->err);
	memset(layer.digest + 7, 'a', 64);
	assert_int_equal(diff_place_apply(p, &layer), -1);
	assert_int_equal(p->err.kind, ERR_NOT_FOUND);
	assert_true(str_starts(
			err_text(&p->err), "failed to get reader from content store: content"));
}

/* --- stream processors --- */

#define SECRET MEDIA_OCI_LAYER "+encrypted"

static void use_processors(struct diff_place *p, const struct diff_processor *all, size_t n)
{
	p->options.processors = all;
	p->options.processor_count = n;
	diff_place_renew(p);
}

static char *words(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void programs_turn_layers_into_layers(void **state)
{
	struct diff_place *p = *state;
	char *accepts[] = { words(SECRET), NULL };
	char *accepts_gzip[] = { words(SECRET "+gzip"), NULL };
	char *args[] = { words("-c"),
		words("[ \"$STREAM_PROCESSOR_MEDIATYPE\" = " SECRET
		      " ] && [ $MARK = m ] || exit 9\n"
		      "read key <&3; exec tr $key a-z"),
		NULL };
	char *args_plain[] = { words("-dc"), NULL };
	char *env[] = { words("MARK=m"), NULL };
	struct diff_processor all[] = {
		{ words("rot"), accepts, words(MEDIA_OCI_LAYER), words("sh"), args, env },
		{ words("unzip"), accepts_gzip, words(SECRET), words("gzip"), args_plain,
				NULL },
	};
	struct buf secret = TARBALL_INIT, gzip = TARBALL_INIT;
	struct anys payloads = { 0 };
	struct any key = { 0 };
	struct diff_apply_options options = { .payloads = &payloads };
	struct descriptor layer;

	/* The payload is protobuf: the type, a newline by way of its length, the key. */
	any_set(&key, "", "A-Z\n", 4);
	key.is_set = true;
	anys_set(&payloads, "rot", &key);
	args[1] = words("[ \"$STREAM_PROCESSOR_MEDIATYPE\" = " SECRET
			" ] && [ $MARK = m ] || exit 9\n"
			"key=$(tail -c +3 <&3); exec tr $key a-z");
	diff_place_add_mount(p, "bind", "root", "");
	tarball_file(&p->tar, "f", "hello");
	buf_add(&secret, p->tar.data, p->tar.size);
	for (size_t i = 0; i < secret.size; i++)
		if (secret.data[i] >= 'a' && secret.data[i] <= 'z')
			secret.data[i] -= 'a' - 'A';
	use_processors(p, all, ARRAY_LEN(all));
	pack(&gzip, codec_new_gzip(), secret.data, secret.size);
	layer = diff_place_store(p, SECRET "+gzip", gzip.data, gzip.size);
	assert_ok(diff_apply(p->differ, &p->ctx, &layer, &p->mounts, &options, &p->result,
				  &p->err),
			&p->err);
	diff_place_holds(p, "root/f", "hello");
	anys_done(&payloads);
	any_done(&key);
	buf_done(&secret);
	buf_done(&gzip);
}

static void processed_layers_may_be_packed(void **state)
{
	struct diff_place *p = *state;
	char *accepts[] = { words(SECRET), NULL };
	struct diff_processor cat = { words("cat"), accepts, words(MEDIA_OCI_LAYER_GZIP),
		words("cat"), NULL, NULL };
	struct buf gzip = TARBALL_INIT;
	struct descriptor layer;

	diff_place_add_mount(p, "bind", "root", "");
	make_tar(p);
	pack(&gzip, codec_new_gzip(), p->tar.data, p->tar.size);
	use_processors(p, &cat, 1);
	layer = diff_place_store(p, SECRET, gzip.data, gzip.size);
	is_applied(p, &layer);
	buf_done(&gzip);
}

static void programs_that_fail_say_why(void **state)
{
	struct diff_place *p = *state;
	char *accepts[] = { words(SECRET), NULL };
	char *fails_at_once[] = { words("-c"), words("echo no key >&2; exit 1"), NULL };
	char *fails_late[] = { words("-c"), words("cat; echo bad end >&2; exit 1"), NULL };
	char *is_silent[] = { words("-c"), words("cat; exit 4"), NULL };
	struct diff_processor sh = { words("x"), accepts, words(MEDIA_OCI_LAYER), words("sh"),
		fails_at_once, NULL };
	struct descriptor layer;

	diff_place_add_mount(p, "bind", "root", "");
	make_tar(p);
	layer = diff_place_store(p, SECRET, p->tar.data, p->tar.size);
	use_processors(p, &sh, 1);
	assert_int_equal(diff_place_apply(p, &layer), -1);
	assert_string_equal(err_text(&p->err), "no key\n");
	err_clear(&p->err);
	sh.args = fails_late;
	use_processors(p, &sh, 1);
	assert_int_equal(diff_place_apply(p, &layer), -1);
	assert_string_equal(err_text(&p->err), "bad end\n");
	err_clear(&p->err);
	sh.args = is_silent;
	use_processors(p, &sh, 1);
	assert_int_equal(diff_place_apply(p, &layer), -1);
	assert_string_equal(err_text(&p->err), "sh: exit status 4");
	err_clear(&p->err);
	sh.path = words("no-such-program");
	use_processors(p, &sh, 1);
	assert_int_equal(diff_place_apply(p, &layer), -1);
	assert_string_equal(err_text(&p->err),
			"start stream processor no-such-program: no such file or directory");
}

static void programs_that_call_each_other_are_stopped(void **state)
{
	struct diff_place *p = *state;
	char *accepts[] = { words(SECRET), NULL };
	struct diff_processor cat = { words("cat"), accepts, words(SECRET), words("cat"), NULL,
		NULL };
	struct descriptor layer;

	diff_place_add_mount(p, "bind", "root", "");
	use_processors(p, &cat, 1);
	layer = diff_place_store(p, SECRET, "", 0);
	assert_int_equal(diff_place_apply(p, &layer), -1);
	assert_int_equal(p->err.kind, ERR_INVALID);
	assert_string_equal(err_text(&p->err),
			SECRET ": stream processors go in circles: invalid "
			       "argument");
}

/* --- content stores without files --- */

struct far_reader {
	struct content_reader base;
	struct buf *bytes;
	bool fails;
};

static ssize_t far_read(struct content_reader *self, void *data, size_t size, int64_t offset,
		struct err *err)
{
	struct far_reader *r = (struct far_reader *)self;
	size_t left = r->bytes->size - (size_t)offset;

	if (r->fails && offset > 0)
		return err_set(err, ERR_UNAVAILABLE, "proxy");
	if (size > left)
		size = left;
	if (size > 3000)
		size = 3000;
	memcpy(data, r->bytes->data + offset, size);
	return (ssize_t)size;
}

static void far_close(struct content_reader *self)
{
	free(self);
}

struct far_store {
	struct content_store base;
	struct buf bytes;
	bool fails;
};

static int far_open(struct content_store *self, struct ctx *ctx, const char *digest,
		struct content_reader **ret_reader, struct err *err)
{
	static const struct content_reader_ops ops = { far_read, far_close };
	struct far_store *s = (struct far_store *)self;
	struct far_reader *r = xzalloc(sizeof(*r));

	r->base = (struct content_reader){ &ops, (int64_t)s->bytes.size, -1 };
	r->bytes = &s->bytes;
	r->fails = s->fails;
	*ret_reader = &r->base;
	return 0;
}

static void blobs_need_not_be_files(void **state)
{
	static const struct content_store_ops ops = { .open = far_open };
	struct diff_place *p = *state;
	struct far_store far = { .base = { &ops }, .bytes = TARBALL_INIT };
	struct descriptor layer = diff_place_store(p, MEDIA_OCI_LAYER_GZIP, "any", 3);
	AUTO_FREE char *text = xzalloc(100001);

	memset(text, 'x', 100000);
	diff_place_add_mount(p, "bind", "root", "");
	make_tar(p);
	p->tar.size -= 2 * TAR_BLOCK;
	tarball_file(&p->tar, "long", text);
	pack(&far.bytes, codec_new_gzip(), p->tar.data, p->tar.size);
	p->options.content = &far.base;
	diff_place_renew(p);
	is_applied(p, &layer);
	diff_place_holds(p, "root/long", text);
	buf_clear(&far.bytes);
	buf_add(&far.bytes, p->tar.data, p->tar.size);
	layer.media_type = (char *)(uintptr_t)MEDIA_OCI_LAYER;
	is_applied(p, &layer);
	far.fails = true;
	assert_int_equal(diff_place_apply(p, &layer), -1);
	assert_string_equal(err_text(&p->err), "proxy: unavailable");
	buf_done(&far.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(types_tell_what_is_packed),
		AT_DIFF_PLACE(layers_of_every_kind_are_applied_and_described),
		AT_DIFF_PLACE(lists_that_need_more_are_made_by_the_mount_manager),
		AT_DIFF_PLACE(plain_layers_are_not_looked_into),
		AT_DIFF_PLACE(binds_lose_what_is_whited_out),
		AT_DIFF_PLACE(upper_directories_get_overlay_whiteouts),
		AT_DIFF_PLACE(the_first_layer_may_have_many_directories),
		AT_DIFF_PLACE(unknown_types_are_for_another_differ),
		AT_DIFF_PLACE(missing_blobs_and_targets_are_named),
		AT_DIFF_PLACE(programs_turn_layers_into_layers),
		AT_DIFF_PLACE(processed_layers_may_be_packed),
		AT_DIFF_PLACE(programs_that_fail_say_why),
		AT_DIFF_PLACE(programs_that_call_each_other_are_stopped),
		AT_DIFF_PLACE(blobs_need_not_be_files),
		AT_DIFF_PLACE(other_mounts_are_mounted_for_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
