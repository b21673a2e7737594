/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/apparmor.h"

#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "support/tempdir.h"
#include "unit/unit.h"

struct fixture {
	struct tempdir dir;
	char *profiles, *macros;
	struct apparmor_places places;
};

/* A kernel with one profile, and a parser that keeps what it was given. */
static void make(struct fixture *f, const char *parser)
{
	tempdir_make(&f->dir);
	f->profiles = xasprintf("%s/profiles", f->dir.path);
	f->macros = xasprintf("%s/macros", f->dir.path);
	put_file(f->dir.fd, "profiles",
			"other (enforce)\nthere (complain)\nlonger-name (enforce)\n");
	put_file(f->dir.fd, "apparmor_parser", parser);
	assert_int_equal(fchmodat(f->dir.fd, "apparmor_parser", 0755, 0), 0);
	f->places = (struct apparmor_places){ .profiles = f->profiles,
		.macros = f->macros,
		.path = f->dir.path,
		.temp = f->dir.path };
}

static void end(struct fixture *f)
{
	tempdir_remove(&f->dir);
	free(f->profiles);
	free(f->macros);
}

static const char *keeper(void)
{
	return "#!/bin/sh\necho \"$1\" >\"${0%/*}/args\"\nPATH=/bin:/usr/bin cat \"$2\" "
	       ">\"${0%/*}/given\"\n";
}

static void a_profile_is_loaded_under_its_name(void **state)
{
	struct fixture f;
	AUTO_FREE char *args = NULL;
	AUTO_FREE char *given = NULL;
	AUTO_ERR struct err err = { 0 };

	make(&f, keeper());
	assert_ok(apparmor_load_default(&f.places, "cri-containerd.apparmor.d", &err), &err);
	args = get_file(f.dir.fd, "args");
	given = get_file(f.dir.fd, "given");
	assert_string_equal(args, "-Kr\n");
	assert_memory_equal(
			given, "@{PROC}=/proc/\nprofile cri-containerd.apparmor.d flags=", 55);
	assert_non_null(strstr(given, "  deny mount,\n"));
	assert_non_null(strstr(
			given, "signal (send,receive) peer=cri-containerd.apparmor.d,\n"));
	assert_null(strstr(given, "#include"));
	end(&f);
}

static void what_is_loaded_already_stays(void **state)
{
	struct fixture f;
	AUTO_ERR struct err err = { 0 };

	make(&f, "#!/bin/sh\nexit 1\n");
	assert_ok(apparmor_load_default(&f.places, "there", &err), &err);
	assert_ok(apparmor_load_default(&f.places, "other", &err), &err);
	assert_int_equal(apparmor_load_default(&f.places, "longer", &err),
			-1); /* only begins so */
	end(&f);
}

static void macros_are_used_where_there_are_any(void **state)
{
	struct fixture f;
	AUTO_BUF struct buf text = { .limit = 65536 };
	AUTO_ERR struct err err = { 0 };

	make(&f, "");
	assert_int_equal(mkdirat(f.dir.fd, "macros", 0755), 0);
	assert_int_equal(mkdirat(f.dir.fd, "macros/abi", 0755), 0);
	assert_int_equal(mkdirat(f.dir.fd, "macros/tunables", 0755), 0);
	assert_int_equal(mkdirat(f.dir.fd, "macros/abstractions", 0755), 0);
	put_file(f.dir.fd, "macros/abi/3.0", "");
	put_file(f.dir.fd, "macros/tunables/global", "");
	put_file(f.dir.fd, "macros/abstractions/base", "");
	assert_ok(apparmor_default_profile(&f.places, "p", &text, &err), &err);
	assert_memory_equal(text.data, "abi <abi/3.0>,\n#include <tunables/global>\nprofile p ",
			51);
	assert_non_null(strstr(text.data, "  #include <abstractions/base>\n"));
	end(&f);
}

static void a_parsers_complaint_is_passed_on_and_no_file_stays(void **state)
{
	struct fixture f;
	AUTO_FREE char *left = NULL;
	AUTO_ERR struct err err = { 0 };

	make(&f, "#!/bin/sh\necho bad line >&2\nexit 3\n");
	assert_int_equal(apparmor_load_default(&f.places, "p", &err), -1);
	assert_non_null(strstr(err_text(&err), "load apparmor profile "));
	assert_non_null(strstr(err_text(&err), ": parser error(\"bad line\"): exit status 3"));
	left = xstrdup(strchr(err_text(&err), '/'));
	*strchr(left, ':') = '\0';
	assert_int_equal(access(left, F_OK), -1);
	err_clear(&err);
	f.places.path = "/nowhere";
	assert_int_equal(apparmor_load_default(&f.places, "p", &err), -1);
	assert_non_null(strstr(
			err_text(&err), "\"apparmor_parser\": executable file not found"));
	end(&f);
}

static void without_apparmor_nothing_is_loaded(void **state)
{
	const struct apparmor_places none = { .profiles = "/nowhere/profiles",
		.macros = "/nowhere",
		.path = "/nowhere",
		.temp = "/nowhere" };
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(apparmor_load_default(&none, "p", &err), -1);
	assert_non_null(strstr(
			err_text(&err), "open /nowhere/profiles: no such file or directory"));
}

static void a_name_cannot_bring_rules_with_it(void **state)
{
	static const char *const names[] = { "", "a b", "a,\nfile,", "a{", "../a", "a#",
		"\"a\"" };
	struct apparmor_places places;
	AUTO_BUF struct buf text = { .limit = 65536 };

	apparmor_places_init(&places);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO_ERR struct err err = { 0 };

		assert_fails(apparmor_default_profile(&places, names[i], &text, &err), &err,
				ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_profile_is_loaded_under_its_name),
		TEST(what_is_loaded_already_stays),
		TEST(macros_are_used_where_there_are_any),
		TEST(a_parsers_complaint_is_passed_on_and_no_file_stays),
		TEST(without_apparmor_nothing_is_loaded),
		TEST(a_name_cannot_bring_rules_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
