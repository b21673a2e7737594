/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec.h"

#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "oci/image_config.h"
#include "oci/user.h"
#include "unit/unit.h"

#define TEXTS(...) ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

#define CAPS                                                                                   \
	"[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FSETID\",\"CAP_FOWNER\",\"CAP_MKNOD\","     \
	"\"CAP_NET_RAW\",\"CAP_SETGID\",\"CAP_SETUID\",\"CAP_SETFCAP\",\"CAP_SETPCAP\","       \
	"\"CAP_NET_BIND_SERVICE\",\"CAP_SYS_CHROOT\",\"CAP_KILL\",\"CAP_AUDIT_WRITE\"]"

static const char golden[] =
		"{\"ociVersion\":\"1.3.0\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},"
		"\"cwd\":\"/\",\"capabilities\":{\"bounding\":" CAPS ",\"effective\":" CAPS
		",\"permitted\":" CAPS "},\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\","
		"\"hard\":1024,\"soft\":1024}],\"noNewPrivileges\":true},"
		"\"root\":{\"path\":\"rootfs\"},\"mounts\":["
		"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\","
		"\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
		"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
		"\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"
		"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
		"\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\","
		"\"mode=0620\",\"gid=5\"]},"
		"{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\","
		"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
		"{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\","
		"\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
		"{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\","
		"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},"
		"{\"destination\":\"/run\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
		"\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]}],"
		"\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},"
		"\"cgroupsPath\":\"/default\",\"namespaces\":[{\"type\":\"pid\"},"
		"{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"},"
		"{\"type\":\"network\"}],\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\","
		"\"/proc/kcore\",\"/proc/keys\",\"/proc/latency_stats\",\"/proc/timer_list\","
		"\"/proc/timer_stats\",\"/proc/sched_debug\",\"/sys/firmware\","
		"\"/sys/devices/virtual/powercap\",\"/proc/scsi\"],\"readonlyPaths\":["
		"\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\","
		"\"/proc/sysrq-trigger\"]}}";

static void default_spec_is_the_original_s(void **state)
{
	AUTO(jnode_free) struct jnode *spec = spec_default("default", "");
	AUTO_FREE char *text = spec_to_json(spec, NULL);

	assert_string_equal(text, golden);
}

/* Takes the JSON of one part of a spec. */
static void assert_part(
		struct jnode *spec, const char *key, const char *inner, const char *want)
{
	AUTO_FREE char *got = NULL;
	const struct jnode *n;

	spec_order(spec);
	n = jnode_get(spec, key);
	if (inner != NULL)
		n = jnode_get(n, inner);
	assert_non_null(n);
	got = jnode_to_text(n, NULL);
	assert_string_equal(got, want);
}

static void members_come_in_the_order_of_go_and_unknown_ones_last(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(jnode_free) struct jnode *spec = NULL;
	AUTO_FREE char *text = NULL;
	static const char doc[] =
			"{\"new\":1,\"linux\":{\"x\":0,\"resources\":{\"pids\":{\"limit\":3},"
			"\"memory\":{\"swap\":18446744073709551615,\"limit\":2}}},"
			"\"annotations\":{\"b\":\"1\",\"a\":\"2\"},\"ociVersion\":\"1.0\"}";

	assert_ok(jnode_parse(doc, strlen(doc), &spec, &err), &err);
	text = spec_to_json(spec, NULL);
	assert_string_equal(text,
			"{\"ociVersion\":\"1.0\",\"annotations\":{\"a\":\"2\",\"b\":\"1\"},"
			"\"linux\":{\"resources\":{\"memory\":{\"limit\":2,"
			"\"swap\":18446744073709551615},\"pids\":{\"limit\":3}},\"x\":0},"
			"\"new\":1}");
}

static void variables_replace_add_and_remove(void **state)
{
	char *const *first = TEXTS("A=1", "B=2", "C=3");
	char *const *second = TEXTS("B=9", "D=4", "A", "NONE");
	AUTO(jnode_free) struct jnode *spec = jnode_object();

	process_add_env(spec_process(spec), first);
	process_add_env(spec_process(spec), second);
	assert_part(spec, "process", "env", "[\"B=9\",\"C=3\",\"D=4\"]");
}

