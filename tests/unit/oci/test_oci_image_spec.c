/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image_spec.h"

#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/digest.h"
#include "oci/chain.h"
#include "oci/image_config.h"
#include "oci/media.h"
#include "unit/unit.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void manifests_give_config_and_layers_in_order(void **state)
{
	static const char doc[] =
			"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"c\",\"digest\":\"" A
			"\",\"size\":7},\"layers\":[{\"mediaType\":\"l\",\"digest\":\"" B
			"\",\"size\":9,\"annotations\":{\"k\":\"v\"}}]}";
	AUTO_ERR struct err err = { 0 };
	AUTO_OCI_MANIFEST struct oci_manifest m = { 0 };

	assert_ok(oci_manifest_parse(doc, strlen(doc), &m, &err), &err);
	assert_string_equal(m.config.digest, A);
	assert_int_equal(m.layers.count, 1);
	assert_int_equal(m.layers.items[0].size, 9);
	assert_string_equal(labels_find(&m.layers.items[0].annotations, "k"), "v");
}

static void indexes_give_platforms(void **state)
{
	static const char doc[] = "{\"manifests\":[{\"mediaType\":\"m\",\"digest\":\"" A
				  "\",\"size\":1,\"platform\":{\"os\":\"linux\","
				  "\"architecture\":\"arm\",\"variant\":\"v7\"}},"
				  "{\"mediaType\":\"m\",\"digest\":\"" B "\",\"size\":2}]}";
	AUTO_ERR struct err err = { 0 };
	AUTO_OCI_INDEX struct oci_index i = { 0 };

	assert_ok(oci_index_parse(doc, strlen(doc), &i, &err), &err);
	assert_int_equal(i.manifests.count, 2);
	assert_string_equal(i.manifests.items[0].platform.variant, "v7");
	assert_false(i.manifests.items[1].has_platform);
}

static void bad_descriptors_are_refused(void **state)
{
	static const char *const bad[] = {
		"{\"manifests\":[{\"mediaType\":\"m\",\"digest\":\"../x\",\"size\":1}]}",
		"{\"manifests\":[{\"mediaType\":\"m\",\"digest\":\"" A "\",\"size\":-1}]}",
		"{\"manifests\":[{\"mediaType\":\"m\",\"digest\":\"" A "\"}]}",
		"{\"manifests\":[1]}",
		"{\"manifests\":{}}",
		"[]",
		"{\"manifests\":[{\"mediaType\":\"m\",\"digest\":\"" A
		"\",\"size\":99999999999999999999}]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO_ERR struct err err = { 0 };
		AUTO_OCI_INDEX struct oci_index index = { 0 };

		if (oci_index_parse(bad[i], strlen(bad[i]), &index, &err) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void layers_are_bounded(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_OCI_MANIFEST struct oci_manifest m = { 0 };
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };

	buf_add_str(&b, "{\"config\":{\"digest\":\"" A "\",\"size\":1},\"layers\":[");
	for (int i = 0; i <= OCI_MAX_LAYERS; i++)
		buf_addf(&b, "%s{\"digest\":\"" B "\",\"size\":1}", i == 0 ? "" : ",");
	buf_add_str(&b, "]}");
	assert_fails(oci_manifest_parse(b.data, b.size, &m, &err), &err, ERR_EXHAUSTED);
}

static int check(const char *type, const char *doc, struct err *err)
{
	return oci_check_kind(type, doc, strlen(doc), err);
}

static void a_document_is_not_read_as_another_kind(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(check(MEDIA_OCI_INDEX, "{\"manifests\":[]}", &err), &err);
	assert_ok(check(MEDIA_OCI_MANIFEST, "{\"config\":{},\"layers\":[]}", &err), &err);
	assert_ok(check(MEDIA_OCI_CONFIG, "not json", &err), &err);
	assert_fails(check(MEDIA_OCI_INDEX, "{\"manifests\":[],\"layers\":[]}", &err), &err,
			ERR_INVALID);
	assert_fails(check(MEDIA_OCI_MANIFEST, "{\"manifests\":[],\"layers\":[]}", &err), &err,
			ERR_INVALID);
	assert_fails(check(MEDIA_DOCKER_MANIFEST, "{\"fsLayers\":[]}", &err), &err,
			ERR_INVALID);
	assert_int_equal(check(MEDIA_OCI_INDEX, "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\"}",
					 &err),
			-1);
	assert_string_equal(err_text(&err),
			"media-type: expected index but found manifest (" MEDIA_OCI_INDEX ")");
}

static void config_says_how_to_start(void **state)
{
	static const char doc[] =
			"{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"User\":"
			"\"u\","
			"\"Env\":[\"A=1\"],\"Entrypoint\":null,\"Cmd\":[\"sh\"],"
			"\"Labels\":{\"x\":\"y\"},\"StopSignal\":\"SIGQUIT\"},"
			"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" A "\",\"" B "\"]}}";
	AUTO_ERR struct err err = { 0 };
	AUTO_IMAGE_CONFIG struct image_config c = { 0 };

	assert_ok(image_config_parse(doc, strlen(doc), &c, &err), &err);
	assert_string_equal(c.user, "u");
	assert_string_equal(c.cmd[0], "sh");
	assert_null(c.entrypoint[0]);
	assert_string_equal(c.stop_signal, "SIGQUIT");
	assert_string_equal(c.working_dir, "");
	assert_string_equal(labels_find(&c.labels, "x"), "y");
	assert_int_equal(c.diff_count, 2);
}

static void diff_ids_must_be_digests(void **state)
{
	static const char doc[] = "{\"rootfs\":{\"diff_ids\":[\"sha256:zz\"]}}";
	AUTO_ERR struct err err = { 0 };
	AUTO_IMAGE_CONFIG struct image_config c = { 0 };

	assert_int_equal(image_config_parse(doc, strlen(doc), &c, &err), -1);
}

static void chains_are_digests_of_chain_and_layer(void **state)
{
	char *const ids[] = { (char *)A, (char *)B, NULL };
	char got[DIGEST_TEXT_SIZE], want[DIGEST_TEXT_SIZE];

	chain_id(ids, 1, got);
	assert_string_equal(got, A);
	chain_id(ids, 2, got);
	digest_bytes(DIGEST_SHA256, A " " B, strlen(A " " B), want);
	assert_string_equal(got, want);
}

static void kinds_of_media_types(void **state)
{
	assert_int_equal(media_kind(MEDIA_DOCKER_LIST), MEDIA_INDEX);
	assert_int_equal(media_kind(MEDIA_OCI_LAYER "+encrypted"), MEDIA_LAYER);
	assert_int_equal(media_kind("application/vnd.erofs.layer.v1+zstd"), MEDIA_LAYER);
	assert_int_equal(media_kind("text/plain"), MEDIA_OTHER);
	assert_true(media_is_nondistributable(
			"application/vnd.oci.image.layer.nondistributable.v1.tar"));
	assert_false(media_is_nondistributable(MEDIA_OCI_LAYER));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(manifests_give_config_and_layers_in_order),
		TEST(indexes_give_platforms),
		TEST(bad_descriptors_are_refused),
		TEST(layers_are_bounded),
		TEST(a_document_is_not_read_as_another_kind),
		TEST(config_says_how_to_start),
		TEST(diff_ids_must_be_digests),
		TEST(chains_are_digests_of_chain_and_layer),
		TEST(kinds_of_media_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
