/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way of a layer with its helpers, good ones and bad ones. */
#include "unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "archive/layer_told.h"
#include "archive/unpack_priv.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/str.h"
#include "base/thread.h"
#include "os/pipe.h"
#include "support/pack.h"
#include "support/tarball.h"
#include "support/tempdir.h"

struct place {
	struct tempdir dir;
	int root;
	struct buf tar, blob;
	struct unpack_source source;
	struct unpack_options options;
	struct unpack_result result;
	struct ctx ctx;
	struct err err;
	char *helper;
};

static int set_up(void **state)
{
	struct place *p = xzalloc(sizeof(*p));

	tempdir_make(&p->dir);
	p->tar.limit = p->blob.limit = SIZE_MAX;
	p->source.fd = -1;
	p->options.helper = getenv("CTRD_LAYER_HELPER");
	p->ctx.what = "test";
	assert_int_equal(mkdirat(p->dir.fd, "root", 0755), 0);
	p->root = fs_open_dir(p->dir.fd, "root");
	*state = p;
	return p->root < 0 || p->options.helper == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	int status;

	assert_int_equal(waitpid(-1, &status, WNOHANG), -1); /* no child is left */
	assert_int_equal(errno, ECHILD);
	close_fd(&p->root);
	close_fd(&p->source.fd);
	tempdir_remove(&p->dir);
	buf_done(&p->tar);
	buf_done(&p->blob);
	err_clear(&p->err);
	free(p->helper);
	free(p);
	return 0;
}