static void image_gives_what_the_process_lacks(void **state)
{
	char **entrypoint = (char **)TEXTS("/entry"), **cmd = (char **)TEXTS("arg");
	char **env = (char **)TEXTS("PATH=/bin", "X=image");
	char *const *own = TEXTS("X=own", "Y=1");
	char *const *args = TEXTS("other");
	struct image_config image = {
		.entrypoint = entrypoint, .cmd = cmd, .env = env, .working_dir = (char *)"/work"
	};
	AUTO(jnode_free) struct jnode *spec = spec_default("ns", "id");

	process_add_env(spec_process(spec), own);
	spec_apply_image(spec, &image, NULL);
	assert_part(spec, "process", "env", "[\"PATH=/bin\",\"X=own\",\"Y=1\"]");
	assert_part(spec, "process", "args", "[\"/entry\",\"arg\"]");
	assert_part(spec, "process", "cwd", "\"/work\"");
	spec_apply_image(spec, &image, args);
	assert_part(spec, "process", "args", "[\"/entry\",\"other\"]");
	image.env = NULL;
	image.working_dir = (char *)"";
	jnode_remove(spec_process(spec), "env");
	spec_apply_image(spec, &image, NULL);
	assert_part(spec, "process", "env", "[\"" SPEC_DEFAULT_PATH "\"]");
	assert_part(spec, "process", "cwd", "\"/\"");
}

static void two_images_share_no_environment(void **state)
{
	char **env = (char **)TEXTS("A=1");
	char *const *more = TEXTS("B=2");
	struct image_config image = { .env = env, .working_dir = (char *)"" };
	AUTO(jnode_free) struct jnode *one = jnode_object();
	AUTO(jnode_free) struct jnode *two = jnode_object();

	spec_apply_image(one, &image, NULL);
	spec_apply_image(two, &image, NULL);
	process_add_env(spec_process(one), more);
	assert_part(two, "process", "env", "[\"A=1\"]");
}

static void mounts_with_the_same_destination_are_replaced(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(jnode_free) struct jnode *spec = jnode_object();

	assert_ok(spec_add_mount_text(spec, "type=bind,src=/a,dst=/m,options=rbind:ro", &err),
			&err);
	assert_ok(spec_add_mount_text(spec, "type=bind,\"source=/a,b\",destination=/m", &err),
			&err);
	assert_part(spec, "mounts", NULL,
			"[{\"destination\":\"/m\",\"type\":\"bind\",\"source\":\"/a,b\"}]");
	assert_int_equal(spec_add_mount_text(spec, "type", &err), -1);
	assert_string_equal(err_text(&err), "invalid mount specification: expected key=val");
	err_clear(&err);
	assert_int_equal(spec_add_mount_text(spec, "typ=x", &err), -1);
	assert_string_equal(err_text(&err), "mount option \"typ\" not supported");
}

static void capabilities_go_to_three_sets_and_inheritable_stays_empty(void **state)
{
	char *const *some = TEXTS("CAP_CHOWN", "CAP_KILL");
	char *const *add = TEXTS("CAP_KILL", "CAP_BPF");
	char *const *drop = TEXTS("CAP_CHOWN");
	AUTO(jnode_free) struct jnode *spec = jnode_object();

	spec_set_capabilities(spec, some);
	spec_add_capabilities(spec, add);
	spec_drop_capabilities(spec, drop);
	assert_part(spec, "process", "capabilities",
			"{\"bounding\":[\"CAP_KILL\",\"CAP_BPF\"],"
			"\"effective\":[\"CAP_KILL\",\"CAP_BPF\"],"
			"\"permitted\":[\"CAP_KILL\",\"CAP_BPF\"]}");
}

