/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/cdi.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "text/jnode.h"
#include "unit/unit.h"

static const char *const no_dirs[] = { NULL };

static const char vendor_yaml[] =
		"cdiVersion: \"0.6.0\"\n"
		"kind: example.com/card\n"
		"containerEdits:\n"
		"  env: [A=all]\n"
		"  hooks:\n"
		"  - {hookName: createContainer, path: /bin/hook, args: [hook, x], timeout: "
		"5}\n"
		"devices:\n"
		"- name: zero\n"
		"  containerEdits:\n"
		"    env: [ONE=zero, TWO=2]\n"
		"    deviceNodes:\n"
		"    - {path: /dev/card0, hostPath: /dev/zero, permissions: rw, fileMode: "
		"0600}\n"
		"    mounts:\n"
		"    - {hostPath: /lib/x, containerPath: /usr/lib/deep/x, options: [ro, "
		"bind]}\n"
		"    - {hostPath: /lib/y, containerPath: /y}\n"
		"    additionalGids: [44, 0, 44]\n"
		"- name: one\n"
		"  containerEdits:\n"
		"    env: [ONE=one]\n"
		"    deviceNodes: [{path: /dev/card1, type: c, major: 226, minor: 1}]\n"
		"    intelRdt: {closID: gold}\n";

static struct cdi *made(void)
{
	AUTO_ERR struct err err = { 0 };
	struct cdi *c = cdi_load(no_dirs);

	assert_int_equal(cdi_add(c, "card.yaml", 0, vendor_yaml, sizeof(vendor_yaml) - 1, &err),
			0);
	return c;
}

static struct jnode *spec_of(const char *json)
{
	AUTO_ERR struct err err = { 0 };
	struct jnode *n = NULL;

	assert_int_equal(jnode_parse(json, strlen(json), &n, &err), 0);
	return n;
}

static void assert_injects(const struct cdi *c, const char *before, const char *const *names,
		const char *after)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(jnode_free) struct jnode *spec = spec_of(before);
	AUTO_FREE char *text = NULL;

	assert_int_equal(cdi_inject(c, spec, (char *const *)(uintptr_t)names, &err), 0);
	text = jnode_to_text(spec, NULL);
	assert_string_equal(text, after);
}

static void names_are_told_from_paths(void **state UNUSED)
{
	assert_true(cdi_is_name("example.com/card=0"));
	assert_true(cdi_is_name("v/c-1=all.x:1"));
	assert_false(cdi_is_name("/dev/null"));
	assert_false(cdi_is_name("/dev/x=y"));
	assert_false(cdi_is_name("v/c="));
	assert_false(cdi_is_name("v/c=-x"));
	assert_false(cdi_is_name("1v/c=x"));
	assert_false(cdi_is_name("v=c"));
	assert_false(cdi_is_name("v/c/d=x"));
}

static void a_device_brings_all_its_edits(void **state UNUSED)
{
	AUTO(cdi_free) struct cdi *c = made();
	const char *names[] = { "example.com/card=zero", NULL };

	assert_injects(c,
			"{\"process\":{\"env\":[\"ONE=1\"],\"user\":{\"uid\":7,\"gid\":0}},"
			"\"mounts\":[{\"destination\":\"/a/b\"},{\"destination\":\"/\"}]}",
			names,
			"{\"process\":{\"env\":[\"ONE=zero\",\"A=all\",\"TWO=2\"],\"user\":{"
			"\"uid\":7,"
			"\"gid\":0,\"additionalGids\":[44]}},\"mounts\":[{\"destination\":\"/"
			"\"},"
			"{\"destination\":\"/y\",\"source\":\"/lib/y\"},{\"destination\":\"/a/"
			"b\"},"
			"{\"destination\":\"/usr/lib/deep/x\",\"source\":\"/lib/"
			"x\",\"options\":"
			"[\"ro\",\"bind\"]}],\"hooks\":{\"createContainer\":[{\"path\":\"/bin/"
			"hook\","
			"\"args\":[\"hook\",\"x\"],\"timeout\":5}]},\"linux\":{\"resources\":{"
			"\"devices\":"
			"[{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":5,\"access\":"
			"\"rw\"}]},"
			"\"devices\":[{\"path\":\"/dev/"
			"card0\",\"type\":\"c\",\"major\":1,\"minor\":5,"
			"\"fileMode\":384,\"uid\":7}]}}");
}

