/* SPDX-License-Identifier: Apache-2.0 */
/* Index, manifest, config and runtime spec as an archive or a registry may hold them. */
#include <stdint.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/err.h"
#include "oci/image_config.h"
#include "oci/image_spec.h"
#include "oci/media.h"
#include "oci/spec.h"

static void check_spec(const uint8_t *data, size_t size)
{
	static const char *const env[] = { "A=1", "B", NULL };
	AUTO_ERR struct err err = { 0 };
	AUTO(jnode_free) struct jnode *doc = NULL;
	AUTO(jnode_free) struct jnode *again = NULL;
	AUTO_FREE char *text = NULL;
	size_t n = 0;

	if (jnode_parse(data, size, &doc, &err) < 0 || !jnode_is(doc, JSON_KIND_OBJECT))
		return;
	process_add_env(spec_process(doc), (char *const *)env);
	spec_set_privileged(doc);
	spec_set_memory_limit(doc, 1);
	text = spec_to_json(doc, NULL);
	while (text[n] != '\0')
		n++;
	/* What was at the bounds may be over them after the options. */
	if (jnode_parse(text, n, &again, &err) < 0 && err.kind != ERR_EXHAUSTED)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err[4] = { { 0 } };
	AUTO_OCI_INDEX struct oci_index index = { 0 };
	AUTO_OCI_MANIFEST struct oci_manifest manifest = { 0 };
	AUTO_IMAGE_CONFIG struct image_config config = { 0 };

	(void)!oci_index_parse(data, size, &index, &err[0]);
	(void)!oci_manifest_parse(data, size, &manifest, &err[1]);
	(void)!image_config_parse(data, size, &config, &err[2]);
	(void)!oci_check_kind(MEDIA_OCI_INDEX, data, size, &err[3]);
	for (size_t i = 0; i < 4; i++)
		err_clear(&err[i]);
	check_spec(data, size);
	return 0;
}
