/* SPDX-License-Identifier: Apache-2.0 */
/* Files of administrators: what is read can be printed and read again as JSON, and CDI and
 * blockio take any of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "oci/blockio.h"
#include "oci/cdi.h"
#include "text/yaml_read.h"

static void inject_from(const uint8_t *data, size_t size)
{
	static const char *const no_dirs[] = { NULL };
	AUTO(cdi_free) struct cdi *c = cdi_load(no_dirs);
	AUTO(jnode_free) struct jnode *spec = jnode_object();
	AUTO_ERR struct err err = { 0 };
	char *const names[] = { (char *)(uintptr_t) "example.com/card=zero", NULL };

	if (cdi_add(c, "x.yaml", 0, data, size, &err) == 0)
		IGNORE(cdi_inject(c, spec, names, &err));
	err_clear(&err);
	IGNORE(blockio_apply(spec, data, size, "slow", &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(jnode_free) struct jnode *n = NULL;
	AUTO(jnode_free) struct jnode *again = NULL;
	AUTO_FREE char *text = NULL;

	if (yaml_parse(data, size, &n, &err) < 0) {
		if (err.kind == ERR_NONE)
			abort();
		return 0;
	}
	text = jnode_to_text(n, NULL);
	if (jnode_parse(text, strlen(text), &again, &err) < 0)
		abort();
	inject_from(data, size);
	return 0;
}