static void edits_of_the_file_come_once_and_devices_replace_each_other(void **state UNUSED)
{
	AUTO(cdi_free) struct cdi *c = made();
	const char *names[] = { "example.com/card=one", "example.com/card=one", NULL };

	assert_injects(c, "{}", names,
			"{\"process\":{\"env\":[\"A=all\",\"ONE=one\"]},\"hooks\":{"
			"\"createContainer\":"
			"[{\"path\":\"/bin/"
			"hook\",\"args\":[\"hook\",\"x\"],\"timeout\":5}]},\"linux\":"
			"{\"resources\":{\"devices\":[{\"allow\":true,\"type\":\"c\",\"major\":"
			"226,"
			"\"minor\":1,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\","
			"\"major\":226,"
			"\"minor\":1,\"access\":\"rwm\"}]},\"devices\":[{\"path\":\"/dev/"
			"card1\",\"type\":"
			"\"c\",\"major\":226,\"minor\":1}],\"intelRdt\":{\"closID\":\"gold\"}}"
			"}");
}

static void unknown_devices_are_all_named_and_nothing_changes(void **state UNUSED)
{
	AUTO(cdi_free) struct cdi *c = made();
	AUTO_ERR struct err err = { 0 };
	AUTO(jnode_free) struct jnode *spec = spec_of("{}");
	AUTO_FREE char *text = NULL;
	char *const names[] = { (char *)(uintptr_t) "example.com/card=one",
		(char *)(uintptr_t) "example.com/card=9", (char *)(uintptr_t) "x.y/z=1", NULL };

	assert_int_equal(cdi_inject(c, spec, names, &err), -1);
	assert_non_null(strstr(
			err_text(&err), "unresolvable CDI devices example.com/card=9,x.y/z=1"));
	text = jnode_to_text(spec, NULL);
	assert_string_equal(text, "{}");
}

static const char *json_of(const char *value)
{
	static char json[300];

	snprintf(json, sizeof(json),
			"{\"cdiVersion\":\"0.5.0\",\"kind\":\"v.w/"
			"c\",\"devices\":[{\"name\":\"d\","
			"\"containerEdits\":{\"env\":[\"F=%s\"]}}]}",
			value);
	return json;
}

static void later_directories_count_more_and_equals_hide_each_other(void **state UNUSED)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(cdi_free) struct cdi *c = cdi_load(no_dirs);
	AUTO(jnode_free) struct jnode *spec = spec_of("{}");
	const char *names[] = { "v.w/c=d", NULL };

	assert_int_equal(cdi_add(c, "b.json", 1, json_of("run"), strlen(json_of("run")), &err),
			0);
	assert_int_equal(cdi_add(c, "a.json", 0, json_of("etc"), strlen(json_of("etc")), &err),
			0);
	assert_injects(c, "{}", names, "{\"process\":{\"env\":[\"F=run\"]}}");
	assert_int_equal(cdi_add(c, "c.json", 1, json_of("too"), strlen(json_of("too")), &err),
			0);
	assert_int_equal(cdi_inject(c, spec, (char *const *)(uintptr_t)names, &err), -1);
}

static void assert_no_file(const char *json, const char *why)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(cdi_free) struct cdi *c = cdi_load(no_dirs);

	assert_int_equal(cdi_add(c, "x.json", 0, json, strlen(json), &err), -1);
	assert_non_null(strstr(err_text(&err), why));
	assert_non_null(strstr(err_text(&err), "CDI file x.json"));
}