static void capability_names_follow_the_bits(void **state)
{
	AUTO_STRV char **v = capability_names(1 | UINT64_C(1) << 39);

	assert_int_equal(strv_len(v), 2);
	assert_string_equal(v[0], "CAP_CHOWN");
	assert_string_equal(v[1], "CAP_BPF");
}

static void privileged_opens_paths_and_writable_sysfs(void **state)
{
	AUTO(jnode_free) struct jnode *spec = spec_default("ns", "id");

	spec_set_privileged(spec);
	assert_null(jnode_get(jnode_get(spec, "linux"), "maskedPaths"));
	assert_null(jnode_get(jnode_get(spec, "linux"), "readonlyPaths"));
	assert_string_equal(
			jnode_str(jnode_item(jnode_get(jnode_item(jnode_get(spec, "mounts"), 5),
							     "options"),
					3)),
			"rw");
	assert_true(jnode_is_true(jnode_get(spec_process(spec), "noNewPrivileges")));
}

static void namespaces_are_replaced_in_place(void **state)
{
	AUTO(jnode_free) struct jnode *spec = jnode_object();

	spec_set_namespace(spec, "pid", NULL);
	spec_set_namespace(spec, "ipc", NULL);
	spec_set_namespace(spec, "pid", "/proc/1/ns/pid");
	assert_part(spec, "linux", "namespaces",
			"[{\"type\":\"pid\",\"path\":\"/proc/1/ns/pid\"},{\"type\":\"ipc\"}]");
	spec_host_namespace(spec, "pid");
	assert_part(spec, "linux", "namespaces", "[{\"type\":\"ipc\"}]");
}

static void limits_land_in_resources(void **state)
{
	AUTO(jnode_free) struct jnode *spec = jnode_object();

	spec_set_memory_limit(spec, UINT64_C(64) << 20);
	spec_set_cpu_quota(spec, 150000, 100000);
	spec_set_cpu_shares(spec, 1024);
	spec_set_cpuset(spec, "0-1", NULL);
	assert_part(spec, "linux", "resources",
			"{\"memory\":{\"limit\":67108864},\"cpu\":{\"shares\":1024,"
			"\"quota\":150000,\"period\":100000,\"cpus\":\"0-1\"}}");
}

static void devices_get_a_node_and_a_rule(void **state)
{
	static const struct spec_device fuse = { "/dev/fuse", 'c', 10, 229, 0666, 0, 5 };
	AUTO(jnode_free) struct jnode *spec = jnode_object();

	spec_add_device(spec, &fuse, "rwm");
	assert_part(spec, "linux", "devices",
			"[{\"path\":\"/dev/fuse\",\"type\":\"c\",\"major\":10,\"minor\":229,"
			"\"fileMode\":438,\"uid\":0,\"gid\":5}]");
	assert_part(spec, "linux", "resources",
			"{\"devices\":[{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":"
			"229,"
			"\"access\":\"rwm\"}]}");
}

static void user_has_its_groups(void **state)
{
	uint32_t groups[] = { 5, 6 };
	struct user_ids u = { 4, 5, groups, 2 };
	AUTO(jnode_free) struct jnode *spec = jnode_object();

	process_set_user(spec_process(spec), &u);
	assert_part(spec, "process", "user", "{\"uid\":4,\"gid\":5,\"additionalGids\":[5,6]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(default_spec_is_the_original_s),
		TEST(members_come_in_the_order_of_go_and_unknown_ones_last),
		TEST(variables_replace_add_and_remove),
		TEST(image_gives_what_the_process_lacks),
		TEST(two_images_share_no_environment),
		TEST(mounts_with_the_same_destination_are_replaced),
		TEST(capabilities_go_to_three_sets_and_inheritable_stays_empty),
		TEST(capability_names_follow_the_bits),
		TEST(privileged_opens_paths_and_writable_sysfs),
		TEST(namespaces_are_replaced_in_place),
		TEST(limits_land_in_resources),
		TEST(devices_get_a_node_and_a_rule),
		TEST(user_has_its_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