/* The blob as a file. */
static void store(struct place *p)
{
	p->source.fd = openat(p->dir.fd, "blob", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(io_write_all(p->source.fd, p->blob.data, p->blob.size), 0);
	p->source.size = (int64_t)p->blob.size;
}

static int unpack(struct place *p)
{
	return unpack_layer(&p->source, p->root, &p->options, &p->ctx, &p->result, &p->err);
}

static void expect(struct place *p, const char *name, const char *want)
{
	AUTO_FREE char *text = get_file(p->root, name);

	if (text == NULL)
		fail_msg("%s is missing", name);
	assert_string_equal(text, want);
}

static void refused(struct place *p, enum err_kind kind, const char *text)
{
	int rc = unpack(p);

	assert_int_equal(rc, -1);
	assert_string_equal(err_text(&p->err), text);
	assert_int_equal(p->err.kind, kind);
	err_clear(&p->err);
}

/* A tar that is larger than all rings together. */
static void make_tar(struct place *p)
{
	struct tarball_header h = { .type = '0', .name = "big", .size = 5 << 20 };
	AUTO_FREE char *data = xmalloc(5 << 20);
	unsigned x = 1;

	for (size_t i = 0; i < 5 << 20; i++) {
		x = x * 1103515245 + 12345;
		data[i] = (char)(x >> 28);
	}
	tarball_file(&p->tar, "d/first", "1");
	tarball_header(&p->tar, &h);
	tarball_data(&p->tar, data, 5 << 20);
	for (int i = 0; i < 500; i++) {
		AUTO_FREE char *name = xasprintf("d/%d", i);

		tarball_file(&p->tar, name, name);
	}
	tarball_end(&p->tar);
	buf_add(&p->tar, data, 1 << 20); /* behind the archive: only hashed */
}

static void unpacks_all(struct place *p)
{
	char want[DIGEST_TEXT_SIZE];
	struct stat st;

	assert_ok(unpack(p), &p->err);
	digest_bytes(DIGEST_SHA256, p->tar.data, p->tar.size, want);
	assert_string_equal(p->result.digest, want);
	assert_int_equal(p->result.size, p->tar.size);
	expect(p, "d/first", "1");
	expect(p, "d/499", "d/499");
	assert_int_equal(fstatat(p->root, "big", &st, 0), 0);
	assert_int_equal(st.st_size, 5 << 20);
}

static void plain_layers_unpack(void **state)
{
	struct place *p = *state;

	make_tar(p);
	buf_add(&p->blob, p->tar.data, p->tar.size);
	store(p);
	unpacks_all(p);
}

static void gzip_layers_of_several_members_unpack(void **state)
{
	struct place *p = *state;
	size_t half;

	make_tar(p);
	half = p->tar.size / 2 + 1;
	pack(&p->blob, codec_new_gzip(), p->tar.data, half);
	pack(&p->blob, codec_new_gzip(), "", 0);
	for (size_t i = half; i < half + 100; i++)
		pack(&p->blob, codec_new_gzip(), p->tar.data + i, 1);
	pack(&p->blob, codec_new_gzip(), p->tar.data + half + 100, p->tar.size - half - 100);
	buf_add(&p->blob, "\0\0\0\0", 4);
	store(p);
	unpacks_all(p);
}

static void zstd_layers_of_several_frames_unpack(void **state)
{
	struct place *p = *state;
	size_t half;

	make_tar(p);
	half = p->tar.size / 2 + 1;
	buf_add(&p->blob, "\x50\x2a\x4d\x18\x03\0\0\0abc", 11); /* to be skipped */
	pack(&p->blob, codec_new_zstd(), p->tar.data, half);
	pack(&p->blob, codec_new_zstd(), p->tar.data + half, p->tar.size - half);
	store(p);
	unpacks_all(p);
}

struct writing {
	struct place *p;
	int fd;
};

static void *write_blob(void *arg)
{
	struct writing *w = arg;

	IGNORE(io_write_all(w->fd, w->p->blob.data, w->p->blob.size));
	close_fd(&w->fd);
	return NULL;
}

static void layers_can_come_through_a_pipe(void **state)
{
	struct place *p = *state;
	struct writing w = { .p = p };
	unsigned long thread;

	make_tar(p);
	for (int is_tar = 0; is_tar <= 1; is_tar++) {
		buf_clear(&p->blob);
		if (is_tar)
			buf_add(&p->blob, p->tar.data, p->tar.size);
		else
			pack(&p->blob, codec_new_zstd(), p->tar.data, p->tar.size);
		assert_int_equal(pipe_make(&p->source.fd, &w.fd), 0);
		p->source.size = -1;
		p->source.is_tar = is_tar;
		p->source.is_slow = true;
		assert_int_equal(thread_start(&thread, write_blob, &w, "writer"), 0);
		unpacks_all(p);
		thread_join(thread);
		close_fd(&p->source.fd);
	}
}

static void an_empty_blob_is_an_empty_layer(void **state)
{
	struct place *p = *state;

	store(p);
	assert_ok(unpack(p), &p->err);
	assert_int_equal(p->result.size, 0);
	assert_string_equal(p->result.digest,
			"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649"
			"b934ca495991b7852b855");
}

static void packed_by(struct place *p, struct codec *own_codec)
{
	buf_clear(&p->tar);
	buf_clear(&p->blob);
	close_fd(&p->source.fd);
	make_tar(p);
	pack(&p->blob, own_codec, p->tar.data, p->tar.size);
}

static void damaged_blobs_are_refused(void **state)
{
	struct place *p = *state;

	packed_by(p, codec_new_gzip());
	p->blob.size -= 10000;
	store(p);
	refused(p, ERR_UNKNOWN, "unexpected EOF");
	packed_by(p, codec_new_gzip());
	p->blob.data[p->blob.size - 6] ^= 1;
	store(p);
	refused(p, ERR_UNKNOWN, "gzip: invalid checksum");
	packed_by(p, codec_new_gzip());
	buf_add_str(&p->blob, "some more garbage");
	store(p);
	refused(p, ERR_UNKNOWN, "gzip: invalid header");
	packed_by(p, codec_new_gzip());
	memset(p->blob.data + 10, 0xff, 10);
	store(p);
	refused(p, ERR_UNKNOWN, "flate: corrupt input");

	packed_by(p, codec_new_zstd());
	p->blob.size -= 10000;
	store(p);
	refused(p, ERR_UNKNOWN, "unexpected EOF");
	packed_by(p, codec_new_zstd());
	buf_add_str(&p->blob, "garbage");
	store(p);
	refused(p, ERR_UNKNOWN, "invalid input: magic number mismatch");
}

static void broken_archives_are_refused(void **state)
{
	struct place *p = *state;

	tarball_file(&p->blob, "f", "hello");
	p->blob.size = TAR_BLOCK + 3;
	store(p);
	refused(p, ERR_UNKNOWN, "unexpected EOF");
	buf_clear(&p->blob);
	close_fd(&p->source.fd);
	tarball_file(&p->blob, "f", "hello");
	p->blob.data[0] = 'g';
	store(p);
	refused(p, ERR_UNKNOWN, "archive/tar: invalid tar header");
}

static void entries_are_checked_in_the_daemon_too(void **state)
{
	struct place *p = *state;

	p->options.extract.max_entries = 1;
	tarball_file(&p->blob, "a", "");
	tarball_file(&p->blob, "b", "");
	store(p);
	refused(p, ERR_EXHAUSTED, "layer has over 1 entries: resource exhausted");
}

/* Whatever is not written is passed over all the same, even if it is larger than the rings. */
static void data_of_odd_entries_is_passed_over(void **state)
{
	struct place *p = *state;
	struct tarball_header h = { .type = '0', .name = ".wh.x", .size = 20 << 20 };
	AUTO_FREE char *data = xzalloc(20 << 20);

	tarball_header(&p->blob, &h);
	tarball_data(&p->blob, data, 20 << 20);
	tarball_file(&p->blob, "f", "hello");
	store(p);
	assert_ok(unpack(p), &p->err);
	expect(p, "f", "hello");
	close_fd(&p->source.fd);

	h.type = '7';
	h.name = "odd";
	buf_clear(&p->blob);
	tarball_header(&p->blob, &h);
	tarball_data(&p->blob, data, 20 << 20);
	store(p);
	refused(p, ERR_UNKNOWN, "unhandled tar header type 55");
}

static void bombs_end_at_the_ratio(void **state)
{
	struct place *p = *state;
	struct tarball_header h = { .type = '0', .name = "zeros", .size = 24 << 20 };
	AUTO_FREE char *zeros = xzalloc(24 << 20);

	tarball_header(&p->tar, &h);
	buf_add(&p->tar, zeros, 24 << 20);
	p->options.ratio_floor = 16 << 20;
	p->options.max_ratio = 100;
	for (int i = 0; i < 2; i++) {
		buf_clear(&p->blob);
		pack(&p->blob, i == 0 ? codec_new_gzip() : codec_new_zstd(), p->tar.data,
				p->tar.size);
		close_fd(&p->source.fd);
		store(p);
		assert_int_equal(unpack(p), -1);
		assert_int_equal(p->err.kind, ERR_EXHAUSTED);
		assert_non_null(strstr(err_text(&p->err), "unpacks to more than"));
		err_clear(&p->err);
	}
}

/* A frame with a window of 2^log bytes, and the tar in it as it is. */
static void pack_in_window(struct place *p, int log)
{
	const unsigned char head[] = { 0x28, 0xb5, 0x2f, 0xfd, 0,
		(unsigned char)((log - 10) << 3) };
	const size_t most = 128 << 10;

	buf_clear(&p->blob);
	buf_add(&p->blob, head, sizeof(head));
	for (size_t at = 0; at < p->tar.size; at += most) {
		size_t n = p->tar.size - at < most ? p->tar.size - at : most;
		size_t block = n << 3 | (at + n == p->tar.size);

		for (int i = 0; i < 3; i++)
			buf_add_byte(&p->blob, (unsigned char)(block >> 8 * i));
		buf_add(&p->blob, p->tar.data + at, n);
	}
	close_fd(&p->source.fd);
	store(p);
}

static void zstd_windows_are_limited(void **state)
{
	struct place *p = *state;

	make_tar(p);
	p->options.extract.temp_dir = p->dir.path;
	pack_in_window(p, 31);
	refused(p, ERR_EXHAUSTED,
			"zstd: window of 2147483648 bytes is over the limit of 134217728 "
			"bytes: "
			"resource exhausted");
	p->options.window_log_max = 25;
	pack_in_window(p, 26);
	refused(p, ERR_EXHAUSTED,
			"zstd: window of 67108864 bytes is over the limit of 33554432 bytes: "
			"resource exhausted");
}

/* What buildkit and podman make at their highest levels, and "zstd --long". */
static void large_zstd_windows_are_kept_in_a_file(void **state)
{
	struct place *p = *state;

	make_tar(p);
	pack_in_window(p, 27);
	refused(p, ERR_EXHAUSTED,
			"zstd: window of 134217728 bytes is over the limit of 8388608 bytes: "
			"resource exhausted");
	p->options.extract.temp_dir = p->dir.path;
	pack_in_window(p, 27);
	unpacks_all(p);
	p->options.window_log_max = 29;
	pack_in_window(p, 29);
	unpacks_all(p);
}

static void cancellation_ends_a_layer(void **state)
{
	struct place *p = *state;
	AUTO_CLOSE int far = -1;

	p->ctx.cancel = cancel_new();
	assert_int_equal(pipe_make(&p->source.fd, &far), 0);
	p->source.size = -1;
	p->source.is_slow = true;
	cancel_fire(p->ctx.cancel);
	refused(p, ERR_CANCELED, "context canceled");
	cancel_unref(p->ctx.cancel);
	p->ctx.cancel = NULL;
	p->ctx.deadline_ns = clock_mono_ns() + 50 * NS_PER_MS;
	refused(p, ERR_DEADLINE, "context deadline exceeded");
}

struct canceller {
	struct cancel *cancel;
	int fd;
};

static void *write_then_cancel(void *arg)
{
	struct canceller *c = arg;
	char zeros[100000] = "";

	/* More than pipe and input buffer hold: the helper must be at work by then. */
	for (int i = 0; i < 20; i++)
		IGNORE(io_write_all(c->fd, zeros, sizeof(zeros)));
	cancel_fire(c->cancel);
	return NULL;
}

static void cancellation_wakes_who_waits(void **state)
{
	struct place *p = *state;
	AUTO_CLOSE int far = -1;
	struct canceller c;
	unsigned long thread;

	p->ctx.cancel = c.cancel = cancel_new();
	assert_int_equal(pipe_make(&p->source.fd, &far), 0);
	c.fd = far;
	p->source.size = -1;
	p->source.is_slow = true;
	assert_int_equal(thread_start(&thread, write_then_cancel, &c, "cancel"), 0);
	refused(p, ERR_CANCELED, "context canceled");
	thread_join(thread);
	cancel_unref(c.cancel);
}

/* bad_helper under a name that says how bad. */
static void use_bad_helper(struct place *p, const char *how)
{
	AUTO_FREE char *real = xasprintf("%s/real", p->dir.path);

	(void)unlink(real);
	assert_int_equal(symlink(getenv("CTRD_LAYER_HELPER"), real), 0);
	free(p->helper);
	p->helper = xasprintf("%s/%s", p->dir.path, how);
	assert_int_equal(symlink(getenv("CTRD_BAD_HELPER"), p->helper), 0);
	p->options.helper = p->helper;
}

static void helpers_that_end_fail_only_their_layer(void **state)
{
	struct place *p = *state;

	packed_by(p, codec_new_gzip());
	store(p);
	use_bad_helper(p, "unpack-exit");
	refused(p, ERR_INTERNAL, "layer helper (unpack) exited with status 3: internal");
	use_bad_helper(p, "parse-exit");
	refused(p, ERR_INTERNAL, "layer helper (parse) exited with status 3: internal");
	use_bad_helper(p, "unpack-crash");
	refused(p, ERR_INTERNAL, "layer helper (unpack) was killed by signal 9: internal");
	use_bad_helper(p, "parse-crash");
	refused(p, ERR_INTERNAL, "layer helper (parse) was killed by signal 9: internal");
	p->options.helper = "/nonexistent/helper";
	refused(p, ERR_UNKNOWN, "start /nonexistent/helper: no such file or directory");
	p->options.helper = getenv("CTRD_LAYER_HELPER");
	unpacks_all(p);
}

static void helpers_that_lie_fail_their_layer(void **state)
{
	struct place *p = *state;

	packed_by(p, codec_new_gzip());
	store(p);
	use_bad_helper(p, "unpack-noise");
	refused(p, ERR_INTERNAL, "layer decoder: malformed record: internal");
	use_bad_helper(p, "parse-noise");
	refused(p, ERR_INTERNAL, "layer decoder: malformed record: internal");
	use_bad_helper(p, "unpack-ahead");
	refused(p, ERR_INTERNAL, "layer helper (unpack): senseless record: internal");
	use_bad_helper(p, "unpack-far");
	refused(p, ERR_INTERNAL, "layer helper (unpack): senseless record: internal");
	use_bad_helper(p, "parse-ahead");
	refused(p, ERR_INTERNAL, "layer helper (parse): senseless record: internal");
	use_bad_helper(p, "parse-far");
	refused(p, ERR_INTERNAL, "layer helper (parse): senseless record: internal");
	use_bad_helper(p, "parse-more");
	refused(p, ERR_UNKNOWN, "f: more data than announced");
	use_bad_helper(p, "parse-less");
	refused(p, ERR_UNKNOWN, "f: less data than announced");
}

static void records_cannot_lead_out_of_the_root(void **state)
{
	struct place *p = *state;

	packed_by(p, codec_new_gzip());
	store(p);
	use_bad_helper(p, "parse-escape");
	assert_ok(unpack(p), &p->err);
	expect(p, "tmp/escaped", "");
	assert_int_equal(access("/tmp/escaped", F_OK), -1);
}

static void helpers_that_are_stuck_are_noticed(void **state)
{
	struct place *p = *state;

	p->options.stall_ns = 100 * NS_PER_MS;
	packed_by(p, codec_new_gzip());
	store(p);
	use_bad_helper(p, "unpack-stuck");
	refused(p, ERR_DEADLINE,
			"layer helper (unpack) does not go on: context deadline exceeded");
	use_bad_helper(p, "parse-stuck");
	refused(p, ERR_DEADLINE,
			"layer helper (parse) does not go on: context deadline exceeded");
}

static size_t count_fds(void)
{
	AUTO_STRV char **names = NULL;

	assert_int_equal(fs_list(AT_FDCWD, "/proc/self/fd", &names), 0);
	return strv_len(names);
}

static void nothing_is_left_open(void **state)
{
	struct place *p = *state;
	size_t before;

	packed_by(p, codec_new_gzip());
	store(p);
	unpacks_all(p);
	before = count_fds();
	unpacks_all(p);
	use_bad_helper(p, "parse-exit");
	refused(p, ERR_INTERNAL, "layer helper (parse) exited with status 3: internal");
	assert_int_equal(count_fds(), before);
}

static char *status_of(pid_t pid)
{
	AUTO_FREE char *path = xasprintf("/proc/%d/status", (int)pid);
	struct buf out = { .limit = 65536 };

	assert_int_equal(io_read_file(AT_FDCWD, path, &out), 0);
	return buf_take_str(&out);
}

/* The helper has parsed something, so it is in its sandbox; now look at it. */
static void helpers_have_no_rights(void **state)
{
	struct layer_helper h = LAYER_HELPER_INIT;
	struct layer_helper_setup setup = { .path = getenv("CTRD_LAYER_HELPER"),
		.mode = "parse",
		.ring_bytes = 65536,
		.input = -1,
		.uid = 65534,
		.gid = 65534,
		.memory_bytes = 128 << 20,
		.cpu_seconds = 10,
		.window_log_max = 23 };
	struct buf t = TARBALL_INIT;
	struct layer_record r;
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *status = NULL, *fds = NULL;
	AUTO_STRV char **names = NULL;
	int rc;

	assert_ok(layer_helper_start(&h, &setup, &err), &err);
	tarball_file(&t, "f", "");
	memcpy(h.ring.base, t.data, t.size);
	layer_helper_tell(&h, t.size, false);
	while ((rc = layer_helper_next(&h, &r, NULL, NULL, &err)) == 0)
		assert_ok(layer_helper_receive(&h, &err), &err);
	assert_int_equal(rc, 1);
	assert_int_equal(r.type, LAYER_ENTRY);
	status = status_of(h.pid);
	assert_non_null(strstr(status, "\nSeccomp:\t2\n"));
	assert_non_null(strstr(status, "\nNoNewPrivs:\t1\n"));
	assert_non_null(strstr(status, "\nCapEff:\t0000000000000000\n"));
	if (geteuid() == 0)
		assert_non_null(strstr(status, "\nUid:\t65534\t65534\t65534\t65534\n"));
	fds = xasprintf("/proc/%d/fd", (int)h.pid);
	assert_int_equal(fs_list(AT_FDCWD, fds, &names), 0);
	assert_int_equal(strv_len(names), LAYER_FD_COUNT);
	layer_helper_stop(&h);
	buf_done(&t);
}

#define AT_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT_PLACE(plain_layers_unpack),
		AT_PLACE(gzip_layers_of_several_members_unpack),
		AT_PLACE(zstd_layers_of_several_frames_unpack),
		AT_PLACE(layers_can_come_through_a_pipe),
		AT_PLACE(an_empty_blob_is_an_empty_layer),
		AT_PLACE(damaged_blobs_are_refused),
		AT_PLACE(broken_archives_are_refused),
		AT_PLACE(entries_are_checked_in_the_daemon_too),
		AT_PLACE(data_of_odd_entries_is_passed_over),
		AT_PLACE(bombs_end_at_the_ratio),
		AT_PLACE(zstd_windows_are_limited),
		AT_PLACE(large_zstd_windows_are_kept_in_a_file),
		AT_PLACE(cancellation_ends_a_layer),
		AT_PLACE(cancellation_wakes_who_waits),
		AT_PLACE(helpers_that_end_fail_only_their_layer),
		AT_PLACE(helpers_that_lie_fail_their_layer),
		AT_PLACE(records_cannot_lead_out_of_the_root),
		AT_PLACE(helpers_that_are_stuck_are_noticed),
		AT_PLACE(nothing_is_left_open),
		AT_PLACE(helpers_have_no_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