#define FILE_WITH(edits)                                                                       \
	"{\"cdiVersion\":\"0.5.0\",\"kind\":\"v.w/c\",\"devices\":[{\"name\":\"d\","           \
	"\"containerEdits\":" edits "}]}"

static void broken_files_are_refused_and_told_why(void **state UNUSED)
{
	assert_no_file("nonsense", "x.json");
	assert_no_file("{}", "invalid cdiVersion");
	assert_no_file("{\"cdiVersion\":\"0.5.0\",\"kind\":\"c\"}", "invalid kind c");
	assert_no_file("{\"cdiVersion\":\"0.5.0\",\"kind\":\"v/c\"}", "no devices");
	assert_no_file(FILE_WITH("{\"env\":[\"=x\"]}"), "invalid environment variable");
	assert_no_file(FILE_WITH("{\"env\":[1]}"), "invalid environment variable");
	assert_no_file(FILE_WITH("{\"hooks\":[{\"hookName\":\"x\",\"path\":\"/x\"}]}"),
			"invalid hook name");
	assert_no_file(FILE_WITH("{\"mounts\":[{\"hostPath\":\"/x\"}]}"), "without both");
	assert_no_file(FILE_WITH("{\"deviceNodes\":[{\"path\":\"/x\",\"permissions\":\"q\"}]}"),
			"invalid permissions");
	assert_no_file(FILE_WITH("{\"deviceNodes\":[{}]}"), "without a path");
	assert_no_file(FILE_WITH("[]"), "no containerEdits");
}

static void a_host_device_that_is_missing_is_named(void **state UNUSED)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(cdi_free) struct cdi *c = cdi_load(no_dirs);
	AUTO(jnode_free) struct jnode *spec = spec_of("{}");
	const char *json = FILE_WITH("{\"deviceNodes\":[{\"path\":\"/dev/none-such\"}]}");
	char *const names[] = { (char *)(uintptr_t) "v.w/c=d", NULL };

	assert_int_equal(cdi_add(c, "x.json", 0, json, strlen(json), &err), 0);
	assert_int_equal(cdi_inject(c, spec, names, &err), -1);
	assert_non_null(strstr(err_text(&err), "/dev/none-such"));
}

static void a_mode_that_is_left_out_is_the_hosts(void **state UNUSED)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(cdi_free) struct cdi *c = cdi_load(no_dirs);
	AUTO(jnode_free) struct jnode *spec = spec_of("{}");
	const char *json = FILE_WITH("{\"deviceNodes\":[{\"path\":\"/dev/null\"}]}");
	char *const names[] = { (char *)(uintptr_t) "v.w/c=d", NULL };
	AUTO_FREE char *want = NULL;
	AUTO_FREE char *text = NULL;
	struct stat st;

	assert_int_equal(stat("/dev/null", &st), 0);
	want = xasprintf("\"minor\":3,\"fileMode\":%u}", st.st_mode & 07777);
	assert_int_equal(cdi_add(c, "x.json", 0, json, strlen(json), &err), 0);
	assert_int_equal(cdi_inject(c, spec, names, &err), 0);
	text = jnode_to_text(spec, NULL);
	assert_non_null(strstr(text, want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_told_from_paths),
		cmocka_unit_test(a_device_brings_all_its_edits),
		cmocka_unit_test(edits_of_the_file_come_once_and_devices_replace_each_other),
		cmocka_unit_test(unknown_devices_are_all_named_and_nothing_changes),
		cmocka_unit_test(later_directories_count_more_and_equals_hide_each_other),
		cmocka_unit_test(broken_files_are_refused_and_told_why),
		cmocka_unit_test(a_host_device_that_is_missing_is_named),
		cmocka_unit_test(a_mode_that_is_left_out_is_the_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
