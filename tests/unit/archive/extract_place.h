/* SPDX-License-Identifier: Apache-2.0 */
/* A directory that layers are taken apart into, for tests of extract.h. */
#pragma once

#include "unit/unit.h"

#include <string.h>
#include <sys/stat.h>

#include "archive/extract.h"
#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "support/tar_extract.h"
#include "support/tarball.h"
#include "support/tempdir.h"

/* The layer goes into "root"; what lies beside it must never change. */
struct place {
	struct tempdir dir;
	int root;
	struct buf t;
	struct extract_options options;
	struct err err;
};

static inline int set_up(void **state)
{
	struct place *p = xzalloc(sizeof(*p));

	tempdir_make(&p->dir);
	if (mkdirat(p->dir.fd, "root", 0755) < 0 || mkdirat(p->dir.fd, "outside", 0755) < 0)
		return -1;
	put_file(p->dir.fd, "secret", "untouched");
	put_file(p->dir.fd, "outside/secret", "untouched");
	p->root = fs_open_dir(p->dir.fd, "root");
	p->t.limit = SIZE_MAX;
	*state = p;
	return p->root < 0 ? -1 : 0;
}

static inline void check_outside(struct place *p)
{
	AUTO_STRV char **top = NULL, **outside = NULL;
	AUTO_FREE char *a = get_file(p->dir.fd, "secret");
	AUTO_FREE char *b = get_file(p->dir.fd, "outside/secret");

	assert_string_equal(a, "untouched");
	assert_string_equal(b, "untouched");
	assert_int_equal(fs_list(p->dir.fd, ".", &top), 0);
	assert_int_equal(strv_len(top), 3);
	assert_int_equal(fs_list(p->dir.fd, "outside", &outside), 0);
	assert_int_equal(strv_len(outside), 1);
}

static inline int tear_down(void **state)
{
	struct place *p = *state;

	close_fd(&p->root);
	tempdir_remove(&p->dir);
	buf_done(&p->t);
	err_clear(&p->err);
	free(p);
	return 0;
}

#define AT_PLACE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* 0, or -1 and p->err; whatever comes of it, nothing changes outside. */
static inline int apply(struct place *p)
{
	int rc = tar_extract(p->root, p->t.data, p->t.size, &p->options, &p->err);

	check_outside(p);
	return rc;
}

/* The next layer is empty again. */
static inline void applies(struct place *p)
{
	assert_ok(apply(p), &p->err);
	buf_clear(&p->t);
}

static inline void refused(struct place *p, enum err_kind kind, const char *text)
{
	assert_int_equal(apply(p), -1);
	assert_string_equal(err_text(&p->err), text);
	assert_int_equal(p->err.kind, kind);
	err_clear(&p->err);
	buf_clear(&p->t);
}

static inline void holds(struct place *p, const char *name, const char *want)
{
	AUTO_FREE char *text = get_file(p->root, name);

	if (text == NULL)
		fail_msg("%s is missing", name);
	assert_string_equal(text, want);
}

static inline struct stat look(struct place *p, const char *name)
{
	struct stat st = { 0 };

	if (fstatat(p->root, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s is missing", name);
	return st;
}

static inline void missing(struct place *p, const char *name)
{
	if (is_there(p->root, name))
		fail_msg("%s is there", name);
}
